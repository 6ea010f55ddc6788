//! The flags that say how to reach an app, over what `agent.toml` says. The SV app and the validator app have the same
//! flags, each with variables and a section of its own ([`App`]).
//!
//! A flag wins over its environment variable (clap's rule), and both win over the file. A token file given by flag
//! also wins over OAuth2 in the file, and the other way round: the token comes from one place.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use svdr_protocol::span::{self, SpanError};

use crate::config::{self, AgentConfig, ConfigError, Missing, SvAppSection};
use crate::sources::app::{AppSettings, BaseUrl, Credentials, OAuth2, SetupError, SvApp, Timeouts};
use crate::sources::fetch::{Handover, Mode};
use crate::sources::volume::{self, Volume};

/// How to reach the SV app, and for which migration.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = OfSv::NAMES.heading)]
pub struct SvAppArgs {
    /// How to reach the SV app
    #[command(flatten)]
    pub app: AppArgs,
    /// The new migration id, which must be that of the snapshot
    #[arg(long, value_name = "N", env = "SVDR_MIGRATION_ID")]
    pub migration_id: Option<u64>,
    /// Send the migration id to the app, instead of only checking that it is the app's own + 1
    #[arg(long, env = "SVDR_REQUEST_MIGRATION_ID")]
    pub request_migration_id: bool,
    /// How the app delivers its dump [default: auto]
    #[arg(long, value_name = "MODE", env = "SVDR_SV_APP_MODE")]
    pub mode: Option<ModeArg>,
    /// The app's dump volume on this machine, for mode trigger or auto
    #[arg(long, value_name = "DIR", env = "SVDR_DUMP_DIR")]
    pub dump_dir: Option<PathBuf>,
    /// The same folder as the app sees it [default: /domain-upgrade-dump]
    #[arg(long, value_name = "DIR", env = "SVDR_APP_DUMP_DIR", value_parser = app_dir)]
    pub app_dump_dir: Option<String>,
}

/// A kind of app, by what its settings are called.
pub trait App: Clone + std::fmt::Debug + Default + Send + Sync + 'static {
    /// The names.
    const NAMES: Names;
}

/// What the settings of one kind of app are called; the flags are the same for both.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    pub(crate) heading: &'static str,
    /// The section of the file, with the lines that give URL and token.
    section: &'static str,
    url_line: &'static str,
    token_line: &'static str,
    url_help: &'static str,
    url: &'static str,
    token_file: &'static str,
    ca_file: &'static str,
    token_url: &'static str,
    client_id: &'static str,
    client_secret_file: &'static str,
    audience: &'static str,
    scope: &'static str,
    token_ca_file: &'static str,
    connect_timeout: &'static str,
    first_byte_timeout: &'static str,
    idle_timeout: &'static str,
}

/// Names whose variables all begin with `$prefix`.
macro_rules! names {
    ($prefix:literal, $app:literal, $section:literal, $base:literal, $token:literal) => {
        Names {
            heading: concat!($app, " (instead of agent.toml)"),
            section: $section,
            url_line: concat!("url = \"", $base, "\""),
            token_line: concat!("token_file = \"", $token, "\""),
            url_help: concat!("Base of the app's API, like `", $base, "`"),
            url: concat!($prefix, "_URL"),
            token_file: concat!($prefix, "_TOKEN_FILE"),
            ca_file: concat!($prefix, "_CA_FILE"),
            token_url: concat!($prefix, "_TOKEN_URL"),
            client_id: concat!($prefix, "_CLIENT_ID"),
            client_secret_file: concat!($prefix, "_CLIENT_SECRET_FILE"),
            audience: concat!($prefix, "_AUDIENCE"),
            scope: concat!($prefix, "_SCOPE"),
            token_ca_file: concat!($prefix, "_TOKEN_CA_FILE"),
            connect_timeout: concat!($prefix, "_CONNECT_TIMEOUT"),
            first_byte_timeout: concat!($prefix, "_FIRST_BYTE_TIMEOUT"),
            idle_timeout: concat!($prefix, "_IDLE_TIMEOUT"),
        }
    };
}

