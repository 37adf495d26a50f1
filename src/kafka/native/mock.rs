//! librdkafka's mock cluster: brokers on 127.0.0.1 inside this process, which keep records in memory.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as rdk;
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr, RDKafkaType};

use super::{Code, Owned, millis};

/// A mock cluster, and the client that it lives in. It ends when this is dropped.
pub struct MockCluster<C: ClientContext + 'static> {
    cluster: NonNull<rdk::rd_kafka_mock_cluster_t>,
    // Only keeps the cluster alive.
    _owned: Owned<C>,
}

// SAFETY: each call on a mock cluster is an operation that its own thread carries out, or is guarded by its lock.
unsafe impl<C: ClientContext> Send for MockCluster<C> {}
// SAFETY: as above.
unsafe impl<C: ClientContext> Sync for MockCluster<C> {}

impl<C: ClientContext + 'static> MockCluster<C> {
    /// Starts `brokers` brokers, with ids from 1 on.
    pub fn start(brokers: u16, context: C) -> KafkaResult<Self> {
        let mut config = ClientConfig::new();
        config.set("test.mock.num.brokers", brokers.to_string());
        // Nobody polls this client: it must queue no log line. Level 0 is the "emergency" of syslog.
        config.set_log_level(RDKafkaLogLevel::Emerg);
        let client = Client::new(
            &config,
            config.create_native_config()?,
            RDKafkaType::RD_KAFKA_PRODUCER,
            context,
        )?;
        // SAFETY: the client is alive.
        let cluster = unsafe { rdk::rd_kafka_handle_mock_cluster(client.native_ptr()) };
        let fail = KafkaError::MockCluster(RDKafkaRespErr::RD_KAFKA_RESP_ERR__FAIL.into());
        Ok(Self {
            cluster: NonNull::new(cluster).ok_or(fail)?,
            _owned: Owned(Some(client)),
        })
    }

    /// What clients set as `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> String {
        // SAFETY: the cluster is alive, and so is its string.
        let servers =
            unsafe { CStr::from_ptr(rdk::rd_kafka_mock_cluster_bootstraps(self.cluster.as_ptr())) };
        servers.to_string_lossy().into_owned()
    }

    /// Makes a topic. Fails where there is one of this name.
    pub fn create_topic(&self, name: &str, partitions: u16, replicas: u16) -> Result<(), Code> {
        let name = topic(name)?;
        // SAFETY: the cluster and the name are alive.
        let err = unsafe {
            rdk::rd_kafka_mock_topic_create(
                self.cluster.as_ptr(),
                name.as_ptr(),
                partitions.into(),
                replicas.into(),
            )
        };
        Code::check(err)
    }

    /// How long a group's first members wait for more of them (3 s where this is not called).
    pub fn set_initial_rebalance_delay(&self, delay: Duration) {
        // SAFETY: the cluster is alive.
        unsafe {
            rdk::rd_kafka_mock_group_initial_rebalance_delay_ms(
                self.cluster.as_ptr(),
                millis(delay),
            )
        }
    }

    /// The answers to the next requests of this kind, one each, whatever broker they go to.
    pub fn push_errors(&self, api: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        // SAFETY: the cluster is alive; the errors are copied.
        unsafe {
            rdk::rd_kafka_mock_push_request_errors_array(
                self.cluster.as_ptr(),
                api.into(),
                errors.len(),
                errors.as_ptr(),
            )
        }
    }

    /// From now on requests for the topic's metadata answer with this error; `NO_ERROR` ends it.
    pub fn set_topic_error(&self, name: &str, error: RDKafkaRespErr) -> Result<(), Code> {
        let name = topic(name)?;
        // SAFETY: the cluster and the name are alive.
        unsafe { rdk::rd_kafka_mock_topic_set_error(self.cluster.as_ptr(), name.as_ptr(), error) };
        Ok(())
    }

    /// Makes a broker lead a partition, or nobody (-1).
    pub fn set_leader(&self, name: &str, partition: i32, broker: i32) -> Result<(), Code> {
        let name = topic(name)?;
        // SAFETY: the cluster and the name are alive.
        Code::check(unsafe {
            rdk::rd_kafka_mock_partition_set_leader(
                self.cluster.as_ptr(),
                name.as_ptr(),
                partition,
                broker,
            )
        })
    }

    /// Breaks a broker's connections and refuses new ones, or ends that.
    pub fn set_broker_up(&self, broker: i32, up: bool) -> Result<(), Code> {
        // SAFETY: the cluster is alive.
        Code::check(unsafe {
            match up {
                true => rdk::rd_kafka_mock_broker_set_up(self.cluster.as_ptr(), broker),
                false => rdk::rd_kafka_mock_broker_set_down(self.cluster.as_ptr(), broker),
            }
        })
    }

    /// How long a broker's answers take on the way.
    pub fn set_round_trip(&self, broker: i32, time: Duration) -> Result<(), Code> {
        // SAFETY: the cluster is alive.
        Code::check(unsafe {
            rdk::rd_kafka_mock_broker_set_rtt(self.cluster.as_ptr(), broker, millis(time))
        })
    }
}

fn topic(name: &str) -> Result<CString, Code> {
    CString::new(name).map_err(|_| RDKafkaRespErr::RD_KAFKA_RESP_ERR__INVALID_ARG.into())
}
