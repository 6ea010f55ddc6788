#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use clap::Parser;
use tempfile::TempDir;

use super::*;

const IDENTITIES: &str = r#"{"identities":{"sv_party_id":"sv::1220","dso_party_id":"DSO::1220","domain_alias":"global","domain_id":"global-domain::1220","participant":{},"sequencer":{},"mediator":{}}}"#;
const DATA: &str = r#"{"created_at":"2026-04-21T23:10:00Z","migration_id":6,"data_snapshot":{"acs_snapshot":"AAEC","acs_timestamp":"2026-04-21T23:10:00Z","dars":[]}}"#;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    args: MergeArgs,
}

struct Files(TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        fs::write(files.path("identities.json"), IDENTITIES).unwrap();
        fs::write(files.path("data.json"), DATA).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn merge(&self, data: &str, out: &str, more: &[&str]) -> Result<(), Failure> {
        let mut line = vec!["merge".into(), "--timestamp=2026-04-21T23:10:00Z".into()];
        for (flag, name) in [("--node-identities", "identities.json"), ("--data", data), ("--out", out)] {
            line.extend([flag.into(), self.path(name).into_os_string()]);
        }
        line.extend(more.iter().map(Into::into));
        run(&CommandLine::try_parse_from(line).unwrap().args, Output::Json)
    }
}

#[test]
fn writes_a_private_dump_and_leaves_the_inputs() {
    let files = Files::new();
    files.merge("data.json", "out.json", &["--migration-id=6", "--part-digests"]).unwrap();
    let merged = format!("{},{}\n", IDENTITIES.strip_suffix('}').unwrap(), DATA.strip_prefix('{').unwrap());
    assert_eq!(fs::read_to_string(files.path("out.json")).unwrap(), merged);
    assert_eq!(fs::metadata(files.path("out.json")).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(files.names(), ["data.json", "identities.json", "out.json"]);
}

#[test]
fn a_refused_document_leaves_nothing_and_what_was_there() {
    let files = Files::new();
    fs::write(files.path("data.json"), DATA.replace("AAEC", "AAE")).unwrap();
    let error = files.merge("data.json", "out.json", &[]).unwrap_err();
    assert_eq!(error.exit(), Exit::Refused);
    let data = files.path("data.json").display().to_string();
    assert!(error.explain().starts_with(&format!("error: {data} ")), "{}", error.explain());
    fs::write(files.path("out.json"), "old").unwrap();
    assert_eq!(files.merge("data.json", "out.json", &["--force"]).unwrap_err().exit(), Exit::Refused);
    assert_eq!(fs::read_to_string(files.path("out.json")).unwrap(), "old");
    assert_eq!(files.names(), ["data.json", "identities.json", "out.json"]);
}

#[test]
fn an_existing_output_is_replaced_only_with_force() {
    let files = Files::new();
    fs::write(files.path("out.json"), "old").unwrap();
    assert_eq!(files.merge("data.json", "out.json", &[]).unwrap_err().exit(), Exit::Failed);
    assert_eq!(fs::read_to_string(files.path("out.json")).unwrap(), "old");
    files.merge("data.json", "out.json", &["--force"]).unwrap();
    assert_ne!(fs::read_to_string(files.path("out.json")).unwrap(), "old");
}

#[test]
fn an_input_is_never_replaced_whatever_it_is_called() {
    let files = Files::new();
    fs::hard_link(files.path("identities.json"), files.path("other-name.json")).unwrap();
    for (out, document) in [("data.json", Document::Snapshot), ("other-name.json", Document::Identities)] {
        let error = files.merge("data.json", out, &["--force"]).unwrap_err();
        let error_of = error.error().downcast_ref();
        assert!(matches!(error_of, Some(InputError::SameFile { document: found, .. }) if *found == document));
        assert_eq!(error.exit(), Exit::Usage);
    }
    assert_eq!(fs::read_to_string(files.path("other-name.json")).unwrap(), IDENTITIES);
}

#[test]
fn an_input_that_is_not_there_is_a_failure_that_names_it() {
    let files = Files::new();
    let error = files.merge("nowhere.json", "out.json", &[]).unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(error.explain().contains("nowhere.json"), "{}", error.explain());
}

#[test]
fn another_migration_is_refused() {
    let error = Files::new().merge("data.json", "out.json", &["--migration-id=7"]).unwrap_err();
    assert_eq!(error.exit(), Exit::Refused);
}

#[test]
fn payload_files_are_looked_for_by_their_names_and_have_to_be_whole() {
    let files = Files::new();
    let separate = DATA.replace("\"AAEC\"", "\"/domain-upgrade-dump/export_at_1/acs\"");
    let separate = separate.replace("\"dars\":[]", "\"dars\":[],\"separate_payload_files\":true");
    fs::write(files.path("data.json"), &separate).unwrap();
    let folder = files.0.path().display().to_string();
    let merge = |out| files.merge("data.json", out, &["--payload-files", &folder]);
    assert_eq!(merge("out.json").unwrap_err().exit(), Exit::Failed);
    fs::write(files.path("acs"), b"\0\0\0\x02a").unwrap();
    assert_eq!(merge("out.json").unwrap_err().exit(), Exit::Refused);
    assert!(!files.path("out.json").exists());
    fs::write(files.path("acs"), b"\0\0\0\x01a").unwrap();
    merge("out.json").unwrap();
    std::os::unix::fs::symlink(files.path("acs"), files.path("link")).unwrap();
    fs::write(files.path("data.json"), separate.replace("export_at_1/acs", "link")).unwrap();
    assert_eq!(merge("other.json").unwrap_err().exit(), Exit::Failed);
    fs::write(files.path("data.json"), separate.replace("/export_at_1/acs", "/..")).unwrap();
    assert_eq!(merge("other.json").unwrap_err().exit(), Exit::Refused);
}
