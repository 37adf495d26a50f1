//! The configuration as it is written. Every key is optional here; defaults and ranges are those of `checked`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use toml::Spanned;

use super::units::{Interval, KafkaValue};

pub use super::limits::RawLimits;

/// A whole configuration, SPEC 9.
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    pub listen: RawListen,
    pub store: RawStore,
    pub clusters: BTreeMap<Spanned<String>, RawCluster>,
    pub limits: RawLimits,
    pub log: RawLog,
    pub tls: Option<Spanned<RawTls>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawListen {
    pub resp: Option<Spanned<Vec<Spanned<String>>>>,
    pub resp_tls: Option<Spanned<Vec<Spanned<String>>>>,
    pub http: Option<Spanned<Vec<String>>>,
    pub metrics: Option<Spanned<Vec<String>>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawStore {
    pub kind: Option<Spanned<StoreKind>>,
    pub refresh: Option<Spanned<Interval>>,
    pub file: Option<Spanned<String>>,
    pub url: Option<Spanned<String>>,
    pub password_file: Option<Spanned<String>>,
    pub tls: Option<Spanned<bool>>,
    pub ca: Option<Spanned<String>>,
    pub certificate: Option<Spanned<String>>,
    pub key: Option<Spanned<String>>,
    pub app_table: Option<Spanned<String>>,
    pub auth_table: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    #[default]
    File,
    Mysql,
    Redis,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawCluster {
    pub brokers: Option<Spanned<Vec<Spanned<String>>>>,
    pub kafka: BTreeMap<Spanned<String>, Spanned<KafkaValue>>,
    pub kafka_files: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawTls {
    pub certificate: Option<Spanned<String>>,
    pub key: Option<Spanned<String>>,
    pub client_ca: Option<Spanned<String>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawLog {
    pub level: Option<Level>,
}

/// How much is logged: this level and the more severe ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
        })
    }
}

/// Every section with its keys, as the structs above have them. `clusters.*` stands for each cluster.
pub fn sections() -> [(&'static str, &'static [&'static str]); 7] {
    [
        ("", keys::<Raw>()),
        ("listen", keys::<RawListen>()),
        ("store", keys::<RawStore>()),
        ("clusters.*", cluster_keys()),
        ("limits", keys::<RawLimits>()),
        ("tls", keys::<RawTls>()),
        ("log", keys::<RawLog>()),
    ]
}

/// The keys of a section `[clusters.NAME]`.
pub fn cluster_keys() -> &'static [&'static str] {
    keys::<RawCluster>()
}

/// The names of a struct's fields, as its derived `Deserialize` asks for them.
fn keys<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    let _always_ends_early = T::deserialize(Keys(&mut keys));
    keys
}

struct Keys<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("only the names were wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("not a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_fields() {
        assert_eq!(keys::<RawLog>(), ["level"]);
        assert_eq!(keys::<RawCluster>(), ["brokers", "kafka", "kafka_files"]);
        assert!(sections().iter().all(|(_, keys)| !keys.is_empty()));
    }
}
