use proptest::prelude::*;

use super::*;

#[test]
fn the_strings_of_the_contract() {
    let identity =
        parse("app_key1:app_secret1@group_name1/topic=test156&role=sub&offset=oldest").unwrap();
    assert_eq!(
        (
            &*identity.key,
            identity.secret.expose(),
            &*identity.group,
            &*identity.topic
        ),
        ("app_key1", "app_secret1", "group_name1", "test156")
    );
    assert_eq!(
        (identity.role, &*identity.colour, identity.offset),
        (Role::Sub, "", Some(Begin::Oldest))
    );
    let identity = parse("k:s@g/TOPIC=t&Role=pub&COLOR=red&offset=newest&x=y").unwrap();
    assert_eq!(
        (identity.role, &*identity.colour, identity.offset),
        (Role::Pub, "red", Some(Begin::Newest))
    );
}

#[test]
fn separators_inside_the_parts() {
    let identity = parse("k:s:s@s/@g/topic=t=t/:&role=pub").unwrap();
    assert_eq!(
        (identity.secret.expose(), &*identity.group, &*identity.topic),
        ("s:s@s/", "g", "t=t/:")
    );
    let identity = parse("组:s@组/topic=a%20b&role=sub&color=c d").unwrap();
    assert_eq!(
        (
            &*identity.key,
            &*identity.group,
            &*identity.topic,
            &*identity.colour
        ),
        ("组", "组", "a%20b", "c d")
    );
}

#[test]
fn offsets_of_old_strings_are_ignored() {
    for value in ["", "-1", "Oldest", "%00", "12"] {
        assert_eq!(
            parse(&format!("k:s@g/topic=t&role=sub&offset={value}"))
                .unwrap()
                .offset,
            None
        );
    }
}

#[test]
fn malformed_strings() {
    for (auth, error) in [
        (
            "",
            "no ':' after the key, expected key:secret@group/topic=TOPIC&role=pub|sub",
        ),
        (
            "nothing",
            "no ':' after the key, expected key:secret@group/topic=TOPIC&role=pub|sub",
        ),
        (
            "k@g/topic=t:t&role=pub",
            "no ':' after the key, expected key:secret@group/topic=TOPIC&role=pub|sub",
        ),
        (
            "k:s",
            "no '@' before the group, expected key:secret@group/topic=TOPIC&role=pub|sub",
        ),
        (
            "k:s@g",
            "no '/' after the group, expected key:secret@group/topic=TOPIC&role=pub|sub",
        ),
        ("k:s@g/", "topic is missing"),
        ("k:s@g/role=pub", "topic is missing"),
        ("k:s@g/topic=t", "role is missing"),
        (":s@g/topic=t&role=pub", "key is empty"),
        ("k:@g/topic=t&role=pub", "secret is empty"),
        ("k:s@/topic=t&role=pub", "group is empty"),
        ("k:s@g/topic=&role=pub", "topic is empty"),
        ("k:s@g/topic&role=pub", "topic is empty"),
        ("k:s@g/topic=&role=x", "topic is empty"),
        ("k:s@g/topic=t&role=", "role must be pub or sub"),
        ("k:s@g/topic=t&role=PUB", "role must be pub or sub"),
        ("k:s@g/topic=t&role=pub|sub", "role must be pub or sub"),
        ("k:s@g/topic=t\n&role=pub", "control characters"),
        ("k:s\0@g/topic=t&role=pub", "control characters"),
        ("k:s@g/topic=t&role=pub&color=\u{85}", "control characters"),
    ] {
        assert_eq!(parse(auth).unwrap_err().to_string(), error, "{auth:?}");
    }
    assert_eq!(
        Identity::parse(b"k:\xff@g/topic=t&role=pub"),
        Err(InvalidAuth::NotUtf8)
    );
}

#[test]
fn the_three_forms_mean_the_same() {
    let whole = b"k:s@g/topic=t&role=pub&color=c";
    let identity = Identity::parse(whole).unwrap();
    for user in [
        None,
        Some(&b""[..]),
        Some(b"default"),
        Some(b"a/b@c"),
        Some(b"\xff"),
    ] {
        assert_eq!(
            Identity::from_auth(user, whole),
            Ok(identity.clone()),
            "{user:?}"
        );
    }
    assert_eq!(
        Identity::from_auth(Some(b"k@g/topic=t&role=pub&color=c"), b"s"),
        Ok(identity)
    );
}