/// The SV app.
#[derive(Clone, Copy, Debug, Default)]
pub struct OfSv;

impl App for OfSv {
    const NAMES: Names =
        names!("SVDR_SV_APP", "SV app", "sv_app", "https://sv.sv.HOST/api/sv", "/run/secrets/sv-token");
}

/// The validator app.
#[derive(Clone, Copy, Debug, Default)]
pub struct OfValidator;

impl App for OfValidator {
    const NAMES: Names = names!(
        "SVDR_VALIDATOR_APP",
        "Validator app",
        "validator_app",
        "https://wallet.validator.HOST/api/validator",
        "/run/secrets/validator-token"
    );
}

/// How to reach the app.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = A::NAMES.heading)]
pub struct AppArgs<A: App = OfSv> {
    #[arg(long, value_name = "URL", env = A::NAMES.url, hide_env_values = true, help = A::NAMES.url_help)]
    pub url: Option<String>,
    /// File with an administrator's token; read again at every try
    #[arg(long, value_name = "FILE", env = A::NAMES.token_file, conflicts_with = "token_url")]
    pub token_file: Option<PathBuf>,
    /// PEM file of the CA that signs the app's certificate; the machine's CAs otherwise
    #[arg(long, value_name = "FILE", env = A::NAMES.ca_file)]
    pub ca_file: Option<PathBuf>,
    /// OAuth2 token endpoint
    #[arg(long, value_name = "URL", env = A::NAMES.token_url, hide_env_values = true)]
    pub token_url: Option<String>,
    /// OAuth2 client
    #[arg(long, value_name = "ID", env = A::NAMES.client_id)]
    pub client_id: Option<String>,
    /// File with the OAuth2 client's secret
    #[arg(long, value_name = "FILE", env = A::NAMES.client_secret_file)]
    pub client_secret_file: Option<PathBuf>,
    /// OAuth2 audience
    #[arg(long, value_name = "TEXT", env = A::NAMES.audience)]
    pub audience: Option<String>,
    /// OAuth2 scope
    #[arg(long, value_name = "TEXT", env = A::NAMES.scope)]
    pub scope: Option<String>,
    /// PEM file of the CA that signs the OAuth2 server's certificate
    #[arg(long, value_name = "FILE", env = A::NAMES.token_ca_file)]
    pub token_ca_file: Option<PathBuf>,
    /// Limit for the connection [default: 10s]
    #[arg(long, value_name = "SPAN", env = A::NAMES.connect_timeout, value_parser = limit)]
    pub connect_timeout: Option<Duration>,
    /// Limit for the wait from the request to the first byte [default: 10m]
    #[arg(long, value_name = "SPAN", env = A::NAMES.first_byte_timeout, value_parser = limit)]
    pub first_byte_timeout: Option<Duration>,
    /// Limit for silence in the middle of an answer [default: 60s]
    #[arg(long, value_name = "SPAN", env = A::NAMES.idle_timeout, value_parser = limit)]
    pub idle_timeout: Option<Duration>,
    #[arg(skip)]
    app: PhantomData<A>,
}

/// How the app delivers its dump, as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ModeArg {
    /// In one answer
    Http,
    /// The app writes the dump into its volume, and the agent copies it
    Trigger,
    /// In one answer, or through the volume if the dump is too large
    Auto,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Mode {
        match mode {
            ModeArg::Http => Mode::Http,
            ModeArg::Trigger => Mode::Trigger,
            ModeArg::Auto => Mode::Auto,
        }
    }
}

/// What flags and file say together: every setting that the SV app needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// How to reach it.
    pub settings: AppSettings,
    /// The migration id that snapshots have to carry.
    pub migration_id: u64,
    /// Whether to ask for it.
    pub request_migration_id: bool,
    /// By which way the app gives its dump; with a volume always where that is [`Mode::Trigger`]. The participant is
    /// not among these settings.
    pub handover: Handover,
}

