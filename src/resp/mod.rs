//! RESP: bytes to requests, replies to bytes.
//!
//! A request is an array of bulk strings or an inline line, nothing else ([`Decoder`]). Replies are written with the functions of [`encode`].

mod decode;
pub mod encode;
mod error;
mod inline;
mod limits;
mod number;
mod request;

pub use decode::Decoder;
pub use encode::Proto;
pub use error::ProtocolError;
pub use limits::RequestLimits;
pub use number::integer;
pub use request::{Arg, Args, Next, Step};
