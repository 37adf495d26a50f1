//! The cases of the matrix for Rust libraries; ../../matrix tells what a program prints and is told.

mod cases;
mod messages;

use std::env;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub use cases::run;

pub type Result<T> = std::result::Result<T, Error>;

/// What a library says, in its own words and with its own class; or why a case cannot be.
#[derive(Debug)]
pub enum Error {
    NotOffered(String),
    Library { class: String, text: String },
    Other(String),
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Error::Other(text)
    }
}

/// What differs from one library to the other.
pub trait Library {
    type Client: Client;

    /// A client for one of FORMS; `once` asks for settings that never send a command twice.
    fn open(&self, form: &str, who: &Identity, address: &str, once: bool) -> Result<Self::Client>;

    /// What `once` sets, in words.
    fn once(&self) -> String;
}

/// Replies as the library gives them.
pub trait Client {
    fn set(&mut self, key: &str, value: &[u8]) -> Result<String>;
    fn pipeline(&mut self, key: &str, values: &[String], transaction: bool) -> Result<Vec<String>>;
    fn del(&mut self, key: &str) -> Result<i64>;
    fn hset(&mut self, key: &str, metadata: &[u8], value: &str) -> Result<String>;
    fn mget(&mut self, words: &[&str]) -> Result<Vec<Vec<u8>>>;
    fn close(self);

    /// Sets each of them, in tasks side by side.
    fn set_at_once(&mut self, _key: &str, _values: &[String]) -> Result<Vec<String>> {
        Err(Error::NotOffered(
            "a connection is for one thread at a time".into(),
        ))
    }

    /// What is worth knowing.
    fn note(&self) -> Option<String> {
        None
    }
}

/// What AUTH wants, and the ways to say it.
#[derive(Clone)]
pub struct Identity {
    pub key: String,
    pub secret: String,
    pub group: String,
    pub topic: String,
    pub role: &'static str,
}

impl Identity {
    fn new(role: &'static str) -> Self {
        Self {
            key: variable("KEY"),
            secret: variable("SECRET"),
            group: variable("GROUP"),
            topic: variable("TOPIC"),
            role,
        }
    }

    pub fn password(&self) -> String {
        format!(
            "{}:{}@{}/topic={}&role={}",
            self.key, self.secret, self.group, self.topic, self.role
        )
    }

    pub fn user(&self) -> String {
        format!(
            "{}@{}/topic={}&role={}",
            self.key, self.group, self.topic, self.role
        )
    }

    pub fn url(&self, address: &str) -> String {
        format!("redis://:{}@{address}", quote(&self.password()))
    }

    pub fn url_secret(&self, address: &str) -> String {
        format!(
            "redis://{}:{}@{address}",
            quote(&self.user()),
            quote(&self.secret)
        )
    }
}

fn quote(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}
