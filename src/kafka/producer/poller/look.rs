//! What the producer's thread looks at each second: the cluster, late records, topics in use and topics made anew.

use std::time::{Duration, Instant};

use super::{Poller, TICK};
use crate::kafka::health::OVERDUE;

impl Poller {
    /// Looks whether the cluster is there.
    pub(super) fn look(&mut self) {
        let (native, health) = (&self.native, &self.inner.health);
        if !self.reached {
            self.reached = native.seen();
            if self.reached {
                health.up();
            }
            return;
        }
        health.look_for_broker(|| native.probe());
        if health.is_to_be_reminded() {
            native.add_brokers(&self.inner.cluster.brokers.join(","));
        }
    }

    /// Tells of records that Kafka does not confirm, and when it does again.
    pub(super) fn look_for_late(&mut self) {
        self.inner.health.look();
        let now = Instant::now();
        // A look may come as late as this after the one before.
        let lately = |at: &Instant| now.saturating_duration_since(*at) < 2 * TICK;
        let any_written = self.written.values().any(lately);
        match self.inner.lanes.late(now, OVERDUE) {
            Some(late) => {
                let health = &self.inner.health;
                health.unconfirmed(late.records, now - late.since);
                self.suspects.extend(self.inner.unanswered());
            }
            None if any_written => self.inner.health.confirmed(),
            None => {}
        }
    }

    /// Tells which topics are in use. One whose records do not arrive is in nobody's way.
    pub(super) fn look_for_use(&mut self) {
        self.written.retain(|_, at| at.elapsed() < IN_USE);
        self.inner.gate.set_in_use(self.written.keys().copied());
    }

    /// Looks whether topics were made anew. Returns why the client is to be replaced, where records of such a one do not arrive.
    pub(super) fn look_at_topics(&mut self) -> Option<String> {
        let cluster = &*self.inner.cluster.name;
        for token in self.ids.take() {
            let topic = &*self.inner.by_token(token).name;
            tracing::info!(cluster, topic, "the topic was deleted and made anew");
        }
        let suspects = std::mem::take(&mut self.suspects);
        let opened = self.inner.opened();
        self.ids.ask(&self.native, &opened, !suspects.is_empty());
        let anew = suspects.iter().find(|token| self.ids.is_anew(**token))?;
        let topic = &*self.inner.by_token(*anew).name;
        Some(format!("the topic '{topic}' was made anew"))
    }
}

/// How long a topic counts as in use after a record was written.
const IN_USE: Duration = Duration::from_secs(5);
