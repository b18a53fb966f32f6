//! Any words in any registers: decoded they are a possible number or a reason, and never anything else; any number
//! encodes to an allowed word or is refused.
#![no_main]

use eisbach_protocol::registers::{CommandForm, Encoding, Profile, Words, decode, encode, raw};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    eisbach_protocol::profiles::SHIPPED
        .iter()
        .map(|(name, text)| {
            eisbach_agent::modbus::profile::parse(name, name, text).expect("shipped profiles are sound")
        })
        .collect()
});

fuzz_target!(|input: &[u8]| {
    let [which, line, rest @ ..] = input else { return };
    let Some(profile) = PROFILES.get(usize::from(*which) % PROFILES.len()) else { return };
    let words: Vec<u16> = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    if !profile.points.is_empty() {
        let point = &profile.points[usize::from(*line) % profile.points.len()];
        match decode(point, &words) {
            Ok(value) => {
                assert!(value.is_finite() && (point.low..=point.high).contains(&value));
                assert_eq!(words.len(), usize::from(point.encoding.words()));
                assert!(!point.invalid.contains(&raw(point, &words).expect("the length fits")));
            }
            Err(_reason) => {
                let plain = matches!(point.encoding, Encoding::Bit(_) | Encoding::AnyOf(_));
                assert!(!(plain && words.len() == 1), "a bit is always a value");
            }
        }
    }
    if let (false, &[a, b, c, d, ..]) = (profile.commands.is_empty(), rest) {
        let command = &profile.commands[usize::from(*line) % profile.commands.len()];
        let value = f32::from_be_bytes([a, b, c, d]);
        if let Ok(Words(word)) = encode(command, value) {
            match command.form {
                CommandForm::Number { scale, low, high, .. } => {
                    assert!((low..=high).contains(&value));
                    assert!((f32::from(word) * scale - value).abs() <= scale);
                }
                CommandForm::Word { allow_mask, .. } => assert_eq!(word & !allow_mask, 0),
            }
        }
    }
});
