//! What a scenario acts upon: brokers, daemons, clients, and a source of chance.

mod setup;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::brokers::{Brokers, Ill};
use crate::clock::Clock;
use crate::common::kafka::Kafka;
use crate::common::unique;
use crate::history::{Figures, Time};
use crate::link::Link;
use crate::load::publisher::publish;
use crate::load::subscriber::{Manner, subscribe};
use crate::load::{Crew, Field, Orders};
use crate::network::Network;
use crate::node::Node;
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::store::Store;

pub struct World {
    pub plan: Plan,
    pub kafka: Kafka,
    pub brokers: Brokers,
    pub nodes: Vec<Node>,
    pub recorder: Arc<Recorder>,
    pub field: Field,
    pub rng: Rng,
    pub topic: String,
    pub group: String,
    /// How many partitions the topic has by now.
    pub partitions: Arc<AtomicI32>,
    /// What was done, for the report.
    pub done: Vec<(Time, String)>,
    /// Until when the scenario may go on with its faults.
    pub until: Instant,
    /// Another cluster, with a topic of the same name.
    pub second: Option<Kafka>,
    pub store: Option<Store>,
    pub network: Option<Network>,
    pub clock: Option<Clock>,
    /// Connections that stay open until the run ends.
    pub kept: Vec<Link>,
    /// Clients that leave by themselves.
    pub crowd: Crew,
    before: Vec<Figures>,
    publishers: Crew,
    subscribers: Crew,
    observers: Crew,
    watching: Arc<AtomicBool>,
    /// Since when Kafka is not well.
    ill_since: Option<Time>,
}

impl World {
    /// Topics, daemons and observers; no clients yet.
    pub fn new(plan: Plan, seed: u64, time: Duration) -> Self {
        let recorder = Arc::new(Recorder::new());
        let brokers = Brokers::default();
        brokers.heal_all().expect("the brokers answer");
        let kafka = Kafka::at(&crate::common::server("DATABUS_FAULTS_KAFKA"));
        let (group, topic) = (unique("g"), unique("t"));
        kafka.create_topic(&topic, plan.partitions, &plan.topic_settings);
        let field = Field {
            recorder: recorder.clone(),
            targets: Vec::new(),
            lanes: setup::addresses(&plan, &group, &topic),
            orders: Arc::new(Orders::default()),
            steady: plan.steady,
            calm: plan.calm,
            refusals: plan.refusals,
            reads: plan.reads,
        };
        let mut world = Self {
            partitions: Arc::new(AtomicI32::new(plan.partitions)),
            plan,
            kafka,
            brokers,
            nodes: Vec::new(),
            recorder,
            field,
            rng: Rng::with_seed(seed),
            topic,
            group,
            done: Vec::new(),
            until: Instant::now() + time,
            second: None,
            store: None,
            network: None,
            clock: None,
            kept: Vec::new(),
            crowd: Crew::default(),
            before: Vec::new(),
            publishers: Crew::default(),
            subscribers: Crew::default(),
            observers: Crew::default(),
            watching: Arc::default(),
            ill_since: None,
        };
        world.store = world
            .plan
            .store
            .map(|kind| Store::start(kind, &world.group, &world.topic));
        world.network = world.plan.network.then(Network::new);
        world.clock = world.plan.clock.then(Clock::new);
        world.declare();
        if world.plan.second {
            world.declare_second();
        }
        world.start_nodes();
        world.watch();
        world
    }

    /// A moment of load, so that what a daemon takes before the faults is what it takes when it has worked.
    pub fn warm_up(&mut self) {
        self.start_clients();
        self.wait(Duration::from_secs(2));
        self.stop_publishing();
        self.stop_reading();
        self.before = self.nodes.iter().map(settled).collect();
    }

    pub fn start_clients(&mut self) {
        let orders = &self.field.orders;
        orders.stop_reading.store(false, Ordering::SeqCst);
        self.start_publishing();
        for (lane, manner) in self.plan.subscribers.clone() {
            self.subscribe(lane, manner);
        }
    }

    /// One more subscriber.
    pub fn subscribe(&mut self, lane: usize, manner: Manner) {
        let (field, rng) = (self.field.clone(), self.rng.fork());
        self.subscribers
            .add(move || subscribe(&field, lane, manner, rng));
    }

    pub fn start_publishing(&mut self) {
        let orders = &self.field.orders;
        orders.stop_publishing.store(false, Ordering::SeqCst);
        for &style in &self.plan.publishers {
            let (field, rng) = (self.field.clone(), self.rng.fork());
            self.publishers.add(move || publish(&field, style, rng));
        }
    }

    pub fn stop_publishing(&mut self) {
        self.field.orders.stop_publishing();
        self.publishers.join();
        self.crowd.join();
    }

    pub fn stop_reading(&mut self) {
        let orders = &self.field.orders;
        orders.stop_reading.store(true, Ordering::SeqCst);
        self.subscribers.join();
    }

    pub fn stop_watching(&mut self) {
        self.watching.store(true, Ordering::SeqCst);
        self.observers.join();
    }

    /// Takes down that something was done.
    pub fn did(&mut self, what: impl Into<String>) {
        let (now, what) = (self.recorder.now(), what.into());
        eprintln!("  {:7.2}s {what}", now as f64 / 1e9);
        self.done.push((now, what));
    }

    /// A time within these bounds.
    pub fn some_time(&mut self, from: Duration, to: Duration) -> Duration {
        from + (to - from).mul_f64(self.rng.f64())
    }

    pub fn wait(&self, time: Duration) {
        thread::sleep(time);
    }

    /// Whether the scenario is to go on.
    pub fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    /// A broker falls ill: from now on members of groups may lose their partitions without knowing.
    pub fn harm(&mut self, broker: i32, ill: Ill) {
        let now = self.recorder.now();
        self.ill_since.get_or_insert(now);
        self.did(format!("broker {broker} {ill:?}"));
        self.brokers.harm(broker, ill);
    }

    /// It comes back.
    pub fn cure(&mut self, broker: i32) {
        match self.brokers.heal(broker) {
            Ok(()) => self.did(format!("broker {broker} is back")),
            Err(why) => self.did(format!("broker {broker} is not back: {why}")),
        }
    }

    /// All come back, and answer.
    pub fn cure_all(&mut self) {
        if let Err(why) = self.brokers.heal_all() {
            self.recorder
                .trouble(format!("brokers do not come back: {why}"));
        }
    }

    /// Every client connects anew, at once.
    pub fn scatter(&mut self) {
        self.did("every client leaves and comes back");
        self.field.orders.scatter();
    }

    /// Everything is as it should be.
    pub fn heal(&mut self) {
        self.cure_all();
        for node in &mut self.nodes {
            node.heal();
        }
        if let Some(since) = self.ill_since.take() {
            let until = self.recorder.now() + TRAIL;
            self.recorder.evidence().fog.push((since, until));
        }
    }

    /// What each daemon took before the faults.
    pub fn before(&self) -> &[Figures] {
        &self.before
    }
}

/// What a daemon takes when its clients have left: its threads have not changed for a while.
fn settled(node: &Node) -> Figures {
    let (mut last, mut since) = (node.figures(), Instant::now());
    while since.elapsed() < Duration::from_millis(1500) {
        thread::sleep(Duration::from_millis(100));
        let now = node.figures();
        if now.threads != last.threads {
            since = Instant::now();
        }
        last = now;
    }
    last
}

/// The name of the other cluster.
pub const SECOND: &str = "cluster2";
/// Longer than a session's timeout.
const TRAIL: Time = 15_000_000_000;
