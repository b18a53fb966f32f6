//! The two ways to put a PDU on a wire, behind one face.

use crate::devices::mbap::{self, Frame, NotModbus};
use crate::devices::rtu::{self, Speaker};

/// How frames are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The header of Modbus TCP.
    Mbap,
    /// Unit and checksum of a serial line.
    Rtu,
}

impl Framing {
    pub(super) fn encode(self, frame: &Frame) -> Vec<u8> {
        match self {
            Self::Mbap => frame.encode(),
            Self::Rtu => rtu::encode(frame.unit, &frame.pdu),
        }
    }

    pub(super) fn deframer(self, speaker: Speaker) -> Deframer {
        match self {
            Self::Mbap => Deframer::Mbap(mbap::Deframer::default()),
            Self::Rtu => Deframer::Rtu(rtu::Deframer::new(speaker)),
        }
    }

    /// Bytes that nobody asked for: a whole reply of a transaction far from any other, or noise that is no frame.
    pub(super) fn babble(self, unit: u8) -> Vec<u8> {
        match self {
            Self::Mbap => Frame { transaction: u16::MAX, unit, pdu: vec![3, 2, 0xBA, 0xBB] }.encode(),
            Self::Rtu => vec![0x00, 0xFF, 0x55, 0xFF, 0xAA, 0x00],
        }
    }
}

/// Finds frames in bytes that come in any portions.
#[derive(Debug)]
pub(super) enum Deframer {
    Mbap(mbap::Deframer),
    Rtu(rtu::Deframer),
}

impl Deframer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Mbap(deframer) => deframer.push(bytes),
            Self::Rtu(deframer) => deframer.push(bytes),
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame>, NotModbus> {
        match self {
            Self::Mbap(deframer) => deframer.next(),
            Self::Rtu(deframer) => Ok(deframer.next()),
        }
    }

    /// Would silence end what is here? On TCP it ends nothing.
    pub(super) const fn minds_silence(&self) -> bool {
        match self {
            Self::Mbap(_) => false,
            Self::Rtu(deframer) => deframer.is_waiting(),
        }
    }

    /// Bytes that belonged to no frame.
    pub(super) const fn dropped(&self) -> u64 {
        match self {
            Self::Mbap(_) => 0,
            Self::Rtu(deframer) => deframer.dropped(),
        }
    }

    pub(super) fn silence(&mut self) {
        match self {
            Self::Mbap(_) => {}
            Self::Rtu(deframer) => deframer.silence(),
        }
    }
}
