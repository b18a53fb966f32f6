//! What is read: only what the table can hold, and with a range that says what is possible.

use eisbach_protocol::registers::{Encoding, Point, Profile};

use super::{Flaw, OrMissing, ensure, source};

pub(super) fn check(at: usize, point: &Point, profile: &Profile) -> Result<(), Flaw> {
    let line = format!("points[{at}]");
    let key = |field: &str| format!("{line}.{field}");
    let twice = profile.points.iter().take(at).any(|other| other.signal == point.signal);
    ensure(!twice, key("signal"), point.signal, "is listed twice; remove one")?;
    layout(&line, point, profile.link.max_words)?;
    ensure(
        point.scale.is_finite() && point.scale != 0.0,
        key("scale"),
        point.scale,
        "must be finite and not zero",
    )?;
    ensure(point.offset.is_finite(), key("offset"), point.offset, "must be finite")?;
    ensure(point.low.is_finite(), key("low"), point.low, "must be finite")?;
    ensure(
        point.high.is_finite() && point.low < point.high,
        key("high"),
        point.high,
        "must be finite and above low",
    )?;
    let possible = |limit: f32| limit.is_finite() && limit > 0.0;
    ensure(
        point.max_slew.is_none_or(possible),
        key("max_slew"),
        OrMissing(point.max_slew),
        "must be finite and above zero",
    )?;
    ensure(
        point.frozen_after_ms != Some(0),
        key("frozen_after_ms"),
        OrMissing(point.frozen_after_ms),
        "must be above zero; leave it out where a value may stand still",
    )?;
    source(&line, &point.source, profile)
}

fn layout(line: &str, point: &Point, max_words: u16) -> Result<(), Flaw> {
    let key = |field: &str| format!("{line}.{field}");
    let words = point.encoding.words();
    let bits = point.table.is_bits();
    let (encoding, mend) = match point.encoding {
        _ if bits => (point.encoding == Encoding::Bit(0), "a coil or discrete input is always `{ bit = 0 }`"),
        Encoding::Bit(bit) => (bit < 16, "must be bit 0 to 15"),
        Encoding::AnyOf(mask) => (mask != 0, "must name at least one bit"),
        Encoding::U16 | Encoding::I16 | Encoding::U32 | Encoding::I32 | Encoding::F32 => {
            (words <= max_words, "is longer than max_words")
        }
    };
    ensure(encoding, key("encoding"), point.encoding, mend)?;
    let fits = |marker: &u32| words == 2 || *marker <= u32::from(u16::MAX);
    ensure(
        point.invalid.iter().all(fits),
        key("invalid"),
        &point.invalid,
        "is wider than the value and never seen",
    )?;
    let whole = match point.encoding {
        Encoding::Bit(_) | Encoding::AnyOf(_) => false,
        Encoding::U16 | Encoding::I16 | Encoding::U32 | Encoding::I32 | Encoding::F32 => true,
    };
    ensure(whole || !point.sentinel, key("sentinel"), point.sentinel, "single bits are often zero")?;
    ensure(
        point.address.checked_add(words - 1).is_some(),
        key("address"),
        point.address,
        "reaches beyond register 65535",
    )
}
