//! No change of mode moves an actuator faster than its slew, except towards more cooling when something is wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may be blunt")]

mod common;

use common::{AGE, healthy};
use eisbach_control::{Controller, Decision, Manual, Remote, Snapshot, StateName, Tuning};
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Millis, Percent, Quantity, Watts};
use proptest::prelude::*;

/// Fastest move of the valve's set-point, % per second.
const VALVE_PER_S: f32 = 2.0;
/// The loops run once a second, give or take a step.
const SLACK: f32 = 1.11;

/// What the world and people do for some seconds.
#[derive(Clone, Debug)]
struct Spell {
    watts: f32,
    supply: f32,
    rise: f32,
    margin: f32,
    remote: Remote,
    /// The supply's sensor, the flow meter, all of the meter, or the room falls silent.
    silent: u8,
    seconds: u64,
}

fn order<Q: Quantity>(low: f32, high: f32) -> impl Strategy<Value = Option<Q>> {
    prop::option::weighted(0.4, (low..high).prop_map(Q::from_f32))
}

prop_compose! {
    fn remote()(
        pump_at_least in order(0.0, 100.0), valve_at_most in order(0.0, 100.0), supply_target in order(20.0, 45.0),
        manual in prop::option::weighted(0.4, (order(0.0, 100.0), order(0.0, 100.0))),
    ) -> Remote {
        let manual = manual.map(|(pump, valve)| Manual { pump, valve });
        Remote { pump_at_least, valve_at_most, supply_target, manual, ..Remote::default() }
    }
}

prop_compose! {
    fn spell(margins: std::ops::Range<f32>)(
        watts in 70.0..700.0_f32, supply in 28.0..39.0_f32, rise in 4.0..16.0_f32, margin in margins,
        remote in remote(), silent in 0..24_u8, seconds in 3..40_u64,
    ) -> Spell {
        Spell { watts, supply, rise, margin, remote, silent, seconds }
    }
}

/// A node that follows what it is told: pump and valve are where they were sent, a little later.
struct World {
    controller: Controller,
    now: Millis,
    pump: f32,
    valve: f32,
}

impl World {
    fn new() -> Self {
        Self { controller: Controller::new(Tuning::default()), now: Millis::ZERO, pump: 70.0, valve: 50.0 }
    }

    fn snapshot(&self, spell: &Spell) -> Snapshot {
        let mut snapshot = healthy();
        for gpu in &mut snapshot.gpus {
            gpu.power = Reading::measured(Watts::new(spell.watts), AGE);
            gpu.margin = Reading::measured(Kelvin::new(spell.margin), AGE);
        }
        snapshot.pump.speed = Reading::measured(Percent::new(self.pump), AGE);
        snapshot.pump.head =
            snapshot.pump.head.map(|_| Quantity::from_f32(115.0 * (self.pump / 100.0) * (self.pump / 100.0)));
        snapshot.valve.position = Reading::measured(Percent::new(self.valve), AGE);
        snapshot.meter.flow = Reading::measured(LitersPerMinute::new(0.125 * self.pump), AGE);
        snapshot.meter.supply = Reading::measured(Celsius::new(spell.supply), AGE);
        snapshot.meter.return_ = Reading::measured(Celsius::new(spell.supply + spell.rise), AGE);
        match spell.silent {
            1 => snapshot.meter.supply = Reading::bad(BadReason::CommLost),
            2 => snapshot.meter.flow = Reading::bad(BadReason::CommLost),
            3 => snapshot.meter = eisbach_control::MeterInput::default(),
            4 => snapshot.room.dew_point = Reading::bad(BadReason::CommLost),
            _ => {}
        }
        snapshot.remote = spell.remote;
        snapshot
    }

    fn step(&mut self, spell: &Spell) -> Decision {
        let snapshot = self.snapshot(spell);
        let decision = self.controller.step(&snapshot, self.now);
        self.now += Millis::new(100);
        let towards = |is: f32, asked: Option<Percent>| {
            asked.map_or(is, |asked| is + (asked.get() - is).clamp(-1.0, 1.0))
        };
        self.pump = towards(self.pump, decision.pump.value);
        self.valve = towards(self.valve, decision.valve.value);
        decision
    }
}

/// Moves within the last second, against what the slew allows.
fn check(history: &[(f32, f32, bool)]) -> Result<(), TestCaseError> {
    let tuning = Tuning::default();
    for pair in history.windows(11) {
        let ((pump, valve, _), (pump_now, valve_now, _)) = (pair[0], pair[10]);
        let safe_only = pair.iter().any(|(_, _, trouble)| *trouble);
        let (up, down) = (pump_now - pump, pump - pump_now);
        prop_assert!(down <= 2.0 * SLACK * tuning.pump_down_per_s, "pump fell by {down}");
        prop_assert!(safe_only || up <= 2.0 * SLACK * tuning.pump_up_per_s, "pump rose by {up}");
        let (open, close) = (valve_now - valve, valve - valve_now);
        prop_assert!(open <= 2.0 * SLACK * VALVE_PER_S, "valve opened by {open}");
        prop_assert!(safe_only || close <= 2.0 * SLACK * VALVE_PER_S, "valve closed by {close}");
    }
    Ok(())
}

fn run(spells: &[Spell]) -> Result<(), TestCaseError> {
    let mut world = World::new();
    let mut history = Vec::new();
    for spell in spells {
        for _ in 0..spell.seconds * 10 {
            let decision = world.step(spell);
            if decision.state == StateName::Boot {
                // Its end takes over what pump and valve do at that moment, whatever they had been told.
                history.clear();
                continue;
            }
            if let (Some(pump), Some(valve)) = (decision.pump.value, decision.valve.value) {
                // Cooling first, an unknown supply and an order for less may take recovery back at once.
                let taken_back = spell.margin < Tuning::default().recovery_full_margin.get()
                    || spell.remote.valve_at_most.is_some()
                    || matches!(spell.silent, 1 | 3);
                let trouble = decision.state != StateName::Running || taken_back;
                history.push((pump.get(), valve.get(), trouble));
            }
        }
    }
    check(&history)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn in_calm_no_change_of_load_or_order_moves_an_actuator_faster_than_its_slew(
        spells in prop::collection::vec(spell(24.0..40.0), 2..12)
    ) {
        run(&spells)?;
    }

    #[test]
    fn in_trouble_actuators_jump_only_towards_more_cooling(spells in prop::collection::vec(spell(2.0..40.0), 2..12)) {
        run(&spells)?;
    }
}
