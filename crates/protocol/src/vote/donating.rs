//! Whether a member may offer a snapshot of a round to the others.
//!
//! A donation binds nobody, and no rule uses it, but receivers rely on it. So only a member on whose SV app the plan
//! relies may donate: it is covered, it has agreed, and enough others have agreed.

use super::{Decision, Held, VoteRefusal, Voter};
use crate::digest::Digest;
use crate::statement::{Body, Donation, Plan};

impl Voter<'_> {
    /// Whether to donate this snapshot.
    pub fn donate(&self, donation: &Donation) -> Decision<Donation> {
        self.try_donate(donation).unwrap_or_else(Decision::from)
    }

    /// Whether a donation in this round could be signed, before there is a snapshot: the digest of the proposal agreed on,
    /// and its plan.
    pub fn may_donate(&self, round: u32) -> Decision<(Digest, Plan)> {
        self.donatable(round).map_or_else(Decision::from, Decision::Sign)
    }

    fn try_donate(&self, donation: &Donation) -> Result<Decision<Donation>, Held> {
        let round = donation.round;
        let (proposal, plan) = self.donatable(round)?;
        let agreed = (plan.recovery_timestamp(), plan.migration_id());
        let made = (donation.recovery_timestamp, donation.migration_id);
        if made != agreed {
            return Err(Held::Refuse(VoteRefusal::OtherDump { round, agreed, made }));
        }
        if donation.proposal != proposal {
            let (agreed, certified) = (donation.proposal, proposal);
            return Err(Held::Refuse(VoteRefusal::OtherProposal { round, agreed, certified }));
        }
        let donations = self.session.donations(round, &proposal);
        match donations.get(self.me) {
            Some((digest, known)) if *known == donation => Ok(Decision::Signed(*digest)),
            _ => Ok(Decision::Sign(donation.clone())),
        }
    }

    fn donatable(&self, round: u32) -> Result<(Digest, Plan), Held> {
        let own = self.own();
        if self.session.aborts().next().is_some() {
            return Err(Held::Refuse(VoteRefusal::Aborted));
        }
        let agreed = own.agreed(self.session.round_of(round));
        let agreed = agreed.ok_or(Held::Refuse(VoteRefusal::NotAgreed { round }))?;
        let (proposal, plan) = self.certified(round, agreed)?;
        let covered = match self.session.statement(&proposal).map(|one| one.body()) {
            Some(Body::Proposal(body)) => body.candidate.covered.contains(self.me),
            _ => false,
        };
        if !covered {
            return Err(Held::Refuse(VoteRefusal::NotCovered { round }));
        }
        Ok((proposal, plan))
    }
}
