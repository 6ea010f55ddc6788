//! `receive`: this SV's dump, made of a snapshot that a covered member donates and of its own identities.
//!
//! 1. Look at the session: there has to be a donation of that member in the agreed round, and this member must have no
//!    dump of its own in it.
//! 2. Show what will be signed, and ask: a person decides to recover to another's snapshot.
//! 3. Bring the snapshot here, from where an earlier run stopped, or take a file; check it against what the donor signed.
//! 4. Merge it, write down where the dump is, flushed.
//! 5. Agree to the round if this member has not yet, and attest the dump as received: both under the store's lock, as the
//!    voting rules say, flushed before they leave.
//!
//! Stopped anywhere, in any way, the next run goes on there.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use svdr_cli::confirm::{self, Beforehand};
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::runtime;
use svdr_cli::screens::{shown_round, size};
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::span;
use svdr_protocol::statement::{Agreement, Body, Donation, SessionId};
use svdr_protocol::text::listed;
use svdr_protocol::text::shown;
use svdr_protocol::time::Timestamp;
use svdr_protocol::vote::{Decision, VoteRefusal, Voter, Wait};

use super::args::node_identities::{self, NodeIdentitiesArgs};
use crate::config::ConfigError;
use crate::operator::decide::{self, DecideError, any};
use crate::operator::online::{Online, OnlineArgs, Seen};
use crate::store::DumpRecord;
use svdr_cli::screens::operator::signing;
use svdr_dump::Identities;

mod error;
mod making;
mod snapshot;

use error::ReceiveCommandError;

/// Threads that run the network: the session, and what watches for signals. The transfer and the merge have threads of
/// their own.
const NETWORK_THREADS: usize = 2;

/// Arguments of `receive`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent receive 4f3a --from Digital-Asset-1\n  \
    svdr-agent receive 4f3a --from Digital-Asset-1 --file snapshot.json\n\n\
    For an SV that the round leaves behind, or whose own SV app cannot serve the timestamp. The snapshot is first compared \
    with what the donor signed, and then merged with this SV's own node identities. You can stop the command at any time:\n\
    the next run continues at the same byte. Exit code 3 if the donor sends other bytes than it signed.")]
pub struct ReceiveArgs {
    /// The session's id, or at least its first 4 digits
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// The donor
    #[arg(long, value_name = "NAME")]
    pub from: MemberName,
    /// The snapshot as a file, instead of from the donor's agent
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The dump to write [default: in output.dir]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Answer the question with yes, and still show what is signed
    #[arg(long)]
    pub yes: bool,
    /// How long to retry while the donor cannot be reached, without the time in which bytes arrive
    #[arg(long, value_name = "SPAN", env = "SVDR_RETRY_FOR", value_parser = span::parse, default_value = "10m")]
    pub retry_for: Duration,
    /// The backup of the node identities
    #[command(flatten)]
    pub node_identities: NodeIdentitiesArgs,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
}

/// Receives, and prints what came of it.
///
/// # Errors
/// If nothing was received. Nothing that looks finished is left behind then, unless it is.
pub fn run(args: &ReceiveArgs, output: Output) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    let settings = ReceiveSettings::of(args, &online)?;
    let age_identity = args.node_identities.age_identity(&online.config);
    let identities = node_identities::read(&settings.identities, age_identity, None)?;
    let received =
        runtime::on_threads(NETWORK_THREADS, Receiving { online, settings, args }.receive(identities))?;
    let printed = output.show(&received, || text(&received));
    Ok(printed.map_err(|error| error.after("the dump is made and attested"))?)
}

/// What has to be configured.
struct ReceiveSettings {
    identities: PathBuf,
    folder: PathBuf,
}

