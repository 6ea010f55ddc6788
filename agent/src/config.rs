//! `agent.toml`: what one SV's agent needs to know about its surroundings.
//!
//! The file is read whole: every mistake in it is reported at once, with its line, whichever command is run. Which
//! sections a command needs is the command's affair: an absent one is `None` here, and [`Missing`] says how to add
//! it. Relative paths are relative to the folder of the file. Secrets never stand in it, only the names of the files
//! that hold them.

mod app;
pub mod donor;
#[doc(hidden)]
pub mod fuzz;
mod reader;
mod runbook;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use svdr_canton::{ClientCertificate, NodeSettings};
use svdr_client::Coordinator;
use svdr_protocol::failure::{CommandError, Exit};
#[cfg(doc)]
use svdr_protocol::session::DEFAULT_GRACE;
use toml::de::DeTable;

use crate::sources::app::UrlError;
pub(crate) use app::app_folder;
pub use app::{OAuth2Section, SvAppSection, ValidatorSection};
use app::{sv_app, validator_app};
use reader::{Section, Source};
pub use runbook::RunbookSection;

/// The file that is read where `--config` names none.
pub const DEFAULT_FILE: &str = "agent.toml";

/// The longest configuration file that is read, in bytes.
pub const MAX_CONFIG_LEN: u64 = 1024 * 1024;

/// Bytes that have to be free where dumps are made, unless `output.room` says otherwise: room for a dump beside its
/// temporary copy; data snapshots of a Splice network have gigabytes.
pub const DEFAULT_ROOM: u64 = 20_000_000_000;

/// Who decides whether this SV signs a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Approval {
    /// The operator, every time.
    #[default]
    Operator,
    /// The agent signs whatever its own recomputation confirms and covers this SV, once everybody has reported or its
    /// grace period is over.
    Automatic,
}

/// `[evidence]`: where this SV's evidence is. At least one source is given.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EvidenceSection {
    /// The logs: patterns of paths, absolute.
    pub logs: Vec<String>,
    /// Programs that print logs, each with its arguments.
    pub commands: Vec<Vec<String>>,
    /// The participant's admin API.
    pub participant: Option<NodeSettings>,
    /// How far back from the newest tick to look.
    pub since: Option<Duration>,
    /// The participant whose lines count, as loggers name it, if several write into the logs.
    pub logger_participant: Option<String>,
}

/// Where the backups of the databases are: patterns of paths, absolute. Only looked at, for their age and order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DatabaseBackups {
    /// Of the apps' database; empty where nothing is said.
    pub apps: Vec<String>,
    /// Of the participant's.
    pub participant: Vec<String>,
}

/// `[deliver]`: where the app imports the dump from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// A path of this machine.
    Path(PathBuf),
    /// A program and its arguments, in which `{dump}` stands for the dump's path, `{dump_dir}` for the folder of a dump
    /// in several files, and an argument `{files}` for the paths of its payload files.
    Command(Vec<String>),
}

/// `[donor]`: what it takes to hand the DSO party's snapshot to others. Everything can also come from flags.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DonorSection {
    /// The full id of the DSO party.
    pub dso_party: Option<String>,
    /// Where the endpoint listens.
    pub listen: Option<SocketAddr>,
    /// Where others dial it.
    pub url: Option<String>,
}

/// What an `agent.toml` says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AgentConfig {
    /// The file it was read from; `None` where there is none.
    pub file: Option<PathBuf>,
    /// The roster.
    pub roster: Option<PathBuf>,
    /// Who decides.
    pub approval: Approval,
    /// How long automatic approval waits for members that have not reported; see [`DEFAULT_GRACE`].
    pub grace: Option<Duration>,
    /// `signing.key`: the private key's file.
    pub signing_key: Option<PathBuf>,
    /// The coordinators, in the order in which they are tried.
    pub coordinators: Vec<Coordinator>,
    /// `[evidence]`.
    pub evidence: Option<EvidenceSection>,
    /// `[sv_app]`.
    pub sv_app: SvAppSection,
    /// `[validator_app]`.
    pub validator: ValidatorSection,
    /// `node_identities.backup`: the backup of the node identities.
    pub node_identities: Option<PathBuf>,
    /// `node_identities.age_identity`: what an encrypted backup is decrypted with.
    pub age_identity: Option<PathBuf>,
    /// `[database_backups]`: the backups of the databases.
    pub databases: DatabaseBackups,
    /// `output.dir`: where dumps are made.
    pub output_dir: Option<PathBuf>,
    /// `output.room`: bytes that have to be free where dumps are made; see [`AgentConfig::room`].
    pub room: Option<u64>,
    /// `output.state`: where the agent keeps what it signed; without it, the folder `state` beside the dumps.
    pub state_dir: Option<PathBuf>,
    /// `[deliver]`.
    pub deliver: Option<Deliver>,
    /// `[donor]`.
    pub donor: DonorSection,
    /// `[runbook]`.
    pub runbook: RunbookSection,
}

