//! Text in UTF-16, as a shell of Windows writes what a program prints, into UTF-8.

use super::fault::Fault;
use super::packed::Packed;
use super::source::Bytes;

/// Bytes of the head in which text without a byte order mark is recognized by its zeros.
const SAMPLE_BYTES: usize = 512;
/// Characters in succession that are two of ASCII each if they are read in UTF-8: what was appended in UTF-8.
const MAX_ASCII_PAIRS: u32 = 64;
const BOM: u32 = 0xfeff;

/// Decodes UTF-16.
pub(super) struct Utf16 {
    packed: Packed,
    order: Order,
    /// The first byte of a unit, if only that has been read.
    half: Option<u8>,
    /// The first half of a pair of surrogates.
    surrogate: Option<u16>,
    /// Decoded text that has not been returned, from `given` on.
    text: Vec<u8>,
    given: usize,
    ascii_pairs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// Detects UTF-16 by its first bytes: a byte order mark, or text of ASCII in which every second byte is zero.
    pub(super) fn detect(head: &[u8]) -> Option<Order> {
        match head {
            // UTF-32 is something else.
            [0xff, 0xfe, 0, 0, ..] => return None,
            [0xff, 0xfe, ..] => return Some(Order::Little),
            [0xfe, 0xff, ..] => return Some(Order::Big),
            _ => {}
        }
        let pairs = head.get(..SAMPLE_BYTES).unwrap_or(head).chunks_exact(2);
        let is_text = |byte: u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~');
        let (mut little, mut big, mut all) = (0, 0, 0);
        for pair in pairs {
            if let [first, second] = *pair {
                all += 1;
                little += usize::from(is_text(first) && second == 0);
                big += usize::from(first == 0 && is_text(second));
            }
        }
        let most = |count: usize| all >= 8 && count * 10 >= all * 9;
        if most(little) { Some(Order::Little) } else { most(big).then_some(Order::Big) }
    }
}

impl Utf16 {
    pub(super) fn new(packed: Packed, order: Order) -> Utf16 {
        Utf16 { packed, order, half: None, surrogate: None, text: Vec::new(), given: 0, ascii_pairs: 0 }
    }

    /// Decodes the next part into the text.
    fn decode(&mut self) -> Result<(), Fault> {
        let offset = self.packed.offset();
        let bytes = self.packed.fill()?;
        let count = bytes.len();
        for &byte in bytes {
            let Some(first) = self.half.take() else {
                self.half = Some(byte);
                continue;
            };
            let is_ascii = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
            self.ascii_pairs = if is_ascii(first) && is_ascii(byte) { self.ascii_pairs + 1 } else { 0 };
            if self.ascii_pairs > MAX_ASCII_PAIRS {
                return Err(Fault {
                    offset,
                    reason: "the text is UTF-16 before this byte, and another encoding after it".to_owned(),
                    help: "Split the file there, and read both parts",
                });
            }
            let unit = match self.order {
                Order::Little => u16::from_le_bytes([first, byte]),
                Order::Big => u16::from_be_bytes([first, byte]),
            };
            let units = self.surrogate.take().into_iter().chain([unit]);
            for decoded in char::decode_utf16(units) {
                match decoded {
                    Ok(c) if u32::from(c) == BOM => {}
                    Ok(c) => self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    // Its other half follows.
                    Err(lone)
                        if matches!(lone.unpaired_surrogate(), 0xd800..=0xdbff)
                            && lone.unpaired_surrogate() == unit =>
                    {
                        self.surrogate = Some(unit);
                    }
                    Err(_) => self.text.extend_from_slice("\u{fffd}".as_bytes()),
                }
            }
        }
        self.packed.consume(count);
        Ok(())
    }
}

impl Bytes for Utf16 {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        while self.given == self.text.len() {
            self.text.clear();
            self.given = 0;
            if self.packed.fill()?.is_empty() {
                return Ok(0);
            }
            self.decode()?;
        }
        // In range: `given` is at most the length.
        let text = &self.text[self.given..];
        let count = text.len().min(buffer.len());
        // In range: at most the length of either.
        buffer[..count].copy_from_slice(&text[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::input::source::Disk;

    /// Gives a few bytes at a time.
    struct Slow(Vec<u8>, usize);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn decode(bytes: Vec<u8>, step: usize, order: Order) -> Result<String, Fault> {
        let disk = Disk::new(Box::new(Slow(bytes, step)));
        let mut decoder = Utf16::new(Packed::new(Box::new(disk), None), order);
        let mut text = Vec::new();
        let mut buffer = [0; 7];
        loop {
            match decoder.read(&mut buffer)? {
                0 => return Ok(String::from_utf8(text).unwrap()),
                count => text.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn both_orders_in_parts_of_any_size() {
        let text = "2026-04-21 Zürich \u{1f600} line\r\n";
        for step in 1..9 {
            let little = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(decode(little, step, Order::Little).unwrap(), text);
            assert_eq!(decode(big, step, Order::Big).unwrap(), text);
        }
        let lone = [0x00, 0xd8, b'a', 0, 0x00, 0xdc, b'b', 0];
        assert_eq!(decode(lone.to_vec(), 3, Order::Little).unwrap(), "\u{fffd}a\u{fffd}b");
    }

    #[test]
    fn what_was_appended_in_utf8_is_a_fault() {
        let mut bytes: Vec<u8> = "first\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.extend_from_slice("second line, in UTF-8\n".repeat(10).as_bytes());
        assert!(decode(bytes, 1000, Order::Little).unwrap_err().reason.contains("another encoding"));
    }

    #[test]
    fn detected_by_mark_or_zeros() {
        let text = "2026-04-21 22:01:04,120 [t]";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(Order::detect(&little), Some(Order::Little));
        assert_eq!(Order::detect(&big), Some(Order::Big));
        assert_eq!(Order::detect(b"\xff\xfe"), Some(Order::Little));
        assert_eq!(Order::detect(b"\xfe\xff\0a"), Some(Order::Big));
        for other in [text.as_bytes(), b"", b"a\0", &[0; 100], b"\xff\xfe\0\0"] {
            assert_eq!(Order::detect(other), None, "{other:?}");
        }
    }
}
