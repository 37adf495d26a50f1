//! The decoder with requests as clients send them, and as they should not.

use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};

use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Request(Vec<Vec<u8>>),
    Oversized {
        name: Vec<u8>,
        lens: Vec<usize>,
        count: usize,
    },
    Error(ProtocolError),
}

/// Feeds `input` in pieces of `sizes` (again and again), as a connection does, and checks what holds after each call.
fn feed(input: &[u8], sizes: &[usize], limits: &RequestLimits) -> (Vec<Event>, usize) {
    let mut decoder = Decoder::default();
    let (mut events, mut buf, mut left) = (Vec::new(), Vec::new(), input);
    let mut sizes = sizes.iter().cycle();
    while !left.is_empty() {
        let (piece, rest) = left.split_at((*sizes.next().unwrap()).clamp(1, left.len()));
        buf.extend_from_slice(piece);
        left = rest;
        loop {
            let next = match decoder.next(&buf, limits) {
                Ok(next) => next,
                Err(error) => {
                    events.push(Event::Error(error));
                    return (events, 0);
                }
            };
            assert!(next.consumed <= buf.len());
            match next.step {
                Step::Need => {
                    buf.drain(..next.consumed);
                    match decoder.state {
                        State::Bulk(len) => assert!(decoder.pos + len + CRLF <= limits.max_request),
                        State::Skip(_) => assert!(buf.is_empty()),
                        State::SkipEnd => assert!(buf.len() < CRLF),
                        _ => {}
                    }
                    assert!(decoder.args.capacity() <= 64 + 2 * input.len());
                    break;
                }
                Step::Request => events.push(Event::Request(
                    decoder.request(&buf).iter().map(<[u8]>::to_vec).collect(),
                )),
                Step::Oversized => events.push(Event::Oversized {
                    name: decoder.name(&buf).to_vec(),
                    lens: decoder.args().iter().map(|arg| arg.len).collect(),
                    count: decoder.count(),
                }),
            }
            buf.drain(..next.consumed);
        }
    }
    (events, buf.len())
}

fn all_at_once(input: &[u8], limits: &RequestLimits) -> Vec<Event> {
    feed(input, &[usize::MAX], limits).0
}

fn request(args: &[&[u8]]) -> Event {
    Event::Request(args.iter().map(|arg| arg.to_vec()).collect())
}

fn array(args: &[Vec<u8>]) -> Vec<u8> {
    let frame = OwnedFrame::Array(
        args.iter()
            .map(|arg| OwnedFrame::BulkString(arg.clone()))
            .collect(),
    );
    let mut out = vec![0; frame.encode_len(false)];
    redis_protocol::resp2::encode::encode(&mut out, &frame, false).unwrap();
    out
}

const AUTHENTICATED: RequestLimits = RequestLimits::after_auth(1 << 20);
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

#[test]
fn passes_over_what_redis_passes_over() {
    for nothing in [
        "*0\r\n",
        "*-1\r\n",
        "*-5\r\n",
        "*-9223372036854775808\r\n",
        "\r\n",
        "\n",
        "\r\n\r\n\n\n",
        "  \t \r\n",
        "\r\r\n",
    ] {
        let input = [nothing.as_bytes(), PING].concat();
        assert_eq!(
            all_at_once(&input, &AUTHENTICATED),
            [request(&[b"PING"])],
            "{nothing:?}"
        );
        assert_eq!(
            feed(&input, &[1], &AUTHENTICATED),
            (vec![request(&[b"PING"])], 0),
            "{nothing:?}"
        );
    }
}

