//! The rules of the permit: how much heat the whole site may give to a river like this. Pure.
//!
//! ```text
//!   warmest allowed − river ─┐
//!   mixing rise allowed ─────┴─► smaller − guard ─► × ρ·c·discharge ─┐
//!   warmest discharge − river ─┐                                     ├─► smaller
//!   exchanger rise allowed ────┴─► smaller ─► × ρ·c·intake ──────────┘
//! ```

use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Kelvin, Watts};
use serde::{Deserialize, Serialize};

use crate::surroundings::Calendar;
use crate::tuning::PermitTuning;

/// Heat that a cubic metre of river water takes per kelvin, J: water at 15 °C.
pub(super) const JOULES_PER_M3_KELVIN: f32 = 4.186e6;
/// A river this much warmer than winter allows is a summer's, where no calendar tells (estimate).
const NO_WINTER: Kelvin = Kelvin::new(2.0);

/// The river as it is believed to be. What is not known limits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct River {
    pub(super) celsius: Option<Celsius>,
    pub(super) flow: Option<CubicMetersPerSecond>,
}

/// Warmest that the river may be on this day.
pub(super) fn warmest(calendar: Option<Calendar>, river: Option<Celsius>, permit: &PermitTuning) -> Celsius {
    let (first, last) = permit.summer_days;
    let summer = match calendar {
        Some(Calendar { day_of_year, .. }) => (first..=last).contains(&day_of_year),
        // The stricter season, unless that cannot be.
        None if permit.winter_max > permit.summer_max => true,
        None => river.is_some_and(|river| river > permit.winter_max + NO_WINTER),
    };
    if summer { permit.summer_max } else { permit.winter_max }
}

/// Whether there is water to take heat at all.
pub(super) fn is_dry(river: &River, permit: &PermitTuning) -> bool {
    river.flow.is_some_and(|flow| flow < permit.dry_below)
}

/// Most heat that the site may give to this river; absent: not limited.
pub(super) fn site_heat(river: &River, warmest: Celsius, permit: &PermitTuning) -> Option<Watts> {
    if is_dry(river, permit) {
        return Some(Watts::ZERO);
    }
    let celsius = river.celsius?;
    let room = (warmest - celsius).smaller(permit.mixing_rise_max) - permit.guard;
    if room <= Kelvin::ZERO {
        return Some(Watts::ZERO);
    }
    let mixing = river.flow.map(|flow| carried(flow, room));
    let discharge = (permit.discharge_max - celsius).smaller(permit.exchanger_rise_max).larger(Kelvin::ZERO);
    let abstracted = match permit.intake_max {
        Some(intake) => Some(carried(intake, discharge)),
        None if discharge <= Kelvin::ZERO => Some(Watts::ZERO),
        None => None,
    };
    match (mixing, abstracted) {
        (Some(mixing), Some(abstracted)) => Some(mixing.smaller(abstracted)),
        (mixing, abstracted) => mixing.or(abstracted),
    }
}

/// Heat that warms so much water by so much.
fn carried(flow: CubicMetersPerSecond, room: Kelvin) -> Watts {
    Watts::new(flow.get() * room.get() * JOULES_PER_M3_KELVIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUMMER: Calendar = Calendar { day_of_year: 190, second_of_day: 0 };
    const WINTER: Calendar = Calendar { day_of_year: 20, second_of_day: 0 };

    fn river(celsius: f32, flow: f32) -> River {
        River { celsius: Some(Celsius::new(celsius)), flow: Some(CubicMetersPerSecond::new(flow)) }
    }

    fn allowed(river: &River, warmest: f32, permit: &PermitTuning) -> Option<f32> {
        site_heat(river, Celsius::new(warmest), permit).map(Watts::get)
    }

    #[test]
    fn a_cool_river_may_be_warmed_by_the_mixing_rise_and_a_warm_one_up_to_its_limit() {
        let permit = PermitTuning { guard: Kelvin::ZERO, ..PermitTuning::default() };
        let megawatts = |celsius| allowed(&river(celsius, 25.0), 21.5, &permit).unwrap() / 1e6;
        // 25 m³/s · 4.186 MJ/(m³ K) · 1.5 K, and 0.5 K.
        assert!((megawatts(12.0) - 157.0).abs() < 0.1, "{}", megawatts(12.0));
        assert!((megawatts(21.0) - 52.3).abs() < 0.1, "{}", megawatts(21.0));
        assert!(megawatts(21.6).abs() < 1e-6);
    }

    #[test]
    fn abstracted_water_is_warmed_no_more_than_allowed_and_leaves_no_warmer() {
        let permit =
            PermitTuning { intake_max: Some(CubicMetersPerSecond::new(0.6)), ..PermitTuning::default() };
        let megawatts = |celsius| allowed(&river(celsius, 25.0), 40.0, &permit).unwrap() / 1e6;
        assert!((megawatts(10.0) - 25.1).abs() < 0.1, "10 K: {}", megawatts(10.0));
        assert!((megawatts(25.0) - 12.6).abs() < 0.1, "up to 30 °C: {}", megawatts(25.0));
    }

    #[test]
    fn a_drained_river_takes_nothing_however_cold() {
        let permit = PermitTuning::default();
        assert_eq!(allowed(&river(5.0, 0.5), 21.5, &permit), Some(0.0));
        let unknown = River { celsius: None, ..river(5.0, 0.5) };
        assert_eq!(allowed(&unknown, 21.5, &permit), Some(0.0));
    }

    #[test]
    fn what_is_not_known_limits_nothing() {
        assert_eq!(allowed(&River::default(), 21.5, &PermitTuning::default()), None);
    }

    #[test]
    fn the_season_is_the_calendars_and_without_one_the_stricter_that_can_be() {
        let permit = PermitTuning::default();
        let at = |calendar, celsius| warmest(calendar, Some(Celsius::new(celsius)), &permit).get();
        assert_eq!((at(Some(SUMMER), 18.0), at(Some(WINTER), 6.0)), (21.5, 10.0));
        assert_eq!((at(None, 6.0), at(None, 18.0)), (10.0, 21.5));
    }

    proptest! {
        #[test]
        fn heat_allowed_grows_with_discharge_and_with_the_distance_to_the_warmest(
            celsius in -1.0..35.0_f32, cooler in 0.0..10.0_f32, flow in 0.0..60.0_f32, more in 0.0..40.0_f32,
            intake in prop::option::of(0.0..5.0_f32), warmest in 5.0..30.0_f32,
        ) {
            let permit = PermitTuning {
                intake_max: intake.map(CubicMetersPerSecond::new), ..PermitTuning::default()
            };
            let here = allowed(&river(celsius, flow), warmest, &permit).unwrap();
            prop_assert!(here >= 0.0);
            prop_assert!(allowed(&river(celsius, flow + more), warmest, &permit).unwrap() >= here);
            prop_assert!(allowed(&river(celsius - cooler, flow), warmest, &permit).unwrap() >= here);
            prop_assert!(allowed(&river(celsius, flow), warmest + cooler, &permit).unwrap() >= here);
        }

        #[test]
        fn no_heat_allowed_takes_the_river_over_its_limits(
            celsius in -1.0..35.0_f32, flow in 0.1..60.0_f32, warmest in 5.0..30.0_f32
        ) {
            let permit = PermitTuning::default();
            let heat = allowed(&river(celsius, flow), warmest, &permit).unwrap();
            let rise = heat / (JOULES_PER_M3_KELVIN * flow);
            prop_assert!(rise <= 1.5 && (heat <= 0.0 || celsius + rise <= warmest), "{rise}");
        }
    }
}
