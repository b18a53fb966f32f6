//! The Modbus RTU frame, out of a stream of bytes that keeps no silence.
//!
//! ```text
//!   unit u8 │ PDU │ CRC u16, low byte first
//!
//!   head ──► function known? ──yes──► length by function ──► all there? ──► CRC right? ──► frame
//!                 │ no                                            │ no          │ no
//!                 └──► the shortest length with a right CRC       wait          drop one byte, look again
//! ```
//!
//! On copper a frame ends with 3.5 characters of silence, 1.8 ms at 19200 baud. A PTY, a TCP gateway and a busy
//! scheduler keep no such time, so that here the length decides, and a much longer silence only clears the rest of a
//! frame that will never be whole. After noise a frame may be found only behind such a silence, as on copper.

use std::time::Duration;

use super::crc::{START, crc, extend};
use super::mbap::Frame;

/// Longest RTU frame: unit, PDU of 253 bytes, CRC.
const LONGEST: usize = 256;
/// Shortest: unit, function, CRC.
const SHORTEST: usize = 4;

/// After this time without a byte an incomplete frame is given up (estimate: far above the pauses of a scheduler,
/// far below the deadline of a master).
pub(crate) const SILENCE: Duration = Duration::from_millis(50);

/// Who speaks on the stream: requests and replies of one function have different lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// The master: requests.
    Master,
    /// A unit: replies.
    Unit,
}

/// The frame of `pdu` to or from `unit`.
pub(crate) fn encode(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pdu.len() + 3);
    bytes.push(unit);
    bytes.extend(pdu);
    bytes.extend(crc(&bytes).to_le_bytes());
    bytes
}

/// Finds frames in bytes that come in any portions.
#[derive(Debug)]
pub(crate) struct Deframer {
    speaker: Speaker,
    buffer: Vec<u8>,
    dropped: u64,
}

/// What the head of the buffer says about the frame's length.
enum Length {
    Known(usize),
    Incomplete,
    Unknown,
}

impl Deframer {
    pub(crate) const fn new(speaker: Speaker) -> Self {
        Self { speaker, buffer: Vec::new(), dropped: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
    }

    /// The next whole frame with a right CRC; its transaction is 0.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            match self.found() {
                Found::Frame(length) => {
                    let frame = self.frame(length);
                    self.buffer.drain(..length);
                    return frame;
                }
                Found::Nothing => return None,
                Found::Noise => self.drop_head(1),
            }
        }
    }

    /// Are there bytes that are no whole frame yet?
    pub(crate) const fn is_waiting(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The line was silent: what is here will never be whole.
    pub(crate) fn silence(&mut self) {
        self.drop_head(self.buffer.len());
    }

    /// Bytes that belonged to no frame.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn found(&self) -> Found {
        match length(self.speaker, &self.buffer) {
            Length::Incomplete => Found::Nothing,
            Length::Known(length) if length > LONGEST => Found::Noise,
            Length::Known(length) => match self.buffer.get(..length) {
                None => Found::Nothing,
                Some(frame) if crc(frame) == 0 => Found::Frame(length),
                Some(_) => Found::Noise,
            },
            Length::Unknown => self.search(),
        }
    }

    /// The shortest frame whose checksum is right.
    fn search(&self) -> Found {
        let sums = self.buffer.iter().take(LONGEST).scan(START, |sum, byte| {
            *sum = extend(*sum, *byte);
            Some(*sum)
        });
        match (1..).zip(sums).skip(SHORTEST - 1).find(|(_, sum)| *sum == 0) {
            Some((length, _)) => Found::Frame(length),
            None if self.buffer.len() >= LONGEST => Found::Noise,
            None => Found::Nothing,
        }
    }

    fn frame(&self, length: usize) -> Option<Frame> {
        let (unit, rest) = self.buffer.get(..length)?.split_first()?;
        let pdu = rest.get(..rest.len().checked_sub(2)?)?.to_vec();
        Some(Frame { transaction: 0, unit: *unit, pdu })
    }

    fn drop_head(&mut self, count: usize) {
        self.buffer.drain(..count);
        self.dropped += count as u64;
    }
}

enum Found {
    Frame(usize),
    Nothing,
    Noise,
}

