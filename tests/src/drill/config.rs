//! What the agent of an SV needs on its disk: `agent.toml`, the SV app's token and CA, and the backup of its node identities.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::DrillError;
use super::logs::{NEW, OLD};
use super::network::{MIGRATION_ID, Sv, VOLUME, failed};
use crate::sv_app::StandIn;
use crate::sv_app::export::DUMP;

/// What identities and the edges of a dump take at most, in bytes.
const SMALL_ROOM: u64 = 10_000_000;
/// How to get a dump that the SV app writes itself. The app is on this machine: a second of silence is enough.
const TRIGGER: &str = "mode = \"trigger\"\ndump_dir = \"volume\"\nidle_timeout = \"1s\"\n";
/// The runbook of a made-up node must not reach a real cluster: kubectl and helm end with an error, because their
/// configuration has no context of this name.
const RUNBOOK: &str = "# kubectl and helm know no such context: the runbook's commands cannot reach a real cluster.\n\
                       namespace = \"practice\"\ncontext = \"svdr-practice-without-a-cluster\"\n";

/// What the configurations of a drill say besides.
pub(super) struct Settings<'a> {
    /// The coordinator's URL and key.
    pub(super) coordinator: Option<(&'a str, &'a str)>,
    /// Who approves proposals: `automatic` or `operator`.
    pub(super) approval: &'a str,
    /// Where the first SV listens when it donates; each further SV has the next port. Without, `donate` gets a flag.
    pub(super) donors: Option<SocketAddr>,
}

/// What is particular about one SV.
pub(super) struct Node<'a> {
    pub(super) place: usize,
    pub(super) sv: &'a Sv,
    pub(super) app: &'a StandIn,
    /// Whether its participant's logs are lost.
    pub(super) is_without_logs: bool,
    /// Whether its app writes dumps into its volume.
    pub(super) is_large: bool,
}

/// Writes the files into the SV's folder.
pub(super) fn write(folder: &Path, node: &Node<'_>, settings: &Settings<'_>) -> Result<(), DrillError> {
    let files = [
        ("agent.toml", agent_toml(node, settings)),
        ("token", node.app.options().token.clone()),
        ("ca.pem", node.app.ca_pem().unwrap_or_default().to_owned()),
        ("identities.json", node.sv.identities.to_string()),
    ];
    for (name, content) in files {
        let path = folder.join(&node.sv.member.name).join(name);
        svdr_files::write_private(&path, content.as_bytes(), svdr_files::Replace::Never)
            .map_err(io::Error::other)
            .map_err(failed(&path, "writing the file"))?;
    }
    Ok(())
}

fn agent_toml(node: &Node<'_>, settings: &Settings<'_>) -> String {
    let coordinator = settings.coordinator.map_or_else(String::new, |(url, key)| {
        format!("[[coordinator]]\nurl = \"{url}\"\nkey = \"{key}\"\n\n")
    });
    let evidence = match node.is_without_logs {
        true => String::new(),
        false => format!("[evidence]\nlogs = [\"{OLD}\"]\n\n"),
    };
    let trigger = if node.is_large { TRIGGER } else { "" };
    let dso_party = node.sv.identities["identities"]["dso_party_id"].as_str().unwrap_or_default();
    let donor = settings.donors.and_then(|first| {
        let port = first.port().checked_add(u16::try_from(node.place).ok()?)?;
        let address = SocketAddr::new(first.ip(), port);
        Some(format!("listen = \"{address}\"\nurl = \"https://{address}\"\n"))
    });
    let donor = donor.unwrap_or_default();
    // What the largest of its dumps takes beside the temporary copy, so that the drill needs no more of a disk.
    let room = 2 * node.app.options().snapshot.acs_len + SMALL_ROOM;
    format!(
        "roster = \"../roster.toml\"\napproval = \"{approval}\"\ngrace = \"1s\"\n\n\
         [signing]\nkey = \"signing.key\"\n\n\
         {coordinator}{evidence}\
         [sv_app]\nurl = \"{url}\"\ntoken_file = \"token\"\nca_file = \"ca.pem\"\nmigration_id = {id}\n{trigger}\n\
         [node_identities]\nbackup = \"identities.json\"\n\n\
         [output]\ndir = \"dumps\"\nroom = \"{room} B\"\n\n\
         [donor]\ndso_party = \"{dso_party}\"\n{donor}\n\
         [deliver]\npath = \"{VOLUME}/{DUMP}\"\n\n\
         [runbook]\n{RUNBOOK}logs = [\"{NEW}\"]\n",
        approval = settings.approval,
        url = node.app.url(),
        id = MIGRATION_ID + 1,
    )
}
