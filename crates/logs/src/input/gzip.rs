//! Gzip of any number of members, as `cat a.gz b.gz` and log rotation make it.

use flate2::{Decompress, FlushDecompress, Status};

use super::fault::{Fault, USE_ANOTHER_COPY};
use super::packed::Packed;

/// The largest window of deflate, in bits.
const WINDOW_BITS: u8 = 15;

/// Unpacks one member after the other.
#[derive(Default)]
pub(super) struct Gzip {
    member: Option<Decompress>,
    /// A fault after the bytes that have been returned.
    fault: Option<Fault>,
}

impl Gzip {
    /// Unpacks into `buffer`, and returns how far. Zero is the end.
    pub(super) fn read(&mut self, packed: &mut Packed, buffer: &mut [u8]) -> Result<usize, Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        loop {
            if self.member.is_none() && !skip_to_member(packed)? {
                return Ok(0);
            }
            let offset = packed.offset();
            let input = packed.fill()?;
            if input.is_empty() {
                return Err(Fault {
                    offset,
                    reason: "the gzip data is truncated".to_owned(),
                    help: USE_ANOTHER_COPY,
                });
            }
            let member = self.member.get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
            let (in_before, out_before) = (member.total_in(), member.total_out());
            let result = member.decompress(input, buffer, FlushDecompress::None);
            // Differences of counts within one call are at most the lengths of the slices.
            let taken = (member.total_in() - in_before) as usize;
            let given = (member.total_out() - out_before) as usize;
            packed.consume(taken);
            let corrupt = |detail: &str| Fault {
                offset: packed.offset(),
                reason: format!("the gzip data is corrupt{detail}"),
                help: USE_ANOTHER_COPY,
            };
            match result {
                Ok(Status::StreamEnd) => self.member = None,
                Ok(Status::Ok) => {}
                Ok(Status::BufError) if taken > 0 || given > 0 => {}
                Ok(Status::BufError) => return Err(corrupt("")),
                Err(error) if given == 0 => return Err(corrupt(&format!(" ({error})"))),
                // What was unpacked before the fault still counts.
                Err(error) => self.fault = Some(corrupt(&format!(" ({error})"))),
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}

/// Skips the zeros with which tapes and some tools pad. Returns whether a member follows; otherwise this is the end.
fn skip_to_member(packed: &mut Packed) -> Result<bool, Fault> {
    loop {
        let offset = packed.offset();
        let input = packed.fill()?;
        if input.is_empty() {
            return Ok(false);
        }
        let padding = input.iter().take_while(|byte| **byte == 0).count();
        match input.get(padding) {
            Some(0x1f) => {
                packed.consume(padding);
                return Ok(true);
            }
            Some(_) => {
                return Err(Fault {
                    offset: offset + padding as u64,
                    reason: "the bytes after the gzip data are not gzip".to_owned(),
                    help: "Read them as a file of their own, if they are a log",
                });
            }
            None => packed.consume(padding),
        }
    }
}
