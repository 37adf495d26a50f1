//! What may happen to a group, at random.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(super) enum Op {
    Append {
        partition: usize,
        visible: bool,
    },
    Fetch {
        partition: usize,
        count: usize,
    },
    Mget {
        member: u64,
        records: usize,
        bytes: usize,
    },
    MarkDelivered {
        member: u64,
        partition: usize,
        but: i64,
    },
    Mark {
        member: u64,
        partition: i32,
        offset: i64,
    },
    /// Of what was not read yet, or does not exist.
    MarkAhead {
        member: u64,
        partition: usize,
        by: i64,
    },
    Leave {
        member: u64,
    },
    Commit {
        ok: bool,
    },
    CommitSent,
    CommitDone {
        ok: bool,
    },
    Revoke {
        partition: usize,
    },
    Assign {
        partition: usize,
    },
    Crash,
    AddPartition,
    Wait {
        ms: u64,
    },
    Join {
        joined: bool,
    },
    /// Kafka answers where a partition ends, as it was when it was asked or as it is now; or it does not.
    EndKnown {
        which: usize,
        known: bool,
        now: bool,
    },
    Moved,
    Retention {
        partition: usize,
    },
    MadeAnew {
        partition: usize,
    },
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let p = 0..4usize;
    let m = 1..4u64;
    prop_oneof![
        8 => (p.clone(), prop::bool::weighted(0.8)).prop_map(|(partition, visible)| Op::Append { partition, visible }),
        8 => (p.clone(), 1..6usize).prop_map(|(partition, count)| Op::Fetch { partition, count }),
        8 => (m.clone(), 1..5usize, 1..60usize).prop_map(|(member, records, bytes)| Op::Mget { member, records, bytes }),
        6 => (m.clone(), p.clone(), 0..4i64).prop_map(|(member, partition, but)| Op::MarkDelivered { member, partition, but }),
        2 => (m.clone(), -1..6i32, 0..20i64).prop_map(|(member, partition, offset)| Op::Mark { member, partition: partition.max(0), offset }),
        4 => (m.clone(), p.clone(), 0..4i64).prop_map(|(member, partition, by)| Op::MarkAhead { member, partition, by }),
        2 => m.prop_map(|member| Op::Leave { member }),
        3 => any::<bool>().prop_map(|ok| Op::Commit { ok }),
        2 => Just(Op::CommitSent),
        2 => any::<bool>().prop_map(|ok| Op::CommitDone { ok }),
        1 => p.clone().prop_map(|partition| Op::Revoke { partition }),
        2 => p.clone().prop_map(|partition| Op::Assign { partition }),
        1 => Just(Op::Crash),
        1 => Just(Op::AddPartition),
        2 => (1..700u64).prop_map(|ms| Op::Wait { ms }),
        2 => prop::bool::weighted(0.7).prop_map(|joined| Op::Join { joined }),
        8 => (0..4usize, prop::bool::weighted(0.8), any::<bool>()).prop_map(|(which, known, now)| Op::EndKnown { which, known, now }),
        1 => prop::bool::weighted(0.3).prop_map(|moved| if moved { Op::Moved } else { Op::CommitSent }),
        1 => p.clone().prop_map(|partition| Op::Retention { partition }),
        1 => p.prop_map(|partition| Op::MadeAnew { partition }),
    ]
}
