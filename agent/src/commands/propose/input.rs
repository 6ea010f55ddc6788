//! Evidence from files: documents that `evidence` or `sequencing` prints, and signed statements, in any mix.
//!
//! A file may hold one document, indented or not, or any number of them, one after the other. What counts of
//! each member has to be beyond doubt:
//!
//! * Of signed evidence the highest sequence number counts. Two different ones with the same number are an
//!   equivocation, and two from different sessions, or from a drill and not, do not belong together.
//! * Of unsigned evidence there is only one, since nothing tells which of two is the right one; and none beside
//!   signed evidence of the same member.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::evidence::document::{EvidenceDocument, MAX_DOCUMENT_LEN};
use svdr_protocol::evidence::{Evidence, EvidenceError};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::sequencing::document::SequencingDocument;
use svdr_protocol::sequencing::{self, Sequencing, SequencingError};
use svdr_protocol::statement::{Body, Header, SessionId, Statement, StatementError};

/// The longest file, in bytes: the largest signed evidence of 128 members, one after the other.
const MAX_FILE_LEN: u64 = 1 << 30;

/// Where a document starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputPlace {
    /// The file, or `-`.
    pub path: PathBuf,
    /// The line, from one.
    pub line: usize,
}

/// Why the evidence is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProposeInputError {
    /// A file cannot be read.
    #[error("{} cannot be read\nhelp: check its path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is far too long.
    #[error(
        "{} is larger than {MAX_FILE_LEN} bytes, more than the evidence of all members can have\n\
         help: give a file of evidence",
        path.display()
    )]
    LongFile {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing in a file.
    #[error(
        "{} contains no evidence\nhelp: give a file that `svdr-agent {command}` wrote",
        path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
        /// The command that writes it.
        command: &'static str,
    },
    /// Something is not JSON.
    #[error(
        "{place} is not JSON\nhelp: give a document that `svdr-agent {command}` wrote, or a signed statement"
    )]
    Json {
        /// Where the document starts.
        place: InputPlace,
        /// The command that writes it.
        command: &'static str,
        /// What is wrong, and where.
        #[source]
        source: serde_json::Error,
    },
    /// An unsigned document is too long.
    #[error(
        "{place} has {found} bytes, but a document of evidence has at most {most}\n\
         help: {help}"
    )]
    LongDocument {
        /// Where it starts.
        place: InputPlace,
        /// Its length.
        found: usize,
        /// The most that one has.
        most: usize,
        /// What to do.
        help: &'static str,
    },
    /// It is JSON, but no evidence.
    #[error(
        "{place} is neither a document of `svdr-agent {command}` nor a signed statement\n\
         help: give a file that `svdr-agent {command}` wrote"
    )]
    Foreign {
        /// Where it starts.
        place: InputPlace,
        /// The command that writes one.
        command: &'static str,
        /// What is missing or too much.
        #[source]
        source: serde_json::Error,
    },
    /// A signed statement does not hold.
    #[error("{place} is invalid")]
    Statement {
        /// Where it starts.
        place: InputPlace,
        /// What is wrong with it.
        #[source]
        source: Box<StatementError>,
    },
    /// A signed statement is of another kind.
    #[error(
        "{place} is a statement of kind {kind} by {signer}, not evidence of this plan\n\
         help: remove it from the arguments"
    )]
    NotEvidence {
        /// Where it starts.
        place: InputPlace,
        /// Its kind.
        kind: &'static str,
        /// Who signed it.
        signer: MemberName,
    },
    /// An unsigned document contradicts the roster.
    #[error("{place} does not fit the roster")]
    Evidence {
        /// Where it starts.
        place: InputPlace,
        /// What contradicts.
        #[source]
        source: Box<EvidenceError>,
    },
    /// An unsigned document of a roll-forward contradicts the roster or itself.
    #[error("{place} is invalid")]
    Sequencing {
        /// Where it starts.
        place: InputPlace,
        /// What contradicts.
        #[source]
        source: Box<SequencingError>,
    },
    /// Two unsigned evidences of one member.
    #[error("{first} and {second} are both unsigned evidence of {member}\nhelp: give only one of them")]
    TwoUnsigned {
        /// Whose.
        member: MemberName,
        /// The one.
        first: InputPlace,
        /// The other.
        second: InputPlace,
    },
    /// A member has both signed and unsigned evidence.
    #[error(
        "{signed} is signed and {unsigned} is unsigned evidence of {member}\nhelp: give only one of them"
    )]
    SignedAndUnsigned {
        /// Whose.
        member: MemberName,
        /// The signed one.
        signed: InputPlace,
        /// The unsigned one.
        unsigned: InputPlace,
    },
    /// A member signed two different evidences with one number.
    #[error(
        "EQUIVOCATION: {member} signed different evidence twice with sequence number {sequence}: {first} and \
         {second}\n\
         help: remove both from the arguments, and keep them as the proof"
    )]
    Equivocation {
        /// Who.
        member: MemberName,
        /// The number of both.
        sequence: u64,
        /// The one.
        first: InputPlace,
        /// The other.
        second: InputPlace,
    },
    /// Signed evidence from different sessions, or from a drill and not.
    #[error(
        "{first} is signed for {first_session}, but {second} for {second_session}\n\
         help: use the evidence of one session only"
    )]
    OtherSession {
        /// The one.
        first: InputPlace,
        /// What it is signed for.
        first_session: SignedFor,
        /// The other.
        second: InputPlace,
        /// What that is signed for.
        second_session: SignedFor,
    },
}

