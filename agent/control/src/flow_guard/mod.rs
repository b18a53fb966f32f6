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

mod freshness;
#[cfg(test)]
mod tests;

use eisbach_protocol::units::{Celsius, Millis, Percent};
use heapless::Deque;
use serde::{Deserialize, Serialize};

use self::freshness::{Freshness, push};
use crate::decision::Reason;
use crate::flow_law::FlowLaw;
use crate::history::Thermal;
use crate::snapshot::Snapshot;
use crate::tuning::Tuning;

/// Head this far off its expectation is a collapse or a blockage: as a share near the speed at which it was learned,
/// and far from it (head over speed² changes a little with speed); and at least this many kPa (sensor noise).
const HEAD_BAND: (f32, f32, f32) = (0.10, 0.30, 4.0);
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
/// A head that was learned for fewer steps (6 s) when flow is lost may be that of the loss itself: the meter, by which
/// it counted as well, lags by some seconds.
const YOUNG: u8 = 60;
/// All well for this long before it is learned from, and before flow counts as proven.
const SETTLED: Millis = Millis::from_secs(2);
/// Flow steadily below its expectation for this long, with wide margins, is how this loop is.
const ADOPT_AFTER: Millis = Millis::from_secs(30);
/// A meter that finds less than this of the expected heat is not believed when it shows little flow, and one that shows
/// more flow than this beyond expectation teaches nothing.
const CREDIBLE: f32 = 0.75;
const TOO_MUCH: f32 = 1.3;
/// More flow than expected for this long at less head, with temperatures that hold, is a loop that somebody has opened.
const OPENED_AFTER: Millis = Millis::from_secs(30);
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
    /// Heat that the meter finds against what the GPUs' power lets expect.
    pub(crate) carries: Option<f32>,
    pub(crate) now: Millis,
    /// Time since the last step.
    pub(crate) dt_s: f32,
}

/// The guard's memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FlowGuard {
    /// Which flow belongs to which speed.
    law: FlowLaw,
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
    opened_since: Option<Millis>,
    run_since: Option<Millis>,
    last_evidence: Option<Millis>,
    lost: Option<Reason>,
    /// Lowest and highest head that belong to what the pump does in this step.
    band: Option<(f32, f32)>,
}

impl FlowGuard {
    pub(crate) fn new(tuning: &Tuning) -> Self {
        Self {
            law: FlowLaw::new(tuning),
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
            opened_since: None,
            run_since: None,
            last_evidence: None,
            lost: None,
            band: None,
        }
    }

    /// Which flow belongs to which speed on this loop.
    pub(crate) const fn law(&self) -> &FlowLaw {
        &self.law
    }

    /// Whether flow cannot be judged as it should: no head, or far less flow than commissioned.
    pub(crate) fn is_doubtful(&self, snapshot: &Snapshot, now: Millis, tuning: &Tuning) -> bool {
        let no_head = snapshot.pump.speed.usable().is_some() && snapshot.pump.head.usable().is_none();
        let poor = self.law.full().value < COMMISSIONED * tuning.full_speed_flow.get();
        // A meter lags behind a pump that starts: low flow must last to be doubtful.
        no_head || poor || self.low_since.is_some_and(|since| now.since(since) > DOUBT_AFTER)
    }

