//! Values as people write them: durations, and whatever a librdkafka setting may be.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A duration with its unit, in quotes: "5s", "1m 30s", "250ms".
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Interval(pub Duration);

pub const fn secs(seconds: u64) -> Interval {
    Interval(Duration::from_secs(seconds))
}

pub const fn millis(millis: u64) -> Interval {
    Interval(Duration::from_millis(millis))
}

impl From<Interval> for Duration {
    fn from(interval: Interval) -> Self {
        interval.0
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", humantime::format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntervalVisitor)
    }
}

struct IntervalVisitor;

impl Visitor<'_> for IntervalVisitor {
    type Value = Interval;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration with its unit, in quotes, such as \"5s\",")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Interval, E> {
        let wrong = |why| {
            E::custom(format_args!(
                "{text:?} is not a duration with its unit: {why}"
            ))
        };
        humantime::parse_duration(text).map(Interval).map_err(wrong)
    }
}

/// A whole number without a unit: 4194304, or 4_194_304 for the eye.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Number(pub usize);

impl From<Number> for usize {
    fn from(number: Number) -> Self {
        number.0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number without quotes and unit")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        usize::try_from(value).map(Number).map_err(|_| {
            E::custom(format_args!(
                "{value} is out of range: it may not be negative"
            ))
        })
    }
}

/// The value of a librdkafka setting, as the text that librdkafka takes.
pub struct KafkaValue(pub String);

impl<'de> Deserialize<'de> for KafkaValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KafkaValueVisitor)
    }
}

struct KafkaValueVisitor;

impl Visitor<'_> for KafkaValueVisitor {
    type Value = KafkaValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a boolean")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KafkaValue, E> {
        Ok(KafkaValue(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<KafkaValue, E> {
        Ok(KafkaValue(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<KafkaValue, E> {
        Ok(KafkaValue(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<KafkaValue, E> {
        Ok(KafkaValue(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<KafkaValue, E> {
        Ok(KafkaValue(value.to_string()))
    }
}
