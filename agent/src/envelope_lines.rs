//! Reads files of envelopes, one a line: transcripts, certificates, single statements.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use svdr_protocol::dsse::MAX_JSON_LEN;

/// The most lines in one call: a session of the largest roster, each statement with its receipt, many times over.
pub const MAX_LINES: usize = 1 << 20;

/// Calls `each` with the number, from 1, and the bytes of every line of `path` that is not blank; `-` is standard
/// input. A line longer than any envelope is handed over cut, just long enough to be refused for its length.
///
/// # Errors
/// What `failed` makes of an I/O error, and those of `each`.
pub fn for_each_line<E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    mut each: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(&failed)?))
    };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length =
            (&mut reader).take(MAX_JSON_LEN as u64 + 1).read_until(b'\n', &mut line).map_err(&failed)?;
        if length == 0 {
            break;
        }
        if line.len() > MAX_JSON_LEN && line.last() != Some(&b'\n') {
            reader.skip_until(b'\n').map_err(&failed)?;
        }
        let trimmed = line.trim_ascii();
        if !trimmed.is_empty() {
            each(number, trimmed)?;
        }
    }
    Ok(())
}
