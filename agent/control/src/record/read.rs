//! From bytes to steps. What is damaged is told and left out; what is whole is read.

use core::mem::swap;

use super::frame::{Kind, take};
use super::{FORMAT, LONGEST, MAGIC, Opening, RecordError, decode, delta};

/// Reads segments, one after the other. It remembers the step before; 32 KiB, best on the heap.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    all: &'a [u8],
    rest: &'a [u8],
    before: [u8; LONGEST],
    /// Length of the step before; zero at the begin of a segment.
    length: usize,
    now: [u8; LONGEST],
}

/// What comes next in a record.
#[derive(Debug)]
pub enum Found<'r> {
    /// A segment begins.
    Opened(Opening),
    /// The controller before the first step of the segment: see [`controller`](super::controller).
    State(&'r [u8]),
    /// A step: see [`step`](super::step).
    Step(&'r [u8]),
    /// Bytes that are no frame, to the next segment or the end. The last ones of a record are torn by a crash.
    Damaged {
        /// Where they begin.
        at: usize,
        /// How many they are.
        length: usize,
    },
}

/// What one segment amounts to, without a look into its steps.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Its first words.
    pub opening: Opening,
    /// Steps in it.
    pub steps: u64,
    /// Length of what is whole; what follows is torn.
    pub whole: usize,
}

impl Survey {
    /// Of the segment that `bytes` are.
    ///
    /// # Errors
    /// If they do not begin as a segment of this format does.
    pub fn of(bytes: &[u8]) -> Result<Self, RecordError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(RecordError::NotARecord)?;
        let (format, rest) = rest.split_first_chunk::<2>().ok_or(RecordError::NotARecord)?;
        let found = u16::from_le_bytes(*format);
        if found != FORMAT {
            return Err(RecordError::OtherFormat { found });
        }
        let Some((Kind::Opened, body, mut rest)) = take(rest) else { return Err(RecordError::NotARecord) };
        let opening = decode(body)?;
        let mut steps = 0;
        while let Some((kind, _, more)) = take(rest) {
            steps += u64::from(matches!(kind, Kind::Full | Kind::Delta));
            rest = more;
        }
        Ok(Self { opening, steps, whole: bytes.len() - rest.len() })
    }
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the beginning.
    ///
    /// # Errors
    /// If they do not begin as a record does.
    pub fn new(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(RecordError::NotARecord);
        }
        Ok(Self { all: bytes, rest: bytes, before: [0; LONGEST], length: 0, now: [0; LONGEST] })
    }

    /// Where what comes next begins.
    #[must_use]
    pub fn at(&self) -> usize {
        self.all.len() - self.rest.len()
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// If a segment has another format. It is left out: the next call goes on behind it.
    #[expect(
        clippy::should_implement_trait,
        reason = "what is found lives in the reader until the next call"
    )]
    pub fn next(&mut self) -> Option<Result<Found<'_>, RecordError>> {
        if self.rest.is_empty() {
            return None;
        }
        let begun = self.rest.strip_prefix(&MAGIC).and_then(|rest| rest.split_first_chunk::<2>());
        if let Some((format, rest)) = begun {
            let found = u16::from_le_bytes(*format);
            if found != FORMAT {
                self.skip();
                return Some(Err(RecordError::OtherFormat { found }));
            }
            self.length = 0;
            let Some((Kind::Opened, body, rest)) = take(rest) else { return Some(Ok(self.damaged())) };
            let Ok(opening) = decode(body) else { return Some(Ok(self.damaged())) };
            self.rest = rest;
            return Some(Ok(Found::Opened(opening)));
        }
        Some(Ok(match take(self.rest) {
            Some((Kind::State, body, rest)) => {
                self.rest = rest;
                Found::State(body)
            }
            Some((Kind::Full, body, rest)) if body.len() <= LONGEST => {
                self.rest = rest;
                self.length = body.len();
                self.before.get_mut(..body.len()).unwrap_or_default().copy_from_slice(body);
                Found::Step(body)
            }
            Some((Kind::Delta, body, rest)) if self.length > 0 => {
                let before = self.before.get(..self.length).unwrap_or_default();
                let Some(length) = delta::apply(before, body, &mut self.now) else {
                    return Some(Ok(self.damaged()));
                };
                self.rest = rest;
                self.length = length;
                swap(&mut self.before, &mut self.now);
                Found::Step(self.before.get(..length).unwrap_or_default())
            }
            Some((Kind::Opened | Kind::Full | Kind::Delta, ..)) | None => self.damaged(),
        }))
    }

    /// Leaves out what is here, to the next segment.
    fn damaged(&mut self) -> Found<'static> {
        let at = self.at();
        Found::Damaged { at, length: self.skip() }
    }

    /// Goes to the next segment, or to the end; over how many bytes.
    fn skip(&mut self) -> usize {
        let before = self.rest.len();
        let next = self.rest.windows(MAGIC.len()).skip(1).position(|bytes| bytes == MAGIC);
        self.rest = next.and_then(|index| self.rest.get(index + 1..)).unwrap_or_default();
        self.length = 0;
        before - self.rest.len()
    }
}
