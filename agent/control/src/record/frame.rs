//! A frame: kind, length, checksum, bytes. The checksum covers all the rest.

use crc::{CRC_32_ISCSI, Crc};

use super::LONGEST;

/// Bytes before those that a frame carries.
const HEAD: usize = 1 + 2 + 4;
/// Longest frame. What differs too much is written in full, so nothing is longer than a state or step in full.
pub const LONGEST_FRAME: usize = HEAD + LONGEST;
/// Longest beginning of a segment: magic, format, first words and state.
pub const LONGEST_OPENING: usize = 10 + HEAD + 128 + LONGEST_FRAME;

const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first words of a segment.
    Opened,
    /// The whole controller.
    State,
    /// A step in full.
    Full,
    /// A step as what differs from the one before.
    Delta,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Opened => 1,
            Self::State => 2,
            Self::Full => 3,
            Self::Delta => 4,
        }
    }

    fn of(number: u8) -> Option<Self> {
        [Self::Opened, Self::State, Self::Full, Self::Delta].into_iter().find(|kind| kind.number() == number)
    }
}

/// Puts a frame around what `fill` writes. Its length, unless there is no room for it.
pub(super) fn put(
    kind: Kind,
    out: &mut [u8],
    fill: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<usize> {
    let (head, body) = out.split_first_chunk_mut::<HEAD>()?;
    let length = fill(body)?;
    let [l0, l1] = u16::try_from(length).ok()?.to_le_bytes();
    let body = body.get(..length)?;
    let [c0, c1, c2, c3] = checksum([kind.number(), l0, l1], body).to_le_bytes();
    *head = [kind.number(), l0, l1, c0, c1, c2, c3];
    Some(HEAD + length)
}

/// The frame that `bytes` begin with, its own bytes and all that follow it. None if it is torn or damaged.
pub(super) fn take(bytes: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let (&[kind, l0, l1, c0, c1, c2, c3], rest) = bytes.split_first_chunk::<HEAD>()?;
    let (body, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([l0, l1])))?;
    let right = checksum([kind, l0, l1], body) == u32::from_le_bytes([c0, c1, c2, c3]);
    right.then_some((Kind::of(kind)?, body, rest))
}

fn checksum(head: [u8; 3], body: &[u8]) -> u32 {
    let mut digest = CHECKSUM.digest();
    digest.update(&head);
    digest.update(body);
    digest.finalize()
}
