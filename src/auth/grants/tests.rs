use super::*;

#[test]
fn who_may_do_what() {
    let grants = grants();
    let ok = |cluster: &str| {
        Ok(Authorized {
            cluster: cluster.into(),
        })
    };
    let wrong = |reason| Err(Denied::Credentials(reason));
    assert_eq!(judge(&grants, "k1:s1@g/topic=t&role=pub"), ok("c1"));
    assert_eq!(judge(&grants, "k1:s1@g/topic=t&role=sub"), ok("c1"));
    assert_eq!(judge(&grants, "k1:s1@g/topic=u&role=sub"), ok("c1"));
    assert_eq!(judge(&grants, "k2:s2@g/topic=t&role=pub"), ok("c2"));
    assert_eq!(
        judge(&grants, "k1:s1@g/topic=u&role=pub"),
        Err(Denied::Operation(Role::Pub))
    );
    assert_eq!(
        judge(&grants, "k2:s2@g/topic=t&role=sub"),
        Err(Denied::Operation(Role::Sub))
    );
    assert_eq!(
        judge(&grants, "k1:s1@x/topic=t&role=pub"),
        wrong(Reason::Group)
    );
    assert_eq!(
        judge(&grants, "xx:s1@g/topic=t&role=pub"),
        wrong(Reason::Key)
    );
    assert_eq!(
        judge(&grants, "k1:s2@g/topic=t&role=pub"),
        wrong(Reason::Secret)
    );
    assert_eq!(
        judge(&grants, "k1:s1@g/topic=x&role=pub"),
        wrong(Reason::Topic)
    );
    assert_eq!(
        judge(&grants, "k2:s2@g/topic=u&role=pub"),
        wrong(Reason::Topic)
    );
    assert_eq!((grants.app_count(), grants.grant_count()), (2, 5));
}

#[test]
fn what_the_replies_say() {
    assert_eq!(
        Denied::Credentials(Reason::Key).to_string(),
        "invalid key, secret, group or topic"
    );
    assert_eq!(
        Denied::Operation(Role::Pub).to_string(),
        "this grant may not publish"
    );
    assert_eq!(
        Denied::Operation(Role::Sub).to_string(),
        "this grant may not subscribe"
    );
}

#[test]
fn apps_with_the_same_key() {
    let mut builder = Builder::new();
    let old = builder.app("k", "s", "old".into());
    let other = builder.app("k", "z", "other".into());
    let new = builder.app("k", "s", "new".into());
    builder.grant(old, "g", "t", SUBSCRIBE | PUBLISH);
    builder.grant(old, "g", "u", SUBSCRIBE);
    builder.grant(other, "g", "t", SUBSCRIBE);
    builder.grant(new, "g", "t", SUBSCRIBE);
    let grants = builder.build();
    let cluster = |auth: &str| judge(&grants, auth).unwrap().cluster;
    assert_eq!(&*cluster("k:s@g/topic=t&role=sub"), "new");
    assert_eq!(&*cluster("k:s@g/topic=t&role=pub"), "old");
    assert_eq!(&*cluster("k:s@g/topic=u&role=sub"), "old");
    assert_eq!(&*cluster("k:z@g/topic=t&role=sub"), "other");
    assert_eq!(
        judge(&grants, "k:z@g/topic=u&role=sub"),
        Err(Denied::Credentials(Reason::Topic))
    );
    assert_eq!(
        judge(&grants, "k:z@g/topic=t&role=pub"),
        Err(Denied::Operation(Role::Pub))
    );
}

#[test]
fn nobody_gets_in_as_nobody() {
    let identity = Identity {
        secret: Secret::new(NOBODYS_SECRET),
        ..parse("x:s@g/topic=t&role=pub")
    };
    assert_eq!(
        grants().authorize(&identity),
        Err(Denied::Credentials(Reason::Key))
    );
    let empty = Builder::new().build();
    assert_eq!(
        empty.authorize(&identity),
        Err(Denied::Credentials(Reason::Group))
    );
    assert_eq!((empty.app_count(), empty.grant_count()), (0, 0));
}