impl SvAppArgs {
    /// Puts flags and file together. Settings that are nowhere are added to `missing`; then there is no result.
    ///
    /// # Errors
    /// [`ConfigError::Flag`] where a flag's URL is none.
    pub fn resolve(
        &self,
        config: &AgentConfig,
        missing: &mut Vec<Missing>,
    ) -> Result<Option<Resolved>, ConfigError> {
        let (section, section_name) = (&config.sv_app, OfSv::NAMES.section);
        let migration_id = self.migration_id.or(section.migration_id);
        if migration_id.is_none() {
            missing.push(config.missing(
                section_name,
                "migration_id = N",
                "--migration-id",
                "SVDR_MIGRATION_ID",
            ));
        }
        let settings = self.app.resolve(section, config, missing)?;
        let request = self.request_migration_id || section.request_migration_id.unwrap_or(false);
        let Some(handover) = Handover::new(self.mode(config), self.volume(config)) else {
            let line = "dump_dir = \"/domain-upgrade-dump\"";
            missing.push(config.missing(section_name, line, "--dump-dir", "SVDR_DUMP_DIR"));
            return Ok(None);
        };
        Ok(settings.zip(migration_id).map(|(settings, migration_id)| Resolved {
            settings,
            migration_id,
            request_migration_id: request,
            handover,
        }))
    }

    /// By which way the app gives its dump.
    pub fn mode(&self, config: &AgentConfig) -> Mode {
        self.mode.map(Mode::from).or(config.sv_app.mode).unwrap_or_default()
    }

    /// The app's dump volume, where one is named.
    pub fn volume(&self, config: &AgentConfig) -> Option<Volume> {
        let section = &config.sv_app;
        let dir = self.dump_dir.clone().or_else(|| section.dump_dir.clone())?;
        let app_dir = self.app_dump_dir.clone().or_else(|| section.app_dump_dir.clone());
        Some(Volume { dir, app_dir: app_dir.unwrap_or_else(|| volume::APP_DIR.to_owned()) })
    }
}

impl<A: App> AppArgs<A> {
    /// How to reach the app, by flags and `section` of the file. Settings that are nowhere are added to `missing`; then
    /// there is no result.
    ///
    /// # Errors
    /// [`ConfigError::Flag`] if the URL of a flag is invalid.
    pub fn resolve(
        &self,
        section: &SvAppSection,
        config: &AgentConfig,
        missing: &mut Vec<Missing>,
    ) -> Result<Option<AppSettings>, ConfigError> {
        let mut lacks =
            |line, flag, variable| missing.push(config.missing(A::NAMES.section, line, flag, variable));
        let url = parsed("--url", A::NAMES.url, self.url.as_deref())?.or_else(|| section.url.clone());
        if url.is_none() {
            lacks(A::NAMES.url_line, "--url", A::NAMES.url);
        }
        let credentials = self.credentials(section, &mut lacks)?;
        let defaults = Timeouts::default();
        let (Some(url), Some(credentials)) = (url, credentials) else { return Ok(None) };
        let timeouts = Timeouts {
            connect: self.connect_timeout.or(section.connect_timeout).unwrap_or(defaults.connect),
            first_byte: self.first_byte_timeout.or(section.first_byte_timeout).unwrap_or(defaults.first_byte),
            idle: self.idle_timeout.or(section.idle_timeout).unwrap_or(defaults.idle),
        };
        let ca_file = self.ca_file.clone().or_else(|| section.ca_file.clone());
        Ok(Some(AppSettings { url, credentials, ca_file, timeouts }))
    }

