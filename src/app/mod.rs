//! The daemon: build, run, reload, drain.

mod clusters;
mod dev;
mod drain;
mod reload;
mod status;
mod unknown;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use self::clusters::Retired;
use self::unknown::Unknown;
use crate::auth::{Refresh, Source, StoreError};
use crate::config::{self, Config, ConfigError, Listen};
use crate::control::Published;
use crate::heart::Heart;
use crate::log::{self, Log};
use crate::server::{self, BindError, Listener};
use crate::session::{Live, Shared};
use crate::signals::{Signal, Signals};
use crate::systemd::{self, InheritError};

pub use dev::dev;

/// Why the daemon could not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Inherit(#[from] InheritError),
    /// A file of apps that may not be read. Any other trouble with a store may pass while the daemon runs.
    #[error(transparent)]
    Store(StoreError),
    #[error("no address to listen on: [listen] resp is empty, and systemd passed no socket")]
    NoListener,
    #[error(
        "systemd passed a socket for TLS, and there is no certificate: write a section [tls] with certificate and key, \
         or take away the socket unit with FileDescriptorName=resp_tls"
    )]
    NoCertificate,
    /// By a second signal, with so many clients.
    #[error("stopped at once by a second signal: clients cut off: {0}")]
    Cut(usize),
    #[error("{0}")]
    Internal(String),
}

/// The daemon while it runs.
struct App {
    /// The main configuration file, read again on a reload; none for `databus dev`.
    file: Option<PathBuf>,
    config: Config,
    /// What was listened on at the start; a reload does not change it.
    listen: Listen,
    /// What systemd listens on for the service, with whether it has TLS.
    held: Vec<(String, bool)>,
    /// Whether one of the listeners needs a certificate.
    serves_tls: bool,
    shared: Arc<Shared>,
    retired: Retired,
    refresh_task: JoinHandle<()>,
    log: Log,
    /// Why the last reload was refused, if it was.
    refused: Option<String>,
    /// The apps whose cluster is not configured.
    unknown: Vec<Unknown>,
    /// What systemd was told last.
    told: String,
}

/// Runs the daemon with the configuration in `file` until a signal stops it.
///
/// # Errors
///
/// The configuration is refused, the file of apps may not be read, or an address cannot be listened on.
pub fn serve(file: PathBuf) -> Result<(), AppError> {
    // Before any thread is started.
    let inherited = systemd::inherited()?;
    let config = config::load(&file)?;
    let log = log::init(config.log.level);
    for warning in &config.warnings {
        warn!("{warning}");
    }
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let signals = signals()?;
        // Of each kind what systemd passes wins over what the configuration lists.
        let is_passed = |tls| inherited.iter().any(|passed| passed.is_tls() == tls);
        let own = config.listen.all().filter(|(_, tls)| !is_passed(*tls));
        let bound = own.map(|(address, tls)| Listener::bind(address, tls));
        let mut listeners = bound.collect::<Result<Vec<_>, _>>()?;
        let mut held = Vec::new();
        for passed in inherited {
            let listener = Listener::inherit(passed)?;
            held.push((listener.name(), listener.is_tls()));
            listeners.push(listener);
        }
        if listeners.is_empty() {
            return Err(AppError::NoListener);
        }
        for warning in config.listen.passed_over(&held) {
            warn!("{warning}");
        }
        if config.tls.is_none() && listeners.iter().any(Listener::is_tls) {
            return Err(AppError::NoCertificate);
        }
        let live = clusters::live(&config, None, false).map_err(AppError::Internal)?;
        let source = config.store.source.clone();
        if matches!(source, Source::File { .. })
            && let Err(error @ StoreError::Unreadable { .. }) = source.load().await
        {
            return Err(AppError::Store(error));
        }
        let mut app = App::build(Some(file), config, live, source, log);
        app.held = held;
        if app.lacks_sockets() {
            warn!(
                "systemd passed no socket: databus listens on [listen] itself, and a restart refuses clients for a moment; \
                 systemctl status databus.socket says why"
            );
        }
        app.run(listeners, signals).await
    });
    // What still hangs, hangs on Kafka or a client that was given up.
    runtime.shutdown_background();
    ended
}

/// Before anything that others can see: who sees the daemon may send it one.
fn signals() -> Result<Signals, AppError> {
    Signals::new().map_err(|error| AppError::Internal(format!("no signals: {error}")))
}

