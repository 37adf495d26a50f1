//! Who may do what: grants, and the stores that they are read from.
//!
//! A [`Source`] is loaded into `Tables` of rows as they stand there, the rows are judged, and what is good becomes [`Grants`], an immutable value
//! that sessions ask. [`Refresh`] keeps it fresh.

mod error;
mod file;
mod grants;
mod mysql;
mod redis;
mod refresh;
mod rows;
mod source;
mod tables;
mod tls;
mod url;

pub use error::StoreError;
pub use grants::{Authorized, Denied, Grants, Reason};
pub use refresh::{Failing, Refresh, Status};
pub use source::{DatabaseSource, Source};
pub use tables::{BrokenRow, DeletedRow, Loaded, TwiceRow};
pub use tls::StoreTls;
