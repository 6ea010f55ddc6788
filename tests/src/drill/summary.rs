//! Tells how a drill ended.

use std::time::Duration;

use super::Timings;
use super::command::{heading, show};
use super::steps::{Chosen, Dump};

/// Columns of a line of text.
const WIDTH: usize = 100;

/// What happened, who has which dump, and how long everything took.
pub(super) fn summary(
    told: &[String],
    chosen: &Chosen,
    dumps: &[Dump],
    moments: &[(String, Duration)],
    timings: &Timings,
    total: Duration,
) {
    heading("Summary");
    for paragraph in told {
        wrapped(paragraph).iter().for_each(|line| say!("    {line}"));
        say!("");
    }
    say!("    recovery timestamp  {}", chosen.recovery_timestamp);
    for (nth, line) in wrapped(&chosen.covered.join(", ")).iter().enumerate() {
        say!("    {:<20}{line}", if nth == 0 { "covered" } else { "" });
    }
    say!("");
    // In a session the agents make their dumps side by side, and only the whole is timed.
    let is_timed = dumps.iter().any(|dump| dump.took.is_some());
    let columns = ["SV", "by", "bytes", "seconds", "sha256 of the dump"];
    let shown = |column: &&str| is_timed || *column != "seconds";
    let mut table = svdr_cli::output::table(&columns.into_iter().filter(shown).collect::<Vec<_>>());
    for dump in dumps {
        let (size, took) = (dump.size.to_string(), dump.took.map_or_else(String::new, seconds));
        let row = [&dump.name, dump.how, &size, &took, &dump.sha256];
        table.add_row(columns.iter().zip(row).filter(|(column, _)| shown(column)).map(|(_, cell)| cell));
    }
    show(&table.to_string());
    say!("");
    for (step, took) in &timings.0 {
        say!("    {step:<26}{:>7} s", seconds(*took));
        if *step == super::SESSION_STEP {
            for (reached, after) in moments {
                say!("      {reached:<24}{:>7} s", seconds(*after));
            }
        }
    }
    say!("    {:<26}{:>7} s", "the whole drill", seconds(total));
}

fn seconds(span: Duration) -> String {
    format!("{:.2}", span.as_secs_f64())
}

/// The words of `text`, as many in a line as fit.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_words_do() {
        let lines = wrapped(&"word ".repeat(100));
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
        assert_eq!(lines.join(" "), "word ".repeat(100).trim_end());
        // A word that is too long for any line has one of its own.
        let long = "x".repeat(2 * WIDTH);
        assert_eq!(wrapped(&format!("a {long} b")), ["a", long.as_str(), "b"]);
    }
}