/// Something wrong in a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read; check its path, which --config or SVDR_CONFIG give, and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is longer than any configuration.
    #[error("{} is longer than {MAX_CONFIG_LEN} bytes, so it is no agent.toml; name the right file with --config", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file has mistakes: all of them.
    #[error("{} has {}; correct {}:{}", path.display(), count(mistakes.len()), if mistakes.len() == 1 { "it" } else { "them" }, list(mistakes))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// The mistakes, in the order of their lines.
        mistakes: Vec<Mistake>,
    },
    /// A flag, or its environment variable, holds something wrong.
    #[error("{flag} ({variable}) is wrong")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// Its variable.
        variable: &'static str,
        /// What is wrong.
        source: UrlError,
    },
    /// Settings that this command needs are nowhere: all of them.
    #[error("{}", lacking(missing))]
    Missing {
        /// The settings.
        missing: Vec<Missing>,
    },
}

fn count(mistakes: usize) -> String {
    if mistakes == 1 { "a mistake".to_owned() } else { format!("{mistakes} mistakes") }
}

/// What is missing, and all the ways to give it.
fn lacking(missing: &[Missing]) -> String {
    let settings = match missing.len() {
        1 => "a setting is missing".to_owned(),
        many => format!("{many} settings are missing"),
    };
    let place = match missing.iter().find_map(|one| one.file.as_deref()) {
        Some(file) => format!("; add to {}", file.display()),
        None => {
            format!(", and there is no {DEFAULT_FILE} here; name one with --config, or make one that says")
        }
    };
    format!("{settings}{place}, or give by flag or variable:{}", list(missing))
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(|item| format!("\n  {item}")).collect()
}

/// A setting that a command needs and that nothing gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The section it belongs to, for example `sv_app`; empty for what stands before the sections.
    pub section: &'static str,
    /// The line to add there.
    pub line: &'static str,
    /// The flag that gives it too.
    pub flag: &'static str,
    /// The environment variable that gives it too.
    pub variable: &'static str,
    /// The configuration file that was read, where there was one.
    pub file: Option<PathBuf>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing { section, line, flag, variable, file: _ } = self;
        if section.is_empty() {
            write!(f, "at the top: {line}, or {flag}, or {variable}")
        } else {
            write!(f, "under [{section}]: {line}, or {flag}, or {variable}")
        }
    }
}

impl CommandError for ConfigError {
    fn exit(&self) -> Exit {
        match self {
            ConfigError::Unreadable { .. } => Exit::Failed,
            ConfigError::TooLong { .. }
            | ConfigError::Mistakes { .. }
            | ConfigError::Flag { .. }
            | ConfigError::Missing { .. } => Exit::Usage,
        }
    }
}

