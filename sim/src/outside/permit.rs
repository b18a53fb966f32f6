//! What may be given to the river: rules as data, and what they allow and forbid at a moment.
//!
//! ```text
//!   river Q, T ──┬── intake q ──► exchanger (rise ≤ 10 K) ──► discharge (≤ 30 °C) ──┐
//!                └──────────────────────────────────────────────────────────────────┴──► mixed
//!                                                       T_mixed ≤ T_max,  T_mixed − T ≤ ΔT_max
//! ```
//!
//! The limits of the mixed river are those of the German ordinance on surface waters (Oberflächengewässerverordnung of
//! 2016, annex 7, no. 2.1.1, good status) by fish community. Those of discharge and exchanger are estimates after notes
//! and permits of other plants: no permit of the Eisbach is public. A real permit replaces them all.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::calendar::month;
use super::river::RiverState;
use crate::plant::Coolant;

/// Which fish live in the river, as the ordinance has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FishCommunity {
    /// Salmonids of the upper course.
    SaEr,
    /// Salmonids of the middle course.
    SaMr,
    /// Salmonids of the lower course.
    SaHr,
    /// Cyprinids of the rhithral.
    CypR,
    /// Epipotamal: barbel region.
    Ep,
    /// Metapotamal: bream region.
    Mp,
    /// Hypopotamal: ruffe and flounder region.
    Hp,
}

impl FishCommunity {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::SaEr, Self::SaMr, Self::SaHr, Self::CypR, Self::Ep, Self::Mp, Self::Hp];

    /// Its limits: of April to November, and of December to March.
    #[must_use]
    pub const fn limits(self) -> (SeasonLimits, SeasonLimits) {
        let (summer, winter, rise, winter_rise) = match self {
            Self::SaEr => (20.0, 8.0, 1.5, 1.0),
            Self::SaMr => (20.0, 10.0, 1.5, 1.5),
            Self::SaHr => (21.5, 10.0, 1.5, 1.5),
            Self::CypR => (23.0, 10.0, 2.0, 2.0),
            Self::Ep => (25.0, 10.0, 3.0, 3.0),
            Self::Mp | Self::Hp => (28.0, 10.0, 3.0, 3.0),
        };
        (
            SeasonLimits { mixed_max_celsius: summer, mixed_rise_kelvin: rise },
            SeasonLimits { mixed_max_celsius: winter, mixed_rise_kelvin: winter_rise },
        )
    }
}

/// Limits of the mixed river in one half of the year.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeasonLimits {
    /// Highest temperature below the discharge, °C.
    pub mixed_max_celsius: f64,
    /// Largest difference between below and above the discharge, K.
    pub mixed_rise_kelvin: f64,
}

/// The rules of one permit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Permit {
    /// April to November.
    pub summer: SeasonLimits,
    /// December to March, when fish spawn.
    pub winter: SeasonLimits,
    /// Highest temperature of the water given back, °C. Estimate; 25 °C is asked of some.
    pub discharge_max_celsius: f64,
    /// Largest warming of the water drawn, K. Notes of Bavaria's environment agency for heat exchangers.
    pub exchanger_rise_kelvin: f64,
    /// A warming of the mixed river below this is nobody's, K: no gauge shows it. Estimate.
    pub unmeasurable_kelvin: f64,
}

impl Permit {
    /// The ordinance's limits for a fish community, with the usual ones for discharge and exchanger.
    #[must_use]
    pub const fn of(community: FishCommunity) -> Self {
        let (summer, winter) = community.limits();
        Self {
            summer,
            winter,
            discharge_max_celsius: 30.0,
            exchanger_rise_kelvin: 10.0,
            unmeasurable_kelvin: 0.002,
        }
    }

    /// The limits of the mixed river, `t_s` seconds after the first of January.
    #[must_use]
    pub fn season(&self, t_s: f64) -> SeasonLimits {
        if (4..=11).contains(&month(t_s)) { self.summer } else { self.winter }
    }

