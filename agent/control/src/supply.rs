//! The supply loop: one valve decides how much heat goes to recovery and thereby how warm the supply is.
//!
//! ```text
//!   set-point = max(target, dew point + distance)
//!   supply ─(−)─► PI ─► limit by margin (cooling first) ─► slew ─► valve, 0 % river … 100 % recovery
//! ```
//!
//! Opening the valve sends facility water through heat recovery, which returns it warmer than the river would. So
//! the same loop keeps supply above the dew point in winter and gives heat away in summer. Recovery is a gift: it
//! is taken back as soon as a GPU's margin is small.

use eisbach_protocol::units::{Celsius, Kelvin, Percent};

use crate::decision::{Leader, Output, Reason};
use crate::snapshot::Snapshot;
use crate::tuning::Tuning;

/// Fastest move of the set-point, % per second: valves of this kind need a minute or more for their stroke.
const MOST_PER_S: f32 = 2.0;
/// Time constant with which a small margin is forgotten: sensors count in whole kelvins, and loads swing.
const MARGIN_RISE_S: f32 = 60.0;

/// The loop's memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct SupplyLoop {
    integral: f32,
    position: Option<f32>,
    /// Smallest margin of the recent past, K.
    margin: Option<f32>,
}

/// Supply temperature aimed at, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SupplyTarget {
    pub(crate) celsius: Celsius,
    /// Lowest supply temperature that does not condense.
    pub(crate) floor: Celsius,
    leader: Leader,
    reason: Reason,
}

/// The target for this moment: the tuned one, unless the room's dew point asks for more.
pub(crate) fn target(snapshot: &Snapshot, tuning: &Tuning) -> SupplyTarget {
    let measured = snapshot.room.dew_point.usable();
    let floor = measured.unwrap_or(tuning.dew_point_assumed) + tuning.dew_point_distance;
    let (celsius, leader, reason) = if floor > tuning.supply_target {
        let reason = if measured.is_some() { Reason::AboveDewPoint } else { Reason::DewPointAssumed };
        (floor, Leader::DewPoint, reason)
    } else {
        (tuning.supply_target, Leader::SupplyLoop, Reason::HoldSupply)
    };
    SupplyTarget { celsius, floor, leader, reason }
}

impl SupplyLoop {
    /// Takes over from where the valve stands, so that the first set-point is no bump.
    pub(crate) fn seed(&mut self, position: Percent) {
        let position = position.held(Percent::ZERO, Percent::new(100.0)).get();
        self.position = Some(position);
        self.integral = position;
    }

    pub(crate) fn run(
        &mut self,
        supply: Option<Celsius>,
        target: SupplyTarget,
        hottest: Option<Kelvin>,
        closed: Option<(Leader, Reason)>,
        dt_s: f32,
        tuning: &Tuning,
    ) -> Output<Percent> {
        let closed =
            closed.or_else(|| supply.is_none().then_some((Leader::SilentPart, Reason::SupplyUnknown)));
        let (Some(supply), None) = (supply, closed) else {
            let (leader, reason) = closed.unwrap_or((Leader::SilentPart, Reason::SupplyUnknown));
            self.seed(Percent::ZERO);
            return Output { value: Some(Percent::ZERO), leader, reason };
        };
        let most = recovery_share(self.recent(hottest, dt_s), tuning) * 100.0;
        let error = (target.celsius - supply).get();
        let proportional = tuning.valve_gain * error;
        let step = tuning.valve_gain * error * dt_s / tuning.valve_integral_s;
        // The integral lies within what the valve can do, so it is never further away than the valve itself.
        self.integral = (self.integral + step).clamp(0.0, most);
        let wanted = (proportional + self.integral).clamp(0.0, most);
        let before = self.position.unwrap_or(wanted);
        let position = wanted.clamp(before - MOST_PER_S * dt_s, before + MOST_PER_S * dt_s).min(most);
        self.position = Some(position);
        let (leader, reason) = if proportional + self.integral >= most && most < 100.0 {
            (Leader::CoolingFirst, Reason::MarginForCooling)
        } else {
            (target.leader, target.reason)
        };
        Output { value: Some(Percent::new(position)), leader, reason }
    }
}

impl SupplyLoop {
    /// The margin that counts: falls at once, rises slowly.
    fn recent(&mut self, hottest: Option<Kelvin>, dt_s: f32) -> Option<Kelvin> {
        let now = hottest?.get();
        let before = self.margin.unwrap_or(now);
        let recent = if now < before {
            now
        } else {
            before + (now - before) * (1.0 - libm::expf(-dt_s / MARGIN_RISE_S))
        };
        self.margin = Some(recent);
        Some(Kelvin::new(recent))
    }
}

/// How much of the valve recovery may have: all at wide margins, nothing at small ones.
fn recovery_share(hottest: Option<Kelvin>, tuning: &Tuning) -> f32 {
    let span = (tuning.recovery_full_margin - tuning.recovery_none_margin).get();
    hottest.map_or(0.0, |margin| ((margin - tuning.recovery_none_margin).get() / span).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::reading::Reading;
    use eisbach_protocol::units::Millis;

    fn run(supply: Option<f32>, margin: f32, seconds: usize) -> Output<Percent> {
        let tuning = Tuning::default();
        let mut valve = SupplyLoop::default();
        valve.seed(Percent::new(40.0));
        let target = target(&Snapshot::default(), &tuning);
        let mut output =
            valve.run(supply.map(Celsius::new), target, Some(Kelvin::new(margin)), None, 1.0, &tuning);
        for _ in 0..seconds {
            output =
                valve.run(supply.map(Celsius::new), target, Some(Kelvin::new(margin)), None, 1.0, &tuning);
        }
        output
    }

    fn with_dew_point(reading: Reading<Celsius>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.room.dew_point = reading;
        snapshot
    }

    #[test]
    fn cold_supply_opens_recovery_and_warm_supply_closes_it() {
        assert!(run(Some(30.0), 30.0, 30).value.unwrap().get() > 50.0);
        assert!(run(Some(39.0), 30.0, 30).value.unwrap().get() < 30.0);
    }

    #[test]
    fn unknown_supply_sends_all_heat_to_the_river() {
        let output = run(None, 30.0, 1);
        assert_eq!((output.value, output.reason), (Some(Percent::ZERO), Reason::SupplyUnknown));
    }

    #[test]
    fn cooling_goes_before_recovery() {
        let output = run(Some(30.0), 12.0, 1);
        assert_eq!((output.value, output.leader), (Some(Percent::ZERO), Leader::CoolingFirst));
    }

    #[test]
    fn supply_is_held_above_the_dew_point() {
        let tuning = Tuning { supply_target: Celsius::new(18.0), ..Tuning::default() };
        let humid = target(&with_dew_point(Reading::measured(Celsius::new(19.0), Millis::ZERO)), &tuning);
        assert_eq!((humid.celsius, humid.leader), (Celsius::new(21.0), Leader::DewPoint));
    }

    #[test]
    fn a_missing_dew_point_is_taken_for_the_worst_case() {
        let tuning = Tuning { supply_target: Celsius::new(18.0), ..Tuning::default() };
        let blind = target(&with_dew_point(Reading::default()), &tuning);
        assert_eq!((blind.celsius, blind.reason), (Celsius::new(24.0), Reason::DewPointAssumed));
    }
}
