//! The loss-of-flow guard: does the coolant move as the pump's speed says it should?
//!
//! ```text
//!  drive: stopped, no speed, or speed falling unasked ┐
//!  head far below speed² ──(two new samples)──────────┤
//!  head above and flow below ──(two new samples)──────┼──► Lost(why)
//!  flow far below speed and head no better ───────────┤
//!  GPUs heat up at steady power, no head to deny it ──┤
//!  pump and meter silent, temperatures not steady ────┘
//!  everything as it should for 2 s ──────────────────────► Proven
//! ```
//!
//! The meter lags by a second, the head follows within a tenth: with the flow gone, a cold plate reaches slowdown
//! in four to nine seconds, so the head decides. What head and flow belong to which speed is learned while all is
//! well, because no two loops are alike, and is frozen the moment doubt arises.

use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{LitersPerMinute, Millis, Percent};
use heapless::Deque;

use crate::decision::Reason;
use crate::history::Thermal;
use crate::snapshot::Snapshot;
use crate::tuning::Tuning;

/// Head this far off its expectation is a collapse or a blockage: as a share near the speed at which it was learned,
/// and far from it (head over speed² changes a little with speed); and at least this many kPa (sensor noise).
const HEAD_BAND: (f32, f32, f32) = (0.15, 0.30, 4.0);
/// How far from the learned speed counts as near, points of speed.
const NEAR_SPEED: f32 = 10.0;
/// Flow below this share of its expectation supports a finding of blockage.
const FLOW_LOW: f32 = 0.85;
/// Flow below this share is gone.
const FLOW_GONE: f32 = 0.4;
/// Flow above this share proves flow.
const FLOW_PROOF: f32 = 0.7;
/// The flow meter's lag, to compare like with like (heat meter practice: about 1 s).
const METER_LAG_S: f32 = 1.0;
/// Time constant with which the loop's own behaviour is learned.
const LEARN_S: f32 = 20.0;
/// Head counts as learned after so many steps (2 s).
const ARMED_AFTER: u8 = 20;
/// All well for this long before it is learned from, and before flow counts as proven.
const SETTLED: Millis = Millis::from_secs(2);
/// Flow steadily below its expectation for this long, with wide margins, is how this loop is.
const ADOPT_AFTER: Millis = Millis::from_secs(30);
/// Low flow is an alarm after this long.
const DOUBT_AFTER: Millis = Millis::from_secs(10);
/// Learned flow below this share of the commissioned one is worth a look at the loop.
const COMMISSIONED: f32 = 0.75;
/// A started pump is given this long to come up.
const SPIN_UP: Millis = Millis::from_secs(5);
/// Below this speed a pump moves nothing.
const STANDSTILL: Percent = Percent::new(10.0);
/// Speed that falls by so many points within [`SPEEDS`] steps, below its set-point, is a drive that coasts.
const COASTING: f32 = 5.0;
/// Steps over which speeds are kept: 0.5 s.
const SPEEDS: usize = 6;
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

/// What the guard is told besides the snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Whether the pump has been told to turn.
    pub(crate) run: bool,
    /// Speed it was told, if any.
    pub(crate) set_point: Option<Percent>,
    /// What the GPUs' temperatures say.
    pub(crate) thermal: Thermal,
    /// Whether every measured margin is wide.
    pub(crate) calm: bool,
    pub(crate) now: Millis,
    /// Time since the last step.
    pub(crate) dt_s: f32,
}

/// The guard's memory.
#[derive(Clone, Debug)]
pub(crate) struct FlowGuard {
    /// L/min per % of speed.
    flow_per_percent: f32,
    /// kPa per (100 % of speed) squared, the speed at which it was learned, and for how many steps.
    head_at_full: f32,
    head_speed: f32,
    learned: u8,
    flow_expected: Option<f32>,
    head_seen: Freshness,
    flow_seen: Freshness,
    speed_seen: Freshness,
    head_low: u8,
    head_high: u8,
    flow_gone: u8,
    coasting: u8,
    speeds: Deque<f32, SPEEDS>,
    well_since: Option<Millis>,
    low_since: Option<Millis>,
    run_since: Option<Millis>,
    last_evidence: Option<Millis>,
    lost: Option<Reason>,
}

