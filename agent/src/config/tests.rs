#![allow(clippy::unwrap_used)]

use super::*;
use crate::sources::fetch::Mode;

/// The example of the manual.
const WHOLE: &str = r#"
roster = "roster.toml"
approval = "automatic"
[signing]
key = "signing.key"
[[coordinator]]
url = "https://dr.sv-1.example.com:7443"
key = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
[evidence]
logs = ["/var/log/canton/participant*.log*", "logs/*"]
since = "48h"
logger_participant = "sv1Participant"
[sv_app]
url = "https://sv.sv.example.com/api/sv"
migration_id = 6
request_migration_id = true
ca_file = "/etc/ca.pem"
connect_timeout = "5s"
first_byte_timeout = "20m"
idle_timeout = "2m"
mode = "trigger"
dump_dir = "volume"
app_dump_dir = "/domain-upgrade-dump/"
[sv_app.oauth2]
token_url = "https://auth.example.com/oauth/token"
client_id = "svdr"
client_secret_file = "secret"
audience = "https://canton.network.global"
scope = "daml_ledger_api"
[node_identities]
backup = "/secure/identities.json"
age_identity = "age.key"
[database_backups]
apps = ["/backups/apps-*.dump"]
participant = ["backups/participant-*.dump"]
[output]
dir = "dumps"
room = "1.5 GB"
[donor]
dso_party = "DSO::1220be58"
listen = "0.0.0.0:7444"
url = "https://sv-1.example.com:7444/"
[deliver]
command = ["kubectl", "cp", "{dump}", "sv/pod:/domain-upgrade-dump/domain_migration_dump.json"]
[runbook]
namespace = "sv-1"
context = "mainnet"
chart_repository = "oci://charts.example.com/helm"
chart_version = "0.5.3"
values = "sv-helm"
sv_identities = "approved-sv-id-values.yaml"
ui_config = "/srv/ui-config-values.yaml"
legacy_migration_id = 4
logs = ["new/*.log"]
"#;

fn parse(text: &str) -> Result<AgentConfig, Vec<Mistake>> {
    AgentConfig::parse(text, Path::new("/etc/svdr"))
}

