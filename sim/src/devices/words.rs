//! Physical values as register words.
//!
//! A value is divided by the resolution of its register, rounded, and held inside the range that the register can
//! show, as instruments do. NaN becomes the marker for "not available".

/// An unsigned word that means "not available".
pub(super) const NO_WORD: u16 = 0xFFFF;

/// `value` in counts of `resolution`; NaN is 0xFFFF.
pub(super) fn unsigned(value: f64, resolution: f64) -> u16 {
    if value.is_nan() { NO_WORD } else { held_u16(value / resolution) }
}

/// `value` in counts of `resolution`; NaN is 0x8000, the most negative word.
pub(super) fn signed(value: f64, resolution: f64) -> u16 {
    if value.is_nan() { i16::MIN.cast_unsigned() } else { held_i16(value / resolution).cast_unsigned() }
}

/// `value` as a counter of whole units; NaN is 0xFFFF in both words.
pub(super) fn counter(value: f64) -> Pair {
    if value.is_nan() { Pair(u32::MAX) } else { Pair(held_u32(value)) }
}

/// `value` as an IEEE 754 single; NaN is the quiet NaN `0x7FC0_0000`.
pub(super) fn float(value: f64) -> Pair {
    if value.is_nan() { Pair(0x7FC0_0000) } else { Pair(narrow(value).to_bits()) }
}

/// Two characters of `text` from register `index` of a string on, high byte first; what is missing is NUL.
pub(super) fn characters(text: &str, index: u16) -> u16 {
    let at = |offset: usize| text.as_bytes().get(2 * usize::from(index) + offset).copied().unwrap_or(0);
    u16::from_be_bytes([at(0), at(1)])
}

/// The bits that are set.
pub(super) fn bits(bits: &[(u16, bool)]) -> u16 {
    bits.iter().filter(|(_, set)| *set).fold(0, |word, (bit, _)| word | bit)
}

/// Plant time for arithmetic.
#[expect(clippy::cast_precision_loss, reason = "exact for 285 000 years")]
pub(super) fn millis(ms: u64) -> f64 {
    ms as f64
}

/// 32 bits in two registers. Which word lies first is the vendor's choice, so the map names the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair(u32);

impl Pair {
    pub(super) fn new(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) fn high(self) -> u16 {
        let [a, b, _, _] = self.0.to_be_bytes();
        u16::from_be_bytes([a, b])
    }

    pub(super) fn low(self) -> u16 {
        let [_, _, c, d] = self.0.to_be_bytes();
        u16::from_be_bytes([c, d])
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held inside the range just before"
)]
fn held_u16(counts: f64) -> u16 {
    counts.round().clamp(0.0, f64::from(NO_WORD - 1)) as u16
}

#[expect(clippy::cast_possible_truncation, reason = "held inside the range just before")]
fn held_i16(counts: f64) -> i16 {
    counts.round().clamp(f64::from(-i16::MAX), f64::from(i16::MAX)) as i16
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held inside the range just before"
)]
fn held_u32(counts: f64) -> u32 {
    counts.round().clamp(0.0, f64::from(u32::MAX - 1)) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the instrument shows single precision")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn not_available_has_its_own_word_that_no_value_reaches() {
        assert_eq!((unsigned(f64::NAN, 1.0), signed(f64::NAN, 1.0)), (0xFFFF, 0x8000));
        assert_eq!(unsigned(1e9, 1.0), 0xFFFE);
        assert_eq!(signed(-1e9, 1.0), 0x8001);
        assert_eq!((counter(f64::NAN).high(), counter(1e12).low()), (0xFFFF, 0xFFFE));
        assert_eq!((float(f64::NAN).high(), float(-f64::NAN).high()), (0x7FC0, 0x7FC0));
    }

    #[test]
    fn a_text_is_padded_with_nul() {
        assert_eq!([0, 1, 2].map(|index| characters("ABC", index)), [0x4142, 0x4300, 0]);
    }

    #[test]
    fn a_pair_names_its_words() {
        let pair = float(-123.45);
        assert_eq!((pair.high(), pair.low()), (0xC2F6, 0xE666));
    }

    proptest! {
        #[test]
        fn a_value_in_range_is_off_by_half_a_count_at_most(value in 0.0_f64..650.0) {
            prop_assert!((f64::from(unsigned(value, 0.01)) * 0.01 - value).abs() <= 0.005_001);
        }

        #[test]
        fn a_signed_value_keeps_its_sign(value in -320.0_f64..320.0) {
            let shown = f64::from(signed(value, 0.01).cast_signed()) * 0.01;
            prop_assert!((shown - value).abs() <= 0.005_001);
        }
    }
}
