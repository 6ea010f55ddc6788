//! The runbook as text, as Markdown, and as a shell script that asks before every step.

use svdr_protocol::milestone::Step;
use svdr_protocol::text::without_hidden;

use super::shell::{quoted, variables};
use super::{ShellLine, Task, Values};

/// What the script is run by.
const SHEBANG: &str = "#!/bin/sh";
/// The script's own functions: each step is shown, and done only where a person says so.
const FUNCTIONS: &str = "\
# Shows a step and asks: y runs it, s skips it, anything else stops the script.
begin() {
    printf '\\n== %s\\n%s\\n' \"$1\" \"$2\" >/dev/tty
    printf 'Do it now? [y/s/N] ' >/dev/tty
    read -r answer </dev/tty || exit 1
    case $answer in
        y | yes) return 0 ;;
        s | skip) return 1 ;;
        *)
            echo 'stopped. Run the script again to continue here' >/dev/tty
            exit 1
            ;;
    esac
}
";

/// The lines of a task, the mark included.
fn lines(task: &Task) -> impl Iterator<Item = &ShellLine> {
    task.commands.iter().chain(&task.mark)
}

fn all_lines(tasks: &[Task]) -> impl Iterator<Item = &ShellLine> {
    tasks.iter().flat_map(lines)
}

fn title(values: &Values) -> String {
    let at = match values.recovery_timestamp {
        Some(at) => format!(", back to {at}"),
        None => String::new(),
    };
    format!(
        "Runbook of {} in session {}: migration {}{at}",
        values.member, values.session, values.migration_id
    )
}

fn number(step: Step) -> usize {
    Step::ALL.iter().position(|one| *one == step).map_or(0, |at| at + 1)
}

/// As text for a terminal; the caller makes it safe for one.
pub fn text(values: &Values, tasks: &[Task]) -> String {
    let mut text = title(values);
    for task in tasks {
        let done = if task.done { " (done)" } else { "" };
        text += &format!("\n\n{}. {}: {}{done}", number(task.step), task.step, task.step.words());
        for note in &task.notes {
            text += &format!("\n   {note}");
        }
        for line in lines(task) {
            text += &format!("\n     {line}");
        }
    }
    let set = variables(all_lines(tasks));
    if !set.is_empty() {
        text += "\n\nSet these variables first, because agent.toml does not have the values:";
        for (name, meaning) in set {
            text += &format!("\n  {name}: {meaning}");
        }
    }
    if tasks.is_empty() {
        text += "\n\nAll steps are done.";
    }
    text
}

/// As Markdown, with a box to tick for each step.
pub fn markdown(values: &Values, tasks: &[Task]) -> String {
    let mut text = format!("# {}\n", title(values));
    let set = variables(all_lines(tasks));
    if !set.is_empty() {
        text += "\nSet these variables first, because `agent.toml` does not have the values:\n\n";
        for (name, meaning) in set {
            text += &format!("- `{name}`: {meaning}\n");
        }
    }
    for task in tasks {
        let tick = if task.done { "x" } else { " " };
        text += &format!("\n- [{tick}] **{}. {}**: {}\n", number(task.step), task.step, task.step.words());
        for note in &task.notes {
            text += &format!("\n  {note}\n");
        }
        if lines(task).next().is_some() {
            text += "\n  ```sh\n";
            text.extend(lines(task).map(|line| format!("  {line}\n")));
            text += "  ```\n";
        }
    }
    text
}

/// As a script for a POSIX shell, which asks before each step, stops at the first command that fails, and can be run
/// again.
pub fn script(values: &Values, tasks: &[Task]) -> String {
    let mut text = format!("{SHEBANG}\n# {}.\nset -eu\n\n", without_hidden(&title(values)));
    for (name, meaning) in variables(all_lines(tasks)) {
        text += &format!(": \"${{{name}:?set it to {meaning}}}\"\n");
    }
    text += &format!("\n{FUNCTIONS}");
    for task in tasks {
        let heading = format!("{}. {}: {}", number(task.step), task.step, task.step.words());
        let shown: Vec<String> =
            task.notes.iter().cloned().chain(task.commands.iter().map(ShellLine::to_string)).collect();
        text += &format!("\nif begin {} {}; then\n", quoted(&heading), quoted_lines(&shown));
        text.extend(lines(task).map(|line| format!("    {line}\n")));
        if lines(task).next().is_none() {
            text += "    :\n";
        }
        text += "fi\n";
    }
    text += "\necho 'All steps are done or skipped.'\n";
    text
}

/// Several lines as one word of the shell.
fn quoted_lines(lines: &[String]) -> String {
    let quoted: Vec<String> = lines.iter().map(|line| line.replace('\'', r"'\''")).collect();
    format!("'{}'", quoted.join("\n"))
}