    /// Heat that may be given to the river now, W: the least that any rule leaves. `intake_m3_s` is what the site
    /// draws.
    #[must_use]
    pub fn allowed_watts(&self, river: &RiverState, intake_m3_s: f64, t_s: f64) -> f64 {
        let limits = self.season(t_s);
        let mixed = (limits.mixed_max_celsius - river.celsius).min(limits.mixed_rise_kelvin);
        let drawn = (self.discharge_max_celsius - river.celsius).min(self.exchanger_rise_kelvin);
        (capacity(river, river.flow_m3_s) * mixed)
            .min(capacity(river, intake_m3_s.min(river.flow_m3_s)) * drawn)
            .max(0.0)
    }

    /// The rule that a discharge breaks by most of its own measure, if any.
    #[must_use]
    pub fn violation(&self, river: &RiverState, discharge: Discharge, t_s: f64) -> Option<Violation> {
        let limits = self.season(t_s);
        let rise = mixing_rise(river, discharge.heat_watts);
        if rise <= self.unmeasurable_kelvin {
            return None;
        }
        let drawn = discharge.heat_watts / capacity(river, discharge.intake_m3_s).max(f64::MIN_POSITIVE);
        [
            (Rule::MixedTemperature, river.celsius + rise - limits.mixed_max_celsius),
            (Rule::MixedRise, rise - limits.mixed_rise_kelvin),
            (Rule::DischargeTemperature, river.celsius + drawn - self.discharge_max_celsius),
            (Rule::ExchangerRise, drawn - self.exchanger_rise_kelvin),
        ]
        .into_iter()
        .map(|(rule, by_kelvin)| Violation { rule, by_kelvin })
        // A rounding error breaks no law.
        .filter(|violation| violation.by_kelvin > 1e-6)
        .max_by(|one, other| one.by_kelvin.total_cmp(&other.by_kelvin))
    }
}

impl Default for Permit {
    /// Salmonids of the lower course: the stricter of what an alpine river in Munich may be (estimate).
    fn default() -> Self {
        Self::of(FishCommunity::SaHr)
    }
}

/// What a site gives to the river.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discharge {
    /// Heat, W.
    pub heat_watts: f64,
    /// Water that carries it, drawn and given back, m³/s.
    pub intake_m3_s: f64,
}

/// A rule of a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The river below the discharge is too warm.
    MixedTemperature,
    /// The river is warmed too much.
    MixedRise,
    /// The water given back is too warm.
    DischargeTemperature,
    /// The water drawn is warmed too much.
    ExchangerRise,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::MixedTemperature, Self::MixedRise, Self::DischargeTemperature, Self::ExchangerRise];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MixedTemperature => "mixed-temperature",
            Self::MixedRise => "mixed-rise",
            Self::DischargeTemperature => "discharge-temperature",
            Self::ExchangerRise => "exchanger-rise",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A rule that is broken, and by how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// Beyond its limit, K.
    pub by_kelvin: f64,
}

/// Warming of the whole river by `heat_watts`, K; infinite where no water is left to take it.
#[must_use]
pub fn mixing_rise(river: &RiverState, heat_watts: f64) -> f64 {
    if heat_watts <= 0.0 { 0.0 } else { heat_watts / capacity(river, river.flow_m3_s) }
}

