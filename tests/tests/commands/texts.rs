//! What the texts of the repository must not contain: words of the glossary's "not" column (`tests/glossary.toml`) in
//! what operators read, and in the code slices whose wrong index would become a hole.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Folders that contain nothing of ours.
const NOT_OURS: [&str; 3] = ["target", "artifacts", "corpus"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of the repository below `folder` whose path, from the root, `is_wanted`; with their texts.
fn texts(folder: &str, is_wanted: fn(&Path) -> bool) -> Vec<(String, String)> {
    let (root, mut found) = (root(), Vec::new());
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            let in_root = path.strip_prefix(&root).unwrap();
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if is_wanted(in_root) {
                found.push((in_root.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| extensions.iter().any(|one| found == *one))
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The lines that take a slice whose wrong index becomes an empty one.
fn defaulted_slices(text: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, call) in text.match_indices(".get(") {
        let (start, mut depth) = (at + call.len(), 1);
        let end = text[start..].find(|c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let Some(end) = end else { continue };
        // The closing bracket is one byte.
        let (index, after) = (&text[start..start + end], &text[start + end + 1..]);
        let after: String = after.chars().filter(|c| !c.is_whitespace()).take(24).collect();
        let is_empty = [".unwrap_or_default()", ".unwrap_or(&[])", ".unwrap_or(\"\")", ".unwrap_or(b\"\")"];
        if index.contains("..") && is_empty.iter().any(|one| after.starts_with(one)) {
            lines.push(line_of(text, at));
        }
    }
    lines
}

#[test]
fn no_slice_hides_a_wrong_index() {
    let sources = texts(".", |path| has_extension(path, &["rs"]));
    assert!(sources.len() > 400, "only {} files were searched", sources.len());
    let found: Vec<String> = sources
        .iter()
        .flat_map(|(path, text)| defaulted_slices(text).into_iter().map(move |line| format!("{path}:{line}")))
        .collect();
    assert!(
        found.is_empty(),
        "a wrong index becomes an empty slice in {found:#?}\nhelp: index with a one-line proof, or return an error"
    );
}

#[test]
fn a_slice_with_a_default_is_found_however_it_is_written() {
    let default = |call: &str| format!("let part = 1;\nlet slice = text{call}\n    .unwrap_or_default();");
    for call in [".get(1..)", ".get(..at)", ".get(of(1)..=len(text))"] {
        assert_eq!(defaulted_slices(&default(call)), [2], "{call}");
    }
    for call in [".get(at)", ".get(&key)", ".get(1..)?", ".get(1..).map(f)", ".get(1.."] {
        assert!(defaulted_slices(&default(call)).is_empty(), "{call}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Glossary {
    word: Vec<Word>,
    #[serde(default)]
    allowed: Vec<Allowed>,
}

/// Words not to be written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    not: Vec<String>,
    write: String,
    /// Phrases in which they are right.
    #[serde(default)]
    except: Vec<String>,
}

/// One occurrence that is right.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    file: String,
    text: String,
    reason: String,
}

impl Glossary {
    fn read() -> Glossary {
        toml::from_str(&fs::read_to_string(root().join("tests/glossary.toml")).unwrap()).unwrap()
    }

    /// What is wrong with the text of a file.
    fn faults(&self, path: &str, text: &str) -> Vec<String> {
        let plain = one_space(text);
        let allowed: Vec<&Allowed> = self.allowed.iter().filter(|one| one.file == path).collect();
        let mut faults = Vec::new();
        for word in &self.word {
            for not in &word.not {
                for at in occurrences(&plain, not) {
                    let (end, line) = (at + not.len(), line_of(text, at));
                    // A key of a JSON document.
                    let is_key = plain[end..].starts_with("\":");
                    let right = word.except.iter().chain(allowed.iter().map(|one| &one.text));
                    let is_right = right.map(|phrase| one_space(phrase)).any(|phrase| {
                        occurrences(&plain, &phrase).any(|from| from <= at && end <= from + phrase.len())
                    });
                    if !is_key && !is_right {
                        faults.push(format!("{path}:{line}: \"{not}\"; write: {}", word.write));
                    }
                }
            }
        }
        for one in allowed {
            let found = occurrences(&plain, &one_space(&one.text)).count();
            if found != 1 || one.reason.is_empty() {
                faults.push(format!("{path}: {:?} is allowed once with a reason, found {found}", one.text));
            }
        }
        faults
    }
}

/// The text in lower case, with every white space a space: as long as before, in bytes.
fn one_space(text: &str) -> String {
    text.to_ascii_lowercase().replace(|c: char| c.is_ascii_whitespace(), " ")
}

/// Where `phrase` is in `text`, as whole words.
fn occurrences<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(phrase)
        .map(|(at, _)| at)
        .filter(move |&at| !text[..at].ends_with(is_word) && !text[at + phrase.len()..].starts_with(is_word))
}

/// What an operator reads.
fn operator_texts() -> Vec<(String, String)> {
    let snapshots = texts(".", |path| has_extension(path, &["snap", "trycmd"]));
    let guides =
        ["docs", "examples"].map(|folder| texts(folder, |path| has_extension(path, &["md", "toml"])));
    let own = ["README.md", "CHANGELOG.md"]
        .map(|name| (name.to_owned(), fs::read_to_string(root().join(name)).unwrap()));
    snapshots.into_iter().chain(guides.into_iter().flatten()).chain(own).collect()
}

#[test]
fn operators_read_the_words_of_the_glossary() {
    let (glossary, texts) = (Glossary::read(), operator_texts());
    assert!(texts.len() > 60, "only {} texts were searched", texts.len());
    let faults: Vec<String> = texts.iter().flat_map(|(path, text)| glossary.faults(path, text)).collect();
    assert!(
        faults.is_empty(),
        "{}\nhelp: write the glossary's word, or allow this occurrence in tests/glossary.toml with a reason",
        faults.join("\n")
    );
    for one in &glossary.allowed {
        assert!(texts.iter().any(|(path, _)| *path == one.file), "{} is not searched", one.file);
    }
}

#[test]
fn a_word_is_found_across_lines_and_allowed_once() {
    let glossary: Glossary = toml::from_str(
        "[[word]]\nnot = [\"is no\"]\nwrite = \"is not a\"\nexcept = [\"there is no\"]\n\
         [[allowed]]\nfile = \"a.md\"\ntext = \"SV-1 is no validator\"\nreason = \"quoted\"",
    )
    .unwrap();
    let faults = |path, text| glossary.faults(path, text).len();
    assert_eq!(glossary.faults("b.md", "one\nThis Is\nno dump"), ["b.md:2: \"is no\"; write: is not a"]);
    assert_eq!(faults("b.md", "there\nis no dump, and this is nothing, and is no-one's"), 0);
    assert_eq!(faults("b.md", "{\"is no\":true}"), 0);
    assert_eq!(faults("b.md", "SV-1 is no validator"), 1);
    assert_eq!(faults("a.md", "SV-1 is\nno validator"), 0);
    // Once, and no more often: the second time, an allowance that is not needed any more.
    assert_eq!(faults("a.md", "SV-1 is no validator. SV-1 is no validator"), 1);
    assert_eq!(faults("a.md", "nothing"), 1);
}
