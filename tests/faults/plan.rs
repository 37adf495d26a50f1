//! What a scenario needs: daemons, lanes, clients.

use std::time::Duration;

use crate::common::daemon::Config;
use crate::history::Begin;
use crate::load::publisher::Style;
use crate::load::subscriber::Manner;
use crate::store::StoreKind;

pub struct Plan {
    pub daemons: usize,
    pub partitions: i32,
    pub topic_settings: Vec<(&'static str, &'static str)>,
    pub lanes: Vec<LanePlan>,
    pub publishers: Vec<Style>,
    /// Lane and manner of each.
    pub subscribers: Vec<(usize, Manner)>,
    /// After how many reads a subscriber leaves, on average, and comes back.
    pub reads: u32,
    /// What is special about the daemons.
    pub change: fn(Config) -> Config,
    /// A database that the last of the daemons has its grants from.
    pub store: Option<StoreKind>,
    /// Whether there is a network whose link can be cut; daemons listen on its near end.
    pub network: bool,
    /// Whether daemons see a clock that is set back and forth, so that the times in their logs mean nothing.
    pub clock: bool,
    /// Whether apps may move to a second cluster.
    pub second: bool,
    /// How long a silent subscriber keeps its partitions at least, where that is not the usual.
    pub lease: Option<Duration>,
    /// Whether no daemon is harmed, and no grant goes: no connection ends that its client does not end, whatever is answered.
    pub steady: bool,
    /// Whether Kafka is not harmed either: each SET is `+OK`.
    pub calm: bool,
    /// What replies may begin with because the scenario takes grants away.
    pub refusals: &'static [&'static str],
    /// How long the group may take to be read to its end, when all is well again.
    pub drain: Duration,
}

pub struct LanePlan {
    pub colour: &'static str,
    pub begin: Begin,
}

impl Plan {
    /// One daemon, three partitions; a group from the oldest record on, one of another colour, and one from the newest on.
    pub fn usual() -> Self {
        let lane = |colour, begin| LanePlan { colour, begin };
        let style = |lane, depth| Style {
            lane,
            depth,
            pause: Duration::from_millis(60),
            padding: 100,
        };
        Self {
            daemons: 1,
            partitions: 3,
            topic_settings: Vec::new(),
            lanes: vec![
                lane("", Begin::Oldest),
                lane("blue", Begin::Oldest),
                lane("green", Begin::Newest),
            ],
            publishers: vec![
                style(0, 1),
                style(0, 16),
                style(0, 40),
                style(1, 8),
                style(2, 4),
            ],
            subscribers: vec![
                (0, Manner::Plain),
                (0, Manner::Plain),
                (0, Manner::Slow),
                (1, Manner::Pooled),
                (1, Manner::Plain),
                (2, Manner::Plain),
            ],
            reads: 40,
            change: |config| config,
            store: None,
            network: false,
            clock: false,
            second: false,
            lease: None,
            steady: false,
            calm: false,
            refusals: &[],
            drain: Duration::from_secs(60),
        }
    }

    pub fn daemons(mut self, count: usize) -> Self {
        self.daemons = count;
        self
    }

    pub fn steady(mut self) -> Self {
        self.steady = true;
        self
    }

    pub fn calm(mut self) -> Self {
        self.calm = true;
        self.steady()
    }

    pub fn change(mut self, change: fn(Config) -> Config) -> Self {
        self.change = change;
        self
    }
}

/// Where grants go: to subscribe, or all of them.
pub const GRANTS_GO: &[&str] = &["NOPERM ", "WRONGPASS "];
