//! Strings and keys: plain runs as they are, escapes one by one.

use super::super::base64::alphabet_prefix;
use super::super::error::{Defect, Found, Position};
use super::super::limits::MAX_KEY_LEN;
use super::super::text::{Cut, Utf8, plain_prefix};
use super::{Content, Fault, Reader, State, Visitor};

/// The string or key being read.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) key: bool,
    start: Position,
    content: Content,
    utf8: Utf8,
    /// The first half of a surrogate pair, when the second must follow.
    high: Option<u16>,
}

impl Text {
    pub(super) const fn new(key: bool, start: Position, content: Content) -> Text {
        Text { key, start, content, utf8: Utf8::new(), high: None }
    }
}

impl Reader {
    pub(super) fn start_key(&mut self, at: usize) {
        if let Some(frame) = self.frames.last() {
            self.keys.truncate(frame.key_start);
        }
        self.text = Text::new(true, self.position(at), Content::Text);
        self.state = State::Text;
    }

    /// As much as possible of a string: its plain part, or the byte that ends or interrupts it.
    pub(super) fn text(
        &mut self,
        chunk: &[u8],
        at: usize,
        visitor: &mut impl Visitor,
    ) -> Result<usize, Fault> {
        // The caller has read the byte at `at`.
        let rest = &chunk[at..];
        if self.text.utf8.held() > 0 {
            return self.cut_character(at, chunk[at], visitor).map(|()| 1);
        }
        if self.text.content == Content::Base64 && self.text.high.is_none() {
            let run = alphabet_prefix(rest);
            if run > 0 {
                visitor.alphabet(self.position(at), &rest[..run])?;
                return Ok(run);
            }
        }
        let run = plain_prefix(rest);
        let (plain, after) = rest.split_at(run);
        if !plain.is_empty() && self.text.high.is_some() {
            return Err(Fault::at(self.position(at), Defect::LoneSurrogate));
        }
        let (whole, valid) = self.text.utf8.whole(plain, after.is_empty());
        self.piece(self.position(at), &plain[..whole], visitor)?;
        if !valid {
            return Err(Fault::at(self.position(at + whole), Defect::NotUtf8));
        }
        let Some(&byte) = after.first() else { return Ok(run) };
        match byte {
            b'"' if self.text.high.is_some() => {
                return Err(Fault::at(self.position(at + run), Defect::LoneSurrogate));
            }
            b'"' => self.text_end(at + run, visitor)?,
            b'\\' => self.state = State::Escape,
            _ => {
                let found = Found::byte(self.document, byte);
                return Err(Fault::at(self.position(at + run), Defect::ControlCharacter { found }));
            }
        }
        Ok(run + 1)
    }

    /// The next byte of a character that a chunk's end has cut.
    fn cut_character(&mut self, at: usize, byte: u8, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let start = self.position(at).back(self.text.utf8.held());
        match self.text.utf8.resume(byte) {
            Cut::More => Ok(()),
            Cut::Whole(bytes, len) => self.piece(start, &bytes[..len], visitor),
            Cut::Bad => Err(Fault::at(start, Defect::NotUtf8)),
        }
    }

    fn piece(&mut self, at: Position, piece: &[u8], visitor: &mut impl Visitor) -> Result<(), Fault> {
        if piece.is_empty() {
            return Ok(());
        }
        if !self.text.key {
            return visitor.piece(at, piece);
        }
        let start = self.frames.last().map_or(0, |frame| frame.key_start);
        if self.keys.len() - start + piece.len() > MAX_KEY_LEN {
            return Err(Fault::at(self.text.start, Defect::KeyTooLong));
        }
        self.keys.extend_from_slice(piece);
        Ok(())
    }

    fn text_end(&mut self, at: usize, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let position = self.position(at);
        if !self.text.key {
            self.state = State::Next;
            return visitor.string_end(position);
        }
        self.state = State::Colon;
        let start = self.frames.last().map_or(0, |frame| frame.key_start);
        match std::str::from_utf8(&self.keys[start..]) {
            Ok(key) => visitor.key(position, key),
            Err(_) => Err(Fault::at(position, Defect::NotUtf8)),
        }
    }

    pub(super) fn escape(&mut self, at: usize, byte: u8, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let unescaped = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.state = State::Unicode { digits: 0, unit: 0 };
                return Ok(());
            }
            _ => return Err(self.unexpected(at, byte, "one of `\"\\/bfnrtu` after a backslash")),
        };
        if self.text.high.is_some() {
            return Err(Fault::at(self.position(at), Defect::LoneSurrogate));
        }
        self.state = State::Text;
        self.piece(self.position(at), &[unescaped], visitor)
    }

    pub(super) fn unicode(
        &mut self,
        at: usize,
        byte: u8,
        digits: u8,
        unit: u16,
        visitor: &mut impl Visitor,
    ) -> Result<(), Fault> {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Err(self.unexpected(at, byte, "four hexadecimal digits after \\u"));
        };
        // A hexadecimal digit is at most 15.
        let unit = unit << 4 | digit as u16;
        if digits < 3 {
            self.state = State::Unicode { digits: digits + 1, unit };
            return Ok(());
        }
        self.state = State::Text;
        let units = match self.text.high.take() {
            Some(high) => [high, unit],
            None if (0xd800..0xdc00).contains(&unit) => {
                self.text.high = Some(unit);
                return Ok(());
            }
            None => [unit, 0],
        };
        // Without a first half, the second of `units` is filling and means nothing.
        let Some(Ok(character)) = char::decode_utf16(units).next() else {
            return Err(Fault::at(self.position(at), Defect::LoneSurrogate));
        };
        let mut encoded = [0; 4];
        let encoded = character.encode_utf8(&mut encoded);
        self.piece(self.position(at), encoded.as_bytes(), visitor)
    }
}
