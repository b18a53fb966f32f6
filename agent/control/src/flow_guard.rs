//! The loss-of-flow guard: does the coolant move as the pump's speed says it should?
//!
//! ```text
//!  drive: stopped, alarm, no speed ───────────────────┐
//!  head far below speed² ──(two new samples)──────────┤
//!  head above and flow below ──(two new samples)──────┼──► Lost(why)
//!  flow far below speed ──(two new samples)───────────┤
//!  GPUs heat up at steady power ──────────────────────┤
//!  pump and meter silent, temperatures not steady ────┘
//!  everything as it should for 2 s ──────────────────────► Proven
//! ```
//!
//! The meter lags by a second, the head follows within a tenth: with the flow gone, a cold plate reaches slowdown
//! in four to nine seconds, so the head decides. What head and flow belong to which speed is learned while all is
//! well, because no two loops are alike, and is frozen the moment doubt arises.

use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{LitersPerMinute, Millis, Percent};

use crate::decision::Reason;
use crate::history::Thermal;
use crate::snapshot::Snapshot;
use crate::tuning::Tuning;

/// Head this far below its expectation is a collapse: as a share, and at least this many kPa (sensor noise).
const HEAD_DROP: (f32, f32) = (0.15, 4.0);
/// Head this far above its expectation, with flow below, is a blocked loop.
const HEAD_RISE: (f32, f32) = (0.15, 4.0);
/// Flow below this share of its expectation supports a finding of blockage.
const FLOW_LOW: f32 = 0.85;
/// Flow below this share is lost, whatever the head.
const FLOW_GONE: f32 = 0.4;
/// Flow above this share proves flow.
const FLOW_PROOF: f32 = 0.7;
/// The flow meter's lag, to compare like with like (heat meter practice: about 1 s).
const METER_LAG_S: f32 = 1.0;
/// Time constant with which the loop's own behaviour is learned.
const LEARN_S: f32 = 20.0;
/// All well for this long before it is learned from, and before flow counts as proven.
const SETTLED: Millis = Millis::from_secs(2);
/// A started pump is given this long to come up.
const SPIN_UP: Millis = Millis::from_secs(5);
/// Below this speed a pump moves nothing.
const STANDSTILL: Percent = Percent::new(10.0);
/// New samples in a row that must agree.
const AGREE: u8 = 2;

/// What is known about the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It is there.
    Proven,
    /// Nothing speaks against it, not enough for it.
    Unproven,
    /// Neither pump nor meter answers; the GPUs' temperatures hold.
    Blind,
    /// It is not there.
    Lost(Reason),
}

/// The guard's memory.
#[derive(Clone, Debug)]
pub(crate) struct FlowGuard {
    /// L/min per % of speed.
    flow_per_percent: f32,
    /// kPa per (100 % of speed) squared.
    head_at_full: f32,
    /// Whether head has been learned on this loop.
    armed: bool,
    flow_expected: Option<f32>,
    head_seen: Freshness,
    flow_seen: Freshness,
    head_low: u8,
    head_high: u8,
    flow_gone: u8,
    well_since: Option<Millis>,
    run_since: Option<Millis>,
    last_evidence: Option<Millis>,
    lost: Option<Reason>,
}

impl FlowGuard {
    pub(crate) fn new(tuning: &Tuning) -> Self {
        Self {
            flow_per_percent: tuning.full_speed_flow.get() / 100.0,
            head_at_full: tuning.full_speed_head.get(),
            armed: false,
            flow_expected: None,
            head_seen: Freshness::default(),
            flow_seen: Freshness::default(),
            head_low: 0,
            head_high: 0,
            flow_gone: 0,
            well_since: None,
            run_since: None,
            last_evidence: None,
            lost: None,
        }
    }

    /// Flow that one percent of pump speed gives on this loop.
    pub(crate) fn flow_per_percent(&self) -> LitersPerMinute {
        LitersPerMinute::new(self.flow_per_percent)
    }

