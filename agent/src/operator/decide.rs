//! How an operator's decision becomes a signed statement, whichever it is:
//!
//! 1. Look at the session, and ask the voting rules whether this may be signed.
//! 2. Show in words what will be signed, and ask. Nothing is locked meanwhile.
//! 3. Lock the store, look again at what this member has signed since, and ask the rules again. What they give now
//!    has to be what was shown; else nothing is signed.
//! 4. Sign, and flush to the disk. From here on the vote binds.
//! 5. Submit it. Where that fails, the agent's `run` does it later, since it finds the vote in the store.

use serde::Serialize;
use svdr_cli::confirm::{self, Beforehand};
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::failure::{CommandError, Exit, in_one_line};
use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, MAX_REASON_LEN, SessionId};
use svdr_protocol::text::shortened;
use svdr_protocol::text::shown;
use svdr_protocol::vote::{Decision, VoteRefusal, Voter, Wait};

use super::online::{Online, Seen};
use crate::replica::{Ledger, Replica};

/// Why nothing was signed, as far as no other error says it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecideError {
    /// The rules say not yet.
    #[error("nothing is signed yet")]
    Wait(#[source] Wait),
    /// The rules say no.
    #[error("nothing is signed")]
    Refused(#[source] VoteRefusal),
    /// What was shown is not what the rules give any more.
    #[error(
        "the session or this member's votes changed while you were asked, so the statement would no longer be the one that \
         you were shown; nothing is signed\nhelp: run the command again"
    )]
    Changed,
    #[error("session {session} has no proposal yet\nhelp: see with svdr-agent status what it waits for")]
    NoProposal { session: SessionId },
    #[error("round {round} of session {session} has no proposal that begins with {given:?}; it has {known}")]
    NoSuchProposal { session: SessionId, round: u32, given: String, known: String },
    #[error(
        "a reason has 1 to {MAX_REASON_LEN} bytes on one line\nhelp: give one that the others understand on the call"
    )]
    Reason,
    #[error(
        "{found:?} is not a step of the runbook, whose steps are {}\nhelp: mark a step in your own words with --unlisted",
        Step::ALL.map(Step::name).join(", ")
    )]
    NoSuchStep { found: String },
}

impl CommandError for DecideError {
    fn exit(&self) -> Exit {
        match self {
            DecideError::Refused(_) => Exit::Refused,
            DecideError::Reason | DecideError::NoSuchStep { .. } | DecideError::NoSuchProposal { .. } => {
                Exit::Usage
            }
            DecideError::Wait(_) | DecideError::Changed | DecideError::NoProposal { .. } => Exit::Failed,
        }
    }
}

/// What an operator decided.
pub struct Wish<'a> {
    /// What the voting rules say of it.
    pub decide: &'a Rule<'a>,
    /// The words before it is signed.
    pub words: &'a dyn Fn(&Session, &MemberName, &Body) -> String,
    /// The questions, all of which have to be answered with yes.
    pub questions: Vec<String>,
    /// Whether they were answered beforehand.
    pub beforehand: Beforehand,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    session: SessionIdText,
    drill: bool,
    member: MemberName,
    kind: &'static str,
    says: Option<String>,
    /// Digest of the statement.
    pub statement: Digest,
    /// Whether it was signed before already.
    pub signed_before: bool,
    /// Whether a coordinator has acknowledged it.
    pub submitted: bool,
    coordinator: Option<String>,
    position: Option<u64>,
}

#[derive(Debug, Serialize)]
struct SessionIdText(String);

/// What the voting rules say of something that could be signed.
pub type Rule<'a> = dyn Fn(&Voter<'_>) -> Decision<Body> + 'a;

/// Carries out the wish of an operator in the session seen, and prints what came of it.
///
/// # Errors
/// If nothing was signed.
pub async fn decide(online: &Online, mut seen: Seen, wish: &Wish<'_>, output: Output) -> Result<(), Failure> {
    let shown = match judge(online, &seen, wish.decide)? {
        Decision::Sign(body) => {
            let words = (wish.words)(seen.view.session(), online.me(), &body);
            let questions: Vec<&str> = wish.questions.iter().map(String::as_str).collect();
            confirm::confirm(&words, &questions, wish.beforehand)?;
            Some(body)
        }
        Decision::Signed(_) => None,
        Decision::Wait(wait) => return Err(DecideError::Wait(wait).into()),
        Decision::Refuse(refusal) => return Err(DecideError::Refused(refusal).into()),
    };
    let outcome = sign(online, &mut seen, wish.decide, shown.as_ref()).await?;
    let printed = output.show(&outcome, || text(&outcome));
    Ok(printed.map_err(|error| error.after("the statement is signed"))?)
}

/// Steps 3 to 5 with what the operator was shown before; `None` where that needs no answer of a person, or was signed
/// already.
///
/// # Errors
/// If nothing was signed.
pub async fn sign(
    online: &Online,
    seen: &mut Seen,
    rule: &Rule<'_>,
    shown: Option<&Body>,
) -> Result<Outcome, Failure> {
    let signed = sign_locked(online, seen, rule, shown)?;
    seen.view.refresh(&online.store)?;
    match signed {
        Signed::Now(signed) => {
            let (envelope, body) = *signed;
            Ok(finish(online, seen, &envelope, Some(&body), false).await)
        }
        Signed::Before(digest) => again(online, seen, digest).await,
    }
}

/// What the voting rules say now.
///
/// # Errors
/// Where the store cannot be read.
pub fn judge(online: &Online, seen: &Seen, rule: &Rule<'_>) -> Result<Decision<Body>, Failure> {
    let record = online.store.record(&online.roster)?;
    let others: Vec<&Session> = seen.others.iter().map(Replica::session).collect();
    Ok(rule(&Voter::new(online.me(), &record, seen.view.session(), &others)))
}