fn runtime() -> Result<tokio::runtime::Runtime, AppError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| AppError::Internal(format!("no runtime: {error}")))
}

impl App {
    fn build(file: Option<PathBuf>, config: Config, live: Live, source: Source, log: Log) -> Self {
        let (refresh, refresh_task) = Refresh::start(source, config.store.refresh);
        Self {
            file,
            listen: config.listen.clone(),
            held: Vec::new(),
            serves_tls: false,
            config,
            shared: Arc::new(Shared::new(live, refresh)),
            retired: Retired::default(),
            refresh_task,
            log,
            refused: None,
            unknown: Vec::new(),
            told: String::new(),
        }
    }

    async fn run(mut self, listeners: Vec<Listener>, mut signals: Signals) -> Result<(), AppError> {
        self.serves_tls = listeners.iter().any(Listener::is_tls);
        let (stop, stopped) = watch::channel(false);
        server::announce(&listeners);
        let mut heart = Heart::new(systemd::watchdog_interval().map(|half| half / 2));
        let listeners = listeners
            .into_iter()
            .map(|listener| (listener, heart.pulse()))
            .collect();
        let mut server = tokio::spawn(server::serve(listeners, Arc::clone(&self.shared), stopped));
        let mut grants = self.shared.grants.subscribe();
        let mut published = self.file.as_deref().map(Published::new);
        self.ready();
        info!(name: "ready", version = env!("CARGO_PKG_VERSION"), "ready");
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Reload => {
                        let reloading = reload_or_stop(&mut self, published.as_mut(), &mut signals);
                        if heart.beside(reloading).await.is_break() {
                            break;
                        }
                    }
                    Signal::Stop | Signal::StopNow => break,
                },
                changed = grants.changed() => {
                    changed.map_err(|_| AppError::Internal("the store is no longer read".to_owned()))?;
                    grants.mark_unchanged();
                    self.look_for_unknown(false);
                    self.shared.announce();
                    self.tell_status();
                }
                ended = &mut self.refresh_task => {
                    return Err(AppError::Internal(format!("the store is no longer read: {ended:?}")));
                }
                ended = &mut server => {
                    return Err(AppError::Internal(format!("clients are no longer accepted: {ended:?}")));
                }
                () = heart.beat() => {}
                _ = tick.tick() => {
                    log::sum_up();
                    self.tell_status();
                }
            }
        }
        heart.release();
        heart.beside(self.drain(stop, server, signals)).await
    }

    /// A service without systemd's sockets: a restart refuses clients.
    fn lacks_sockets(&self) -> bool {
        systemd::is_service() && self.held.is_empty()
    }

    /// Finds the apps whose cluster is not configured, and tells of the new ones, or of all.
    fn look_for_unknown(&mut self, all: bool) {
        let Some(grants) = self.shared.current_grants() else {
            return;
        };
        let found = unknown::find(&self.shared.live.load(), &grants);
        let known = if all { &[][..] } else { &self.unknown };
        unknown::tell(&found, known);
        self.unknown = found;
    }

    fn ready(&mut self) {
        self.told = self.status();
        systemd::ready(&self.told);
    }

    /// To be called every second or so: systemd hears of what has changed.
    fn tell_status(&mut self) {
        let status = self.status();
        if status != self.told {
            systemd::status(&status);
            self.told = status;
        }
    }

    /// A line for `systemctl status`.
    fn status(&self) -> String {
        let mut line = status::line(&self.shared, self.unknown.len());
        if self.lacks_sockets() {
            line += "; databus.socket passed no socket";
        }
        if let Some(why) = &self.refused {
            line += &format!("; last reload refused: {why}");
        }
        line
    }
}

/// A stop does not wait for a reload, which may wait for a store. A signal to reload that comes meanwhile is obeyed afterwards.
async fn reload_or_stop(
    app: &mut App,
    mut published: Option<&mut Published>,
    signals: &mut Signals,
) -> ControlFlow<()> {
    loop {
        let mut again = false;
        let mut reloading = pin!(app.reload(published.as_deref_mut()));
        loop {
            tokio::select! {
                () = &mut reloading => break,
                signal = signals.next() => match signal {
                    Signal::Reload => again = true,
                    Signal::Stop | Signal::StopNow => return ControlFlow::Break(()),
                },
            }
        }
        if !again {
            return ControlFlow::Continue(());
        }
    }
}

const TICK: Duration = Duration::from_secs(1);
