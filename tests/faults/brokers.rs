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
        // One that ended by itself, as a broker may, is as one that was killed.
        let done = kafka(&[command, &broker.to_string()]);
        let ill = done.map_or(Ill::Killed, |_| ill);
        self.ill.borrow_mut().insert(broker, ill);
    }

    /// Brings one back; it takes a while until it takes part again.
    pub fn heal(&self, broker: i32) -> Result<(), String> {
        let number = broker.to_string();
        let command = match self.ill.borrow_mut().remove(&broker) {
            None => return Ok(()),
            Some(Ill::Hung) => "resume",
            Some(Ill::Killed | Ill::Stopped) => {
                // Until then it holds its port and the lock of its folder.
                kafka(&["await-end", &number])?;
                "start"
            }
        };
        kafka(&[command, &number]).map(|_| ())
    }

    /// Brings all back, whatever was done to them, and waits until they answer.
    pub fn heal_all(&self) -> Result<(), String> {
        for broker in 1..=3 {
            // What this cannot do, is done next.
            let _ = self.heal(broker);
        }
        let mut last = Ok(());
        for _ in 0..TRIES {
            last = kafka(&["revive"]).map(|_| ());
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// The one that leads the controllers' quorum; none where nobody says.
    pub fn controller(&self, bootstrap: &str) -> Option<i32> {
        let class = "org.apache.kafka.tools.MetadataQuorumCommand";
        let told = kafka(&[
            "tool",
            class,
            "--bootstrap-server",
            bootstrap,
            "describe",
            "--status",
        ]);
        let told = told.ok()?;
        let mut lines = told.lines();
        let leader = lines.find_map(|line| line.strip_prefix("LeaderId:"))?;
        let leader = leader.trim().parse().ok();
        leader.filter(|broker| (1..=3).contains(broker))
    }
}

/// `KAFKA_HOME` and `KAFKA_BASE` say which brokers.
fn kafka(words: &[&str]) -> Result<String, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/kafka.sh");
    let output = Command::new(script).args(words).output().expect("bash");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(text),
        false => Err(format!("kafka.sh {words:?}: {text}{told}")),
    }
}

/// Each waits a minute for each broker.
const TRIES: usize = 3;
