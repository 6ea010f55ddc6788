//! Zstandard of any number of frames.
//!
//! A frame's header says how many of the last bytes its blocks refer to, the window. The decoder keeps them back until
//! the frame ends. If the data is truncated or corrupt, an empty last block is given to the decoder in its place, so
//! that it returns everything that was decoded.

use std::error::Error;
use std::io::{self, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::fault::{Fault, USE_ANOTHER_COPY};
use super::packed::Packed;
use crate::limits::MAX_ZSTD_WINDOW_BYTES;

/// Bytes that are decoded at once: about one block.
const STEP_BYTES: usize = 128 * 1024;
/// An empty last block, and room for a checksum.
const END_OF_FRAME: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

/// Unpacks one frame after the other.
pub(super) struct Zstd {
    decoder: FrameDecoder,
    /// Whether a frame has begun whose bytes have not all been returned.
    in_frame: bool,
    /// A fault after the bytes that the decoder still has.
    fault: Option<Fault>,
}

impl Zstd {
    pub(super) fn new() -> Zstd {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_ZSTD_WINDOW_BYTES);
        Zstd { decoder, in_frame: false, fault: None }
    }

    /// Unpacks into `buffer`, and returns how far. Zero is the end.
    pub(super) fn read(&mut self, packed: &mut Packed, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            if !self.in_frame {
                if packed.fill()?.is_empty() {
                    return Ok(0);
                }
                self.in_frame = self.start_frame(packed)?;
                continue;
            }
            let given = self.decoder.read(buffer).map_err(|error| corrupt(packed, &error))?;
            if given > 0 {
                return Ok(given);
            }
            if self.decoder.is_finished() {
                self.in_frame = false;
                self.end_frame(packed)?;
                continue;
            }
            let mut reader = Reader { packed, fault: None };
            let strategy = BlockDecodingStrategy::UptoBytes(STEP_BYTES);
            if let Err(error) = self.decoder.decode_blocks(&mut reader, strategy) {
                self.fault = Some(reader.explain(&error));
                self.decoder
                    .decode_blocks(&END_OF_FRAME[..], BlockDecodingStrategy::All)
                    .map_err(|error| corrupt(packed, &error))?;
            }
        }
    }

    /// Reads the header of a frame. Returns whether it is a frame of data; one of another kind is skipped.
    fn start_frame(&mut self, packed: &mut Packed) -> Result<bool, Fault> {
        let mut reader = Reader { packed, fault: None };
        match self.decoder.reset(&mut reader) {
            Ok(()) => Ok(true),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => skip(packed, u64::from(length)).map(|()| false),
            Err(error) => Err(reader.explain(&error)),
        }
    }

    /// Checks the frame whose bytes have all been returned.
    fn end_frame(&mut self, packed: &Packed) -> Result<(), Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let stored = self.decoder.get_checksum_from_data();
        if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
            return Err(Fault {
                offset: packed.offset(),
                reason: "the zstd data is corrupt: its checksum is wrong".to_owned(),
                help: USE_ANOTHER_COPY,
            });
        }
        Ok(())
    }
}

/// Skips a frame that contains no data.
fn skip(packed: &mut Packed, length: u64) -> Result<(), Fault> {
    let mut left = length;
    while left > 0 {
        let there = packed.fill()?.len();
        if there == 0 {
            return Err(truncated(packed));
        }
        let count = usize::try_from(left).map_or(there, |left| left.min(there));
        packed.consume(count);
        left -= count as u64;
    }
    Ok(())
}

/// Gives the decoder the packed bytes, and remembers what the system said.
struct Reader<'p> {
    packed: &'p mut Packed,
    fault: Option<Fault>,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.packed.fill().map_err(|fault| {
            let error = io::Error::other(fault.reason.clone());
            self.fault = Some(fault);
            error
        })?;
        let count = bytes.len().min(buffer.len());
        // In range: at most the length of either.
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.packed.consume(count);
        Ok(count)
    }
}

impl Reader<'_> {
    /// Returns what `error`, which the decoder returned, says about the log.
    fn explain(self, error: &FrameDecoderError) -> Fault {
        let offset = self.packed.offset();
        match (self.fault, error) {
            (Some(fault), _) => fault,
            (None, FrameDecoderError::WindowSizeTooBig { requested, .. }) => Fault {
                offset,
                reason: format!(
                    "the zstd data needs a window of {requested} bytes, more than the {MAX_ZSTD_WINDOW_BYTES} that are \
                     allowed"
                ),
                help: "Decompress it with `zstd -d --long=31`, then read the result",
            },
            (None, FrameDecoderError::DictNotProvided { .. }) => Fault {
                offset,
                reason: "the zstd data needs a dictionary".to_owned(),
                help: "Decompress it with `zstd -d -D DICTIONARY`, then read the result",
            },
            (None, FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(_))) => {
                Fault {
                    offset,
                    reason: "the bytes after the zstd data are not zstd".to_owned(),
                    help: "Read them as a file of their own, if they are a log",
                }
            }
            (None, error) if is_end(error) => truncated(self.packed),
            (None, error) => corrupt(self.packed, error),
        }
    }
}

/// Whether the cause of `error` is that there are no more bytes.
fn is_end(error: &FrameDecoderError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

fn truncated(packed: &Packed) -> Fault {
    Fault { offset: packed.offset(), reason: "the zstd data is truncated".to_owned(), help: USE_ANOTHER_COPY }
}

fn corrupt(packed: &Packed, error: &dyn Error) -> Fault {
    Fault {
        offset: packed.offset(),
        reason: format!("the zstd data is corrupt ({error})"),
        help: USE_ANOTHER_COPY,
    }
}
