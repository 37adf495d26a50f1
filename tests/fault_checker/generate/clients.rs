//! What publishers and subscribers do in the model.

use super::{COLOURS, Model, PARTITIONS, Place};
use crate::history::*;

impl Model {
    /// Several connections send at once; Kafka takes it in some order, each connection's in its own.
    pub(super) fn publish(&mut self) {
        let mut under_way = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            let connection = *self.rng.choice(&self.publishers).expect("some");
            let invoked = self.tick();
            self.sent += 1;
            let id = ((connection as u64) << 32) | self.sent;
            let key = self.rng.u32(..4);
            let colour = COLOURS[self.rng.usize(..2)].to_owned();
            under_way.push(Set {
                id,
                connection,
                topic: "t".into(),
                key,
                colour,
                invoked,
                answered: None,
                outcome: Outcome::Unanswered,
            });
        }
        if self.rng.bool() {
            // By connection, rotated: still each one's own order.
            under_way.sort_by_key(|set| (set.connection.wrapping_mul(7) % 5, set.id));
        }
        for set in &mut under_way {
            set.outcome = match self.rng.u32(..20) {
                0 => Outcome::NotWritten,
                1 => Outcome::Maybe,
                2 => Outcome::Unanswered,
                _ => Outcome::Written,
            };
            let there = match set.outcome {
                Outcome::Written => true,
                Outcome::NotWritten => false,
                _ => self.rng.bool(),
            };
            if there {
                let partition = set.key as usize % PARTITIONS as usize;
                let log = &mut self.evidence.topics[0].partitions[partition];
                log.end += i64::from(self.rng.u32(..10) == 0); // a control record
                log.records.push(Record {
                    offset: log.end,
                    id: set.id,
                    key: set.key,
                    colour: set.colour.clone(),
                });
                log.end += 1;
            }
        }
        for mut set in under_way {
            set.answered = (set.outcome != Outcome::Unanswered).then(|| self.tick());
            self.evidence.sets.push(set);
        }
    }

    pub(super) fn read(&mut self, place: usize) {
        let invoked = self.tick();
        let Place {
            lane,
            partition,
            life,
            holder,
            read,
            ..
        } = self.places[place];
        let connection = holder.unwrap_or_else(|| {
            let members = self.subscribers[lane].iter().copied();
            let here: Vec<_> = members
                .filter(|member| self.evidence.connections[*member].life == life)
                .collect();
            *self.rng.choice(&here).expect("some of each life")
        });
        let colour = COLOURS[lane];
        let log = &self.evidence.topics[0].partitions[partition as usize];
        let records: Vec<_> = log
            .records
            .iter()
            .filter(|record| record.offset >= read && record.colour == colour)
            .take(self.rng.usize(1..20))
            .map(|record| Delivered {
                partition,
                offset: record.offset,
                id: record.id,
            })
            .collect();
        let Some(last) = records.last() else {
            return self.pass_over(place);
        };
        self.places[place].read = last.offset + 1;
        self.places[place].holder = Some(connection);
        let answered = self.tick();
        self.evidence.reads.push(Read {
            connection,
            invoked,
            answered,
            records,
        });
    }

    /// Where all that was delivered is marked, what is of another colour is passed over.
    pub(super) fn pass_over(&mut self, place: usize) {
        let colour = COLOURS[self.places[place].lane];
        let Place { mark, read, .. } = self.places[place];
        let log = self.log(place);
        let next = log
            .records
            .iter()
            .find(|record| record.offset >= mark && record.colour == colour);
        let to = next.map_or(log.end, |record| record.offset);
        if mark >= read {
            (self.places[place].mark, self.places[place].read) = (to, to);
        }
    }

    pub(super) fn mark(&mut self, place: usize) {
        let Place { mark, read, .. } = self.places[place];
        if read > mark {
            let to = self.rng.i64(mark + 1..=read);
            self.mark_to(place, to);
        }
    }

    /// By any connection of this daemon; another daemon's is stale.
    pub(super) fn mark_to(&mut self, place: usize, to: i64) {
        let Place {
            lane,
            partition,
            life,
            ..
        } = self.places[place];
        let connection = *self.rng.choice(&self.subscribers[lane]).expect("some");
        let taken = self.evidence.connections[connection].life == life;
        let invoked = self.tick();
        let answered = (self.rng.u32(..20) != 0).then(|| self.tick());
        let outcome = match (taken, answered) {
            (_, None) => Marked::Unanswered,
            (true, _) => Marked::Taken,
            (false, _) => Marked::Refused,
        };
        self.evidence.marks.push(Mark {
            connection,
            partition,
            offset: to - 1,
            invoked,
            answered,
            outcome,
        });
        let state = &mut self.places[place];
        if taken && to > state.mark {
            state.mark = to;
            state.marked = state.marked.or(answered);
            if state.mark >= state.read {
                (state.read, state.holder) = (state.mark, None);
            }
        }
    }
}
