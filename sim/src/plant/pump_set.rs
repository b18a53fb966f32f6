//! The pump, and a second one beside it where there is one.
//!
//! ```text
//!   ──┬──► duty ────►|──┬──        the check valve of the slower pump is shut
//!     └──► standby ─►|──┘
//!
//!   duty trips ─ start_s ─► standby runs ─ duty is back and as fast ─► standby rests
//! ```
//!
//! From outside it is one pump: it runs while one of the two does, and its alarm is for a set that moves nothing.

use super::params::{PlantParams, PumpParams, StandbyParams};
use super::pump::{Drive, Pump, PumpCurve, PumpFaults};

/// The duty pump is back in its place when it is this close to the other's speed.
const HANDED_BACK: f64 = 1e-3;

/// One pump or two.
#[derive(Clone, Debug)]
pub(super) struct PumpSet {
    duty: Pump,
    standby: Option<Standby>,
}

#[derive(Clone, Debug)]
struct Standby {
    pump: Pump,
    start_s: f64,
    /// How long the duty pump has been tripped, s.
    waited_s: f64,
    on: bool,
}

/// What may be wrong with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SetFaults {
    /// Of the duty pump; a broken coupling stops both.
    pub(super) pump: PumpFaults,
    /// The second pump does not start.
    pub(super) standby_fails: bool,
    /// Wear in place of their own.
    pub(super) wear: Option<f64>,
}

impl PumpSet {
    pub(super) fn new(params: &PlantParams) -> Self {
        let standby = |standby: StandbyParams| Standby {
            pump: Pump::new(PumpParams { ramp_per_s: standby.ramp_per_s, ..params.pump }),
            start_s: standby.start_s,
            waited_s: 0.0,
            on: false,
        };
        Self { duty: Pump::new(params.pump), standby: params.standby.map(standby) }
    }

    /// Moves drives and impellers on by `dt`.
    pub(super) fn step(&mut self, run: bool, setpoint: f64, faults: SetFaults, dt: f64) {
        self.duty.set_wear(faults.wear);
        self.duty.step(run, setpoint, faults.pump, dt);
        if let Some(standby) = &mut self.standby {
            standby.step(&self.duty, run, setpoint, faults, dt);
        }
    }

    /// The pump that moves the water.
    fn leader(&self) -> &Pump {
        match &self.standby {
            Some(standby) if standby.pump.impeller() > self.duty.impeller() => &standby.pump,
            Some(_) | None => &self.duty,
        }
    }

    /// What one sees of the set's drives.
    pub(super) fn drive(&self) -> Drive {
        match &self.standby {
            Some(standby) if standby.on => standby.pump.drive(),
            Some(_) | None => self.duty.drive(),
        }
    }

    /// The second pump runs.
    pub(super) fn on_standby(&self) -> bool {
        self.standby.as_ref().is_some_and(|standby| standby.on)
    }

    /// Speed that the drives give, share of full speed.
    pub(super) fn speed(&self) -> f64 {
        self.standby.as_ref().map_or(0.0, |standby| standby.pump.speed()).max(self.duty.speed())
    }

    pub(super) fn impeller(&self) -> f64 {
        self.leader().impeller()
    }

    /// The curve right now. `prime` falls from 1 to 0 as the pump draws air.
    pub(super) fn curve_now(&self, prime: f64) -> PumpCurve {
        self.leader().curve_now(prime)
    }

    /// Electric power in W while moving `flow` m³/s against `head` Pa; a pump behind a shut check valve idles.
    pub(super) fn power(&self, flow: f64, head: f64) -> f64 {
        match &self.standby {
            None => self.duty.power(flow, head),
            Some(standby) if standby.pump.impeller() > self.duty.impeller() => {
                standby.pump.power(flow, head) + self.duty.power(0.0, 0.0)
            }
            Some(standby) => self.duty.power(flow, head) + standby.pump.power(0.0, 0.0),
        }
    }