/// Heat that `m3_s` of the river carry, W/K.
fn capacity(river: &RiverState, m3_s: f64) -> f64 {
    Coolant::WATER.density(river.celsius) * Coolant::WATER.heat_capacity(river.celsius) * m3_s.max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outside::date;

    const JULY: u8 = 7;

    fn river(celsius: f64, flow_m3_s: f64) -> RiverState {
        RiverState { celsius, flow_m3_s, debris: 1.0 }
    }

    fn on(month: u8) -> f64 {
        date(month, 15).unwrap()
    }

    #[test]
    fn twelve_megawatts_warm_the_river_by_the_tabled_rise() {
        for (megawatts, flow, expected) in
            [(12.0, 25.0, 0.11), (12.0, 5.0, 0.57), (24.0, 25.0, 0.23), (24.0, 10.0, 0.57), (24.0, 5.0, 1.15)]
        {
            let rise = mixing_rise(&river(15.0, flow), megawatts * 1e6);
            assert!((rise - expected).abs() < 0.006, "{megawatts} MW into {flow} m³/s: {rise}");
        }
        assert!((mixing_rise(&river(15.0, 3.8), 24e6) - 1.5).abs() < 0.02);
    }

    #[test]
    fn the_seasons_change_with_april_and_december() {
        let permit = Permit::default();
        for (month, celsius) in [(3, 10.0), (4, 21.5), (11, 21.5), (12, 10.0)] {
            assert!((permit.season(on(month)).mixed_max_celsius - celsius).abs() < 1e-12, "month {month}");
        }
        let end_of_november = date(12, 1).unwrap() - 1.0;
        assert_eq!(permit.season(end_of_november), permit.summer);
    }

    #[test]
    fn stricter_fish_have_stricter_limits() {
        let limits = FishCommunity::ALL.map(FishCommunity::limits);
        assert!(limits.is_sorted_by(|strict, loose| {
            strict.0.mixed_max_celsius <= loose.0.mixed_max_celsius
                && strict.0.mixed_rise_kelvin <= loose.0.mixed_rise_kelvin
                && strict.1.mixed_max_celsius <= loose.1.mixed_max_celsius
        }));
    }

    #[test]
    fn a_river_at_its_limit_takes_nothing_and_what_it_took_before_is_a_violation() {
        let permit = Permit::default();
        let hot = river(22.0, 22.0);
        assert!(permit.allowed_watts(&hot, 0.6, on(JULY)).abs() < 1e-9);
        let discharge = Discharge { heat_watts: 12e6, intake_m3_s: 0.6 };
        let violation = permit.violation(&hot, discharge, on(JULY)).unwrap();
        assert_eq!(violation.rule, Rule::MixedTemperature);
        assert!((violation.by_kelvin - 0.5 - 0.13).abs() < 0.01, "{violation:?}");
        let none = Discharge { heat_watts: 0.0, ..discharge };
        assert_eq!(permit.violation(&hot, none, on(JULY)), None, "the sun is not the site's doing");
    }

    #[test]
    fn a_small_intake_is_limited_by_its_own_warming() {
        let permit = Permit::default();
        let discharge = Discharge { heat_watts: 12e6, intake_m3_s: 0.2 };
        let violation = permit.violation(&river(12.0, 25.0), discharge, on(JULY)).unwrap();
        assert_eq!(violation.rule, Rule::ExchangerRise);
        let warm = Discharge { heat_watts: 12e6, intake_m3_s: 0.3 };
        let violation = permit.violation(&river(20.9, 25.0), warm, on(JULY)).unwrap();
        assert_eq!(violation.rule, Rule::DischargeTemperature);
    }

    #[test]
    fn a_drained_creek_takes_no_heat_at_all() {
        let permit = Permit::default();
        let drained = river(10.0, 0.0);
        assert!(permit.allowed_watts(&drained, 0.6, on(10)).abs() < 1e-12);
        let drop = Discharge { heat_watts: 1.0, intake_m3_s: 0.0 };
        assert!(permit.violation(&drained, drop, on(10)).is_some());
    }

    proptest! {
        #[test]
        fn what_is_allowed_breaks_no_rule_and_a_tenth_more_does(
            celsius in 0.5..24.0_f64, flow in 0.5..30.0_f64, intake in 0.05..1.0_f64, month in 1..=12_u8,
            fish in prop::sample::select(FishCommunity::ALL.to_vec()),
        ) {
            let (permit, river, t_s) = (Permit::of(fish), river(celsius, flow), on(month));
            let intake_m3_s = intake.min(flow);
            let allowed = permit.allowed_watts(&river, intake_m3_s, t_s);
            let of = |heat_watts| permit.violation(&river, Discharge { heat_watts, intake_m3_s }, t_s);
            prop_assert_eq!(of(allowed), None);
            if mixing_rise(&river, allowed) > 0.02 {
                prop_assert!(of(allowed * 1.1 + 1.0).is_some());
            }
        }

        #[test]
        fn more_water_and_cooler_water_allow_more(
            celsius in 0.5..24.0_f64, flow in 0.5..30.0_f64, month in 1..=12_u8,
        ) {
            let (permit, t_s) = (Permit::default(), on(month));
            let allowed = |celsius, flow| permit.allowed_watts(&river(celsius, flow), 0.6, t_s);
            prop_assert!(allowed(celsius, flow * 1.1) >= allowed(celsius, flow));
            // Warmer water holds less, by a thousandth.
            prop_assert!(allowed(celsius - 0.5, flow) >= allowed(celsius, flow) * 0.999);
        }
    }
}
