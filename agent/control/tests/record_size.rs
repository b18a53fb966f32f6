//! How much a step of the flight record takes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may be blunt, and this one tells a figure"
)]

mod swinging;

use eisbach_control::record::{LONGEST, LONGEST_OPENING, Opening, Why, Writer, bits};
use eisbach_control::{Controller, Tuning};
use eisbach_protocol::units::Millis;

#[test]
fn what_a_step_takes_against_plain_bytes_and_json() {
    let mut controller = Controller::new(Tuning::default());
    let (mut writer, mut out) = (Box::<Writer>::default(), vec![0; LONGEST_OPENING]);
    let mut plain = vec![0; LONGEST];
    let opening = Opening::new(Why::Started, Millis::ZERO, 0, "0.1.0");
    let state = writer.open(&opening, &controller, &mut out).unwrap();
    let (mut delta, mut full, mut json) = (0, 0, 0);
    for tick in 0..600 {
        let step = swinging::step(&mut controller, tick, 8);
        delta += writer.step(step.now, &step.snapshot, &step.decision, &mut out).unwrap();
        full += bits(&step, &mut plain).unwrap().len();
        json += serde_json::to_vec(&step).unwrap().len();
    }
    println!("bytes a step: {} as recorded, {} in full, {} as JSON", delta / 600, full / 600, json / 600);
    println!("bytes at the begin of a minute: {state}; an hour: {}", (state + delta) * 60);
    assert!(3 * delta < full && 20 * delta < json, "{delta}, {full}, {json}");
}
