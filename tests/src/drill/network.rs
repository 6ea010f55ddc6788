//! The made-up network on disk: its SVs with their logs, apps and configurations. What happened to them is
//! [`Story`]'s.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::command::heading;
use super::steps::unexpected;
use super::story::{INTERVAL, Story, TICKS};
use super::{DrillError, Options};
use crate::log_writer::traffic::{Outcome, Traffic};
use crate::log_writer::{Format, LogWriter, Style};
use crate::members::{SYNCHRONIZER, TestMember, members};
use crate::sv_app::{self, DumpVolume, ExportFault, Fault, SnapshotShape, StandIn};

/// Participants outside of the roster that send commitments too.
const VALIDATORS: usize = 20;
/// What a line of a log takes on average, in bytes; only to reach about the size asked for.
const LINE: usize = 260;
/// What identities and the edges of a dump take at most, in bytes.
const SMALL_ROOM: u64 = 10_000_000;
/// The migration id that the network had.
pub(super) const MIGRATION_ID: u64 = 5;

/// One SV, and what is particular about it.
pub(super) struct Sv {
    pub(super) member: TestMember,
    pub(super) format: Format,
    pub(super) gzip: bool,
    pub(super) app: Option<StandIn>,
    pub(super) identities: serde_json::Value,
}

/// All of them.
pub(super) struct Network {
    pub(super) folder: PathBuf,
    pub(super) svs: Vec<Sv>,
    pub(super) story: Story,
    /// Whether the SV apps write their dumps themselves.
    pub(super) large: bool,
    validators: Vec<TestMember>,
    seed: u64,
}

/// What the agents' configurations say besides.
pub(super) struct Settings<'a> {
    /// The coordinator's URL and key.
    pub(super) coordinator: Option<(&'a str, &'a str)>,
    /// Who approves proposals: `automatic` or `operator`.
    pub(super) approval: &'a str,
}

impl Network {
    pub(super) fn new(options: &Options, story: Story, folder: &Path) -> Result<Network, DrillError> {
        let count = usize::from(options.svs);
        let mut svs: Vec<TestMember> = members(count + VALIDATORS);
        let validators = svs.split_off(count);
        let formats =
            [(Format::Text, false), (Format::Text, true), (Format::CriJson, false), (Format::Json, false)];
        let svs = svs
            .into_iter()
            .zip(formats.into_iter().cycle())
            .zip(options.seed..)
            .map(|((member, (format, gzip)), seed)| {
                let identities =
                    sv_app::document::identities(&member.name, &member.participant, SYNCHRONIZER, seed);
                Sv { member, format, gzip, app: None, identities }
            })
            .collect();
        let network = Network {
            folder: folder.to_owned(),
            svs,
            story,
            large: options.large,
            validators,
            seed: options.seed,
        };
        for sv in &network.svs {
            for name in ["logs", "dumps", "volume"] {
                let folder = network.folder.join(&sv.member.name).join(name);
                fs::create_dir_all(&folder).map_err(failed(&folder, "making the folder"))?;
            }
        }
        Ok(network)
    }

    /// The SV at `place`.
    pub(super) fn sv(&self, place: usize) -> Result<&Sv, DrillError> {
        self.svs.get(place).ok_or_else(|| unexpected("the drill", "an SV at every place", "none"))
    }

    /// The name of the SV at `place`.
    pub(super) fn name(&self, place: usize) -> &str {
        self.svs.get(place).map_or("", |sv| &sv.member.name)
    }

    /// The names of the SVs at these places.
    pub(super) fn names(&self, places: &[usize]) -> Vec<&str> {
        places.iter().map(|place| self.name(*place)).collect()
    }

    /// Writes every SV's logs, in the form that it keeps them; those of a vouched one are lost.
    pub(super) fn write_logs(&self, options: &Options) -> Result<(), DrillError> {
        heading("The logs of the SVs' participants");
        for (own, sv) in self.svs.iter().enumerate() {
            if self.story.vouched() == Some(own) {
                println!("    {}  lost", sv.member.name);
                continue;
            }
            let (path, size) = self.write_log(own, sv, options)?;
            let shown = path.strip_prefix(&self.folder).unwrap_or(&path).display();
            println!("    {shown}  {:.1} MB", size as f64 / 1e6);
        }
        Ok(())
    }

