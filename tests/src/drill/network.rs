//! The made-up network on disk: its SVs with their logs, apps and configurations. What happened to them is
//! [`Story`]'s.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::command::heading;
use super::config::{self, Node, Settings};
use super::logs::{NEW, OLD};
use super::steps::unexpected;
use super::story::Story;
use super::{DrillError, Options};
use crate::log_writer::Format;
use crate::members::{SYNCHRONIZER, TestMember, members};
use crate::sv_app::{self, DumpVolume, ExportFault, Fault, SnapshotShape, StandIn};

/// Participants outside of the roster that send commitments too.
const VALIDATORS: usize = 20;
/// The migration id that the network had.
pub(super) const MIGRATION_ID: u64 = 5;
/// The folder that an SV's app imports its dump from, and that it writes large ones into.
pub(super) const VOLUME: &str = "volume";

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
    /// Participants outside of the roster.
    pub(super) validators: Vec<TestMember>,
    pub(super) seed: u64,
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
            for name in [OLD, NEW, "dumps", VOLUME] {
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
                        folder: self.folder.join(&sv.member.name).join(VOLUME),
                        app_dir: APP_DIR.to_owned(),
                    },
                    false => DumpVolume::Unknown,
                },
                export_faults: if options.faults { vec![export_fault(place)] } else { Vec::new() },
                ..sv_app::Options::default()
            })
            .map_err(|source| DrillError::StandIn { member: sv.member.name.clone(), source })?;
            say!("    {}  {}", sv.member.name, app.url());
            let node = Node {
                place,
                sv,
                app: &app,
                is_without_logs: story.vouched() == Some(place),
                is_large: options.large,
            };
            config::write(&self.folder, &node, settings)?;
            sv.app = Some(app);
        }
        Ok(())
    }
}

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

/// Turns an I/O error into one that names the file and what was done with it.
pub(super) fn failed(path: &Path, action: &'static str) -> impl Fn(io::Error) -> DrillError + use<> {
    let path = path.to_owned();
    move |source| DrillError::File { path: path.clone(), action, source }
}
