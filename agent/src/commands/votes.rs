//! `agree`, `reject`, `abandon`, `release`, `done`: the operator's decisions. What they have in common is in
//! [`decide`](crate::operator::decide).

use clap::Args;
use svdr_cli::confirm::Beforehand;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::runtime;
use svdr_cli::screens::{short, shown_round};
use svdr_protocol::digest::Digest;
use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, MAX_SHORT_TEXT_LEN, Milestone};
use svdr_protocol::vote::{Decision, Voter};

use crate::operator::decide::{DecideError, Wish, any, decide, reason};
use crate::operator::online::{Online, OnlineArgs, Seen};
use svdr_cli::screens::operator::{next, signing};

/// Arguments that all decisions take.
#[derive(Clone, Debug, Args)]
pub struct VoteArgs {
    /// The session's id, or at least its first 4 digits
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// Answer the questions with yes, and still show what is signed
    #[arg(long)]
    pub yes: bool,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
}

/// Arguments of `agree`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent agree 4f3a\n\n\
    Exit code 3 if the voting rules refuse, 1 if something must arrive first or nobody can be asked.")]
pub struct AgreeArgs {
    /// What all decisions take
    #[command(flatten)]
    pub vote: VoteArgs,
    /// The proposal's digest, or the start of it, if the round has several proposals
    #[arg(long, value_name = "DIGEST")]
    pub proposal: Option<String>,
}

/// Arguments of `reject`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent reject 4f3a --reason \"our participant was restored at 22:00\"")]
pub struct RejectArgs {
    /// What all decisions take
    #[command(flatten)]
    pub vote: VoteArgs,
    /// The reason, which all members can read
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The proposal's digest, or the start of it, if the round has several proposals
    #[arg(long, value_name = "DIGEST")]
    pub proposal: Option<String>,
}

/// Arguments of `abandon` and `release`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent abandon 4f3a --round 1 --reason \"pruned beyond the timestamp\"")]
pub struct RoundArgs {
    /// What all decisions take
    #[command(flatten)]
    pub vote: VoteArgs,
    /// The reason, which all members can read
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The round [default: the latest round]
    #[arg(long, value_name = "N")]
    pub round: Option<u32>,
}

/// Arguments of `done`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent done 4f3a stopped --note \"replicas 0\" --yes\n  \
    svdr-agent done 4f3a --unlisted \"pager handed over\"")]
pub struct DoneArgs {
    /// What all decisions take
    #[command(flatten)]
    pub vote: VoteArgs,
    /// The step: stopped, backed-up, identities-checked, dump-made, delivered, synchronizer-deployed, restored or verified
    #[arg(value_name = "MILESTONE")]
    pub milestone: String,
    /// Mark a step that is not in the runbook, in your own words
    #[arg(long)]
    pub unlisted: bool,
    /// A note, which all members can read
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// Opens everything, and looks at the session.
fn carry_out(
    args: &VoteArgs,
    output: Output,
    wish: impl FnOnce(&Online, &Seen) -> Result<Prepared, Failure>,
) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    runtime::block_on(async {
        let seen = online.session(Some(&args.session)).await?;
        let Prepared { decide: rule, words, questions } = wish(&online, &seen)?;
        let beforehand = Beforehand::from_yes(args.yes);
        let wish = Wish { decide: &*rule, words: &*words, questions, beforehand };
        decide(&online, seen, &wish, output).await
    })
}

