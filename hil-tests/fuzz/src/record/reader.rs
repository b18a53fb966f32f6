//! Any bytes as a flight record: every byte is accounted for once, as something whole or as damage, whatever the frames
//! hold, what can be decoded has one form in bytes, and a controller that was read decides about a step that was.
//!
//! The reader has no allocator to ask, so what it needs does not depend on what it reads.
#![no_main]

mod sound;

use std::sync::LazyLock;

use eisbach_control::Controller;
use eisbach_control::record::{self, FORMAT, Found, LONGEST, Reader, Survey, controller, step};
use libfuzzer_sys::fuzz_target;

use sound::{SOUND, bytes_of, edited, part};

/// What a segment begins with, by the text of the format.
static BEGIN: LazyLock<Vec<u8>> = LazyLock::new(|| [&b"\xEBisbach\n"[..], &FORMAT.to_le_bytes()].concat());

fuzz_target!(|input: &[u8]| {
    let Some((&how, rest)) = input.split_first() else { return };
    // Half of the inputs are frames with right checksums, or the fuzzer would look for those for ever.
    let bytes = if how & 1 == 0 { rest.to_vec() } else { framed(rest) };
    if let Ok(survey) = Survey::of(&bytes) {
        assert!(survey.whole <= bytes.len());
        let _same_or_another = survey.opening.check();
    }
    let Ok(mut reader) = Reader::new(&bytes).map(Box::new) else { return };
    let mut at = 0;
    let mut mind: Option<Controller> = None;
    while let Some(found) = reader.next() {
        let mut damage = None;
        match found {
            Ok(Found::Opened(_)) | Err(_) => {}
            Ok(Found::State(bytes)) => {
                if let Ok(controller) = controller(bytes) {
                    mind = Some(controller.clone());
                    let again = bytes_of(&controller);
                    assert_eq!(bytes_of(&record::controller(&again).expect("as it was")), again);
                }
            }
            Ok(Found::Step(bytes)) => {
                assert!(bytes.len() <= LONGEST);
                if let Ok(read) = step(bytes) {
                    if let Some(mind) = &mut mind {
                        let _whatever_comes_of_it = mind.step(&read.snapshot, read.now);
                    }
                    let again = bytes_of(&read);
                    assert_eq!(bytes_of(&step(&again).expect("as it was")), again);
                }
            }
            Ok(Found::Damaged { at, length }) => damage = Some((at, length)),
        }
        let next = reader.at();
        assert!(next > at && damage.is_none_or(|damage| damage == (at, next - at)));
        at = next;
    }
    assert_eq!(at, bytes.len());
});

fn framed(mut input: &[u8]) -> Vec<u8> {
    let mut bytes = BEGIN.clone();
    while let Some((what, body)) = part(&mut input) {
        match what & 7 {
            0 => bytes.extend_from_slice(&BEGIN),
            5 => frame(2, &edited(&SOUND.state, body), &mut bytes),
            6 => frame(3, &edited(&SOUND.step, body), &mut bytes),
            7 => bytes.extend_from_slice(body),
            kind => frame(kind, body, &mut bytes),
        }
    }
    bytes
}

/// Kind, length, CRC-32C over both and the bytes, and these.
fn frame(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    let [low, high] = u16::try_from(body.len()).expect("short").to_le_bytes();
    let sum = [kind, low, high].iter().chain(body).fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _bit| (sum >> 1) ^ (0x82F6_3B78 * (sum & 1)))
    });
    out.extend_from_slice(&[kind, low, high]);
    out.extend_from_slice(&(!sum).to_le_bytes());
    out.extend_from_slice(body);
}
