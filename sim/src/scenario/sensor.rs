//! Sensors that lie or fall silent, between plant and controller.
//!
//! ```text
//!   plant ── readings ──► [Spoiler] ── snapshot ──► controller
//!                          silent, not a number, stuck, drifting, off
//! ```

use core::fmt;
use core::str::FromStr;

use eisbach_control::Snapshot;
use eisbach_protocol::gpu_link::{GpuHealth, MAX_GPUS};
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{Millis, Quantity};
use serde::Deserialize;

use crate::closed_loop::single;

/// Age of a spoilt reading that looks fresh.
const AGE: Millis = Millis::new(20);

/// A sensor, or a device with all its sensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Sensor {
    /// Flow in the node loop.
    Flow,
    /// Supply temperature.
    Supply,
    /// Return temperature.
    Return,
    /// Flow, supply and return.
    Meter,
    /// Speed of the drive.
    PumpSpeed,
    /// Head of the pump.
    Head,
    /// Everything of the drive.
    Pump,
    /// The recovery valve.
    Valve,
    /// The room's dew point.
    DewPoint,
    /// The leak rope.
    Rope,
    /// Temperature of one GPU, counted from 0.
    GpuTemperature(usize),
    /// Everything of one GPU, counted from 0.
    Gpu(usize),
}

/// A word that is no sensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{word}\" is no sensor; known are flow, supply, return, meter, pump-speed, head, pump, valve, dew-point, rope, \
     gpu-N and gpu-N-temperature, N from 0"
)]
pub struct UnknownSensor {
    word: String,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum How {
    /// It does not answer.
    Silent,
    /// It answers with something that is not a number.
    NotANumber,
    /// It shows what it showed when the fault came.
    Stuck,
    /// It moves away from the truth by so much a minute, in its own unit.
    DriftPerMinute(f64),
    /// It is off by so much, in its own unit.
    Off(f64),
}

impl Sensor {
    const WORDS: [(&str, Self); 10] = [
        ("flow", Self::Flow),
        ("supply", Self::Supply),
        ("return", Self::Return),
        ("meter", Self::Meter),
        ("pump-speed", Self::PumpSpeed),
        ("head", Self::Head),
        ("pump", Self::Pump),
        ("valve", Self::Valve),
        ("dew-point", Self::DewPoint),
        ("rope", Self::Rope),
    ];

    /// Shows every reading of it, with the sign by which it follows the sensor: a margin falls as its temperature rises.
    fn each(self, snapshot: &mut Snapshot, mut see: impl FnMut(f64, &mut dyn Channel)) {
        let Snapshot { meter, pump, valve, room, leak, gpus, .. } = snapshot;
        match self {
            Self::Flow => see(1.0, &mut meter.flow),
            Self::Supply => see(1.0, &mut meter.supply),
            Self::Return => see(1.0, &mut meter.return_),
            Self::Meter => {
                see(1.0, &mut meter.flow);
                see(1.0, &mut meter.supply);
                see(1.0, &mut meter.return_);
            }
            Self::PumpSpeed => see(1.0, &mut pump.speed),
            Self::Head => see(1.0, &mut pump.head),
            Self::Pump => {
                see(1.0, &mut pump.speed);
                see(1.0, &mut pump.head);
                for flag in [&mut pump.running, &mut pump.alarm, &mut pump.remote] {
                    see(0.0, &mut Flag(flag));
                }
            }
            Self::Valve => {
                see(1.0, &mut valve.position);
                see(0.0, &mut Flag(&mut valve.fault));
            }
            Self::DewPoint => see(1.0, &mut room.dew_point),
            Self::Rope => {
                see(0.0, &mut Flag(&mut leak.detected));
                see(0.0, &mut Flag(&mut leak.fault));
            }
            Self::GpuTemperature(index) => {
                let Some(gpu) = gpus.get_mut(index) else { return };
                see(1.0, &mut gpu.temperature);
                see(-1.0, &mut gpu.margin);
            }
            Self::Gpu(index) => {
                let Some(gpu) = gpus.get_mut(index) else { return };
                see(1.0, &mut gpu.temperature);
                see(-1.0, &mut gpu.margin);
                see(0.0, &mut gpu.power);
                see(0.0, &mut Flag(&mut gpu.thermal_slowdown));
            }
        }
    }
}

impl FromStr for Sensor {
    type Err = UnknownSensor;

