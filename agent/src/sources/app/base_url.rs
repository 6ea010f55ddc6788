//! The address of the SV app's API, as an operator configures it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use reqwest::Url;
use svdr_protocol::time::Timestamp;

/// Where the SV app's API lives, for example `https://sv.sv.example.com/api/sv`: http or https, without user,
/// query or fragment; with or without a slash at the end.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Arc<Url>);

/// Why a text is not an address for requests that carry a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("{found:?} is not an http or https URL\nhelp: give a URL such as https://sv.sv.HOST/api/sv")]
    Malformed { found: String },
    #[error(
        "the URL for {host} contains a user name or password\n\
         help: remove them, and give the token with token_file or oauth2"
    )]
    Credentials { host: String },
    #[error("{found:?} has a query or fragment\nhelp: give the address up to the path")]
    Query { found: String },
}

impl FromStr for BaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<BaseUrl, UrlError> {
        let malformed = || UrlError::Malformed { found: without_user(text) };
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(malformed)?;
        let host = url.host_str().ok_or_else(malformed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials { host: host.to_owned() });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(UrlError::Query { found: text.to_owned() });
        }
        Ok(BaseUrl(Arc::new(url)))
    }
}

/// `text` as it may be shown: what stands before an `@` could be a password.
fn without_user(text: &str) -> String {
    text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("…@{rest}"))
}

impl BaseUrl {
    /// The address itself.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether what is sent to it can be read on the way: http to any host but this one.
    pub fn is_clear_text(&self) -> bool {
        self.0.scheme() == "http" && !self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// `GET …/v0/admin/domain/data-snapshot`, with the timestamp, the migration id where one is to be asked for, and the
    /// party where only its contracts are.
    pub fn data_snapshot(&self, timestamp: Timestamp, migration_id: Option<u64>, party: Option<&str>) -> Url {
        let mut url = self.below("v0/admin/domain/data-snapshot");
        let migration_id = migration_id.map(|id| format!("&migration_id={id}")).unwrap_or_default();
        url.set_query(Some(&format!("timestamp={timestamp}{migration_id}")));
        if let Some(party) = party {
            url.query_pairs_mut().append_pair("party_id", party);
        }
        url
    }

    /// `POST …/v0/admin/domain/migration-dump`: has the app write a dump into its own volume.
    pub fn migration_dump(&self) -> Url {
        self.below("v0/admin/domain/migration-dump")
    }

    /// `GET …/v0/admin/domain/identities-dump`.
    pub fn identities_dump(&self) -> Url {
        self.below("v0/admin/domain/identities-dump")
    }

    /// The same of a validator app. `force=true`: that the synchronizer is not paused is what a disaster is about.
    pub fn validator_snapshot(&self, timestamp: Timestamp, migration_id: Option<u64>) -> Url {
        let mut url = self.data_snapshot(timestamp, migration_id, None);
        url.query_pairs_mut().append_pair("force", "true");
        url
    }

    /// `GET …/v0/admin/authorization`.
    pub fn authorization(&self) -> Url {
        self.below("v0/admin/authorization")
    }

    fn below(&self, path: &str) -> Url {
        let mut url = Url::clone(&self.0);
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_below_the_base_with_or_without_a_slash() {
        let timestamp: Timestamp = "2026-04-21T23:10:00.500Z".parse().unwrap();
        for base in ["https://sv.sv.example.com/api/sv", "https://sv.sv.example.com/api/sv/"] {
            let base: BaseUrl = base.parse().unwrap();
            let expected = "https://sv.sv.example.com/api/sv/v0/admin/domain/data-snapshot?timestamp=2026-04-21T23:10:00.500Z";
            assert_eq!(base.data_snapshot(timestamp, None, None).as_str(), expected);
            assert_eq!(
                base.data_snapshot(timestamp, Some(6), None).as_str(),
                format!("{expected}&migration_id=6")
            );
        }
        let base: BaseUrl = "https://sv.sv.example.com/api/sv".parse().unwrap();
        let of_party = base.data_snapshot(timestamp, None, Some("DSO::12 20&a"));
        assert!(
            of_party.as_str().ends_with("?timestamp=2026-04-21T23:10:00.500Z&party_id=DSO%3A%3A12+20%26a")
        );
        let base: BaseUrl = "http://127.0.0.1:8080".parse().unwrap();
        assert!(
            base.data_snapshot(timestamp, None, None).as_str().starts_with("http://127.0.0.1:8080/v0/admin/")
        );
    }

    #[test]
    fn a_validator_is_asked_although_the_synchronizer_is_not_paused() {
        let timestamp: Timestamp = "2026-04-21T23:10:00.500Z".parse().unwrap();
        let base: BaseUrl = "https://wallet.validator.example.com/api/validator".parse().unwrap();
        let expected = "https://wallet.validator.example.com/api/validator/v0/admin/domain/data-snapshot\
                        ?timestamp=2026-04-21T23:10:00.500Z";
        let asked = |migration_id| base.validator_snapshot(timestamp, migration_id).to_string();
        assert_eq!(asked(None), format!("{expected}&force=true"));
        assert_eq!(asked(Some(6)), format!("{expected}&migration_id=6&force=true"));
    }

    #[test]
    fn refuses_what_no_token_should_be_sent_to() {
        for found in ["", "sv.example.com", "ftp://sv.example.com", "/api/sv", "https://"] {
            assert_eq!(found.parse::<BaseUrl>(), Err(UrlError::Malformed { found: found.to_owned() }));
        }
        for found in ["https://h/?a=b", "https://h/#a"] {
            assert_eq!(found.parse::<BaseUrl>(), Err(UrlError::Query { found: found.to_owned() }));
        }
        for found in ["https://u:hunter2@h/", "ftp://u:hunter2@h/", "u:hunter2@h"] {
            let error = found.parse::<BaseUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn clear_text_is_what_leaves_the_machine_unencrypted() {
        let clear = |url: &str| url.parse::<BaseUrl>().unwrap().is_clear_text();
        assert!(clear("http://sv-app.sv:5014/api/sv"));
        assert!(clear("http://10.0.0.1"));
        assert!(!clear("https://10.0.0.1"));
        for loopback in ["http://127.0.0.1:1", "http://localhost", "http://[::1]:80", "http://127.9.9.9"] {
            assert!(!clear(loopback), "{loopback}");
        }
    }
}
