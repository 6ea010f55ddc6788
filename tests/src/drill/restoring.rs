//! From the completion certificate to the verified network: every SV with a dump delivers it, restarts on the new
//! synchronizer, and confirms what its new participant's logs say.
//!
//! The SVs do each step side by side, and all finish it before the next one begins: the new synchronizer needs more than
//! two thirds of them. The stand-ins' part of the restart is the new participants' logs.
//!
//! With chaos, the coordinator or the way to it fails during each command. The operators then run the command again.

use serde_json::Value;
use svdr_protocol::milestone::Step;

use super::DrillError;
use super::board::Board;
use super::chaos::Chaos;
use super::command::{Program, heading, short};
use super::everybody::{Everybody, signed};
use super::network::{Network, VOLUME};
use super::processes::config;
use super::session::Held;
use super::steps::{text, unexpected};
use crate::sv_app::export::DUMP;

/// The SVs that restore the network together.
pub(super) struct Restoring<'a> {
    network: &'a Network,
    session: String,
    /// The places of those that have a dump.
    svs: Vec<usize>,
    chaos: Option<Chaos>,
    /// How often something went wrong on purpose.
    pub(super) outages: usize,
}

impl<'a> Restoring<'a> {
    pub(super) fn new(network: &'a Network, held: &Held, chaos: Option<u64>) -> Restoring<'a> {
        let svs = (0..network.svs.len()).filter(|place| held.has_dump(*place)).collect();
        Restoring { network, session: held.session.clone(), svs, chaos: chaos.map(Chaos::new), outages: 0 }
    }

    /// Every dump goes into the volume that the SV app imports it from.
    pub(super) fn deliver(&mut self, board: &mut Board) -> Result<(), DrillError> {
        heading("Every SV with a dump delivers it to its SV app");
        let says = self.all(board, |everybody, outage| {
            let says =
                |report: &Value| Ok(format!("{} bytes are in {}", report["size"], text(report, "/to")?));
            everybody.run(("deliver", &[]), says, outage)
        })?;
        say!("    {says}");
        self.mark(board, Step::Delivered)
    }

    /// The SV apps have imported their dumps, and the new synchronizer runs: its participants write logs.
    pub(super) fn restart(&mut self, board: &mut Board) -> Result<(), DrillError> {
        heading("The SV apps import the dumps, and the new synchronizer starts");
        say!("    The stand-ins write the new participants' logs, dated an hour after the loss:");
        for place in &self.svs {
            let volume = self.network.folder.join(self.network.name(*place)).join(VOLUME);
            if !volume.join(DUMP).exists() {
                return Err(unexpected(&volume.display().to_string(), &format!("a file {DUMP}"), "none"));
            }
            self.network.write_new_log(*place, &self.svs)?;
        }
        say!("");
        self.mark(board, Step::SynchronizerDeployed)?;
        self.mark(board, Step::Restored)
    }

    /// Every SV signs what its new logs say about the others. That verifies the session.
    pub(super) fn confirm(&mut self, board: &mut Board) -> Result<(), DrillError> {
        heading("Every SV confirms what its new participant's logs say");
        let says = self.all(board, |everybody, outage| everybody.run(("confirm", &[]), signed, outage))?;
        say!("    {says}");
        let convener = config(self.network, 0);
        let status = ["status", short(&self.session), "--config", &convener];
        let status = Program::agent(&self.network.folder, &status).json(0)?;
        match status["phase"].as_str() {
            Some("verified") => {
                say!("\n    The session is verified.");
                Ok(())
            }
            other => Err(unexpected("the session", "verified", other.unwrap_or_default())),
        }
    }

    fn mark(&mut self, board: &mut Board, step: Step) -> Result<(), DrillError> {
        self.all(board, |everybody, outage| everybody.mark(step, outage))
    }

    /// Lets everybody do something, and something go wrong meanwhile where that is wanted.
    fn all<T>(
        &mut self,
        board: &mut Board,
        run: impl FnOnce(&Everybody<'_>, &mut dyn FnMut() -> Result<(), DrillError>) -> Result<T, DrillError>,
    ) -> Result<T, DrillError> {
        let network = self.network;
        let everybody = Everybody {
            network,
            session: &self.session,
            svs: &self.svs,
            is_tried_again: self.chaos.is_some(),
        };
        let mut outage = || {
            if let Some(chaos) = &mut self.chaos {
                self.outages += 1;
                say!("    chaos: {}", board.suffer(network, chaos.outage())?);
            }
            Ok(())
        };
        run(&everybody, &mut outage)
    }
}
