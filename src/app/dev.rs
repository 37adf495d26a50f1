//! `databus dev`: the daemon on a Kafka of its own, which keeps everything in memory (DESIGN 4).

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::info;

use super::{App, AppError, clusters, runtime, signals};
use crate::auth::Source;
use crate::config::{Config, ListenAddr};
use crate::kafka::mock::Embedded;
use crate::log;
use crate::server::Listener;
use crate::session::Live;

/// Runs the daemon on its embedded default until a signal stops it.
///
/// # Errors
///
/// The address cannot be listened on, or the embedded Kafka cannot be started.
pub fn dev(listen: &ListenAddr) -> Result<(), AppError> {
    let config = Config::default();
    let log = log::init(config.log.level);
    let kafka = Embedded::start(CLUSTER)
        .map_err(|error| AppError::Internal(format!("no embedded Kafka: {error}")))?;
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let signals = signals()?;
        let listeners = vec![Listener::bind(listen, false)?];
        let source = Source::Memory(APPS.to_owned());
        let loaded = source.load().await.map_err(|error| AppError::Internal(error.to_string()))?;
        for (_, topic) in loaded.grants.topics() {
            let made = kafka.create_topic(topic);
            made.map_err(|code| AppError::Internal(format!("topic {topic}: {}", code.describe())))?;
        }
        let handle = clusters::handle(kafka.cluster(), config.limits.producer()).map_err(AppError::Internal)?;
        let live = Live {
            limits: config.limits.clone(),
            clusters: BTreeMap::from([(CLUSTER.to_owned(), Arc::new(handle))]),
            tls: None,
            begin_at_oldest: true,
        };
        let app = App::build(None, config, live, source, log);
        info!("this is for trying out: messages are kept in memory only, 5 MiB a partition, and are gone when it stops");
        info!("redis-cli -p {}: AUTH app_key1:app_secret1@group_name1/topic=test156&role=pub", port(listen));
        app.run(listeners, signals).await
    });
    runtime.shutdown_background();
    ended
}

fn port(listen: &ListenAddr) -> u16 {
    match listen {
        ListenAddr::Tcp(address) => address.port(),
        ListenAddr::Unix(_) => 6205,
    }
}

const CLUSTER: &str = "dev";
/// The credentials of the session in the README.
const APPS: &str = r#"
[[app]]
key = "app_key1"
secret = "app_secret1"
cluster = "dev"

[[app.grant]]
group = "group_name1"
topic = "test156"
operation = "pubsub"
"#;
