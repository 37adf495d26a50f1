//! One line that says how the daemon is, for `systemctl status`.

use std::time::Duration;

use crate::auth;
use crate::session::Shared;

pub fn line(shared: &Shared) -> String {
    let mut parts = vec![counted(shared.clients.count(), "client")];
    parts.push(store(&shared.grants.status()));
    for (name, cluster) in &shared.live.load().clusters {
        let status = cluster.producer.status();
        if !status.reachable {
            // A clock that was set back makes it shorter, no more.
            let away = status.since.elapsed().unwrap_or_default();
            parts.push(format!(
                "{name} unreachable for {} ({})",
                span(away),
                status.why
            ));
        }
    }
    parts.join("; ")
}

fn store(status: &auth::Status) -> String {
    match (&status.failing, status.loaded) {
        (None, None) => "store not loaded yet".to_owned(),
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
            format!("store fails for {} ({kept})", span(failing.since.elapsed()))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
