//! SIGHUP: the configuration and the grants are read again; what is refused changes nothing.

use tracing::{error, info, warn};

use super::{App, clusters};
use crate::auth::Source;
use crate::config::{self, Config};
use crate::control::{Published, Reloaded, Secrets};
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
            // One entry, however many reasons there are.
            Err(why) => {
                let why = why.replace('\n', "; ");
                error!(name: "reload-refused", "reload refused, nothing changed: {why}");
            }
        }
        self.refused = outcome.as_ref().err().map(|why| why.replace('\n', "; "));
        self.ready();
        if let Some(published) = published {
            published.end(outcome);
        }
    }

    /// Returns what is to be known of the new state.
    async fn try_reload(&mut self) -> Result<Reloaded, String> {
        let Some(file) = &self.file else {
            return Err("databus dev has no configuration to read".to_owned());
        };
        let new = config::load(file).map_err(|error| error.to_string())?;
        if self.serves_tls && new.tls.is_none() {
            return Err("[tls] is gone: what listens with TLS needs it until a restart".to_owned());
        }
        let source = new.store.source.clone();
        // A store that is newly named must load. One that is only away keeps its last good set; a file is never away.
        let mut away = None;
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
                away = Some(format!(
                    "the store does not load: the grants stay as they were: {error}"
                ));
                None
            }
        };
        let live = clusters::live(&new, Some((&self.config, &self.shared.live.load())), false)?;

        for warning in &new.warnings {
            warn!("{warning}");
        }
        let mut reloaded = self.notes(&new);
        for note in reloaded.all_notes() {
            info!("{note}");
        }
        reloaded.warn_of(&new.warnings);
        reloaded.warnings.extend(away);
        if let Some(loaded) = &loaded {
            reloaded.warn_of(&loaded.broken);
            reloaded.warn_of(&loaded.twice);
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
        self.look_for_unknown(true);
        reloaded.warn_of(&self.unknown);
        self.shared.announce();
        Ok(reloaded)
    }

    /// What takes a restart.
    fn notes(&self, new: &Config) -> Reloaded {
        let mut reloaded = Reloaded {
            notes: new.listen.passed_over(&self.held),
            ..Reloaded::default()
        };
        let is_own = |tls| self.held.iter().all(|held| held.1 != tls);
        if is_own(false) && new.listen.resp != self.listen.resp
            || is_own(true) && new.listen.resp_tls != self.listen.resp_tls
        {
            let note = "[listen] changed: that takes a restart";
            reloaded.notes.push(note.to_owned());
        }
        if let Some(directory) = config::credentials() {
            let names = new.credentials.iter().cloned().collect();
            reloaded.secrets = Secrets { directory, names };
        }
        reloaded
    }
}
