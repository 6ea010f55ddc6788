#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn is_private_from_its_first_byte_and_appears_only_at_commit() {
    let folder = folder();
    let path = folder.path().join("dump.json");
    let mut file = PrivateFile::create(&path, Replace::Never).unwrap();
    let [temporary] = names(&folder).try_into().unwrap();
    assert!(temporary.starts_with(".dump.json.svdr-"), "{temporary}");
    assert_eq!(mode(&folder.path().join(&temporary)), PRIVATE);
    file.write_all(b"secret").unwrap();
    assert!(!path.exists());
    file.commit().unwrap();
    assert_eq!(names(&folder), ["dump.json"]);
    assert_eq!((mode(&path), fs::read(&path).unwrap()), (PRIVATE, b"secret".to_vec()));
}

#[test]
fn dropped_without_commit_nothing_is_left() {
    let folder = folder();
    let mut file = PrivateFile::create(folder.path().join("a"), Replace::Never).unwrap();
    file.write_all(b"secret").unwrap();
    drop(file);
    assert!(names(&folder).is_empty());
}

#[test]
fn an_existing_file_is_kept_unless_forced_and_then_replaced_whole() {
    let folder = folder();
    let path = folder.path().join("a");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(write_private(&path, b"new", Replace::Never), Err(FileError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    let mut file = PrivateFile::create(&path, Replace::Force).unwrap();
    file.write_all(b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    file.commit().unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"new".to_vec(), PRIVATE));
    assert_eq!(names(&folder), ["a"]);
}

#[test]
fn a_file_that_appears_meanwhile_is_kept() {
    let folder = folder();
    let path = folder.path().join("a");
    let file = PrivateFile::create(&path, Replace::Never).unwrap();
    fs::write(&path, "another's").unwrap();
    assert!(matches!(file.commit(), Err(FileError::Exists { .. })));
    assert_eq!((fs::read(&path).unwrap(), names(&folder)), (b"another's".to_vec(), vec!["a".to_owned()]));
}

/// Between the look at the target and the naming nothing can be put by a test, so the naming is called alone.
#[test]
fn a_file_that_appears_at_the_last_moment_is_kept() {
    let folder = folder();
    let path = folder.path().join("a");
    let file = PrivateFile::create(&path, Replace::Never).unwrap();
    fs::write(&path, "another's").unwrap();
    let temporary = file.temporary.clone().unwrap();
    assert!(matches!(file.publish(&temporary), Err(FileError::Exists { .. })));
    assert!(matches!(claim(&path), Err(FileError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"another's");
}

#[test]
fn of_many_writers_without_force_exactly_one_wins() {
    let folder = folder();
    let path = folder.path().join("a");
    let wins = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8u8)
            .map(|n| {
                let path = &path;
                scope.spawn(move || write_private(path, &[n; 1000], Replace::Never).is_ok())
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(wins, 1);
    let content = fs::read(&path).unwrap();
    assert_eq!(content, vec![content[0]; 1000]);
    assert_eq!(names(&folder), ["a"]);
}

#[test]
fn a_stale_temporary_file_is_removed_and_a_living_one_is_not() {
    let folder = folder();
    let mut living = PrivateFile::create(folder.path().join("living"), Replace::Never).unwrap();
    living.write_all(b"secret").unwrap();
    let stale = folder.path().join(".other.svdr-4194304-0123456789abcdef.tmp");
    fs::write(&stale, "secret").unwrap();
    let not_ours = folder.path().join(".other.tmp");
    fs::write(&not_ours, "").unwrap();
    symlink(&not_ours, folder.path().join(".link.svdr-1-0123456789abcdef.tmp")).unwrap();
    write_private(folder.path().join("b"), b"", Replace::Never).unwrap();
    assert!(!stale.exists());
    assert!(not_ours.exists());
    living.commit().unwrap();
    assert_eq!(names(&folder), [".link.svdr-1-0123456789abcdef.tmp", ".other.tmp", "b", "living"]);
}

/// A stop between `link` and the removal of the temporary name.
#[test]
fn a_second_name_of_a_complete_file_is_cleared_away() {
    let folder = folder();
    let path = folder.path().join("a");
    write_private(&path, b"complete", Replace::Never).unwrap();
    fs::hard_link(&path, folder.path().join(".a.svdr-1-0123456789abcdef.tmp")).unwrap();
    write_private(folder.path().join("b"), b"", Replace::Never).unwrap();
    assert_eq!(names(&folder), ["a", "b"]);
    assert_eq!(fs::read(&path).unwrap(), b"complete");
}

/// Another process may take the file for stale between its creation and its lock.
#[test]
fn a_file_taken_for_stale_before_it_is_locked_is_given_up() {
    let folder = folder();
    let path = folder.path().join("t");
    let file = File::create(&path).unwrap();
    let cleaner = File::open(&path).unwrap();
    cleaner.lock().unwrap();
    assert!(!lock(&file, &path).unwrap());
    drop(cleaner);
    fs::remove_file(&path).unwrap();
    assert!(!lock(&file, &path).unwrap());
    File::create(&path).unwrap();
    assert!(!lock(&file, &path).unwrap());
}

#[test]
fn what_is_not_a_regular_file_is_refused_also_with_force() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let before = names(&folder);
    for replace in [Replace::Never, Replace::Force] {
        let error = |path: PathBuf| PrivateFile::create(path, replace).map(drop).unwrap_err();
        assert!(matches!(error(at("folder")), FileError::Folder { .. }));
        assert!(matches!(error(at("dangling")), FileError::SymbolicLink { .. }));
        assert!(matches!(error(at("socket")), FileError::Special { .. }));
        assert!(matches!(error("/dev/null".into()), FileError::Special { .. }));
        for path in ["", "/", "..", "folder/.."] {
            assert!(matches!(error(path.into()), FileError::NoName { .. }), "{path}");
        }
        assert!(matches!(error(at("new/")), FileError::NoName { .. }));
        let missing = error(at("missing/a"));
        assert!(matches!(missing, FileError::Io(FileIoError { step: FileStep::Create, .. })), "{missing}");
    }
    assert_eq!(names(&folder), before);
}

#[test]
fn a_target_that_becomes_a_folder_or_link_is_refused_at_commit() {
    let folder = folder();
    let path = folder.path().join("a");
    let file = PrivateFile::create(&path, Replace::Force).unwrap();
    symlink("elsewhere", &path).unwrap();
    assert!(matches!(file.commit(), Err(FileError::SymbolicLink { .. })));
    assert_eq!(names(&folder), ["a"]);
}

#[test]
fn long_names_and_names_that_are_not_utf8_are_possible() {
    let folder = folder();
    for name in [vec![b'x'; 255], b"a\xff".to_vec(), "ä".repeat(127).into_bytes()] {
        let path = folder.path().join(OsString::from_vec(name));
        write_private(&path, b"1", Replace::Never).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"1");
    }
}

#[test]
fn a_long_file_is_flushed_on_the_way_and_stays_whole() {
    let folder = folder();
    let path = folder.path().join("a");
    let mut file = PrivateFile::create(&path, Replace::Never).unwrap();
    let chunk = vec![7u8; 5 << 20];
    for _ in 0..9 {
        file.write_all(&chunk).unwrap();
    }
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), chunk.repeat(9));
}

