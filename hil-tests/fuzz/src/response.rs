//! Any bytes as a device's answer, over TCP and RTU: believed only if they are, byte by byte, the answer to the question.
#![no_main]

use std::sync::LazyLock;

use eisbach_agent::modbus::fuzzing::{Question, ask};
use eisbach_protocol::registers::Table;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

/// Time stands still until nothing else is to do: a deadline costs nothing.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
});

const UNIT: u8 = 7;

fuzz_target!(|input: &[u8]| {
    let &[kind, first, count, ref answer @ ..] = input else { return };
    if answer.len() > 300 {
        return;
    }
    let rtu = kind & 0x80 != 0;
    // Half of the inputs arrive inside a sound frame, or the fuzzer would look for checksums for ever.
    let framed = kind & 0x40 != 0;
    let question = match kind & 7 {
        0 => Question::Read { table: Table::Holding, first: first.into(), count: u16::from(count % 125) + 1 },
        1 => Question::Read { table: Table::Input, first: first.into(), count: u16::from(count % 125) + 1 },
        2 => Question::Read { table: Table::Discrete, first: first.into(), count: u16::from(count) + 1 },
        3 => Question::Read { table: Table::Coil, first: first.into(), count: u16::from(count) + 1 },
        _ => Question::Write { address: first.into(), word: count.into() },
    };
    let heard = if framed { frame(rtu, answer) } else { answer.to_vec() };
    let believed = RUNTIME.block_on(async {
        let (near, mut far) = tokio::io::duplex(1024);
        let device = async {
            let mut request = [0; 64];
            let _asked = far.read(&mut request).await;
            let _said = far.write_all(&heard).await;
            let _nothing_more = far.shutdown().await;
            // The line stays open until the question is answered or given up.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            believed = ask(near, rtu, UNIT, question) => believed,
            () = device => None,
        }
    });
    if let Some(words) = believed {
        let answers = right_answers(question, &words);
        let pdu = if rtu { pdu_of_rtu(&heard) } else { pdu_of_tcp(&heard) };
        let pdu = pdu.unwrap_or_else(|| panic!("believed without a frame: {heard:02X?}"));
        assert!(answers(pdu), "{question:?} believed {words:?} from {pdu:02X?}");
    }
});

/// Whether a PDU is the answer that carries these words, by the text of the standard.
fn right_answers(question: Question, words: &[u16]) -> impl Fn(&[u8]) -> bool {
    let words = words.to_vec();
    move |pdu| match question {
        Question::Read { table: Table::Holding, count, .. } => registers(pdu, 3, count, &words),
        Question::Read { table: Table::Input, count, .. } => registers(pdu, 4, count, &words),
        Question::Read { table: Table::Coil, count, .. } => bits(pdu, 1, count, &words),
        Question::Read { table: Table::Discrete, count, .. } => bits(pdu, 2, count, &words),
        Question::Write { address, word } => {
            let [a, b] = address.to_be_bytes();
            let [c, d] = word.to_be_bytes();
            pdu == [6, a, b, c, d]
        }
    }
}

fn registers(pdu: &[u8], function: u8, count: u16, words: &[u16]) -> bool {
    let data: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    words.len() == usize::from(count)
        && pdu.get(..2) == Some(&[function, u8::try_from(data.len()).expect("at most 250")])
        && pdu.get(2..) == Some(&data)
}

fn bits(pdu: &[u8], function: u8, count: u16, words: &[u16]) -> bool {
    let bytes = usize::from(count).div_ceil(8);
    let bit = |at: usize| pdu.get(2 + at / 8).map(|byte| u16::from(byte >> (at % 8) & 1));
    words.len() == usize::from(count)
        && pdu.len() == 2 + bytes
        && pdu.get(..2) == Some(&[function, u8::try_from(bytes).expect("at most 32")])
        && words.iter().enumerate().all(|(at, word)| bit(at) == Some(*word))
}

/// The frame that a sound device would put around `pdu`. The first request of a connection has transaction 0.
fn frame(rtu: bool, pdu: &[u8]) -> Vec<u8> {
    if rtu {
        let body = [&[UNIT], pdu].concat();
        let crc = crc(&body).to_le_bytes();
        [&body[..], &crc].concat()
    } else {
        let length = u16::try_from(pdu.len() + 1).expect("short").to_be_bytes();
        [&[0, 0, 0, 0][..], &length, &[UNIT], pdu].concat()
    }
}

fn pdu_of_tcp(bytes: &[u8]) -> Option<&[u8]> {
    let (&[_, _, 0, 0, high, low, UNIT], rest) = bytes.split_first_chunk::<7>()? else { return None };
    let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(1)?;
    rest.get(..length)
}

fn pdu_of_rtu(bytes: &[u8]) -> Option<&[u8]> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
    let (&unit, pdu) = body.split_first()?;
    (unit == UNIT && crc(body).to_le_bytes() == *sum).then_some(pdu)
}

fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |crc, _bit| (crc >> 1) ^ (0xA001 * (crc & 1)))
    })
}
