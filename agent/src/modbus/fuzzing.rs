//! The door for fuzzers: bytes as a device's answer, through the frames of a wire and the check of answers. Built only
//! with `--cfg fuzzing`.

use std::time::Duration;

use eisbach_protocol::registers::Table;
use tokio::io::DuplexStream;
use tokio::time::timeout;

use super::bus::{Bus as _, Request, Span};
use super::check;
use super::wire::WireBus;

/// What is asked of the fuzzer's device.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// Read these.
    Read {
        /// Which table.
        table: Table,
        /// First register.
        first: u16,
        /// How many.
        count: u16,
    },
    /// Write this.
    Write {
        /// Where.
        address: u16,
        /// What.
        word: u16,
    },
}

/// The words that are believed after `question` was asked over `stream`; none at all if the answer was refused.
pub async fn ask(stream: DuplexStream, rtu: bool, unit: u8, question: Question) -> Option<Vec<u16>> {
    let mut bus = if rtu { WireBus::rtu(stream) } else { WireBus::tcp(stream) };
    let request = match question {
        Question::Read { table, first, count } => Request::Read(Span { table, first, count }),
        Question::Write { address, word } => Request::Write { address, word },
    };
    let response = timeout(Duration::from_millis(500), bus.call(unit, request)).await.ok()?.ok()?;
    match question {
        Question::Read { table, first, count } => check::read(Span { table, first, count }, response).ok(),
        Question::Write { address, word } => check::write(address, word, &response).ok().map(|()| vec![word]),
    }
}
