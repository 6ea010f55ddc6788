//! What each step takes on a node deployed as the Splice documentation has it.

use svdr_protocol::milestone::Step;

use super::shell::{ShellLine, ShellPiece, Variable};
use super::{Task, Values};
use crate::config::Deliver;

/// The namespace that the documentation deploys an SV node to.
const NAMESPACE: &str = "sv";
/// Where the documentation's charts come from.
const CHARTS: &str = "oci://ghcr.io/digital-asset/decentralized-canton-sync/helm";
/// How long Helm and Kubernetes are waited for. The SV app imports gigabytes before it is ready.
const PATIENCE: &str = "60m";

pub(super) struct Filled<'a> {
    pub(super) values: &'a Values,
    /// The migration id of the network that is lost.
    pub(super) legacy: u64,
}

impl Filled<'_> {
    pub(super) fn task(&self, step: Step) -> Task {
        let (notes, commands) = match step {
            Step::Stopped => self.stopped(),
            Step::BackedUp => self.backed_up(),
            Step::IdentitiesChecked => self.identities_checked(),
            Step::DumpMade => self.dump_made(),
            Step::Delivered => self.delivered(),
            Step::SynchronizerDeployed => self.synchronizer_deployed(),
            Step::Restored => self.restored(),
            Step::Verified => self.verified(),
        };
        // The attestation and the confirmation mark these two.
        let mark = match step {
            Step::DumpMade | Step::Verified => None,
            step => {
                let done = ["done".to_owned(), self.session(), step.name().to_owned(), "--yes".to_owned()];
                Some(self.svdr_agent(done))
            }
        };
        Task { step, done: self.values.done.contains(&step), notes, commands, mark }
    }

    fn session(&self) -> String {
        self.values.session.to_string()
    }

    fn svdr_agent(&self, words: impl IntoIterator<Item = String>) -> ShellLine {
        let mut line = ShellLine::of(["svdr-agent"]);
        for word in words {
            line = line.word(word);
        }
        match &self.values.config {
            Some(config) => line.word("--config").word(config.clone()),
            None => line,
        }
    }

    fn namespace(&self) -> &str {
        self.values.deployment.namespace.as_deref().unwrap_or(NAMESPACE)
    }

    fn kubectl(&self, words: &[&str]) -> ShellLine {
        let line = ShellLine::of(["kubectl"]);
        let line = match &self.values.deployment.context {
            Some(context) => line.word("--context").word(context.clone()),
            None => line,
        };
        line.words(["-n", self.namespace()]).words(words.iter().copied())
    }

    /// `helm install` or `upgrade` of a chart, with values files and single values.
    fn helm(
        &self,
        how: &str,
        release: &str,
        chart: &str,
        files: Vec<Vec<ShellPiece>>,
        set: &[Set],
    ) -> ShellLine {
        let deployment = &self.values.deployment;
        let repository = deployment.chart_repository.as_deref().unwrap_or(CHARTS);
        let line = ShellLine::of(["helm"]);
        let line = match &deployment.context {
            Some(context) => line.word("--kube-context").word(context.clone()),
            None => line,
        };
        let chart = format!("{}/{chart}", repository.trim_end_matches('/'));
        let line = line.words([how, release, &chart, "-n", self.namespace(), "--version"]);
        let mut line = line.joined([known(
            deployment.chart_version.as_deref(),
            "CHART_VERSION",
            "the version of the Helm charts for the new synchronizer",
        )]);
        for file in files {
            line = line.word("-f").joined(file);
        }
        for value in set {
            // A boolean that is set as a string is true whatever it says.
            line = match value {
                Set::Switch(value) => line.words(["--set", value]),
                Set::Text(value) => line.word("--set-string").word(value.clone()),
            };
        }
        line.words(["--wait", "--timeout", PATIENCE])
    }

    /// A file of the folder with the values.
    fn values_file(&self, name: &str) -> Vec<ShellPiece> {
        let folder = self.values.deployment.values.as_ref().map(|folder| folder.display().to_string());
        let folder = known(
            folder.as_deref(),
            "VALUES",
            "the folder of the values files, examples/sv-helm of the bundle",
        );
        vec![folder, ShellPiece::Text(format!("/{name}"))]
    }

    fn named_file(
        file: Option<&std::path::PathBuf>,
        name: &'static str,
        meaning: &'static str,
    ) -> Vec<ShellPiece> {
        let file = file.map(|file| file.display().to_string());
        vec![known(file.as_deref(), name, meaning)]
    }

    fn ui_config(&self) -> Vec<ShellPiece> {
        let file = self.values.deployment.ui_config.as_ref();
        Filled::named_file(file, "UI_CONFIG_VALUES_FILE", "the values file of the user interfaces")
    }

    fn stopped(&self) -> (Vec<String>, Vec<ShellLine>) {
        let cometbft = format!("global-domain-{}-cometbft", self.legacy);
        let notes = vec![
            "Keep participant, sequencer and mediator running: the SV app needs them for the snapshot."
                .to_owned(),
        ];
        let commands = vec![
            self.kubectl(&["scale", "deployment", "--replicas=0", &cometbft]),
            self.kubectl(&["wait", "--for=jsonpath={.spec.replicas}=0", &format!("deployment/{cometbft}")]),
        ];
        (notes, commands)
    }

    fn backed_up(&self) -> (Vec<String>, Vec<ShellLine>) {
        let notes = vec![
            "Back up the apps' database first. Back up the participant's database only after that backup is complete: \
             backups in the other order cannot be restored together."
                .to_owned(),
            "Then back up the databases of sequencer and mediator, and take a snapshot of CometBFT's volume.".to_owned(),
        ];
        (notes, Vec::new())
    }

    fn identities_checked(&self) -> (Vec<String>, Vec<ShellLine>) {
        let missing = match &self.values.identities {
            Some(path) => format!("The backup of the node identities is {path}. `svdr-agent backup identities` makes a new one."),
            None => "agent.toml names no backup of the node identities. Make one with `svdr-agent backup identities`, and \
                     set node_identities.backup."
                .to_owned(),
        };
        let check = ["check".to_owned(), "--report".to_owned(), self.session(), "--yes".to_owned()];
        (vec![missing], vec![self.svdr_agent(check)])
    }

    fn dump_made(&self) -> (Vec<String>, Vec<ShellLine>) {
        let at = match self.values.recovery_timestamp {
            Some(at) => format!("The dump is of {at}, for migration {}.", self.values.migration_id),
            None => "The recovery timestamp is not agreed yet.".to_owned(),
        };
        let notes = vec![
            at,
            "The agent asks for agreement, makes the dump, attests it, and stops. If this SV app cannot serve the timestamp, \
             use the snapshot of another member with `svdr-agent receive`."
                .to_owned(),
        ];
        let drill = self.values.drill.then(|| "--drill".to_owned());
        let run = ["run".to_owned(), "--session".to_owned(), self.session()].into_iter().chain(drill);
        (notes, vec![self.svdr_agent(run)])
    }

    fn delivered(&self) -> (Vec<String>, Vec<ShellLine>) {
        let notes = vec![
            "The command refuses before the session is completed. The dump contains this node's private keys: check the \
             target."
                .to_owned(),
        ];
        let mut line = self.svdr_agent(["deliver".to_owned(), self.session(), "--yes".to_owned()]);
        match &self.values.deliver {
            Some(Deliver::Path(_)) => {}
            Some(Deliver::Command(command)) => {
                for name in placeholders(command) {
                    let variable = name.to_ascii_uppercase().replace('-', "_");
                    let meaning = "the value of this placeholder in deliver.command";
                    let value = ShellPiece::Variable(Variable { name: variable, meaning });
                    line = line.word("--set").joined([ShellPiece::Text(format!("{name}=")), value]);
                }
            }
            None => {
                let meaning = "the file that the SV app imports, as this machine sees it";
                let to = Variable { name: "SVDR_DELIVER_TO".to_owned(), meaning };
                line = line.word("--to").joined([ShellPiece::Variable(to)]);
            }
        }
        (notes, vec![line])
    }

    fn synchronizer_deployed(&self) -> (Vec<String>, Vec<ShellLine>) {
        let (new, legacy) = (self.values.migration_id, self.legacy);
        let notes = vec![
            format!(
                "In the values files, replace every MIGRATION_ID with {new}. Give sequencer, mediator and participant \
                 databases of their own (persistence.databaseName), and CometBFT an external address and a port of its own."
            ),
            format!(
                "Extend the ingress for migration {new}. Do not uninstall anything of migration {legacy}: validators still \
                 catch up from it."
            ),
        ];
        let leftovers = ShellLine::default().syntax("!").words(["grep", "-rn", "MIGRATION_ID"]);
        let folder = self.values_file("").into_iter().next();
        let commands = vec![
            // With `set -e`, a shell continues after a failed `!`, unless the list ends with something else.
            leftovers.joined(folder).syntax("|| false"),
            self.helm(
                "install",
                &format!("global-domain-{new}-cometbft"),
                "splice-cometbft",
                vec![self.values_file("cometbft-values.yaml")],
                &[Set::Switch("stateSync.enable=false")],
            ),
            self.helm(
                "install",
                &format!("global-domain-{new}"),
                "splice-global-domain",
                vec![self.values_file("global-domain-values.yaml")],
                &[],
            ),
            self.helm(
                "install",
                &format!("participant-{new}"),
                "splice-participant",
                vec![self.values_file("participant-values.yaml")],
                &[Set::Switch("disableAutoInit=true")],
            ),
        ];
        (notes, commands)
    }

    fn restored(&self) -> (Vec<String>, Vec<ShellLine>) {
        let (new, legacy) = (self.values.migration_id, self.legacy);
        let notes = vec![
            "The SV app imports the dump when it starts. The new synchronizer runs when more than two thirds of the SVs \
             have reached this step."
                .to_owned(),
        ];
        let identities = Filled::named_file(
            self.values.deployment.sv_identities.as_ref(),
            "SV_IDENTITIES_FILE",
            "the values file of the approved SV identities",
        );
        let migration = [
            Set::Text(format!("migration.id={new}")),
            Set::Switch("migration.migrating=true"),
            Set::Text(format!("migration.legacyId={legacy}")),
        ];
        let mut commands = vec![
            self.helm(
                "upgrade",
                "sv",
                "splice-sv-node",
                vec![self.values_file("sv-values.yaml"), identities, self.ui_config()],
                &migration,
            ),
            self.helm(
                "upgrade",
                "scan",
                "splice-scan",
                vec![self.values_file("scan-values.yaml"), self.ui_config()],
                &[],
            ),
            self.helm(
                "upgrade",
                "validator",
                "splice-validator",
                vec![
                    self.values_file("validator-values.yaml"),
                    self.values_file("sv-validator-values.yaml"),
                    self.ui_config(),
                ],
                &[],
            ),
            self.kubectl(&["rollout", "status", "deployment/sv-app", &format!("--timeout={PATIENCE}")]),
        ];
        commands.extend(self.ready());
        (notes, commands)
    }

    /// Asks the SV app whether it is ready.
    fn ready(&self) -> Option<ShellLine> {
        let base = self.values.sv_app.as_ref()?;
        let line =
            ShellLine::of(["curl", "-sSf", "--retry", "30", "--retry-delay", "10", "--retry-all-errors"]);
        let line = match &self.values.sv_app_ca {
            Some(ca) => line.word("--cacert").word(ca.clone()),
            None => line,
        };
        Some(line.word(format!("{}/readyz", base.trim_end_matches('/'))))
    }

    fn verified(&self) -> (Vec<String>, Vec<ShellLine>) {
        let notes = vec![
            "Wait until the first commitment period of the new synchronizer has ended: 30 minutes on Splice networks by \
             default. Run the command again when there is news."
                .to_owned(),
        ];
        let mut line = self.svdr_agent(["confirm".to_owned(), self.session(), "--yes".to_owned()]);
        if self.values.deployment.logs.is_empty() {
            let meaning = "the logs of the new participant: a file, a folder or a pattern";
            line = line
                .word("--logs")
                .joined([ShellPiece::Variable(Variable { name: "NEW_LOGS".to_owned(), meaning })]);
        }
        (notes, vec![line])
    }
}