    fn credentials(
        &self,
        section: &SvAppSection,
        lacks: &mut impl FnMut(&'static str, &'static str, &'static str),
    ) -> Result<Option<Credentials>, ConfigError> {
        let by_flag = self.token_file.clone();
        let by_file = section.token_file.clone().filter(|_| self.token_url.is_none());
        if let Some(path) = by_flag.or(by_file) {
            return Ok(Some(Credentials::File(path)));
        }
        if section.oauth2.is_none() && self.token_url.is_none() {
            lacks(A::NAMES.token_line, "--token-file", A::NAMES.token_file);
            return Ok(None);
        }
        let file = section.oauth2.clone().unwrap_or_default();
        let token_url =
            parsed("--token-url", A::NAMES.token_url, self.token_url.as_deref())?.or(file.token_url);
        if token_url.is_none() {
            lacks("oauth2.token_url = \"https://…\"", "--token-url", A::NAMES.token_url);
        }
        let client_id = self.client_id.clone().or(file.client_id);
        if client_id.is_none() {
            lacks("oauth2.client_id = \"…\"", "--client-id", A::NAMES.client_id);
        }
        let secret_file = self.client_secret_file.clone().or(file.client_secret_file);
        if secret_file.is_none() {
            lacks("oauth2.client_secret_file = \"…\"", "--client-secret-file", A::NAMES.client_secret_file);
        }
        let (Some(token_url), Some(client_id), Some(client_secret_file)) =
            (token_url, client_id, secret_file)
        else {
            return Ok(None);
        };
        Ok(Some(Credentials::OAuth2(OAuth2 {
            token_url,
            client_id,
            client_secret_file,
            audience: self.audience.clone().or(file.audience),
            scope: self.scope.clone().or(file.scope),
            ca_file: self.token_ca_file.clone().or(file.ca_file),
        })))
    }
}

/// Makes the client of an app; warns if what it sends can be read on its way.
///
/// # Errors
/// As [`SvApp::new`].
pub(crate) async fn connect(settings: AppSettings) -> Result<SvApp, SetupError> {
    let url = settings.url.clone();
    let app = SvApp::new(settings).await?;
    if app.is_clear_text() {
        tracing::warn!(
            "{url} or the token endpoint is http: the token, and private keys in an answer, can be read on their way; use \
             https outside a cluster"
        );
    }
    Ok(app)
}

/// A folder as the app sees it.
fn app_dir(text: &str) -> Result<String, String> {
    config::app_folder(text)
}

/// A span that something can happen in.
fn limit(text: &str) -> Result<Duration, LimitError> {
    let limit = span::parse(text)?;
    if limit.is_zero() { Err(LimitError::Zero) } else { Ok(limit) }
}

/// A text is no limit.
#[derive(Debug, thiserror::Error)]
enum LimitError {
    #[error(transparent)]
    Span(#[from] SpanError),
    #[error("a limit of 0 s allows no connection\nhelp: give a limit such as 10s")]
    Zero,
}

/// Reads a flag's URL here and not in clap, whose own message would repeat a password in it.
fn parsed(
    flag: &'static str,
    variable: &'static str,
    text: Option<&str>,
) -> Result<Option<BaseUrl>, ConfigError> {
    text.map(str::parse).transpose().map_err(|source| ConfigError::Flag { flag, variable, source })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;

    const FILE: &str = r#"
        [sv_app]
        url = "https://file.example.com/api/sv"
        token_file = "token"
        migration_id = 6
        idle_timeout = "90s"
    "#;

    fn with(app: AppArgs) -> SvAppArgs {
        SvAppArgs { app, ..SvAppArgs::default() }
    }

    fn resolve(args: &SvAppArgs, file: &str) -> Result<Resolved, Vec<String>> {
        let config = AgentConfig::parse(file, Path::new("/etc/svdr")).unwrap();
        let mut missing = Vec::new();
        let resolved = args.resolve(&config, &mut missing).unwrap();
        resolved.ok_or_else(|| missing.iter().map(|one| format!("{} {}", one.flag, one.line)).collect())
    }

    #[test]
    fn flags_win_over_the_file() {
        let from_file = resolve(&SvAppArgs::default(), FILE).unwrap();
        assert_eq!(from_file.settings.credentials, Credentials::File("/etc/svdr/token".into()));
        assert_eq!(from_file.settings.timeouts.idle, Duration::from_secs(90));
        assert_eq!(from_file.settings.timeouts.connect, Timeouts::default().connect);
        assert_eq!((from_file.migration_id, from_file.request_migration_id), (6, false));
        let app = AppArgs {
            url: Some("https://flag.example.com".to_owned()),
            token_file: Some("here".into()),
            idle_timeout: Some(Duration::from_secs(5)),
            ..AppArgs::default()
        };
        let args =
            SvAppArgs { app, migration_id: Some(7), request_migration_id: true, ..SvAppArgs::default() };
        let from_flags = resolve(&args, FILE).unwrap();
        assert_eq!(from_flags.settings.url.to_string(), "https://flag.example.com/");
        assert_eq!(from_flags.settings.credentials, Credentials::File("here".into()));
        assert_eq!(from_flags.settings.timeouts.idle, Duration::from_secs(5));
        assert_eq!((from_flags.migration_id, from_flags.request_migration_id), (7, true));
    }

    #[test]
    fn the_token_comes_from_one_place() {
        let args = with(AppArgs {
            token_url: Some("https://auth.example.com/token".to_owned()),
            client_id: Some("svdr".to_owned()),
            client_secret_file: Some("secret".into()),
            ..AppArgs::default()
        });
        assert!(matches!(resolve(&args, FILE).unwrap().settings.credentials, Credentials::OAuth2(_)));
        let oauth2 = "[sv_app]\nurl='https://h'\nmigration_id=6\n[sv_app.oauth2]\ntoken_url='https://t'\nclient_id='c'";
        let args = with(AppArgs { token_file: Some("here".into()), ..AppArgs::default() });
        assert_eq!(resolve(&args, oauth2).unwrap().settings.credentials, Credentials::File("here".into()));
        let incomplete = resolve(&SvAppArgs::default(), oauth2).unwrap_err();
        assert_eq!(incomplete, ["--client-secret-file oauth2.client_secret_file = \"…\""]);
    }

    #[test]
    fn the_volume_is_needed_only_where_it_is_the_only_way() {
        let resolved = resolve(&SvAppArgs::default(), FILE).unwrap();
        assert_eq!(resolved.handover, Handover::AnswerOrVolume(None));
        let volume = format!("{FILE}\ndump_dir = \"volume\"\napp_dump_dir = \"/dump/\"");
        let resolved = resolve(&SvAppArgs::default(), &volume).unwrap();
        let expected = Volume { dir: "/etc/svdr/volume".into(), app_dir: "/dump".to_owned() };
        assert_eq!(resolved.handover, Handover::AnswerOrVolume(Some(expected)));
        let trigger = SvAppArgs { mode: Some(ModeArg::Trigger), ..SvAppArgs::default() };
        assert_eq!(resolve(&trigger, FILE).unwrap_err(), ["--dump-dir dump_dir = \"/domain-upgrade-dump\""]);
        let named = SvAppArgs { dump_dir: Some("/mnt".into()), ..trigger };
        let resolved = resolve(&named, FILE).unwrap();
        let expected = Volume { dir: "/mnt".into(), app_dir: volume::APP_DIR.to_owned() };
        assert_eq!(resolved.handover, Handover::Volume(expected));
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let missing = resolve(&SvAppArgs::default(), "").unwrap_err();
        assert_eq!(missing.len(), 3);
    }

    #[test]
    fn a_password_in_a_flag_is_not_repeated() {
        let args = with(AppArgs { url: Some("https://u:hunter2@h".to_owned()), ..AppArgs::default() });
        let error = args.resolve(&AgentConfig::default(), &mut Vec::new()).unwrap_err();
        assert!(!svdr_cli::failure::explain(&error).contains("hunter2"));
    }
}
