//! The decoder with any bytes in any pieces, and beside another decoder.

use proptest::prelude::*;
use redis_protocol::resp2::types::OwnedFrame;

use super::*;

fn quoted(args: &[Vec<u8>]) -> Vec<u8> {
    let words = args.iter().map(|arg| {
        format!(
            "\"{}\"",
            arg.iter()
                .map(|byte| format!("\\x{byte:02x}"))
                .collect::<String>()
        )
    });
    format!("{}\r\n", words.collect::<Vec<_>>().join(" ")).into_bytes()
}

/// Bytes that make whole and broken requests likely.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => prop::sample::select(vec!["*1\r\n", "*2\r\n", "$1\r\nx\r\n", "$4\r\nPING\r\n", "$0\r\n\r\n", "\r\n", "a \"b\" 'c'\n", "*-1\r\n", "*3\r\n$3\r\nSET\r\n"])
            .prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::sample::select(&b"*$0123456789-\r\n\"'\\x ab\0\xff"[..]).prop_map(|byte| vec![byte]),
        1 => (0..200usize).prop_map(|len| [format!("${len}\r\n").into_bytes(), vec![b'v'; len], b"\r\n".to_vec()].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

fn small_limits() -> impl Strategy<Value = RequestLimits> {
    (
        1..20usize,
        0..300usize,
        0..300usize,
        0..100usize,
        any::<bool>(),
    )
        .prop_map(
            |(max_args, max_bulk, max_request, max_inline, authenticated)| RequestLimits {
                max_args,
                max_bulk,
                max_request,
                max_inline,
                authenticated,
            },
        )
}

proptest! {
    #[test]
    fn any_split_gives_the_same_requests(
        requests in prop::collection::vec((prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8), any::<bool>()), 0..12),
        sizes in prop::collection::vec(1..50usize, 1..20),
    ) {
        let input: Vec<u8> = requests.iter().flat_map(|(args, inline)| if *inline { quoted(args) } else { array(args) }).collect();
        let expected: Vec<Event> = requests.into_iter().map(|(args, _)| Event::Request(args)).collect();
        prop_assert_eq!(feed(&input, &sizes, &AUTHENTICATED), (expected, 0));
    }

    #[test]
    fn any_split_of_noise_gives_the_same(input in noise(), sizes in prop::collection::vec(1..30usize, 1..10), limits in small_limits()) {
        let expected = all_at_once(&input, &limits);
        prop_assert_eq!(feed(&input, &sizes, &limits).0, expected.clone());
        prop_assert_eq!(feed(&input, &[1], &limits).0, expected);
    }

    #[test]
    fn agrees_with_redis_protocol(args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..20)) {
        let input = array(&args);
        let mut decoder = Decoder::default();
        let next = decoder.next(&input, &AUTHENTICATED).unwrap();
        prop_assert_eq!(next, Next { step: Step::Request, consumed: input.len() });
        let ours: Vec<_> = decoder.request(&input).iter().map(|arg| OwnedFrame::BulkString(arg.to_vec())).collect();
        let (theirs, used) = redis_protocol::resp2::decode::decode(&input).unwrap().unwrap();
        prop_assert_eq!(used, input.len());
        prop_assert_eq!(OwnedFrame::Array(ours), theirs);
    }
}
