//! Lines of a shell: words quoted so that a shell takes them as they are, and variables that the operator sets.

use std::collections::BTreeMap;
use std::fmt;

use svdr_protocol::text::without_hidden;

/// A variable of the shell that the operator sets, named as the Splice documentation names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable {
    /// Its name: letters, digits and `_`.
    pub name: String,
    /// What to set it to, in a few words.
    pub meaning: &'static str,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ShellLine {
    words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// Taken as it is.
    Text(String),
    /// Texts and variables without a space between.
    Joined(Vec<ShellPiece>),
    /// The shell's own syntax.
    Syntax(&'static str),
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ShellPiece {
    Text(String),
    Variable(Variable),
}

impl ShellLine {
    /// A command of these words.
    pub(super) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> ShellLine {
        ShellLine { words: words.into_iter().map(|word| Word::Text(word.to_owned())).collect() }
    }

    /// With another word.
    pub(super) fn word(mut self, word: impl Into<String>) -> ShellLine {
        self.words.push(Word::Text(word.into()));
        self
    }

    /// With other words.
    pub(super) fn words<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> ShellLine {
        self.words.extend(words.into_iter().map(|word| Word::Text(word.to_owned())));
        self
    }

    /// With a word that has variables in it.
    pub(super) fn joined(mut self, pieces: impl IntoIterator<Item = ShellPiece>) -> ShellLine {
        self.words.push(Word::Joined(pieces.into_iter().collect()));
        self
    }

    /// With something that the shell itself reads.
    pub(super) fn syntax(mut self, syntax: &'static str) -> ShellLine {
        self.words.push(Word::Syntax(syntax));
        self
    }

    /// The variables in it.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        let pieces = self.words.iter().filter_map(|word| match word {
            Word::Joined(pieces) => Some(pieces),
            Word::Text(_) | Word::Syntax(_) => None,
        });
        pieces.flatten().filter_map(|piece| match piece {
            ShellPiece::Variable(variable) => Some(variable),
            ShellPiece::Text(_) => None,
        })
    }
}

/// The variables in all of `lines`, by name.
pub(super) fn variables<'a>(
    lines: impl IntoIterator<Item = &'a ShellLine>,
) -> BTreeMap<&'a str, &'static str> {
    let all = lines.into_iter().flat_map(ShellLine::variables);
    all.map(|variable| (variable.name.as_str(), variable.meaning)).collect()
}

impl fmt::Display for ShellLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            match word {
                Word::Text(text) => f.write_str(&quoted(text))?,
                Word::Syntax(syntax) => f.write_str(syntax)?,
                Word::Joined(pieces) => {
                    for piece in pieces {
                        match piece {
                            ShellPiece::Text(text) if text.is_empty() => {}
                            ShellPiece::Text(text) => f.write_str(&quoted(text))?,
                            ShellPiece::Variable(variable) => write!(f, "\"${{{}}}\"", variable.name)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// `text` as a shell takes it. Characters that a terminal may act on, which no argument here needs, become spaces.
pub(super) fn quoted(text: &str) -> String {
    // It fails on a NUL byte alone, which is a control character.
    shlex::try_quote(&without_hidden(text)).map(|quoted| quoted.into_owned()).unwrap_or_default()
}
