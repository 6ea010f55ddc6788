//! Zstandard of any number of frames.

use std::io;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::{Damage, Source};

/// Unpacks one frame after the other.
pub(super) struct Zstd {
    decoder: Decoder<'static>,
    inside: bool,
    damage: Option<Damage>,
}

impl Zstd {
    /// Refuses frames that need more memory than a window of 2 to the power `window_log` bytes.
    pub(super) fn new(window_log: u32) -> io::Result<Zstd> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(window_log))?;
        Ok(Zstd { decoder, inside: false, damage: None })
    }

    /// Unpacks into `buffer`; zero is the end.
    pub(super) fn read(&mut self, source: &mut Source, buffer: &mut [u8]) -> Result<usize, Damage> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        match self.unpack(source, buffer) {
            Err(damage) => {
                self.damage = Some(damage.clone());
                Err(damage)
            }
            result => result,
        }
    }

    fn unpack(&mut self, source: &mut Source, buffer: &mut [u8]) -> Result<usize, Damage> {
        loop {
            let offset = source.offset();
            let input = source.fill()?;
            let at_end = input.is_empty();
            if at_end && !self.inside {
                return Ok(0);
            }
            let mut from = InBuffer::around(input);
            let mut to = OutBuffer::around(&mut *buffer);
            let result = self.decoder.run(&mut from, &mut to);
            let (taken, given) = (from.pos(), to.pos());
            source.consume(taken);
            match result {
                Ok(hint) => self.inside = hint != 0,
                Err(error) => {
                    let reason = format!(
                        "the compressed log is corrupt, or needs too large a window ({error}); \
                         where `zstd -d --long=31` unpacks it, scan its output"
                    );
                    return Err(Damage { offset: source.offset(), reason });
                }
            }
            if given > 0 {
                return Ok(given);
            }
            if at_end {
                return Err(Damage {
                    offset,
                    reason: "the compressed log ends in the middle; the rest is lost".to_owned(),
                });
            }
        }
    }
}
