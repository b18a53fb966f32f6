//! The guard on a loop whose numbers are not the tuning's.

use super::*;
use crate::snapshot::{MeterInput, PumpInput};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{KiloPascal, LitersPerMinute};

/// A loop whose numbers are not the tuning's: 11 L/min and 90 kPa at full speed.
struct Bench {
    guard: FlowGuard,
    now: u64,
    speed: f32,
    set_point: f32,
    flow: f32,
    head: f32,
    /// Meter with its lag.
    shown: f32,
    thermal: Thermal,
}

impl Bench {
    fn new() -> Self {
        let guard = FlowGuard::new(&Tuning::default());
        Self {
            guard,
            now: 0,
            speed: 60.0,
            set_point: 60.0,
            flow: 1.0,
            head: 1.0,
            shown: 6.6,
            thermal: Thermal::Unclear,
        }
    }

    fn snapshot(&self) -> Snapshot {
        let fresh = Millis::new(20);
        Snapshot {
            pump: PumpInput {
                shared: false,
                running: Reading::measured(true, fresh),
                alarm: Reading::measured(false, fresh),
                remote: Reading::measured(true, fresh),
                speed: Reading::measured(Percent::new(self.speed), fresh),
                head: Reading::measured(
                    KiloPascal::new(90.0 * self.head * squared(self.speed / 100.0)),
                    fresh,
                ),
            },
            meter: MeterInput {
                flow: Reading::measured(LitersPerMinute::new(self.shown), fresh),
                ..MeterInput::default()
            },
            ..Snapshot::default()
        }
    }

    fn judge(&mut self, snapshot: &Snapshot) -> Flow {
        self.now += 100;
        self.shown += (0.11 * self.speed * self.flow - self.shown) * 0.1;
        let known = Known {
            run: true,
            set_point: Some(Percent::new(self.set_point)),
            thermal: self.thermal,
            calm: true,
            carries: None,
            now: Millis::new(self.now),
            dt_s: 0.1,
        };
        self.guard.judge(snapshot, known, &Tuning::default())
    }

    fn run(&mut self, tenths: usize) -> Flow {
        (0..tenths).fold(Flow::Unproven, |_, _| {
            let snapshot = self.snapshot();
            self.judge(&snapshot)
        })
    }

    /// Tenths of a second until the flow counts as lost.
    fn tenths_until_lost(&mut self, most: usize, mut change: impl FnMut(&mut Self, f32)) -> Option<usize> {
        (1..=most).find(|tenth| {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            change(self, *tenth as f32 / 10.0);
            matches!(self.run(1), Flow::Lost(_))
        })
    }
}

#[test]
fn steady_flow_is_proven_after_it_has_settled() {
    assert_eq!(Bench::new().run(60), Flow::Proven);
}

#[test]
fn flow_that_coasts_down_is_lost_within_half_a_second() {
    let mut bench = Bench::new();
    bench.run(300);
    let tenths = bench.tenths_until_lost(50, |bench, t| {
        bench.flow = libm::expf(-t / 1.5);
        bench.head = squared(bench.flow);
    });
    assert!(tenths.is_some_and(|tenths| tenths <= 4), "{tenths:?}");
}

#[test]
fn flow_that_is_lost_while_the_loop_is_being_learned_is_proven_again_when_it_is_back() {
    for (flow, head) in [(0.0, 0.0), (0.0, 1.35)] {
        for tenths in 0..60 {
            let mut bench = Bench::new();
            bench.run(tenths);
            (bench.flow, bench.head) = (flow, head);
            let lost = bench.run(100);
            assert!(matches!(lost, Flow::Lost(_)), "{lost:?} with head {head} after {tenths} tenths");
            (bench.flow, bench.head) = (1.0, 1.0);
            assert_eq!(bench.run(300), Flow::Proven, "head {head} after {tenths} tenths");
        }
    }
}

#[test]
fn a_blocked_loop_is_lost_although_the_head_rises() {
    let mut bench = Bench::new();
    bench.run(300);
    let tenths = bench.tenths_until_lost(50, |bench, _| (bench.flow, bench.head) = (0.0, 1.35));
    assert!(tenths.is_some_and(|tenths| tenths <= 5), "{tenths:?}");
}

#[test]
fn speed_changes_are_no_loss_of_flow() {
    let mut bench = Bench::new();
    bench.run(300);
    let mut worst = Flow::Proven;
    for speed in [30.0, 100.0, 45.0, 100.0, 30.0_f32] {
        bench.set_point = speed;
        while (bench.speed - speed).abs() > 0.5 {
            bench.speed += (speed - bench.speed).clamp(-1.0, 1.0);
            let flow = bench.run(1);
            if matches!(flow, Flow::Lost(_)) {
                worst = flow;
            }
        }
    }
    assert_eq!(worst, Flow::Proven);
}

#[test]
fn one_wrong_sample_is_no_loss_of_flow() {
    let mut bench = Bench::new();
    bench.run(300);
    bench.head = 0.3;
    assert!(!matches!(bench.run(1), Flow::Lost(_)));
    bench.head = 1.0;
    assert!(!matches!(bench.run(1), Flow::Lost(_)));
}

#[test]
fn a_drive_that_stops_is_lost_at_its_first_word() {
    let mut bench = Bench::new();
    bench.run(300);
    let mut snapshot = bench.snapshot();
    snapshot.pump.running = Reading::measured(false, Millis::ZERO);
    assert_eq!(bench.judge(&snapshot), Flow::Lost(Reason::PumpStopped));
}

