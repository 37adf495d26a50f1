//! A Kafka that hangs with its connections open: the journal says what waits, and when it is over.

use crate::common::daemon::Config;
use crate::common::eventually;
use crate::common::kafka::Kafka;
use crate::common::resp::{Value, ok, request};
use crate::common::servers::start_kafka;

#[test]
fn what_a_kafka_that_hangs_does_not_confirm_is_told() {
    let server = start_kafka();
    let kafka = Kafka::at(&server.brokers());
    let topic = kafka.topic(1);
    // A group that is thrown out while Kafka sleeps would have no commit under way.
    let daemon = Config::on(&server.brokers())
        .grant("g", &topic, "pubsub")
        .kafka("session.timeout.ms", "45000")
        .start();
    let mut publisher = daemon.publisher("g", &topic);
    let mut subscriber = daemon.oldest("g", &topic);
    assert_eq!(publisher.call("SET k 1"), ok());
    eventually("the record is read", || {
        let Value::Array(found) = subscriber.call("MGET WAIT 1000") else {
            return None;
        };
        (found.len() == 1).then_some(())
    });

    server.hang();
    publisher.send(request(&["SET", "k", "2"]).repeat(3));
    assert_eq!(subscriber.call("SET 0 0"), ok());
    let line = daemon.wait_for_log("does not confirm records");
    assert!(
        line.contains("WARN") && line.contains("cluster=cluster1 client=producer waiting=3"),
        "{line}"
    );
    let line = daemon.wait_for_log("does not confirm marks");
    assert!(
        line.contains("WARN") && line.contains("cluster=cluster1") && line.contains("waiting=1"),
        "{line}"
    );

    server.resume();
    publisher.expect("+OK\r\n".repeat(3));
    kafka.wait_committed("g", &topic, &[1]);
    let reached = || {
        let log = daemon.log();
        let lines = log.lines().filter(|line| line.contains("reached again"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for who in ["client=producer", "group=g"] {
        let of = |line: &&String| line.contains(who) && line.contains("seconds=");
        let told = eventually(&format!("{who}: it is over"), || {
            Some(reached().iter().filter(of).count()).filter(|told| *told > 0)
        });
        // Kafka names no broker for a moment where it had taken its own for gone: that is told, and is over, as well.
        let log = daemon.log();
        let away = log
            .lines()
            .filter(|line| line.contains("cannot be reached"));
        let away = away.filter(|line| line.contains(who)).count();
        assert!(told <= 1 + away, "{who}: {log}");
    }
    let warnings = daemon.log();
    let warnings = warnings
        .lines()
        .filter(|line| line.contains("does not confirm"));
    assert_eq!(warnings.count(), 2, "once a minute at most");
}
