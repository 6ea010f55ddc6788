//! From TOML to a [`Roster`], with every mistake reported at once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    ByKey, MAX_MEMBERS, MAX_OBSERVERS, MAX_ROSTER_LEN, MIN_MEMBERS, Member, Observer, Roster,
    governance_threshold,
};
use crate::keys::{PublicKey, PublicKeyError};
use crate::names::{MAX_NAME_LEN, MemberName, NameError, ParticipantId, SynchronizerId};

/// A roster that cannot be used, with everything that is wrong with it.
///
/// Its text lists every mistake on a line of its own. So no mistake has a help of its own: there is one for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterError {
    /// The mistakes, by line.
    pub mistakes: Vec<RosterMistake>,
}

/// One thing that is wrong with a roster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct RosterMistake {
    /// Its line, from 1.
    pub line: usize,
    /// What it is.
    pub kind: MistakeKind,
}

/// What can be wrong with a roster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MistakeKind {
    /// It is larger than any roster.
    #[error("the file has {found} bytes; expected at most {MAX_ROSTER_LEN}")]
    TooLong {
        /// Its size.
        found: usize,
    },
    /// It is not TOML.
    #[error("not valid TOML: {message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A field that rosters do not have.
    #[error("unknown field {field:?} in {place}; expected one of {known}")]
    UnknownField {
        /// Its name.
        field: String,
        /// The table that has it.
        place: &'static str,
        /// The names there are.
        known: String,
    },
    /// A field is missing.
    #[error("{place} has no {field}; expected {example}")]
    Missing {
        /// Where.
        place: String,
        /// The field.
        field: &'static str,
        /// What to write.
        example: &'static str,
    },
    /// A value is of another type.
    #[error("{field} is of type {found}; expected {expected}")]
    Type {
        /// The field.
        field: &'static str,
        /// The type it should have.
        expected: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// A name, participant or synchronizer is malformed.
    #[error("{0}")]
    Name(#[from] NameError),
    /// A key is malformed.
    #[error("{0}")]
    Key(#[from] PublicKeyError),
    /// The network has no name that can be shown.
    #[error(
        "the network {found:?} is not a name; expected 1 to {MAX_NAME_LEN} bytes without control or invisible \
         characters, for example \"MainNet\""
    )]
    Network {
        /// The name found.
        found: String,
    },
    /// There are too few or too many members.
    #[error(
        "the roster has {found} members; expected {MIN_MEMBERS} to {MAX_MEMBERS}, one [[member]] for each SV"
    )]
    MemberCount {
        /// How many.
        found: usize,
    },
    /// There are too many observers.
    #[error("the roster has {found} observers; expected at most {MAX_OBSERVERS}")]
    ObserverCount {
        /// How many.
        found: usize,
    },
    /// Two of the same.
    #[error(
        "the {what} {value} is already in line {first}; expected another one for each member and observer"
    )]
    Duplicate {
        /// A name, a key or a participant.
        what: &'static str,
        /// The value.
        value: String,
        /// The line it stood in first.
        first: usize,
    },
    /// Two participants with the same short form in logs.
    #[error(
        "the participant looks like the one in line {first}: logs show both as {shown}, \
         so evidence about one could be counted for the other"
    )]
    Indistinguishable {
        /// The line of the other one.
        first: usize,
        /// How both look.
        shown: String,
    },
    /// The threshold is too low or too high.
    #[error(
        "the threshold {found} is not possible with {members} members; expected {least} (the governance threshold) \
         to {members}, or no threshold, which means {least}"
    )]
    Threshold {
        /// The value found.
        found: i64,
        /// How many members there are.
        members: usize,
        /// The governance threshold for so many.
        least: usize,
    },
    /// Nobody may open a session.
    #[error(
        "no member is a convener, so nobody could open a session; expected convener = true for at least one"
    )]
    NoConvener,
}

impl fmt::Display for RosterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.as_slice() {
            [mistake] => write!(f, "the roster cannot be used: {mistake}")?,
            mistakes => {
                write!(f, "the roster cannot be used: it has {} mistakes", mistakes.len())?;
                mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))?;
            }
        }
        f.write_str("\nhelp: correct the roster, then check it again with `svdr-agent roster check`")
    }
}

impl std::error::Error for RosterError {}

const ROSTER: &str = "the roster";
const MEMBER: &str = "[[member]]";
const OBSERVER: &str = "[[observer]]";

pub(super) fn parse(text: &str) -> Result<Roster, RosterError> {
    if text.len() > MAX_ROSTER_LEN {
        let kind = MistakeKind::TooLong { found: text.len() };
        return Err(RosterError { mistakes: vec![RosterMistake { line: 1, kind }] });
    }
    let mut reader = RosterReader { text, mistakes: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            reader.mistake(at, MistakeKind::Syntax { message: error.message().to_owned() });
        }
        return Err(reader.into_error());
    }
    let roster = reader.roster(table.get_ref());
    match roster {
        Some(roster) if reader.mistakes.is_empty() => Ok(roster),
        _ => Err(reader.into_error()),
    }
}

