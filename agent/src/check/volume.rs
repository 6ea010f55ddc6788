//! The SV app's dump volume: there, readable, and how a dump is taken from it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use svdr_cli::screens::size;

use super::Finding;
use super::files::enough_room;
use crate::sources::fetch::Mode;
use crate::sources::volume::Volume;

const NAME: &str = "dump volume";

/// Whether dumps may come through it.
pub(super) fn is_used(mode: Mode, volume: Option<&Volume>) -> bool {
    match mode {
        Mode::Http => false,
        Mode::Trigger => true,
        Mode::Auto => volume.is_some(),
    }
}

/// The volume, with at least `enough` bytes free. `output` is the folder that dumps are taken to.
pub(super) fn volume(mode: Mode, volume: Option<&Volume>, output: Option<&Path>, enough: u64) -> Finding {
    let volume = match (mode, volume) {
        (Mode::Http, _) => return Finding::left_out(NAME, "not used with mode = \"http\""),
        (Mode::Auto, None) => {
            let text = "no dump_dir is configured under [sv_app]: it is needed only if the data snapshot is too large \
                        for one answer of the SV app";
            return Finding::left_out(NAME, text);
        }
        (Mode::Trigger, None) => {
            let text = "no dump_dir is configured, but mode = \"trigger\" needs it: add it under [sv_app]";
            return Finding::failed(NAME, text);
        }
        (_, Some(volume)) => volume,
    };
    let dir = volume.dir.display();
    let cannot = |error| {
        Finding::failed(NAME, format!("{dir} cannot be read ({error}): mount the SV app's volume there"))
    };
    // Both may be allowed apart from each other: the names in it, and the folder itself.
    let metadata = match fs::metadata(&volume.dir).and_then(|found| fs::read_dir(&volume.dir).map(|_| found))
    {
        Ok(metadata) => metadata,
        Err(error) => return cannot(error),
    };
    let disk = match rustix::fs::statvfs(&volume.dir) {
        Ok(disk) => disk,
        Err(error) => return cannot(error.into()),
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let output = output.and_then(|output| fs::metadata(output).ok());
    let place = match output.is_some_and(|output| output.dev() == metadata.dev()) {
        true => {
            "on the disk of output.dir, where every dump takes room twice unless the file system shares blocks"
        }
        false => "on another disk than output.dir",
    };
    let text = format!("{dir}, which the SV app sees as {}, is {place}; {} free", volume.app_dir, size(free));
    enough_room(NAME, text, free, enough)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tempfile::TempDir;

    use super::super::Verdict;
    use super::*;

    #[test]
    fn it_has_to_be_there_where_it_is_used() {
        let folder = TempDir::new().unwrap();
        let named = |dir: &Path| Volume { dir: dir.to_owned(), app_dir: "/dump".to_owned() };
        let (here, absent) = (named(folder.path()), named(&folder.path().join("absent")));
        assert_eq!(volume(Mode::Http, Some(&absent), None, 1).verdict, Verdict::LeftOut);
        assert_eq!(volume(Mode::Auto, None, None, 1).verdict, Verdict::LeftOut);
        assert_eq!(volume(Mode::Trigger, None, None, 1).verdict, Verdict::Failed);
        for mode in [Mode::Trigger, Mode::Auto] {
            let found = volume(mode, Some(&absent), None, 1);
            assert!(found.verdict == Verdict::Failed && found.text.contains("mount"), "{}", found.text);
            let found = volume(mode, Some(&here), Some(folder.path()), 1);
            assert!(found.text.contains("on the disk of output.dir"), "{}", found.text);
            assert!(found.text.contains("sees as /dump"), "{}", found.text);
        }
        assert!(!is_used(Mode::Auto, None) && is_used(Mode::Auto, Some(&here)));
    }
}