fn mistakes(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn every_section_is_read() {
    let config = parse(WHOLE).unwrap();
    assert_eq!(config.roster, Some("/etc/svdr/roster.toml".into()));
    assert_eq!(config.approval, Approval::Automatic);
    assert_eq!(config.signing_key, Some("/etc/svdr/signing.key".into()));
    assert_eq!(config.coordinators[0].url, "https://dr.sv-1.example.com:7443");
    let evidence = config.evidence.as_ref().unwrap();
    assert_eq!(evidence.logs, ["/var/log/canton/participant*.log*", "/etc/svdr/logs/*"]);
    assert_eq!(evidence.since, Some(Duration::from_secs(48 * 3600)));
    assert_eq!(evidence.logger_participant.as_deref(), Some("sv1Participant"));
    assert_eq!(config.sv_app.first_byte_timeout, Some(Duration::from_secs(1200)));
    assert_eq!(config.sv_app.mode, Some(Mode::Trigger));
    assert_eq!(config.sv_app.dump_dir, Some("/etc/svdr/volume".into()));
    assert_eq!(config.sv_app.app_dump_dir.as_deref(), Some("/domain-upgrade-dump"));
    let oauth2 = config.sv_app.oauth2.as_ref().unwrap();
    assert_eq!(oauth2.client_secret_file, Some("/etc/svdr/secret".into()));
    assert_eq!(config.node_identities, Some("/secure/identities.json".into()));
    assert_eq!(config.age_identity, Some("/etc/svdr/age.key".into()));
    assert_eq!(config.databases.apps, ["/backups/apps-*.dump"]);
    assert_eq!(config.databases.participant, ["/etc/svdr/backups/participant-*.dump"]);
    assert_eq!(config.donor.dso_party.as_deref(), Some("DSO::1220be58"));
    assert_eq!(config.donor.listen, "0.0.0.0:7444".parse().ok());
    assert_eq!(config.donor.url.as_deref(), Some("https://sv-1.example.com:7444"));
    assert_eq!(config.output_dir, Some("/etc/svdr/dumps".into()));
    assert_eq!(config.state(), Some("/etc/svdr/dumps/state".into()));
    assert_eq!((config.room(), parse("").unwrap().room()), (1_500_000_000, DEFAULT_ROOM));
    let named = parse("[output]\ndir = \"/dumps\"\nstate = \"/state\"").unwrap();
    assert_eq!(named.state(), Some("/state".into()));
    assert!(matches!(config.deliver, Some(Deliver::Command(command)) if command.len() == 4));
    let runbook = RunbookSection {
        namespace: Some("sv-1".to_owned()),
        context: Some("mainnet".to_owned()),
        chart_repository: Some("oci://charts.example.com/helm".to_owned()),
        chart_version: Some("0.5.3".to_owned()),
        values: Some("/etc/svdr/sv-helm".into()),
        sv_identities: Some("/etc/svdr/approved-sv-id-values.yaml".into()),
        ui_config: Some("/srv/ui-config-values.yaml".into()),
        legacy_migration_id: Some(4),
        logs: vec!["/etc/svdr/new/*.log".to_owned()],
    };
    assert_eq!(config.runbook, runbook);
}

#[test]
fn a_validator_app_is_configured_as_an_sv_app_is() {
    let text = WHOLE.replace("[sv_app", "[validator_app").replace("migration_id = 6\n", "");
    let text = text.replace("[deliver]", "[validator_app.deliver]");
    let volume = "mode = \"trigger\"\ndump_dir = \"volume\"\napp_dump_dir = \"/domain-upgrade-dump/\"\n";
    let config = parse(&text.replace(volume, "")).unwrap();
    let whole = parse(WHOLE).unwrap();
    let expected =
        SvAppSection { migration_id: None, mode: None, dump_dir: None, app_dump_dir: None, ..whole.sv_app };
    assert_eq!(config.validator.app, expected);
    assert_eq!((config.validator.deliver, config.deliver), (whole.deliver, None));
    // The certificate says it, and nothing else.
    let known = "url, token_file, oauth2, request_migration_id, ca_file, connect_timeout, first_byte_timeout, idle_timeout, \
                 deliver";
    assert_eq!(
        mistakes("[validator_app]\nmigration_id = 6"),
        [format!("line 2: validator_app.migration_id is unknown: the known names are {known}")]
    );
    // Only an SV app writes its dump into a volume when it is asked to.
    assert_eq!(
        mistakes("[validator_app]\nmode = \"trigger\""),
        [format!("line 2: validator_app.mode is unknown: the known names are {known}")]
    );
}

#[test]
fn nothing_has_to_be_there() {
    assert_eq!(parse("").unwrap(), AgentConfig::default());
    assert_eq!(parse("# only a comment").unwrap().approval, Approval::Operator);
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_lines() {
    let text = "rooster = \"r\"\n\
        approval = \"never\"\n\
        [sv_app]\n\
        url = \"ftp://x\"\n\
        token_file = 5\n\
        migration_id = -1\n\
        idle_timeout = \"0s\"\n\
        [sv_app.oauth2]\n\
        [node_identities]\n\
        backup = \" \"\n\
        [[coordinator]]\n\
        url = \"https://dr\"\n\
        [deliver]\n\
        command = [\"cp\", \"dump\"]\n\
        [output]\n\
        folder = \"x\"\n\
        room = \"-1 GB\"\n";
    assert_eq!(
        mistakes(text),
        [
            "line 1: rooster is unknown: the known names are roster, approval, grace, signing, coordinator, evidence, sv_app, validator_app, node_identities, database_backups, deliver, donor, runbook, output",
            "line 2: approval: expected \"operator\" or \"automatic\", found \"never\"",
            "line 4: sv_app.url: \"ftp://x\" is not an http or https URL: give a URL such as https://sv.sv.HOST/api/sv",
            "line 5: sv_app.token_file: expected a text in quotes, found integer",
            "line 6: sv_app.migration_id: expected a whole number that is not negative, found integer",
            "line 7: sv_app.idle_timeout: \"0s\" is not a duration: write a duration such as 60s, 15m or 48h",
            "line 10: node_identities.backup is empty: give it a value, or remove it",
            "line 11: [coordinator]: key is missing",
            "line 13: [deliver]: command has no {dump}; put it where the dump's path belongs",
            "line 16: output.folder is unknown: the known names are dir, state, room",
            "line 17: output.room: \"-1 GB\" is not a size: write a size such as 500 MB or 20 GB",
        ]
    );
}

#[test]
fn broken_toml_is_a_mistake_with_a_line() {
    let found = mistakes("roster = \"a\"\nroster = \"b\"\n[sv_app\nurl = x\n");
    assert!(found.len() >= 2, "{found:?}");
    assert!(found[0].starts_with("line 2: "), "{found:?}");
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    for line in ["token = \"hunter2\"", "oauth2.client_secret = \"hunter2\"", "url = \"https://u:hunter2@h\""]
    {
        let found = mistakes(&format!("[sv_app]\n{line}\n")).join("\n");
        assert!(found.starts_with("line 2: sv_app."), "{found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[test]
fn one_place_for_one_thing() {
    let found = mistakes(
        "[sv_app]\ntoken_file = \"t\"\noauth2.client_id = \"c\"\n[deliver]\npath = \"p\"\ncommand = [\"{dump}\"]",
    );
    assert_eq!(found.len(), 2);
    assert!(mistakes("sv_app = 1")[0].contains("expected a section, [sv_app], found integer"));
    assert!(mistakes("coordinator = [1]")[0].contains("expected sections, [[coordinator]], found integer"));
    assert!(mistakes("[evidence]\nlogs = []")[0].contains("expected a list of texts"));
    assert!(mistakes("[evidence]\nlogs = [1]")[0].contains("expected a list of texts"));
}

#[test]
fn ways_are_named_and_the_apps_folder_is_absolute() {
    for mode in [Mode::Http, Mode::Trigger, Mode::Auto] {
        let config = parse(&format!("[sv_app]\nmode = \"{}\"", mode.name())).unwrap();
        assert_eq!(config.sv_app.mode, Some(mode));
    }
    assert!(mistakes("[sv_app]\nmode = \"ftp\"")[0].contains("\"http\", \"trigger\" or \"auto\""));
    for folder in ["dump", "./dump", "/dump\\n"] {
        let found = mistakes(&format!("[sv_app]\napp_dump_dir = \"{folder}\""));
        assert!(found[0].contains("as the SV app sees it"), "{found:?}");
    }
}

#[test]
fn a_command_is_told_where_the_dump_is() {
    let deliver = |command: &str| parse(&format!("[deliver]\ncommand = [{command}]"));
    assert!(deliver("\"cp\", \"{dump}\", \"{files}\", \"/mnt\"").is_ok());
    assert!(deliver("\"cp\", \"-r\", \"{dump_dir}/.\", \"/mnt\"").is_ok());
    assert!(deliver("\"cp\", \"{files}\", \"/mnt\"").is_err());
}

#[test]
fn an_absent_default_file_is_empty_and_an_absent_named_one_an_error() {
    let error = AgentConfig::load(Some(Path::new("/nonexistent/agent.toml"))).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::write(&path, "roster = 1\n").unwrap();
    let error = AgentConfig::load(Some(&path)).unwrap_err();
    assert!(
        error.to_string().ends_with(
            "has a mistake; correct it:\n  line 1: roster: expected a text in quotes, found integer"
        ),
        "{error}"
    );
    std::fs::write(&path, WHOLE).unwrap();
    let config = AgentConfig::load(Some(&path)).unwrap();
    assert_eq!(config.roster, Some(folder.path().join("roster.toml")));
    std::fs::write(&path, " ".repeat(usize::try_from(MAX_CONFIG_LEN).unwrap() + 1)).unwrap();
    assert!(matches!(AgentConfig::load(Some(&path)), Err(ConfigError::TooLong { .. })));
}

#[test]
fn what_is_missing_is_said_with_the_line_to_add() {
    let missing = |file: Option<&str>| Missing {
        section: "sv_app",
        line: "url = \"https://sv.sv.HOST/api/sv\"",
        flag: "--url",
        variable: "SVDR_SV_APP_URL",
        file: file.map(PathBuf::from),
    };
    assert_eq!(
        ConfigError::Missing { missing: vec![missing(Some("a.toml"))] }.to_string(),
        "a setting is missing; add to a.toml, or give by flag or variable:\n  \
         under [sv_app]: url = \"https://sv.sv.HOST/api/sv\", or --url, or SVDR_SV_APP_URL"
    );
    let without_file = ConfigError::Missing { missing: vec![missing(None), missing(None)] }.to_string();
    assert!(
        without_file.starts_with("2 settings are missing, and there is no agent.toml here;"),
        "{without_file}"
    );
}

#[test]
fn the_participant_is_a_source_beside_logs_or_alone() {
    let parse = |text: &str| AgentConfig::parse(text, Path::new("/etc/svdr"));
    let config = parse(
        "[evidence]\nparticipant = \"https://participant:5002\"\nca_file = \"ca.pem\"\ncertificate = \"c.pem\"\n\
         certificate_key = \"c.key\"\ntoken_file = \"token\"\n",
    );
    let evidence = config.unwrap().evidence.unwrap();
    assert!(evidence.logs.is_empty());
    let participant = evidence.participant.unwrap();
    assert_eq!(participant.url.to_string(), "https://participant:5002");
    assert_eq!(participant.ca_file.as_deref(), Some(Path::new("/etc/svdr/ca.pem")));
    assert_eq!(participant.client.unwrap().key, Path::new("/etc/svdr/c.key"));
    for (text, words) in [
        ("[evidence]\nsince = \"48h\"\n", "no source is given: set logs, commands or participant"),
        ("[evidence]\nparticipant = \"participant:5002\"\n", "is not the URL of an admin API"),
        ("[evidence]\nlogs = [\"a\"]\nca_file = \"ca.pem\"\n", "are for participant, which is missing"),
        (
            "[evidence]\ncommands = [\"kubectl\", \"logs\"]\n",
            "expected a list of programs with their arguments",
        ),
        ("[evidence]\ncommands = [[]]\n", "expected a list of programs with their arguments"),
        (
            "[evidence]\nparticipant = \"http://p:5002\"\ncertificate = \"c.pem\"\n",
            "certificate and certificate_key belong together",
        ),
    ] {
        let mistakes = parse(text).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].message.contains(words), "{mistakes:?}");
    }
}

#[test]
fn commands_are_lists_of_words() {
    let text = "[evidence]\ncommands = [[\"kubectl\", \"logs\", \"-n\", \"sv\"], [\"journalctl\"]]\n";
    let config = AgentConfig::parse(text, Path::new("/etc/svdr")).unwrap();
    let commands = config.evidence.unwrap().commands;
    assert_eq!(commands, [vec!["kubectl", "logs", "-n", "sv"], vec!["journalctl"]]);
}
