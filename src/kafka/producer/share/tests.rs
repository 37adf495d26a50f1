use super::super::line::GRANT;
use super::*;
use std::task::{Context, Poll};
use std::thread;

/// A gate of 4 x 64 units.
fn gate() -> Gate {
    let gate = Gate::new(256 << 10);
    gate.open();
    gate
}

fn connection() -> Arc<Completions> {
    Arc::default()
}

fn taken(result: Result<Room, NoRoom>) -> bool {
    result.is_ok()
}

fn is_ready(completions: &Completions) -> bool {
    let mut ready = Box::pin(completions.ready(|| {}));
    ready.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
}

#[test]
fn a_topic_has_a_quarter_and_no_more() {
    let gate = gate();
    let shares: Vec<_> = (0..5).map(|token| Arc::new(gate.share(token))).collect();
    let connections: Vec<_> = (0..5).map(|_| connection()).collect();
    for (share, connection) in shares.iter().zip(&connections).take(4) {
        assert!((0..64).all(|_| taken(gate.take(share, connection, 1))));
        assert!(!taken(gate.take(share, connection, 1)));
    }
    // The whole queue is used: the fifth topic waits for it too.
    assert!(!taken(gate.take(&shares[4], &connections[4], 1)));
    assert!(!is_ready(&connections[4]));
    gate.release(&shares[0], 40);
    assert!(is_ready(&connections[0]) && is_ready(&connections[4]));
    assert!(taken(gate.take(&shares[4], &connections[4], 1)));
}

#[test]
fn a_topic_has_little_while_others_are_in_use() {
    let gate = gate();
    let [ours, other] = [0, 1].map(|token| Arc::new(gate.share(token)));
    let connection = connection();
    let fits = |units| {
        (1..)
            .take_while(|_| taken(gate.take(&ours, &connection, units)))
            .count()
    };
    gate.set_in_use([0].into_iter());
    assert_eq!(fits(1), 64, "nobody else is");
    gate.release(&ours, 64);
    assert!(is_ready(&connection));
    gate.give_back_credit(&ours, &connection);
    for busy in [&[1][..], &[0, 1, 2]] {
        gate.set_in_use(busy.iter().copied());
        assert_eq!(fits(1), 2);
        gate.release(&ours, 2);
        assert!(is_ready(&connection));
        gate.give_back_credit(&ours, &connection);
        // A record that is larger has its turn when no other is on its way.
        assert_eq!(fits(9), 1);
        gate.release(&ours, 9);
        assert!(is_ready(&connection));
        assert!(taken(gate.take(&ours, &connection, 9)));
        assert!(!taken(gate.take(&ours, &connection, 9)));
        // The others are in use no more.
        gate.set_in_use([].into_iter());
        assert!(is_ready(&connection));
        gate.release(&ours, 9);
        gate.give_back_credit(&ours, &connection);
    }
    assert!(gate.is_empty() && other.is_empty() && ours.is_empty());
}

#[test]
fn those_in_the_line_come_first_and_in_order() {
    let gate = gate();
    let share = Arc::new(gate.share(0));
    let [first, second, late] = std::array::from_fn(|_| connection());
    assert!(taken(gate.take(&share, &late, 64)));
    assert!(!taken(gate.take(&share, &first, 40)));
    assert!(!taken(gate.take(&share, &second, 1)));
    gate.release(&share, 39);
    assert!(!is_ready(&first), "there is not room enough for the first");
    assert!(!is_ready(&second), "and the second does not overtake it");
    assert!(!taken(gate.take(&share, &late, 1)));
    gate.release(&share, 1);
    assert!(is_ready(&first) && !is_ready(&second));
    assert!(taken(gate.take(&share, &first, 40)));
    gate.release(&share, 24);
    assert!(is_ready(&second) && taken(gate.take(&share, &second, 1)));
    assert!(!is_ready(&late), "the second may go on");
    gate.give_back_credit(&share, &second);
    assert!(is_ready(&late) && taken(gate.take(&share, &late, 1)));
}

#[test]
fn credit_that_is_not_used_comes_back() {
    let gate = gate();
    let share = Arc::new(gate.share(0));
    let [holder, waits, gone] = std::array::from_fn(|_| connection());
    assert!(taken(gate.take(&share, &holder, 64)));
    assert!(!taken(gate.take(&share, &waits, 1)));
    assert!(!taken(gate.take(&share, &gone, 1)));
    gate.release(&share, 64);
    assert_eq!(waits.credit.load(SeqCst), GRANT);
    gate.leave(&share, &gone);
    assert!(taken(gate.take(&share, &waits, 1)));
    gate.give_back_credit(&share, &waits);
    gate.release(&share, 1);
    assert_eq!(share.used.load(SeqCst), 0);
    assert!(
        taken(gate.take(&share, &holder, 64)),
        "and who is gone keeps nothing"
    );
}

