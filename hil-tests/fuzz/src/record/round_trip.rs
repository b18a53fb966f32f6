//! Whatever a controller knows, decides and remembers: what was written is read back, bit for bit and in its order, and a
//! step for which there was no room spoils none of the others.
#![no_main]

mod sound;

use std::sync::LazyLock;

use eisbach_control::record::{
    Found, LONGEST_OPENING, Opening, Reader, RecordError, Survey, Why, Writer, controller, step,
};
use eisbach_protocol::units::Millis;
use libfuzzer_sys::fuzz_target;

use sound::{SOUND, bytes_of, edited, part};

/// Parts of an input that count: a handful of segments and steps, and thousands of inputs rather than long ones.
const PARTS: usize = 8;

/// The fingerprint in it takes longer than all the rest.
static OPENING: LazyLock<Opening> =
    LazyLock::new(|| Opening::new(Why::Started, Millis::ZERO, u64::MAX, "0.1.0"));

/// What is to be read back.
#[derive(Debug, PartialEq)]
enum Written {
    Opened(Opening),
    State(Vec<u8>),
    Step(Vec<u8>),
}

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let (mut record, mut written) = (Vec::new(), Vec::new());
    let (mut writer, mut out) = (Box::<Writer>::default(), vec![0; LONGEST_OPENING]);
    let mut before = SOUND.step.clone();
    for (what, body) in std::iter::from_fn(|| part(&mut input)).take(PARTS) {
        if what & 3 == 0 || record.is_empty() {
            let Ok(state) = controller(&edited(&SOUND.state, body)) else { continue };
            let opening = Opening { why: why(what), now: Millis::new(u64::from(what)), ..OPENING.clone() };
            let length = writer.open(&opening, &state, &mut out).expect("there is room");
            record.extend_from_slice(&out[..length]);
            written.extend([Written::Opened(opening), Written::State(bytes_of(&state))]);
            continue;
        }
        // Most steps resemble the one before; some begin anew.
        let bytes = edited(if what & 4 == 0 { &before } else { &SOUND.step }, body);
        let Ok(next) = step(&bytes) else { continue };
        let room = if what & 3 == 1 { usize::from(what) * 8 } else { out.len() };
        match writer.step(next.now, &next.snapshot, &next.decision, &mut out[..room]) {
            Ok(length) => {
                record.extend_from_slice(&out[..length]);
                before = bytes_of(&next);
                written.push(Written::Step(before.clone()));
            }
            Err(error) => assert_eq!((error, room < out.len()), (RecordError::TooLong, true)),
        }
    }
    if record.is_empty() {
        return;
    }
    assert_eq!(read(&record), written);
    assert!(
        Survey::of(&record).is_ok_and(|survey| Some(&Written::Opened(survey.opening)) == written.first())
    );
});

fn read(record: &[u8]) -> Vec<Written> {
    let mut reader = Box::new(Reader::new(record).expect("it begins as a record does"));
    let mut read = Vec::new();
    while let Some(found) = reader.next() {
        read.push(match found.expect("one format") {
            Found::Opened(opening) => Written::Opened(opening),
            Found::State(bytes) => Written::State(bytes_of(&controller(bytes).expect("a state"))),
            Found::Step(bytes) => Written::Step(bytes.to_vec()),
            Found::Damaged { at, length } => panic!("{length} damaged bytes at {at}"),
        });
    }
    read
}

fn why(what: u8) -> Why {
    match what >> 2 & 3 {
        0 => Why::Started,
        1 => Why::Continued,
        2 => Why::Retuned,
        _ => Why::AfterGap { missing: u64::from(what) << 48 },
    }
}
