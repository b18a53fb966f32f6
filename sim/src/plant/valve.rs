//! The recovery valve: 0 % sends all facility water through the river exchanger, 100 % all through heat
//! recovery.
//!
//! ```text
//!  set-point ──► motor (dead-band, 60 s stroke) ──► stem (play, stiction) ──► share through recovery
//!                  └─► feedback
//! ```
//!
//! The feedback sits on the motor, so nobody sees the play. The river port is equal-percentage: when it is
//! nearly closed a step changes the cooling by a constant share, which keeps the loop's gain even where the
//! loop works.

use core::fmt;

use super::memo::Memo;
pub(super) use super::params::Stiction;
use super::params::{Characteristic, ValveParams};

/// Below this opening the equal-percentage port closes in a straight line.
const SEAT: f64 = 0.05;
/// Closer than this the motor is there.
const ARRIVED: f64 = 1e-6;

/// Motor, stem and ports.
#[derive(Clone)]
pub(crate) struct Valve {
    params: ValveParams,
    motor: f64,
    stem: f64,
    turning: bool,
    stiction: Stiction,
    /// The stem has broken loose and follows the motor.
    sliding: bool,
    /// How long the motor has pushed without moving, s.
    blocked_s: f64,
    /// Share of the flow through heat recovery, of where the stem stands.
    share: Memo,
}

impl fmt::Debug for Valve {
    /// Its state, which what was reckoned from it is no part of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { params, motor, stem, turning, stiction, sliding, blocked_s, share: _ } = self;
        f.debug_struct("Valve")
            .field("params", params)
            .field("motor", motor)
            .field("stem", stem)
            .field("turning", turning)
            .field("stiction", stiction)
            .field("sliding", sliding)
            .field("blocked_s", blocked_s)
            .finish()
    }
}

impl Valve {
    pub(crate) fn new(params: ValveParams) -> Self {
        let stiction = params.stiction;
        Self {
            params,
            motor: 0.0,
            stem: 0.0,
            turning: false,
            stiction,
            sliding: false,
            blocked_s: 0.0,
            share: Memo::default(),
        }
    }

    /// Makes the stem stick like this, or in its own way.
    pub(crate) fn set_stiction(&mut self, stiction: Option<Stiction>) {
        self.stiction = stiction.unwrap_or(self.params.stiction);
    }

    /// Drives towards `setpoint` for `dt`.
    pub(crate) fn step(&mut self, setpoint: f64, stuck: bool, dt: f64) {
        let way = setpoint - self.motor;
        // Once it turns it goes all the way, and end positions are always driven to.
        let at_end = setpoint <= 0.0 || setpoint >= 1.0;
        let near = if self.turning || at_end { ARRIVED } else { self.params.dead_band };
        self.turning = way.abs() > near;
        self.blocked_s = if self.turning && stuck { self.blocked_s + dt } else { 0.0 };
        if self.turning && !stuck {
            let reach = dt / self.params.stroke_s;
            self.motor += way.clamp(-reach, reach);
        }
        let play = self.params.play / 2.0;
        let pushed = self.stem.clamp(self.motor - play, self.motor + play).clamp(0.0, 1.0);
        self.stem = if self.stiction.stick > 0.0 { self.slip(pushed) } else { pushed };
    }

    /// Where a sticking stem goes that is pushed to `pushed`: nowhere, until the strain breaks it loose.
    fn slip(&mut self, pushed: f64) -> f64 {
        let Stiction { stick, jump } = self.stiction;
        let strain = pushed - self.stem;
        let holds = if self.sliding { stick - jump } else { stick };
        self.sliding = strain.abs() > holds;
        if self.sliding { pushed - (stick - jump).copysign(strain) } else { self.stem }
    }

    /// Position as the actuator feels it, 0 to 1.
    pub(crate) fn motor(&self) -> f64 {
        self.motor
    }

    /// The motor has pushed in vain for too long.
    pub(crate) fn fault(&self) -> bool {
        self.blocked_s > self.params.fault_after_s
    }

    /// Share of the flow that goes through heat recovery.
    pub(crate) fn recovery_share(&self) -> f64 {
        share(&self.params, self.stem)
    }

    /// The same, reckoned only when the stem has moved.
    pub(crate) fn recovery_share_again(&mut self) -> f64 {
        self.share.of(self.stem, |stem| share(&self.params, stem))
    }
}

/// Share of the flow that goes through heat recovery while the stem stands here.
fn share(params: &ValveParams, stem: f64) -> f64 {
    let inherent = port(params.characteristic, 1.0 - stem);
    let share = 1.0 - installed(inherent, params.authority);
    share.clamp(params.leakage, 1.0 - params.leakage)
}

/// Flow share through a port at an opening.
fn port(characteristic: Characteristic, opening: f64) -> f64 {
    match characteristic {
        Characteristic::Linear => opening,
        Characteristic::EqualPercentage { rangeability } => {
            let curve = |opening: f64| rangeability.powf(opening - 1.0);
            if opening < SEAT { curve(SEAT) * opening / SEAT } else { curve(opening) }
        }
    }
}

