//! What people do in a session. Agents report, agree and attest by themselves where their SV is covered; what is
//! left is for the conveners, and for the operators of who is left behind. Each does, with the real command, what the
//! screens say that there is to do, once.

use std::collections::BTreeSet;

use svdr_cli::screens::facts::SessionFacts;
use svdr_cli::screens::shown_proposal;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{Phase, Session};

use super::DrillError;
use super::command::Program;
use super::display::Display;
use super::network::Network;
use super::processes::config;
use super::steps::unexpected;

/// Something that a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// The convener proposes the first round, with the SV without logs vouched for.
    Vouch,
    /// The convener proposes another round, because SV apps cannot serve this one's timestamp.
    ProposeAfter(u32),
    /// The operator of the SV at this place, which the round left behind, promises never to attest it, so that those
    /// who have can move on.
    Abandon(u32, usize),
}

/// The people of a drill, with what they have done.
pub(super) struct Operators<'a> {
    network: &'a Network,
    done: BTreeSet<Deed>,
}

impl<'a> Operators<'a> {
    pub(super) const fn new(network: &'a Network) -> Operators<'a> {
        Operators { network, done: BTreeSet::new() }
    }

    /// Does what there is to do now.
    pub(super) fn look(&mut self, session: &Session, display: &mut Display) -> Result<(), DrillError> {
        for deed in self.deeds(session) {
            if self.done.insert(deed) {
                self.carry_out(deed, session, display)?;
            }
        }
        Ok(())
    }

    fn deeds(&self, session: &Session) -> Vec<Deed> {
        match session.phase() {
            Phase::Gathering => {
                let missing = self.network.svs.len() - session.evidence().len();
                let is_vouched = self.network.story.vouched().is_some();
                if is_vouched && missing == 1 { vec![Deed::Vouch] } else { Vec::new() }
            }
            Phase::Agreed(round) | Phase::Recovering(round) if is_stuck(session, round) => {
                vec![Deed::ProposeAfter(round)]
            }
            Phase::Proposed(round) if round > 1 => {
                let left =
                    shown_proposal(session, round - 1).map(|(_, passed)| &passed.candidate.left_behind);
                let left = places(self.network, left.into_iter().flatten());
                left.into_iter().map(|place| Deed::Abandon(round - 1, place)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn carry_out(&self, deed: Deed, session: &Session, display: &mut Display) -> Result<(), DrillError> {
        let (network, id) = (self.network, session.id().to_string());
        let convener = config(network, 0);
        match deed {
            Deed::Vouch => {
                let name = network.name(network.story.vouched().unwrap_or_default());
                let args = ["session", "--config", &convener, "propose", &id, "--vouch", name];
                self.run(0, &Program::coordinator(&network.folder, &args), display)
            }
            Deed::ProposeAfter(_) => {
                let facts = SessionFacts::of(session);
                let command = facts.bounds.and_then(|bounds| bounds.command);
                let command =
                    command.ok_or_else(|| unexpected("the bounds", "a time that suits all", "none"))?;
                // As it is shown to the conveners, with the place of the configuration in this drill.
                let words: Vec<&str> = command.split_whitespace().skip(2).collect();
                let args = [&["session", "--config", &convener][..], &words].concat();
                self.run(0, &Program::coordinator(&network.folder, &args), display)
            }
            Deed::Abandon(round, place) => {
                let (own, round) = (config(network, place), round.to_string());
                let reason = "its round left this SV behind and cannot be completed";
                let args = ["abandon", &id, "--round", &round, "--reason", reason, "--yes", "--config", &own];
                self.run(place, &Program::agent(&network.folder, &args), display)
            }
        }
    }

    fn run(&self, place: usize, program: &Program<'_>, display: &mut Display) -> Result<(), DrillError> {
        let who = self.network.name(place);
        display.line(who, &format!("$ {}", program.line()));
        let printed = program.run(0)?;
        printed.stdout.lines().filter(|line| !line.is_empty()).for_each(|line| display.line(who, line));
        Ok(())
    }
}

/// Whether everybody who is covered in a round has made the dump or said why there is none, and it is not enough.
fn is_stuck(session: &Session, round: u32) -> bool {
    let Some((verified, proposal)) = shown_proposal(session, round) else { return false };
    let attested = session.attestations(round, &verified.digest());
    let stopped: BTreeSet<&MemberName> = session.obstacles(round).map(|(member, _)| member).collect();
    let mut covered = proposal.candidate.covered.iter();
    attested.len() < session.roster().threshold()
        && covered.all(|name| attested.contains_key(name) || stopped.contains(name))
}

/// The places of these members.
pub(super) fn places<'a>(
    network: &Network,
    names: impl IntoIterator<Item = &'a MemberName>,
) -> BTreeSet<usize> {
    let place = |name: &MemberName| network.svs.iter().position(|sv| sv.member.name == name.as_str());
    names.into_iter().filter_map(place).collect()
}
