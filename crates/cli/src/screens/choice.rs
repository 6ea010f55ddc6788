//! Which session somebody means who types the beginning of its id.

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::SessionId;

/// Hexadecimal digits that an id must be named by: fewer would be a slip of the fingers.
pub const MIN_PREFIX_LEN: usize = 4;

/// Why it is not clear which session is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// The beginning of the id is too short.
    #[error(
        "{given:?} is too short to name a session; give at least {MIN_PREFIX_LEN} of its hexadecimal digits"
    )]
    ShortPrefix {
        /// What was given.
        given: String,
    },
    /// No session has an id that begins so.
    #[error("no session's id begins with {given:?}; known are: {known}")]
    NoSuchSession {
        /// What was given.
        given: String,
        /// The ids known.
        known: String,
    },
    /// Several do.
    #[error("{given:?} begins the ids of several sessions: {known}; give more of it")]
    Ambiguous {
        /// What was given.
        given: String,
        /// Those ids.
        known: String,
    },
}

impl CommandError for ChoiceError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// The one session of `known` whose id begins with `prefix`, in either case.
///
/// # Errors
/// Where it is none or several, or the prefix is shorter than [`MIN_PREFIX_LEN`].
pub fn choose(known: &[SessionId], prefix: &str) -> Result<SessionId, ChoiceError> {
    let given = || prefix.to_owned();
    if prefix.len() < MIN_PREFIX_LEN {
        return Err(ChoiceError::ShortPrefix { given: given() });
    }
    let lower = prefix.to_ascii_lowercase();
    let fits: Vec<SessionId> =
        known.iter().filter(|id| id.to_string().starts_with(&lower)).copied().collect();
    match fits.as_slice() {
        [one] => Ok(*one),
        [] => Err(ChoiceError::NoSuchSession { given: given(), known: ids(known) }),
        several => Err(ChoiceError::Ambiguous { given: given(), known: ids(several) }),
    }
}

fn ids(sessions: &[SessionId]) -> String {
    let ids: Vec<String> = sessions.iter().map(ToString::to_string).collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_the_beginning_of_its_id() {
        let ids = ["4f3a0000000000000000000000000000", "4f3b0000000000000000000000000000"];
        let known = ids.map(|id| id.parse::<SessionId>().unwrap());
        assert_eq!(choose(&known, "4f3a").unwrap(), known[0]);
        assert_eq!(choose(&known, "4F3B").unwrap(), known[1]);
        assert_eq!(choose(&known, ids[0]).unwrap(), known[0]);
        assert!(matches!(choose(&known, "4f3"), Err(ChoiceError::ShortPrefix { .. })));
        assert!(matches!(choose(&known, "beef"), Err(ChoiceError::NoSuchSession { .. })));
        let same = ["4f3a0000000000000000000000000000", "4f3a1000000000000000000000000000"];
        let same = same.map(|id| id.parse::<SessionId>().unwrap());
        assert!(matches!(choose(&same, "4f3a"), Err(ChoiceError::Ambiguous { .. })));
        let error = choose(&known, "beef").unwrap_err().to_string();
        assert!(error.contains(ids[0]) && error.contains(ids[1]), "{error}");
        assert!(choose(&[], "beef").unwrap_err().to_string().ends_with("known are: none"));
    }
}
