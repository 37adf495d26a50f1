//! One line that says how the daemon is, for `systemctl status`.

use std::time::Duration;

use crate::auth;
use crate::kafka::health;
use crate::session::Shared;

/// `unknown` apps name a cluster that is not configured.
pub fn line(shared: &Shared, unknown: usize) -> String {
    let mut parts = vec![counted(shared.clients.count(), "client")];
    parts.push(store(&shared.grants.status()));
    match unknown {
        0 => {}
        1 => parts.push("1 app names an unknown cluster".to_owned()),
        apps => parts.push(format!("{apps} apps name unknown clusters")),
    }
    for (name, handle) in &shared.live.load().clusters {
        parts.extend(cluster(name, &handle.producer.status()));
    }
    parts.join("; ")
}

fn store(status: &auth::Status) -> String {
    match (&status.failing, status.loaded) {
        (None, None) => "store is being read".to_owned(),
        (None, Some(_)) if status.broken > 0 => format!(
            "store ok, {} left out",
            counted(status.broken, "broken row")
        ),
        (None, Some(_)) => "store ok".to_owned(),
        (Some(failing), loaded) => {
            let kept = if loaded.is_some() {
                "grants as they were"
            } else {
                "no grants yet"
            };
            let since = span(failing.since.elapsed());
            format!(
                "store fails for {since} ({}; {kept})",
                short(failing.error.why())
            )
        }
    }
}

/// Nothing of a cluster that is reached.
fn cluster(name: &str, status: &health::Status) -> Option<String> {
    if status.reachable {
        return None;
    }
    // A clock that was set back makes it shorter, no more.
    let away = status.since.elapsed().unwrap_or_default();
    if !status.tried && away < CONNECTING {
        return Some(format!("{name} connecting"));
    }
    Some(format!(
        "{name} unreachable for {} ({})",
        span(away),
        status.why
    ))
}

/// The beginning of a reason.
fn short(why: &str) -> String {
    match why.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}...", &why[..end]),
        None => why.to_owned(),
    }
}

pub fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// As people say it: 12 s, 3 min, 5 h, 2 d.
fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A broker that refuses does it sooner.
const CONNECTING: Duration = Duration::from_secs(5);
/// Characters of a reason.
const SHORT: usize = 160;

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::auth::{Refresh, Source};

    #[test]
    fn spans_are_short() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (180, "3 min"),
            (7200, "2 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_says_why() {
        let path = "/nowhere/apps.toml".into();
        let (refresh, _task) = Refresh::start(Source::File { path }, Duration::from_secs(3600));
        assert_eq!(store(&refresh.status()), "store is being read");
        while refresh.status().failing.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let told = store(&refresh.status());
        let why = "no such file: write apps and grants there";
        assert!(
            told.starts_with("store fails for ") && told.contains(why),
            "{told}"
        );
        assert!(told.ends_with("; no grants yet)"), "{told}");
        assert_eq!(
            short(&"组".repeat(500)),
            format!("{}...", "组".repeat(SHORT))
        );
    }

    #[test]
    fn a_cluster_gets_time_to_answer() {
        let status = |seconds, tried| health::Status {
            reachable: false,
            since: SystemTime::now() - Duration::from_secs(seconds),
            why: "no broker has answered yet".to_owned(),
            tried,
        };
        let told = |status| cluster("c", &status).expect("it is away");
        assert_eq!(told(status(0, false)), "c connecting");
        let away = "c unreachable for 60 s (no broker has answered yet)";
        assert_eq!(told(status(60, false)), away);
        assert!(told(status(0, true)).starts_with("c unreachable for 0 s"));
        let reached = health::Status {
            reachable: true,
            ..status(0, true)
        };
        assert_eq!(cluster("c", &reached), None);
    }
}
