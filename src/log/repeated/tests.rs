use super::*;
use crate::log::capture::lines;

/// A table with its clock.
struct Clocked(Table, Instant);

impl Clocked {
    fn new() -> Self {
        Self(Table::default(), Instant::now())
    }

    fn admit(&mut self, message: &'static str, key: &str) -> (bool, Option<u64>) {
        let what = What {
            level: Level::WARN,
            name: "",
            message,
        };
        let (first, sum) = self.0.admit(what, key, None, self.1);
        (first, sum.map(|sum| sum.more))
    }

    fn sum_up(&mut self) -> Vec<(&'static str, String, u64, u64)> {
        let sums = self.0.sum_up(self.1, false).into_iter();
        sums.map(|sum| (sum.what.message, sum.key.into(), sum.more, sum.seconds))
            .collect()
    }

    fn wait(&mut self, seconds: u64) {
        self.1 += Duration::from_secs(seconds);
    }
}

#[test]
fn the_first_is_logged_and_the_others_are_counted() {
    let mut table = Clocked::new();
    assert_eq!(table.admit("failed", "a"), (true, None));
    for _ in 0..812 {
        assert_eq!(table.admit("failed", "a"), (false, None));
    }
    table.wait(59);
    assert_eq!(table.sum_up(), []);
    table.wait(1);
    assert_eq!(table.sum_up(), [("failed", "a".to_owned(), 812, 60)]);
}

#[test]
fn what_goes_on_is_an_example_and_a_number_a_minute() {
    let mut table = Clocked::new();
    let (mut logged, mut sums) = (0, Vec::new());
    for _ in 0..300 {
        logged += u64::from(table.admit("failed", "").0);
        table.wait(1);
        sums.extend(table.sum_up());
    }
    assert_eq!(logged, 5);
    assert_eq!(sums, vec![("failed", String::new(), 59, 60); 5]);
}

#[test]
fn what_stopped_is_forgotten() {
    let mut table = Clocked::new();
    table.admit("failed", "a");
    table.wait(60);
    assert_eq!(table.sum_up(), []);
    assert!(table.0.kinds.is_empty());
}

#[test]
fn a_sum_that_nobody_asked_for_is_told_with_the_next_event() {
    let mut table = Clocked::new();
    table.admit("failed", "a");
    table.admit("failed", "a");
    table.wait(600);
    assert_eq!(table.admit("failed", "a"), (true, Some(1)));
}

#[test]
fn messages_and_keys_are_told_apart() {
    let mut table = Clocked::new();
    for (message, key) in [("failed", "a"), ("failed", "b"), ("lost", "a")] {
        assert_eq!(table.admit(message, key), (true, None));
    }
}

#[test]
fn keys_have_a_bound() {
    let mut table = Clocked::new();
    let first: Vec<bool> = (0..1000)
        .map(|n| table.admit("failed", &n.to_string()).0)
        .collect();
    assert_eq!(first.iter().filter(|first| **first).count(), MAX_KEYS + 1);
    assert_eq!(table.0.kinds["failed"].len(), MAX_KEYS + 1);
    table.wait(60);
    assert_eq!(
        table.sum_up(),
        [("failed", OTHERS.to_owned(), 1000 - MAX_KEYS as u64 - 1, 60)]
    );
}

/// The lines of refused AUTHs, `events` being app, group and address of each, a second between them.
fn refused(events: &[(&str, &str, &str)]) -> String {
    lines(|| {
        let mut table = Clocked::new();
        for (app, group, host) in events {
            let client = Client {
                host,
                app: Some(app),
                group: Some(group),
                topic: Some("t"),
                reason: Some("unknown key"),
            };
            let what = What {
                level: Level::WARN,
                name: "auth-refused",
                message: "AUTH refused",
            };
            let (first, sum) = table.0.admit(what, &client.key(), Some(&client), table.1);
            assert!(sum.is_none());
            if first {
                tracing::warn!("AUTH refused");
            }
        }
        table.wait(60);
        let mut sums = table.0.sum_up(table.1, false);
        sums.sort_by(|a, b| a.key.cmp(&b.key));
        sums.iter().for_each(Sum::log);
    })
}

#[test]
fn the_sum_says_whose_the_events_were() {
    let told = refused(&[("evil", "g", "h"); 245]);
    assert_eq!(
        told,
        "<4>AUTH refused\n\
         <4>AUTH refused: and 244 more in the last 60 s app=evil group=g topic=t reason=\"unknown key\" more=244\n"
    );
}

#[test]
fn who_changes_what_he_names_is_told_in_a_few_lines() {
    let groups: Vec<String> = (0..181).map(|n| format!("g{n}")).collect();
    let keys: Vec<String> = (0..181).map(|n| format!("k{n}")).collect();
    let first = "<4>AUTH refused\n".repeat(FEW);
    // One app, so that it can be looked for.
    let events: Vec<_> = groups.iter().map(|group| ("evil", &**group, "h")).collect();
    assert_eq!(
        refused(&events),
        format!(
            "{first}<4>AUTH refused: and 176 more in the last 60 s, from 1 address, 1 key \
             app=evil topic=t reason=\"unknown key\" more=176\n"
        )
    );
    let hosts = ["h1", "h2", "h3"];
    let events: Vec<_> = keys
        .iter()
        .zip(&groups)
        .zip(hosts.iter().cycle())
        .map(|((key, group), host)| (&**key, &**group, *host))
        .collect();
    assert_eq!(
        refused(&events),
        format!(
            "{first}<4>AUTH refused: and 176 more in the last 60 s, from 3 addresses, 176 keys \
             topic=t reason=\"unknown key\" more=176\n"
        )
    );
}

#[test]
fn an_attack_does_not_grow_the_table() {
    let keys: Vec<String> = (0..5_000).map(|n| format!("k{n}")).collect();
    let events: Vec<_> = keys.iter().map(|key| (&**key, "g", &**key)).collect();
    let told = refused(&events);
    assert!(
        told.contains(": and 4995 more in the last 60 s, from 1000 addresses or more, 1000 keys or more group=g "),
        "{told}"
    );
}