    fn from_str(word: &str) -> Result<Self, UnknownSensor> {
        let unknown = || UnknownSensor { word: word.to_owned() };
        if let Some((_, sensor)) = Self::WORDS.iter().find(|(known, _)| *known == word) {
            return Ok(*sensor);
        }
        let gpu = word.strip_prefix("gpu-").ok_or_else(unknown)?;
        let number = |text: &str| text.parse().ok().filter(|index| *index < MAX_GPUS).ok_or_else(unknown);
        match gpu.strip_suffix("-temperature") {
            Some(index) => number(index).map(Self::GpuTemperature),
            None => number(gpu).map(Self::Gpu),
        }
    }
}

impl TryFrom<String> for Sensor {
    type Error = UnknownSensor;

    fn try_from(word: String) -> Result<Self, UnknownSensor> {
        word.parse()
    }
}

impl fmt::Display for Sensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpu(index) => write!(f, "gpu-{index}"),
            Self::GpuTemperature(index) => write!(f, "gpu-{index}-temperature"),
            plain => {
                let known = Self::WORDS.iter().find(|(_, sensor)| sensor == plain);
                f.write_str(known.map_or("", |(word, _)| word))
            }
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("silent"),
            Self::NotANumber => f.write_str("not a number"),
            Self::Stuck => f.write_str("stuck"),
            Self::DriftPerMinute(rate) => write!(f, "drifts by {rate} a minute"),
            Self::Off(by) => write!(f, "off by {by}"),
        }
    }
}

/// One reading, whatever its unit.
trait Channel {
    /// The number it shows.
    fn shown(&self) -> Option<f64>;
    /// Shows this number, fresh.
    fn show(&mut self, value: f64);
    /// Shows nothing.
    fn fail(&mut self, why: BadReason);
}

impl<Q: Quantity> Channel for Reading<Q> {
    fn shown(&self) -> Option<f64> {
        self.usable().map(|value| f64::from(value.get()))
    }

    fn show(&mut self, value: f64) {
        *self = Self::measured(Q::from_f32(single(value)), AGE);
    }

    fn fail(&mut self, why: BadReason) {
        *self = Self::bad(why);
    }
}

/// A reading that is true or false.
struct Flag<'a>(&'a mut Reading<bool>);

impl Channel for Flag<'_> {
    fn shown(&self) -> Option<f64> {
        self.0.usable().map(f64::from)
    }

    fn show(&mut self, value: f64) {
        *self.0 = Reading::measured(value > 0.5, AGE);
    }

    fn fail(&mut self, why: BadReason) {
        *self.0 = Reading::bad(why);
    }
}

/// The sensors that are spoilt.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoiler {
    spoilt: Vec<Spoilt>,
}

#[derive(Clone, Debug)]
struct Spoilt {
    sensor: Sensor,
    how: How,
    since_s: f64,
    /// What each of its readings showed when the fault came.
    shown: Vec<Option<f64>>,
}

impl Spoiler {
    /// Spoils a sensor from now on, in place of whatever was wrong with it before.
    pub(super) fn spoil(&mut self, sensor: Sensor, how: How, now_s: f64) {
        self.mend(sensor);
        self.spoilt.push(Spoilt { sensor, how, since_s: now_s, shown: Vec::new() });
    }

    /// Makes a sensor tell the truth.
    pub(super) fn mend(&mut self, sensor: Sensor) {
        self.spoilt.retain(|spoilt| spoilt.sensor != sensor);
    }

    /// Spoils what is told.
    pub(super) fn apply(&mut self, snapshot: &mut Snapshot, now_s: f64) {
        for spoilt in &mut self.spoilt {
            spoilt.apply(snapshot, now_s);
        }
    }
}

impl Spoilt {
    fn apply(&mut self, snapshot: &mut Snapshot, now_s: f64) {
        let Self { sensor, how, since_s, shown } = self;
        if shown.is_empty() {
            sensor.each(snapshot, |_, channel| shown.push(channel.shown()));
        }
        let minutes = (now_s - *since_s) / 60.0;
        let mut before = shown.iter();
        sensor.each(snapshot, |sign, channel| {
            let before = before.next().copied().flatten();
            match *how {
                How::Silent => channel.fail(BadReason::CommLost),
                How::NotANumber => channel.fail(BadReason::NotFinite),
                How::Stuck => before.into_iter().for_each(|value| channel.show(value)),
                How::DriftPerMinute(rate) => shift(channel, sign * rate * minutes),
                How::Off(by) => shift(channel, sign * by),
            }
        });
        if let (Sensor::Gpu(index), How::Silent) = (*sensor, *how)
            && let Some(gpu) = snapshot.gpus.get_mut(index)
        {
            gpu.health = GpuHealth::Hung;
        }
    }
}

fn shift(channel: &mut dyn Channel, by: f64) {
    if let Some(value) = channel.shown() {
        channel.show(value + by);
    }
}

