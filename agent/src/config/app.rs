//! `[sv_app]` and `[validator_app]`: how to reach the app that has the data, and by which way it gives it.

use std::path::PathBuf;
use std::time::Duration;

use svdr_protocol::text::hidden_in;

use super::Deliver;
use super::reader::Section;
use crate::sources::app::BaseUrl;
use crate::sources::fetch::Mode;

/// `[sv_app]`: how to reach the SV app. Everything can also come from flags, so everything may be absent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SvAppSection {
    /// The base of its API.
    pub url: Option<BaseUrl>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Where to get tokens instead.
    pub oauth2: Option<OAuth2Section>,
    /// The new migration id, which must be that of the snapshot.
    pub migration_id: Option<u64>,
    /// Whether to ask the app for that id, instead of only checking what it makes by itself.
    pub request_migration_id: Option<bool>,
    /// The CA that signs the app's certificate, PEM.
    pub ca_file: Option<PathBuf>,
    /// For the connection.
    pub connect_timeout: Option<Duration>,
    /// From the request to the head of the answer.
    pub first_byte_timeout: Option<Duration>,
    /// Between two pieces of the body.
    pub idle_timeout: Option<Duration>,
    /// By which way the app gives its dump.
    pub mode: Option<Mode>,
    /// The app's dump volume on this machine.
    pub dump_dir: Option<PathBuf>,
    /// The same as the app sees it.
    pub app_dump_dir: Option<String>,
}

/// `[validator_app]`: how to reach a validator app, and where its dump goes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ValidatorSection {
    /// As `[sv_app]`, but for the migration id, which is what the certificate says, and for the dump volume.
    pub app: SvAppSection,
    /// `[validator_app.deliver]`. The `[deliver]` of the file is the SV app's, where one operator has both.
    pub deliver: Option<Deliver>,
}

/// `[sv_app.oauth2]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OAuth2Section {
    /// The token endpoint.
    pub token_url: Option<BaseUrl>,
    /// The client's name.
    pub client_id: Option<String>,
    /// A file that holds the client's secret.
    pub client_secret_file: Option<PathBuf>,
    /// The audience to ask for.
    pub audience: Option<String>,
    /// The scope to ask for.
    pub scope: Option<String>,
    /// The CA of the token endpoint, PEM.
    pub ca_file: Option<PathBuf>,
}

pub(super) fn sv_app(mut section: Section<'_, '_>) -> SvAppSection {
    let parsed = SvAppSection {
        migration_id: section.number("migration_id"),
        mode: section.parsed("mode", mode),
        dump_dir: section.path("dump_dir"),
        app_dump_dir: section.parsed("app_dump_dir", app_folder),
        ..app(&mut section)
    };
    section.finish();
    parsed
}

pub(super) fn validator_app(mut section: Section<'_, '_>) -> ValidatorSection {
    let parsed = ValidatorSection {
        app: app(&mut section),
        deliver: section.section("deliver").and_then(super::deliver),
    };
    section.finish();
    parsed
}

/// What both kinds of apps have.
fn app(section: &mut Section<'_, '_>) -> SvAppSection {
    let parsed = SvAppSection {
        url: section.parsed("url", str::parse),
        token_file: section.path("token_file"),
        oauth2: section.section("oauth2").map(oauth2),
        request_migration_id: section.flag("request_migration_id"),
        ca_file: section.path("ca_file"),
        connect_timeout: section.duration("connect_timeout"),
        first_byte_timeout: section.duration("first_byte_timeout"),
        idle_timeout: section.duration("idle_timeout"),
        ..SvAppSection::default()
    };
    if parsed.token_file.is_some() && parsed.oauth2.is_some() {
        section.mistake("both token_file and oauth2 are given: remove one");
    }
    parsed
}

/// A way by which the app gives its dump.
fn mode(text: &str) -> Result<Mode, String> {
    let modes = [Mode::Http, Mode::Trigger, Mode::Auto];
    let found = modes.into_iter().find(|mode| mode.name() == text);
    found.ok_or_else(|| format!("expected \"http\", \"trigger\" or \"auto\", found {text:?}"))
}

/// A folder as the app sees it: not of this machine, so it is only text.
pub(crate) fn app_folder(text: &str) -> Result<String, String> {
    let folder = text.trim_end_matches('/');
    match folder.starts_with('/') && hidden_in(folder).is_none() {
        true => Ok(folder.to_owned()),
        false => Err(format!(
            "expected the absolute path of a folder as the SV app sees it, such as /domain-upgrade-dump, \
             found {text:?}"
        )),
    }
}

fn oauth2(mut section: Section<'_, '_>) -> OAuth2Section {
    let parsed = OAuth2Section {
        token_url: section.parsed("token_url", str::parse),
        client_id: section.text("client_id"),
        client_secret_file: section.path("client_secret_file"),
        audience: section.text("audience"),
        scope: section.text("scope"),
        ca_file: section.path("ca_file"),
    };
    section.finish();
    parsed
}
