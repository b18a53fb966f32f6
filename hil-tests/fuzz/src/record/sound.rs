//! A sound state and a sound step of the flight record: what a search for nearly good ones begins with.

use std::sync::LazyLock;

use eisbach_control::record::{LONGEST, Step, bits};
use eisbach_control::{Controller, GpuInput, Snapshot, Tuning};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Millis, Percent, Watts};

/// Their bytes, as a frame holds them.
pub(crate) struct Sound {
    pub(crate) state: Vec<u8>,
    pub(crate) step: Vec<u8>,
}

/// Of a node of two GPUs after three seconds.
pub(crate) static SOUND: LazyLock<Sound> = LazyLock::new(|| {
    let mut controller = Controller::new(Tuning::default());
    let mut sound = Sound { state: Vec::new(), step: Vec::new() };
    for tick in 0..30 {
        let (now, snapshot) = (Millis::new(tick * 100), snapshot());
        sound.state = bytes_of(&controller);
        let decision = controller.step(&snapshot, now);
        sound.step = bytes_of(&Step { now, snapshot, decision });
    }
    sound
});

/// The bytes of something that is in a record.
pub(crate) fn bytes_of(value: &impl serde::Serialize) -> Vec<u8> {
    let mut out = vec![0; LONGEST];
    bits(value, &mut out).expect("it fits a frame").to_vec()
}

/// `bytes` with some changed: where (two bytes), and what to (one).
pub(crate) fn edited(bytes: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[at] = edit[2];
    }
    bytes
}

/// The next part of an input: what is to be done, and the bytes that belong to it.
pub(crate) fn part<'a>(input: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[what, length], rest) = input.split_first_chunk::<2>()?;
    let (body, rest) = rest.split_at(usize::from(length).min(rest.len()));
    *input = rest;
    Some((what, body))
}

fn snapshot() -> Snapshot {
    let age = Millis::new(70);
    let gpu = GpuInput {
        margin: Reading::measured(Kelvin::new(25.0), age),
        temperature: Reading::measured(Celsius::new(60.0), age),
        power: Reading::measured(Watts::new(600.0), age),
        ..GpuInput::default()
    };
    let mut snapshot = Snapshot { gpus_expected: 2, ..Snapshot::default() };
    snapshot.gpus = std::iter::repeat_n(gpu, 2).collect();
    snapshot.meter.flow = Reading::measured(LitersPerMinute::new(3.0), age);
    snapshot.meter.supply = Reading::measured(Celsius::new(35.0), age);
    snapshot.pump.speed = Reading::measured(Percent::new(70.0), age);
    snapshot
}
