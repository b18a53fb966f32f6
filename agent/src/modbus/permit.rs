//! The allow-list: what may ever be written to a device, whoever asks.
//!
//! ```text
//!   commander ─┐
//!   probe ─────┼─► (address, word) ─► permit ── listed ────► Permit ─► Session::write ─► function 06, own unit
//!   failsafe ──┘                        └───── anything else ─► Forbidden, counted, nothing sent
//! ```
//!
//! A [`Permit`] is made nowhere else, and nothing is written without one. The list is the profile's: each command's
//! words and range, each preset, and the heartbeat. Unit and function need no list: a session knows one unit, and
//! there is one function that writes.

use eisbach_protocol::registers::{Command, CommandForm, Profile, Watchdog, Words, encode};
use thiserror::Error;

/// One register and the word it may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Permit {
    address: u16,
    word: u16,
}

/// The profile does not list this write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the profile does not allow {word} in register {address}")]
pub(super) struct Forbidden {
    /// The register, zero-based.
    pub(super) address: u16,
    /// The word.
    pub(super) word: u16,
}

impl Permit {
    /// The register, zero-based.
    pub(super) const fn address(self) -> u16 {
        self.address
    }

    /// The word it may be given.
    pub(super) const fn word(self) -> u16 {
        self.word
    }
}

/// Permits `word` in register `address` of a device with this profile.
///
/// # Errors
/// If the profile does not list that.
pub(super) fn permit(profile: &Profile, address: u16, word: u16) -> Result<Permit, Forbidden> {
    let command = profile.commands.iter().any(|command| command.address == address && allows(command, word));
    let preset = profile.presets.iter().any(|preset| (preset.address, preset.value) == (address, word));
    let heartbeat = matches!(
        profile.watchdog,
        Some(Watchdog::Heartbeat { address: counter, .. }) if counter == address
    );
    if command || preset || heartbeat {
        Ok(Permit { address, word })
    } else {
        Err(Forbidden { address, word })
    }
}

/// Whether `word` is one of the command's.
fn allows(command: &Command, word: u16) -> bool {
    if command.release == Some(word) {
        return true;
    }
    match command.form {
        CommandForm::Number { low, high, .. } => {
            let end = |value| encode(command, value).map(|Words(word)| word);
            // A scale below zero turns the range round.
            match (end(low), end(high)) {
                (Ok(one), Ok(other)) => (one.min(other)..=one.max(other)).contains(&word),
                (Err(_), _) | (_, Err(_)) => false,
            }
        }
        CommandForm::Word { on, off, reset, arm, allow_mask } => {
            let listed = [Some(on), Some(off), reset, arm].contains(&Some(word));
            listed && word & !allow_mask == 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::tests::bench;
    use eisbach_protocol::registers::Grade;
    use proptest::prelude::*;

    /// Everything the bench's profile lists, said once more by hand.
    fn listed(address: u16, word: u16) -> bool {
        match address {
            100 => [1, 3].contains(&word),
            101 => word == 0,
            103 => word <= 10_000,
            _ => false,
        }
    }

    #[test]
    fn i09_bits_outside_the_mask_are_never_written_even_if_a_word_names_them() {
        let mut profile = bench();
        profile.commands[0].form =
            CommandForm::Word { on: 3, off: 1, reset: Some(0x0202), arm: Some(2), allow_mask: 3 };
        assert!(permit(&profile, 100, 2).is_ok());
        assert_eq!(permit(&profile, 100, 0x0202), Err(Forbidden { address: 100, word: 0x0202 }));
    }

    #[test]
    fn a_release_word_and_a_heartbeat_are_permitted_where_the_profile_has_them() {
        let mut profile = bench();
        assert!(permit(&profile, 103, 20_000).is_err());
        assert!(permit(&profile, 7, 1).is_err());
        profile.commands[1].release = Some(20_000);
        profile.watchdog = Some(Watchdog::Heartbeat {
            address: 7,
            period_ms: 1_000,
            echo: None,
            source: "manual".try_into().unwrap(),
            grade: Grade::A,
        });
        assert!(permit(&profile, 103, 20_000).is_ok());
        assert!(permit(&profile, 7, 1).is_ok());
    }

    proptest! {
        #[test]
        fn i09_nothing_but_what_the_profile_lists_is_permitted(address in 95..110_u16, word in any::<u16>()) {
            prop_assert_eq!(permit(&bench(), address, word).is_ok(), listed(address, word));
        }

        #[test]
        fn i09_the_ends_of_a_range_are_permitted_and_the_next_words_are_not(word in 9_990..10_010_u16) {
            prop_assert_eq!(permit(&bench(), 103, word).is_ok(), word <= 10_000);
        }

        #[test]
        fn every_word_that_the_codec_makes_is_permitted(value in 0.0_f32..=100.0, on in any::<bool>()) {
            let profile = bench();
            let Words(speed) = encode(&profile.commands[1], value).unwrap();
            let Words(run) = encode(&profile.commands[0], f32::from(u8::from(on))).unwrap();
            prop_assert!(permit(&profile, 103, speed).is_ok() && permit(&profile, 100, run).is_ok());
        }
    }
}
