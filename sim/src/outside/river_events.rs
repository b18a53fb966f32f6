//! What happens to a river in a year: heat waves, rain, floods, low water, the yearly drain.
//!
//! ```text
//!   heat wave  ╱▔▔╲    rises over the first 60 % of its days, falls over the rest
//!   rain       ╲▁╱     falls over the first half, recovers over the second
//!   flood      ╱╲__    debris within hours, cleaned away over the rest
//!   drain      ┐__┌    down and up within half a day
//! ```

use serde::{Deserialize, Serialize};

use super::river::RiverState;

/// A flood brings its debris within this time, days.
const FLOOD_RISE_DAYS: f64 = 0.25;
/// The gates of a drain take this long to close and to open, days.
const GATES_DAYS: f64 = 0.5;

/// Something that happens, and when.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiverEvent {
    /// Days after the first of January, 00:00. Ends with the year.
    pub from_day: f64,
    /// How long it takes, days.
    pub days: f64,
    /// What it is.
    pub what: RiverHappening,
}

/// Something that happens to the river.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RiverHappening {
    /// Days of sun.
    HeatWave {
        /// How much warmer at its height, K.
        kelvin: f64,
    },
    /// Cool, rainy days.
    Rain {
        /// How much colder at its end, K.
        kelvin: f64,
    },
    /// High water with leaves and branches.
    Flood {
        /// Resistance of the intake's screen at its height against a clean one.
        debris: f64,
        /// Discharge at its height, m³/s.
        flow_m3_s: f64,
    },
    /// Little water in the river above.
    LowWater {
        /// Discharge, m³/s.
        flow_m3_s: f64,
    },
    /// The creek is shut off and cleaned: Munich's Bachauskehr.
    Drain {
        /// What still flows, m³/s.
        flow_m3_s: f64,
    },
}

/// A year of the Eisbach: estimates, but for the drain in the second half of October, which ended on the 31st in 2025.
pub(super) const EISBACH: [RiverEvent; 6] = [
    RiverEvent { from_day: 172.0, days: 10.0, what: RiverHappening::HeatWave { kelvin: 6.0 } },
    RiverEvent { from_day: 184.0, days: 6.0, what: RiverHappening::Rain { kelvin: 4.5 } },
    RiverEvent { from_day: 185.0, days: 2.0, what: RiverHappening::Flood { debris: 4.0, flow_m3_s: 25.0 } },
    RiverEvent { from_day: 215.0, days: 10.0, what: RiverHappening::HeatWave { kelvin: 5.0 } },
    RiverEvent { from_day: 216.0, days: 20.0, what: RiverHappening::LowWater { flow_m3_s: 10.0 } },
    RiverEvent { from_day: 290.0, days: 12.0, what: RiverHappening::Drain { flow_m3_s: 0.3 } },
];

impl RiverEvent {
    /// The river with this event, on a day of the year.
    pub(super) fn change(&self, river: RiverState, day: f64) -> RiverState {
        let since = day - self.from_day;
        if !(0.0..self.days).contains(&since) {
            return river;
        }
        let part = since / self.days;
        let towards = |from: f64, to: f64, share: f64| from + (to - from) * share;
        match self.what {
            RiverHappening::HeatWave { kelvin } => {
                RiverState { celsius: river.celsius + kelvin * hump(part, 0.6), ..river }
            }
            RiverHappening::Rain { kelvin } => {
                RiverState { celsius: river.celsius - kelvin * hump(part, 0.5), ..river }
            }
            RiverHappening::Flood { debris, flow_m3_s } => {
                let height = hump(part, (FLOOD_RISE_DAYS / self.days).min(0.5));
                RiverState {
                    debris: towards(river.debris, debris, height),
                    flow_m3_s: towards(river.flow_m3_s, flow_m3_s, height),
                    ..river
                }
            }
            RiverHappening::LowWater { flow_m3_s } => {
                RiverState { flow_m3_s: towards(river.flow_m3_s, flow_m3_s, plateau(part, 0.2)), ..river }
            }
            RiverHappening::Drain { flow_m3_s } => {
                let edge = (GATES_DAYS / self.days).min(0.5);
                RiverState { flow_m3_s: towards(river.flow_m3_s, flow_m3_s, plateau(part, edge)), ..river }
            }
        }
    }
}

/// From 0 to 1 at `peak` and back, smoothly.
fn hump(part: f64, peak: f64) -> f64 {
    smooth(if part < peak { part / peak } else { (1.0 - part) / (1.0 - peak) })
}

/// From 0 to 1 over `edge`, and back over the last `edge`, smoothly.
fn plateau(part: f64, edge: f64) -> f64 {
    smooth((part.min(1.0 - part) / edge).min(1.0))
}

/// From 0 to 1 with level ends.
fn smooth(x: f64) -> f64 {
    x * x * (3.0 - 2.0 * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIVER: RiverState = RiverState { celsius: 15.0, flow_m3_s: 22.0, debris: 1.0 };

    fn during(what: RiverHappening, days: f64) -> Vec<RiverState> {
        let event = RiverEvent { from_day: 100.0, days, what };
        (0..=1000).map(|step| event.change(RIVER, 100.0 + days * f64::from(step) / 1000.0)).collect()
    }

    #[test]
    fn every_event_begins_and_ends_without_a_jump_and_leaves_other_days_alone() {
        for event in EISBACH {
            for day in [event.from_day + 1e-6, event.from_day + event.days - 1e-6] {
                let state = event.change(RIVER, day);
                assert!(
                    (state.celsius - 15.0).abs() < 1e-3 && (state.flow_m3_s - 22.0).abs() < 1e-3,
                    "{event:?}"
                );
            }
            assert_eq!(event.change(RIVER, event.from_day - 0.1), RIVER);
            assert_eq!(event.change(RIVER, event.from_day + event.days), RIVER);
        }
    }

    #[test]
    fn three_days_of_rain_cool_the_river_by_four_and_a_half_kelvin() {
        let coldest = during(RiverHappening::Rain { kelvin: 4.5 }, 6.0)[500].celsius;
        assert!((coldest - 10.5).abs() < 1e-9, "{coldest}");
    }

    #[test]
    fn a_flood_brings_its_debris_within_hours() {
        let flood = during(RiverHappening::Flood { debris: 4.0, flow_m3_s: 25.0 }, 2.0);
        assert!((flood[125].debris - 4.0).abs() < 1e-9, "{:?}", flood[125]);
        assert!(flood.iter().all(|state| (1.0..=4.0).contains(&state.debris)));
    }

    #[test]
    fn a_drained_creek_stays_drained() {
        let drain = during(RiverHappening::Drain { flow_m3_s: 0.3 }, 10.0);
        assert!(drain[60..=940].iter().all(|state| (state.flow_m3_s - 0.3).abs() < 1e-9));
    }
}
