//! The modules of databus that are fuzzed, under the names that they have there.

pub use src::*;

#[path = "../../src"]
mod src {
    pub mod identity;
    pub mod message;
    pub mod resp;
}
