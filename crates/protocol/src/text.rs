//! Text that is safe to show: one set of characters that may not reach a terminal, a log line or a name.
//!
//! The set has every character that a person cannot see, or that changes how the text around it is shown:
//!
//! * control characters (category Cc), line ends included: they drive a terminal;
//! * format characters (Cf), and the line and paragraph separators (Zl, Zp): among them those that reverse the text
//!   after them, and those of no width;
//! * what Unicode calls default-ignorable, assigned or reserved: variation selectors, tags, fillers. Text can be hidden
//!   in them, and two names that look the same would differ;
//! * private use (Co) and noncharacters: each font shows them as it likes, or not at all;
//! * in a run of marks that are drawn over the character before them, those after the eighth: they reach into the lines
//!   above and below.
//!
//! Other unassigned characters are not in the set. The set decides which names and statements are valid, so it must be
//! the same for every build, whichever Unicode version its compiler knows: it is written out here, from Unicode 18.0,
//! and a change of it is a change of the protocol.
//!
//! What is shown is escaped ([`shown`], [`shown_in_line`], [`shown_in_json`]); what is signed or names somebody is
//! refused ([`hidden_in`]).

use std::fmt;

mod marks;

/// Marks in a row over one character. Hebrew with accents and Tibetan need up to five.
const MAX_MARKS: usize = 8;
/// Names that a sentence lists before it only counts.
const LISTED: usize = 5;

/// `text` with every character of the set escaped as in a Rust string, line ends aside.
pub fn shown(text: &str) -> String {
    escaped(text, |c| c != '\n')
}

/// `text` with every character of the set escaped, line ends too: for a log line, or one cell of a table.
pub fn shown_in_line(text: &str) -> String {
    escaped(text, |_| true)
}

