//! A strict JSON reader (RFC 8259) that is pushed chunks, cut anywhere, and remembers only where it is.
//!
//! It reports what it sees to a [`Visitor`], and stops at the first byte that JSON does not allow. Strings are handed
//! on unescaped, in pieces, so a string of gigabytes takes no memory; numbers are never converted. Stricter than
//! the RFC in one point: a `\u` escape of half a surrogate pair is refused, because what it means differs from
//! tool to tool (jq writes U+FFFD instead, others fail), and so would the result.

use super::error::{Defect, Document, Found, Position, Refusal};
use super::limits::{MAX_DEPTH, MAX_SHORT_LEN, MAX_SHOWN_PATH_LEN};
use number::Number;
use strings::Text;
pub(super) use visitor::{Content, Fault, Kind, Visitor};

mod number;
mod strings;
mod visitor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    FirstItem,
    FirstKey,
    Key,
    Colon,
    Next,
    Text,
    Escape,
    Unicode { digits: u8, unit: u16 },
    Number(Number),
    Literal { name: &'static str, seen: usize },
    Done,
}

/// An open object or array.
#[derive(Debug)]
struct Frame {
    object: bool,
    /// Where the current key starts in `Reader::keys`.
    key_start: usize,
    /// The current item of an array.
    index: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Reader {
    document: Document,
    state: State,
    frames: Vec<Frame>,
    /// The current keys of all open objects, one after the other.
    keys: Vec<u8>,
    text: Text,
    /// The number being read, up to [`MAX_SHORT_LEN`].
    number: Vec<u8>,
    number_len: usize,
    /// Bytes before the current chunk.
    base: u64,
    line: u64,
    line_start: u64,
    value_start: Position,
}

impl Reader {
    pub(super) fn new(document: Document) -> Reader {
        Reader {
            document,
            state: State::Value,
            frames: Vec::new(),
            keys: Vec::new(),
            text: Text::new(false, Position::START, Content::Text),
            number: Vec::with_capacity(MAX_SHORT_LEN),
            number_len: 0,
            base: 0,
            line: 1,
            line_start: 0,
            value_start: Position::START,
        }
    }

    /// Bytes read so far.
    pub(super) const fn offset(&self) -> u64 {
        self.base
    }

    /// What is read.
    pub(super) const fn document(&self) -> Document {
        self.document
    }

    /// Reads the next chunk.
    pub(super) fn push(&mut self, chunk: &[u8], visitor: &mut impl Visitor) -> Result<(), Refusal> {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            let read = match self.state {
                State::Text => self.text(chunk, at, visitor),
                State::Number(number) => self.number(number, at, byte, visitor),
                _ => self.byte(at, byte, visitor).map(|()| 1),
            };
            at += read.map_err(|fault| self.refusal(fault))?;
        }
        self.base += chunk.len() as u64;
        Ok(())
    }

    /// The document ends here.
    pub(super) fn finish(&self) -> Result<(), Refusal> {
        let expected = match self.state {
            State::Done => return Ok(()),
            State::Value if self.frames.is_empty() => {
                return Err(self.refusal(Fault::at(self.position(0), Defect::Empty)));
            }
            State::Value => "a value",
            State::FirstItem => "a value or `]`",
            State::FirstKey => "a key or `}`",
            State::Key => "a key",
            State::Colon => "`:`",
            State::Next if self.in_object() => "`,` or `}`",
            State::Next => "`,` or `]`",
            State::Text | State::Escape | State::Unicode { .. } => "the end of a string",
            State::Number(_) => "the end of a number",
            State::Literal { .. } => "the end of true, false or null",
        };
        Err(self.refusal(Fault::at(self.position(0), Defect::Truncated { expected })))
    }

    fn position(&self, at: usize) -> Position {
        let offset = self.base + at as u64;
        Position { offset, line: self.line, column: offset - self.line_start + 1 }
    }

    fn refusal(&self, fault: Fault) -> Refusal {
        let path = fault.path.unwrap_or_else(|| self.path());
        Refusal { document: self.document, position: fault.position, path, defect: fault.defect }
    }

    /// The path of the value being read, as jq writes it without the leading point. A key belongs to it once
    /// its colon was seen: what is left of a damaged document may take a value for a key.
    fn path(&self) -> String {
        let in_key = self.state == State::Colon
            || self.text.key && matches!(self.state, State::Text | State::Escape | State::Unicode { .. });
        let mut path = String::new();
        for (depth, frame) in self.frames.iter().enumerate() {
            if !frame.object {
                path += &format!("[{}]", frame.index);
                continue;
            }
            let next = self.frames.get(depth + 1).map(|next| next.key_start);
            if next.is_none() && in_key {
                break;
            }
            // Frames begin one after the other within `keys`.
            let key = &self.keys[frame.key_start..next.unwrap_or(self.keys.len())];
            if !key.is_empty() {
                self.document.push_key(&mut path, &String::from_utf8_lossy(key));
            }
        }
        if path.len() > MAX_SHOWN_PATH_LEN {
            path.truncate(path.floor_char_boundary(MAX_SHOWN_PATH_LEN));
            path.push('…');
        }
        path
    }