#[test]
fn messages_name_the_file_and_the_way_out() {
    let path = || PathBuf::from("/dumps/a.json");
    let io = |step| FileError::at(&path(), step)(io::ErrorKind::StorageFull.into());
    let messages = [
        FileError::NoName { path: path() },
        FileError::Exists { path: path() },
        FileError::Folder { path: path() },
        FileError::SymbolicLink { path: path(), to: "b".into() },
        FileError::Special { path: path() },
        io(FileStep::Look),
        io(FileStep::Create),
        io(FileStep::Write),
        io(FileStep::Flush),
        io(FileStep::Name),
        io(FileStep::FlushFolder),
    ]
    .map(|error| error.to_string());
    assert_eq!(
        messages.join("\n"),
        "/dumps/a.json does not name a file\nhelp: add a name after the folder\n\
         /dumps/a.json already exists\nhelp: give another name, or --force to replace it\n\
         /dumps/a.json is a folder\nhelp: give the name of a file in it\n\
         /dumps/a.json is a symbolic link to b\nhelp: give the path of the file itself\n\
         /dumps/a.json is a device, pipe or socket, so nothing in it could be private\nhelp: give the name of a file\n\
         /dumps/a.json could not be read\nhelp: check that its folder exists and can be written\n\
         /dumps/a.json could not be created\nhelp: check that its folder exists and can be written\n\
         /dumps/a.json could not be written\nhelp: check the free space and the health of the disk\n\
         /dumps/a.json could not be flushed to the disk\nhelp: check the free space and the health of the disk\n\
         /dumps/a.json could not be given its name, so nothing was changed\n\
         help: check that its folder can still be written, then retry\n\
         /dumps/a.json is complete, but its name could not be flushed to the disk\nhelp: run `sync` and check the disk"
    );
}
