//! A folder of files that is there whole, or not at all.

#![allow(clippy::unwrap_used)]

use tempfile::TempDir;

use super::*;

const MARK: &str = "mark.json";

fn made(path: &Path, replace: Replace, text: &str) -> Result<(), FileError> {
    let folder = PrivateFolder::create(path, replace, MARK)?;
    for name in [MARK, "other"] {
        let mut file = folder.file(name)?;
        file.write_all(text.as_bytes()).unwrap();
        file.finish()?;
    }
    folder.commit()
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn appears_whole_and_private() {
    let parent = TempDir::new().unwrap();
    let target = parent.path().join("set");
    let folder = PrivateFolder::create(&target, Replace::Never, MARK).unwrap();
    let file = folder.file(MARK).unwrap();
    let temporary = parent.path().join(&names(parent.path())[0]);
    assert_eq!((mode(&temporary), mode(&temporary.join(MARK))), (0o700, 0o600));
    file.finish().unwrap();
    assert!(!target.exists());
    folder.commit().unwrap();
    assert_eq!(names(parent.path()), ["set"]);
    assert_eq!((mode(&target), mode(&target.join(MARK))), (0o700, 0o600));
}

#[test]
fn dropped_it_leaves_nothing() {
    let parent = TempDir::new().unwrap();
    let folder = PrivateFolder::create(parent.path().join("set"), Replace::Never, MARK).unwrap();
    folder.file("a").unwrap().finish().unwrap();
    drop(folder);
    assert_eq!(names(parent.path()), [""; 0]);
}

#[test]
fn replaces_only_with_force_and_only_its_own_kind() {
    let parent = TempDir::new().unwrap();
    let target = parent.path().join("set");
    made(&target, Replace::Force, "1").unwrap();
    assert!(matches!(made(&target, Replace::Never, "2"), Err(FileError::Exists { .. })));
    assert_eq!(fs::read_to_string(target.join("other")).unwrap(), "1");
    made(&target, Replace::Force, "2").unwrap();
    assert_eq!(fs::read_to_string(target.join("other")).unwrap(), "2");
    assert_eq!(names(parent.path()), ["set"]);
    fs::create_dir(target.join("below")).unwrap();
    assert!(matches!(made(&target, Replace::Force, "3"), Err(FileError::ForeignFolder { .. })));
    fs::remove_dir(target.join("below")).unwrap();
    fs::remove_file(target.join(MARK)).unwrap();
    assert!(matches!(made(&target, Replace::Force, "3"), Err(FileError::ForeignFolder { .. })));
    assert_eq!(names(&target), ["other"]);
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(made(&file, Replace::Force, "3"), Err(FileError::NotAFolder { .. })));
    std::os::unix::fs::symlink(&target, parent.path().join("link")).unwrap();
    let linked = made(&parent.path().join("link"), Replace::Force, "3");
    assert!(matches!(linked, Err(FileError::SymbolicLink { .. })));
}

#[test]
fn without_flags_of_rename_the_same_comes_out() {
    let parent = TempDir::new().unwrap();
    let target = parent.path().join("set");
    for text in ["1", "2"] {
        let mut folder = PrivateFolder::create(&target, Replace::Force, MARK).unwrap();
        let mut file = folder.file(MARK).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.finish().unwrap();
        let temporary = folder.temporary.take().unwrap();
        let replaced = folder.publish_plainly(&temporary).unwrap();
        assert_eq!(replaced.is_some(), text == "2");
        assert_eq!(fs::read_to_string(target.join(MARK)).unwrap(), text);
    }
    // What was moved aside is cleared away by the next run.
    drop(PrivateFolder::create(parent.path().join("next"), Replace::Never, MARK).unwrap());
    assert_eq!(names(parent.path()), ["set"]);
}

#[test]
fn a_stale_folder_is_removed_and_a_living_one_stays() {
    let parent = TempDir::new().unwrap();
    let stale = parent.path().join(".set.svdr-1-0123456789abcdef.tmp");
    fs::create_dir(&stale).unwrap();
    fs::write(stale.join(MARK), "secret").unwrap();
    let living = PrivateFolder::create(parent.path().join("set"), Replace::Never, MARK).unwrap();
    assert!(!stale.exists());
    let other = crate::PrivateFile::create(parent.path().join("file"), Replace::Never).unwrap();
    living.file(MARK).unwrap().finish().unwrap();
    living.commit().unwrap();
    other.commit().unwrap();
    assert_eq!(names(parent.path()), ["file", "set"]);
}