#[test]
fn who_leaves_the_line_stops_nobody() {
    let gate = gate();
    let share = Arc::new(gate.share(0));
    let [holder, large, small] = std::array::from_fn(|_| connection());
    assert!(taken(gate.take(&share, &holder, 60)));
    assert!(!taken(gate.take(&share, &large, 9)));
    assert!(!taken(gate.take(&share, &small, 1)));
    gate.leave(&share, &large);
    assert!(is_ready(&small) && taken(gate.take(&share, &small, 1)));
}

#[test]
fn a_grant_leaves_something_for_those_behind() {
    let gate = gate();
    let share = Arc::new(gate.share(0));
    let holder = connection();
    assert!(taken(gate.take(&share, &holder, 64)));
    let waits: Vec<_> = (0..10).map(|_| connection()).collect();
    for connection in &waits {
        assert!(!taken(gate.take(&share, connection, 1)));
    }
    gate.release(&share, 64);
    let served = waits.iter().filter(|connection| is_ready(connection));
    assert_eq!(served.count(), 7, "and not two that have half of it each");
}

#[test]
fn nothing_is_taken_while_it_is_shut() {
    let gate = gate();
    let share = Arc::new(gate.share(0));
    let [waits, comes] = std::array::from_fn(|_| connection());
    let room = gate
        .take(&share, &waits, 1)
        .unwrap_or_else(|_| panic!("it is open"));
    // The producer failed: the first who notices shuts the gate.
    assert!(matches!(
        gate.failed(&room, &share, &waits, 1),
        NoRoom::Wait
    ));
    assert!(!gate.is_open() && !is_ready(&waits) && gate.is_empty());
    assert!(!taken(gate.take(&share, &comes, 1)));
    gate.shut(Some(Refusal::Failing(Why::new("broken"))));
    assert!(is_ready(&waits) && is_ready(&comes));
    assert!(matches!(
        gate.take(&share, &waits, 1),
        Err(NoRoom::Refused(Refusal::Failing(_)))
    ));
    gate.open();
    assert!(taken(gate.take(&share, &waits, 1)));
    // Who notices the old failure late does not shut it again, and may go on at once.
    assert!(matches!(
        gate.failed(&room, &share, &waits, 1),
        NoRoom::Wait
    ));
    assert!(gate.is_open() && is_ready(&waits));
}

#[test]
fn a_record_of_any_size_passes() {
    let gate = gate();
    let share = Arc::new(gate.share(0));
    assert_eq!(share.units(0), 1);
    assert_eq!(share.units(100), 1);
    assert_eq!(share.units(1000), 2);
    assert_eq!(share.units(usize::MAX >> 1), 64);
    assert!(taken(gate.take(&share, &connection(), 64)));
}

/// Many connections, a small share and a thread that reports: everybody comes through, and nothing is left over.
#[test]
fn nobody_waits_for_ever() {
    for units in [32, 256] {
        pass_through(&Gate::new(units << 10));
    }
}

fn pass_through(gate: &Gate) {
    const RECORDS: usize = 2000;
    let shares = [0, 1].map(|token| Arc::new(gate.share(token)));
    gate.open();
    let (report, reports) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        for i in 0..8 {
            let (share, report) = (&shares[i % 2], report.clone());
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let connection = connection();
                    for n in 0..RECORDS {
                        let units = 1 + (n % 3) as u32;
                        while gate.take(share, &connection, units).is_err() {
                            connection
                                .ready(|| gate.give_back_credit(share, &connection))
                                .await;
                        }
                        report.send((i % 2, units)).unwrap();
                    }
                    gate.leave(share, &connection);
                });
            });
        }
        drop(report);
        for (n, (topic, units)) in reports.into_iter().enumerate() {
            gate.release(&shares[topic], units.into());
            if n % 1000 == 0 {
                gate.shut(None);
                gate.open();
            }
            gate.set_in_use((0..n / 100 % 3).map(|token| token % 2));
        }
    });
    assert!(gate.is_empty() && shares.iter().all(|share| share.used.load(SeqCst) == 0));
}
