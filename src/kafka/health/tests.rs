use super::*;
use crate::log::capture::lines;

fn global(code: RDKafkaErrorCode) -> KafkaError {
    KafkaError::Global(code)
}

fn refused(health: &Health) {
    let reason =
        "h:1/1: Connect to ipv4#10.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
    health.error(global(RDKafkaErrorCode::BrokerTransportFailure), reason);
}

fn all_down(health: &Health) {
    let reason = "0/1 brokers are down";
    health.error(global(RDKafkaErrorCode::AllBrokersDown), reason);
}

#[test]
fn the_last_failure_explains_why_all_are_down() {
    let health = Health::new("c", "producer");
    assert!(!health.reachable() && !health.status().tried);
    health.up();
    assert!(health.reachable() && health.status().why.is_empty());
    assert_eq!(health.away(), None);
    refused(&health);
    assert!(health.reachable(), "one broker is not the cluster");
    all_down(&health);
    let status = health.status();
    assert_eq!(
        (status.reachable, status.why.as_str()),
        (false, "Connection refused")
    );
    health.up();
    assert!(health.status().since > status.since && health.reachable());
}

#[test]
fn a_reason_that_comes_later_is_waited_for() {
    let health = Health::new("c", "producer");
    let told = lines(|| {
        health.up();
        all_down(&health);
        health.look();
        assert_eq!(health.away().as_deref(), Some(NO_BROKER));
        refused(&health);
        assert_eq!(health.away().as_deref(), Some("Connection refused"));
        refused(&health);
        all_down(&health);
        health.up();
    });
    assert_eq!(
        told,
        "<6>cluster reached cluster=c client=producer\n\
         <4>cluster cannot be reached cluster=c client=producer why=\"Connection refused\"\n\
         <6>cluster reached again cluster=c client=producer seconds=0\n"
    );
}

#[test]
fn what_passes_before_there_is_a_reason_is_not_told() {
    let health = Health::new("c", "producer");
    let told = lines(|| {
        health.up();
        all_down(&health);
        health.up();
    });
    assert_eq!(told, "<6>cluster reached cluster=c client=producer\n");
}

#[test]
fn where_no_reason_comes_it_is_told_without() {
    let health = Health::new("c", "producer");
    all_down(&health);
    std::thread::sleep(REASON);
    let told = lines(|| {
        health.look();
        health.look();
    });
    assert_eq!(
        told,
        format!("<4>cluster cannot be reached cluster=c client=producer why={NO_BROKER:?}\n")
    );
}

#[test]
fn who_is_away_for_a_while_is_told_again_where_brokers_are() {
    let health = Health::new("c", "producer");
    health.up();
    assert!(!health.is_to_be_reminded());
    all_down(&health);
    assert!(!health.is_to_be_reminded(), "it may find them by itself");
    std::thread::sleep(Duration::from_secs(3));
    refused(&health);
    assert!(health.is_to_be_reminded() && !health.is_to_be_reminded());
    health.up();
    all_down(&health);
    assert!(!health.is_to_be_reminded());
}

#[test]
fn who_is_in_doubt_and_not_connected_is_away() {
    let health = Health::new("c", "producer");
    health.up();
    health.look_for_broker(|| unreachable!("nothing is in doubt"));
    health.doubt();
    health.look_for_broker(|| true);
    health.look_for_broker(|| unreachable!("nothing is in doubt"));
    health.doubt();
    health.look_for_broker(|| false);
    assert!(health.reachable(), "it may be connecting");
    std::thread::sleep(DOUBT);
    health.look_for_broker(|| false);
    assert!(!health.reachable());
    health.look_for_broker(|| true);
    assert!(health.reachable());
    health.doubt();
    health.down();
    health.up();
    health.look_for_broker(|| unreachable!("the doubt has come true, and is over"));
}
