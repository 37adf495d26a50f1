//! The group's thread: it sleeps on one channel, polls librdkafka when that has something, tells the state what
//! happened and performs what comes of it (DESIGN 3).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use super::context::Context;
use super::lookup::{self, LookupError, Place, Places};
use super::questions::{Found, Questions};
use super::state::{self, Action, GroupLimits, Marked, Member, State};
use super::{Command, Delivered, GroupKey, MarkReply, PartitionInfo, Refusal, Settings};
use crate::kafka::cluster::short_reason;
use crate::kafka::native::{self, Fetch, Fetched};
use crate::log::repeated;
use crate::message::Record;

impl state::Record for Record {
    fn offset(&self) -> i64 {
        Record::offset(self)
    }

    fn payload(&self) -> usize {
        Record::payload(self)
    }

    fn memory(&self) -> usize {
        Record::memory(self)
    }
}

enum Reply {
    Mget(oneshot::Sender<Delivered>),
    Mark(oneshot::Sender<MarkReply>),
}

pub(super) struct Thread {
    key: GroupKey,
    settings: Settings,
    fetch: Fetch<Context>,
    consumer: Arc<BaseConsumer<Context>>,
    questions: Questions,
    state: State<Record>,
    replies: HashMap<Member, Reply>,
    started: Instant,
    /// Where the group stood when it was first asked for; None until Kafka has said so.
    begin: Option<Places>,
    /// Until when another daemon's begin may still take the place of ours, where we wrote it just now.
    settles: Option<Instant>,
    /// Who asked before that was known, and until when they wanted to wait.
    early: HashMap<Member, u64>,
    /// Partitions assigned by Kafka whose places are being asked for.
    assigning: Option<BTreeSet<i32>>,
    /// Failed questions are asked again then.
    ask_again: Option<Instant>,
    /// Counts the questions where assigned partitions begin.
    round: u64,
    trouble: Option<Trouble>,
    joined_once: bool,
    next_tick: Instant,
    next_commit: Instant,
    /// Since when Kafka owes the answer to a commit.
    unconfirmed: Option<Instant>,
    alone_since: Option<Instant>,
    stop: Option<oneshot::Sender<()>>,
}

/// How much of what librdkafka has was taken.
enum Polled {
    All,
    /// A turn's bound was reached.
    Some,
    /// There is no room for more.
    Full,
}

struct Trouble {
    code: RDKafkaErrorCode,
    refusal: Refusal,
}

impl Thread {
    pub(super) fn new(
        key: GroupKey,
        settings: Settings,
        consumer: Arc<BaseConsumer<Context>>,
        sender: Sender<Command>,
    ) -> Self {
        let limits = GroupLimits {
            partition_buffer: settings.partition_buffer,
            lease_idle: millis(settings.lease_idle),
            moved: settings.moved,
        };
        let now = Instant::now();
        Self {
            key,
            settings,
            fetch: Fetch::new(&consumer),
            questions: Questions::new(Arc::clone(&consumer), sender),
            consumer,
            state: State::new(limits),
            replies: HashMap::new(),
            started: now,
            begin: None,
            settles: None,
            early: HashMap::new(),
            assigning: None,
            ask_again: None,
            round: 0,
            trouble: None,
            joined_once: false,
            next_tick: now + TICK,
            next_commit: now,
            unconfirmed: None,
            alone_since: Some(now),
            stop: None,
        }
    }

