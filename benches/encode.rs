//! What it costs to encode one message for a subscriber: `cargo bench --bench encode`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use databus::message::{Format, Record, encode};
use databus::resp::encode::Proto;

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    println!(
        "{:<24} {:>8} {:>10} {:>8}",
        "", "bytes", "ns/message", "GB/s"
    );
    for size in [100, 1024] {
        for (name, format, value) in cases(size) {
            let ns = nanoseconds(format, &value);
            let rate = value.len() as f64 / ns;
            println!("{name:<24} {:>8} {ns:>10.1} {rate:>8.2}", value.len());
        }
    }
}

fn cases(size: usize) -> [(&'static str, Format, Vec<u8>); 9] {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(size);
    let string = format!("\"{}\"", &text[..size - 2]);
    let cjk = format!("\"{}\"", "\u{952e}".repeat((size - 2) / 3));
    let markup = format!(
        "\"{}\"",
        &"<b class='x'>bold &amp; red</b> ".repeat(size)[..size - 2]
    );
    [
        ("json: string", Format::Json, string.clone().into()),
        ("json: string, cjk", Format::Json, cjk.into()),
        ("json: string, markup", Format::Json, markup.into()),
        ("json: object", Format::Json, object(size, "").into()),
        (
            "json: object, spaced",
            Format::Json,
            object(size, " ").into(),
        ),
        ("json: not json, text", Format::Json, text[..size].into()),
        ("json: not json, binary", Format::Json, vec![0xff; size]),
        ("pb", Format::Pb, string.clone().into()),
        ("raw", Format::Raw, string.into()),
    ]
}

/// Members as events have them, until it has `size` bytes.
fn object(size: usize, space: &str) -> String {
    let mut object = format!("{{\"id\":{space}1000");
    let members = [
        "\"name\":_\"Ann Smith\"",
        "\"price\":_12.50",
        "\"ok\":_true",
        "\"tags\":_[1,_2,_\"new\"]",
    ];
    for member in members.iter().cycle() {
        let member = member.replace('_', space);
        if object.len() + member.len() + 12 > size {
            break;
        }
        object = format!("{object},{space}{member}");
    }
    let filler = "x".repeat(size - object.len() - 8 - space.len());
    format!("{object},{space}\"f\":\"{filler}\"}}")
}

/// The best of several rounds, because what disturbs a round only makes it longer.
fn nanoseconds(format: Format, value: &[u8]) -> f64 {
    let headers: [(&[u8], Option<&[u8]>); 2] = [(b"color", Some(b"")), (b"metadata", None)];
    let record = |offset| {
        let (partition, timestamp_ms) = (3, 1_700_000_000_000);
        let headers = headers.into_iter();
        Record::new(
            partition,
            offset,
            timestamp_ms,
            Some(b"key1"),
            Some(value),
            headers,
        )
    };
    let records: Vec<Record> = (4_100_000..4_100_100).map(record).collect();
    let mut out = Vec::new();
    let mut best = f64::MAX;
    let begin = Instant::now();
    while begin.elapsed() < ROUNDS {
        let round = Instant::now();
        for _ in 0..50 {
            out.clear();
            for record in &records {
                let topic = black_box("test156");
                encode(&mut out, topic, black_box(record), format, Proto::Resp2);
            }
            black_box(&out);
        }
        best = best.min(round.elapsed().as_nanos() as f64 / 5000.0);
    }
    best
}

const ROUNDS: Duration = Duration::from_millis(400);