/// What is signed under the lock.
enum Signed {
    Now(Box<(Envelope, Body)>),
    Before(Digest),
}

/// Decides once more under the lock, and signs.
fn sign_locked(
    online: &Online,
    seen: &mut Seen,
    rule: &Rule<'_>,
    shown: Option<&Body>,
) -> Result<Signed, Failure> {
    let locked = online.store.lock()?;
    seen.view.refresh(&online.store)?;
    match judge(online, seen, rule)? {
        Decision::Sign(body) if shown.is_none_or(|shown| *shown == body) => {
            let envelope = locked.sign(&online.signer, seen.view.session(), body.clone())?;
            Ok(Signed::Now(Box::new((envelope, body))))
        }
        Decision::Signed(digest) if shown.is_none() => Ok(Signed::Before(digest)),
        Decision::Wait(wait) if shown.is_none() => Err(DecideError::Wait(wait).into()),
        Decision::Refuse(refusal) if shown.is_none() => Err(DecideError::Refused(refusal).into()),
        _ => Err(DecideError::Changed.into()),
    }
}

/// It is signed already: sends the same bytes again.
async fn again(online: &Online, seen: &mut Seen, digest: Digest) -> Result<Outcome, Failure> {
    let known =
        seen.view.session().statement(&digest).map(|one| (one.envelope().clone(), one.body().clone()));
    let stored = online.store.signed(seen.view.session().id())?;
    let stored = stored.into_iter().find(|envelope| envelope.digest() == digest).map(|one| (one, None));
    let found = known.map(|(envelope, body)| (envelope, Some(body))).or(stored);
    match found {
        Some((envelope, body)) => Ok(finish(online, seen, &envelope, body.as_ref(), true).await),
        // The rules found it in the session or in the store.
        None => Err(DecideError::Changed.into()),
    }
}

/// Submits it, and says what came of that.
async fn finish(
    online: &Online,
    seen: &mut Seen,
    envelope: &Envelope,
    body: Option<&Body>,
    signed_before: bool,
) -> Outcome {
    let session = seen.view.session();
    let mut outcome = Outcome {
        session: SessionIdText(session.id().to_string()),
        drill: session.drill(),
        member: online.me().clone(),
        kind: body.map_or("statement", Body::kind),
        says: body.map(ToString::to_string),
        statement: envelope.digest(),
        signed_before,
        submitted: false,
        coordinator: None,
        position: None,
    };
    match submit(online, seen, envelope).await {
        Ok(Some((url, position))) => {
            outcome.submitted = true;
            outcome.coordinator = Some(url);
            outcome.position = Some(position);
        }
        Ok(None) => {}
        Err(error) => tracing::warn!("{}", error.in_one_line()),
    }
    outcome
}

/// Submits a statement, behind those that this member signed while no coordinator could be reached; gives the
/// coordinator and the position that it acknowledged. `None` where there is no coordinator.
async fn submit(
    online: &Online,
    seen: &mut Seen,
    envelope: &Envelope,
) -> Result<Option<(String, u64)>, Failure> {
    let session = seen.view.session().id();
    let Some(connection) = seen.connection.as_mut() else { return Ok(None) };
    // The operator may have thought for a while, and the connection may have broken meanwhile.
    *connection = online.coordinators.connect_again(connection.coordinator()).await?;
    let mut ledger = Ledger::open(&online.store, &online.roster, session, connection.coordinator())?;
    for left in online.store.signed(session)? {
        if left.digest() == envelope.digest() || ledger.has_acknowledged(&left.digest()) {
            continue;
        }
        match connection.submit(&left).await {
            Ok(receipt) => ledger.acknowledged(&online.store, [&receipt])?,
            Err(error) => tracing::warn!("an earlier statement: {}", in_one_line(&error)),
        }
    }
    let receipt = connection.submit(envelope).await?;
    ledger.acknowledged(&online.store, [&receipt])?;
    Ok(Some((connection.coordinator().url.clone(), receipt.receipt().position)))
}

fn text(outcome: &Outcome) -> String {
    let drill = if outcome.drill { "DRILL: " } else { "" };
    let says = outcome.says.as_deref().unwrap_or_default();
    let signed = if outcome.signed_before { "had signed this already" } else { "has signed" };
    let member = &outcome.member;
    let mut text = format!("{drill}{member} {signed}: {} {}\n  {says}\n", outcome.kind, outcome.statement);
    text += &match (&outcome.coordinator, outcome.position) {
        (Some(url), Some(position)) => {
            format!("{url} has acknowledged the statement at position {position}.")
        }
        _ => "No coordinator has this statement yet, but it binds already. It is in the state folder. \
            `svdr-agent run` or the next command that signs something submits it."
            .to_owned(),
    };
    shown(&text)
}

/// The reason that an operator gives, as a statement may carry it.
///
/// # Errors
/// Where it is empty or too long.
pub fn reason(text: &str) -> Result<String, Failure> {
    let clean = shortened(text, MAX_REASON_LEN);
    if clean.is_empty() || text.trim().len() > MAX_REASON_LEN {
        Err(DecideError::Reason.into())
    } else {
        Ok(clean)
    }
}

/// A decision on one kind as a decision on any.
pub fn any<T>(decision: Decision<T>, body: impl FnOnce(T) -> Body) -> Decision<Body> {
    match decision {
        Decision::Sign(content) => Decision::Sign(body(content)),
        Decision::Signed(digest) => Decision::Signed(digest),
        Decision::Wait(wait) => Decision::Wait(wait),
        Decision::Refuse(refusal) => Decision::Refuse(refusal),
    }
}

#[cfg(test)]
mod tests;
