//! The names of librdkafka's settings.

use std::ffi::{CStr, c_char};
use std::ptr;

use rdkafka::bindings as rdk;

/// The names of all settings that an operator can write, in librdkafka's order. Empty where memory is out.
pub fn property_names() -> Vec<String> {
    let mut text: *mut c_char = ptr::null_mut();
    let mut length = 0;
    // SAFETY: both outlive the stream, which sets them when it is closed.
    let stream = unsafe { libc::open_memstream(&raw mut text, &raw mut length) };
    if stream.is_null() {
        return Vec::new();
    }
    // SAFETY: the stream is open until it is closed here, once. Both declarations of FILE are the C library's.
    unsafe {
        rdk::rd_kafka_conf_properties_show(stream.cast());
        libc::fclose(stream);
    }
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: a closed stream leaves text that ends with zero; nobody else has it, so it is freed once.
    let table = unsafe {
        let table = CStr::from_ptr(text).to_string_lossy().into_owned();
        libc::free(text.cast());
        table
    };
    names(&table)
}

/// Rows are `name | C/P | range | default | importance | description`, under a line of dashes in each part.
fn names(table: &str) -> Vec<String> {
    let rows = table.lines().filter_map(|line| line.split_once('|'));
    rows.map(|(name, _)| name.trim())
        .filter(|name| name.contains('.') || name.chars().all(|c| c.is_ascii_lowercase()))
        .filter(|name| !name.is_empty() && !name.ends_with("_cb"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_all_names_and_nothing_else() {
        let names = property_names();
        for name in [
            "client.id",
            "sasl.password",
            "ssl.ca.location",
            "acks",
            "linger.ms",
            "debug",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        for name in &names {
            let is_name =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
            assert!(name.chars().all(is_name), "{name:?}");
        }
        assert!(names.len() > 150, "{}", names.len());
    }
}
