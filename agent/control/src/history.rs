//! The last seconds of temperature and power: do the GPUs heat up although they draw no more?

use eisbach_protocol::units::{Celsius, Millis, Watts};
use heapless::{Deque, Vec};
use serde::{Deserialize, Serialize};

/// Samples kept: 6 s at 10 Hz.
const KEPT: usize = 60;
/// Span over which the rise is taken.
const RISE_SPAN: Millis = Millis::from_secs(2);
/// Mean rise over that span that cooled cold plates do not show at steady power: 1.5 K/s.
const RISE_KELVIN: f32 = 3.0;
/// Power counts as steady while the largest of the window is within this factor of the smallest. In swings nothing can
/// be told: temperature lags behind power, so a falling edge looks like heating.
const POWER_SLACK: f32 = 1.1;
/// Samples in a row that must agree before heating is believed.
const AGREE: u8 = 3;
/// Rise over the span up to which temperatures count as steady.
const STEADY_KELVIN: f32 = 0.5;

/// What the GPUs' own temperatures say about their cooling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Thermal {
    /// Not enough history, or power has just changed.
    #[default]
    Unclear,
    /// Temperatures hold at steady power: something carries the heat away.
    Steady,
    /// Temperatures rise at steady power: nothing does.
    Heating,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Sample {
    at: Millis,
    temperature: Celsius,
    count: usize,
}

/// A ring of the last samples, and what they say. Each step costs the same, however long the ring is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    ring: Deque<Sample, KEPT>,
    /// How many samples back the newest one lies that is old enough to take the rise from, if any is.
    back: usize,
    power: Extremes,
    latest: Thermal,
    heating: u8,
}

impl History {
    pub(crate) fn record(&mut self, now: Millis, mean: Option<(Celsius, usize)>, power: Watts) {
        let Some((temperature, count)) = mean else {
            self.forget();
            return;
        };
        if self.ring.back().is_some_and(|last| last.count != count) {
            // Another set of GPUs has another mean; a step in it is no heating.
            self.forget();
        }
        if self.ring.is_full() {
            self.ring.pop_front();
        }
        let _full = self.ring.push_back(Sample { at: now, temperature, count });
        self.power.note(power);
        self.look_back();
        self.latest = self.judge();
        self.heating = if self.latest == Thermal::Heating { self.heating.saturating_add(1) } else { 0 };
    }

    /// What the window says.
    pub(crate) fn thermal(&self) -> Thermal {
        match self.latest {
            Thermal::Heating if self.heating < AGREE => Thermal::Unclear,
            thermal @ (Thermal::Heating | Thermal::Steady | Thermal::Unclear) => thermal,
        }
    }

    fn forget(&mut self) {
        self.ring.clear();
        // Nobody looks at the block before until the ring is full again, and then it is another one.
        self.power.start();
        (self.back, self.latest, self.heating) = (0, Thermal::Unclear, 0);
    }

    fn sample(&self, back: usize) -> Option<&Sample> {
        self.ring.get(self.ring.len().checked_sub(back + 1)?)
    }

    /// Finds the newest sample that is old enough: the one of before, or a newer one.
    fn look_back(&mut self) {
        let Some(now) = self.ring.back().map(|last| last.at) else { return };
        let old = |sample: &Sample| now.since(sample.at) >= RISE_SPAN;
        self.back = (self.back + 1).min(self.ring.len());
        while self.back > 0 && self.sample(self.back - 1).is_some_and(old) {
            self.back -= 1;
        }
    }

    fn judge(&self) -> Thermal {
        let (Some(last), Some(first)) = (self.ring.back(), self.ring.front()) else {
            return Thermal::Unclear;
        };
        let Some(before) = self.sample(self.back) else {
            return Thermal::Unclear;
        };
        if !self.ring.is_full() {
            return Thermal::Unclear;
        }
        let (least, most) = self.power.of_window();
        if most > least * POWER_SLACK {
            return Thermal::Unclear;
        }
        let rise = (last.temperature - before.temperature).get();
        if rise >= RISE_KELVIN {
            Thermal::Heating
        } else if (last.temperature - first.temperature).get() <= STEADY_KELVIN && rise <= STEADY_KELVIN {
            Thermal::Steady
        } else {
            Thermal::Unclear
        }
    }
}

/// The least and the most of the last [`KEPT`] powers, without looking at all of them each time.
///
/// ```text
///   block before  │ block under way
///   ░░░░▓▓▓▓▓▓▓▓▓▓│▓▓▓▓            window = end of the block before + beginning of this one:
///       └ kept from each place to its end, reckoned once a block
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Extremes {
    /// Powers of the block under way.
    block: Vec<Watts, KEPT>,
    /// Least and most of them.
    under_way: (Watts, Watts),
    /// Least and most of the block before, from each place to its end.
    ends: Vec<(Watts, Watts), KEPT>,
}

