//! SIGHUP: the configuration and the grants are read again; what is refused changes nothing.

use tracing::{error, info, warn};

use super::{App, clusters};
use crate::auth::Source;
use crate::config::{self, Config};
use crate::control::Published;
use crate::systemd;

impl App {
    /// The outcome is told to systemd, to the journal, and to whoever waits at `published`.
    pub(super) async fn reload(&mut self, mut published: Option<&mut Published>) {
        systemd::reloading();
        if let Some(published) = &mut published {
            published.begin();
        }
        let outcome = self.try_reload().await;
        match &outcome {
            Ok(_) => info!(name: "reloaded", "reloaded"),
            Err(why) => error!(name: "reload-refused", "reload refused, nothing changed: {why}"),
        }
        self.refused = outcome.as_ref().err().cloned();
        systemd::ready(&self.status());
        if let Some(published) = published {
            published.end(outcome);
        }
    }

    /// Returns what is not in force yet, and why.
    async fn try_reload(&mut self) -> Result<Vec<String>, String> {
        let Some(file) = &self.file else {
            return Err("databus dev has no configuration to read".to_owned());
        };
        let new = config::load(file).map_err(|error| error.to_string())?;
        if self.serves_tls && new.tls.is_none() {
            return Err("[tls] is gone: what listens with TLS needs it until a restart".to_owned());
        }
        let source = new.store.source.clone();
        // A store that is newly named must load. One that is only away keeps its last good set; a file is never away.
        let loaded = match source.load().await {
            Ok(loaded) => Some(loaded),
            Err(error)
                if new.store.source != self.config.store.source
                    || matches!(source, Source::File { .. }) =>
            {
                return Err(error.to_string());
            }
            Err(error) => {
                warn!(name: "store-fails", store = source.name(), %error, "the store does not load: the grants stay as they were");
                None
            }
        };
        let live = clusters::live(&new, Some((&self.config, &self.shared.live.load())), false)?;

        for warning in &new.warnings {
            warn!("{warning}");
        }
        let notes = self.notes(&new);
        for note in &notes {
            info!("{note}");
        }
        self.log.set_level(new.log.level);
        let old = self.shared.replace(live);
        clusters::retire(&old, &self.shared.live.load(), &mut self.retired);
        self.shared
            .grants
            .replace(source, new.store.refresh, loaded)
            .await;
        self.shared.groups.commit();
        self.config = new;
        if let Some(grants) = self.shared.current_grants() {
            clusters::warn_of_unknown(&self.shared.live.load(), &grants);
        }
        self.shared.announce();
        Ok(notes)
    }

    /// What takes a restart.
    fn notes(&self, new: &Config) -> Vec<String> {
        let mut notes = new.listen.passed_over(&self.held);
        let is_own = |tls| self.held.iter().all(|held| held.1 != tls);
        if is_own(false) && new.listen.resp != self.listen.resp
            || is_own(true) && new.listen.resp_tls != self.listen.resp_tls
        {
            notes.push("[listen] changed: that takes a restart".to_owned());
        }
        let credentials = config::credentials();
        if !credentials.is_empty() {
            let names = credentials.join(", ");
            notes.push(format!(
                "secrets from systemd ({names}) are those of the start: after a change, systemctl restart databus"
            ));
        }
        notes
    }
}
