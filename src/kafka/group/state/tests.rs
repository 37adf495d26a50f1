//! The group's state through random histories, against a model of Kafka's log and of a consumer on it; and single cases.

mod op;
mod world;

use proptest::prelude::*;

use self::op::op;
use self::world::World;
use super::marks::END_WAIT;
use super::*;

const BUFFER: usize = 40;
const IDLE: u64 = 1000;

#[derive(Clone, Debug, PartialEq)]
struct Item {
    partition: usize,
    offset: i64,
    size: usize,
}

impl Record for Item {
    fn offset(&self) -> i64 {
        self.offset
    }

    fn payload(&self) -> usize {
        self.size
    }

    fn memory(&self) -> usize {
        self.size
    }
}

fn limits() -> GroupLimits {
    GroupLimits {
        partition_buffer: BUFFER,
        lease_idle: IDLE,
        moved: false,
    }
}

proptest! {
    #[test]
    fn invariants_hold_through_random_histories(ops in prop::collection::vec(op(), 1..150)) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
        }
        world.finish();
    }
}

#[test]
fn an_end_judges_only_the_marks_that_came_before_it_was_asked_for() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    state.mark(1, 0, 5, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.mark(2, 0, 7, 0, 100);
    assert_eq!(state.take_actions(), [], "one question at a time");
    state.end_known(0, Some(6), 0);
    let taken = Action::Marked(1, Marked::Taken);
    let expected = [Action::Seek(0, 6), taken, Action::AskEnd(0)];
    assert_eq!(state.take_actions(), expected, "7 may be there by now");
    state.end_known(0, Some(8), 0);
    let taken = Action::Marked(2, Marked::Taken);
    assert_eq!(state.take_actions(), [Action::Seek(0, 8), taken]);
    state.mark(3, 0, 8, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.end_known(0, Some(8), 0);
    let stale = Marked::Stale(Stale::PastEnd { end: 8 });
    assert_eq!(state.take_actions(), [Action::Marked(3, stale)]);
}

#[test]
fn a_mark_waits_longer_for_an_end() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    state.mark(1, 0, 5, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    let deadline = state.next_deadline().expect("it waits");
    assert_eq!(deadline, END_WAIT);
    state.expire(deadline - 1);
    assert_eq!(state.take_actions(), []);
    state.expire(deadline);
    let unknown = Action::Marked(1, Marked::EndUnknown);
    assert_eq!(state.take_actions(), [unknown]);
}

#[test]
fn one_end_judges_all_marks_that_came_before_it_was_asked_for() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    (1..=4).for_each(|member| state.mark(member, 0, 5, 0, 100));
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    let stale = Marked::Stale(Stale::PastEnd { end: 2 });
    let judged = |member| Action::Marked(member, stale.clone());
    state.end_known(0, Some(2), 0);
    assert_eq!(state.take_actions(), [judged(1), Action::AskEnd(0)]);
    state.end_known(0, Some(2), 0);
    assert_eq!(state.take_actions(), [judged(2), judged(3), judged(4)]);
}

#[test]
fn a_mark_that_waits_is_taken_once_so_much_was_read() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    state.mark(1, 0, 0, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    let item = Item {
        partition: 0,
        offset: 0,
        size: 1,
    };
    state.fetched(0, 0, Some(item), None, 0);
    assert_eq!(state.take_actions(), [Action::Marked(1, Marked::Taken)]);
}

#[test]
fn an_end_is_asked_for_by_each_holder() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    state.mark(1, 0, 5, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.set_joined(false, 0);
    state.revoke(0);
    state.end_known(0, Some(3), 0);
    assert_eq!(state.take_actions(), [], "the partition is not held");
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.end_known(0, Some(6), 0);
    let taken = Action::Marked(1, Marked::Taken);
    assert_eq!(state.take_actions(), [Action::Seek(0, 6), taken]);
}

#[test]
fn an_app_that_moves_takes_back_marks_that_wait() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    state.mark(1, 0, 5, 0, 100);
    assert_eq!(state.take_actions(), [Action::AskEnd(0)]);
    state.set_moved(true);
    state.end_known(0, Some(6), 0);
    let stale = Marked::Stale(Stale::NotDelivered);
    assert_eq!(state.take_actions(), [Action::Marked(1, stale)]);
}

#[test]
fn a_commit_that_failed_is_not_confirmed() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, None);
    for ok in [false, true] {
        assert_eq!(state.due_commits(), [(0, 0)]);
        assert_eq!(state.unconfirmed(), 1);
        state.committed(0, 0, ok);
        assert_eq!(state.unconfirmed(), usize::from(!ok));
    }
}

#[test]
fn a_commit_waits_for_the_one_before() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 0, Some(0));
    state.set_joined(true, 1);
    for offset in 0..8 {
        let item = Item {
            partition: 0,
            offset,
            size: 1,
        };
        state.fetched(0, offset, Some(item), None, 0);
    }
    state.mark(1, 0, 4, 0, 100);
    assert_eq!(state.due_commits(), [(0, 5)]);
    state.mark(1, 0, 7, 0, 100);
    assert!(state.is_committing() && state.commits_again());
    assert_eq!(state.uncommitted().count(), 1);
    assert_eq!(state.due_commits(), []);
    state.committed(0, 5, true);
    assert!(!state.is_committing() && !state.commits_again());
    assert_eq!(state.uncommitted().count(), 1);
    assert_eq!(state.due_commits(), [(0, 8)]);
    state.committed(0, 8, true);
    assert_eq!(state.due_commits(), []);
}

#[test]
fn a_commit_of_before_a_revocation_that_kafka_took_behind_a_later_one_makes_that_due_again() {
    let mut state: State<Item> = State::new(limits());
    state.assign(0, 8, Some(8));
    state.set_joined(true, 1);
    state.committed(0, 5, true);
    assert_eq!(state.due_commits(), [(0, 8)]);
}

#[test]
fn a_share_is_rounded_up() {
    let mut state: State<Item> = State::new(limits());
    (0..3).for_each(|partition| state.assign(partition, 0, Some(0)));
    let take = Take {
        records: 100,
        bytes: 100,
    };
    for member in [1, 2] {
        state.mget(member, take, 0, 1000);
    }
    let item = |partition: i32| Item {
        partition: partition as usize,
        offset: 0,
        size: 1,
    };
    (0..3).for_each(|partition| state.fetched(partition, 0, Some(item(partition)), None, 0));
    state.serve(0);
    let expected = [
        Action::Deliver(1, vec![item(0), item(1)]),
        Action::Deliver(2, vec![item(2)]),
    ];
    assert_eq!(state.take_actions(), expected);
    let next = Item {
        offset: 1,
        ..item(2)
    };
    state.fetched(2, 1, Some(next), None, 0);
    assert!(!state.has_records_for(1) && state.has_records_for(2));
}

#[test]
fn where_kafka_went_back_the_mark_may_be_a_new_topic_s() {
    let mut state: State<Item> = State::new(limits());
    let item = Item {
        partition: 0,
        offset: 0,
        size: 1,
    };
    (0..2).for_each(|partition| state.assign(partition, 10, Some(10)));
    state.set_joined(true, 2);
    state.fetched(0, 0, Some(item), None, 0);
    assert_eq!(state.went_back().collect::<Vec<_>>(), [(0, 0)]);
    state.mark(1, 0, 0, 0, 100);
    assert_eq!(state.went_back().collect::<Vec<_>>(), [(0, 1)]);
    state.same_topic();
    assert_eq!(state.went_back().count(), 0);
}
