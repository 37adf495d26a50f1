//! Any bytes, in any pieces: the decoder never panics, never claims bytes that it was not given, and yields what it yields for the whole at once.

#![no_main]

use databus::resp::{Decoder, RequestLimits, ProtocolError, Step};
use libfuzzer_sys::fuzz_target;

// The first four bytes choose limits and pieces, the rest is the connection's input.
fuzz_target!(|data: &[u8]| {
    let Some(([small, request, seed, max], input)) = data.split_first_chunk() else {
        return;
    };
    let limits = match small {
        0..128 => RequestLimits::after_auth(1 << 20),
        128..192 => RequestLimits::BEFORE_AUTH,
        192.. => RequestLimits {
            max_request: usize::from(*request),
            max_inline: 40,
            ..RequestLimits::after_auth(0)
        },
    };
    let whole = feed(input, &limits, |rest| rest);
    let mut state = u32::from(*seed) + 1;
    let pieces = feed(input, &limits, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % (usize::from(*max) + 1) + 1
    });
    assert_eq!(whole, pieces);
});

#[derive(Debug, PartialEq)]
enum Event {
    Request(Vec<Vec<u8>>),
    Oversized(Vec<u8>, Vec<usize>, usize),
    Error(ProtocolError),
}

/// What `input` comes to, in pieces as long as `piece` says, given how much is left.
fn feed(input: &[u8], limits: &RequestLimits, mut piece: impl FnMut(usize) -> usize) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let (mut events, mut buf, mut left) = (Vec::new(), Vec::new(), input);
    while !left.is_empty() {
        let (arrived, rest) = left.split_at(piece(left.len()).min(left.len()));
        buf.extend_from_slice(arrived);
        left = rest;
        let mut done = 0;
        loop {
            let unread = &buf[done..];
            let next = match decoder.next(unread, limits) {
                Ok(next) => next,
                Err(error) => {
                    events.push(Event::Error(error));
                    return events;
                }
            };
            assert!(next.consumed <= unread.len());
            done += next.consumed;
            match next.step {
                Step::Need => break,
                Step::Request => {
                    events.push(Event::Request(
                        decoder.request(unread).iter().map(<[u8]>::to_vec).collect(),
                    ));
                }
                Step::Oversized => {
                    let lens = decoder.args().iter().map(|arg| arg.len).collect();
                    events.push(Event::Oversized(
                        decoder.name(unread).to_vec(),
                        lens,
                        decoder.count(),
                    ));
                }
            }
        }
        buf.drain(..done);
    }
    events
}