/// A JSON document that means the same, with every character of the set escaped as JSON does.
pub fn shown_in_json(document: &str) -> String {
    let mut safe = String::with_capacity(document.len());
    for (c, hidden) in judged(document) {
        // Outside of strings, JSON has no character of the set but line ends.
        if hidden && c != '\n' {
            let mut units = [0; 2];
            safe.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// The first character of `text` that is in the set, line ends included.
pub fn hidden_in(text: &str) -> Option<char> {
    judged(text).find(|(_, hidden)| *hidden).map(|(c, _)| c)
}

/// `text` with a space for every character of the set.
pub fn without_hidden(text: &str) -> String {
    judged(text).map(|(c, hidden)| if hidden { ' ' } else { c }).collect()
}

/// `text` as a statement may carry it: on one line, without control or invisible characters, cut to `limit` bytes.
pub fn shortened(text: &str, limit: usize) -> String {
    let clean = without_hidden(text);
    let clean = clean.trim();
    if clean.len() <= limit {
        return clean.to_owned();
    }
    const DOTS: &str = "…";
    let mut end = limit.saturating_sub(DOTS.len());
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    // The loop ends where a character begins, at 0 at the latest.
    format!("{}{DOTS}", &clean[..end])
}

/// Names as a sentence lists them, `A, B and C`; of many the first five and how many more there are.
pub fn listed<T: fmt::Display>(names: &[T]) -> String {
    let spelled_out = if names.len() == LISTED + 1 { names.len() } else { LISTED };
    let (first, more) = names.split_at_checked(spelled_out).unwrap_or((names, &[]));
    let first: Vec<String> = first.iter().map(T::to_string).collect();
    match (first.as_slice(), more.len()) {
        ([but_last @ .., last], 0) if !but_last.is_empty() => format!("{} and {last}", but_last.join(", ")),
        (first, 0) => first.join(", "),
        (first, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// The first `most` characters of `text`, and an ellipsis if there are more.
pub fn excerpt(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        // `end` is where a character begins.
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn escaped(text: &str, escapes: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for (c, hidden) in judged(text) {
        if hidden && escapes(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Every character of `text`, and whether it is in the set at its place.
fn judged(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut marks = 0;
    text.chars().map(move |c| {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        (c, marks > MAX_MARKS || is_hidden(c))
    })
}

fn is_hidden(c: char) -> bool {
    match c {
        // Most of what is shown.
        ' '..='~' => false,
        // Noncharacters: the last two of each plane.
        _ if u32::from(c) & 0xfffe == 0xfffe => true,
        // Cc.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Cf, Zl and Zp.
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' => true,
        '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        // Default-ignorable: joiners and fillers, variation selectors, then reserved places and tags.
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' => true,
        '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}' => true,
        // Private use and noncharacters.
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' | '\u{fdd0}'..='\u{fdef}' => true,
        _ => false,
    }
}

/// Whether a character is drawn over the one before it.
fn is_mark(c: char) -> bool {
    let after = marks::MARKS.partition_point(|(first, _)| *first <= c);
    // `after` counts the ranges that begin at `c` or before, so the last of them is the one before it.
    after > 0 && c <= marks::MARKS[after - 1].1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

    use super::*;

    /// `Default_Ignorable_Code_Point` of Unicode 18.0: first and last code points.
    const DEFAULT_IGNORABLE: [(u32, u32); 17] = [
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x202a, 0x202e),
        (0x2060, 0x206f),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfff0, 0xfff8),
        (0x1bca0, 0x1bca3),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
    ];

    #[test]
    fn the_set_is_what_it_says_for_every_character_of_unicode() {
        use GeneralCategory::*;
        for c in '\0'..=char::MAX {
            let code = u32::from(c);
            let ignorable = DEFAULT_IGNORABLE.iter().any(|(first, last)| (first..=last).contains(&&code));
            let noncharacter = code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code);
            let category = c.general_category();
            let expected = ignorable
                || noncharacter
                || matches!(category, Control | Format | LineSeparator | ParagraphSeparator | PrivateUse);
            assert_eq!(is_hidden(c), expected, "{c:?} {category:?}");
            let mark = matches!(category, NonspacingMark | EnclosingMark);
            let between = matches!(category, SpacingMark | Unassigned) || expected;
            assert!(if is_mark(c) { mark || between } else { !mark || expected }, "{c:?} {category:?}");
        }
    }

    #[test]
    fn no_character_of_the_set_is_shown() {
        for c in ('\0'..=char::MAX).filter(|c| is_hidden(*c)) {
            let text = format!("a{c}b");
            let line = shown_in_line(&text);
            assert_eq!(line, format!("a{}b", c.escape_default()));
            assert_eq!(shown(&text) == line, c != '\n', "{c:?}");
            assert_eq!(hidden_in(&text), Some(c));
            let document = serde_json::to_string(&text).unwrap();
            let safe = shown_in_json(&document);
            assert_eq!(hidden_in(&safe), None, "{safe:?}");
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }

    #[test]
    fn what_people_write_is_shown_as_it_is() {
        for text in
            ["Zürich SV-1", "日本語 テスト", "नमस्ते", "שָׁלוֹם֙", "ཧཱུྃ", "Việt Nam", "a \\ \"b\"", "→ 5 €", "🙂"]
        {
            assert_eq!(shown_in_line(text), text);
            assert_eq!(without_hidden(text), text);
            assert_eq!(shown_in_json(text), text);
        }
    }

    #[test]
    fn marks_over_one_character_are_limited() {
        for mark in ["\u{301}", "\u{20dd}", "\u{e47}"] {
            assert_eq!(hidden_in(&format!("a{}b", mark.repeat(MAX_MARKS))), None);
            let flood = format!("a{}b", mark.repeat(MAX_MARKS + 2));
            let whole = format!("a{}", mark.repeat(MAX_MARKS));
            assert_eq!(shown(&flood), format!("{whole}{}b", mark.escape_default().to_string().repeat(2)));
            assert_eq!(without_hidden(&flood), format!("{whole}  b"));
        }
    }

    #[test]
    fn an_excerpt_ends_between_characters() {
        assert_eq!(excerpt("äöü", 3), "äöü");
        assert_eq!(excerpt("äöü", 2), "äö…");
        assert_eq!(excerpt("", 0), "");
    }

    proptest! {
        #[test]
        fn what_was_made_safe_is_safe(text in any::<String>()) {
            prop_assert_eq!(hidden_in(&shown_in_line(&text)), None);
            prop_assert_eq!(hidden_in(&without_hidden(&text)), None);
            let shown = shown(&text);
            prop_assert!(shown.lines().all(|line| hidden_in(line).is_none()));
            prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
        }
    }
}
