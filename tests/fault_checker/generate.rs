//! Correct histories of all kinds, out of a small model of Kafka, daemons and clients.

mod clients;

use fastrand::Rng;

use crate::history::*;

/// What a correct system may have done.
pub fn generate(seed: u64) -> Evidence {
    let mut model = Model::new(seed);
    for _ in 0..600 {
        model.step();
    }
    model.finish();
    model.evidence
}

struct Model {
    rng: Rng,
    now: Time,
    evidence: Evidence,
    publishers: Vec<usize>,
    /// Subscribers by lane.
    subscribers: Vec<Vec<usize>>,
    places: Vec<Place>,
    sent: u64,
    /// Whether all marks are committed soon, and Kafka tells of each commit.
    keeps: bool,
}

/// A lane's partition: who has it, and how far it is.
struct Place {
    lane: usize,
    partition: i32,
    life: usize,
    holder: Option<usize>,
    read: i64,
    mark: i64,
    committed: i64,
    /// When the first mark that is not committed was taken.
    marked: Option<Time>,
}

/// Within this a mark is committed.
const SOON: Time = 2_000_000_000;
const LIVES: usize = 2;
const PARTITIONS: i32 = 2;
const COLOURS: [&str; 2] = ["", "blue"];

impl Model {
    fn new(seed: u64) -> Self {
        let mut model = Self {
            rng: Rng::with_seed(seed),
            now: 1_000_000,
            evidence: Evidence::default(),
            publishers: Vec::new(),
            subscribers: Vec::new(),
            places: Vec::new(),
            sent: 0,
            keeps: seed % 2 == 1,
        };
        let partitions = vec![Partition::default(); PARTITIONS as usize];
        model.evidence.topics.push(Topic {
            name: "t".into(),
            cluster: "c".into(),
            partitions,
            ..Topic::default()
        });
        for daemon in 0..LIVES {
            model.evidence.lives.push(Life {
                daemon,
                started: 0,
                ended: None,
                stopped: None,
                paused: Vec::new(),
                regrouped: Vec::new(),
            });
        }
        model.publishers = (0..3).map(|n| model.connect(n % LIVES, None)).collect();
        for (lane, colour) in COLOURS.into_iter().enumerate() {
            let begin = if lane == 0 {
                Begin::Oldest
            } else {
                Begin::Newest
            };
            model.evidence.lanes.push(Lane {
                group: format!("g{lane}"),
                colour: colour.into(),
                topic: 0,
                begin,
                finished: true,
                former: None,
            });
            let members = (0..4).map(|n| model.connect(n % LIVES, Some(lane)));
            let members = members.collect();
            model.subscribers.push(members);
            for partition in 0..PARTITIONS {
                let life = partition as usize % LIVES;
                model.places.push(Place {
                    lane,
                    partition,
                    life,
                    holder: None,
                    read: 0,
                    mark: 0,
                    committed: 0,
                    marked: None,
                });
                let at = model.tick();
                model.rebalanced(model.places.len() - 1, Rebalanced::Assigned, at);
            }
        }
        model.evidence.usage.push(Usage {
            daemon: 0,
            before: Figures {
                memory: 1 << 24,
                threads: 12,
                descriptors: 40,
            },
            after: Figures {
                memory: 1 << 25,
                threads: 12,
                descriptors: 41,
            },
            threads: String::new(),
        });
        model
    }

    fn step(&mut self) {
        self.commit_in_time();
        let place = self.rng.usize(..self.places.len());
        match self.rng.u32(..100) {
            0..40 => self.publish(),
            40..70 => self.read(place),
            70..85 => self.mark(place),
            85..93 => self.commit(place),
            93..97 => self.leave(place),
            _ => self.rebalance(place),
        }
    }

    fn finish(&mut self) {
        for place in 0..self.places.len() {
            while self.places[place].mark < self.log(place).end {
                self.read(place);
                self.places[place].read = self.places[place].read.max(self.places[place].mark);
                self.mark_to(place, self.places[place].read);
                self.pass_over(place);
                self.commit_in_time();
            }
            self.commit(place);
        }
    }

    fn commit_in_time(&mut self) {
        for place in 0..self.places.len() {
            let marked = self.places[place].marked;
            if self.keeps && marked.is_some_and(|marked| marked + SOON < self.now) {
                self.commit(place);
            }
        }
    }

    fn commit(&mut self, place: usize) {
        let Place {
            lane,
            partition,
            mark,
            ..
        } = self.places[place];
        self.places[place].committed = mark;
        self.places[place].marked = None;
        let (invoked, answered) = (self.tick(), self.tick());
        if self.keeps {
            self.evidence.kept.push(Kept {
                lane,
                partition,
                offset: Some(mark),
                at: invoked,
            });
        }
        self.evidence.commits.push(Committed {
            lane,
            partition,
            offset: mark,
            invoked,
            answered,
        });
    }

    /// The holder's connection ends, and another comes.
    fn leave(&mut self, place: usize) {
        let Some(holder) = self.places[place].holder else {
            return;
        };
        let (lane, at) = (self.places[place].lane, self.tick());
        self.evidence.connections[holder].ended = Some(at);
        for other in &mut self.places {
            if other.holder == Some(holder) {
                (other.holder, other.read) = (None, other.mark);
            }
        }
        let next = self.connect(self.evidence.connections[holder].life, Some(lane));
        let members = &mut self.subscribers[lane];
        members.retain(|member| *member != holder);
        members.push(next);
    }

    fn rebalance(&mut self, place: usize) {
        let at = self.tick();
        self.rebalanced(place, Rebalanced::Revoked, at);
        if self.keeps || self.rng.bool() {
            self.commit(place);
        }
        let life = self.rng.usize(..LIVES);
        let state = &mut self.places[place];
        (state.life, state.holder) = (life, None);
        (state.read, state.mark) = (state.committed, state.committed);
        state.marked = None;
        let at = self.tick();
        self.rebalanced(place, Rebalanced::Assigned, at);
    }

    fn rebalanced(&mut self, place: usize, kind: Rebalanced, at: Time) {
        let Place {
            lane,
            partition,
            life,
            ..
        } = self.places[place];
        self.evidence.rebalances.push(Rebalance {
            life,
            lane,
            partition,
            at,
            kind,
        });
    }

    fn connect(&mut self, life: usize, lane: Option<usize>) -> usize {
        self.evidence.connections.push(Connection {
            life,
            lane,
            ended: None,
        });
        self.evidence.connections.len() - 1
    }

    fn log(&self, place: usize) -> &Partition {
        &self.evidence.topics[0].partitions[self.places[place].partition as usize]
    }

    /// Far more than the checker's slack.
    fn tick(&mut self) -> Time {
        self.now += self.rng.u64(20..200) * 1_000_000;
        self.now
    }
}
