//! Between registers and values. Each direction judges before it converts.

use super::{Command, CommandForm, Encoding, Point, WordOrder};
use crate::reading::BadReason;

/// What is written for one command. Every command here is a single register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(pub u16);

/// Why a value cannot be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EncodeError {
    /// NaN or infinite.
    NotFinite,
    /// Outside what the profile allows.
    OutOfRange {
        /// The value asked for.
        value: f32,
        /// Lowest allowed.
        low: f32,
        /// Highest allowed.
        high: f32,
    },
    /// The word would set a bit that the profile does not allow.
    Forbidden {
        /// That word.
        word: u16,
    },
}

/// The value of `point` in its signal's unit.
///
/// # Errors
/// `ConfigError` if `words` has not the length of the encoding, `InvalidMarker` if the raw value is one of the
/// point's markers, `NotFinite` or `OutOfRange` if it is no possible value.
pub fn decode(point: &Point, words: &[u16]) -> Result<f32, BadReason> {
    let raw = raw(point, words).ok_or(BadReason::ConfigError)?;
    if point.invalid.contains(&raw) {
        return Err(BadReason::InvalidMarker);
    }
    let value = number(point.encoding, raw) * point.scale + point.offset;
    if !value.is_finite() {
        Err(BadReason::NotFinite)
    } else if value < point.low || value > point.high {
        Err(BadReason::OutOfRange)
    } else {
        Ok(value)
    }
}

/// The bits of `point` in `words`, put in order. Nothing if `words` has not the length of the encoding.
#[must_use]
pub const fn raw(point: &Point, words: &[u16]) -> Option<u32> {
    match (point.encoding.words(), words) {
        (1, &[word]) => Some(word as u32),
        (2, &[first, second]) => Some(match point.word_order {
            WordOrder::HighFirst => join(first, second),
            WordOrder::LowFirst => join(second, first),
            WordOrder::HighFirstSwapped => join(first.swap_bytes(), second.swap_bytes()),
            WordOrder::LowFirstSwapped => join(second.swap_bytes(), first.swap_bytes()),
        }),
        _ => None,
    }
}

/// The register value that asks for `value`, in the control's unit.
///
/// # Errors
/// If `value` is not finite or outside what the profile allows.
pub fn encode(command: &Command, value: f32) -> Result<Words, EncodeError> {
    if !value.is_finite() {
        return Err(EncodeError::NotFinite);
    }
    match command.form {
        CommandForm::Word { on, off, reset, allow_mask, .. } => {
            let word = match (value >= 0.5, reset) {
                (true, Some(reset)) if value >= 1.5 => reset,
                (true, _) => on,
                (false, _) => off,
            };
            if word & !allow_mask == 0 { Ok(Words(word)) } else { Err(EncodeError::Forbidden { word }) }
        }
        CommandForm::Number { scale, low, high, .. } => {
            let counts = libm::roundf(value / scale);
            if value < low || value > high || !(0.0..=f32::from(u16::MAX)).contains(&counts) {
                return Err(EncodeError::OutOfRange { value, low, high });
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked against u16's range above"
            )]
            let word = counts as u16;
            Ok(Words(word))
        }
    }
}

const fn join(high: u16, low: u16) -> u32 {
    (high as u32) << 16 | low as u32
}

