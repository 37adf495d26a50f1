//! What rounds show, put side by side.

use std::time::Duration;

/// One round of one side.
#[derive(Clone, Copy, Default)]
pub struct Round {
    /// In the row's unit.
    pub value: f64,
    /// CPU time of what is measured, in microseconds a message.
    pub cpu: Option<f64>,
    /// CPU time of the load generator, in percent of a core.
    pub load: Option<f64>,
    /// The 99th percentile, where `value` is a median.
    pub p99: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Thousands of messages a second.
    Rate,
    Microseconds,
}

/// A side's name and its rounds.
pub struct Side {
    pub name: &'static str,
    pub rounds: Vec<Round>,
}

/// Prints a row: each side, and how the first, databus, compares with the others, round by round.
pub fn print(row: &str, aim: &str, unit: Unit, sides: &[Side]) {
    println!("{row}    aim: {aim}");
    for side in sides {
        let [min, median, max] = spread(side.rounds.iter().map(|round| round.value));
        let unit_name = match unit {
            Unit::Rate => "k/s",
            Unit::Microseconds => "us",
        };
        print!(
            "  {:22} {min:9.1} {median:9.1} {max:9.1} {unit_name:4}",
            side.name
        );
        for (name, digits, value) in [
            ("us", 2, Side::median(side, |round| round.cpu)),
            ("p99", 0, Side::median(side, |round| round.p99)),
            ("% load", 0, Side::median(side, |round| round.load)),
        ] {
            if let Some(value) = value {
                print!("   {value:.digits$} {name}");
            }
        }
        println!();
    }
    let (first, others) = sides.split_first().expect("a row has sides");
    for other in others {
        let pairs = first.rounds.iter().zip(&other.rounds);
        match unit {
            Unit::Rate => {
                let [min, median, max] =
                    spread(pairs.map(|(ours, theirs)| ours.value / theirs.value));
                println!("  = {median:.2} of {} ({min:.2} to {max:.2})", other.name);
            }
            Unit::Microseconds => {
                let [min, median, max] =
                    spread(pairs.map(|(ours, theirs)| ours.value - theirs.value));
                println!(
                    "  = {median:+.0} us against {} ({min:+.0} to {max:+.0})",
                    other.name
                );
            }
        }
    }
    println!();
}

impl Side {
    fn median(&self, which: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        let values: Option<Vec<f64>> = self.rounds.iter().map(which).collect();
        values.map(|values| spread(values.into_iter())[1])
    }
}

/// Least, median, greatest.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    ]
}

/// Median and 99th percentile of times, in microseconds.
pub fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    (at(0.5), at(0.99))
}
