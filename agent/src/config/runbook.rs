//! `[runbook]`: how this SV's node is deployed, for the steps that are not svdr's own.
//!
//! Nothing of it is needed for anything else. What is left out is taken from the Splice documentation's own names, or
//! stays a variable of the shell.

use std::path::PathBuf;

use super::reader::Section;

/// What the steps of the runbook are filled in with.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RunbookSection {
    /// The Kubernetes namespace of the node.
    pub namespace: Option<String>,
    /// The context of `kubectl` and `helm`.
    pub context: Option<String>,
    /// Where the Helm charts come from.
    pub chart_repository: Option<String>,
    /// Their version on the new synchronizer.
    pub chart_version: Option<String>,
    /// The folder of the values files, as in Splice's bundle under `examples/sv-helm`.
    pub values: Option<PathBuf>,
    /// The values file that lists the approved SV identities.
    pub sv_identities: Option<PathBuf>,
    /// The values file of the user interfaces.
    pub ui_config: Option<PathBuf>,
    /// The migration id of the network that is lost.
    pub legacy_migration_id: Option<u64>,
    /// Logs of the new participant: patterns of paths, absolute.
    pub logs: Vec<String>,
}

impl RunbookSection {
    pub(super) fn read(mut section: Section<'_, '_>) -> RunbookSection {
        let parsed = RunbookSection {
            namespace: section.text("namespace"),
            context: section.text("context"),
            chart_repository: section.text("chart_repository"),
            chart_version: section.text("chart_version"),
            values: section.path("values"),
            sv_identities: section.path("sv_identities"),
            ui_config: section.path("ui_config"),
            legacy_migration_id: section.number("legacy_migration_id"),
            logs: section.patterns("logs").unwrap_or_default(),
        };
        section.finish();
        parsed
    }
}
