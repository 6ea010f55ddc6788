//! Why something could not be done with a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use svdr_protocol::failure::{CommandError, Exit};

/// What was being done when the system reported an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileStep {
    /// Opening it, or reading it to its end.
    Read,
    /// Looking whether the target exists.
    Look,
    /// Creating the temporary file beside it.
    Create,
    /// Writing.
    Write,
    /// Flushing the bytes to the disk.
    Flush,
    /// Giving the complete file its name.
    Name,
    /// Flushing the name to the disk; the file is there and complete.
    FlushFolder,
}

impl FileStep {
    const fn help(self) -> &'static str {
        match self {
            FileStep::Read => "check its path and its permissions",
            FileStep::Look | FileStep::Create => "check that its folder exists and can be written",
            FileStep::Write | FileStep::Flush => "check the free space and the health of the disk",
            FileStep::Name => "check that its folder can still be written, then retry",
            FileStep::FlushFolder => "run `sync` and check the disk",
        }
    }
}

impl fmt::Display for FileStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileStep::Read => "cannot be read",
            FileStep::Look => "could not be read",
            FileStep::Create => "could not be created",
            FileStep::Write => "could not be written",
            FileStep::Flush => "could not be flushed to the disk",
            FileStep::Name => "could not be given its name, so nothing was changed",
            FileStep::FlushFolder => "is complete, but its name could not be flushed to the disk",
        })
    }
}

/// The system reported an error for a file or folder.
#[derive(Debug, thiserror::Error)]
#[error("{what}{}{} {step}\nhelp: {}", if what.is_empty() { "" } else { " " }, path.display(), step.help())]
pub struct FileIoError {
    /// What the file is to the operator, for example "the age identity"; empty if its path says enough.
    pub what: &'static str,
    /// The path.
    pub path: PathBuf,
    /// What was being done.
    pub step: FileStep,
    /// What the system reported.
    pub source: io::Error,
}

impl FileIoError {
    /// For `map_err`: the error if `what` at `path` cannot be read.
    pub fn read(what: &'static str, path: &Path) -> impl Fn(io::Error) -> FileIoError + use<> {
        FileIoError::at(what, path, FileStep::Read)
    }

    /// For `map_err`: the error if the system refuses `step` with `what` at `path`.
    pub fn at(what: &'static str, path: &Path, step: FileStep) -> impl Fn(io::Error) -> FileIoError + use<> {
        let path = path.to_owned();
        move |source| FileIoError { what, path: path.clone(), step, source }
    }
}

impl CommandError for FileIoError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Why a private file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path ends in a way that no file can be called.
    #[error("{} does not name a file\nhelp: add a name after the folder", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// There is a file of this name.
    #[error("{} already exists\nhelp: give another name, or --force to replace it", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// There is a folder of this name.
    #[error("{} is a folder\nhelp: give the name of a file in it", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
    },
    /// There is something else of the name that a folder is to have.
    #[error("{} is not a folder\nhelp: give the name of a new folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// There is a folder of this name, and it is not one that may be replaced.
    #[error(
        "{} is a folder that this program did not make: expected a file {mark} and no folders in it\n\
         help: give the name of a new folder", path.display()
    )]
    ForeignFolder {
        /// The path.
        path: PathBuf,
        /// The file that a folder of ours contains.
        mark: &'static str,
    },
    /// There is a symbolic link of this name.
    #[error("{} is a symbolic link to {}\nhelp: give the path of the file itself", path.display(), to.display())]
    SymbolicLink {
        /// The path.
        path: PathBuf,
        /// Where it points.
        to: PathBuf,
    },
    /// There is a device, pipe or socket of this name.
    #[error("{} is a device, pipe or socket, so nothing in it could be private\nhelp: give the name of a file", path.display())]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// Another process writes it.
    #[error("another svdr-agent is writing {}\nhelp: wait until it ends, or stop it", path.display())]
    Busy {
        /// The path.
        path: PathBuf,
    },
    /// The system reported an error.
    #[error(transparent)]
    Io(#[from] FileIoError),
}

impl FileError {
    /// The error that a private file at `path` has put into an error of its [`Write`](io::Write), or else that one.
    pub fn of_write(path: &Path, error: io::Error) -> FileError {
        error.downcast().unwrap_or_else(FileError::at(path, FileStep::Write))
    }

    /// For `map_err`: the error if the system refuses `step` with `path`.
    pub(crate) fn at(path: &Path, step: FileStep) -> impl Fn(io::Error) -> FileError + use<> {
        let failed = FileIoError::at("", path, step);
        move |source| failed(source).into()
    }
}

impl CommandError for FileError {
    fn exit(&self) -> Exit {
        match self {
            FileError::Exists { .. } | FileError::Busy { .. } => Exit::Failed,
            FileError::Io(error) => error.exit(),
            FileError::NoName { .. }
            | FileError::Folder { .. }
            | FileError::NotAFolder { .. }
            | FileError::ForeignFolder { .. }
            | FileError::SymbolicLink { .. }
            | FileError::Special { .. } => Exit::Usage,
        }
    }
}
