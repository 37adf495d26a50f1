use std::collections::VecDeque;

use super::*;
use crate::auth::file;
use crate::auth::tables::Tables;
use crate::identity::Identity;

/// A store that does what a test says. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Fake {
    name: &'static str,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// What the next loads do, the last one again and again.
    script: VecDeque<Act>,
    began: Vec<Instant>,
    ended: usize,
}

#[derive(Clone, Debug)]
enum Act {
    /// Gives the text of a file store after this long.
    Load(Duration, String),
    Fail(&'static str),
    Hang,
}

impl Fake {
    fn new(name: &'static str, script: impl Into<VecDeque<Act>>) -> Self {
        Self {
            name,
            state: Arc::new(Mutex::new(State {
                script: script.into(),
                ..State::default()
            })),
        }
    }

    pub(in crate::auth) fn name(&self) -> String {
        self.name.into()
    }

    pub(in crate::auth) async fn load(&self) -> Result<Loaded, StoreError> {
        let act = {
            let mut state = self.state.lock().unwrap();
            state.began.push(Instant::now());
            if state.script.len() > 1 {
                state.script.pop_front().unwrap()
            } else {
                state.script[0].clone()
            }
        };
        let result = match act {
            Act::Load(after, text) => {
                tokio::time::sleep(after).await;
                file::parse(self.name, &text).map(Tables::judge)
            }
            Act::Fail(why) => Err(StoreError::unreachable(self.name, why)),
            Act::Hang => std::future::pending().await,
        };
        self.state.lock().unwrap().ended += 1;
        result
    }

    fn then(&self, act: Act) {
        self.state.lock().unwrap().script = [act].into();
    }

