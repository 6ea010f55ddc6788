//! History lost against SVs left behind: one bar a candidate.

use std::env;

use svdr_protocol::plan::dump::Outcome;

use super::table::{CHOSEN, is_chosen, lost};

/// The narrowest that the longest bar gets, in columns.
const NARROWEST: usize = 8;
/// The widest: beyond that, bars are harder to compare.
const WIDEST: usize = 60;
/// A block in eighths, from one to eight.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// What bars are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChartStyle {
    /// Blocks, to an eighth of a column.
    Blocks,
    /// `#`, to a column.
    Ascii,
}

impl ChartStyle {
    /// Plain where `NO_COLOR` is set or the terminal is dumb.
    pub(super) fn of_environment() -> ChartStyle {
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        if plain || dumb { ChartStyle::Ascii } else { ChartStyle::Blocks }
    }

    /// A bar of `part` of `whole`, which has `width` columns. Nothing that is not nothing is drawn as nothing.
    fn bar(self, part: u64, whole: u64, width: usize) -> String {
        let per_column = match self {
            ChartStyle::Blocks => EIGHTHS.len(),
            ChartStyle::Ascii => 1,
        };
        let cells = width * per_column;
        let scaled = u128::from(part) * cells as u128 / u128::from(whole.max(1));
        let filled = usize::try_from(scaled).unwrap_or(cells).clamp(usize::from(part > 0), cells);
        match self {
            ChartStyle::Ascii => "#".repeat(filled),
            ChartStyle::Blocks => {
                let full = filled / per_column;
                let part = (filled % per_column).checked_sub(1).map(|eighths| EIGHTHS[eighths]);
                std::iter::repeat_n('█', full).chain(part).collect()
            }
        }
    }
}

/// The chart, at most `width` columns wide where that leaves room for bars.
pub(super) fn chart(outcome: &Outcome, width: usize, style: ChartStyle) -> String {
    let lost_seconds = |at: usize| outcome.candidates[at].history_lost_seconds.unsigned_abs();
    let all = 0..outcome.candidates.len();
    let most = all.clone().map(lost_seconds).max().unwrap_or(0);
    let label = |at: usize| format!("{} left behind", outcome.candidates[at].left_behind.len());
    let label_width = all.clone().map(|at| label(at).len()).max().unwrap_or(0);
    let value_width = outcome.candidates.iter().map(|candidate| lost(candidate).len()).max().unwrap_or(0);
    let taken = CHOSEN.len() + 1 + label_width + 2 + 1 + value_width;
    let bar_width = width.saturating_sub(taken).clamp(NARROWEST, WIDEST);
    let frame = match style {
        ChartStyle::Blocks => '▕',
        ChartStyle::Ascii => '|',
    };
    let mut chart = String::from("History lost");
    for at in all {
        let mark = if is_chosen(outcome, at) { CHOSEN } else { "  " };
        let bar = style.bar(lost_seconds(at), most, bar_width);
        let lost = lost(&outcome.candidates[at]);
        chart += &format!("\n{mark} {:>label_width$} {frame}{bar} {lost}", label(at));
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_empty_for_something() {
        assert_eq!(ChartStyle::Ascii.bar(1, 2, 10), "#####");
        assert_eq!(ChartStyle::Ascii.bar(2, 2, 10), "##########");
        assert_eq!(ChartStyle::Ascii.bar(1, 1_000_000, 10), "#");
        assert_eq!(ChartStyle::Ascii.bar(0, 2, 10), "");
        assert_eq!(ChartStyle::Ascii.bar(0, 0, 10), "");
        assert_eq!(ChartStyle::Blocks.bar(5, 16, 2), "▋");
        assert_eq!(ChartStyle::Blocks.bar(16, 16, 2), "██");
        assert_eq!(ChartStyle::Blocks.bar(u64::MAX, u64::MAX, 60).chars().count(), 60);
    }
}
