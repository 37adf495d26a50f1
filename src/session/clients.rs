//! Who is connected: what CLIENT LIST, CLIENT INFO and INFO tell.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::command::client::Filter;
use crate::resp::Proto;
use crate::server::Peer;

/// All connections of this daemon, by their ids.
#[derive(Default)]
pub struct Clients {
    clients: Mutex<HashMap<u64, Arc<Client>>>,
}

/// One connection as others see it.
pub struct Client {
    pub id: u64,
    pub peer: Peer,
    connected: Instant,
    /// Seconds after `connected`.
    last_command: AtomicU32,
    about: Mutex<About>,
}

/// What a connection said of itself. No secret is among it.
#[derive(Default)]
pub struct About {
    pub name: Option<Box<str>>,
    pub library: Option<Box<str>>,
    pub library_version: Option<Box<str>>,
    pub proto: Proto,
    pub app: Option<Box<str>>,
}

impl Clients {
    pub fn add(&self, id: u64, peer: Peer) -> Arc<Client> {
        let client = Arc::new(Client {
            id,
            peer,
            connected: Instant::now(),
            last_command: AtomicU32::new(0),
            about: Mutex::default(),
        });
        self.lock().insert(id, Arc::clone(&client));
        client
    }

    pub fn remove(&self, id: u64) {
        let mut clients = self.lock();
        clients.remove(&id);
        if clients.capacity() > 1024 && clients.len() < clients.capacity() / 8 {
            clients.shrink_to_fit();
        }
    }

    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// CLIENT LIST: the connections of this app, or, before AUTH, connection `own` alone.
    pub fn list(&self, app: Option<&str>, own: u64, filter: &Filter<'_>) -> String {
        let mut clients: Vec<Arc<Client>> = self.lock().values().cloned().collect();
        clients.retain(|client| filter.shows(client.id));
        clients.retain(|client| {
            client.id == own || app.is_some() && client.about().app.as_deref() == app
        });
        clients.sort_by_key(|client| client.id);
        let mut list = String::new();
        for client in clients {
            client.describe(&mut list);
        }
        list
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Client>>> {
        self.clients.lock().expect("no holder of this lock panics")
    }
}

impl Client {
    pub fn about(&self) -> MutexGuard<'_, About> {
        self.about.lock().expect("no holder of this lock panics")
    }

    /// A command came in.
    pub fn active(&self) {
        let age = u32::try_from(self.connected.elapsed().as_secs()).unwrap_or(u32::MAX);
        self.last_command.store(age, Ordering::Relaxed);
    }

    /// The line of CLIENT INFO, with its end of line, in Redis's words.
    pub fn describe(&self, out: &mut String) {
        let about = self.about();
        let age = self.connected.elapsed().as_secs();
        let idle = age.saturating_sub(u64::from(self.last_command.load(Ordering::Relaxed)));
        let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
        let _ = writeln!(
            out,
            "id={} addr={} name={} age={age} idle={idle} flags=N db=0 sub=0 psub=0 multi=-1 cmd=NULL user={} resp={} lib-name={} lib-ver={}",
            self.id,
            self.peer,
            text(&about.name),
            text(&about.app),
            match about.proto {
                Proto::Resp2 => 2,
                Proto::Resp3 => 3,
            },
            text(&about.library),
            text(&about.library_version),
        );
    }
}
