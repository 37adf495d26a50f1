//! The `databus` program.

fn main() {}