impl FlowGuard {
    pub(crate) fn new(tuning: &Tuning) -> Self {
        Self {
            flow_per_percent: tuning.full_speed_flow.get() / 100.0,
            head_at_full: tuning.full_speed_head.get(),
            head_speed: 0.0,
            learned: 0,
            flow_expected: None,
            head_seen: Freshness::default(),
            flow_seen: Freshness::default(),
            speed_seen: Freshness::default(),
            head_low: 0,
            head_high: 0,
            flow_gone: 0,
            coasting: 0,
            speeds: Deque::new(),
            well_since: None,
            low_since: None,
            run_since: None,
            last_evidence: None,
            lost: None,
        }
    }

    /// Flow that one percent of pump speed gives on this loop.
    pub(crate) fn flow_per_percent(&self) -> LitersPerMinute {
        LitersPerMinute::new(self.flow_per_percent)
    }

    /// Whether flow cannot be judged as it should: no head, or far less flow than commissioned.
    pub(crate) fn is_doubtful(&self, snapshot: &Snapshot, now: Millis, tuning: &Tuning) -> bool {
        let no_head = snapshot.pump.speed.usable().is_some() && snapshot.pump.head.usable().is_none();
        let poor = self.flow_per_percent < COMMISSIONED * tuning.full_speed_flow.get() / 100.0;
        // A meter lags behind a pump that starts: low flow must last to be doubtful.
        no_head || poor || self.low_since.is_some_and(|since| now.since(since) > DOUBT_AFTER)
    }

    /// Judges the flow.
    pub(crate) fn judge(&mut self, snapshot: &Snapshot, known: Known, tuning: &Tuning) -> Flow {
        let Known { run, now, .. } = known;
        self.run_since = if run { self.run_since.or(Some(now)) } else { None };
        self.remember(snapshot, &known);
        self.count(snapshot, now);
        let silent_for = self.silent_for(snapshot, now);

        let found = self
            .drive(snapshot, now)
            .or_else(|| self.hydraulics())
            .or_else(|| self.heating(snapshot, known.thermal))
            .or_else(|| {
                (silent_for > tuning.blind_after && known.thermal != Thermal::Steady)
                    .then_some(Reason::FlowUnknown)
            });
        if let Some(reason) = found {
            self.well_since = None;
            return Flow::Lost(*self.lost.get_or_insert(reason));
        }
        if snapshot.pump.speed.usable().is_none() && snapshot.meter.flow.usable().is_none() {
            self.well_since = None;
            return self.lost.map_or(Flow::Blind, Flow::Lost);
        }
        if self.lost == Some(Reason::FlowUnknown) {
            // Not knowing ends with the first word.
            self.lost = None;
        }
        self.adopt(snapshot, &known, tuning);
        if !self.proves(snapshot) {
            self.well_since = None;
            return self.lost.map_or(Flow::Unproven, Flow::Lost);
        }
        let since = *self.well_since.get_or_insert(now);
        if now.since(since) < SETTLED {
            return self.lost.map_or(Flow::Unproven, Flow::Lost);
        }
        self.lost = None;
        self.learn(snapshot, known.dt_s, tuning);
        Flow::Proven
    }

    /// Age of the newest word of pump or meter; since the first step if there was none.
    fn silent_for(&mut self, snapshot: &Snapshot, now: Millis) -> Millis {
        let newest = [
            snapshot.pump.speed.last_known().map(|_| snapshot.pump.speed.age()),
            snapshot.meter.flow.last_known().map(|_| snapshot.meter.flow.age()),
        ]
        .into_iter()
        .flatten()
        .min();
        let first = *self.last_evidence.get_or_insert(now);
        if let Some(age) = newest {
            self.last_evidence = Some(first.max(Millis::new(now.get().saturating_sub(age.get()))));
        }
        now.since(self.last_evidence.unwrap_or(now))
    }

