//! Prepares everything for a session by hand, and lets the SV apps run meanwhile.

use std::io::{self, Read as _};
use std::path::Path;

use super::command::{Program, heading};
use super::network::{Network, Settings};
use super::{DrillError, Options, steps};

/// Where the coordinator is started by hand, as the configurations have it.
const ADDRESS: &str = "127.0.0.1:7443";

/// Everything is prepared; then the SV apps run until stdin ends or the process is stopped.
pub(super) fn serve(network: &mut Network, options: &Options) -> Result<(), DrillError> {
    steps::identities(network)?;
    network.write_logs(options)?;
    let folder = network.folder.clone();
    let key = Program::agent(&folder, &["identity", "new", "--out", "coordinator.key", "--output", "json"]);
    key.run(0)?;
    let shown = Program::agent(&folder, &["identity", "show", "coordinator.key"]).json(0)?;
    let key = steps::text(&shown, "/public_key")?;
    let url = format!("https://{ADDRESS}");
    let settings = Settings { coordinator: Some((&url, &key)), approval: "operator" };
    network.start_apps(options, &settings)?;
    heading("Everything is prepared: practise");
    instructions(network, &folder);
    let mut rest = Vec::new();
    let ended = io::stdin().lock().read_to_end(&mut rest);
    // Without a terminal or a pipe there is no end to wait for: then until the process is stopped.
    match ended {
        Ok(0) | Err(_) => loop {
            std::thread::park();
        },
        Ok(_) => Ok(()),
    }
}

/// What to type where. The steps are those of docs/session.md.
fn instructions(network: &Network, folder: &Path) {
    let [first, last] = [0, network.svs.len() - 1].map(|place| network.name(place));
    println!(
        "    The SV apps run until this is stopped with Ctrl-C. Open other terminals, one for the coordinator and one\n    \
         for each SV, and go on with \"The session\" in docs/session.md. With target/release in the PATH:\n\n    \
         The coordinator:\n\n      \
         cd {folder}\n      \
         svdr-coordinator serve --roster roster.toml --identity coordinator.key --listen {ADDRESS} --data data\n\n    \
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
        folder = folder.display()
    );
}