fn number(encoding: Encoding, raw: u32) -> f32 {
    match encoding {
        Encoding::U16 => f32::from(low_half(raw)),
        Encoding::I16 => f32::from(low_half(raw).cast_signed()),
        #[expect(
            clippy::cast_precision_loss,
            reason = "counters of 24 bits and more lose their last digits; rates do not come from them"
        )]
        Encoding::U32 => raw as f32,
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        Encoding::I32 => raw.cast_signed() as f32,
        Encoding::F32 => f32::from_bits(raw),
        Encoding::AnyOf(mask) => f32::from(u8::from(low_half(raw) & mask != 0)),
        Encoding::Bit(bit) => f32::from(u8::from(raw.checked_shr(u32::from(bit)).unwrap_or(0) & 1 == 1)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the upper half is zero for one-register encodings")]
const fn low_half(raw: u32) -> u16 {
    raw as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::{Control, Grade, Persistence, PollClass, ReadBack, Signal, Table};
    use proptest::prelude::*;

    fn point(encoding: Encoding, word_order: WordOrder) -> Point {
        Point {
            signal: Signal::Flow,
            table: Table::Holding,
            address: 0,
            encoding,
            word_order,
            scale: 1.0,
            offset: 0.0,
            invalid: heapless::Vec::new(),
            low: -4e9,
            high: 4.3e9,
            max_slew: None,
            frozen_after_ms: None,
            poll: PollClass::Fast,
            atomic: None,
            sentinel: false,
            slotted: false,
            source: heapless::String::new(),
            grade: Grade::A,
        }
    }

    fn speed() -> Command {
        Command {
            control: Control::PumpSpeed,
            address: 103,
            form: CommandForm::Number { scale: 0.01, low: 0.0, high: 100.0, dead_band: 0.2 },
            refresh_ms: 10_000,
            min_interval_ms: 100,
            daily_budget: None,
            persistence: Persistence::Volatile,
            read_back: ReadBack::default(),
            effect: None,
            safe: 100.0,
            release: None,
            slotted: false,
            source: heapless::String::new(),
            grade: Grade::A,
        }
    }

    #[test]
    fn signed_registers_carry_frost() {
        assert_eq!(decode(&point(Encoding::I16, WordOrder::HighFirst), &[0xFFF6]), Ok(-10.0));
    }

    #[test]
    fn word_order_is_the_profiles_not_the_codecs() {
        let bits = 12.5_f32.to_bits();
        let (high, low) = ((bits >> 16) as u16, (bits & 0xFFFF) as u16);
        assert_eq!(decode(&point(Encoding::F32, WordOrder::HighFirst), &[high, low]), Ok(12.5));
        assert_eq!(decode(&point(Encoding::F32, WordOrder::LowFirst), &[low, high]), Ok(12.5));
    }

    #[test]
    fn i01_markers_and_nan_are_bad_and_never_numbers() {
        let mut marked = point(Encoding::U16, WordOrder::HighFirst);
        marked.invalid.push(0xFFFF).unwrap();
        assert_eq!(decode(&marked, &[0xFFFF]), Err(BadReason::InvalidMarker));
        let float = point(Encoding::F32, WordOrder::HighFirst);
        assert_eq!(decode(&float, &[0x7FC0, 0]), Err(BadReason::NotFinite));
    }

    #[test]
    fn a_short_answer_is_no_value() {
        assert_eq!(decode(&point(Encoding::U32, WordOrder::HighFirst), &[1]), Err(BadReason::ConfigError));
    }

    #[test]
    fn i09_a_value_outside_the_profile_is_never_encoded() {
        assert_eq!(encode(&speed(), 55.0), Ok(Words(5500)));
        assert!(matches!(encode(&speed(), 101.0), Err(EncodeError::OutOfRange { .. })));
        assert_eq!(encode(&speed(), f32::NAN), Err(EncodeError::NotFinite));
    }

    #[test]
    fn a_control_word_is_always_written_whole() {
        let run = |reset| Command {
            control: Control::PumpRun,
            form: CommandForm::Word { on: 3, off: 1, reset, arm: None, allow_mask: 7 },
            ..speed()
        };
        assert_eq!(
            [0.0, 1.0, 2.0].map(|wish| encode(&run(Some(7)), wish)),
            [1, 3, 7].map(|word| Ok(Words(word)))
        );
        assert_eq!(encode(&run(None), 2.0), Ok(Words(3)), "without a reset word it simply runs");
    }

    #[test]
    fn a_bit_outside_the_mask_is_never_encoded() {
        let run = Command {
            control: Control::PumpRun,
            form: CommandForm::Word { on: 0x0202, off: 0x0020, reset: None, arm: None, allow_mask: 0x0202 },
            ..speed()
        };
        assert_eq!(encode(&run, 1.0), Ok(Words(0x0202)));
        assert_eq!(encode(&run, 0.0), Err(EncodeError::Forbidden { word: 0x0020 }));
    }

    #[test]
    fn bytes_are_put_in_order_for_all_four_orders() {
        for (order, words) in [
            (WordOrder::HighFirst, [0x0A0B, 0x0C0D]),
            (WordOrder::LowFirst, [0x0C0D, 0x0A0B]),
            (WordOrder::HighFirstSwapped, [0x0B0A, 0x0D0C]),
            (WordOrder::LowFirstSwapped, [0x0D0C, 0x0B0A]),
        ] {
            assert_eq!(raw(&point(Encoding::U32, order), &words), Some(0x0A0B_0C0D), "{order:?}");
        }
    }

    #[test]
    fn several_bits_can_mean_one_thing() {
        let leak = point(Encoding::AnyOf(0x0330), WordOrder::HighFirst);
        assert_eq!((decode(&leak, &[0x000F]), decode(&leak, &[0x0200])), (Ok(0.0), Ok(1.0)));
    }

    proptest! {
        #[test]
        fn any_words_decode_to_a_possible_value_or_a_reason(words in prop::collection::vec(any::<u16>(), 0..4), kind in 0..7_u8, bit in any::<u8>()) {
            let encoding = match kind {
                0 => Encoding::U16, 1 => Encoding::I16, 2 => Encoding::U32, 3 => Encoding::I32, 4 => Encoding::F32,
                5 => Encoding::AnyOf(u16::from(bit) << 3), _ => Encoding::Bit(bit),
            };
            if let Ok(value) = decode(&point(encoding, WordOrder::LowFirst), &words) {
                prop_assert!(value.is_finite());
            }
        }

        #[test]
        fn a_written_set_point_reads_back_within_half_a_count(value in 0.0_f32..=100.0) {
            let Words(word) = encode(&speed(), value).unwrap();
            prop_assert!((f32::from(word) * 0.01 - value).abs() <= 0.0051);
        }
    }
}