    fn began(&self) -> Vec<Instant> {
        self.state.lock().unwrap().began.clone()
    }
}

impl PartialEq for Fake {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
}

impl Eq for Fake {}

#[tokio::test(start_paused = true)]
async fn loads_at_once_and_by_the_clock_and_tells_changes_only() {
    let fake = Fake::new("fake", [at_once("a"), at_once("a"), at_once("b")]);
    let (refresh, _task) = Refresh::start(Source::Fake(fake.clone()), MINUTE);
    let mut changes = refresh.subscribe();
    assert!(refresh.current().is_none() && refresh.status().loaded.is_none());
    let start = Instant::now();
    changes.changed().await.unwrap();
    assert!(has(&refresh, "a") && start.elapsed() < MOMENT);
    changes.changed().await.unwrap();
    assert!(has(&refresh, "b") && !has(&refresh, "a"));
    assert_eq!((start.elapsed().as_secs(), fake.began().len()), (120, 3));
    let status = refresh.status();
    assert_eq!(
        (status.apps, status.grants, status.broken, &*status.store),
        (1, 1, 0, "fake")
    );
}

#[tokio::test(start_paused = true)]
async fn who_listens_late_hears_of_what_is_loaded() {
    let fake = Fake::new("fake", [at_once("a")]);
    let (refresh, _task) = Refresh::start(Source::Fake(fake), MINUTE);
    tokio::time::sleep(MOMENT).await;
    let mut changes = refresh.subscribe();
    timeout(MOMENT, changes.changed()).await.unwrap().unwrap();
    assert!(timeout(MOMENT, changes.changed()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_last_good_set_and_is_retried_sooner_and_sooner_rarer() {
    let fake = Fake::new("fake", [at_once("a"), Act::Fail("away")]);
    let (refresh, _task) = Refresh::start(Source::Fake(fake.clone()), MINUTE);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(has(&refresh, "a"));
    let failing = refresh.status().failing.unwrap();
    assert_eq!(failing.error.to_string(), "fake: away");
    let began = fake.began();
    assert_eq!(
        (failing.since, failing.loads as usize),
        (began[1], began.len() - 1)
    );
    for (failure, pair) in began[1..].windows(2).enumerate() {
        let (gap, longest) = (
            (pair[1] - pair[0]).as_secs_f64(),
            f64::from(1 << failure.min(10)).min(60.0),
        );
        assert!(
            gap >= longest / 2.0 - 0.01 && gap <= longest + 0.01,
            "{failure}: {gap}"
        );
    }
    fake.then(at_once("b"));
    tokio::time::sleep(MINUTE + MOMENT).await;
    assert!(has(&refresh, "b") && refresh.status().failing.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_at_start_comes_later() {
    let fake = Fake::new("fake", [Act::Fail("away"), Act::Fail("away"), at_once("a")]);
    let (refresh, _task) = Refresh::start(Source::Fake(fake), MINUTE);
    refresh.subscribe().wait_for(Option::is_some).await.unwrap();
    assert!(has(&refresh, "a"));
}

#[tokio::test(start_paused = true)]
async fn failed_auths_share_one_load_a_second() {
    let fake = Fake::new("fake", [at_once("a")]);
    let (refresh, _task) = Refresh::start(Source::Fake(fake.clone()), MINUTE);
    tokio::time::sleep(Duration::from_secs(10)).await;
    fake.then(at_once("b"));
    let start = Instant::now();
    refresh.refresh().await;
    assert!(
        has(&refresh, "b") && start.elapsed() < MOMENT,
        "a first one is served at once"
    );
    fake.then(at_once("c"));
    let many = (0..1000).map(|_| {
        tokio::spawn({
            let refresh = refresh.clone();
            async move { refresh.refresh().await }
        })
    });
    for one in many.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert!(has(&refresh, "c") && start.elapsed() < Duration::from_millis(1100));
    assert_eq!(fake.began().len(), 3);
    let attack = Instant::now();
    while attack.elapsed() < MINUTE {
        refresh.refresh().await;
    }
    assert!(fake.began().len() < 3 + 63, "{}", fake.began().len());
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_asked_less_often() {
    let fake = Fake::new("fake", [Act::Load(Duration::from_secs(1), text("a"))]);
    let (refresh, _task) = Refresh::start(Source::Fake(fake.clone()), Duration::from_secs(3600));
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(110) {
        refresh.refresh().await;
    }
    assert!(
        (10..=12).contains(&fake.began().len()),
        "{:?}",
        fake.began().len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_auth_waits_a_moment_at_most() {
    let fake = Fake::new("fake", [at_once("a"), Act::Hang]);
    let (refresh, _task) = Refresh::start(Source::Fake(fake.clone()), MINUTE);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let start = Instant::now();
    refresh.refresh().await;
    assert_eq!(start.elapsed(), PATIENCE);
    assert!(has(&refresh, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_began_before_is_not_what_a_failed_auth_waits_for() {
    let slow = |group| Act::Load(Duration::from_millis(100), text(group));
    let fake = Fake::new("fake", [slow("a"), slow("b")]);
    let (refresh, _task) = Refresh::start(Source::Fake(fake), MINUTE);
    tokio::time::sleep(Duration::from_millis(50)).await;
    refresh.refresh().await;
    assert!(has(&refresh, "b"));
}

#[tokio::test(start_paused = true)]
async fn a_store_is_replaced_by_one_that_was_loaded() {
    let old = Fake::new("old", [at_once("a"), Act::Hang]);
    let (refresh, _task) = Refresh::start(Source::Fake(old.clone()), MINUTE);
    tokio::time::sleep(MINUTE + MOMENT).await;
    assert_eq!(
        (old.began().len(), old.state.lock().unwrap().ended),
        (2, 1),
        "a load is under way"
    );
    let new = Fake::new("new", [at_once("b")]);
    let source = Source::Fake(new.clone());
    let loaded = source.load().await.unwrap();
    refresh
        .replace(source, Duration::from_secs(5), Some(loaded))
        .await;
    assert!(has(&refresh, "b") && !has(&refresh, "a"));
    assert_eq!(refresh.status().store, "new");
    tokio::time::sleep(MINUTE + MOMENT * 10).await;
    assert_eq!((old.began().len(), new.began().len()), (2, 1 + 12));
}

#[tokio::test(start_paused = true)]
async fn a_store_is_replaced_by_one_that_is_still_away() {
    let old = Fake::new("old", [at_once("a")]);
    let (refresh, _task) = Refresh::start(Source::Fake(old), MINUTE);
    tokio::time::sleep(MOMENT).await;
    let new = Fake::new("new", [Act::Fail("away"), at_once("b")]);
    refresh.replace(Source::Fake(new), MINUTE, None).await;
    assert!(has(&refresh, "a"));
    refresh
        .subscribe()
        .wait_for(|_| has(&refresh, "b"))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_last_handle() {
    for act in [at_once("a"), Act::Hang] {
        let (refresh, task) = Refresh::start(Source::Fake(Fake::new("fake", [act])), MINUTE);
        tokio::time::sleep(MOMENT).await;
        drop(refresh);
        timeout(MOMENT, task).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_when_asked_only() {
    let (refresh, _task) = Refresh::start(Source::Memory(text("a")), MINUTE);
    tokio::time::sleep(MINUTE * 10).await;
    assert_eq!(refresh.shared.loads.borrow().begun, 1);
    refresh.refresh().await;
    assert_eq!(refresh.shared.loads.borrow().begun, 2);
    refresh
        .replace(Source::Memory(text("b")), MINUTE, None)
        .await;
    tokio::time::sleep(MOMENT).await;
    assert!(has(&refresh, "b"));
}

fn has(refresh: &Refresh, group: &str) -> bool {
    let identity =
        Identity::parse(format!("k:s3cret@{group}/topic=t&role=pub").as_bytes()).unwrap();
    refresh
        .current()
        .is_some_and(|grants| grants.authorize(&identity).is_ok())
}

fn at_once(group: &str) -> Act {
    Act::Load(Duration::ZERO, text(group))
}

fn text(group: &str) -> String {
    format!(
        "[[app]]\nkey = \"k\"\nsecret = \"s3cret\"\ncluster = \"c\"\n[[app.grant]]\ngroup = \"{group}\"\ntopic = \"t\"\noperation = \"pub\""
    )
}

const MINUTE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(10);
