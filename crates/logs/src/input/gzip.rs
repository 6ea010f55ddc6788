//! Gzip of any number of members, as `cat a.gz b.gz` and log rotation make it.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Damage, Source};

/// The largest window of deflate, in bits.
const WINDOW_BITS: u8 = 15;

/// Unpacks one member after the other.
#[derive(Default)]
pub(super) struct Gzip {
    member: Option<Decompress>,
    damage: Option<Damage>,
}

impl Gzip {
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
            if self.member.is_none() {
                // Tapes and some tools pad with zeros.
                let padding = input.iter().take_while(|byte| **byte == 0).count();
                match input.get(padding) {
                    None if input.is_empty() => return Ok(0),
                    None => {
                        source.consume(padding);
                        continue;
                    }
                    Some(0x1f) => source.consume(padding),
                    Some(_) => {
                        let reason = "what follows the compressed log is not gzip; it is left out".to_owned();
                        return Err(Damage { offset: offset + padding as u64, reason });
                    }
                }
            }
            let input = source.fill()?;
            if input.is_empty() {
                return Err(Damage {
                    offset,
                    reason: "the compressed log ends in the middle; the rest is lost".to_owned(),
                });
            }
            let member = self.member.get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
            let (taken, given) = (member.total_in(), member.total_out());
            let result = member.decompress(input, buffer, FlushDecompress::None);
            // Both are differences of counts within one call, at most the lengths of the slices.
            let (taken, given) =
                ((member.total_in() - taken) as usize, (member.total_out() - given) as usize);
            source.consume(taken);
            match result {
                Ok(Status::StreamEnd) => self.member = None,
                Ok(Status::Ok) => {}
                Ok(Status::BufError) if taken > 0 || given > 0 => {}
                Ok(Status::BufError) => {
                    return Err(Damage {
                        offset: source.offset(),
                        reason: "the compressed log makes no sense here; the rest is lost".to_owned(),
                    });
                }
                Err(error) => {
                    let reason = format!("the compressed log is corrupt ({error}); the rest is lost");
                    let damage = Damage { offset: source.offset(), reason };
                    if given == 0 {
                        return Err(damage);
                    }
                    // What was unpacked in front of it still counts; the damage is told at the next call.
                    self.damage = Some(damage);
                }
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}