impl ReceiveSettings {
    fn of(args: &ReceiveArgs, online: &Online) -> Result<ReceiveSettings, ConfigError> {
        let config = &online.config;
        let mut missing = Vec::new();
        let identities = args.node_identities.path(config, &mut missing);
        if config.output_dir.is_none() {
            missing.push(config.missing_output_dir("--config", "SVDR_CONFIG"));
        }
        match (identities, config.output_dir.clone()) {
            (Some(identities), Some(folder)) => Ok(ReceiveSettings { identities, folder }),
            _ => Err(ConfigError::Missing { missing }),
        }
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Received {
    session: String,
    drill: bool,
    round: u32,
    recovery_timestamp: Timestamp,
    from: MemberName,
    donation: Digest,
    dump: PathBuf,
    size: u64,
    sha256: Digest,
    agreement: Option<Digest>,
    attestation: Digest,
    submitted: bool,
    completed: bool,
}

/// What is donated, and what this member has still to sign.
struct Offered {
    session: SessionId,
    round: u32,
    proposal: Digest,
    digest: Digest,
    donation: Donation,
    /// The agreement to sign with it; `None` where it is signed.
    agreement: Option<Agreement>,
}

struct Receiving<'a> {
    online: Online,
    settings: ReceiveSettings,
    args: &'a ReceiveArgs,
}

impl Receiving<'_> {
    async fn receive(self, identities: Identities) -> Result<Received, Failure> {
        let mut seen = self.online.session(Some(&self.args.session)).await?;
        let offered = self.offered(&seen)?;
        let record = match self.made_before(&offered)? {
            Some(record) if self.is_attested(&seen, &offered)? => record,
            made => {
                self.confirm(&seen, &offered)?;
                match made {
                    Some(record) => record,
                    None => {
                        runtime::stoppable("what has arrived is kept", self.make(&offered, identities))
                            .await?
                    }
                }
            }
        };
        self.sign(&mut seen, offered, record).await
    }

    /// The donation that is meant, if it counts and this member can make a dump of it.
    fn offered(&self, seen: &Seen) -> Result<Offered, Failure> {
        let (session, me, from) = (seen.view.session(), self.online.me(), &self.args.from);
        if from == me {
            return Err(ReceiveCommandError::FromItself.into());
        }
        if session.roster().member(from).is_none() {
            return Err(ReceiveCommandError::NoSuchMember { name: from.clone() }.into());
        }
        let round = shown_round(session).ok_or(DecideError::NoProposal { session: session.id() })?;
        let Some(certificate) = session.agreement_certificate(round) else {
            return Err(ReceiveCommandError::NotAgreedYet { round }.into());
        };
        let proposal = certificate.proposal().digest();
        let donations = session.donations(round, &proposal);
        let Some((digest, donation)) = donations.get(from).copied() else {
            let others: Vec<&MemberName> = donations.keys().copied().filter(|name| *name != me).collect();
            let others = match others.is_empty() {
                true => "nobody has yet".to_owned(),
                false => format!("{} did", listed(&others)),
            };
            let (from, session) = (from.clone(), session.id());
            return Err(ReceiveCommandError::NoDonation { from, round, session, others }.into());
        };
        let agreement = self.still_to_agree(seen, round, &proposal)?;
        Ok(Offered { session: session.id(), round, proposal, digest, donation: donation.clone(), agreement })
    }

    /// What the voting rules say about this member's part in the round, before anything is brought here.
    fn still_to_agree(
        &self,
        seen: &Seen,
        round: u32,
        proposal: &Digest,
    ) -> Result<Option<Agreement>, Failure> {
        let record = self.online.store.record(&self.online.roster)?;
        let others: Vec<_> = seen.others.iter().map(crate::replica::Replica::session).collect();
        let session = seen.view.session();
        let voter = Voter::new(self.online.me(), &record, session, &others);
        let refused = |refusal: VoteRefusal| Err(DecideError::Refused(refusal).into());
        let wait = |wait: Wait| Err(DecideError::Wait(wait).into());
        match voter.agree(proposal) {
            Decision::Sign(_) if session.abandonments(round).contains_key(self.online.me()) => {
                Err(ReceiveCommandError::Abandoned { round }.into())
            }
            Decision::Sign(agreement) => Ok(Some(agreement)),
            Decision::Wait(reason) => wait(reason),
            Decision::Refuse(refusal) => refused(refusal),
            Decision::Signed(_) => match voter.dump(round) {
                Decision::Sign(_) | Decision::Signed(_) => Ok(None),
                Decision::Wait(reason) => wait(reason),
                Decision::Refuse(refusal) => refused(refusal),
            },
        }
    }

