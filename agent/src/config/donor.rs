//! The texts of `[donor]`, from the file, a flag or a variable.

use std::net::SocketAddr;

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::MAX_URL_LEN;
use svdr_protocol::text::hidden_in;

/// Where an endpoint listens that nothing is said about: all addresses, the port beside the coordinator's.
pub const DEFAULT_LISTEN: &str = "0.0.0.0:7444";

/// A text of `[donor]` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DonorTextError {
    #[error("{found:?} is not a full party id\nhelp: write DSO::1220 and 64 more characters")]
    Party { found: String },
    #[error(
        "{found:?} is not an address to listen on\nhelp: write an address such as 0.0.0.0:7444 or [::]:7444"
    )]
    Address { found: String },
    #[error(
        "{found:?} is not the URL of an endpoint\n\
         help: write https://HOST:PORT without path, user or query, in at most {MAX_URL_LEN} bytes"
    )]
    Url { found: String },
}

impl CommandError for DonorTextError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// A party id in full: a hint, `::` and a fingerprint.
///
/// # Errors
/// Where the text is none.
pub fn party(text: &str) -> Result<String, DonorTextError> {
    let is_party = text.split_once("::").is_some_and(|(hint, fingerprint)| {
        !hint.is_empty()
            && !fingerprint.is_empty()
            && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let fits = text.len() <= 255 && hidden_in(text).is_none();
    if is_party && fits { Ok(text.to_owned()) } else { Err(DonorTextError::Party { found: text.to_owned() }) }
}

/// An address to listen on.
///
/// # Errors
/// Where the text is none.
pub fn address(text: &str) -> Result<SocketAddr, DonorTextError> {
    text.parse()
        .map_err(|_error: std::net::AddrParseError| DonorTextError::Address { found: text.to_owned() })
}

/// `https://HOST:PORT`, as a donation carries it: without a slash at its end.
///
/// # Errors
/// Where the text is none.
pub fn url(text: &str) -> Result<String, DonorTextError> {
    // What stands before an `@` could be a password.
    let found = || text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("…@{rest}"));
    let wrong = || DonorTextError::Url { found: found() };
    let parsed = reqwest::Url::parse(text).map_err(|_error| wrong())?;
    let bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    let anonymous = parsed.username().is_empty() && parsed.password().is_none();
    if parsed.scheme() != "https"
        || parsed.host_str().is_none()
        || !bare
        || !anonymous
        || text.len() > MAX_URL_LEN
    {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn urls_are_those_that_a_donation_may_carry() {
        assert_eq!(url("https://sv-1.example.com:7444").unwrap(), "https://sv-1.example.com:7444");
        assert_eq!(url("https://[::1]:7444/").unwrap(), "https://[::1]:7444");
        for wrong in ["http://a:1", "a:7444", "https://", "https://a/b", "https://a?b", "https://a#b", ""] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        assert!(url(&format!("https://{}", "a".repeat(MAX_URL_LEN))).is_err());
        let error = url("https://u:hunter2@a").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn parties_and_addresses_are_whole() {
        party("DSO::1220be58").unwrap();
        for wrong in ["DSO", "DSO::", "::1220", "DSO::1220…", "DSO::1220\n", "A::B::1220"] {
            assert!(party(wrong).is_err(), "{wrong}");
        }
        address("[::]:7444").unwrap();
        for wrong in ["7444", "localhost:7444", "0.0.0.0"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
