//! A record as subscribers see it: JSON, protobuf, raw.
