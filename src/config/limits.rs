//! `[limits]`: how much of what, and how long.

use std::time::Duration;

use toml::Spanned;

use super::judge::Judge;
use super::units::{Interval, Number, millis, secs};
use crate::kafka::cluster::{self, FRAMING};

/// One table makes the section as written, the checked limits with their defaults, and the check of the ranges.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $raw:ident = $default:expr, $range:expr;)*) => {
        /// `[limits]` as written.
        #[derive(Default, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct RawLimits {
            $(pub $name: Option<Spanned<$raw>>,)*
        }

        /// Bounds and deadlines of the daemon. [`Limits::default`] has the defaults.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default.into(),)* }
            }
        }

        fn in_range(raw: &RawLimits, judge: &mut Judge) -> Limits {
            Limits {
                $($name: {
                    let key = concat!("limits.", stringify!($name));
                    judge.in_range(key, raw.$name.as_ref(), $range, $default).into()
                },)*
            }
        }
    };
}

limits! {
    /// Clients at a time.
    max_connections: usize, Number = Number(10_000), Number(1)..=Number(1_000_000);
    /// Groups that this daemon reads at a time; each colour and topic of a group counts.
    max_groups: usize, Number = Number(1_000), Number(1)..=Number(100_000);
    /// Colours of one group.
    max_colours: usize, Number = Number(16), Number(1)..=Number(10_000);
    /// Key, value, colour and metadata of a record together.
    max_message_bytes: usize, Number = Number(1_000_000), Number(1_000)..=Number(100_000_000);
    /// How long a connection may stay without AUTH.
    auth_timeout: Duration, Interval = secs(5), millis(100)..=secs(600);
    /// How long a client may leave a reply unread.
    write_timeout: Duration, Interval = secs(30), secs(1)..=secs(3_600);
    /// How long a publisher may be silent.
    publisher_idle_timeout: Duration, Interval = secs(1_200), secs(1)..=secs(30 * DAY);
    /// How long Kafka may take to confirm a record.
    delivery_timeout: Duration, Interval = secs(30), secs(1)..=secs(3_600);
    /// Records of one connection that Kafka has not confirmed yet.
    window_records: usize, Number = Number(1_024), Number(1)..=Number(1_000_000);
    /// The bytes of these records.
    window_bytes: usize, Number = Number(4 * MIB), Number(1_000)..=Number(1_024 * MIB);
    /// The memory of one cluster's records that Kafka has not confirmed yet; one topic may have a quarter of it, and 1/128 while others
    /// are in use.
    queue_bytes: usize, Number = Number(128 * MIB), Number(MIB)..=Number(65_536 * MIB);
    /// How long an MGET without WAIT waits.
    mget_wait: Duration, Interval = secs(1), secs(0)..=Interval(MAX_MGET_WAIT);
    /// How many messages an MGET without COUNT answers at most.
    mget_count: usize, Number = Number(100), Number(1)..=Number(MAX_MGET_COUNT);
    /// What is read ahead of the subscribers of a group, a partition.
    buffer_bytes: usize, Number = Number(MIB), Number(64 * 1_024)..=Number(1_024 * MIB);
    /// How long a subscriber that holds partitions may send neither MGET nor SET.
    lease_idle_timeout: Duration, Interval = secs(300), secs(1)..=secs(DAY);
    /// How long a mark may wait for its commit.
    commit_interval: Duration, Interval = secs(1), millis(100)..=secs(60);
    /// How long stopping may take.
    drain_timeout: Duration, Interval = secs(25), secs(1)..=secs(3_600);
}

impl Limits {
    /// Those that a cluster's producer keeps.
    pub fn producer(&self) -> cluster::ProducerLimits {
        cluster::ProducerLimits {
            max_message_bytes: self.max_message_bytes,
            delivery_timeout: self.delivery_timeout,
            queue_bytes: self.queue_bytes,
        }
    }

    pub(super) fn judge(raw: &RawLimits, judge: &mut Judge) -> Self {
        let limits = in_range(raw, judge);
        let message = limits.max_message_bytes;
        // A message that is larger than the place where it waits would wait for ever.
        for (key, own, bytes, least) in [
            (
                "limits.window_bytes",
                &raw.window_bytes,
                limits.window_bytes,
                message,
            ),
            (
                "limits.queue_bytes",
                &raw.queue_bytes,
                limits.queue_bytes,
                4 * (message + FRAMING),
            ),
        ] {
            if bytes < least {
                let at = own
                    .as_ref()
                    .or(raw.max_message_bytes.as_ref())
                    .map_or(0, |raw| raw.span().start);
                let what = format!(
                    "{bytes} is too little for max_message_bytes = {message}: it must be {least} or more"
                );
                judge.problem(key, at, what);
            }
        }
        limits
    }
}

/// The longest that an MGET waits, whatever its WAIT says (SPEC 5).
pub const MAX_MGET_WAIT: Duration = Duration::from_secs(30);

/// The most that an MGET answers, whatever its COUNT says (SPEC 5).
pub const MAX_MGET_COUNT: usize = 10_000;

const MIB: usize = 1_024 * 1_024;
const DAY: u64 = 24 * 3_600;
