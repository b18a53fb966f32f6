//! Load targets: how much power feeds may draw, and when.

use serde::Deserialize;

use super::power::PowerValue;
use super::{Malformed, name, read, wall_ms};

/// Most targets in one event.
const MOST: usize = 32;
/// Most feeds that one target names.
const MOST_FEEDS: usize = 64;

/// What one event sets.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Targets(pub(in super::super) Vec<Target>);

/// One target.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Target {
    /// From when; at once if it does not say.
    pub(in super::super) start_ms: Option<u64>,
    /// Until when; until it is replaced if it does not say.
    pub(in super::super) end_ms: Option<u64>,
    /// For which feeds; for all if there is none.
    pub(in super::super) feeds: Vec<String>,
    /// The most they may draw, W; none takes the limit away.
    pub(in super::super) watts: Option<f64>,
}

#[derive(Deserialize)]
struct RawTargets {
    targets: Vec<RawTarget>,
}

#[derive(Deserialize)]
struct RawTarget {
    interval: RawInterval,
    #[serde(default)]
    feed_tags: Vec<String>,
    // Null takes a limit away; to leave it out is a mistake.
    #[serde(deserialize_with = "Option::deserialize")]
    load_constraint: Option<PowerValue>,
}

#[derive(Deserialize)]
struct RawInterval {
    start_time: Option<String>,
    end_time: Option<String>,
}

impl Targets {
    /// The targets in signed words.
    ///
    /// # Errors
    /// If they are not what the contract says.
    pub(in super::super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let raw: RawTargets = read(bytes)?;
        if !(1..=MOST).contains(&raw.targets.len()) {
            return Err(Malformed);
        }
        raw.targets.into_iter().map(RawTarget::check).collect::<Result<_, _>>().map(Self)
    }
}

impl Target {
    /// Whether its own words bound the time in which it can be followed: it has an end, or has begun at `since_ms` or
    /// later.
    pub(in super::super) fn is_dated(&self, since_ms: u64) -> bool {
        self.start_ms.is_some_and(|start_ms| self.end_ms.is_some() || start_ms >= since_ms)
    }
}

impl RawTarget {
    fn check(self) -> Result<Target, Malformed> {
        let moment = |text: Option<String>| text.map(|text| wall_ms(&text)).transpose();
        let (start_ms, end_ms) = (moment(self.interval.start_time)?, moment(self.interval.end_time)?);
        let backwards = start_ms.zip(end_ms).is_some_and(|(start, end)| end <= start);
        let watts = self.load_constraint.map(PowerValue::watts).transpose()?;
        // No power at all is no target: that would be a switch.
        if backwards || watts.is_some_and(|watts| watts <= 0.0) || self.feed_tags.len() > MOST_FEEDS {
            return Err(Malformed);
        }
        let feeds = self.feed_tags.into_iter().map(name).collect::<Result<_, _>>()?;
        Ok(Target { start_ms, end_ms, feeds, watts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_a_time_feeds_and_a_power() {
        let json = br#"{"targets":[{"interval":{"start_time":"2026-03-01T00:00:00Z","end_time":"2026-03-01T01:00:00Z"},
            "feed_tags":["main-a"],"load_constraint":{"value":1.2,"unit":"megawatt"},"strategy":{"best_effort":true}}]}"#;
        let target = Target {
            start_ms: Some(1_772_323_200_000),
            end_ms: Some(1_772_326_800_000),
            feeds: vec!["main-a".into()],
            watts: Some(1.2e6),
        };
        assert_eq!(Targets::read(json), Ok(Targets(vec![target])));
    }

    #[test]
    fn null_takes_the_limit_away() {
        let read = Targets::read(br#"{"targets":[{"interval":{},"load_constraint":null}]}"#).unwrap();
        assert_eq!(read.0[0], Target { start_ms: None, end_ms: None, feeds: vec![], watts: None });
    }

    #[test]
    fn what_the_contract_does_not_allow_is_refused() {
        for json in [
            r#"{"targets":[]}"#,
            r#"{}"#,
            r#"{"targets":[{"interval":{}}]}"#,
            r#"{"targets":[{"load_constraint":null}]}"#,
            r#"{"targets":[{"interval":{},"load_constraint":{"value":0,"unit":"watt"}}]}"#,
            r#"{"targets":[{"interval":{"start_time":"2026-03-01T01:00:00Z","end_time":"2026-03-01T01:00:00Z"},"load_constraint":null}]}"#,
            r#"{"targets":[{"interval":{"start_time":1},"load_constraint":null}]}"#,
            r#"{"targets":[{"interval":{},"feed_tags":[""],"load_constraint":null}]}"#,
        ] {
            assert_eq!(Targets::read(json.as_bytes()), Err(Malformed), "{json}");
        }
        let many = vec![r#"{"interval":{},"load_constraint":null}"#; MOST + 1].join(",");
        assert_eq!(Targets::read(format!(r#"{{"targets":[{many}]}}"#).as_bytes()), Err(Malformed));
    }

    #[test]
    fn deep_or_long_words_are_refused() {
        let deep = format!(r#"{{"targets":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(Targets::read(deep.as_bytes()), Err(Malformed));
        let long = format!(r#"{{"targets":[],"x":"{}"}}"#, "x".repeat(super::super::LONGEST));
        assert_eq!(Targets::read(long.as_bytes()), Err(Malformed));
    }
}
