//! Why a private file could not be made.

use std::fmt;
use std::io;
use std::path::PathBuf;

use svdr_protocol::failure::{CommandError, Exit};

/// What was being done when the system said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
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

impl Step {
    const fn way_out(self) -> &'static str {
        match self {
            Step::Look | Step::Create => {
                "check that its folder exists and can be written, or write elsewhere"
            }
            Step::Write | Step::Flush => "check the room on the disk and its health, or write elsewhere",
            Step::Name => "nothing was changed; check that its folder can still be written, and try again",
            Step::FlushFolder => {
                "the file is complete, but might not survive a loss of power; run `sync`, and check the disk"
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Look => "looked at",
            Step::Create => "created",
            Step::Write => "written",
            Step::Flush => "flushed to the disk",
            Step::Name => "given its name",
            Step::FlushFolder => "flushed to the disk with its name",
        })
    }
}

/// Why a private file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path ends in a way that no file can be called.
    #[error("{} does not name a file; add a name after the folder", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// There is a file of this name.
    #[error("{} exists already; give another name, or --force to replace it", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// There is a folder of this name.
    #[error("{} is a folder; give the name of a file in it", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
    },
    /// There is something else of the name that a folder is to have.
    #[error("{} is no folder; give the name of a new folder, or remove it first", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// There is a folder of this name, and it is not one that may be replaced.
    #[error(
        "{} is a folder that holds other things than one made by this program (a file {mark}, and no folders); give \
         the name of a new folder, or move it away", path.display()
    )]
    ForeignFolder {
        /// The path.
        path: PathBuf,
        /// The file that a folder of ours holds.
        mark: &'static str,
    },
    /// There is a symbolic link of this name.
    #[error("{} is a symbolic link to {}; give the path of the file itself", path.display(), to.display())]
    SymbolicLink {
        /// The path.
        path: PathBuf,
        /// Where it points.
        to: PathBuf,
    },
    /// There is a device, pipe or socket of this name.
    #[error("{} is a device, pipe or socket, which cannot be written privately; give the name of a file", path.display())]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// Another process writes it.
    #[error("{} is being written by another svdr-agent; wait for that one to end, or stop it", path.display())]
    Busy {
        /// The path.
        path: PathBuf,
    },
    /// The system said no.
    #[error("{} could not be {step}; {}", path.display(), step.way_out())]
    Io {
        /// The target's path.
        path: PathBuf,
        /// What was being done.
        step: Step,
        /// What the system said.
        source: io::Error,
    },
}

impl CommandError for FileError {
    fn exit(&self) -> Exit {
        match self {
            FileError::Exists { .. } | FileError::Busy { .. } | FileError::Io { .. } => Exit::Failed,
            FileError::NoName { .. }
            | FileError::Folder { .. }
            | FileError::NotAFolder { .. }
            | FileError::ForeignFolder { .. }
            | FileError::SymbolicLink { .. }
            | FileError::Special { .. } => Exit::Usage,
        }
    }
}