/// Of nothing.
const NO_POWER: (Watts, Watts) = (Watts::new(f32::INFINITY), Watts::new(f32::NEG_INFINITY));

impl Default for Extremes {
    fn default() -> Self {
        Self { block: Vec::new(), under_way: NO_POWER, ends: Vec::new() }
    }
}

impl Extremes {
    fn note(&mut self, power: Watts) {
        if self.block.is_full() {
            self.turn();
        }
        let _room = self.block.push(power);
        self.under_way = both(self.under_way, (power, power));
    }

    /// The block under way is the one before from now on.
    fn turn(&mut self) {
        self.ends.clear();
        self.ends.extend(self.block.iter().map(|power| (*power, *power)));
        let mut of_end = NO_POWER;
        for end in self.ends.iter_mut().rev() {
            of_end = both(of_end, *end);
            *end = of_end;
        }
        self.start();
    }

    /// Begins a block.
    fn start(&mut self) {
        self.block.clear();
        self.under_way = NO_POWER;
    }

    fn of_window(&self) -> (Watts, Watts) {
        both(self.under_way, self.ends.get(self.block.len()).copied().unwrap_or(NO_POWER))
    }
}

fn both(one: (Watts, Watts), other: (Watts, Watts)) -> (Watts, Watts) {
    (one.0.smaller(other.0), one.1.larger(other.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(course: impl Fn(f32) -> (f32, f32)) -> Thermal {
        let mut history = History::default();
        for tick in 0..70_u16 {
            let (temperature, power) = course(f32::from(tick) / 10.0);
            history.record(
                Millis::new(u64::from(tick) * 100),
                Some((Celsius::new(temperature), 8)),
                Watts::new(power),
            );
        }
        history.thermal()
    }

    #[test]
    fn heating_at_steady_power_is_loss_of_cooling() {
        assert_eq!(run(|t| (60.0 + 2.0 * t, 5600.0)), Thermal::Heating);
    }

    #[test]
    fn heating_after_a_load_step_is_not() {
        assert_eq!(
            run(|t| if t < 3.0 { (40.0, 600.0) } else { (40.0 + 5.0 * (t - 3.0), 5600.0) }),
            Thermal::Unclear
        );
    }

    #[test]
    fn a_falling_edge_of_a_swing_is_not_heating() {
        let swing = |t: f32| if (t / 1.5).fract() < 0.6 { 690.0 } else { 250.0 };
        // Temperature lags: it is highest when power has just fallen.
        for shift in 0..15_u8 {
            let shift = f32::from(shift) / 10.0;
            assert_eq!(
                run(|t| (60.0 + 0.02 * swing(t + shift - 0.7), 8.0 * swing(t + shift))),
                Thermal::Unclear
            );
        }
    }

    #[test]
    fn steady_temperatures_prove_cooling() {
        assert_eq!(run(|_| (60.0, 5600.0)), Thermal::Steady);
    }

    #[test]
    fn the_window_is_the_last_six_seconds_and_no_more() {
        let mut extremes = Extremes::default();
        let mut all: std::vec::Vec<f32> = std::vec::Vec::new();
        // A course that rises, falls, holds, and jumps.
        for tick in 0..500_u16 {
            let power = f32::from(tick * 37 % 101) + if tick % 170 < 60 { 300.0 } else { f32::from(tick) };
            all.push(power);
            extremes.note(Watts::new(power));
            let window = all.iter().rev().take(KEPT).copied();
            let least = window.clone().fold(f32::INFINITY, f32::min);
            let most = window.fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(extremes.of_window(), (Watts::new(least), Watts::new(most)), "tick {tick}");
        }
    }

    #[test]
    fn the_rise_is_taken_from_two_seconds_ago_whatever_the_pace() {
        for pace in [50, 100, 130, 700, 1000, 2500] {
            let mut history = History::default();
            for tick in 0..150_u64 {
                let now = Millis::new(tick * pace);
                history.record(now, Some((Celsius::new(50.0), 8)), Watts::new(5000.0));
                let expected = history.ring.iter().rev().position(|sample| now.since(sample.at) >= RISE_SPAN);
                assert_eq!(history.sample(history.back).map(|_| history.back), expected, "{pace} ms, {tick}");
            }
        }
    }

    #[test]
    fn a_gpu_that_drops_out_is_no_temperature_step() {
        let mut history = History::default();
        for tick in 0..40_u64 {
            let mean = if tick < 30 { (50.0, 8) } else { (56.0, 7) };
            history.record(Millis::new(tick * 100), Some((Celsius::new(mean.0), mean.1)), Watts::new(5000.0));
        }
        assert_eq!(history.thermal(), Thermal::Unclear);
    }
}
