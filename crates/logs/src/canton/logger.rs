//! The logger of a record: which component wrote it, for which participant, about which synchronizer.
//!
//! `c.d.c.p.p.AcsCommitmentProcessor:participant=sv1/psid=global-domain::1220be58c29e::34-0`: the path of a class, and
//! parameters. The last part of a physical synchronizer's id is the protocol version and a serial number.

use std::sync::Arc;

use svdr_protocol::names::SHORT_FINGERPRINT_LEN;

use crate::limits::MAX_SYNCHRONIZER_BYTES;

/// The components that compare commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    /// `AcsCommitmentProcessor`, up to protocol version 35: it logs matches and mismatches.
    Processor,
    /// `ReceivedAcsCommitmentMatcher`, from protocol version 36 (Canton 3.6) on: it logs mismatches and no matches.
    Matcher,
}

/// The classes whose messages are evidence.
const COMPONENTS: [(&str, Component); 2] =
    [("AcsCommitmentProcessor", Component::Processor), ("ReceivedAcsCommitmentMatcher", Component::Matcher)];
/// The protocol version from which on the processor only broadcasts, also to its own participant.
const FIRST_WITH_MATCHER: u32 = 36;
/// The names under which a logger carries the synchronizer, over the releases.
const SYNCHRONIZER_FIELDS: [&str; 4] = ["synchronizerId", "psid", "synchronizer", "domainId"];
const PARTICIPANT_FIELD: &str = "participant";

/// A logger, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logger {
    text: String,
    /// The component that compares commitments, if the logger is of one.
    pub(crate) component: Option<Component>,
    /// The name of the participant in its process.
    pub(crate) participant: Option<String>,
    /// The synchronizer in short form.
    pub(crate) synchronizer: Option<String>,
    /// Whether lines that name their own participant as the sender are its own broadcasts.
    pub(crate) sees_own_broadcasts: bool,
}

impl Logger {
    /// Returns the class, without its packages and its parameters.
    pub(crate) fn class(&self) -> &str {
        class(&self.text)
    }

    fn parse(text: &str) -> Logger {
        let mut logger = Logger {
            text: text.to_owned(),
            component: component(class(text)),
            participant: None,
            synchronizer: None,
            sees_own_broadcasts: false,
        };
        let parameters = memchr::memchr(b':', text.as_bytes()).and_then(|colon| text.get(colon + 1..));
        for (field, value) in parameters.into_iter().flat_map(fields) {
            if field == PARTICIPANT_FIELD {
                logger.participant = Some(value.trim().to_owned()).filter(|name| !name.is_empty());
            } else if SYNCHRONIZER_FIELDS.contains(&field) && logger.synchronizer.is_none() {
                logger.synchronizer = short_synchronizer(value);
                logger.sees_own_broadcasts =
                    protocol_version(value).is_some_and(|it| it >= FIRST_WITH_MATCHER);
            }
        }
        logger.sees_own_broadcasts |= logger.component == Some(Component::Matcher);
        logger
    }
}

/// Returns the parameters of a logger: `a=b/c=d`.
fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(['/', ','])
        .filter_map(|parameter| parameter.split_once('='))
        .map(|(field, it)| (field.trim(), it))
}

/// Loggers that were taken apart. The lines of a log are nearly all of the same one, so the last is kept.
#[derive(Debug, Default)]
pub(crate) struct Loggers {
    last: Option<Arc<Logger>>,
}

impl Loggers {
    /// Returns the logger that is printed as `text`.
    pub(crate) fn get(&mut self, text: &str) -> Arc<Logger> {
        match &self.last {
            Some(last) if last.text == text => Arc::clone(last),
            _ => Arc::clone(self.last.insert(Arc::new(Logger::parse(text)))),
        }
    }
}

/// Returns the component that `class` is, or is inside of; Scala separates the names with a dollar sign.
pub(crate) fn component(class: &str) -> Option<Component> {
    let is_of =
        |name: &str| class.strip_prefix(name).is_some_and(|inner| inner.is_empty() || inner.starts_with('$'));
    COMPONENTS.into_iter().find(|(name, _)| is_of(name)).map(|(_, component)| component)
}

/// Returns the class of a logger, without its packages and its parameters.
pub(crate) fn class(logger: &str) -> &str {
    let path = logger.find([':', ' ']).map_or(logger, |end| &logger[..end]);
    path.rsplit('.').next().unwrap_or(path)
}

/// Shortens `identifier::fingerprint`, with or without a physical suffix (`::34-0`) and dots.
pub(super) fn short_synchronizer(text: &str) -> Option<String> {
    let text = text.trim();
    let (identifier, rest) = text.split_once("::")?;
    let fingerprint = rest.split_once("::").map_or(rest, |(fingerprint, _)| fingerprint);
    let fingerprint = fingerprint.trim_end_matches(['.', '…']);
    // A fingerprint that is shorter, or not ASCII there, is printed whole.
    let fingerprint = fingerprint.get(..SHORT_FINGERPRINT_LEN).unwrap_or(fingerprint);
    let fits = !identifier.is_empty() && !fingerprint.is_empty() && text.len() <= MAX_SYNCHRONIZER_BYTES;
    fits.then(|| format!("{identifier}::{fingerprint}"))
}

/// Returns the protocol version in the suffix of a physical synchronizer's id.
fn protocol_version(psid: &str) -> Option<u32> {
    let (_, rest) = psid.split_once("::")?;
    let (_, suffix) = rest.split_once("::")?;
    suffix.split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loggers_are_taken_apart() {
        let mut loggers = Loggers::default();
        let old = loggers.get("c.d.c.p.p.AcsCommitmentProcessor:participant=sv1/psid=d::1220be58c29e::35-0");
        assert_eq!(old.component, Some(Component::Processor));
        assert_eq!(old.participant.as_deref(), Some("sv1"));
        assert_eq!(old.synchronizer.as_deref(), Some("d::1220be58c29e"));
        assert!(!old.sees_own_broadcasts);
        assert!(Arc::ptr_eq(&old, &loggers.get(&old.text)));
        let new = loggers.get("AcsCommitmentProcessor:participant=sv1/psid=d::1220be58c29e::36-0");
        assert!(new.sees_own_broadcasts);
        let matcher =
            loggers.get("c.d.c.p.c.ReceivedAcsCommitmentMatcher$:participant=/synchronizer=d::1220be58c29e");
        assert_eq!((matcher.component, matcher.participant.as_deref()), (Some(Component::Matcher), None));
        assert!(matcher.sees_own_broadcasts);
        assert_eq!(loggers.get("c.d.AcsCommitmentProcessors").component, None);
    }
}