impl AgentConfig {
    /// Reads `path`, or [`DEFAULT_FILE`] in the current folder where it is `None`; an absent default file is an
    /// empty configuration, because flags may say everything.
    ///
    /// # Errors
    /// [`ConfigError`] where the file cannot be read or has mistakes.
    pub fn load(path: Option<&Path>) -> Result<AgentConfig, ConfigError> {
        let file = path.unwrap_or(Path::new(DEFAULT_FILE));
        let unreadable = |source| ConfigError::Unreadable { path: file.to_owned(), source };
        let text = match read_limited(file) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(ConfigError::TooLong { path: file.to_owned() }),
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(AgentConfig::default());
            }
            Err(error) => return Err(unreadable(error)),
        };
        // Paths are made absolute, so that they mean the same wherever they are used later.
        let folder = std::path::absolute(file).map_err(unreadable)?;
        let parsed = AgentConfig::parse(&text, folder.parent().unwrap_or(Path::new("/")));
        let config = parsed.map_err(|mistakes| ConfigError::Mistakes { path: file.to_owned(), mistakes })?;
        Ok(AgentConfig { file: Some(file.to_owned()), ..config })
    }

    /// Reads the text of a configuration file whose relative paths start from `folder`.
    ///
    /// # Errors
    /// All the mistakes in it, in the order of their lines.
    pub fn parse(text: &str, folder: &Path) -> Result<AgentConfig, Vec<Mistake>> {
        let source = Source::new(text, folder);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            source.mistake(&error.span().unwrap_or(0..0), error.message().to_owned());
        }
        // What the parser made of broken text means little: complaints about it would mislead.
        let config = match errors.is_empty() {
            true => AgentConfig::read(Section::root(&source, &table)),
            false => AgentConfig::default(),
        };
        let mistakes = source.into_mistakes();
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    fn read(mut root: Section<'_, '_>) -> AgentConfig {
        let age_identity;
        let config = AgentConfig {
            file: None,
            roster: root.path("roster"),
            approval: root
                .parsed("approval", |text| match text {
                    "operator" => Ok(Approval::Operator),
                    "automatic" => Ok(Approval::Automatic),
                    other => Err(format!("expected \"operator\" or \"automatic\", found {other:?}")),
                })
                .unwrap_or_default(),
            grace: root.duration("grace"),
            signing_key: root.section("signing").and_then(|section| one_path(section, "key")),
            coordinators: root.sections("coordinator").into_iter().filter_map(coordinator).collect(),
            evidence: root.section("evidence").and_then(evidence),
            sv_app: root.section("sv_app").map(sv_app).unwrap_or_default(),
            validator: root.section("validator_app").map(validator_app).unwrap_or_default(),
            node_identities: {
                let paths = root.section("node_identities").map(node_identities).unwrap_or_default();
                age_identity = paths.1;
                paths.0
            },
            age_identity,
            databases: root.section("database_backups").map(database_backups).unwrap_or_default(),
            output_dir: None,
            room: None,
            state_dir: None,
            deliver: root.section("deliver").and_then(deliver),
            donor: root.section("donor").map(donor).unwrap_or_default(),
            runbook: root.section("runbook").map(RunbookSection::read).unwrap_or_default(),
        };
        let output = root.section("output").map(output).unwrap_or_default();
        root.finish();
        let OutputSection { dir: output_dir, state: state_dir, room } = output;
        AgentConfig { output_dir, state_dir, room, ..config }
    }

    /// A setting that a command needs and that neither this file, nor the flag, nor the variable gives.
    pub fn missing(
        &self,
        section: &'static str,
        line: &'static str,
        flag: &'static str,
        variable: &'static str,
    ) -> Missing {
        Missing { section, line, flag, variable, file: self.file.clone() }
    }

    /// The roster, as [`AgentConfig::missing`].
    pub fn missing_roster(&self) -> Missing {
        self.missing("", "roster = \"roster.toml\"", "--roster", "SVDR_ROSTER")
    }

    /// The signing key, as [`AgentConfig::missing`].
    pub fn missing_signing_key(&self) -> Missing {
        self.missing("signing", "key = \"signing.key\"", "--signing-key", "SVDR_SIGNING_KEY")
    }

    /// The folder of the dumps, as [`AgentConfig::missing`].
    pub fn missing_output_dir(&self, flag: &'static str, variable: &'static str) -> Missing {
        self.missing("output", "dir = \"/var/lib/svdr/dumps\"", flag, variable)
    }

    /// How many bytes have to be free where dumps are made, for `check` to call this node ready.
    pub fn room(&self) -> u64 {
        self.room.unwrap_or(DEFAULT_ROOM)
    }

    /// The folder that the agent keeps its statements in: `output.state`, or else `state` inside `output.dir`.
    pub fn state(&self) -> Option<PathBuf> {
        self.state_dir.clone().or_else(|| self.output_dir.as_ref().map(|dir| dir.join("state")))
    }
}

/// The text of a file, or `None` where it is longer than [`MAX_CONFIG_LEN`].
fn read_limited(path: &Path) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_CONFIG_LEN + 1).read_to_string(&mut text)?;
    Ok((text.len() as u64 <= MAX_CONFIG_LEN).then_some(text))
}