    /// Judges the flow. `run` is whether the pump has been told to turn.
    pub(crate) fn judge(
        &mut self,
        snapshot: &Snapshot,
        run: bool,
        thermal: Thermal,
        (now, dt_s): (Millis, f32),
        tuning: &Tuning,
    ) -> Flow {
        self.run_since = if run { self.run_since.or(Some(now)) } else { None };
        let pump = &snapshot.pump;
        let speed = pump.speed.usable();
        let flow = snapshot.meter.flow.usable();
        if speed.is_some() || flow.is_some() {
            self.last_evidence = Some(now);
        }
        self.expect_flow(speed, dt_s);
        self.count(snapshot, now);

        let found = self.drive(snapshot, now).or_else(|| self.hydraulics()).or(match thermal {
            Thermal::Heating => Some(Reason::HeatingUp),
            Thermal::Steady | Thermal::Unclear => None,
        });
        let blind_for = now.since(self.last_evidence.unwrap_or(Millis::ZERO));
        let blind = speed.is_none() && flow.is_none();
        let found = found.or_else(|| {
            (blind && blind_for > tuning.blind_after && thermal != Thermal::Steady)
                .then_some(Reason::FlowUnknown)
        });
        if let Some(reason) = found {
            self.well_since = None;
            self.lost = Some(self.lost.unwrap_or(reason));
            return Flow::Lost(self.lost.unwrap_or(reason));
        }
        if blind {
            self.well_since = None;
            return self.lost.map_or(Flow::Blind, Flow::Lost);
        }
        if !self.proves(snapshot) {
            self.well_since = None;
            return self.lost.map_or(Flow::Unproven, Flow::Lost);
        }
        let since = *self.well_since.get_or_insert(now);
        if now.since(since) < SETTLED {
            return self.lost.map_or(Flow::Unproven, Flow::Lost);
        }
        self.lost = None;
        self.learn(snapshot, dt_s, tuning);
        Flow::Proven
    }

    /// The drive's own word.
    fn drive(&self, snapshot: &Snapshot, now: Millis) -> Option<Reason> {
        let pump = &snapshot.pump;
        let up = self.run_since.is_some_and(|since| now.since(since) > SPIN_UP);
        let stopped = pump.running.usable() == Some(false)
            || pump.alarm.usable() == Some(true)
            || pump.speed.usable().is_some_and(|speed| speed < STANDSTILL);
        (up && stopped).then_some(Reason::PumpStopped)
    }

    /// What head and flow say together.
    fn hydraulics(&self) -> Option<Reason> {
        if self.flow_gone >= AGREE {
            Some(Reason::FlowCollapsed)
        } else if self.armed && self.head_low >= AGREE {
            Some(Reason::HeadCollapsed)
        } else if self.armed && self.head_high >= AGREE {
            Some(Reason::LoopBlocked)
        } else {
            None
        }
    }

    /// Counts new samples in a row that contradict the expectation.
    fn count(&mut self, snapshot: &Snapshot, now: Millis) {
        let flow_share = self.flow_share(snapshot);
        if let (Some(head), Some(speed)) = (snapshot.pump.head.usable(), snapshot.pump.speed.usable())
            && self.head_seen.is_new(&snapshot.pump.head, now)
        {
            let expected = self.head_at_full * squared(speed.get() / 100.0);
            let low = head.get() < expected - (HEAD_DROP.0 * expected).max(HEAD_DROP.1);
            let high = head.get() > expected + (HEAD_RISE.0 * expected).max(HEAD_RISE.1)
                && flow_share.is_some_and(|share| share < FLOW_LOW);
            self.head_low = if low { self.head_low.saturating_add(1) } else { 0 };
            self.head_high = if high { self.head_high.saturating_add(1) } else { 0 };
        }
        if let Some(share) = flow_share
            && self.flow_seen.is_new(&snapshot.meter.flow, now)
        {
            self.flow_gone = if share < FLOW_GONE { self.flow_gone.saturating_add(1) } else { 0 };
        }
    }

    /// Whether what is measured is what flow looks like.
    fn proves(&self, snapshot: &Snapshot) -> bool {
        let turns = snapshot.pump.speed.usable().is_none_or(|speed| speed >= STANDSTILL)
            && snapshot.pump.running.usable() != Some(false);
        let flows = self.flow_share(snapshot).map(|share| share >= FLOW_PROOF);
        // Before this loop's own head is known, only the meter can prove flow.
        let head = snapshot.pump.head.usable().filter(|_| self.armed);
        let lifts = head.zip(snapshot.pump.speed.usable()).map(|(head, speed)| {
            head.get() >= FLOW_PROOF * self.head_at_full * squared(speed.get() / 100.0) - HEAD_DROP.1
        });
        turns && flows != Some(false) && lifts != Some(false) && (flows.is_some() || lifts.is_some())
    }

