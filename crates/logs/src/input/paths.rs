//! An operator's paths: files, folders with everything below them, shell patterns, `-`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use crate::limits::{MAX_FILES, MAX_FOLDER_DEPTH};

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourcePath {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// The output of a program.
    Pipe {
        /// How it is shown.
        name: String,
        /// Where this process has it open.
        path: PathBuf,
    },
}

/// The output of a program that runs, to be read as a log.
#[derive(Debug)]
pub struct Pipe {
    /// How it is shown: the program and its arguments.
    pub name: String,
    /// The end to read from.
    pub reader: File,
}

impl Pipe {
    pub(crate) fn source(&self) -> SourcePath {
        let path = PathBuf::from(format!("/dev/fd/{}", self.reader.as_raw_fd()));
        SourcePath::Pipe { name: self.name.clone(), path }
    }
}

impl SourcePath {
    /// Returns how it is shown.
    pub fn shown(&self) -> String {
        match self {
            SourcePath::File(path) => path.display().to_string(),
            SourcePath::Stdin => "-".to_owned(),
            SourcePath::Pipe { name, .. } => name.clone(),
        }
    }
}

/// Why paths do not name logs.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// There is nothing at the path.
    #[error("{} cannot be accessed\nhelp: check the path and its permissions", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The text is not a shell pattern.
    #[error("{pattern:?} is neither a file nor a shell pattern\nhelp: check its brackets and stars")]
    Pattern {
        /// The text.
        pattern: String,
        /// The reason.
        #[source]
        source: glob::PatternError,
    },
    /// The pattern matches nothing.
    #[error("the pattern {pattern:?} matches no file\nhelp: check the folder, or quote less of the pattern")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A folder below a pattern cannot be read.
    #[error("a folder below the pattern {pattern:?} cannot be read\nhelp: check its permissions")]
    Unreadable {
        /// The pattern.
        pattern: String,
        /// The folder and the reason.
        #[source]
        source: glob::GlobError,
    },
    /// A folder contains no file.
    #[error("the folder {} contains no file, apart from hidden ones\nhelp: name the folder that contains the logs", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Too many folders inside folders.
    #[error("{} is {MAX_FOLDER_DEPTH} folders below the one that was named\nhelp: name a folder nearer to the logs", path.display())]
    TooDeep {
        /// The folder.
        path: PathBuf,
    },
    /// More files than a participant has logs.
    #[error("there are more than {MAX_FILES} files below the paths\nhelp: name the logs more exactly")]
    TooMany,
}

/// Returns the files that `paths` name, in their order; those of a folder or pattern by name. No file comes twice.
///
/// # Errors
/// If a path names nothing: an operator who mistyped one must not take a reading without it for complete.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<SourcePath>, PathError> {
    let mut found = Found::default();
    for path in paths {
        if path == OsStr::new("-") {
            found.add(SourcePath::Stdin)?;
            continue;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => found.add_folder(path)?,
            Ok(_) => found.add(SourcePath::File(path.clone()))?,
            // A file may be called like a pattern, so that is tried first.
            Err(error) => match path.to_str().filter(|text| text.contains(['*', '?', '['])) {
                Some(pattern) => found.add_pattern(pattern)?,
                None => return Err(PathError::Missing { path: path.clone(), source: error }),
            },
        }
    }
    Ok(found.files)
}

#[derive(Default)]
struct Found {
    files: Vec<SourcePath>,
    seen: BTreeSet<SourcePath>,
}

impl Found {
    fn add(&mut self, file: SourcePath) -> Result<(), PathError> {
        // The same file by two names is read twice. That costs time, but counts nothing twice.
        if self.seen.insert(file.clone()) {
            if self.files.len() == MAX_FILES {
                return Err(PathError::TooMany);
            }
            self.files.push(file);
        }
        Ok(())
    }

    fn add_pattern(&mut self, pattern: &str) -> Result<(), PathError> {
        let named = |source| PathError::Pattern { pattern: pattern.to_owned(), source };
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
        let mut files = 0;
        for path in glob::glob_with(pattern, options).map_err(named)? {
            let path =
                path.map_err(|source| PathError::Unreadable { pattern: pattern.to_owned(), source })?;
            if path.is_dir() {
                files += self.walk(&path, MAX_FOLDER_DEPTH)?;
            } else {
                self.add(SourcePath::File(path))?;
                files += 1;
            }
        }
        if files > 0 { Ok(()) } else { Err(PathError::NoMatch { pattern: pattern.to_owned() }) }
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), PathError> {
        match self.walk(folder, MAX_FOLDER_DEPTH)? {
            0 => Err(PathError::EmptyFolder { path: folder.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Adds the files below `folder`. Returns how many there are, including those that another path named already.
    fn walk(&mut self, folder: &Path, depth: usize) -> Result<usize, PathError> {
        let missing = |path: &Path, source| PathError::Missing { path: path.to_owned(), source };
        let Some(depth) = depth.checked_sub(1) else {
            return Err(PathError::TooDeep { path: folder.to_owned() });
        };
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(|source| missing(folder, source))? {
            let entry = entry.map_err(|source| missing(folder, source))?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                entries.push(entry.path());
            }
        }
        entries.sort();
        let mut files = 0;
        for path in entries {
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                // A link whose log is gone. It is a log that cannot be opened, which a warning names.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.add(SourcePath::File(path))?;
                    files += 1;
                    continue;
                }
                Err(source) => return Err(missing(&path, source)),
            };
            if metadata.is_dir() {
                files += self.walk(&path, depth)?;
            } else if metadata.is_file() {
                self.add(SourcePath::File(path))?;
                files += 1;
            }
        }
        Ok(files)
    }
}
