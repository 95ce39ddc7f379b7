//! Loading the configuration again while the server runs.
//!
//! What a reload changes is the recordings (`dvr` of the vhosts there are). Everything else goes on as the server was
//! started; the log names what differs. A configuration that does not load changes nothing.

use headwater_api::{Reload, ReloadStep, Reloaded};
use headwater_conf::{Conf, ConfError, Env, Source};
use headwater_hub::{Hub, SessionId};
use headwater_record::Recorders;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

/// Directives that take effect at a reload.
const APPLIED: &str = "vhost.dvr.";

/// Where a configuration came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What is loaded again.
    pub source: Source,
    /// The variables it is loaded with.
    pub env: Env,
}

/// Reloads, one at a time; requests that come meanwhile are one.
#[derive(Debug)]
pub(crate) struct Reloads {
    origin: Option<Origin>,
    started: Arc<Conf>,
    hub: Arc<Hub>,
    recorders: Arc<Recorders>,
    wanted: Notify,
    last: Mutex<Reloaded>,
}

impl Reloads {
    /// For a server that was started with a configuration; one without an origin cannot change.
    pub(crate) fn new(
        origin: Option<Origin>,
        started: Arc<Conf>,
        hub: Arc<Hub>,
        recorders: Arc<Recorders>,
    ) -> Arc<Reloads> {
        let (wanted, last) = (Notify::new(), Mutex::default());
        Arc::new(Reloads { origin, started, hub, recorders, wanted, last })
    }

    /// Waits until somebody asks for a reload.
    pub(crate) async fn requested(&self) {
        self.wanted.notified().await;
    }

    /// Reloads now.
    pub(crate) fn run(&self) {
        let id: String = SessionId::random().as_str().chars().take(7).collect();
        *self.last.lock() = Reloaded { step: ReloadStep::Parsing, id: id.clone(), ..Reloaded::default() };
        let last = match self.load() {
            Ok(conf) => {
                self.apply(&conf);
                Reloaded { step: ReloadStep::Finished, id, ..Reloaded::default() }
            }
            Err(error) => {
                tracing::error!(%error, "the configuration is not reloaded: the old one stays in effect");
                let step = match error {
                    ConfError::Invalid { .. } | ConfError::Whole { .. } => ReloadStep::Checking,
                    _ => ReloadStep::Parsing,
                };
                Reloaded { code: error.code(), error: error.to_string(), step, id }
            }
        };
        *self.last.lock() = last;
    }

    /// The configuration as it is now; that of the start where it cannot change.
    fn load(&self) -> Result<Conf, ConfError> {
        let Some(Origin { source, env }) = self.origin.clone() else {
            return Ok((*self.started).clone());
        };
        let loaded = Conf::load(source, &env)?;
        loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        Ok(loaded.conf)
    }

    fn apply(&self, conf: &Conf) {
        let (applied, rest): (Vec<_>, Vec<_>) =
            self.started.changes(conf).into_iter().partition(|change| change.path.starts_with(APPLIED));
        for change in rest {
            tracing::warn!(directive = change.name, "the change needs a restart to take effect");
        }
        self.recorders.apply(Arc::new(with_recordings_of(&self.started, conf)), &self.hub);
        tracing::info!(in_effect = applied.len(), "the configuration is reloaded");
    }
}

impl Reload for Reloads {
    fn request(&self) {
        self.wanted.notify_one();
    }

    fn last(&self) -> Reloaded {
        self.last.lock().clone()
    }
}

/// A configuration with what another says about the recordings of the same vhosts.
fn with_recordings_of(conf: &Conf, other: &Conf) -> Conf {
    let mut conf = conf.clone();
    for vhost in &mut conf.vhosts {
        if let Some(other) = other.vhosts().iter().find(|other| other.name == vhost.name) {
            Arc::make_mut(vhost).dvr = other.dvr.clone();
        }
    }
    conf
}