    /// Measured flow as a share of what the pump's speed should give. The pump being silent, flow itself decides.
    fn flow_share(&self, snapshot: &Snapshot) -> Option<f32> {
        let flow = snapshot.meter.flow.usable()?;
        let expected = self.flow_expected.filter(|expected| *expected > 0.5)?;
        Some(flow.get() / expected)
    }

    fn expect_flow(&mut self, speed: Option<Percent>, dt_s: f32) {
        let Some(speed) = speed else { return };
        let through = speed.get() * self.flow_per_percent;
        let before = self.flow_expected.unwrap_or(through);
        self.flow_expected = Some(before + (through - before) * (dt_s / (METER_LAG_S + dt_s)));
    }

    /// Lets the expectations follow the loop as it is, slowly and within bounds.
    fn learn(&mut self, snapshot: &Snapshot, dt_s: f32, tuning: &Tuning) {
        let share = dt_s / LEARN_S;
        let Some(speed) = snapshot.pump.speed.usable().filter(|speed| speed.get() >= 20.0) else { return };
        let nominal = tuning.full_speed_flow.get() / 100.0;
        if let Some(ratio) = self.flow_share(snapshot) {
            let seen = self.flow_per_percent * ratio;
            self.flow_per_percent += (seen - self.flow_per_percent) * share;
            self.flow_per_percent = self.flow_per_percent.clamp(0.5 * nominal, 1.5 * nominal);
        }
        if let Some(head) = snapshot.pump.head.usable() {
            let seen = head.get() / squared(speed.get() / 100.0);
            if self.armed {
                self.head_at_full += (seen - self.head_at_full) * share;
            } else {
                self.head_at_full = seen;
                self.armed = true;
            }
            let nominal = tuning.full_speed_head.get();
            self.head_at_full = self.head_at_full.clamp(0.3 * nominal, 3.0 * nominal);
        }
    }
}

/// Tells a new sample from an old one that is merely read again.
#[derive(Clone, Copy, Debug, Default)]
struct Freshness(Option<Millis>);

impl Freshness {
    fn is_new<T>(&mut self, reading: &Reading<T>, now: Millis) -> bool {
        let taken = Millis::new(now.get().saturating_sub(reading.age().get()));
        // Two clocks round to milliseconds: a difference below 5 ms is the same sample.
        let new = self.0.is_none_or(|last| taken.since(last) >= Millis::new(5));
        if new {
            self.0 = Some(taken);
        }
        new
    }
}

fn squared(x: f32) -> f32 {
    x * x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{MeterInput, PumpInput};
    use eisbach_protocol::units::KiloPascal;

    /// A loop whose numbers are not the tuning's: 11 L/min and 90 kPa at full speed.
    struct Bench {
        guard: FlowGuard,
        now: u64,
        speed: f32,
        flow: f32,
        head: f32,
        /// Meter with its lag.
        shown: f32,
        thermal: Thermal,
    }

    impl Bench {
        fn new() -> Self {
            let guard = FlowGuard::new(&Tuning::default());
            Self { guard, now: 0, speed: 60.0, flow: 1.0, head: 1.0, shown: 6.6, thermal: Thermal::Unclear }
        }

        fn snapshot(&self) -> Snapshot {
            let fresh = Millis::new(20);
            Snapshot {
                pump: PumpInput {
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
            self.guard.judge(snapshot, true, self.thermal, (Millis::new(self.now), 0.1), &Tuning::default())
        }

        fn run(&mut self, tenths: usize) -> Flow {
            (0..tenths).fold(Flow::Unproven, |_, _| {
                let snapshot = self.snapshot();
                self.judge(&snapshot)
            })
        }

        /// Tenths of a second until the flow counts as lost.
        fn tenths_until_lost(
            &mut self,
            most: usize,
            mut change: impl FnMut(&mut Self, f32),
        ) -> Option<usize> {
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
    fn heating_at_steady_power_is_lost_whatever_the_meters_say() {
        let mut bench = Bench::new();
        bench.run(300);
        bench.thermal = Thermal::Heating;
        assert_eq!(bench.run(1), Flow::Lost(Reason::HeatingUp));
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
}
