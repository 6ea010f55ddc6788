//! What an operator is shown of a migration dump that has been made.

use std::path::Path;

use serde::Serialize;
use svdr_cli::output::{self, Output, PrintError};
use svdr_dump::{MergeSummary, Payload};
use svdr_protocol::digest::Digest;
use svdr_protocol::text::shown;

#[derive(Serialize)]
struct DumpReport<'a> {
    path: &'a Path,
    #[serde(flatten)]
    summary: &'a MergeSummary,
}

/// Prints what a merge made at `path`.
///
/// # Errors
/// If stdout cannot be written; the dump is complete.
pub(crate) fn print(path: &Path, summary: &MergeSummary, output: Output) -> Result<(), PrintError> {
    let printed = output.show(&DumpReport { path, summary }, || text(path, summary));
    printed.map_err(|error| error.after("the dump is complete"))
}

/// The same for people.
pub(crate) fn text(path: &Path, summary: &MergeSummary) -> String {
    let mut table = output::table(&["migration dump", &path.display().to_string()]);
    let payload = |payload: &Payload| match payload {
        Payload::Inline { size, sha256 } => with_digest(*size, sha256.as_ref()),
        Payload::File { path, checked: None } => format!("in a file of its own: {path}"),
        Payload::File { path, checked: Some(found) } => {
            format!("{}, in a file of its own: {path}", with_digest(found.size, Some(&found.sha256)))
        }
    };
    table.add_row(["size", &format!("{} bytes", summary.size)]);
    table.add_row(["digest", &summary.sha256.to_string()]);
    table.add_row(["timestamp", &summary.timestamp.to_string()]);
    table.add_row(["migration id", &summary.migration_id.to_string()]);
    table.add_row(["active contracts", &payload(&summary.acs_snapshot)]);
    if let Some(genesis_state) = &summary.genesis_state {
        table.add_row(["genesis state", &payload(genesis_state)]);
    }
    let dars: u64 = summary.dars.iter().map(|dar| dar.size).sum();
    table.add_row(["DARs", &format!("{}, {dars} bytes", summary.dars.len())]);
    for dar in summary.dars.iter().filter(|dar| dar.sha256.is_some()) {
        table.add_row([&dar.hash, &with_digest(dar.size, dar.sha256.as_ref())]);
    }
    shown(&table.to_string())
}

fn with_digest(size: u64, digest: Option<&Digest>) -> String {
    digest.map_or_else(|| format!("{size} bytes"), |digest| format!("{size} bytes, {digest}"))
}