    /// Power that ends in the coolant, of an electric power, W.
    pub(super) fn heat(&self, power: f64) -> f64 {
        self.duty.heat(power)
    }
}

impl Standby {
    fn step(&mut self, duty: &Pump, run: bool, setpoint: f64, faults: SetFaults, dt: f64) {
        let tripped = duty.drive() == Drive::Tripped;
        self.waited_s = if run && tripped { self.waited_s + dt } else { 0.0 };
        let wanted = if self.on {
            tripped || duty.speed() < self.pump.speed() - HANDED_BACK
        } else {
            tripped && self.waited_s >= self.start_s
        };
        self.on = run && wanted && !faults.standby_fails;
        self.pump.set_wear(faults.wear);
        self.pump.step(self.on, setpoint, PumpFaults { trip: false, ..faults.pump }, dt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: f64 = 0.01;
    const TRIPPED: SetFaults =
        SetFaults { pump: PumpFaults { trip: true, sheared: false }, standby_fails: false, wear: None };

    fn running(standby: Option<StandbyParams>) -> PumpSet {
        let mut set = PumpSet::new(&PlantParams { standby, ..PlantParams::default() });
        run(&mut set, SetFaults::default(), 15.0);
        set
    }

    fn run(set: &mut PumpSet, faults: SetFaults, seconds: f64) {
        let mut time = 0.0;
        while time < seconds {
            set.step(true, 0.8, faults, DT);
            time += DT;
        }
    }

    #[test]
    fn a_second_pump_takes_over_within_five_seconds() {
        let mut set = running(Some(StandbyParams::N_PLUS_1));
        run(&mut set, TRIPPED, 2.5);
        assert_eq!((set.drive(), set.on_standby()), (Drive::Tripped, false));
        assert!(set.impeller() < 0.2, "{}", set.impeller());
        run(&mut set, TRIPPED, 2.5);
        assert!(set.on_standby() && set.impeller() > 0.75, "{}", set.impeller());
        assert!(matches!(set.drive(), Drive::Running { .. }));
    }

    #[test]
    fn a_second_pump_that_does_not_start_and_one_that_is_not_there_are_the_same() {
        let (mut fails, mut alone) = (running(Some(StandbyParams::N_PLUS_1)), running(None));
        run(&mut fails, SetFaults { standby_fails: true, ..TRIPPED }, 30.0);
        run(&mut alone, TRIPPED, 30.0);
        assert_eq!((fails.drive(), alone.drive()), (Drive::Tripped, Drive::Tripped));
        assert!(fails.impeller() < 1e-6 && (fails.impeller() - alone.impeller()).abs() < 1e-12);
    }

    #[test]
    fn the_duty_pump_takes_its_place_back_without_a_gap() {
        let mut set = running(Some(StandbyParams::N_PLUS_1));
        run(&mut set, TRIPPED, 20.0);
        for _ in 0..2000 {
            set.step(true, 0.8, SetFaults::default(), DT);
            assert!(set.impeller() > 0.79, "{}", set.impeller());
        }
        assert!(!set.on_standby() && (set.duty.speed() - 0.8).abs() < 1e-6);
    }

    #[test]
    fn both_rest_when_told_to() {
        let mut set = running(Some(StandbyParams::N_PLUS_1));
        run(&mut set, TRIPPED, 20.0);
        set.step(false, 0.8, TRIPPED, DT);
        assert!(!set.on_standby() && set.power(0.0, 0.0).abs() < 1e-12);
    }

    #[test]
    fn a_broken_coupling_stops_both() {
        let mut set = running(Some(StandbyParams::N_PLUS_1));
        let both = SetFaults { pump: PumpFaults { trip: true, sheared: true }, ..TRIPPED };
        run(&mut set, both, 20.0);
        assert!(set.on_standby() && set.impeller() < 1e-3, "{}", set.impeller());
    }
}