/// Fills in what a sensor last said where it says nothing: what a careless program would do.
#[derive(Clone, Debug, Default)]
pub(super) struct Credulous {
    last: Vec<Option<f64>>,
}

impl Credulous {
    pub(super) fn fill(&mut self, snapshot: &mut Snapshot) {
        let devices = [Sensor::Meter, Sensor::Pump, Sensor::Valve, Sensor::DewPoint, Sensor::Rope];
        let gpus = (0..snapshot.gpus.len()).map(Sensor::Gpu);
        let mut index = 0;
        for sensor in devices.into_iter().chain(gpus) {
            sensor.each(snapshot, |_, channel| {
                if self.last.len() <= index {
                    self.last.push(None);
                }
                if let Some(last) = self.last.get_mut(index) {
                    match (channel.shown(), *last) {
                        (Some(value), _) => *last = Some(value),
                        (None, Some(value)) => channel.show(value),
                        (None, None) => {}
                    }
                }
                index += 1;
            });
        }
        for gpu in &mut snapshot.gpus {
            gpu.health = GpuHealth::Ok;
        }
    }
}

#[cfg(test)]
mod tests {
    use eisbach_control::GpuInput;
    use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute};

    use super::*;

    fn snapshot(flow: f32) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.meter.flow = Reading::measured(LitersPerMinute::new(flow), AGE);
        let gpu = GpuInput {
            temperature: Reading::measured(Celsius::new(60.0), AGE),
            margin: Reading::measured(Kelvin::new(27.0), AGE),
            ..GpuInput::default()
        };
        snapshot.gpus.push(gpu).unwrap();
        snapshot
    }

    fn flow(how: How, flows: &[f32]) -> Vec<Option<f32>> {
        let mut spoiler = Spoiler::default();
        spoiler.spoil(Sensor::Flow, how, 0.0);
        let mut see = |(flow, now_s): (&f32, f64)| {
            let mut snapshot = snapshot(*flow);
            spoiler.apply(&mut snapshot, now_s);
            snapshot.meter.flow.usable().map(LitersPerMinute::get)
        };
        flows.iter().zip([0.0, 60.0, 120.0]).map(&mut see).collect()
    }

    #[test]
    fn a_sensor_fails_as_it_is_told() {
        assert_eq!(flow(How::Silent, &[8.0]), [None]);
        assert_eq!(flow(How::NotANumber, &[8.0]), [None]);
        assert_eq!(flow(How::Stuck, &[8.0, 2.0]), [Some(8.0), Some(8.0)]);
        assert_eq!(flow(How::DriftPerMinute(0.5), &[8.0, 8.0, 8.0]), [Some(8.0), Some(8.5), Some(9.0)]);
        assert_eq!(flow(How::Off(-1.0), &[8.0]), [Some(7.0)]);
    }

    #[test]
    fn a_gpu_that_reads_too_cool_has_too_much_margin() {
        let mut spoiler = Spoiler::default();
        spoiler.spoil(Sensor::GpuTemperature(0), How::Off(-5.0), 0.0);
        let mut told = snapshot(8.0);
        spoiler.apply(&mut told, 0.0);
        assert_eq!(told.gpus[0].temperature.usable(), Some(Celsius::new(55.0)));
        assert_eq!(told.gpus[0].margin.usable(), Some(Kelvin::new(32.0)));
        spoiler.mend(Sensor::GpuTemperature(0));
        let mut told = snapshot(8.0);
        spoiler.apply(&mut told, 0.0);
        assert_eq!(told.gpus[0].temperature.usable(), Some(Celsius::new(60.0)));
    }

    #[test]
    fn the_credulous_believe_the_last_word() {
        let (mut credulous, mut spoiler) = (Credulous::default(), Spoiler::default());
        credulous.fill(&mut snapshot(8.0));
        spoiler.spoil(Sensor::Meter, How::Silent, 0.0);
        let mut told = snapshot(2.0);
        spoiler.apply(&mut told, 0.0);
        credulous.fill(&mut told);
        assert_eq!(told.meter.flow.usable(), Some(LitersPerMinute::new(8.0)));
    }

    #[test]
    fn every_sensor_has_its_word() {
        let numbered = [Sensor::Gpu(3), Sensor::GpuTemperature(0)];
        for sensor in Sensor::WORDS.iter().map(|(_, sensor)| *sensor).chain(numbered) {
            assert_eq!(sensor.to_string().parse(), Ok(sensor));
        }
        assert!("gpu-99".parse::<Sensor>().unwrap_err().to_string().contains("dew-point"));
    }
}