    /// The dump of an earlier run of this command, if it is what it was. A dump of this member's own stands in the way.
    fn made_before(&self, offered: &Offered) -> Result<Option<DumpRecord>, Failure> {
        let Some(known) = self.online.store.dump(offered.session, offered.round)? else {
            return Ok(None);
        };
        let is_there = matches!(known.is_on_disk(), Ok(true));
        match &known.received {
            Some(received) if received.donation == offered.digest && is_there => Ok(Some(known)),
            None if is_there && known.proposal == offered.proposal => {
                Err(ReceiveCommandError::OwnDump { path: known.path, round: offered.round }.into())
            }
            _ => Ok(None),
        }
    }

    fn is_attested(&self, seen: &Seen, offered: &Offered) -> Result<bool, Failure> {
        let round = offered.round;
        let judged = decide::judge(&self.online, seen, &|voter| match voter.dump(round) {
            Decision::Signed(digest) => Decision::Signed(digest),
            Decision::Wait(wait) => Decision::Wait(wait),
            Decision::Refuse(refusal) => Decision::Refuse(refusal),
            Decision::Sign(_) => Decision::Refuse(VoteRefusal::NotAttested { round }),
        })?;
        Ok(matches!(judged, Decision::Signed(_)))
    }

    fn confirm(&self, seen: &Seen, offered: &Offered) -> Result<(), Failure> {
        let Offered { round, digest, donation, agreement, .. } = offered;
        let of = (&self.args.from, digest, donation);
        let words = signing::receiving(seen.view.session(), self.online.me(), of, agreement.as_ref());
        let question = match agreement {
            Some(_) => {
                format!("Agree to round {round}, and receive and attest {}'s snapshot?", self.args.from)
            }
            None => format!("Receive {}'s snapshot, and attest the dump made of it?", self.args.from),
        };
        confirm::confirm(&words, &[&question], Beforehand::from_yes(self.args.yes))?;
        Ok(())
    }

    /// Step 5.
    async fn sign(&self, seen: &mut Seen, offered: Offered, record: DumpRecord) -> Result<Received, Failure> {
        let (round, proposal) = (offered.round, offered.proposal);
        let mut agreement = None;
        if let Some(shown) = offered.agreement {
            let rule = |voter: &Voter<'_>| any(voter.agree(&proposal), Body::Agreement);
            let signed = decide::sign(&self.online, seen, &rule, Some(&Body::Agreement(shown))).await?;
            agreement = Some(signed.statement);
        }
        let dump = record.to_vote();
        let rule = |voter: &Voter<'_>| any(voter.attest(round, &dump), Body::Attestation);
        let attested = decide::sign(&self.online, seen, &rule, None).await?;
        let session = seen.view.session();
        let completed = session.completion_certificate();
        // Held from now on: it binds this agent.
        if let Some(certificate) = &completed {
            let locked = self.online.store.lock()?;
            locked.keep_certificate(certificate)?;
        }
        Ok(Received {
            session: offered.session.to_string(),
            drill: session.drill(),
            round,
            recovery_timestamp: record.recovery_timestamp,
            from: self.args.from.clone(),
            donation: offered.digest,
            dump: record.path,
            size: record.size,
            sha256: record.sha256,
            agreement,
            attestation: attested.statement,
            submitted: attested.submitted,
            completed: completed.is_some(),
        })
    }
}

fn text(received: &Received) -> String {
    let Received { session, round, from, dump, recovery_timestamp, sha256, .. } = received;
    let drill = if received.drill { "DRILL: " } else { "" };
    let mut text = format!(
        "{drill}The dump of {recovery_timestamp} is made from {from}'s snapshot, and attested in round \
         {round} as received.\n  {}: {}, {sha256}\n",
        dump.display(),
        size(received.size)
    );
    if !received.submitted {
        text += "No coordinator has the attestation yet. `svdr-agent run` submits it.\n";
    }
    text += &match (received.drill, received.completed) {
        (true, _) => "This was a drill: do not deliver its dump.".to_owned(),
        (false, true) => format!("Next, when the others are ready: svdr-agent deliver {session}"),
        (false, false) => {
            "Do not import the dump before the session is completed, which svdr-agent status shows."
                .to_owned()
        }
    };
    shown(&text)
}
