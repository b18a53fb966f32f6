//! Any bytes as a command: read or refused with one word, and what was read has only names and numbers that may be.
#![no_main]

use eisbach_agent::desk::{Action, LONGEST_ENVELOPE, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(envelope) = decode(input) else { return };
    assert!(input.len() <= LONGEST_ENVELOPE);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    for name in [Some(&envelope.id), Some(&envelope.issuer), envelope.target.as_ref()].into_iter().flatten() {
        assert!((1..=64).contains(&name.as_str().len()) && name.as_str().chars().all(plain));
    }
    match envelope.action {
        Action::PumpAtLeast(percent) | Action::ValveAtMost(percent) => assert!(percent.get().is_finite()),
        Action::SupplyTarget(celsius) => assert!(celsius.get().is_finite()),
        Action::PowerBudget(watts) => assert!(watts.get().is_finite()),
        Action::Manual(manual) => {
            assert!(manual.pump.is_some() || manual.valve.is_some());
            assert!(
                [manual.pump, manual.valve].into_iter().flatten().all(|percent| percent.get().is_finite())
            );
        }
        _ => {}
    }
});
