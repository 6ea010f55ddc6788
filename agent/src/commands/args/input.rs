//! Files that commands read and that their output must not replace.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use svdr_dump::{Document, MergeError};
use svdr_protocol::failure::{CommandError, Exit};

/// Why an input is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("the {document} {} cannot be opened\nhelp: check the path and its permissions", path.display())]
    Open { document: Document, path: PathBuf, source: io::Error },
    #[error("the output {} is the {document} itself\nhelp: give another name for the output", path.display())]
    SameFile { document: Document, path: PathBuf },
    #[error("{} cannot be used", path.display())]
    Content { path: PathBuf, source: MergeError },
}

impl CommandError for InputError {
    fn exit(&self) -> Exit {
        match self {
            InputError::SameFile { .. } => Exit::Usage,
            InputError::Content { source, .. } => source.exit(),
            InputError::Open { .. } => Exit::Failed,
        }
    }
}

/// Opens an input that `out`, if there is one, must not replace.
pub(crate) fn open(
    document: Document,
    path: &Path,
    out: Option<&Path>,
) -> Result<(File, Metadata), InputError> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    let (file, metadata) =
        opened.map_err(|source| InputError::Open { document, path: path.to_owned(), source })?;
    // An output that does not exist yet, or cannot be looked at, is none of the inputs.
    let same = |out: &Path| {
        out.metadata().is_ok_and(|out| (out.dev(), out.ino()) == (metadata.dev(), metadata.ino()))
    };
    match out {
        Some(out) if same(out) => Err(InputError::SameFile { document, path: out.to_owned() }),
        _ => Ok((file, metadata)),
    }
}
