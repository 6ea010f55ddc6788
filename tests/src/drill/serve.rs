//! Prepares everything for a session by hand, and lets the SV apps run meanwhile.

use std::net::SocketAddr;
use std::path::Path;

use super::command::{Program, heading};
use super::config::Settings;
use super::logs::NEW;
use super::network::Network;
use super::programs::FOLDER;
use super::{DrillError, Options, steps};

/// Everything is prepared; then the SV apps run until the process is stopped.
pub(super) fn serve(network: &mut Network, options: &Options) -> Result<(), DrillError> {
    steps::identities(network, options)?;
    network.write_logs(options)?;
    heading("The logs of the new synchronizer, for the end");
    let all: Vec<usize> = (0..network.svs.len()).collect();
    all.iter().try_for_each(|place| network.write_new_log(*place, &all))?;
    let folder = network.folder.clone();
    Program::agent(&folder, &["key", "new", "--out", "coordinator.key"]).run(0)?;
    let shown = Program::agent(&folder, &["key", "show", "coordinator.key"]).json(0)?;
    let key = steps::text(&shown, "/public_key")?;
    let url = format!("https://{}", options.listen);
    let mut donors = options.listen;
    donors.set_port(options.listen.port().saturating_add(1));
    let settings = Settings { coordinator: Some((&url, &key)), approval: "operator", donors: Some(donors) };
    network.start_apps(options, &settings)?;
    heading("Everything is prepared: practise");
    let story = &network.story;
    let left_behind: Vec<usize> = story.lagging().collect();
    let practice = Practice {
        folder: &folder,
        listen: options.listen,
        svs: network.names(&all),
        threshold: story.threshold(),
        left_behind: network.names(&left_behind),
        vouched: story.vouched().map(|place| network.name(place)),
        is_pruned: !story.pruned().is_empty(),
    };
    say!("{}", practice.instructions());
    // The SV apps have threads of their own; Ctrl-C ends the process, and them with it.
    loop {
        std::thread::park();
    }
}

/// What the instructions depend on.
struct Practice<'a> {
    folder: &'a Path,
    listen: SocketAddr,
    svs: Vec<&'a str>,
    threshold: usize,
    left_behind: Vec<&'a str>,
    vouched: Option<&'a str>,
    is_pruned: bool,
}

impl Practice<'_> {
    /// What to type where, in the order of docs/session.md. `SESSION` is for the person to fill in.
    fn instructions(&self) -> String {
        let (folder, count) = (self.folder.display(), self.svs.len());
        let first = self.svs.first().copied().unwrap_or_default();
        let mut text = format!(
            "    The SV apps run until you stop this program with Ctrl-C. Open more terminals. Type in each of them:\n\n      \
             export PATH=\"{folder}/{FOLDER}:$PATH\"\n"
        );
        let mut part = |title: &str, lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| format!("      {line}\n")).collect();
            text += &format!("\n    {title}:\n\n{}", lines.concat());
        };
        let serve = format!(
            "svdr-coordinator serve --roster roster.toml --signing-key coordinator.key --listen {} --data data",
            self.listen
        );
        part("The coordinator, in a terminal of its own", &[&format!("cd {folder}"), &serve]);
        part(
            &format!("{first} is the convener"),
            &[
                &format!("cd {folder}/{first}"),
                "svdr-agent check",
                "svdr-coordinator session open --reason practice    # prints the id: SESSION below; 4 characters of it do",
            ],
        );
        part(
            "Every SV, in its folder, in a terminal of its own. It ends when its part is done",
            &["svdr-agent run"],
        );
        part(
            "Or all of them in one terminal, if you are alone",
            &[
                &format!("cd {folder}"),
                "for sv in Example-SV-*; do svdr-agent run --config $sv/agent.toml > $sv/run.log 2>&1 & done",
            ],
        );
        if let Some(name) = self.vouched {
            let propose = format!("svdr-coordinator session propose SESSION --vouch {name}");
            part(&format!("{name}'s logs are lost. The convener vouches for it"), &[&propose]);
        }
        part(
            &format!("Every SV's operator, in its folder. At least {} of {count} must agree", self.threshold),
            &[
                "svdr-agent status --watch     # shows what comes next, in every phase",
                "svdr-agent review",
                "svdr-agent agree SESSION",
            ],
        );
        if self.is_pruned {
            part(
                "SV apps will report that they cannot serve the time. Then, as the screens show it",
                &[
                    "svdr-coordinator session propose SESSION --not-before TIME",
                    "svdr-agent abandon SESSION --round 1 --reason pruned",
                ],
            );
        }
        if let [name, ..] = self.left_behind.as_slice() {
            let receive = format!("svdr-agent receive SESSION --from {first}    # in the folder of {name}");
            part(
                &format!("{} can receive what another SV donates", self.left_behind.join(", ")),
                &[
                    &format!("svdr-agent donate SESSION    # in the folder of {first}; stop it afterwards"),
                    &receive,
                ],
            );
        }
        let confirm =
            format!("svdr-agent confirm SESSION    # reads {NEW}, which is dated an hour after the loss");
        part(
            "Every SV with a dump, once the session is completed",
            &[
                "svdr-agent deliver SESSION",
                "svdr-agent done SESSION delivered",
                "svdr-agent runbook SESSION    # the node is made up: do not run kubectl and helm, only mark the steps",
                "svdr-agent done SESSION synchronizer-deployed",
                "svdr-agent done SESSION restored",
                &confirm,
            ],
        );
        part(
            &format!("Anybody, once the session is verified ({} SVs have confirmed)", self.threshold),
            &[
                &format!("cd {folder}/{first}"),
                "svdr-coordinator session export SESSION --out transcript.jsonl",
                "svdr-agent verify --roster ../roster.toml transcript.jsonl",
            ],
        );
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn every_command_of_the_instructions_is_one_of_the_programs() {
        let practice = Practice {
            folder: Path::new("/practice"),
            listen: "127.0.0.1:7443".parse().unwrap(),
            svs: vec!["Example-SV-1", "Example-SV-2"],
            threshold: 2,
            left_behind: vec!["Example-SV-2"],
            vouched: Some("Example-SV-1"),
            is_pruned: true,
        };
        let text = practice.instructions().replace("SESSION", "4f3a").replace("TIME", "2026-04-21T23:10:00Z");
        let mut commands = 0;
        for line in text.lines().filter(|line| line.contains("svdr-")) {
            let start = line.find("svdr-").unwrap();
            let words =
                line[start..].split('#').next().unwrap().split('>').next().unwrap().split_whitespace();
            let parsed = match words.clone().next().unwrap() {
                "svdr-agent" => svdr_agent::commands::CommandLine::try_parse_from(words).map(drop),
                _ => svdr_coordinator::commands::CommandLine::try_parse_from(words).map(drop),
            };
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            commands += 1;
        }
        assert_eq!(commands, 21);
    }
}
