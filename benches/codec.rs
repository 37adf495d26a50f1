//! How fast the codec is, alone: `cargo bench --bench codec`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use databus::command::Command;
use databus::resp::{Args, Decoder, RequestLimits, Step};

fn main() {
    for (what, value) in [("SET 100 B", 100), ("SET 1 KiB", 1 << 10)] {
        let input = pipelined_sets(value);
        report(&format!("decode {what}"), input.len(), REQUESTS, || {
            decode(&input, |request| {
                black_box((request.get(0), request.get(1), request.get(2)));
            });
        });
        report(
            &format!("decode and parse {what}"),
            input.len(),
            REQUESTS,
            || {
                decode(&input, |request| {
                    black_box(Command::parse(request).expect("the input is SETs"));
                });
            },
        );
    }
}

/// As many requests as a big read buffer holds.
fn pipelined_sets(value: usize) -> Vec<u8> {
    let value = "v".repeat(value);
    let set = |n| {
        format!(
            "*3\r\n$3\r\nSET\r\n$12\r\nkey:{n:08}\r\n${}\r\n{value}\r\n",
            value.len()
        )
    };
    (0..REQUESTS).map(set).collect::<String>().into_bytes()
}

fn decode(input: &[u8], each: impl Fn(Args<'_>)) {
    let limits = RequestLimits::after_auth(1_000_000);
    let mut decoder = Decoder::default();
    let mut rest = input;
    loop {
        let next = decoder.next(rest, &limits).expect("the input is RESP");
        if next.step == Step::Need {
            break;
        }
        each(decoder.request(rest));
        rest = &rest[next.consumed..];
    }
    assert!(rest.is_empty());
}

/// Runs `work`, which handles `bytes` in `items`, for a second; prints the best run.
fn report(what: &str, bytes: usize, items: usize, work: impl Fn()) {
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < Duration::from_secs(1) {
        let run = Instant::now();
        work();
        best = best.min(run.elapsed());
    }
    let seconds = best.as_secs_f64();
    let (gigabytes, millions) = (bytes as f64 / seconds / 1e9, items as f64 / seconds / 1e6);
    println!("{what:28} {gigabytes:6.2} GB/s {millions:7.2} M/s");
}

const REQUESTS: usize = 1000;
