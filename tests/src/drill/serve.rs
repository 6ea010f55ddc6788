//! Prepares everything for a session by hand, and lets the SV apps run meanwhile.

use std::path::Path;

use super::command::{Program, heading};
use super::network::{Network, Settings};
use super::{DrillError, Options, steps};

/// Everything is prepared; then the SV apps run until the process is stopped.
pub(super) fn serve(network: &mut Network, options: &Options) -> Result<(), DrillError> {
    steps::identities(network, options)?;
    network.write_logs(options)?;
    let folder = network.folder.clone();
    Program::agent(&folder, &["key", "new", "--out", "coordinator.key"]).run(0)?;
    let shown = Program::agent(&folder, &["key", "show", "coordinator.key"]).json(0)?;
    let key = steps::text(&shown, "/public_key")?;
    let url = format!("https://{}", options.coordinator);
    let settings = Settings { coordinator: Some((&url, &key)), approval: "operator" };
    network.start_apps(options, &settings)?;
    heading("Everything is prepared: practise");
    instructions(network, options, &folder);
    // The SV apps have threads of their own; Ctrl-C ends the process, and them with it.
    loop {
        std::thread::park();
    }
}

/// What to type where. The steps are those of docs/session.md.
fn instructions(network: &Network, options: &Options, folder: &Path) {
    let [first, last] = [0, network.svs.len() - 1].map(|place| network.name(place));
    println!(
        "    The SV apps run until this is stopped with Ctrl-C. Open other terminals, one for the coordinator and one\n    \
         for each SV, and go on with \"The session\" in docs/session.md. With target/release in the PATH:\n\n    \
         The coordinator:\n\n      \
         cd {folder}\n      \
         svdr-coordinator serve --roster roster.toml --signing-key coordinator.key --listen {address} --data data\n\n    \
         The convener is {first}:\n\n      \
         cd {folder}/{first}\n      \
         svdr-agent check\n      \
         svdr-coordinator session open --drill --reason 'practice'\n      \
         svdr-agent run --drill\n\n    \
         Every other SV, up to {last}, in its own folder:\n\n      \
         svdr-agent run --drill\n\n    \
         And in a second terminal of each SV, in its folder:\n\n      \
         svdr-agent status --watch\n      \
         svdr-agent review\n      \
         svdr-agent agree SESSION",
        folder = folder.display(),
        address = options.coordinator
    );
}
