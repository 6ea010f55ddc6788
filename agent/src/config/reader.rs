//! Reads a TOML table key by key, and notes every mistake with its line instead of stopping at the first.
//!
//! A section knows which keys it was asked for; what is left over is unknown and refused, so that a misspelt key is
//! never a silently missing one. Values are not repeated where they could be a secret in the wrong place.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use svdr_protocol::failure;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;

/// Keys that would hold a secret itself. Secrets are only named by their files.
const INLINE_SECRETS: [&str; 5] = ["token", "client_secret", "secret", "password", "private_key"];

/// The text being read, the folder that relative paths start from, and the mistakes found so far.
pub(super) struct Source<'t> {
    text: &'t str,
    folder: &'t Path,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str, folder: &'t Path) -> Source<'t> {
        Source { text, folder, mistakes: RefCell::default() }
    }

    /// The line of a place in the text, from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    pub(super) fn mistake(&self, span: &Range<usize>, message: String) {
        self.mistakes.borrow_mut().push(Mistake { line: self.line(span), message });
    }

    /// The mistakes in the order of their lines.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort_by_key(|mistake| mistake.line);
        mistakes
    }

    fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }
}

/// One table of the file.
pub(super) struct Section<'s, 't> {
    source: &'s Source<'t>,
    /// Dotted, empty for the root.
    name: String,
    span: Range<usize>,
    table: &'s DeTable<'t>,
    asked: Vec<&'static str>,
}

impl<'s, 't> Section<'s, 't> {
    pub(super) fn root(source: &'s Source<'t>, table: &'s Spanned<DeTable<'t>>) -> Section<'s, 't> {
        Section { source, name: String::new(), span: table.span(), table: table.get_ref(), asked: Vec::new() }
    }

    /// The value of `key` and its place.
    fn value(&mut self, key: &'static str) -> Option<&'s Spanned<DeValue<'t>>> {
        self.asked.push(key);
        self.table.get(key)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = value.get_ref().type_str();
        self.source.mistake(&value.span(), format!("{}: expected {expected}, found {found}", self.key(key)));
    }

    fn key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Notes a mistake in this section as a whole.
    pub(super) fn mistake(&self, message: &str) {
        self.source.mistake(&self.span, format!("[{}]: {message}", self.name));
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.to_string()),
            DeValue::String(_) => {
                self.source.mistake(
                    &value.span(),
                    format!("{} is empty: give it a value, or remove it", self.key(key)),
                );
                None
            }
            _ => {
                self.wrong(key, value, "a text in quotes");
                None
            }
        }
    }

    /// Whether the section has `key`, with whatever value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A text that has to be there where the section is.
    pub(super) fn required_text(&mut self, key: &'static str) -> Option<String> {
        if !self.table.contains_key(key) {
            self.asked.push(key);
            self.mistake(&format!("{key} is missing"));
            return None;
        }
        self.text(key)
    }

    /// A path, relative to the folder of the file.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(|text| self.source.path(&text))
    }

    /// A text that `parse` understands.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let span = self.table.get(key)?.span();
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                // A mistake is one line of a list, so what to do follows what is wrong.
                let (text, help) = failure::split(&error.to_string());
                let text = help.map_or(text.clone(), |help| format!("{text}: {help}"));
                self.source.mistake(&span, format!("{}: {text}", self.key(key)));
                None
            }
        }
    }

    /// A time span as people write it: `60s`, `15m`, `48h`.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.parsed(key, |text| {
            humantime::parse_duration(text).ok().filter(|span| !span.is_zero()).ok_or_else(|| {
                format!("{text:?} is not a duration: write a duration such as 60s, 15m or 48h")
            })
        })
    }

    /// A number of bytes: at least one.
    pub(super) fn size(&mut self, key: &'static str) -> Option<u64> {
        self.parsed(key, |text| {
            text.parse()
                .ok()
                .filter(|size: &ByteSize| size.as_u64() > 0)
                .map(|size| size.as_u64())
                .ok_or_else(|| format!("{text:?} is not a size: write a size such as 500 MB or 20 GB"))
        })
    }

    /// A whole number, not negative.
    pub(super) fn number(&mut self, key: &'static str) -> Option<u64> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong(key, value, "a whole number that is not negative");
        }
        number
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong(key, value, "true or false");
        }
        flag
    }

    /// A list of texts that is not empty.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.value(key)?;
        let texts = value.get_ref().as_array().map(|items| {
            items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        match texts.flatten().filter(|texts| !texts.is_empty()) {
            Some(texts) => Some(texts),
            None => {
                self.wrong(key, value, "a list of texts, [\"…\"]");
                None
            }
        }
    }

    /// A list of programs, each a list of texts: the program and its arguments.
    pub(super) fn commands(&mut self, key: &'static str) -> Option<Vec<Vec<String>>> {
        let value = self.value(key)?;
        let texts = |item: &Spanned<DeValue<'_>>| -> Option<Vec<String>> {
            let words =
                item.get_ref().as_array()?.iter().map(|word| word.get_ref().as_str().map(str::to_owned));
            words
                .collect::<Option<Vec<_>>>()
                .filter(|words| words.first().is_some_and(|first| !first.is_empty()))
        };
        let commands =
            value.get_ref().as_array().map(|items| items.iter().map(texts).collect::<Option<Vec<_>>>());
        match commands.flatten().filter(|commands| !commands.is_empty()) {
            Some(commands) => Some(commands),
            None => {
                self.wrong(
                    key,
                    value,
                    "a list of programs with their arguments, [[\"kubectl\", \"logs\", \"…\"]]",
                );
                None
            }
        }
    }

    /// The list of texts under `key`, each as a pattern relative to the folder of the file.
    pub(super) fn patterns(&mut self, key: &'static str) -> Option<Vec<String>> {
        let folder = glob::Pattern::escape(&self.source.folder.to_string_lossy());
        let patterns = self.texts(key)?;
        let joined = |pattern: String| Path::new(&folder).join(pattern).to_string_lossy().into_owned();
        Some(patterns.into_iter().map(joined).collect())
    }

    /// The table under `key`.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'s, 't>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(self.child(key, value.span(), table)),
            _ => {
                self.wrong(key, value, &format!("a section, [{}]", self.key(key)));
                None
            }
        }
    }

    /// The tables under `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'s, 't>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let expected = format!("sections, [[{}]]", self.key(key));
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, &expected);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => sections.push(self.child(key, item.span(), table)),
                _ => self.wrong(key, item, &expected),
            }
        }
        sections
    }

    fn child(&self, key: &str, span: Range<usize>, table: &'s DeTable<'t>) -> Section<'s, 't> {
        Section { source: self.source, name: self.key(key), span, table, asked: Vec::new() }
    }

    /// Refuses the keys that nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in
            self.table.iter().filter(|(key, _)| !self.asked.iter().any(|asked| *asked == key.get_ref()))
        {
            let name = self.key(key.get_ref());
            let message = if INLINE_SECRETS.contains(&key.get_ref().as_ref()) {
                format!(
                    "{name}: a secret must not be in this file: write it to a file of its own with mode \
                     0600, and name that file"
                )
            } else {
                format!("{name} is unknown: the known names are {}", self.asked.join(", "))
            };
            self.source.mistake(&key.span(), message);
        }
    }
}