    fn write_log(&self, own: usize, sv: &Sv, options: &Options) -> Result<(PathBuf, u64), DrillError> {
        let name = if sv.gzip { "participant.log.gz" } else { "participant.log" };
        let path = self.folder.join(&sv.member.name).join("logs").join(name);
        let others: Vec<usize> = (0..self.svs.len()).filter(|&other| other != own).collect();
        let senders = others.iter().filter_map(|&other| self.svs.get(other)).map(|sv| &sv.member);
        let senders: Vec<String> =
            senders.chain(&self.validators).map(|member| member.participant.clone()).collect();
        let commitment_lines = 2 * senders.len() * TICKS.unsigned_abs() as usize;
        let lines = options.log_megabytes as usize * 1_000_000 / LINE;
        let traffic = Traffic {
            seed: self.seed.wrapping_add(own as u64),
            own: sv.member.participant.clone(),
            synchronizer: SYNCHRONIZER.to_owned(),
            senders,
            start: self.story.start(),
            interval_seconds: INTERVAL,
            ticks: TICKS.unsigned_abs() as usize,
            chatter: (lines / commitment_lines).saturating_sub(1),
        };
        let writing = failed(&path, "writing the log");
        let write = |out: &mut dyn io::Write| {
            let mut log = LogWriter::new(out, Style::new(sv.format));
            traffic.entries(
                |sender, tick| match others.get(sender) {
                    Some(&other) => self.story.outcome(own, other, tick),
                    None => Outcome::Match,
                },
                |entry| log.write(entry),
            )?;
            log.finish().map(|_| ())
        };
        let file = BufWriter::new(File::create(&path).map_err(&writing)?);
        let written = if sv.gzip {
            let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            write(&mut out).and_then(|()| out.finish()).and_then(|file| file.into_inner().map_err(Into::into))
        } else {
            let mut out = file;
            write(&mut out).and_then(|()| out.into_inner().map_err(Into::into))
        };
        let size = written.and_then(|file| file.metadata()).map_err(&writing)?.len();
        Ok((path, size))
    }

    /// Starts every SV's app, and writes its agent's configuration. What the app can serve follows from the story.
    pub(super) fn start_apps(
        &mut self,
        options: &Options,
        settings: &Settings<'_>,
    ) -> Result<(), DrillError> {
        heading("The SV apps, which are stand-ins");
        let story = &self.story;
        for (place, sv) in self.svs.iter_mut().enumerate() {
            let shape = SnapshotShape {
                seed: options.seed,
                acs_len: u64::from(options.snapshot_megabytes) * 1_000_000,
                genesis_len: 10_000,
                dars: 3,
                is_cut: false,
            };
            let app = StandIn::start(sv_app::Options {
                snapshot: shape,
                identities: sv.identities.clone(),
                migration_id: MIGRATION_ID,
                caught_up_to: if story.lagging().contains(&place) { story.stuck_at() } else { None },
                pruned_until: if story.pruned().contains(&place) { story.pruned_until() } else { None },
                faults: if options.faults { faults(place) } else { Vec::new() },
                volume: match options.large {
                    true => DumpVolume::At {
                        folder: self.folder.join(&sv.member.name).join("volume"),
                        app_dir: APP_DIR.to_owned(),
                    },
                    false => DumpVolume::Unknown,
                },
                export_faults: if options.faults { vec![export_fault(place)] } else { Vec::new() },
                ..sv_app::Options::default()
            })
            .map_err(|source| DrillError::StandIn { member: sv.member.name.clone(), source })?;
            println!("    {}  {}", sv.member.name, app.url());
            let evidence = if story.vouched() == Some(place) { "" } else { EVIDENCE };
            let way = if options.large { TRIGGER } else { "" };
            write_config(&self.folder, sv, &app, settings, [evidence, way])?;
            sv.app = Some(app);
        }
        Ok(())
    }
}