impl CommandError for ProposeInputError {
    fn exit(&self) -> Exit {
        match self {
            ProposeInputError::Read { .. } => Exit::Failed,
            _ => Exit::Refused,
        }
    }
}

/// What a statement is signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignedFor {
    session: Option<SessionId>,
    drill: bool,
}

/// What a member reports: a document that a command writes, or a statement of its own kind.
pub(super) trait Report: Sized {
    /// The command that writes the document.
    const COMMAND: &'static str;

    /// Whose it is.
    fn member(&self) -> &MemberName;

    /// The report in a statement's body; the body if it is of another kind.
    fn from_body(body: Body) -> Result<Self, Box<Body>>;

    /// Reads the document at `place`.
    fn from_document(place: &InputPlace, json: &[u8], roster: &Roster) -> Result<Self, ProposeInputError>;
}

/// What counts of each member.
pub(super) struct Inputs<R> {
    members: BTreeMap<MemberName, MemberInput<R>>,
    session: Option<(InputPlace, SignedFor)>,
}

struct MemberInput<R> {
    place: InputPlace,
    evidence: R,
    signed: Option<Signed>,
}

struct Signed {
    sequence: u64,
    digest: Digest,
}

/// Which of the two forms a document has.
#[derive(Deserialize)]
struct DocumentForm {
    #[serde(rename = "payloadType")]
    payload_type: Option<IgnoredAny>,
}

impl<R: Report> Inputs<R> {
    /// Reads all of `paths`.
    pub(super) fn read(paths: &[PathBuf], roster: &Roster) -> Result<Inputs<R>, ProposeInputError> {
        let mut inputs = Inputs { members: BTreeMap::new(), session: None };
        for path in paths {
            let bytes = read(path)?;
            let mut any = false;
            for_each_document(path, &bytes, R::COMMAND, |place, document| {
                any = true;
                inputs.add(place, document, roster)
            })?;
            if !any {
                return Err(ProposeInputError::Empty { path: path.clone(), command: R::COMMAND });
            }
        }
        Ok(inputs)
    }

    /// What counts, one of each member.
    pub(super) fn evidence(&self) -> impl Iterator<Item = &R> {
        self.members.values().map(|input| &input.evidence)
    }

    /// The members whose evidence is not signed.
    pub(super) fn unsigned(&self) -> impl Iterator<Item = &MemberName> {
        self.members.iter().filter(|(_, input)| input.signed.is_none()).map(|(member, _)| member)
    }

    /// Whether the signed evidence is a rehearsal's.
    pub(super) fn is_drill(&self) -> bool {
        self.session.as_ref().is_some_and(|(_, session)| session.drill)
    }

    fn add(&mut self, place: InputPlace, document: &[u8], roster: &Roster) -> Result<(), ProposeInputError> {
        let form: DocumentForm = match serde_json::from_slice(document) {
            Ok(form) => form,
            Err(source) => return Err(ProposeInputError::Foreign { place, command: R::COMMAND, source }),
        };
        let (evidence, signed) = if form.payload_type.is_some() {
            let (header, evidence, digest) = read_statement(&place, document, roster)?;
            self.belongs(&place, &header)?;
            (evidence, Some(Signed { sequence: header.sequence, digest }))
        } else {
            (R::from_document(&place, document, roster)?, None)
        };
        let second = MemberInput { place, evidence, signed };
        match self.members.entry(second.evidence.member().clone()) {
            Entry::Vacant(entry) => {
                entry.insert(second);
            }
            Entry::Occupied(mut entry) => {
                if newer(entry.get(), &second)? {
                    entry.insert(second);
                }
            }
        }
        Ok(())
    }

    /// Refuses signed evidence that is for another session than that before it.
    fn belongs(&mut self, place: &InputPlace, header: &Header) -> Result<(), ProposeInputError> {
        let session = SignedFor { session: header.session, drill: header.drill };
        let (first, first_session) = self.session.get_or_insert_with(|| (place.clone(), session));
        if *first_session == session {
            return Ok(());
        }
        Err(ProposeInputError::OtherSession {
            first: first.clone(),
            first_session: *first_session,
            second: place.clone(),
            second_session: session,
        })
    }
}

/// Whether `second` counts instead of `first`, both of one member.
fn newer<R: Report>(first: &MemberInput<R>, second: &MemberInput<R>) -> Result<bool, ProposeInputError> {
    let member = first.evidence.member().clone();
    let (one, other) = (first.place.clone(), second.place.clone());
    match (&first.signed, &second.signed) {
        (Some(a), Some(b)) if a.sequence == b.sequence && a.digest != b.digest => {
            Err(ProposeInputError::Equivocation { member, sequence: a.sequence, first: one, second: other })
        }
        (Some(a), Some(b)) => Ok(a.sequence < b.sequence),
        (None, None) => Err(ProposeInputError::TwoUnsigned { member, first: one, second: other }),
        (Some(_), None) => Err(ProposeInputError::SignedAndUnsigned { member, signed: one, unsigned: other }),
        (None, Some(_)) => Err(ProposeInputError::SignedAndUnsigned { member, signed: other, unsigned: one }),
    }
}

