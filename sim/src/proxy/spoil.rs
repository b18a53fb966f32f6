//! Replies made wrong: pure functions from one frame to the bytes of another.

use super::fault::{Echoed, Length, Marker, WireFault};
use super::framing::Framing;
use crate::devices::mbap::Frame;

/// Longest head of an MBAP frame that names the protocol: its place is byte 3.
const PROTOCOL: usize = 3;

/// The bytes in place of `reply`; `None` where the fault has nothing to change in it.
pub(super) fn spoil(fault: WireFault, framing: Framing, reply: &Frame) -> Option<Vec<u8>> {
    let mut wrong = reply.clone();
    match fault {
        WireFault::CrcFlip => return flip(framing, reply),
        WireFault::WrongTransaction => wrong.transaction = reply.transaction.wrapping_add(1),
        WireFault::WrongUnit => wrong.unit = reply.unit.wrapping_add(1),
        WireFault::WrongFunction => *wrong.pdu.first_mut()? = other_function(reply.function()),
        WireFault::WrongLength(length) => wrong.pdu = of_length(length, &reply.pdu)?,
        WireFault::WrongEcho(part) => wrong.pdu = misquoted(part, &reply.pdu)?,
        WireFault::Marker(marker) => wrong.pdu = marked(marker, &reply.pdu)?,
        WireFault::LateReply { .. }
        | WireFault::OneBehind
        | WireFault::HalfFrame
        | WireFault::Reset
        | WireFault::AcceptSilent
        | WireFault::ConnectionLimit(_)
        | WireFault::Frozen
        | WireFault::ForeignWriter { .. }
        | WireFault::UnitRestart { .. }
        | WireFault::SlowDrip { .. }
        | WireFault::Exception(_)
        | WireFault::SilentUnit(_)
        | WireFault::Babble
        | WireFault::Echo => return None,
    }
    Some(framing.encode(&wrong))
}

fn flip(framing: Framing, reply: &Frame) -> Option<Vec<u8>> {
    let mut bytes = framing.encode(reply);
    let byte = match framing {
        Framing::Mbap => bytes.get_mut(PROTOCOL)?,
        Framing::Rtu => bytes.last_mut()?,
    };
    *byte ^= 1;
    Some(bytes)
}

/// A function whose reply looks alike; an exception stays one.
const fn other_function(code: u8) -> u8 {
    let other = match code & 0x7F {
        1 => 2,
        2 => 1,
        3 => 4,
        4 => 3,
        5 => 15,
        6 => 16,
        15 => 5,
        16 => 6,
        code => code ^ 1,
    };
    other | (code & 0x80)
}

fn of_length(length: Length, pdu: &[u8]) -> Option<Vec<u8>> {
    let mut wrong = pdu.to_vec();
    let unit = match pdu {
        [1 | 2, ..] => 1,
        [3 | 4 | 5 | 6 | 15 | 16 | 23, ..] => 2,
        _ => return None,
    };
    match length {
        Length::Short => wrong.truncate(pdu.len().checked_sub(unit)?),
        Length::Long => wrong.resize(pdu.len() + unit, 0xAA),
    }
    // A read counts its bytes; the echo of a write does not.
    if let [1..=4 | 23, count, data @ ..] = wrong.as_mut_slice() {
        *count = u8::try_from(data.len()).ok()?;
    }
    Some(wrong)
}

fn misquoted(part: Echoed, pdu: &[u8]) -> Option<Vec<u8>> {
    let mut wrong = pdu.to_vec();
    let [5 | 6 | 15 | 16, _, address, _, value] = wrong.as_mut_slice() else { return None };
    match part {
        Echoed::Address => *address = address.wrapping_add(1),
        Echoed::Value => *value = value.wrapping_add(1),
    }
    Some(wrong)
}

