//! The coordinator of a drill, behind an address that stays when it is started again.

use super::DrillError;
use super::chaos::Outage;
use super::command::{Program, heading};
use super::network::Network;
use crate::coordinator::Coordinator;
use crate::relay::Relay;

/// The folder that it publishes completed sessions in.
pub(super) const PUBLISHED: &str = "published";

/// The coordinator's process and the way to it.
pub(super) struct Board {
    coordinator: Option<Coordinator>,
    relay: Relay,
    pub(super) key: String,
}

impl Board {
    /// Makes the coordinator's key and starts it, with an empty journal.
    pub(super) fn start(network: &Network) -> Result<Board, DrillError> {
        heading("A coordinator is started");
        let folder = network.folder.as_path();
        Program::agent(folder, &["key", "new", "--out", "coordinator.key"]).run(0)?;
        say!(
            "\n  $ svdr-coordinator serve --roster roster.toml --signing-key coordinator.key --listen 127.0.0.1:0 \
             --data data --publish {PUBLISHED}"
        );
        let relay = Relay::start().map_err(DrillError::Start)?;
        let coordinator = Coordinator::start(folder, &["--publish", PUBLISHED]).map_err(DrillError::Start)?;
        relay.lead_to(Some(coordinator.started.address));
        let key = coordinator.started.public_key.clone();
        say!("    listens on {} with the key {key}", coordinator.started.address);
        Ok(Board { coordinator: Some(coordinator), relay, key })
    }

    pub(super) fn url(&self) -> String {
        self.relay.url()
    }

    /// Lets the coordinator or the way to it fail, until it works again; says what happened.
    pub(super) fn suffer(&mut self, network: &Network, outage: Outage) -> Result<String, DrillError> {
        match outage {
            Outage::Restart => {
                let statements = self.restart(network)?;
                Ok(format!("kill -9 the coordinator, and start it again on its {statements} statements"))
            }
            Outage::Cut => {
                self.relay.cut();
                Ok("cut all connections to the coordinator".to_owned())
            }
            Outage::Hold(pause) => {
                self.relay.hold(pause);
                Ok(format!("hold up all connections to the coordinator for {} ms", pause.as_millis()))
            }
        }
    }

    /// Kills the coordinator and starts it again; gives the number of statements in its journal.
    fn restart(&mut self, network: &Network) -> Result<u64, DrillError> {
        self.relay.lead_to(None);
        if let Some(coordinator) = self.coordinator.take() {
            coordinator.kill().map_err(DrillError::Start)?;
        }
        let again =
            Coordinator::start(&network.folder, &["--publish", PUBLISHED]).map_err(DrillError::Start)?;
        let statements = again.started.journal.statements;
        self.relay.lead_to(Some(again.started.address));
        self.coordinator = Some(again);
        Ok(statements)
    }
}