    /// Judges the flow.
    pub(crate) fn judge(&mut self, snapshot: &Snapshot, known: Known, tuning: &Tuning) -> Flow {
        let Known { run, now, .. } = known;
        self.run_since = if run { self.run_since.or(Some(now)) } else { None };
        self.remember(snapshot, &known);
        self.band = self.head_band();
        self.count(snapshot, now);
        self.forget_if_opened(snapshot, &known, tuning);
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
            if self.lost.is_none() && self.learned < YOUNG {
                self.learned = 0;
            }
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
        self.adopt(snapshot, &known);
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

    /// A strainer that was cleaned, or a valve opened by hand, makes head fall and flow rise: what was learned of the
    /// narrow loop would call that a loss for ever.
    fn forget_if_opened(&mut self, snapshot: &Snapshot, known: &Known, tuning: &Tuning) {
        let opened = self.lost == Some(Reason::HeadCollapsed)
            && known.thermal == Thermal::Steady
            && self.flow_share(snapshot).is_some_and(|share| share > TOO_MUCH);
        if !opened {
            self.opened_since = None;
        } else if known.now.since(*self.opened_since.get_or_insert(known.now)) >= OPENED_AFTER {
            // Lost it stays, until flow is proven anew.
            *self = Self { lost: self.lost, run_since: self.run_since, ..Self::new(tuning) };
        }
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
        if thermal != Thermal::Heating {
            return None;
        }
        let well = self.lifts(snapshot) == Some(true)
            && self.flow_share(snapshot).is_some_and(|share| share >= FLOW_LOW);
        (!well).then_some(Reason::HeatingUp)
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
        self.law.warm(coolant(snapshot));
        let through = self.law.flow_at(Percent::new(speed)).get();
        let before = self.flow_expected.unwrap_or(through);
        self.flow_expected = Some(before + (through - before) * (known.dt_s / (METER_LAG_S + known.dt_s)));
    }

    /// Counts new samples in a row that contradict the expectation. What is not there contradicts nothing.
    fn count(&mut self, snapshot: &Snapshot, now: Millis) {
        let flow_share = self.flow_share(snapshot);
        match (snapshot.pump.head.usable(), self.band) {
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
        let (slowest, fastest) = self
            .speeds
            .iter()
            .fold((f32::MAX, 0.0), |(low, high): (f32, f32), speed| (low.min(*speed), high.max(*speed)));
        let far = (slowest - self.head_speed).abs().max((fastest - self.head_speed).abs()) > NEAR_SPEED;
        let share = if far { HEAD_BAND.1 } else { HEAD_BAND.0 };
        let (low, high) =
            (self.head_at_full * squared(slowest / 100.0), self.head_at_full * squared(fastest / 100.0));
        Some((low - (share * low).max(HEAD_BAND.2), high + (share * high).max(HEAD_BAND.2)))
    }

    /// Whether the head is what a flowing loop has; `None` while that is not known.
    fn lifts(&self, snapshot: &Snapshot) -> Option<bool> {
        let head = snapshot.pump.head.usable()?.get();
        let (low, high) = self.band?;
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
        self.band.is_some_and(|(low, _)| low <= 0.0)
    }

    /// Measured flow as a share of what the pump's speed should give. The pump being silent, the last speed counts.
    fn flow_share(&self, snapshot: &Snapshot) -> Option<f32> {
        let flow = snapshot.meter.flow.usable()?;
        let expected = self.flow_expected.filter(|expected| *expected > 0.5)?;
        Some(flow.get() / expected)
    }

    /// Flow that is steadily lower than expected while margins are wide is how this loop is: it is learned, with an alarm.
    fn adopt(&mut self, snapshot: &Snapshot, known: &Known) {
        let share = self.flow_share(snapshot).filter(|share| (FLOW_GONE..FLOW_PROOF).contains(share));
        let (Some(share), true) = (share, known.calm || known.thermal == Thermal::Steady) else {
            self.low_since = None;
            return;
        };
        let lasts = known.now.since(*self.low_since.get_or_insert(known.now)) >= ADOPT_AFTER;
        // Less flow has more rise. Where the heat is missing, it is the meter that is wrong.
        if lasts && known.carries.is_none_or(|carries| carries >= CREDIBLE) {
            self.law.adopt(share);
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
        if let Some(ratio) = self.flow_share(snapshot).filter(|ratio| (FLOW_PROOF..TOO_MUCH).contains(ratio))
        {
            self.law.learn(Percent::new(speed), ratio, share);
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

/// How warm the coolant is, between plates and CDU.
fn coolant(snapshot: &Snapshot) -> Option<Celsius> {
    let (supply, return_) = (snapshot.meter.supply.usable()?, snapshot.meter.return_.usable()?);
    Some(supply + (return_ - supply) * 0.5)
}

fn squared(x: f32) -> f32 {
    x * x
}