/// Where a configuration says that the logs are.
const EVIDENCE: &str = "[evidence]\nlogs = [\"logs\"]\n\n";
/// What one says of an SV app that writes its dump itself. The app is on this machine: a second of silence is enough.
const TRIGGER: &str = "mode = \"trigger\"\ndump_dir = \"volume\"\nidle_timeout = \"1s\"\n";
/// Where the SV apps say that their volumes are.
pub(super) const APP_DIR: &str = "/domain-upgrade-dump";

/// What goes wrong with the first dump that the SV app at this place writes itself.
fn export_fault(place: usize) -> ExportFault {
    match place % 5 {
        0 => ExportFault::GatewayTimeout,
        1 => ExportFault::KilledAt(700_000),
        2 => ExportFault::Silent,
        3 => ExportFault::Status(503, "starting up".to_owned()),
        _ => ExportFault::CutAt(500_000),
    }
}

/// Everything that can go wrong with a snapshot and be tried again.
pub(super) const FAULTS: usize = 8;

/// The fault of that number, of [`FAULTS`].
pub(super) fn fault(number: usize) -> Fault {
    match number % FAULTS {
        0 => Fault::ResetBeforeHead,
        1 => Fault::Status(503, "starting up".to_owned()),
        2 => Fault::ResetAt(700_000),
        3 => Fault::HtmlBadGateway,
        4 => Fault::Truncated(500_000),
        5 => Fault::TruncatedChunked(600_000),
        6 => Fault::HtmlLogin,
        _ => Fault::Status(401, "token expired".to_owned()),
    }
}

/// Two faults for each SV, so that all of them come up.
fn faults(place: usize) -> Vec<Fault> {
    [place * 2, place * 2 + 1].map(fault).to_vec()
}

/// Writes what the agent of `sv` needs to know: `agent.toml`, the token, the CA and the backup of the node identities.
fn write_config(
    folder: &Path,
    sv: &Sv,
    app: &StandIn,
    settings: &Settings<'_>,
    [evidence, way]: [&str; 2],
) -> Result<(), DrillError> {
    let folder = folder.join(&sv.member.name);
    let coordinator = settings
        .coordinator
        .map(|(url, key)| format!("[[coordinator]]\nurl = \"{url}\"\nkey = \"{key}\"\n\n"))
        .unwrap_or_default();
    // What the largest of its dumps takes beside the temporary copy, so that the drill needs no more of a disk.
    let room = 2 * app.options().snapshot.acs_len + SMALL_ROOM;
    let config = format!(
        "roster = \"../roster.toml\"\napproval = \"{}\"\n\n[signing]\nkey = \"signing.key\"\n\n\
         {coordinator}{evidence}[donor]\ndso_party = \"{}\"\n\n[sv_app]\nurl = \"{}\"\ntoken_file = \"token\"\nca_file = \"ca.pem\"\nmigration_id = {}\n\
         {way}\n[node_identities]\nbackup = \"identities.json\"\n\n[output]\ndir = \"dumps\"\nroom = \"{room} B\"\n\n\
         [deliver]\npath = \"volume/domain_migration_dump.json\"\n",
        settings.approval,
        sv.identities["identities"]["dso_party_id"].as_str().unwrap_or_default(),
        app.url(),
        MIGRATION_ID + 1
    );
    let files = [
        ("agent.toml", config),
        ("token", app.options().token.clone()),
        ("ca.pem", app.ca_pem().unwrap_or_default().to_owned()),
        ("identities.json", sv.identities.to_string()),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        svdr_files::write_private(&path, content.as_bytes(), svdr_files::Replace::Never)
            .map_err(io::Error::other)
            .map_err(failed(&path, "writing the file"))?;
    }
    Ok(())
}

/// Turns an I/O error into one that names the file and what was done with it.
pub(super) fn failed(path: &Path, action: &'static str) -> impl Fn(io::Error) -> DrillError + use<> {
    let path = path.to_owned();
    move |source| DrillError::File { path: path.clone(), action, source }
}
