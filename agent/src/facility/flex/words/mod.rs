//! The words of DSX Flex: events in and out, without a judgement about them.
//!
//! ```text
//!   payload ──► Event (CloudEvents, attributes not signed) ── data, signed ──► Targets
//!                                                                         └──► Alert, with hints
//!   Enforcement ── signed ──► Event ──► payload
//! ```
//!
//! Written from NVIDIA's DSX Flex 1.7.0 contract. What is read is bounded: bytes, nesting, the number of items and the
//! length of every text that is kept.

mod alert;
mod enforcement;
mod event;
mod power;
mod targets;
mod uuid;

pub(super) use alert::{Action, Alert, Hint, MOST_HINTS, Resource, Status};
pub(super) use enforcement::{Enforcement, Outcome, Phase, ResultLine};
pub(super) use event::{Event, Kind, Publisher, Role};
pub(super) use targets::{Target, Targets};
pub(super) use uuid::Uuid;

use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Longest payload that is read.
pub(super) const LONGEST: usize = 64 * 1024;
/// Longest name of a feed, a resource or a publisher.
const LONGEST_NAME: usize = 128;

/// The text is not what the contract says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    if bytes.len() > LONGEST {
        return Err(Malformed);
    }
    serde_json::from_slice(bytes).map_err(|_| Malformed)
}

fn name(text: String) -> Result<String, Malformed> {
    let fits = !text.is_empty() && text.len() <= LONGEST_NAME && !text.chars().any(char::is_control);
    if fits { Ok(text) } else { Err(Malformed) }
}

/// RFC 3339 as milliseconds since 1970.
fn wall_ms(text: &str) -> Result<u64, Malformed> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| Malformed)?;
    u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).map_err(|_| Malformed)
}

/// Milliseconds since 1970 as RFC 3339; none beyond the year 9999.
fn rfc3339(wall_ms: u64) -> Option<String> {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(wall_ms) * 1_000_000).ok()?;
    moment.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_in_every_zone_and_written_in_utc() {
        assert_eq!(wall_ms("2026-03-01T00:00:00Z"), Ok(1_772_323_200_000));
        assert_eq!(wall_ms("2026-03-01T02:00:00.250+02:00"), Ok(1_772_323_200_250));
        assert_eq!(rfc3339(1_772_323_200_250).as_deref(), Some("2026-03-01T00:00:00.25Z"));
        for text in ["", "now", "2026-03-01", "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z"] {
            assert_eq!(wall_ms(text), Err(Malformed), "{text}");
        }
        assert_eq!(rfc3339(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn a_time_comes_back_as_it_was(at in 0_u64..250_000_000_000_000) {
            prop_assert_eq!(rfc3339(at).map(|text| wall_ms(&text)), Some(Ok(at)));
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,60}") {
            let _ = (Event::read(&bytes), Targets::read(&bytes), Alert::read(&bytes));
            let _ = (wall_ms(&text), text.parse::<Uuid>(), Publisher::of_source(&text));
        }
    }
}