/// Flow share through a port that has only a part of its branch's pressure drop to itself.
fn installed(inherent: f64, authority: f64) -> f64 {
    if authority >= 1.0 || inherent <= 0.0 {
        return inherent;
    }
    1.0 / (1.0 + authority * (1.0 / (inherent * inherent) - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: f64 = 0.01;

    fn drive(valve: &mut Valve, setpoint: f64, seconds: f64) {
        let mut time = 0.0;
        while time < seconds {
            valve.step(setpoint, false, DT);
            time += DT;
        }
    }

    #[test]
    fn the_valve_takes_its_stroke_time_from_end_to_end() {
        let mut valve = Valve::new(ValveParams::ENERGY_VALVE);
        drive(&mut valve, 1.0, 59.0);
        assert!(valve.motor() < 1.0);
        drive(&mut valve, 1.0, 1.1);
        assert!((valve.motor() - 1.0).abs() < 1e-5, "{}", valve.motor());
    }

    #[test]
    fn a_step_inside_the_dead_band_moves_nothing_and_a_larger_one_arrives() {
        let mut valve = Valve::new(ValveParams::ENERGY_VALVE);
        drive(&mut valve, 0.5, 40.0);
        drive(&mut valve, 0.504, 5.0);
        assert!((valve.motor() - 0.5).abs() < 1e-5);
        drive(&mut valve, 0.52, 5.0);
        assert!((valve.motor() - 0.52).abs() < 1e-5);
    }

    #[test]
    fn the_stem_lags_behind_a_reversal() {
        let mut valve = Valve::new(ValveParams::ENERGY_VALVE);
        drive(&mut valve, 0.5, 40.0);
        let up = valve.recovery_share();
        drive(&mut valve, 0.6, 20.0);
        drive(&mut valve, 0.5, 20.0);
        assert!(valve.recovery_share() > up + 0.002, "coming from above the stem rests higher");
    }

    #[test]
    fn opening_the_valve_moves_flow_to_recovery_all_the_way() {
        for characteristic in [Characteristic::EqualPercentage { rangeability: 50.0 }, Characteristic::Linear]
        {
            let ports: Vec<f64> =
                (0..=100).map(|step| port(characteristic, f64::from(step) / 100.0)).collect();
            assert!(ports.is_sorted_by(|low, high| low < high));
            assert!(ports[0].abs() < 1e-12 && (ports[100] - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_sticky_stem_waits_for_two_percent_and_then_slips_by_one() {
        let mut valve = Valve::new(ValveParams { play: 0.0, ..ValveParams::ENERGY_VALVE });
        drive(&mut valve, 0.5, 40.0);
        valve.set_stiction(Some(Stiction { stick: 0.02, jump: 0.01 }));
        let rests = valve.stem;
        drive(&mut valve, 0.519, 10.0);
        assert!((valve.stem - rests).abs() < 1e-9 && (valve.motor() - 0.519).abs() < 1e-5);
        drive(&mut valve, 0.526, 10.0);
        assert!((valve.motor() - valve.stem - 0.01).abs() < 1e-3, "{} {}", valve.motor(), valve.stem);
        let high = valve.stem;
        drive(&mut valve, 0.505, 10.0);
        assert!((valve.stem - high).abs() < 1e-9, "it sticks on the way back too");
        drive(&mut valve, 0.4, 20.0);
        assert!((valve.stem - valve.motor() - 0.01).abs() < 1e-3, "{} {}", valve.motor(), valve.stem);
        valve.set_stiction(None);
        valve.step(0.4, false, DT);
        assert!((valve.stem - valve.motor()).abs() < 1e-9);
    }

    #[test]
    fn a_port_of_little_authority_opens_early() {
        for inherent in [0.02, 0.1, 0.5] {
            assert!((installed(inherent, 1.0) - inherent).abs() < 1e-12);
            assert!(installed(inherent, 0.3) > installed(inherent, 0.6));
        }
        assert!((installed(1.0, 0.3) - 1.0).abs() < 1e-12 && installed(0.0, 0.3).abs() < 1e-12);
    }

    #[test]
    fn each_tenth_of_an_equal_percentage_port_changes_its_flow_by_the_same_share() {
        let port = |opening| port(Characteristic::EqualPercentage { rangeability: 50.0 }, opening);
        for opening in [0.1, 0.3, 0.5, 0.7, 0.9] {
            let ratio: f64 = port(opening + 0.1) / port(opening);
            assert!((ratio - 50.0_f64.powf(0.1)).abs() < 1e-9, "{opening}: {ratio}");
        }
    }

    #[test]
    fn a_stuck_valve_stays_and_reports_a_fault() {
        let mut valve = Valve::new(ValveParams::ENERGY_VALVE);
        drive(&mut valve, 0.5, 40.0);
        for _ in 0..600 {
            valve.step(0.0, true, DT);
        }
        assert!((valve.motor() - 0.5).abs() < 1e-5 && valve.fault());
        valve.step(0.0, false, DT);
        assert!(!valve.fault());
    }
}
