//! The joining of a group through failing look-ups, alone and in random histories.

use super::*;
use proptest::prelude::*;

fn places(count: i64) -> Places {
    let place = |begin| Place {
        begin,
        committed: Some(begin),
    };
    Places {
        note: Note {
            partitions: 2,
            topic: None,
        },
        topic: None,
        places: (0..count).map(place).collect(),
    }
}

fn failed() -> Result<Places, LookupError> {
    Err(LookupError::Failed("away".to_owned()))
}

/// Begun, and not joined.
fn begun() -> Joining {
    let mut joining = Joining::default();
    let question = joining.question(0).unwrap();
    let step = joining.answered(question.number, Ok(places(2)), 0);
    assert!(matches!(step, Ok(Step::Subscribe)));
    assert!(joining.question(0).is_none(), "nothing is assigned");
    joining
}

#[test]
fn what_was_assigned_and_not_taken_is_given_up_once() {
    let mut joining = begun();
    assert_eq!(joining.give_up(), None, "nothing was assigned");
    joining.assigned(Vec::new());
    let question = joining.question(0).unwrap();
    assert!(joining.answered(question.number, failed(), 0).is_err());
    assert_eq!(
        joining.give_up(),
        Some(BTreeSet::new()),
        "none is an assignment, too"
    );
    assert_eq!(joining.give_up(), None);
}

#[test]
fn joining_is_under_way_until_kafka_assigns_something() {
    assert!(!Joining::default().is_under_way(), "nobody asked Kafka");
    let mut joining = begun();
    assert!(joining.is_under_way());
    joining.assigned(Vec::new());
    assert!(!joining.is_under_way());
}

#[test]
fn what_failed_is_asked_again() {
    let mut joining = Joining::default();
    for (time, again) in [(0, 200), (1000, 1400), (2000, 2800)] {
        let question = joining.question(time).unwrap();
        assert!(question.begin.is_none());
        assert!(joining.question(time).is_none(), "it is under way");
        assert!(joining.answered(question.number, failed(), time).is_err());
        assert!(joining.question(time).is_none(), "not at once");
        assert_eq!(joining.next_deadline(), Some(again));
    }
    let mut joining = begun();
    joining.assigned(vec![0]);
    for time in [0, 1000] {
        let question = joining.question(time).unwrap();
        assert!(question.begin.is_some());
        assert!(joining.answered(question.number, failed(), time).is_err());
        assert!(joining.question(time).is_none(), "not at once");
    }
}

#[test]
fn who_fails_for_long_is_asked_less_often() {
    let mut joining = Joining::default();
    let (mut now, mut questions) = (0, 0);
    while now < 60_000 {
        let question = joining.question(now).unwrap();
        questions += 1;
        let step = joining.answered(question.number, Err(LookupError::TopicMissing), now);
        assert!(step.is_err());
        now = joining.next_deadline().expect("another is to be asked");
    }
    assert!((20..25).contains(&questions), "{questions}");
    let question = joining.question(now).unwrap();
    let step = joining.answered(question.number, Ok(places(1)), now);
    assert!(matches!(step, Ok(Step::Subscribe)));
    joining.assigned(vec![0]);
    let question = joining.question(now).expect("at once");
    assert!(joining.answered(question.number, failed(), now).is_err());
    assert_eq!(joining.next_deadline(), Some(now + ASK_AGAIN));
}

#[test]
fn answers_from_before_an_assignment_are_none() {
    let mut joining = begun();
    joining.assigned(vec![0]);
    let old = joining.question(0).unwrap();
    joining.assigned(vec![1]);
    let new = joining.question(0).expect("the old question is none");
    let step = joining.answered(old.number, Ok(places(2)), 0);
    assert!(matches!(step, Ok(Step::Nothing)));
    assert!(joining.question(0).is_none(), "the new one is under way");
    let Ok(Step::Take(taking)) = joining.answered(new.number, Ok(places(2)), 0) else {
        panic!("both are known");
    };
    assert_eq!((taking.partitions.len(), taking.count), (2, 2));
}

#[test]
fn a_begin_of_ours_settles() {
    let mut joining = Joining::default();
    joining.asks_early(7, 30);
    let question = joining.question(0).unwrap();
    let mut ours = places(1);
    ours.places[0].committed = None;
    let step = joining.answered(question.number, Ok(ours), 10);
    assert!(matches!(step, Ok(Step::Subscribe)));
    assert!(!joining.has_begun() && !joining.settled(509) && joining.settled(510));
    assert_eq!(joining.next_deadline(), Some(510));
    assert_eq!(joining.begun(), HashMap::from([(7, 30)]));
    assert!(joining.has_begun());
}

#[derive(Clone, Debug)]
enum Op {
    Assigned(i32),
    Revoked(i32),
    /// The oldest question that is under way is answered: with so many partitions, or not at all.
    Answer(Option<i64>, bool),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4).prop_map(Op::Assigned),
        (0..4).prop_map(Op::Revoked),
        (prop::option::of(1..5i64), any::<bool>())
            .prop_map(|(count, taken)| Op::Answer(count, taken)),
        (0..300u64).prop_map(Op::Wait),
    ]
}

#[derive(Default)]
struct World {
    joining: Joining,
    now: u64,
    /// As the thread asks them: one is under way, and a newer one takes the place of one that waits.
    under_way: Option<u64>,
    waits: Option<u64>,
    subscribed: bool,
    owed: BTreeSet<i32>,
    held: BTreeSet<i32>,
}

impl World {
    fn apply(&mut self, op: Op) {
        match op {
            Op::Assigned(partition) if self.subscribed && !self.held.contains(&partition) => {
                self.joining.assigned(vec![partition]);
                self.owed.insert(partition);
            }
            Op::Revoked(partition) if self.subscribed => {
                self.joining.revoked(&[partition]);
                self.owed.remove(&partition);
                self.held.remove(&partition);
            }
            Op::Assigned(_) | Op::Revoked(_) => {}
            Op::Answer(count, taken) => self.answer(count, taken),
            Op::Wait(ms) => self.now += ms,
        }
        if let Some(question) = self.joining.question(self.now) {
            self.waits = Some(question.number);
        }
        if self.under_way.is_none() {
            self.under_way = self.waits.take();
        }
    }

    fn answer(&mut self, count: Option<i64>, taken: bool) {
        let Some(number) = self.under_way.take() else {
            return;
        };
        let answer = count.map(places).ok_or(LookupError::NotYet);
        match self.joining.answered(number, answer, self.now) {
            Ok(Step::Take(_)) if !taken => self.joining.refused(self.now),
            Ok(Step::Take(taking)) => {
                let partitions: BTreeSet<_> = taking.partitions.iter().map(|(p, _)| *p).collect();
                assert_eq!(partitions, self.owed, "all that was assigned, and no more");
                self.held.append(&mut self.owed);
                self.joining.taken(&taking);
            }
            Ok(Step::Subscribe) => self.subscribed = true,
            Ok(Step::Nothing) | Err(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn all_that_is_assigned_is_taken_once_kafka_answers(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::default();
        for op in ops {
            world.apply(op);
        }
        for _ in 0..6 {
            world.apply(Op::Wait(60_000));
            world.apply(Op::Answer(Some(4), true));
        }
        prop_assert!(world.subscribed && world.owed.is_empty());
        prop_assert!(world.joining.next_question().is_none(), "nothing is left to ask");
    }
}