    /// Runs until it is stopped, or `retire` agrees that nobody needs the group any more.
    pub(super) fn run(mut self, commands: Receiver<Command>, retire: impl Fn()) {
        self.ask_begin();
        let mut polled = Polled::All;
        loop {
            let at_once = match polled {
                Polled::All => false,
                Polled::Some => true,
                Polled::Full => !self.state.is_full(),
            };
            let wait = if at_once { Duration::ZERO } else { self.wait() };
            match commands.recv_timeout(wait) {
                Ok(command) => {
                    self.obey(command);
                    for command in commands.try_iter().take(COMMANDS_A_TURN) {
                        self.obey(command);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the thread holds a sender"),
            }
            if let Some(done) = self.stop.take() {
                self.leave_group();
                drop(self);
                // Whoever stopped the group may have stopped waiting.
                let _ = done.send(());
                return;
            }
            polled = self.poll();
            self.state.serve(self.now());
            self.act();
            self.tick();
            let alone = self
                .alone_since
                .is_some_and(|since| since.elapsed() >= GRACE);
            if alone {
                retire();
                // Who asked in the last moment sees the channel end, and asks the group's next thread.
                drop(commands);
                self.leave_group();
                return;
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Wake => {}
            Command::Mget {
                member,
                take,
                wait,
                reply,
            } => {
                let deadline = now + millis(wait);
                // Nothing is begun by an empty answer that comes before the beginning is known.
                let held = match self.has_begun() {
                    true => deadline,
                    false => {
                        self.early.insert(member, deadline);
                        deadline.max(now + millis(BEGIN_WAIT))
                    }
                };
                self.replies.insert(member, Reply::Mget(reply));
                self.state.mget(member, take, now, held);
            }
            Command::Mark {
                member,
                partition,
                offset,
                reply,
            } => {
                self.replies.insert(member, Reply::Mark(reply));
                let deadline = now + millis(self.settings.mget_wait.max(MARK_WAIT));
                self.state.mark(member, partition, offset, now, deadline);
            }
            Command::EndWait(member) => self.state.end_wait(member, now, now),
            Command::Leave(member) => {
                self.replies.remove(&member);
                self.early.remove(&member);
                self.state.leave(member, now);
                self.commit();
            }
            Command::Describe(reply) => {
                // Whoever asked may be gone.
                let _ = reply.send(self.describe());
            }
            Command::Found(found) => self.found(found),
            Command::Commit => self.commit(),
            Command::Moved => self.state.set_moved(),
            Command::Stop(done) => self.stop = Some(done),
        }
        self.alone_since = match self.state.has_members() {
            true => None,
            false => self.alone_since.or(Some(Instant::now())),
        };
        self.act();
    }

    /// Takes what librdkafka has, up to a bound.
    fn poll(&mut self) -> Polled {
        let now = self.now();
        for _ in 0..RECORDS_A_TURN {
            if self.state.is_full() {
                return Polled::Full;
            }
            match self.fetch.poll() {
                Fetched::Nothing => return Polled::All,
                Fetched::Record(record) => self.fetched(record, now),
                Fetched::Assigned(partitions) => {
                    debug!(group = %self.key.id(), topic = %self.key.topic, ?partitions, "assigned");
                    self.state.set_joined(false, 0);
                    self.assigning.get_or_insert_default().extend(partitions);
                    self.ask_assigned();
                }
                Fetched::Revoked(partitions) => self.revoke(&partitions),
                Fetched::Committed(ended) => self.committed(&ended),
                Fetched::Other => {
                    for (code, reason) in self.consumer.context().take() {
                        self.troubled(code, reason);
                    }
                }
            }
        }
        Polled::Some
    }

    fn fetched(&mut self, record: Record, now: u64) {
        let (partition, offset) = (record.partition(), record.offset());
        let expected = self.state.expected(partition);
        let log_start = expected
            .is_some_and(|expected| expected < offset)
            .then(|| native::cached_watermarks(self.consumer.client(), &self.key.topic, partition))
            .flatten()
            .map(|(low, _)| low);
        let wanted = record.matches_colour(self.key.colour.as_bytes());
        let record = wanted.then_some(record);
        self.state
            .fetched(partition, offset, record, log_start, now);
    }

    fn committed(&mut self, ended: &[(i32, i64, bool)]) {
        for &(partition, offset, ok) in ended {
            if !ok {
                debug!(group = %self.key.id(), topic = %self.key.topic, partition, offset, "commit failed, will be tried again");
            }
            if ok {
                // The cluster is well again, whatever was said of it before.
                self.trouble = None;
                self.unconfirmed = None;
                self.consumer.context().health.confirmed();
            }
            self.state.committed(partition, offset, ok);
        }
    }

    fn troubled(&mut self, code: RDKafkaErrorCode, reason: String) {
        // That no broker answers is said after the reason why one does not: keep the reason.
        let vague = code == RDKafkaErrorCode::AllBrokersDown;
        if vague
            && self
                .trouble
                .as_ref()
                .is_some_and(|t| t.code != RDKafkaErrorCode::AllBrokersDown)
        {
            return;
        }
        let refusal = match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                Refusal::TopicMissing
            }
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed => Refusal::Denied(reason),
            _ => Refusal::Unreachable(short_reason(&reason)),
        };
        self.trouble = Some(Trouble { code, refusal });
    }

    fn revoke(&mut self, partitions: &[i32]) {
        debug!(group = %self.key.id(), topic = %self.key.topic, ?partitions, "revoked");
        if self.consumer.assignment_lost() {
            info!(group = %self.key.id(), topic = %self.key.topic, cluster = %self.key.cluster, ?partitions, "partitions lost: others read them from their marks on");
            self.state.set_joined(false, 0);
        } else {
            self.commit();
        }
        for &partition in partitions {
            self.state.revoke(partition);
        }
        if let Some(assigning) = &mut self.assigning
            && partitions
                .iter()
                .any(|partition| assigning.remove(partition))
            && assigning.is_empty()
        {
            self.assigning = None;
        }
        self.round += 1;
        if self.assigning.is_some() {
            self.ask_assigned();
        }
        self.act();
        let list = lookup::list(&self.key.topic, partitions.iter().copied(), Offset::Invalid);
        if let Err(error) = self.consumer.incremental_unassign(&list) {
            debug!(group = %self.key.id(), topic = %self.key.topic, %error, "unassign");
        }
    }

    // ---- questions to Kafka

    fn ask_begin(&mut self) {
        self.ask_places(None, true, Found::Begin);
    }

    fn ask_assigned(&mut self) {
        self.round += 1;
        let round = self.round;
        self.ask_places(self.begin.clone(), false, move |places| {
            Found::Assigned(round, places)
        });
    }

    fn ask_places(
        &mut self,
        known: Option<Places>,
        commit: bool,
        found: impl FnOnce(Result<Places, LookupError>) -> Found + Send + 'static,
    ) {
        let topic = self.key.topic.clone();
        let fresh = self.settings.fresh;
        let asked = self.questions.ask_places(move |consumer| {
            let places = lookup::places(consumer, &topic, fresh, known.as_ref(), LOOKUP_TIMEOUT);
            if commit && let Ok(places) = &places {
                let open = places.uncommitted(&topic);
                // As the group has no member yet, anybody may commit. Where it has, its members did it already.
                if open.count() > 0
                    && let Err(error) =
                        native::commit_wait(consumer.client(), &open, LOOKUP_TIMEOUT)
                {
                    debug!(%error, "begin was not committed");
                }
            }
            found(places)
        });
        self.no_thread(asked);
    }

    fn no_thread(&mut self, asked: io::Result<()>) {
        if let Err(error) = asked {
            repeated!(WARN, self.key.cluster, "no thread for a question to Kafka", %error);
            self.ask_again = Some(Instant::now() + ASK_AGAIN);
        }
    }

    fn found(&mut self, found: Found) {
        let asked = self.questions.answered();
        self.no_thread(asked);
        match found {
            Found::Begin(Ok(places)) => {
                self.trouble = None;
                self.state.set_joined(false, places.places.len() as i32);
                let ours = places.uncommitted(&self.key.topic).count() > 0;
                self.begin = Some(places);
                match ours {
                    true => self.settles = Some(Instant::now() + SETTLE),
                    false => self.begun(),
                }
                if let Err(error) = self.consumer.subscribe(&[&self.key.topic]) {
                    warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, %error, "cannot subscribe");
                }
            }
            // Partitions came or went since it was asked; the newer answer is on its way.
            Found::Assigned(round, _) if round != self.round => {}
            Found::Assigned(_, Ok(places)) => self.assigned(&places),
            Found::Begin(Err(error)) | Found::Assigned(_, Err(error)) => {
                debug!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, ?error, "lookup failed");
                match error {
                    LookupError::TopicMissing => {
                        self.trouble = Some(Trouble {
                            code: RDKafkaErrorCode::UnknownTopicOrPartition,
                            refusal: Refusal::TopicMissing,
                        });
                    }
                    LookupError::Failed(reason) if self.trouble.is_none() => {
                        self.troubled(RDKafkaErrorCode::AllBrokersDown, reason);
                    }
                    LookupError::Failed(_) | LookupError::NotYet => {}
                }
                self.ask_again = Some(Instant::now() + ASK_AGAIN);
            }
            Found::End(partition, end) => self.state.end_known(partition, end, self.now()),
        }
    }

    /// Whether it is certain where the group begins. Daemons that begin it at the same moment all find no commit, and the last of
    /// their commits counts. It comes before any of them is a member, because Kafka then takes commits of members only; so a record
    /// that is published after an empty answer is behind the begin, whosever it is.
    fn has_begun(&self) -> bool {
        self.begin.is_some() && self.settles.is_none()
    }

    fn begun(&mut self) {
        self.settles = None;
        let now = self.now();
        for (member, deadline) in std::mem::take(&mut self.early) {
            self.state.end_wait(member, deadline, now);
        }
    }

    /// Places are known: the partitions are taken, and read from there.
    fn assigned(&mut self, places: &Places) {
        let Some(assigning) = self.assigning.take() else {
            return;
        };
        let count = places.places.len() as i32;
        if let Some(unknown) = assigning.iter().find(|&&p| p >= count) {
            debug!(
                partition = unknown,
                "assigned before its metadata was known"
            );
            self.assigning = Some(assigning);
            self.ask_again = Some(Instant::now() + ASK_AGAIN);
            return;
        }
        let place = |partition: i32| -> Place { places.places[partition as usize] };
        let mut list = TopicPartitionList::new();
        for &partition in &assigning {
            list.add_partition_offset(
                &self.key.topic,
                partition,
                Offset::Offset(place(partition).begin),
            )
            .expect("offsets of records are not negative");
        }
        if let Err(error) = self.consumer.incremental_assign(&list) {
            warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, %error, "assignment refused, will be tried again");
            self.assigning = Some(assigning);
            self.ask_again = Some(Instant::now() + ASK_AGAIN);
            return;
        }
        for &partition in &assigning {
            let place = place(partition);
            self.state.assign(partition, place.begin, place.committed);
        }
        if let Some(begin) = &mut self.begin {
            begin.note = places.note;
        }
        self.trouble = None;
        self.joined_once = true;
        self.state.set_joined(true, count);
        self.begun();
        self.commit();
    }

    // ---- doing

    fn act(&mut self) {
        // Performing may bring new actions.
        loop {
            let actions = self.state.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.perform(action);
            }
        }
    }

    fn perform(&mut self, action: Action<Record>) {
        match action {
            Action::Deliver(member, records) => self.answer_mget(member, Ok(records)),
            Action::Empty { member, joined } => {
                let answer = match &self.trouble {
                    _ if joined || self.joined_once => Ok(Vec::new()),
                    None if self.has_begun() => Ok(Vec::new()),
                    _ => Err(self.not_yet()),
                };
                self.answer_mget(member, answer);
            }
            Action::Marked(member, marked) => {
                let answer = match marked {
                    Marked::Taken => Ok(None),
                    Marked::Stale(stale) => Ok(Some(stale)),
                    Marked::Joining | Marked::EndUnknown => Err(self.not_yet()),
                };
                if let Some(Reply::Mark(reply)) = self.replies.remove(&member) {
                    // The connection may be gone; its Leave comes.
                    let _ = reply.send(answer);
                }
            }
            Action::Seek(partition, offset) => self.seek(partition, offset),
            Action::Pause(partition) => self.pause(partition, true),
            Action::Resume(partition) => self.pause(partition, false),
            Action::AskEnd(partition) => {
                let topic = self.key.topic.clone();
                let timeout = self.settings.mget_wait.max(MARK_WAIT);
                let asked = self.questions.ask_end(move |consumer| {
                    Found::End(partition, lookup::end(consumer, &topic, partition, timeout))
                });
                self.no_thread(asked);
            }
            Action::Lost {
                partition,
                from,
                to,
            } => warn!(
                cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, partition, from, to,
                "Kafka no longer has the group's position: reading goes on at the oldest record"
            ),
        }
    }

    /// Why the group cannot answer now.
    fn not_yet(&self) -> Refusal {
        match &self.trouble {
            Some(trouble) => trouble.refusal.clone(),
            None if !native::seen(self.consumer.client()) => {
                Refusal::Unreachable("no broker has answered yet".to_owned())
            }
            None => Refusal::Joining,
        }
    }

    fn answer_mget(&mut self, member: Member, answer: Delivered) {
        if let Some(Reply::Mget(reply)) = self.replies.remove(&member) {
            // The connection may be gone; its Leave comes, and the records go to the next.
            let _ = reply.send(answer);
        }
    }

    fn seek(&mut self, partition: i32, offset: i64) {
        let result = self.consumer.seek(
            &self.key.topic,
            partition,
            Offset::Offset(offset),
            SEEK_TIMEOUT,
        );
        if let Err(error) = result {
            // A partition that is just being started cannot seek; assigned anew it starts where it should.
            self.state.doubt(partition);
            debug!(group = %self.key.id(), topic = %self.key.topic, partition, offset, %error, "seek refused, assigning anew");
            let list = lookup::list(&self.key.topic, [partition], Offset::Offset(offset));
            let again = self
                .consumer
                .incremental_unassign(&list)
                .and_then(|()| self.consumer.incremental_assign(&list));
            if let Err(error) = again {
                warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, partition, offset, %error, "cannot seek");
            }
        }
    }

    fn pause(&mut self, partition: i32, pause: bool) {
        let list = lookup::list(&self.key.topic, [partition], Offset::Invalid);
        let result = match pause {
            true => self.consumer.pause(&list),
            false => self.consumer.resume(&list),
        };
        if let Err(error) = result {
            debug!(group = %self.key.id(), topic = %self.key.topic, partition, pause, %error, "pause or resume");
        }
    }

    fn commit(&mut self) {
        let open = self.state.due_commits();
        let Some(begin) = &self.begin else { return };
        if open.is_empty() {
            return;
        }
        let list = lookup::commit_list(&self.key.topic, begin.note, open.iter().copied());
        if let Err(code) = self.fetch.commit(&list) {
            debug!(group = %self.key.id(), topic = %self.key.topic, error = code.describe(), "commit refused, will be tried again");
            for (partition, offset) in open {
                self.state.committed(partition, offset, false);
            }
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if self
            .state
            .next_deadline()
            .is_some_and(|deadline| deadline <= self.now())
        {
            self.state.expire(self.now());
            self.act();
        }
        if self.ask_again.is_some_and(|at| at <= now) {
            self.ask_again = None;
            if self.questions.waiting() {
                let asked = self.questions.go_on();
                self.no_thread(asked);
            } else if self.begin.is_none() {
                self.ask_begin();
            } else if self.assigning.is_some() {
                self.ask_assigned();
            }
        }
        if self.settles.is_some_and(|at| at <= now) {
            self.begun();
            self.act();
        }
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK.min(self.settings.commit_interval);
        self.state.expire(self.now());
        self.act();
        self.note_positions();
        if now >= self.next_commit {
            self.next_commit = now + self.settings.commit_interval;
            self.commit();
        }
        self.look_after_health();
    }

    fn look_after_health(&mut self) {
        let client = self.consumer.client();
        let health = &client.context().health;
        // Once it is away, only a connection tells that it is back.
        if !health.reachable() && native::seen(client) && native::probe(client) {
            health.up();
        }
        // A commit that failed is under way again by now.
        match self.state.committing() {
            0 => self.unconfirmed = None,
            waiting => {
                let since = *self.unconfirmed.get_or_insert_with(Instant::now);
                health.unconfirmed(waiting, since.elapsed());
            }
        }
    }

    /// Behind the last record there may be control records: librdkafka's position tells, once its queue is empty.
    fn note_positions(&mut self) {
        let Ok(positions) = self.consumer.position() else {
            return;
        };
        for element in positions.elements() {
            if let Offset::Offset(position) = element.offset() {
                self.state.drained(element.partition(), position);
            }
        }
    }

    fn describe(&self) -> Vec<PartitionInfo> {
        let info = self.state.marks().map(|(partition, mark)| {
            let end = native::cached_watermarks(self.consumer.client(), &self.key.topic, partition)
                .map(|(_, high)| high);
            PartitionInfo {
                partition,
                mark,
                lag: end.map(|end| (end - mark).max(0)),
            }
        });
        info.collect()
    }

    /// Answers who waits, commits, and gives everything back; bounded in time.
    fn leave_group(&mut self) {
        self.note_positions();
        for (_, reply) in self.replies.drain() {
            match reply {
                Reply::Mget(reply) => drop(reply.send(Ok(Vec::new()))),
                Reply::Mark(reply) => drop(reply.send(Err(Refusal::Joining))),
            }
        }
        let open = self.state.last_commits();
        if let Some(begin) = &self.begin
            && !open.is_empty()
        {
            let list = lookup::commit_list(&self.key.topic, begin.note, open.into_iter());
            if let Err(error) = native::commit_wait(self.consumer.client(), &list, LEAVE_TIMEOUT) {
                warn!(cluster = %self.key.cluster, group = %self.key.id(), topic = %self.key.topic, %error, "the last marks could not be committed");
            }
        }
        self.consumer.unsubscribe();
    }

    // ---- time

    fn wait(&self) -> Duration {
        let timers = [self.ask_again, self.settles];
        let next = timers
            .into_iter()
            .flatten()
            .fold(self.next_tick, Instant::min);
        let tick = next.saturating_duration_since(Instant::now());
        let now = self.now();
        match self.state.next_deadline() {
            Some(deadline) => tick.min(Duration::from_millis(deadline.saturating_sub(now))),
            None => tick,
        }
    }

    fn now(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A group without subscribers is left after this; a client that reconnects sooner costs no rebalance.
const GRACE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_secs(1);
/// A mark has this long at least for its questions to Kafka.
const MARK_WAIT: Duration = Duration::from_millis(500);
/// Client libraries wait 2 s and more for a reply.
const BEGIN_WAIT: Duration = Duration::from_millis(1800);
/// A daemon that finds no commit has written its own within this, as a rule within some milliseconds; where the group is joined
/// sooner nobody waits for it.
const SETTLE: Duration = Duration::from_millis(500);
const ASK_AGAIN: Duration = Duration::from_millis(200);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
const SEEK_TIMEOUT: Duration = Duration::from_secs(1);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Records that are taken before commands are looked at again: about 0.1 ms.
const RECORDS_A_TURN: usize = 200;
const COMMANDS_A_TURN: usize = 1000;
pub(super) const STACK: usize = 512 * 1024;
