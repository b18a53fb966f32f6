//! How the device is spoken to, and how it is recognised.

use std::ops::RangeInclusive;

use eisbach_protocol::registers::{Expect, Identity, LinkLimits, Profile};

use super::{Flaw, ensure};

/// Most registers one Modbus read can carry (Modbus application protocol 1.1b3, function 03).
const MAX_WORDS: RangeInclusive<u16> = 1..=125;
/// Below, a device's own reply delay fails; above, a silent device is noticed too late.
const TIMEOUT_MS: RangeInclusive<u32> = 50..=10_000;
/// A pause longer than this leaves fewer than one request a second.
const LONGEST_GAP_MS: u32 = 1_000;
/// A device that needs longer after a connect is down rather than slow.
const LONGEST_POST_CONNECT_MS: u32 = 10_000;
/// Units that can be addressed (Modbus over serial line 1.02, 2.2).
const UNITS: RangeInclusive<u8> = 1..=247;
/// What the first register is called, in all notations that are in use.
const FIRST_REGISTERS: [u32; 8] = [0, 1, 10_001, 30_001, 40_001, 100_001, 300_001, 400_001];

pub(super) fn check(profile: &Profile) -> Result<(), Flaw> {
    limits(&profile.link)?;
    profile.identity.as_ref().map_or(Ok(()), |identity| self::identity(identity, profile.link.max_words))
}

fn limits(link: &LinkLimits) -> Result<(), Flaw> {
    let key = |field: &str| format!("link.{field}");
    ensure(MAX_WORDS.contains(&link.max_words), key("max_words"), link.max_words, "must be 1 to 125")?;
    ensure(TIMEOUT_MS.contains(&link.timeout_ms), key("timeout_ms"), link.timeout_ms, "must be 50 to 10000")?;
    ensure(link.min_gap_ms <= LONGEST_GAP_MS, key("min_gap_ms"), link.min_gap_ms, "must be at most 1000")?;
    ensure(
        link.post_connect_ms <= LONGEST_POST_CONNECT_MS,
        key("post_connect_ms"),
        link.post_connect_ms,
        "must be at most 10000",
    )?;
    ensure(
        link.max_connections != Some(0),
        key("max_connections"),
        0,
        "must be at least 1; leave it out if the vendor does not say",
    )?;
    if let Some(unit) = link.unit {
        ensure(UNITS.contains(&unit), key("unit"), unit, "must be 1 to 247")?;
    }
    if let Some(serial) = &link.serial {
        ensure(
            is_serial(serial),
            key("serial"),
            serial,
            "must be baud rate, data bits, parity and stop bits, as in `19200 8E1`",
        )?;
    }
    ensure(
        FIRST_REGISTERS.contains(&link.manual_counts_from),
        key("manual_counts_from"),
        link.manual_counts_from,
        "must be 0, 1, 10001, 30001, 40001, 100001, 300001 or 400001",
    )
}

/// RTU always has eight data bits.
fn is_serial(serial: &str) -> bool {
    serial.split_once(' ').is_some_and(|(baud, form)| {
        let form = matches!(form, "8N1" | "8N2" | "8E1" | "8O1");
        form && baud.parse::<u32>().is_ok_and(|baud| (1_200..=921_600).contains(&baud))
    })
}

fn identity(identity: &Identity, max_words: u16) -> Result<(), Flaw> {
    ensure(!identity.table.is_bits(), "identity.table", identity.table, "must be `holding` or `input`")?;
    let key = "identity.expect";
    let empty = match &identity.expect {
        Expect::OneOf(values) => values.is_empty(),
        Expect::Words(words) => words.is_empty(),
        Expect::Text(text) => text.is_empty(),
    };
    ensure(!empty, key, &identity.expect, "list at least one value")?;
    let count = u16::try_from(identity.expect.count()).unwrap_or(u16::MAX);
    ensure(count <= max_words, key, &identity.expect, "is longer than max_words")?;
    ensure(
        identity.address.checked_add(count - 1).is_some(),
        "identity.address",
        identity.address,
        "reaches beyond register 65535",
    )?;
    let Expect::Text(text) = &identity.expect else { return Ok(()) };
    ensure(text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), key, text, "must be plain ASCII")
}