#[test]
fn refuses_in_the_words_of_redis() {
    let too_long = "1".repeat((64 << 10) + 1);
    let cases = [
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*01\r\n", "invalid multibulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("* 1\r\n", "invalid multibulk length"),
        ("*\r\n", "invalid multibulk length"),
        ("*-0\r\n", "invalid multibulk length"),
        ("*1a\r\n", "invalid multibulk length"),
        ("*1\r$4\r\n", "invalid multibulk length"),
        ("*1048577\r\n", "invalid multibulk length"),
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*9223372036854775807\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("*1\r\n$04\r\n", "invalid bulk length"),
        ("*1\r\n$+4\r\n", "invalid bulk length"),
        ("*1\r\n$4x\r\n", "invalid bulk length"),
        ("*1\r\n$4\rx", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n*1\r\n", "expected '$', got '*'"),
        ("*1\r\n:1\r\n", "expected '$', got ':'"),
        ("*1\r\n+PING\r\n", "expected '$', got '+'"),
        ("*1\r\n\r\n", "expected '$', got ' '"),
        ("*1\r\n\0\r\n", "expected '$', got '?'"),
        ("*1\r\n$3\r\nPING\r\n", "expected CRLF after bulk string"),
        ("*1\r\n$4\r\nPING\n\n", "expected CRLF after bulk string"),
        ("ECHO \"a\r\n", "unbalanced quotes in request"),
        (&too_long, "too big inline request"),
        (&format!("*{too_long}"), "too big mbulk count string"),
        (&format!("*1\r\n${too_long}"), "too big bulk count string"),
    ];
    for (input, words) in cases {
        for sizes in [[1], [usize::MAX]] {
            let (events, _) = feed(input.as_bytes(), &sizes, &AUTHENTICATED);
            let [Event::Error(error)] = events[..] else {
                panic!("{input:.20}: {events:?}")
            };
            assert_eq!(error.to_string(), words, "{input:.20}");
        }
    }
}

#[test]
fn waits_where_redis_waits() {
    for input in [
        "*",
        "*x",
        "*1",
        "*1\r",
        "*1\r\n",
        "*1\r\nx",
        "*1\r\n$4",
        "*1\r\n$4\r\nPING\r",
        "*1048576\r\n",
        "*1\r\n$536870912\r\n",
        "*1\n$4\nPING\n",
        "PING",
    ] {
        assert_eq!(
            feed(input.as_bytes(), &[1], &AUTHENTICATED).0,
            [],
            "{input:?}"
        );
        assert_eq!(
            all_at_once(input.as_bytes(), &AUTHENTICATED),
            [],
            "{input:?}"
        );
    }
}

#[test]
fn says_that_a_limit_is_for_want_of_auth() {
    let error = |input: &[u8]| match &all_at_once(input, &RequestLimits::BEFORE_AUTH)[..] {
        [Event::Error(error)] => error.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(error(b"*16\r\n$16384\r\n"), "[]");
    assert_eq!(error(b"*17\r\n"), "unauthenticated multibulk length");
    assert_eq!(error(b"*2147483648\r\n"), "invalid multibulk length");
    assert_eq!(
        error(b"a b c d e f g h i j k l m n o p q\r\n"),
        "unauthenticated multibulk length"
    );
    assert_eq!(error(b"*1\r\n$16385\r\n"), "unauthenticated bulk length");
    assert_eq!(error(b"*1\r\n$536870913\r\n"), "invalid bulk length");
}

#[test]
fn takes_lines_of_64_kib() {
    for (len, taken) in [((64 << 10), true), ((64 << 10) + 1, false)] {
        let input = [&vec![b'a'; len][..], b"\n"].concat();
        for sizes in [[1], [usize::MAX]] {
            let (events, _) = feed(&input, &sizes, &AUTHENTICATED);
            assert_eq!(matches!(&events[..], [Event::Request(_)]), taken, "{len}");
        }
    }
}

#[test]
fn passes_over_oversized_requests() {
    let limits = RequestLimits {
        max_request: 100,
        max_bulk: 1 << 30,
        ..AUTHENTICATED
    };
    let oversized = |name: &[u8], lens: &[usize], count| Event::Oversized {
        name: name.to_vec(),
        lens: lens.to_vec(),
        count,
    };
    let set = array(&[
        b"SET".to_vec(),
        b"k".to_vec(),
        vec![b'v'; 1000],
        b"EX".to_vec(),
    ]);
    let name = array(&[vec![b'n'; 1000], vec![]]);
    let many = array(&vec![b"x".to_vec(); 40]);
    let input = [PING, &set, PING, &name, &many, PING].concat();
    let expected = [
        request(&[b"PING"]),
        oversized(b"SET", &[3, 1, 1000, 2], 4),
        request(&[b"PING"]),
        oversized(&[b'n'; 128], &[1000, 0], 2),
        oversized(b"x", &[1; 16], 40),
        request(&[b"PING"]),
    ];
    for sizes in [[1], [7], [usize::MAX]] {
        assert_eq!(feed(&input, &sizes, &limits), (expected.to_vec(), 0));
    }
    let unended = [&b"*2\r\n$3\r\nSET\r\n$536870912\r\n"[..], &[0; 5000]].concat();
    assert_eq!(
        feed(&unended, &[1000], &limits),
        (vec![], 0),
        "nothing of it is kept"
    );
    let cut = [&b"*2\r\n$3\r\nSET\r\n$200\r\n"[..], &[b'v'; 202]].concat();
    assert_eq!(
        feed(&cut, &[1], &limits).0,
        [Event::Error(ProtocolError::ExpectedCrlf)]
    );
}

#[test]
fn a_request_up_to_the_limit_is_kept() {
    let value = vec![0; 1 << 20];
    let input = array(&[b"HSET".to_vec(), vec![], vec![], value.clone()]);
    assert_eq!(
        all_at_once(&input, &AUTHENTICATED),
        [request(&[b"HSET", b"", b"", &value])]
    );
}

#[test]
fn never_looks_twice_at_what_arrives_byte_by_byte() {
    let line = [vec![b'a'; 60_000], b"\r\n".to_vec()].concat();
    let long_array = array(&vec![b"xy".to_vec(); 10_000]);
    for input in [line, long_array] {
        let mut decoder = Decoder::default();
        for end in 1..input.len() {
            assert_eq!(
                decoder.next(&input[..end], &AUTHENTICATED),
                Ok(Next {
                    step: Step::Need,
                    consumed: 0
                })
            );
            assert!(
                end - decoder.pos - decoder.sought < 12,
                "at most a short header or bulk is looked at again"
            );
        }
        assert_eq!(
            decoder.next(&input, &AUTHENTICATED),
            Ok(Next {
                step: Step::Request,
                consumed: input.len()
            })
        );
    }
}

#[test]
fn release_gives_memory_back() {
    let mut decoder = Decoder::default();
    decoder
        .next(&array(&vec![b"x".to_vec(); 5000]), &AUTHENTICATED)
        .unwrap();
    decoder.release();
    assert_eq!(decoder.args.capacity(), 0);
    decoder
        .next(&array(&vec![b"x".to_vec(); 5000]), &AUTHENTICATED)
        .unwrap();
    decoder.next(PING, &AUTHENTICATED).unwrap();
    assert!(
        decoder.args.capacity() < 100,
        "one big request does not hold memory for all that follow"
    );
}

mod random;