fn length(speaker: Speaker, bytes: &[u8]) -> Length {
    let (Some(function), Some(_)) = (bytes.get(1), bytes.get(SHORTEST - 1)) else {
        return Length::Incomplete;
    };
    let counted = |fixed: usize, at: usize| match bytes.get(at) {
        Some(count) => Length::Known(fixed + usize::from(*count)),
        None => Length::Incomplete,
    };
    match (speaker, function) {
        (Speaker::Master, 1..=6 | 8) | (Speaker::Unit, 5 | 6 | 8 | 11 | 15 | 16) => Length::Known(8),
        (Speaker::Master, 7 | 11 | 12 | 17) => Length::Known(4),
        (Speaker::Master, 15 | 16) => counted(9, 6),
        (Speaker::Master | Speaker::Unit, 22) => Length::Known(10),
        (Speaker::Master, 23) => counted(13, 10),
        (Speaker::Master, 43) => Length::Known(7),
        (Speaker::Unit, 1..=4 | 12 | 17 | 23) => counted(5, 2),
        (Speaker::Unit, 7 | 0x80..) => Length::Known(5),
        (Speaker::Master | Speaker::Unit, _) => Length::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(speaker: Speaker, portions: &[&[u8]]) -> Vec<(u8, Vec<u8>)> {
        let mut deframer = Deframer::new(speaker);
        let mut found = Vec::new();
        for portion in portions {
            deframer.push(portion);
            found.extend(std::iter::from_fn(|| deframer.next()).map(|frame| (frame.unit, frame.pdu)));
        }
        found
    }

    #[test]
    fn a_frame_is_the_one_of_the_book() {
        assert_eq!(encode(0x11, &[3, 0, 0x6B, 0, 3]), [0x11, 3, 0, 0x6B, 0, 3, 0x76, 0x87]);
    }

    #[test]
    fn a_function_that_nobody_knows_is_found_by_its_checksum() {
        let pdu = vec![100, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(frames(Speaker::Master, &[&encode(7, &pdu)]), [(7, pdu)]);
    }

    #[test]
    fn a_wrong_checksum_is_no_frame_and_after_a_silence_the_next_one_is() {
        let right = encode(1, &[6, 0, 1, 0, 2]);
        let mut wrong = right.clone();
        *wrong.last_mut().unwrap() ^= 1;
        for noise in [wrong.as_slice(), &[0, 0xFF, 0x55]] {
            let mut deframer = Deframer::new(Speaker::Master);
            deframer.push(noise);
            assert_eq!(deframer.next(), None);
            deframer.silence();
            deframer.push(&right);
            assert_eq!(deframer.next().unwrap().pdu, [6, 0, 1, 0, 2]);
            assert_eq!(deframer.dropped(), noise.len() as u64);
        }
    }

    #[test]
    fn silence_clears_half_a_frame() {
        let whole = encode(1, &[3, 0, 0, 0, 1]);
        let mut deframer = Deframer::new(Speaker::Master);
        deframer.push(&whole[..5]);
        assert!(deframer.next().is_none() && deframer.is_waiting());
        deframer.silence();
        deframer.push(&whole);
        assert_eq!(deframer.next().unwrap().pdu, [3, 0, 0, 0, 1]);
        assert_eq!((deframer.is_waiting(), deframer.dropped()), (false, 5));
    }

    /// A request and its reply, of every function whose length the table tells.
    fn exchange() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let registers = prop::collection::vec(any::<u16>(), 1..=30);
        (prop::sample::select(vec![1_u8, 2, 3, 4, 5, 6, 15, 16, 22, 23]), any::<[u8; 2]>(), registers)
            .prop_map(|(function, [high, low], registers)| {
                let count = u8::try_from(registers.len()).unwrap();
                let data: Vec<u8> = registers.iter().flat_map(|word| word.to_be_bytes()).collect();
                let head = vec![function, high, low, 0, count];
                let mut counted = vec![2 * count];
                counted.extend(&data);
                let read = || [vec![function], counted.clone()].concat();
                match function {
                    1..=4 => (head, read()),
                    5 | 6 => (head.clone(), head),
                    22 => ([head.clone(), vec![1, 2]].concat(), [head, vec![1, 2]].concat()),
                    23 => ([head, vec![9, 9, 0, count], counted.clone()].concat(), read()),
                    _ => ([head.clone(), counted].concat(), head),
                }
            })
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            exchanges in prop::collection::vec((1_u8..=247, exchange()), 1..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            for speaker in [Speaker::Master, Speaker::Unit] {
                let sent: Vec<_> = exchanges
                    .iter()
                    .map(|(unit, (request, reply))| {
                        (*unit, if speaker == Speaker::Master { request.clone() } else { reply.clone() })
                    })
                    .collect();
                let stream: Vec<u8> = sent.iter().flat_map(|(unit, pdu)| encode(*unit, pdu)).collect();
                let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
                ends.push(stream.len());
                ends.sort_unstable();
                let mut from = 0;
                let portions: Vec<&[u8]> = ends
                    .into_iter()
                    .map(|end| &stream[std::mem::replace(&mut from, end)..end])
                    .collect();
                prop_assert_eq!(frames(speaker, &portions), sent);
            }
        }

        #[test]
        fn noise_is_judged_the_same_in_any_split_and_held_in_bounds(
            noise in prop::collection::vec(any::<u8>(), 0..600),
            portion in 1_usize..50,
        ) {
            let portions: Vec<&[u8]> = noise.chunks(portion).collect();
            prop_assert_eq!(frames(Speaker::Unit, &portions), frames(Speaker::Unit, &[&noise]));
            let mut deframer = Deframer::new(Speaker::Unit);
            deframer.push(&noise);
            while deframer.next().is_some() {}
            prop_assert!(deframer.buffer.len() < LONGEST);
        }
    }
}
