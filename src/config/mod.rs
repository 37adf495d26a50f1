//! The configuration: raw as written, checked as used.