/// What the voting rules say of a wish.
type Rule = dyn Fn(&Voter<'_>) -> Decision<Body>;
/// The words before it is signed.
type Words = dyn Fn(&Session, &MemberName, &Body) -> String;

/// A wish that owns what it needs.
struct Prepared {
    decide: Box<Rule>,
    words: Box<Words>,
    questions: Vec<String>,
}

/// Agrees to a proposal.
///
/// # Errors
/// If nothing was signed.
pub fn agree(args: &AgreeArgs, output: Output) -> Result<(), Failure> {
    carry_out(&args.vote, output, |_, seen| {
        let session = seen.view.session();
        let (round, proposal) = proposal(session, args.proposal.as_deref())?;
        Ok(Prepared {
            decide: Box::new(move |voter| any(voter.agree(&proposal), Body::Agreement)),
            words: Box::new(|session, me, body| match body {
                Body::Agreement(agreement) => signing::agreement(session, me, agreement),
                _ => String::new(),
            }),
            questions: vec![format!("Agree to proposal {} of round {round}?", short(&proposal))],
        })
    })
}

/// Rejects a proposal.
///
/// # Errors
/// If nothing was signed.
pub fn reject(args: &RejectArgs, output: Output) -> Result<(), Failure> {
    let reason = reason(&args.reason)?;
    carry_out(&args.vote, output, |_, seen| {
        let (round, proposal) = proposal(seen.view.session(), args.proposal.as_deref())?;
        Ok(Prepared {
            decide: Box::new(move |voter| any(voter.reject(&proposal, &reason), Body::Rejection)),
            words: Box::new(|session, me, body| match body {
                Body::Rejection(rejection) => signing::rejection(session, me, rejection),
                _ => String::new(),
            }),
            questions: vec![format!("Reject proposal {} of round {round}?", short(&proposal))],
        })
    })
}

/// Promises never to attest a round.
///
/// # Errors
/// If nothing was signed.
pub fn abandon(args: &RoundArgs, output: Output) -> Result<(), Failure> {
    let reason = reason(&args.reason)?;
    carry_out(&args.vote, output, |_, seen| {
        let round = round(seen.view.session(), args.round)?;
        Ok(Prepared {
            decide: Box::new(move |voter| any(voter.abandon(round, &reason), Body::Abandonment)),
            words: Box::new(|session, me, body| match body {
                Body::Abandonment(abandonment) => signing::abandonment(session, me, abandonment),
                _ => String::new(),
            }),
            questions: vec![format!("Promise never to attest round {round}?")],
        })
    })
}

/// Takes an attestation back, asked twice.
///
/// # Errors
/// If nothing was signed.
pub fn release(args: &RoundArgs, output: Output) -> Result<(), Failure> {
    let reason = reason(&args.reason)?;
    carry_out(&args.vote, output, |online, seen| {
        let round = round(seen.view.session(), args.round)?;
        Ok(Prepared {
            decide: Box::new(move |voter| any(voter.release(round, &reason), Body::Release)),
            words: Box::new(|session, me, body| match body {
                Body::Release(release) => signing::release(session, me, release),
                _ => String::new(),
            }),
            questions: signing::release_questions(round, online.me()).into(),
        })
    })
}

/// Marks a step of the runbook done.
///
/// # Errors
/// If nothing was signed.
pub fn done(args: &DoneArgs, output: Output) -> Result<(), Failure> {
    let name = reason(&args.milestone)?;
    if !args.unlisted {
        name.parse::<Step>().map_err(|_none| DecideError::NoSuchStep { found: name.clone() })?;
    }
    if name.len() > MAX_SHORT_TEXT_LEN {
        return Err(DecideError::Reason.into());
    }
    let note = args.note.as_deref().map(reason).transpose()?.unwrap_or_default();
    carry_out(&args.vote, output, |_, _| {
        let question = format!("Mark {name:?} done?");
        Ok(Prepared {
            decide: Box::new(move |_| {
                Decision::Sign(Body::Milestone(Milestone { name: name.clone(), note: note.clone() }))
            }),
            words: Box::new(|session, me, body| match body {
                Body::Milestone(milestone) => signing::milestone(session, me, milestone),
                _ => String::new(),
            }),
            questions: vec![question],
        })
    })
}

/// The proposal that is meant: the one that screens show, or the one of its round whose digest begins so.
fn proposal(session: &Session, prefix: Option<&str>) -> Result<(u32, Digest), DecideError> {
    let (round, current) =
        next::current_proposal(session).ok_or(DecideError::NoProposal { session: session.id() })?;
    let Some(given) = prefix else { return Ok((round, current)) };
    let digits = given.strip_prefix("sha256:").unwrap_or(given).to_ascii_lowercase();
    let all: Vec<Digest> = session.proposals(round).map(|one| one.digest()).collect();
    let hex = |digest: &Digest| digest.to_string().trim_start_matches("sha256:").to_owned();
    let fits: Vec<&Digest> = all.iter().filter(|digest| hex(digest).starts_with(&digits)).collect();
    match fits.as_slice() {
        [one] if !digits.is_empty() => Ok((round, **one)),
        _ => Err(DecideError::NoSuchProposal {
            session: session.id(),
            round,
            given: given.to_owned(),
            known: all.iter().map(short).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// The round that is meant.
fn round(session: &Session, given: Option<u32>) -> Result<u32, DecideError> {
    let latest = given.or_else(|| shown_round(session));
    latest.ok_or(DecideError::NoProposal { session: session.id() })
}