fn marked(marker: Marker, pdu: &[u8]) -> Option<Vec<u8>> {
    let mut wrong = pdu.to_vec();
    let [3 | 4 | 23, _, data @ ..] = wrong.as_mut_slice() else { return None };
    let (words, _) = data.as_chunks_mut::<2>();
    words.fill(marker.word());
    Some(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(pdu: &[u8]) -> Frame {
        Frame { transaction: 0x0102, unit: 9, pdu: pdu.to_vec() }
    }

    /// The PDU that comes out, after everything around it was found consistent.
    fn pdu(fault: WireFault, pdu: &[u8]) -> Option<Vec<u8>> {
        let bytes = spoil(fault, Framing::Mbap, &frame(pdu))?;
        assert_eq!(bytes[..4], [1, 2, 0, 0]);
        assert_eq!(usize::from(u16::from_be_bytes([bytes[4], bytes[5]])), bytes.len() - 6, "length");
        assert_eq!(bytes[6], 9);
        let rtu = spoil(fault, Framing::Rtu, &frame(pdu))?;
        assert_eq!(
            rtu,
            crate::devices::rtu::encode(9, &bytes[7..]),
            "the same on RTU, with a right checksum"
        );
        Some(bytes[7..].to_vec())
    }

    #[test]
    fn a_read_is_one_register_short_or_long() {
        let read = [3, 4, 0, 1, 0, 2];
        assert_eq!(pdu(WireFault::WrongLength(Length::Short), &read), Some(vec![3, 2, 0, 1]));
        assert_eq!(
            pdu(WireFault::WrongLength(Length::Long), &read),
            Some(vec![3, 6, 0, 1, 0, 2, 0xAA, 0xAA])
        );
        assert_eq!(pdu(WireFault::WrongLength(Length::Short), &[2, 1, 5]), Some(vec![2, 0]));
        assert_eq!(pdu(WireFault::WrongLength(Length::Short), &[6, 0, 1, 0, 2]), Some(vec![6, 0, 1]));
        assert_eq!(
            pdu(WireFault::WrongLength(Length::Short), &[0x83, 2]),
            None,
            "an exception has no length"
        );
    }

    #[test]
    fn only_the_echo_of_a_write_is_misquoted() {
        assert_eq!(pdu(WireFault::WrongEcho(Echoed::Address), &[6, 0, 1, 0, 2]), Some(vec![6, 0, 2, 0, 2]));
        assert_eq!(pdu(WireFault::WrongEcho(Echoed::Value), &[16, 0, 1, 0, 2]), Some(vec![16, 0, 1, 0, 3]));
        assert_eq!(pdu(WireFault::WrongEcho(Echoed::Value), &[3, 2, 0, 1]), None);
    }

    #[test]
    fn a_marker_stands_in_every_word_of_a_read() {
        let read = [4, 4, 1, 2, 3, 4];
        assert_eq!(pdu(WireFault::Marker(Marker::Ones), &read), Some(vec![4, 4, 255, 255, 255, 255]));
        assert_eq!(pdu(WireFault::Marker(Marker::Smallest), &read), Some(vec![4, 4, 0x80, 0, 0x80, 0]));
        let words = pdu(WireFault::Marker(Marker::NotANumber), &read).unwrap();
        assert!(f32::from_be_bytes([words[2], words[3], words[4], words[5]]).is_nan());
        assert_eq!(pdu(WireFault::Marker(Marker::Ones), &[6, 0, 1, 0, 2]), None);
    }

    #[test]
    fn another_function_keeps_the_form() {
        assert_eq!(pdu(WireFault::WrongFunction, &[3, 2, 0, 1]), Some(vec![4, 2, 0, 1]));
        assert_eq!(pdu(WireFault::WrongFunction, &[6, 0, 1, 0, 2]), Some(vec![16, 0, 1, 0, 2]));
        assert_eq!(pdu(WireFault::WrongFunction, &[0x83, 2]), Some(vec![0x84, 2]));
    }

    #[test]
    fn the_head_and_the_checksum_are_wrong_in_one_place() {
        let read = frame(&[3, 2, 0, 1]);
        let differ = |fault, framing: Framing| -> Vec<(usize, u8)> {
            let (right, wrong) = (framing.encode(&read), spoil(fault, framing, &read).unwrap());
            assert_eq!(right.len(), wrong.len());
            (0..right.len()).filter(|i| right[*i] != wrong[*i]).map(|i| (i, wrong[i])).collect()
        };
        assert_eq!(differ(WireFault::WrongTransaction, Framing::Mbap), [(1, 3)]);
        assert_eq!(differ(WireFault::WrongUnit, Framing::Mbap), [(6, 10)]);
        assert_eq!(differ(WireFault::WrongUnit, Framing::Rtu)[0], (0, 10));
        assert_eq!(differ(WireFault::CrcFlip, Framing::Mbap), [(3, 1)]);
        assert_eq!(differ(WireFault::CrcFlip, Framing::Rtu).len(), 1);
    }
}
