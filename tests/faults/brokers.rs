//! The brokers under test: killed, stopped, hung and brought back by `tests/kafka/kafka.sh`, which `scripts/faults` started them with.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Command;

/// What is wrong with a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ill {
    Killed,
    Stopped,
    Hung,
}

pub const ILLS: [Ill; 3] = [Ill::Killed, Ill::Stopped, Ill::Hung];

/// Three brokers, numbered from 1.
#[derive(Default)]
pub struct Brokers {
    ill: RefCell<BTreeMap<i32, Ill>>,
}

impl Brokers {
    pub fn harm(&self, broker: i32, ill: Ill) {
        let command = match ill {
            Ill::Killed => "kill",
            Ill::Stopped => "stop",
            Ill::Hung => "pause",
        };
        kafka(&[command, &broker.to_string()]);
        self.ill.borrow_mut().insert(broker, ill);
    }

    /// Brings one back; it takes a while until it takes part again.
    pub fn heal(&self, broker: i32) {
        let command = match self.ill.borrow_mut().remove(&broker) {
            None => return,
            Some(Ill::Hung) => "resume",
            Some(Ill::Killed) => "start",
            Some(Ill::Stopped) => {
                kafka(&["await-end", &broker.to_string()]);
                "start"
            }
        };
        kafka(&[command, &broker.to_string()]);
    }

    /// Brings all back, and waits until they answer.
    pub fn heal_all(&self) {
        for broker in 1..=3 {
            self.heal(broker);
        }
        kafka(&["wait"]);
    }

    /// As [`Brokers::heal_all`], after a run that may have ended anywhere.
    pub fn revive(&self) {
        kafka(&["revive"]);
    }

    /// The one that leads the controllers' quorum.
    pub fn controller(&self, bootstrap: &str) -> i32 {
        let class = "org.apache.kafka.tools.MetadataQuorumCommand";
        let told = kafka(&[
            "tool",
            class,
            "--bootstrap-server",
            bootstrap,
            "describe",
            "--status",
        ]);
        let mut lines = told.lines();
        let leader = lines.find_map(|line| line.strip_prefix("LeaderId:"));
        let leader = leader.unwrap_or_else(|| panic!("no leader: {told}"));
        leader.trim().parse().expect("a number")
    }
}

/// `KAFKA_HOME` and `KAFKA_BASE` say which brokers.
fn kafka(words: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/kafka.sh");
    let output = Command::new(script).args(words).output().expect("bash");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kafka.sh {words:?}: {text}{told}");
    text
}