fn read_statement<R: Report>(
    place: &InputPlace,
    json: &[u8],
    roster: &Roster,
) -> Result<(Header, R, Digest), ProposeInputError> {
    let refused = |source| ProposeInputError::Statement { place: place.clone(), source: Box::new(source) };
    let envelope = Envelope::from_json(json).map_err(|source| refused(source.into()))?;
    let Statement { header, body } = Statement::read(&envelope, roster).map_err(refused)?;
    match R::from_body(body) {
        Ok(evidence) => Ok((header, evidence, envelope.digest())),
        Err(body) => {
            let (kind, signer) = (body.kind(), header.signer);
            Err(ProposeInputError::NotEvidence { place: place.clone(), kind, signer })
        }
    }
}

/// The document that `json` has the form of, if it is no longer than `most`.
fn parsed<'a, R: Report, D: Deserialize<'a>>(
    place: &InputPlace,
    json: &'a [u8],
    most: usize,
    help: &'static str,
) -> Result<D, ProposeInputError> {
    if json.len() > most {
        return Err(ProposeInputError::LongDocument { place: place.clone(), found: json.len(), most, help });
    }
    serde_json::from_slice(json).map_err(|source| ProposeInputError::Foreign {
        place: place.clone(),
        command: R::COMMAND,
        source,
    })
}

impl Report for Evidence {
    const COMMAND: &'static str = "evidence";

    fn member(&self) -> &MemberName {
        &self.member
    }

    fn from_body(body: Body) -> Result<Evidence, Box<Body>> {
        match body {
            Body::Evidence(evidence) => Ok(evidence),
            body => Err(Box::new(body)),
        }
    }

    fn from_document(
        place: &InputPlace,
        json: &[u8],
        roster: &Roster,
    ) -> Result<Evidence, ProposeInputError> {
        let help = "make the evidence of a shorter time with --since";
        let document: EvidenceDocument = parsed::<Evidence, _>(place, json, MAX_DOCUMENT_LEN, help)?;
        document
            .evidence(roster)
            .map_err(|source| ProposeInputError::Evidence { place: place.clone(), source: Box::new(source) })
    }
}

impl Report for Sequencing {
    const COMMAND: &'static str = "sequencing";

    fn member(&self) -> &MemberName {
        &self.member
    }

    fn from_body(body: Body) -> Result<Sequencing, Box<Body>> {
        match body {
            Body::Sequencing(sequencing) => Ok(sequencing),
            body => Err(Box::new(body)),
        }
    }

    fn from_document(
        place: &InputPlace,
        json: &[u8],
        roster: &Roster,
    ) -> Result<Sequencing, ProposeInputError> {
        let (most, help) = (sequencing::document::MAX_DOCUMENT_LEN, "make the evidence again");
        let document: SequencingDocument = parsed::<Sequencing, _>(place, json, most, help)?;
        document.sequencing(roster).map_err(|source| ProposeInputError::Sequencing {
            place: place.clone(),
            source: Box::new(source),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ProposeInputError> {
    let failed = |source| ProposeInputError::Read { path: path.to_owned(), source };
    let mut reader: Box<dyn io::Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut bytes = Vec::new();
    (&mut reader).take(MAX_FILE_LEN + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_LEN {
        return Err(ProposeInputError::LongFile { path: path.to_owned() });
    }
    Ok(bytes)
}

/// Calls `each` with every JSON value in `bytes` and the place where it starts.
fn for_each_document(
    path: &Path,
    bytes: &[u8],
    command: &'static str,
    mut each: impl FnMut(InputPlace, &[u8]) -> Result<(), ProposeInputError>,
) -> Result<(), ProposeInputError> {
    let mut rest = bytes.trim_ascii_start();
    while !rest.is_empty() {
        let line = 1 + bytes[..bytes.len() - rest.len()].iter().filter(|byte| **byte == b'\n').count();
        let place = InputPlace { path: path.to_owned(), line };
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        if let Some(Err(source)) = values.next() {
            return Err(ProposeInputError::Json { place, command, source });
        }
        let (document, behind) = rest.split_at_checked(values.byte_offset()).unwrap_or((rest, &[]));
        each(place, document)?;
        rest = behind.trim_ascii_start();
    }
    Ok(())
}

impl fmt::Display for InputPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", svdr_protocol::text::shown(&self.path.display().to_string()), self.line)
    }
}

impl fmt::Display for SignedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.session, self.drill) {
            (Some(session), false) => write!(f, "session {session}"),
            (Some(session), true) => write!(f, "drill {session}"),
            (None, false) => write!(f, "no session"),
            (None, true) => write!(f, "a drill"),
        }
    }
}

#[cfg(test)]
mod tests;