    /// The drive's own word.
    fn drive(&self, snapshot: &Snapshot, now: Millis) -> Option<Reason> {
        let pump = &snapshot.pump;
        let up = self.run_since.is_some_and(|since| now.since(since) > SPIN_UP);
        let stopped = pump.running.usable() == Some(false)
            || pump.speed.usable().is_some_and(|speed| speed < STANDSTILL);
        ((up && stopped) || self.coasting >= AGREE).then_some(Reason::PumpStopped)
    }

    /// What head and flow say together.
    fn hydraulics(&self) -> Option<Reason> {
        if self.flow_gone >= AGREE {
            Some(Reason::FlowCollapsed)
        } else if self.head_low >= AGREE {
            Some(Reason::HeadCollapsed)
        } else if self.head_high >= AGREE {
            Some(Reason::LoopBlocked)
        } else {
            None
        }
    }

    /// Heating counts unless head and flow are both as they should be.
    fn heating(&self, snapshot: &Snapshot, thermal: Thermal) -> Option<Reason> {
        let well = self.lifts(snapshot) == Some(true)
            && self.flow_share(snapshot).is_some_and(|share| share >= FLOW_LOW);
        (thermal == Thermal::Heating && !well).then_some(Reason::HeatingUp)
    }

    /// Keeps the last speeds, and the flow that belongs to them.
    fn remember(&mut self, snapshot: &Snapshot, known: &Known) {
        let Some(speed) = snapshot.pump.speed.usable().map(Percent::get) else {
            self.speeds.clear();
            self.coasting = 0;
            return;
        };
        if self.speed_seen.is_new(&snapshot.pump.speed, known.now) {
            let highest = self.speeds.iter().copied().fold(speed, f32::max);
            let local = snapshot.pump.remote.usable() == Some(false);
            let below = known.set_point.is_some_and(|set_point| speed < set_point.get() - COASTING);
            let coasts = known.run && !local && below && highest - speed > COASTING;
            self.coasting = if coasts { self.coasting.saturating_add(1) } else { 0 };
        }
        push(&mut self.speeds, speed);
        let through = speed * self.flow_per_percent;
        let before = self.flow_expected.unwrap_or(through);
        self.flow_expected = Some(before + (through - before) * (known.dt_s / (METER_LAG_S + known.dt_s)));
    }

    /// Counts new samples in a row that contradict the expectation. What is not there contradicts nothing.
    fn count(&mut self, snapshot: &Snapshot, now: Millis) {
        let flow_share = self.flow_share(snapshot);
        match (snapshot.pump.head.usable(), self.head_band()) {
            (Some(head), Some((low, high))) => {
                if self.head_seen.is_new(&snapshot.pump.head, now) {
                    let blocked = head.get() > high && flow_share.is_some_and(|share| share < FLOW_LOW);
                    self.head_low = if head.get() < low { self.head_low.saturating_add(1) } else { 0 };
                    self.head_high = if blocked { self.head_high.saturating_add(1) } else { 0 };
                }
            }
            _ => (self.head_low, self.head_high) = (0, 0),
        }
        match flow_share {
            // With the head as it should be the meter is wrong, not the flow.
            Some(share) if share < FLOW_GONE && self.lifts(snapshot) != Some(true) => {
                if self.flow_seen.is_new(&snapshot.meter.flow, now) {
                    self.flow_gone = self.flow_gone.saturating_add(1);
                }
            }
            _ => self.flow_gone = 0,
        }
    }

    /// Lowest and highest head that belong to the speeds of the last half second, once learned.
    fn head_band(&self) -> Option<(f32, f32)> {
        if self.learned < ARMED_AFTER || self.speeds.is_empty() {
            return None;
        }
        let slowest = self.speeds.iter().copied().fold(f32::MAX, f32::min);
        let fastest = self.speeds.iter().copied().fold(0.0, f32::max);
        let far = (slowest - self.head_speed).abs().max((fastest - self.head_speed).abs()) > NEAR_SPEED;
        let share = if far { HEAD_BAND.1 } else { HEAD_BAND.0 };
        let (low, high) =
            (self.head_at_full * squared(slowest / 100.0), self.head_at_full * squared(fastest / 100.0));
        Some((low - (share * low).max(HEAD_BAND.2), high + (share * high).max(HEAD_BAND.2)))
    }

