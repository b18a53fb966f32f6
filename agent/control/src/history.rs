//! The last seconds of temperature and power: do the GPUs heat up although they draw no more?

use eisbach_protocol::units::{Celsius, Millis, Watts};
use heapless::Deque;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thermal {
    /// Not enough history, or power has just changed.
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
    power: Watts,
    count: usize,
}

/// A ring of the last samples.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    ring: Deque<Sample, KEPT>,
    heating: u8,
}

impl History {
    pub(crate) fn record(&mut self, now: Millis, mean: Option<(Celsius, usize)>, power: Watts) {
        let Some((temperature, count)) = mean else {
            self.ring.clear();
            self.heating = 0;
            return;
        };
        if self.ring.back().is_some_and(|last| last.count != count) {
            // Another set of GPUs has another mean; a step in it is no heating.
            self.ring.clear();
        }
        if self.ring.is_full() {
            self.ring.pop_front();
        }
        let _full = self.ring.push_back(Sample { at: now, temperature, power, count });
        self.heating = if self.latest() == Thermal::Heating { self.heating.saturating_add(1) } else { 0 };
    }

    /// What the window says.
    pub(crate) fn thermal(&self) -> Thermal {
        match self.latest() {
            Thermal::Heating if self.heating < AGREE => Thermal::Unclear,
            thermal @ (Thermal::Heating | Thermal::Steady | Thermal::Unclear) => thermal,
        }
    }

    fn latest(&self) -> Thermal {
        let (Some(last), Some(first)) = (self.ring.back(), self.ring.front()) else {
            return Thermal::Unclear;
        };
        let Some(before) = self.ring.iter().rev().find(|sample| last.at.since(sample.at) >= RISE_SPAN) else {
            return Thermal::Unclear;
        };
        let least = self.ring.iter().fold(last.power, |least, sample| least.smaller(sample.power));
        let most = self.ring.iter().fold(last.power, |most, sample| most.larger(sample.power));
        if !self.ring.is_full() || most > least * POWER_SLACK {
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
    fn a_gpu_that_drops_out_is_no_temperature_step() {
        let mut history = History::default();
        for tick in 0..40_u64 {
            let mean = if tick < 30 { (50.0, 8) } else { (56.0, 7) };
            history.record(Millis::new(tick * 100), Some((Celsius::new(mean.0), mean.1)), Watts::new(5000.0));
        }
        assert_eq!(history.thermal(), Thermal::Unclear);
    }
}