struct RosterReader<'a> {
    text: &'a str,
    mistakes: Vec<RosterMistake>,
}

/// A value and the byte it starts at.
struct At<T> {
    start: usize,
    value: T,
}

impl RosterReader<'_> {
    fn into_error(mut self) -> RosterError {
        self.mistakes.sort_by_key(|mistake| mistake.line);
        RosterError { mistakes: self.mistakes }
    }

    fn line(&self, start: usize) -> usize {
        let before = self.text.as_bytes().get(..start).unwrap_or(self.text.as_bytes());
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    fn mistake(&mut self, start: usize, kind: impl Into<MistakeKind>) {
        let line = self.line(start);
        self.mistakes.push(RosterMistake { line, kind: kind.into() });
    }

    fn roster(&mut self, table: &DeTable<'_>) -> Option<Roster> {
        let start = 0;
        self.known(table, ROSTER, &["network", "synchronizer", "threshold", "member", "observer"]);
        let network = self.text(table, start, ROSTER, "network", "network = \"MainNet\"");
        let network = network.and_then(|At { start, value }| {
            let shown = value.trim() == value && value.parse::<MemberName>().is_ok();
            if !shown {
                self.mistake(start, MistakeKind::Network { found: value.clone() });
            }
            shown.then_some(value)
        });
        let synchronizer: Option<At<SynchronizerId>> =
            self.parsed(table, start, ROSTER, "synchronizer", "synchronizer = \"global-domain::1220…\"");
        let members: Vec<At<Option<Member>>> =
            self.tables(table, "member").into_iter().map(|entry| self.member(entry)).collect();
        let observers: Vec<At<Option<Observer>>> =
            self.tables(table, "observer").into_iter().map(|entry| self.observer(entry)).collect();
        if !(MIN_MEMBERS..=MAX_MEMBERS).contains(&members.len()) {
            self.mistake(0, MistakeKind::MemberCount { found: members.len() });
        }
        if observers.len() > MAX_OBSERVERS {
            self.mistake(0, MistakeKind::ObserverCount { found: observers.len() });
        }
        self.unique(&members, &observers);
        let threshold = self.threshold(table, members.len());
        let complete = members.iter().all(|member| member.value.is_some());
        if complete && !members.iter().flat_map(|member| &member.value).any(|member| member.convener) {
            self.mistake(0, MistakeKind::NoConvener);
        }
        let members: Vec<Member> = members.into_iter().filter_map(|member| member.value).collect();
        let by_name: BTreeMap<MemberName, usize> =
            members.iter().enumerate().map(|(at, member)| (member.name.clone(), at)).collect();
        Some(Roster {
            network: network?,
            synchronizer: synchronizer?.value,
            threshold: threshold?,
            by_key: ByKey::of(&members),
            members,
            observers: observers.into_iter().filter_map(|observer| observer.value).collect(),
            by_name,
            fingerprint: Default::default(),
        })
    }

    fn member(&mut self, At { start, value: table }: At<&DeTable<'_>>) -> At<Option<Member>> {
        self.known(table, MEMBER, &["name", "participant", "key", "convener"]);
        let name = self.parsed(table, start, MEMBER, "name", "name = \"…\"");
        let participant = self.parsed(
            table,
            start,
            MEMBER,
            "participant",
            "participant = \"PAR::identifier::fingerprint\"",
        );
        let key = self.parsed(table, start, MEMBER, "key", "key = \"ed25519:…\"");
        let convener = match table.get("convener") {
            None => Some(false),
            Some(value) => {
                let found = value.get_ref();
                if found.as_bool().is_none() {
                    let (expected, found) = ("true or false", found.type_str());
                    self.mistake(
                        value.span().start,
                        MistakeKind::Type { field: "convener", expected, found },
                    );
                }
                found.as_bool()
            }
        };
        let member = || {
            Some(Member {
                name: name?.value,
                participant: participant?.value,
                key: key?.value,
                convener: convener?,
            })
        };
        At { start, value: member() }
    }

    fn observer(&mut self, At { start, value: table }: At<&DeTable<'_>>) -> At<Option<Observer>> {
        self.known(table, OBSERVER, &["name", "key"]);
        let name: Option<At<MemberName>> = self.parsed(table, start, OBSERVER, "name", "name = \"…\"");
        let key: Option<At<PublicKey>> = self.parsed(table, start, OBSERVER, "key", "key = \"ed25519:…\"");
        let observer = || Some(Observer { name: name?.value, key: key?.value });
        At { start, value: observer() }
    }

    /// Names and keys are unique among members and observers, participants among members, also in their
    /// short forms.
    fn unique(&mut self, members: &[At<Option<Member>>], observers: &[At<Option<Observer>>]) {
        let members = || members.iter().filter_map(|at| at.value.as_ref().map(|member| (at.start, member)));
        let observers = || observers.iter().filter_map(|at| at.value.as_ref().map(|one| (at.start, one)));
        let names = members().map(|(at, one)| (at, one.name.to_string()));
        let names = names.chain(observers().map(|(at, one)| (at, one.name.to_string())));
        let keys = members().map(|(at, one)| (at, one.key.to_string()));
        let keys = keys.chain(observers().map(|(at, one)| (at, one.key.to_string())));
        self.no_duplicates("name", names.collect());
        self.no_duplicates("key", keys.collect());
        let mut seen: HashMap<String, (usize, &ParticipantId)> = HashMap::new();
        for (start, Member { participant, .. }) in members() {
            let shown = participant.in_logs();
            match seen.get(&shown) {
                None => {
                    seen.insert(shown, (start, participant));
                }
                Some(&(first, other)) => {
                    let first = self.line(first);
                    let value = participant.to_string();
                    let kind = if other == participant {
                        MistakeKind::Duplicate { what: "participant", value, first }
                    } else {
                        MistakeKind::Indistinguishable { first, shown }
                    };
                    self.mistake(start, kind);
                }
            }
        }
    }

    fn no_duplicates(&mut self, what: &'static str, values: Vec<(usize, String)>) {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (start, value) in values {
            match seen.get(&value) {
                Some(&first) => {
                    let first = self.line(first);
                    self.mistake(start, MistakeKind::Duplicate { what, value, first });
                }
                None => {
                    seen.insert(value, start);
                }
            }
        }
    }

    fn threshold(&mut self, table: &DeTable<'_>, members: usize) -> Option<usize> {
        let least = governance_threshold(members);
        let Some(value) = table.get("threshold") else {
            return Some(least);
        };
        let number = value.get_ref().as_integer().map(|digits| {
            let digits = (digits.as_str().replace('_', ""), digits.radix());
            i64::from_str_radix(&digits.0, digits.1).unwrap_or(i64::MAX)
        });
        let Some(found) = number else {
            let (expected, found) = ("a whole number", value.get_ref().type_str());
            self.mistake(value.span().start, MistakeKind::Type { field: "threshold", expected, found });
            return None;
        };
        let threshold = usize::try_from(found).ok().filter(|found| (least..=members).contains(found));
        if threshold.is_none() {
            self.mistake(value.span().start, MistakeKind::Threshold { found, members, least });
        }
        threshold
    }

    /// The tables of an array of tables; none if the field is absent.
    fn tables<'t, 'i>(&mut self, table: &'t DeTable<'i>, field: &'static str) -> Vec<At<&'t DeTable<'i>>> {
        let Some(value) = table.get(field) else {
            return Vec::new();
        };
        let expected = if field == "member" {
            "an array of tables, [[member]]"
        } else {
            "an array of tables, [[observer]]"
        };
        let mut wrong = |value: &Spanned<DeValue<'_>>| {
            let found = value.get_ref().type_str();
            self.mistake(value.span().start, MistakeKind::Type { field, expected, found });
        };
        let Some(entries) = value.get_ref().as_array() else {
            wrong(value);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for entry in entries.iter() {
            match entry.get_ref().as_table() {
                Some(table) => tables.push(At { start: entry.span().start, value: table }),
                None => wrong(entry),
            }
        }
        tables
    }

    fn known(&mut self, table: &DeTable<'_>, place: &'static str, known: &[&str]) {
        for field in table.keys().filter(|field| !known.contains(&field.get_ref().as_ref())) {
            let (name, known) = (field.get_ref().to_string(), known.join(", "));
            self.mistake(field.span().start, MistakeKind::UnknownField { field: name, place, known });
        }
    }

    fn text(
        &mut self,
        table: &DeTable<'_>,
        start: usize,
        place: &'static str,
        field: &'static str,
        example: &'static str,
    ) -> Option<At<String>> {
        let Some(value) = table.get(field) else {
            self.mistake(start, MistakeKind::Missing { place: place.to_owned(), field, example });
            return None;
        };
        let start = value.span().start;
        let Some(text) = value.get_ref().as_str() else {
            let (expected, found) = ("a string", value.get_ref().type_str());
            self.mistake(start, MistakeKind::Type { field, expected, found });
            return None;
        };
        Some(At { start, value: text.to_owned() })
    }

    fn parsed<T: FromStr<Err: Into<MistakeKind>>>(
        &mut self,
        table: &DeTable<'_>,
        start: usize,
        place: &'static str,
        field: &'static str,
        example: &'static str,
    ) -> Option<At<T>> {
        let At { start, value } = self.text(table, start, place, field, example)?;
        match value.parse() {
            Ok(value) => Some(At { start, value }),
            Err(error) => {
                self.mistake(start, error);
                None
            }
        }
    }
}