    /// Whether the head is what a flowing loop has; `None` while that is not known.
    fn lifts(&self, snapshot: &Snapshot) -> Option<bool> {
        let head = snapshot.pump.head.usable()?.get();
        let (low, high) = self.head_band()?;
        Some(low > 0.0 && head >= low && head <= high)
    }

    /// Whether what is measured is what flow looks like.
    fn proves(&self, snapshot: &Snapshot) -> bool {
        let turns = snapshot.pump.speed.usable().is_none_or(|speed| speed >= STANDSTILL)
            && snapshot.pump.running.usable() != Some(false);
        let flows = self.flow_share(snapshot).map(|share| share >= FLOW_PROOF);
        turns
            && match (flows, self.lifts(snapshot)) {
                (Some(true), lifts) => lifts != Some(false) || self.low_head_is_lost_in_noise(),
                (Some(false) | None, Some(true)) => true,
                (Some(false) | None, Some(false) | None) => false,
            }
    }

    /// At low speed the head is smaller than its band: then flow alone decides.
    fn low_head_is_lost_in_noise(&self) -> bool {
        self.head_band().is_some_and(|(low, _)| low <= 0.0)
    }

    /// Measured flow as a share of what the pump's speed should give. The pump being silent, the last speed counts.
    fn flow_share(&self, snapshot: &Snapshot) -> Option<f32> {
        let flow = snapshot.meter.flow.usable()?;
        let expected = self.flow_expected.filter(|expected| *expected > 0.5)?;
        Some(flow.get() / expected)
    }

    /// Flow that is steadily lower than expected while margins are wide is how this loop is: it is learned, with an alarm.
    fn adopt(&mut self, snapshot: &Snapshot, known: &Known, tuning: &Tuning) {
        let share = self.flow_share(snapshot).filter(|share| (FLOW_GONE..FLOW_PROOF).contains(share));
        let (Some(share), true) = (share, known.calm || known.thermal == Thermal::Steady) else {
            self.low_since = None;
            return;
        };
        if known.now.since(*self.low_since.get_or_insert(known.now)) >= ADOPT_AFTER {
            let nominal = tuning.full_speed_flow.get() / 100.0;
            self.flow_per_percent = (self.flow_per_percent * share).max(0.3 * nominal);
            self.flow_expected = self.flow_expected.map(|expected| expected * share);
            self.low_since = None;
        }
    }

    /// Lets the expectations follow the loop as it is, slowly and within bounds.
    fn learn(&mut self, snapshot: &Snapshot, dt_s: f32, tuning: &Tuning) {
        let share = dt_s / LEARN_S;
        let Some(speed) = snapshot.pump.speed.usable().map(Percent::get).filter(|speed| *speed >= 20.0)
        else {
            return;
        };
        let nominal = tuning.full_speed_flow.get() / 100.0;
        if let Some(ratio) = self.flow_share(snapshot).filter(|ratio| *ratio >= FLOW_PROOF) {
            let seen = self.flow_per_percent * ratio;
            self.flow_per_percent += (seen - self.flow_per_percent) * share;
            self.flow_per_percent = self.flow_per_percent.clamp(0.3 * nominal, 1.5 * nominal);
        }
        // Head lags behind a changing speed: only a steady one teaches.
        let steady = self.speeds.iter().all(|other| (other - speed).abs() < 0.5);
        if let Some(head) = snapshot.pump.head.usable().filter(|_| steady) {
            let seen = head.get() / squared(speed / 100.0);
            self.learned = self.learned.saturating_add(1);
            // The first samples are averaged, later ones only nudge.
            let weight = if self.learned <= ARMED_AFTER { 1.0 / f32::from(self.learned) } else { share };
            self.head_at_full += (seen - self.head_at_full) * weight;
            self.head_speed += (speed - self.head_speed) * weight;
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

fn push<const N: usize>(ring: &mut Deque<f32, N>, value: f32) {
    if ring.is_full() {
        ring.pop_front();
    }
    let _room_was_made = ring.push_back(value);
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
}
