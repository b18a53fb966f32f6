//! What a run leaves behind for people: its course once a second, and what happened when.

use std::io::{self, Write};

use eisbach_control::Decision;

use crate::plant::Truth;

/// The node at one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// From the scenario's beginning, s.
    pub time_s: f64,
    /// Hottest core, °C.
    pub hottest: f64,
    /// Supply, °C.
    pub supply: f64,
    /// Return, °C.
    pub return_: f64,
    /// Supply aimed at, °C.
    pub target: f64,
    /// Dew point of the room, °C.
    pub dew_point: f64,
    /// River, °C.
    pub river: f64,
    /// Speed of the pump, %.
    pub pump: f64,
    /// Position of the recovery valve, % to recovery.
    pub valve: f64,
    /// Flow, L/min.
    pub flow: f64,
    /// Power of all GPUs, W.
    pub gpus: f64,
    /// Most that all GPUs may draw by the controller's caps, W.
    pub caps: f64,
    /// Electric power of the pump, W.
    pub pump_watts: f64,
    /// Heat to the district network, W.
    pub network: f64,
    /// Heat to the river, W.
    pub to_river: f64,
    /// Share of GPUs that do less than asked, %.
    pub throttled: f64,
    /// Number of the control state: 0 boot, 1 running, 2 hot, 3 critical, 4 leak, 5 uncontrollable.
    pub state: f64,
}

impl Sample {
    /// Names of the columns, in order.
    const COLUMNS: [&str; 17] = [
        "time_s",
        "hottest_celsius",
        "supply_celsius",
        "return_celsius",
        "supply_target_celsius",
        "dew_point_celsius",
        "river_celsius",
        "pump_percent",
        "valve_percent",
        "flow_lpm",
        "gpu_watts",
        "cap_watts",
        "pump_watts",
        "network_watts",
        "river_watts",
        "throttled_percent",
        "state",
    ];

    /// The node after a cycle.
    pub(super) fn of(time_s: f64, truth: &Truth, decision: &Decision, (sockets, tdp): (usize, f64)) -> Self {
        let gpus = || truth.gpus.iter().take(sockets);
        let throttled = gpus().map(|gpu| f64::from(gpu.throttled)).sum::<f64>();
        Self {
            time_s,
            hottest: gpus().map(|gpu| gpu.core_celsius).fold(f64::NEG_INFINITY, f64::max),
            supply: truth.node_loop.supply_celsius,
            return_: truth.node_loop.return_celsius,
            target: f64::from(decision.supply_target.get()),
            dew_point: truth.room.dew_point_celsius,
            river: truth.facility.river_celsius,
            pump: 100.0 * truth.pump.impeller,
            valve: 100.0 * truth.valve.position,
            flow: truth.node_loop.flow_lpm,
            gpus: truth.power.gpus,
            caps: decision.gpus.iter().map(|gpu| gpu.power_cap.map_or(tdp, |cap| f64::from(cap.get()))).sum(),
            pump_watts: truth.power.pump,
            network: truth.power.network,
            to_river: truth.power.river,
            throttled: 100.0 * throttled / gpus().map(|_| 1.0).sum::<f64>().max(1.0),
            state: f64::from(decision.state as u8),
        }
    }

    const fn values(&self) -> [f64; 17] {
        [
            self.time_s,
            self.hottest,
            self.supply,
            self.return_,
            self.target,
            self.dew_point,
            self.river,
            self.pump,
            self.valve,
            self.flow,
            self.gpus,
            self.caps,
            self.pump_watts,
            self.network,
            self.to_river,
            self.throttled,
            self.state,
        ]
    }
}

/// The course of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// Once a second.
    pub samples: Vec<Sample>,
    /// What happened, and when, s.
    pub marks: Vec<(f64, String)>,
    /// Slowdown temperature of the GPUs, °C.
    pub slowdown_celsius: f64,
}

impl Track {
    /// Writes it as CSV, one line a second.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_csv(&self, to: &mut impl Write) -> io::Result<()> {
        writeln!(to, "{}", Sample::COLUMNS.join(","))?;
        for sample in &self.samples {
            let line: Vec<String> = sample.values().iter().map(|value| format!("{value:.3}")).collect();
            writeln!(to, "{}", line.join(","))?;
        }
        Ok(())
    }
}

/// Everything that a run did, as one number: two runs with the same number were the same, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        // FNV-1a, 64 bits.
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    pub(super) fn add(&mut self, bits: u64) {
        for byte in bits.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Adds a moment: what is, and what was decided.
    pub(super) fn see(&mut self, truth: &Truth, decision: &Decision) {
        let node_loop = &truth.node_loop;
        for value in
            [node_loop.supply_celsius, node_loop.return_celsius, node_loop.flow_lpm, truth.power.river]
        {
            self.add(value.to_bits());
        }
        for gpu in &truth.gpus {
            self.add(gpu.core_celsius.to_bits());
        }
        for output in [decision.pump.value, decision.valve.value] {
            self.add(output.map_or(u64::MAX, |value| u64::from(value.get().to_bits())));
        }
        for gpu in &decision.gpus {
            self.add(gpu.power_cap.map_or(u64::MAX, |cap| u64::from(cap.get().to_bits())));
        }
        self.add(decision.state as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_written_with_a_column_for_every_value() {
        let track = Track { samples: vec![Sample::default(); 2], ..Track::default() };
        let mut csv = Vec::new();
        track.write_csv(&mut csv).unwrap();
        let text = String::from_utf8(csv).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| line.split(',').count() == 17), "{text}");
    }

    #[test]
    fn one_bit_makes_another_fingerprint() {
        let of = |value: f64| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.add(value.to_bits());
            fingerprint
        };
        assert_eq!(of(1.0), of(1.0));
        assert_ne!(of(1.0), of(1.0 + f64::EPSILON));
    }
}
