//! Any bytes as AUTH strings: nothing panics, and what is read means the same when it is written and read again.
#![no_main]

use databus::identity::{Begin, Identity, InvalidAuth};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    judge(Identity::parse(input));
    // A line feed is in no AUTH string, so it may part the user from the password.
    if let Some(end) = input.iter().position(|byte| *byte == b'\n') {
        let (user, password) = (&input[..end], &input[end + 1..]);
        let identity = Identity::from_auth(Some(user), password);
        if !user.contains(&b'@') {
            assert_eq!(identity, Identity::parse(password));
        }
        judge(identity);
    }
});

fn judge(result: Result<Identity, InvalidAuth>) {
    let Ok(identity) = result else { return };
    let Identity {
        key,
        secret,
        group,
        topic,
        role,
        colour,
        offset,
    } = &identity;
    assert!(![key, secret.expose(), group, topic].contains(&""));
    let offset = match offset {
        Some(Begin::Oldest) => "&offset=oldest",
        Some(Begin::Newest) => "&offset=newest",
        None => "",
    };
    let secret = secret.expose();
    let written =
        format!("{key}:{secret}@{group}/topic={topic}&role={role}&color={colour}{offset}");
    let read = Identity::parse(written.as_bytes()).expect("it was one before");
    assert_eq!((&read, read.offset), (&identity, identity.offset));
}
