//! A `metadata` header of any bytes: it is decoded or refused, and never harms the message that it belongs to.
#![no_main]

use databus::message::{Format, Metadata, Record, encode};
use databus::resp::encode::Proto;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|header: &[u8]| {
    let headers: [(&[u8], Option<&[u8]>); 1] = [(b"metadata", Some(header))];
    let record = Record::new(0, 0, 0, None, None, headers.into_iter());
    let [json, protobuf] = [Format::Json, Format::Pb].map(|format| {
        let mut out = Vec::new();
        encode(&mut out, "t", &record, format, Proto::Resp2);
        let digits = out
            .iter()
            .position(|&byte| byte == b'\r')
            .expect("a length");
        assert_eq!(
            out[1..digits],
            *(out.len() - digits - 4).to_string().as_bytes()
        );
        out[digits + 2..out.len() - 2].to_vec()
    });
    let message: Value = serde_json::from_slice(&json).expect("a message is JSON");

    match Metadata::decode(header) {
        Ok(Some(metadata)) => {
            let entries: Vec<_> = metadata.iter().collect();
            assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
            assert!(message["metadata"].is_object());
            // The entries of a message are in field 7, those of a header in field 1.
            let mut again = Vec::new();
            let mut rest = protobuf.strip_prefix(b"\x1a\x01t").expect("the topic");
            while let Some(entry) = rest.strip_prefix(b"\x3a") {
                let len = 1 + entry
                    .iter()
                    .position(|&byte| byte < 0x80)
                    .expect("a length");
                let bytes = entry[..len]
                    .iter()
                    .rev()
                    .fold(0, |n, &byte| n << 7 | usize::from(byte & 0x7f));
                again.push(0x0a);
                again.extend_from_slice(&entry[..len + bytes]);
                rest = &entry[len + bytes..];
            }
            assert!(rest.is_empty());
            let again = Metadata::decode(&again)
                .expect("a header")
                .expect("entries");
            assert_eq!(again.iter().collect::<Vec<_>>(), entries);
        }
        Ok(None) | Err(_) => {
            assert!(message["metadata"].is_null());
            assert_eq!(protobuf, b"\x1a\x01t");
        }
    }
});