    fn in_object(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.object)
    }

    fn unexpected(&self, at: usize, byte: u8, expected: &'static str) -> Fault {
        Fault::at(self.position(at), Defect::Unexpected { expected, found: Found::byte(self.document, byte) })
    }

    /// One byte outside strings and numbers, or of an escape or literal.
    fn byte(&mut self, at: usize, byte: u8, visitor: &mut impl Visitor) -> Result<(), Fault> {
        match self.state {
            State::Escape => return self.escape(at, byte, visitor),
            State::Unicode { digits, unit } => return self.unicode(at, byte, digits, unit, visitor),
            State::Literal { name, seen } => return self.literal(at, byte, name, seen, visitor),
            _ => {}
        }
        match (self.state, byte) {
            (_, b'\n') => {
                self.line += 1;
                self.line_start = self.base + at as u64 + 1;
                Ok(())
            }
            (_, b' ' | b'\t' | b'\r') => Ok(()),
            (State::FirstKey, b'}') | (State::FirstItem, b']') => self.close(at, visitor),
            (State::FirstKey | State::Key, b'"') => {
                self.start_key(at);
                Ok(())
            }
            (State::FirstKey, _) => Err(self.unexpected(at, byte, "a key or `}`")),
            (State::Key, _) => Err(self.unexpected(at, byte, "a key")),
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::Colon, _) => Err(self.unexpected(at, byte, "`:`")),
            (State::Next, _) => self.next(at, byte, visitor),
            (State::Done, _) => {
                let found = Found::byte(self.document, byte);
                Err(Fault::at(self.position(at), Defect::Trailing { found }))
            }
            _ => self.value(at, byte, visitor),
        }
    }

    fn next(&mut self, at: usize, byte: u8, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let Some(frame) = self.frames.last_mut() else { return Err(self.unexpected(at, byte, "the end")) };
        match (frame.object, byte) {
            (true, b',') => self.state = State::Key,
            (false, b',') => {
                frame.index += 1;
                self.state = State::Value;
            }
            (true, b'}') | (false, b']') => return self.close(at, visitor),
            (true, _) => return Err(self.unexpected(at, byte, "`,` or `}`")),
            (false, _) => return Err(self.unexpected(at, byte, "`,` or `]`")),
        }
        Ok(())
    }

    /// The first byte of a value.
    fn value(&mut self, at: usize, byte: u8, visitor: &mut impl Visitor) -> Result<(), Fault> {
        self.value_start = self.position(at);
        let (kind, state) = match byte {
            b'{' => (Kind::Object, State::FirstKey),
            b'[' => (Kind::Array, State::FirstItem),
            b'"' => (Kind::String, State::Text),
            b'-' => (Kind::Number, State::Number(Number::Minus)),
            b'0' => (Kind::Number, State::Number(Number::Zero)),
            b'1'..=b'9' => (Kind::Number, State::Number(Number::Integer)),
            b't' => (Kind::Boolean, State::Literal { name: "true", seen: 1 }),
            b'f' => (Kind::Boolean, State::Literal { name: "false", seen: 1 }),
            b'n' => (Kind::Null, State::Literal { name: "null", seen: 1 }),
            0xef if self.value_start.offset == 0 => {
                return Err(Fault::at(self.value_start, Defect::ByteOrderMark));
            }
            _ if self.frames.is_empty() => return Err(self.unexpected(at, byte, "a JSON object, `{`")),
            _ if self.state == State::FirstItem => return Err(self.unexpected(at, byte, "a value or `]`")),
            _ => return Err(self.unexpected(at, byte, "a value")),
        };
        let content = visitor.value(self.value_start, kind)?;
        match kind {
            Kind::Object | Kind::Array => {
                if self.frames.len() >= MAX_DEPTH {
                    return Err(Fault::at(self.value_start, Defect::TooDeep));
                }
                let key_start = self.keys.len();
                self.frames.push(Frame { object: kind == Kind::Object, key_start, index: 0 });
            }
            Kind::String => self.text = Text::new(false, self.value_start, content),
            Kind::Number => {
                self.number.clear();
                self.number.push(byte);
                self.number_len = 1;
            }
            Kind::Boolean | Kind::Null => {}
        }
        self.state = state;
        Ok(())
    }

    fn close(&mut self, at: usize, visitor: &mut impl Visitor) -> Result<(), Fault> {
        // What is missing belongs to the object that ends here, not to its last key.
        if let Some(frame) = self.frames.last() {
            self.keys.truncate(frame.key_start);
        }
        visitor.close(self.position(at))?;
        self.frames.pop();
        self.state = if self.frames.is_empty() { State::Done } else { State::Next };
        Ok(())
    }

    fn literal(
        &mut self,
        at: usize,
        byte: u8,
        name: &'static str,
        seen: usize,
        visitor: &mut impl Visitor,
    ) -> Result<(), Fault> {
        if name.as_bytes().get(seen) != Some(&byte) {
            return Err(self.unexpected(at, byte, "true, false or null"));
        }
        if seen + 1 < name.len() {
            self.state = State::Literal { name, seen: seen + 1 };
            return Ok(());
        }
        self.state = State::Next;
        visitor.scalar(self.value_start, Some(name))
    }

    /// One byte of a number, or the first one after it, which is read again.
    fn number(
        &mut self,
        number: Number,
        at: usize,
        byte: u8,
        visitor: &mut impl Visitor,
    ) -> Result<usize, Fault> {
        if let Some(number) = number.step(byte) {
            self.number_len += 1;
            if self.number.len() < MAX_SHORT_LEN {
                self.number.push(byte);
            }
            self.state = State::Number(number);
            return Ok(1);
        }
        if !number.complete() {
            return Err(self.unexpected(at, byte, "a digit of a number"));
        }
        if !b" \t\r\n,]}".contains(&byte) {
            return Err(self.unexpected(at, byte, "the end of a number"));
        }
        self.state = State::Next;
        // A number is ASCII.
        let raw = std::str::from_utf8(&self.number).ok().filter(|raw| raw.len() == self.number_len);
        visitor.scalar(self.value_start, raw).map(|()| 0)
    }
}
