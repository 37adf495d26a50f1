//! What is left on the cluster that an app moves away from (SPEC 7).

use crate::common::daemon::{CLUSTER, Config};
use crate::common::eventually;
use crate::common::kafka::{Kafka, Mock};
use crate::common::resp::{Value, is_early, ok};
use crate::moves::{OTHER, Two, moved_to, offsets, offsets_of, values};

#[test]
fn subscribers_read_the_old_cluster_to_its_end() {
    let mut here = Two::new();
    here.old
        .write_values(&here.topic, 0, (0..250).map(|number| number.to_string()));
    let mut client = here.daemon.oldest(&here.group, &here.topic);
    let mut found = eventually("the group is joined", || offsets(&mut client).ok());
    here.moves();
    let told = eventually("the old cluster is read", || match offsets(&mut client) {
        Ok(more) => {
            if let Some(last) = more.last() {
                assert_eq!(client.call(&format!("SET 0 {last}")), ok());
            }
            found.extend(more);
            None
        }
        Err(told) => Some(told),
    });
    assert_eq!(told, moved_to(OTHER));
    client.expect_close();
    assert_eq!(found, (0..250).collect::<Vec<_>>());
    here.old.wait_committed(&here.group, &here.topic, &[250]);
}

#[test]
fn what_is_still_on_its_way_from_the_old_cluster_is_read() {
    let mut here = Two::new();
    // The client fetches a little, and then not for a while.
    let config = here.daemon.config.clone();
    here.daemon.config = config
        .kafka("queued.max.messages.kbytes", "64")
        .kafka("fetch.queue.backoff.ms", "500")
        .kafka("fetch.message.max.bytes", "200000");
    here.daemon.reload();
    let value = format!("\"{}\"", "x".repeat(100_000));
    here.old
        .write_values(&here.topic, 0, (0..60).map(|_| value.clone()));
    let mut client = here.daemon.oldest(&here.group, &here.topic);
    let first = eventually("the first", || {
        client.messages("MGET raw COUNT 1 WAIT 1000").pop()
    });
    assert_eq!(first.array()[1].integer(), 0);
    here.moves();
    let mut next = 1;
    let told = eventually("the old cluster is read", || {
        match offsets_of(&mut client, "MGET raw COUNT 1000 WAIT 0") {
            Ok(found) => {
                next = found.last().map_or(next, |last| last + 1);
                None
            }
            Err(told) => Some(told),
        }
    });
    assert_eq!(told, moved_to(OTHER));
    assert_eq!(next, 60);
}

#[test]
fn a_group_that_is_being_joined_reads_the_old_cluster_first() {
    let mut here = Two::between(OTHER, CLUSTER); // where new groups wait for more members
    here.old.write_values(&here.topic, 0, ["1", "2"]);
    let mut client = here.daemon.oldest(&here.group, &here.topic);
    here.moves();
    let mut found = Vec::new();
    let told = eventually("the old cluster is read", || {
        if let Value::Error(text) = client.call("SET 0 0") {
            assert!(is_early(&text), "{text}");
        }
        match offsets_of(&mut client, "MGET raw WAIT 300") {
            Ok(more) => {
                found.extend(more);
                None
            }
            Err(text) if is_early(&text) => None,
            Err(told) => Some(told),
        }
    });
    assert_eq!(told, moved_to(CLUSTER));
    assert!(found.ends_with(&[1]), "{found:?}");
}

#[test]
fn a_cluster_that_is_away_is_left() {
    let (old, new) = (Mock::with_topic("t", 1), Mock::with_topic("t", 1));
    Kafka::at(&old.brokers()).write_values("t", 0, ["1"]);
    let config = Config::on(&old.brokers()).grant("g", "t", "pubsub");
    let mut daemon = config
        .cluster(OTHER, &new.brokers())
        .limit("delivery_timeout", "\"8s\"")
        .kafka("session.timeout.ms", "60000")
        .start();
    let (mut publisher, mut subscriber) = (daemon.publisher("g", "t"), daemon.oldest("g", "t"));
    assert_eq!(publisher.call("SET k before"), ok());
    eventually("both records are read", || {
        let found = subscriber.messages("MGET raw WAIT 500");
        (found.last()?.clone().array()[1].integer() == 1).then_some(())
    });
    old.down();
    // The answer to the one tells that the other was read.
    publisher.exchange("PING\r\nSET k away\r\n", "+PONG\r\n");
    daemon.config.apps[0].cluster = OTHER.into();
    daemon.reload();
    publisher.send("SET k after\r\n");
    let reply = publisher.read();
    assert!(matches!(reply, Value::Error(_)), "{reply:?}");
    publisher.expect("+OK\r\n");
    assert_eq!(values(&Kafka::at(&new.brokers()), "t"), ["after"]);
    subscriber.exchange("SET 0 1\r\n", "+OK\r\n");
    let told = eventually("the old cluster is left", || offsets(&mut subscriber).err());
    assert_eq!(told, moved_to(OTHER));
    subscriber.expect_close();
    let mut subscriber = daemon.subscriber("g", "t");
    eventually("the new one is read", || {
        subscriber.messages("MGET raw WAIT 500").pop()
    });
}