#[test]
fn the_secret_beside_the_user() {
    let identity = Identity::from_auth(Some(b"me@host@g/role=sub&topic=t"), b"s:@/").unwrap();
    assert_eq!(
        (&*identity.key, identity.secret.expose(), &*identity.group),
        ("me@host", "s:@/", "g")
    );
    for (user, password, error) in [
        (
            &b"k@g/topic=t&role=pub"[..],
            &b""[..],
            InvalidAuth::Empty("secret"),
        ),
        (b"@g/topic=t&role=pub", b"s", InvalidAuth::Empty("key")),
        (b"k@/topic=t&role=pub", b"s", InvalidAuth::Empty("group")),
        (b"k@g/topic=t@x&role=pub", b"s", InvalidAuth::NoNames),
        (b"k@g/topic=t&role=pub", b"\xff", InvalidAuth::NotUtf8),
        (b"k\xff@g/topic=t&role=pub", b"s", InvalidAuth::NotUtf8),
        (
            b"k@g/topic=t&role=pub",
            b"s\r",
            InvalidAuth::ControlCharacters,
        ),
        (
            b"k:s@g/topic=t&role=pub",
            b"k:s@g/topic=t&role=pub",
            InvalidAuth::SecretInUser,
        ),
    ] {
        assert_eq!(
            Identity::from_auth(Some(user), password),
            Err(error),
            "{user:?}"
        );
    }
}

#[test]
fn the_same_identity_again() {
    let all = [
        "k:s@g/topic=t&role=sub",
        "l:s@g/topic=t&role=sub",
        "k:z@g/topic=t&role=sub",
        "k:s@h/topic=t&role=sub",
        "k:s@g/topic=u&role=sub",
        "k:s@g/topic=t&role=pub",
        "k:s@g/topic=t&role=sub&color=c",
    ];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate() {
            assert_eq!(parse(a) == parse(b), i == j, "{a} {b}");
        }
    }
    assert_eq!(parse(all[0]), parse("k:s@g/role=sub&topic=t&offset=oldest"));
}

#[test]
fn secrets() {
    let admits = |own: &str, given: &str| bool::from(Secret::new(own).admits(&Secret::new(given)));
    assert!(admits("s", "s") && admits("secret", "secret"));
    for (own, given) in [
        ("s", "t"),
        ("s", "ss"),
        ("ss", "s"),
        ("s", ""),
        ("", "s"),
        ("", ""),
        ("abc", "abd"),
        ("abc", "abcabc"),
    ] {
        assert!(!admits(own, given), "{own:?} {given:?}");
    }
    assert_eq!(format!("{:?}", Secret::new("s3cret")), "[secret]");
    assert!(!format!("{:?}", parse("k:s3cret@g/topic=t&role=sub")).contains("s3cret"));
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        key in "[^:\\p{Cc}]{1,9}", secret in "\\PC{1,9}", group in "[^@/\\p{Cc}]{1,9}", topic in "[^&@\\p{Cc}]{1,9}",
        role in prop_oneof![Just(Role::Pub), Just(Role::Sub)], colour in "[^&@\\p{Cc}]{0,9}",
        offset in prop_oneof![Just(None), Just(Some(Begin::Oldest)), Just(Some(Begin::Newest))],
    ) {
        let identity = Identity { key, secret: Secret::new(secret), group, topic, role, colour, offset };
        let read = parse(&write(&identity)).unwrap();
        prop_assert_eq!(&read, &identity);
        prop_assert_eq!(read.offset, identity.offset);
    }

    #[test]
    fn beside_the_user_too(
        key in "[^:\\p{Cc}]{1,9}", secret in "\\PC{1,9}", group in "[^@/\\p{Cc}]{1,9}", topic in "[^&@\\p{Cc}]{1,9}",
    ) {
        let user = format!("{key}@{group}/topic={topic}&role=sub");
        let read = Identity::from_auth(Some(user.as_bytes()), secret.as_bytes()).unwrap();
        prop_assert_eq!(read, parse(&format!("{key}:{secret}@{group}/topic={topic}&role=sub")).unwrap());
    }

    #[test]
    fn any_bytes(user in proptest::option::of(any::<Vec<u8>>()), password: Vec<u8>) {
        judge(Identity::from_auth(user.as_deref(), &password));
    }

    #[test]
    fn nearly_right(user in "[a@/:&=]{0,6}(topic=|role=pub|&){0,4}", password in "[a@/:&=\\x00-\\x20]{0,6}(/topic=|role=sub|&|color=|@){0,6}") {
        judge(Identity::parse(password.as_bytes()));
        judge(Identity::from_auth(Some(user.as_bytes()), password.as_bytes()));
    }
}

fn judge(result: Result<Identity, InvalidAuth>) {
    let Ok(identity) = result else { return };
    assert!(
        [&identity.key, &identity.group, &identity.topic]
            .iter()
            .all(|part| !part.is_empty())
    );
    assert!(!identity.secret.expose().is_empty());
    assert_eq!(parse(&write(&identity)), Ok(identity));
}

fn parse(auth: &str) -> Result<Identity, InvalidAuth> {
    Identity::parse(auth.as_bytes())
}

fn write(identity: &Identity) -> String {
    let Identity {
        key,
        secret,
        group,
        topic,
        role,
        colour,
        offset,
    } = identity;
    let offset = match offset {
        Some(Begin::Oldest) => "&offset=oldest",
        Some(Begin::Newest) => "&offset=newest",
        None => "",
    };
    format!(
        "{key}:{}@{group}/topic={topic}&role={role}&color={colour}{offset}",
        secret.expose()
    )
}
