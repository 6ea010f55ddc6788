//! Where an export names its payload files, and where the dump that is taken from it names them.
//!
//! The SV app writes an export into `export_at_MILLIS` beside the place of its migration dump, and into the dump the
//! absolute paths of the payload files there, as the app itself sees them. On import it opens exactly those paths.
//! The dump that is delivered is one folder higher, with its payload files beside it, so the two paths are
//! rewritten. Nothing but one file right in the export's own folder is accepted: no other folder, no `..`.

use svdr_protocol::text::hidden_in;
use svdr_protocol::time::Timestamp;

/// Microseconds in a millisecond.
const MICROS: i64 = 1000;

/// The two payloads that can be files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadPart {
    /// The active contracts.
    AcsSnapshot,
    /// The genesis state.
    GenesisState,
}

impl PayloadPart {
    /// Its field, which is its name in an attestation too.
    pub const fn name(self) -> &'static str {
        match self {
            PayloadPart::AcsSnapshot => "acs_snapshot",
            PayloadPart::GenesisState => "genesis_state",
        }
    }
}

/// The names of one export's files before and after it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    app_dir: String,
    millis: i64,
}

impl Relocation {
    /// That of the export at `timestamp`, whose volume the SV app sees as `app_dir`.
    pub fn new(app_dir: &str, timestamp: Timestamp) -> Relocation {
        // Java's `Instant.toEpochMilli` rounds down.
        Relocation {
            app_dir: app_dir.trim_end_matches('/').to_owned(),
            millis: timestamp.micros().div_euclid(MICROS),
        }
    }

    /// The name of the folder that the app exports into (`HttpSvAdminHandler.scala`).
    pub fn folder(&self) -> String {
        format!("export_at_{}", self.millis)
    }

    /// That folder as the app sees it.
    pub fn app_folder(&self) -> String {
        format!("{}/{}", self.app_dir, self.folder())
    }

    /// The file in the export's folder that `path` names; `None` where it names anything else.
    pub fn file<'p>(&self, path: &'p str) -> Option<&'p str> {
        let file = path.strip_prefix(&self.app_folder())?.strip_prefix('/')?;
        let plain = !file.is_empty() && !matches!(file, "." | "..");
        (plain && !file.contains('/') && hidden_in(file).is_none()).then_some(file)
    }

    /// The name that a payload's file gets. Without the colons of the app's own, at which `kubectl cp` takes a file
    /// for one of a pod; with the export's time, so that files of two dumps cannot be taken for each other.
    pub fn new_file(&self, part: PayloadPart) -> String {
        format!("{}-{}", part.name(), self.millis)
    }

    /// What the taken dump says instead of the path: that file beside the dump, as the app sees it.
    pub fn new_path(&self, part: PayloadPart) -> String {
        format!("{}/{}", self.app_dir, self.new_file(part))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn relocation(at: &str) -> Relocation {
        Relocation::new("/domain-upgrade-dump/", at.parse().unwrap())
    }

    #[test]
    fn only_a_file_right_in_the_exports_folder_is_one() {
        let export = relocation("2026-04-21T23:10:00.500Z");
        assert_eq!(export.folder(), "export_at_1776813000500");
        let within = |file: &str| format!("/domain-upgrade-dump/export_at_1776813000500/{file}");
        let own = within("2026-04-21T23:10:00.500Z-acs-snapshot");
        assert_eq!(export.file(&own), Some("2026-04-21T23:10:00.500Z-acs-snapshot"));
        for path in [
            "",
            "acs-snapshot",
            "/etc/passwd",
            "/domain-upgrade-dump/acs-snapshot",
            "/domain-upgrade-dump/export_at_1776813000501/acs-snapshot",
            "/domain-upgrade-dump/export_at_17768130005000/acs-snapshot",
            "//domain-upgrade-dump/export_at_1776813000500/acs-snapshot",
            &within(""),
            &within("."),
            &within(".."),
            &within("../acs-snapshot"),
            &within("a/b"),
            &within("a\0b"),
            &within("/acs-snapshot"),
        ] {
            assert_eq!(export.file(path), None, "{path:?}");
        }
    }

    #[test]
    fn milliseconds_are_rounded_down_on_both_sides_of_the_epoch() {
        assert_eq!(relocation("1970-01-01T00:00:00.001999Z").folder(), "export_at_1");
        assert_eq!(relocation("1969-12-31T23:59:59.999999Z").folder(), "export_at_-1");
    }

    #[test]
    fn files_lie_beside_the_dump_afterwards() {
        let export = relocation("2026-04-21T23:10:00.500Z");
        let part = PayloadPart::GenesisState;
        assert_eq!(export.new_path(part), "/domain-upgrade-dump/genesis_state-1776813000500");
        assert!(export.new_path(part).ends_with(&export.new_file(part)));
    }
}