/// A single value of a chart.
enum Set {
    /// A boolean.
    Switch(&'static str),
    /// A text, also where it looks like a number.
    Text(String),
}

/// The configured value, or the variable in its place.
fn known(configured: Option<&str>, name: &str, meaning: &'static str) -> ShellPiece {
    match configured {
        Some(text) => ShellPiece::Text(text.to_owned()),
        None => ShellPiece::Variable(Variable { name: name.to_owned(), meaning }),
    }
}

/// The names in braces of a command that `deliver` does not fill in.
fn placeholders(command: &[String]) -> Vec<String> {
    const KNOWN: [&str; 6] = ["dump", "files", "dump_dir", "session", "timestamp", "migration_id"];
    let mut names: Vec<String> = Vec::new();
    for argument in command {
        for (begin, _) in argument.match_indices('{') {
            let name = argument.get(begin + 1..).and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
            if let Some(name) = name
                && !KNOWN.contains(&name)
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_deliver_does_not_fill_in_is_asked_for() {
        let words = ["copy", "{dump}", "{files}", "{dump_dir}/.", "{session}-{timestamp}-{migration_id}"];
        let command =
            |more: &[&str]| words.iter().chain(more).map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(placeholders(&command(&[])), Vec::<String>::new());
        assert_eq!(placeholders(&command(&["{pod}:{pod}", "{namespace"])), ["pod"]);
    }
}
