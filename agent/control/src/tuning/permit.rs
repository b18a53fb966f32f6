//! The permit to give heat to the river, as data. What stands here by default is an estimate; the real one is the
//! authority's.

use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Kelvin, Millis};
use serde::{Deserialize, Serialize};

use super::TuningError;
use super::check::within;

/// Rules of the site's permit, and how carefully they are kept. Nothing of it counts before this node is told its
/// share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PermitTuning {
    /// This node's share of what the site may give to the river, 0 to 1, unless the facility tells another. Absent:
    /// there is no permit to share, and no limit.
    pub share: Option<f32>,
    /// Warmest that the river may be below the discharge, in summer. 21.5 °C: `OGewV` 2016, salmonid waters of the
    /// hyporhithral; that the Eisbach is one is an estimate.
    pub summer_max: Celsius,
    /// The same in winter. 10 °C: `OGewV` 2016.
    pub winter_max: Celsius,
    /// First and last day of summer, 1 to 366: April to November (`OGewV` 2016).
    pub summer_days: (u16, u16),
    /// Local standard time, minutes east of UTC: days of the permit begin at the site's midnight, all year. 60: Central
    /// Europe.
    pub standard_time_minutes: i16,
    /// Most that the river may be warmed by the whole site. 1.5 K: `OGewV` 2016, salmonid waters.
    pub mixing_rise_max: Kelvin,
    /// Warmest that water may go back into the river (estimate).
    pub discharge_max: Celsius,
    /// Most that abstracted water may be warmed. 10 K: advice for heat extraction (`LfU`, after VKU).
    pub exchanger_rise_max: Kelvin,
    /// Water that the site may abstract; absent: not limited.
    pub intake_max: Option<CubicMetersPerSecond>,
    /// Heat that the site may give to the river in a day, `MWh`; absent: not limited.
    pub daily_mwh: Option<f32>,
    /// Distance kept from `summer_max`, `winter_max` and `mixing_rise_max`: instruments and mixing (estimate).
    pub guard: Kelvin,
    /// Less discharge than this is no river: it is drained (estimate).
    pub dry_below: CubicMetersPerSecond,
    /// What is told of the river counts as it is for this long after the last word.
    pub stale_after: Millis,
    /// After that the river counts as warmer by this (estimate)
    pub stale_warmer: Kelvin,
    /// ... and its discharge as this share of the last one (estimate).
    pub stale_flow_share: f32,
    /// Power comes down this long before the river closes, as far as yesterday's river tells (estimate).
    pub ahead: Millis,
    /// Heat that the loop may store per kelvin below its highest supply, W/K: it fills in minutes (estimate).
    pub buffer_watts_per_kelvin: f32,
}

impl Default for PermitTuning {
    fn default() -> Self {
        Self {
            share: None,
            summer_max: Celsius::new(21.5),
            winter_max: Celsius::new(10.0),
            summer_days: (91, 334),
            standard_time_minutes: 60,
            mixing_rise_max: Kelvin::new(1.5),
            discharge_max: Celsius::new(30.0),
            exchanger_rise_max: Kelvin::new(10.0),
            intake_max: None,
            daily_mwh: None,
            guard: Kelvin::new(0.1),
            dry_below: CubicMetersPerSecond::new(1.0),
            stale_after: Millis::from_secs(900),
            stale_warmer: Kelvin::new(1.0),
            stale_flow_share: 0.5,
            ahead: Millis::from_secs(900),
            buffer_watts_per_kelvin: 200.0,
        }
    }
}

impl PermitTuning {
    pub(super) fn check(&self) -> Result<(), TuningError> {
        let (first, last) = self.summer_days;
        let days = [first, last].iter().all(|day| (1..=366).contains(day)) && first <= last;
        if !days {
            let must = "two days of the year, 1 to 366, the first one first";
            return Err(TuningError { key: "permit.summer_days", must });
        }
        if self.standard_time_minutes.unsigned_abs() > 14 * 60 {
            let must = "between -840 and 840 minutes";
            return Err(TuningError { key: "permit.standard_time_minutes", must });
        }
        let numbers = [
            ("permit.share", self.share.unwrap_or(0.0), 0.0, 1.0, "between 0 and 1"),
            ("permit.summer_max", self.summer_max.get(), 0.0, 40.0, "between 0 and 40 °C"),
            ("permit.winter_max", self.winter_max.get(), 0.0, 40.0, "between 0 and 40 °C"),
            ("permit.mixing_rise_max", self.mixing_rise_max.get(), 0.0, 10.0, "between 0 and 10 K"),
            ("permit.discharge_max", self.discharge_max.get(), 0.0, 60.0, "between 0 and 60 °C"),
            ("permit.exchanger_rise_max", self.exchanger_rise_max.get(), 0.0, 30.0, "between 0 and 30 K"),
            (
                "permit.intake_max",
                self.intake_max.map_or(0.0, CubicMetersPerSecond::get),
                0.0,
                1000.0,
                "between 0 and 1000 m³/s",
            ),
            ("permit.daily_mwh", self.daily_mwh.unwrap_or(0.0), 0.0, 1e6, "between 0 and 1000000 MWh"),
            ("permit.guard", self.guard.get(), 0.0, 2.0, "between 0 and 2 K"),
            ("permit.dry_below", self.dry_below.get(), 0.0, 1000.0, "between 0 and 1000 m³/s"),
            (
                "permit.stale_after",
                self.stale_after.as_secs_f32(),
                10.0,
                86_400.0,
                "between 10000 and 86400000 ms",
            ),
            ("permit.stale_warmer", self.stale_warmer.get(), 0.0, 10.0, "between 0 and 10 K"),
            ("permit.stale_flow_share", self.stale_flow_share, 0.0, 1.0, "between 0 and 1"),
            ("permit.ahead", self.ahead.as_secs_f32(), 0.0, 7200.0, "at most 7200000 ms"),
            (
                "permit.buffer_watts_per_kelvin",
                self.buffer_watts_per_kelvin,
                1.0,
                1e6,
                "between 1 and 1000000 W/K",
            ),
        ];
        numbers.into_iter().try_for_each(|(key, value, low, high, must)| within(key, value, low, high, must))
    }
}