fn one_path(mut section: Section<'_, '_>, key: &'static str) -> Option<PathBuf> {
    let path = section.path(key);
    section.finish();
    path
}

/// `[node_identities]`: the backup, and the age identity that decrypts it.
fn node_identities(mut section: Section<'_, '_>) -> (Option<PathBuf>, Option<PathBuf>) {
    let paths = (section.path("backup"), section.path("age_identity"));
    section.finish();
    paths
}

fn database_backups(mut section: Section<'_, '_>) -> DatabaseBackups {
    let mut patterns = |key| section.patterns(key).unwrap_or_default();
    let databases = DatabaseBackups { apps: patterns("apps"), participant: patterns("participant") };
    section.finish();
    databases
}

/// `[output]`.
#[derive(Default)]
struct OutputSection {
    dir: Option<PathBuf>,
    state: Option<PathBuf>,
    room: Option<u64>,
}

fn output(mut section: Section<'_, '_>) -> OutputSection {
    let (dir, state) = (section.path("dir"), section.path("state"));
    let output = OutputSection { dir, state, room: section.size("room") };
    section.finish();
    output
}

fn coordinator(mut section: Section<'_, '_>) -> Option<Coordinator> {
    let url = section.required_text("url");
    let key = section.required_text("key").and_then(|_| section.parsed("key", str::parse));
    section.finish();
    Some(Coordinator { url: url?, key: key? })
}

fn evidence(mut section: Section<'_, '_>) -> Option<EvidenceSection> {
    let (has_logs, logs) = (section.has("logs"), section.patterns("logs"));
    let commands = section.commands("commands");
    let participant = node(&mut section, "participant");
    let since = section.duration("since");
    let logger_participant = section.text("logger_participant");
    if !has_logs && !section.has("commands") && !section.has("participant") {
        section.mistake("no source is given: set logs, commands or participant");
    }
    section.finish();
    let (logs, commands) = (logs.unwrap_or_default(), commands.unwrap_or_default());
    Some(EvidenceSection { logs, commands, participant, since, logger_participant })
}

/// A node's admin API: its URL under `key`, and beside it what a hardened one asks for.
fn node(section: &mut Section<'_, '_>, key: &'static str) -> Option<NodeSettings> {
    let url = section.parsed(key, str::parse);
    let ca_file = section.path("ca_file");
    let client = match (section.path("certificate"), section.path("certificate_key")) {
        (Some(certificate), Some(key)) => Some(ClientCertificate { certificate, key }),
        (None, None) => None,
        _ => {
            section.mistake("certificate and certificate_key belong together: give both or neither");
            None
        }
    };
    let token_file = section.path("token_file");
    if url.is_none() && (ca_file.is_some() || client.is_some() || token_file.is_some()) && !section.has(key) {
        section.mistake(&format!("ca_file, certificate and token_file are for {key}, which is missing"));
    }
    Some(NodeSettings { url: url?, ca_file, client, token_file })
}

/// Whether a command of `[deliver]` is told where the dump is: itself, or the folder that holds it and its files.
fn names_dump(command: &[String]) -> bool {
    command.iter().any(|argument| argument.contains("{dump}") || argument.contains("{dump_dir}"))
}

fn donor(mut section: Section<'_, '_>) -> DonorSection {
    let parsed = DonorSection {
        dso_party: section.parsed("dso_party", donor::party),
        listen: section.parsed("listen", donor::address),
        url: section.parsed("url", donor::url),
    };
    section.finish();
    parsed
}

fn deliver(mut section: Section<'_, '_>) -> Option<Deliver> {
    let path = section.path("path");
    let command = section.texts("command");
    let deliver = match (path, command) {
        (Some(path), None) => Some(Deliver::Path(path)),
        (None, Some(command)) if names_dump(&command) => Some(Deliver::Command(command)),
        (None, Some(_)) => {
            section.mistake("command has no {dump}; put it where the dump's path belongs");
            None
        }
        (Some(_), Some(_)) => {
            section.mistake("both path and command are given; keep the one that delivers the dump");
            None
        }
        (None, None) => {
            section.mistake("neither path nor command is given");
            None
        }
    };
    section.finish();
    deliver
}

#[cfg(test)]
mod tests;