#[test]
fn colours_that_make_the_id_of_another_group() {
    let mut builder = Builder::new();
    let app = builder.app("k", "s", "c".into());
    for group in ["a", "a-b", "a-b-c-d", "z-"] {
        builder.grant(app, group, "t", SUBSCRIBE);
    }
    let grants = builder.build();
    for (group, colour, owner) in [
        ("a", "", None),
        ("a", "red", None),
        ("a", "bb", None),
        ("a", "b", Some("a-b")),
        ("a", "b-c", Some("a-b")),
        ("a-b", "c", None),
        ("a-b", "c-d", Some("a-b-c-d")),
        ("a-b", "c-d-e", Some("a-b-c-d")),
        ("z", "", None),
        ("z", "-x", Some("z-")),
        ("z-", "x", None),
        ("组", "组", None),
    ] {
        assert_eq!(grants.owner_of(group, colour), owner, "{group} {colour}");
    }
}

#[test]
fn apps_by_key() {
    let mut builder = Builder::new();
    for (key, secret, cluster) in [("k", "s", "old"), ("l", "s", "other"), ("k", "z", "new")] {
        builder.app(key, secret, cluster.into());
    }
    let grants = builder.build();
    let apps = grants.apps().map(|(key, apps)| {
        let app = |(secret, cluster): &(&Secret, &Arc<str>)| {
            (secret.expose().to_owned(), cluster.to_string())
        };
        (key, apps.iter().map(app).collect::<Vec<_>>())
    });
    let pair = |secret: &str, cluster: &str| (secret.to_owned(), cluster.to_owned());
    assert_eq!(
        apps.collect::<BTreeSet<_>>(),
        BTreeSet::from([
            ("k", vec![pair("z", "new"), pair("s", "old")]),
            ("l", vec![pair("s", "other")])
        ])
    );
}

#[test]
fn grants_that_another_set_lacks() {
    let (all, none) = (grants(), Builder::new().build());
    assert_eq!((all.withdrawn_by(&all), none.withdrawn_by(&all)), (0, 0));
    assert_eq!(all.withdrawn_by(&none), all.grant_count());
    let mut builder = Builder::new();
    // Other numbers, secrets, clusters and operations; another topic; another key.
    let two = builder.app("k2", "new", "c9".into());
    let one = builder.app("k1", "s1", "c1".into());
    let three = builder.app("k3", "s", "c1".into());
    builder.grant(one, "g", "t", SUBSCRIBE);
    builder.grant(one, "g", "new", SUBSCRIBE);
    builder.grant(two, "h", "t", PUBLISH);
    builder.grant(three, "g", "u", PUBLISH);
    assert_eq!(all.withdrawn_by(&builder.build()), 3);
}

#[test]
fn topics_by_cluster() {
    assert_eq!(
        grants().topics().into_iter().collect::<Vec<_>>(),
        [("c1", "t"), ("c1", "u"), ("c2", "t")]
    );
}

fn grants() -> Grants {
    let mut builder = Builder::new();
    let (one, two) = (
        builder.app("k1", "s1", "c1".into()),
        builder.app("k2", "s2", "c2".into()),
    );
    builder.grant(one, "g", "t", PUBLISH);
    builder.grant(two, "g", "t", PUBLISH);
    builder.grant(one, "g", "u", SUBSCRIBE);
    builder.grant(one, "g", "t", SUBSCRIBE);
    builder.grant(two, "h", "t", PUBLISH);
    builder.grant(one, "h", "t", PUBLISH);
    builder.build()
}

fn judge(grants: &Grants, auth: &str) -> Result<Authorized, Denied> {
    grants.authorize(&parse(auth))
}

fn parse(auth: &str) -> Identity {
    Identity::parse(auth.as_bytes()).expect("a valid AUTH string")
}
