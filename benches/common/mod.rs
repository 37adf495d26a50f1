//! What the benchmarks that run a daemon share.

#![allow(dead_code)] // each is a program of its own, and uses a part of this

pub mod connections;
pub mod direct;
pub mod figures;
pub mod kafka;
pub mod load;
pub mod servers;