#[test]
fn heating_at_steady_power_is_lost_unless_head_and_flow_deny_it() {
    let mut bench = Bench::new();
    bench.run(300);
    bench.thermal = Thermal::Heating;
    assert_eq!(bench.run(1), Flow::Proven, "head and flow deny it");
    let mut headless = bench.snapshot();
    headless.pump.head = Reading::default();
    assert_eq!(bench.judge(&headless), Flow::Lost(Reason::HeatingUp));
}

#[test]
fn without_pump_and_meter_only_steady_temperatures_keep_the_trust() {
    let nothing = Snapshot::default();
    for (thermal, expected) in
        [(Thermal::Steady, Flow::Blind), (Thermal::Unclear, Flow::Lost(Reason::FlowUnknown))]
    {
        let mut bench = Bench::new();
        bench.run(300);
        bench.thermal = thermal;
        let flow = (0..100).fold(Flow::Proven, |_, _| bench.judge(&nothing));
        assert_eq!(flow, expected);
    }
}

#[test]
fn one_silent_source_is_not_lost_while_the_other_speaks() {
    let mut bench = Bench::new();
    bench.run(300);
    let without_meter = Snapshot { meter: MeterInput::default(), ..bench.snapshot() };
    assert_eq!((0..100).fold(Flow::Blind, |_, _| bench.judge(&without_meter)), Flow::Proven);
    let without_pump = Snapshot { pump: PumpInput::default(), ..bench.snapshot() };
    assert_eq!((0..100).fold(Flow::Blind, |_, _| bench.judge(&without_pump)), Flow::Proven);
}

#[test]
fn lost_flow_is_proven_again_only_after_it_has_settled() {
    let mut bench = Bench::new();
    bench.run(300);
    (bench.flow, bench.head) = (0.0, 0.0);
    bench.run(20);
    (bench.flow, bench.head) = (1.0, 1.0);
    assert!(matches!(bench.run(15), Flow::Lost(_)));
    assert_eq!(bench.run(40), Flow::Proven);
}

#[test]
fn a_drive_that_coasts_is_lost_although_head_and_flow_fit_its_speed() {
    let mut bench = Bench::new();
    bench.run(300);
    let tenths = bench.tenths_until_lost(50, |bench, t| bench.speed = 60.0 * libm::expf(-t / 1.5));
    assert!(tenths.is_some_and(|tenths| tenths <= 5), "{tenths:?}");
}

#[test]
fn a_meter_that_shows_nothing_and_then_dies_is_no_loss_of_flow() {
    let mut bench = Bench::new();
    bench.run(300);
    let mut zero = bench.snapshot();
    zero.meter.flow = Reading::measured(LitersPerMinute::ZERO, Millis::ZERO);
    for _ in 0..5 {
        assert!(!matches!(bench.judge(&zero), Flow::Lost(_)));
    }
    let without = Snapshot { meter: MeterInput::default(), ..bench.snapshot() };
    assert_eq!((0..100).fold(Flow::Blind, |_, _| bench.judge(&without)), Flow::Proven);
}

#[test]
fn a_loop_with_less_flow_than_commissioned_is_learned_with_an_alarm() {
    let mut bench = Bench::new();
    (bench.flow, bench.head, bench.shown) = (0.68, 0.9, 4.5);
    assert_eq!(bench.run(200), Flow::Unproven);
    let snapshot = bench.snapshot();
    assert!(bench.guard.is_doubtful(&snapshot, Millis::new(bench.now), &Tuning::default()));
    assert_eq!(bench.run(300), Flow::Proven);
    assert!(bench.guard.is_doubtful(&snapshot, Millis::new(bench.now), &Tuning::default()));
}

#[test]
fn friction_at_low_speed_is_no_doubt_and_a_strangled_loop_is_at_any_speed() {
    let doubtful = |speed, flow| {
        let mut bench = Bench::new();
        (bench.speed, bench.set_point, bench.flow) = (speed, speed, flow);
        bench.shown = 0.11 * speed * flow;
        bench.run(2000);
        bench.guard.is_doubtful(&bench.snapshot(), Millis::new(bench.now), &Tuning::default())
    };
    assert!(!doubtful(30.0, 0.82), "72 % of what is commissioned");
    assert!(doubtful(30.0, 0.6), "53 %");
    assert!(doubtful(90.0, 0.8), "70 %");
}

#[test]
fn head_that_follows_speed_a_little_late_or_unevenly_is_no_loss_of_flow() {
    let mut bench = Bench::new();
    bench.speed = 30.0;
    bench.set_point = 30.0;
    bench.shown = 3.3;
    bench.run(300);
    bench.set_point = 100.0;
    while bench.speed < 100.0 {
        // 20 % per second, 0.2 s late, and 20 % less head over speed² at the top.
        bench.speed += 2.0;
        let late = bench.speed - 4.0;
        bench.head = squared(late / bench.speed) * (1.0 - 0.2 * (bench.speed - 30.0) / 70.0);
        assert!(!matches!(bench.run(1), Flow::Lost(_)), "at {} %", bench.speed);
    }
}

#[test]
fn a_strainer_that_was_cleaned_is_no_loss_for_ever_once_temperatures_hold() {
    let mut bench = Bench::new();
    (bench.flow, bench.head) = (0.5, 1.3);
    assert_eq!(bench.run(1800), Flow::Proven, "the clogged loop is learned");
    (bench.flow, bench.head) = (1.0, 1.0);
    assert_eq!(bench.run(600), Flow::Lost(Reason::HeadCollapsed), "not while temperatures may rise");
    bench.thermal = Thermal::Steady;
    assert_eq!(bench.run(200), Flow::Lost(Reason::HeadCollapsed), "not at once");
    assert_eq!(bench.run(200), Flow::Proven);
}
