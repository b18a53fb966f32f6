//! What the demo showed, for people and as JSON.

use std::fmt;

use serde::Serialize;

use super::facility::{Notice, What};
use crate::world::{FaultRecord, Truth};

/// A change that comes later than this after a fault is not counted as its detection, ms.
const DETECTED_WITHIN_MS: u64 = 30_000;

/// Everything measured, on the plant's clock unless said otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Seed of everything random.
    pub seed: u64,
    /// Workload at the end.
    pub workload: String,
    /// Plant time, s.
    pub duration_s: f64,
    /// From the start of the agent's processes until its first state after Boot reached the facility, ms.
    pub controlling_after_ms: Option<u64>,
    /// Highest core temperature, °C.
    pub peak_gpu_celsius: f64,
    /// GPU-seconds in which a GPU did less than its workload asked.
    pub throttled_gpu_seconds: f64,
    /// Heat recovered, kWh.
    pub heat_recovered_kwh: f64,
    /// Heat into the river, kWh.
    pub heat_to_river_kwh: f64,
    /// Energy of the pump, kWh.
    pub pump_energy_kwh: f64,
    /// That energy against a twin of the plant whose pump always gives design flow (1.5 L/min per kW installed).
    pub pump_energy_vs_fixed_flow: Option<f64>,
    /// Messages of the node that reached the facility.
    pub mqtt_published: u64,
    /// Control cycles of the agent's last life.
    pub control_cycles: Option<u64>,
    /// Cycles that took longer than their period.
    pub cycle_overruns: Option<u64>,
    /// How often the agent's processes were started again.
    pub restarts: u32,
    /// Faults and how they were answered.
    pub faults: Vec<FaultSummary>,
    /// Alarms as the facility saw them.
    pub alarms: Vec<AlarmSummary>,
    /// State at the end.
    pub final_state: Option<String>,
}

/// A fault and its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultSummary {
    /// The event's word.
    pub name: String,
    /// When it happened, s.
    pub at_s: f64,
    /// From then to the first alarm, lost part or change of state that the facility saw, ms.
    pub detected_ms: Option<u64>,
    /// From then until every reachable GPU had a lower power limit, ms; `None` if the fault called for none.
    pub capped_ms: Option<u64>,
}

/// An alarm from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmSummary {
    /// Its name.
    pub name: String,
    /// When it was raised, s.
    pub at_s: f64,
    /// When it was over, s; `None` while it stands.
    pub cleared_s: Option<f64>,
}

/// What only the demo itself knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// Seed of everything random.
    pub(crate) seed: u64,
    /// Messages of the node.
    pub(crate) mqtt_published: u64,
    /// Cycles and overruns, as the agent's status tells.
    pub(crate) cycles: Option<(u64, u64)>,
    /// How often the agent's processes were started again.
    pub(crate) restarts: u32,
}

impl Summary {
    /// Sums up the world at its end and what the facility noticed.
    #[must_use]
    pub(crate) fn of(truth: &Truth, notices: &[Notice], final_state: Option<&str>, counted: Counted) -> Self {
        let energy = &truth.plant.energy;
        let fixed = truth.fixed_flow_pump_kwh;
        Self {
            seed: counted.seed,
            workload: truth.workload.clone(),
            duration_s: seconds(truth.time_ms),
            controlling_after_ms: controlling_after_ms(notices),
            peak_gpu_celsius: truth.peak_gpu_celsius,
            throttled_gpu_seconds: truth.plant.throttled_gpu_seconds,
            heat_recovered_kwh: energy.recovery_kwh,
            heat_to_river_kwh: energy.river_kwh,
            pump_energy_kwh: energy.pump_kwh,
            pump_energy_vs_fixed_flow: (fixed > 0.0).then(|| energy.pump_kwh / fixed),
            mqtt_published: counted.mqtt_published,
            control_cycles: counted.cycles.map(|(cycles, _)| cycles),
            cycle_overruns: counted.cycles.map(|(_, overruns)| overruns),
            restarts: counted.restarts,
            faults: truth.faults.iter().map(|fault| FaultSummary::of(fault, notices)).collect(),
            alarms: alarms(notices),
            final_state: final_state.map(str::to_owned),
        }
    }
}

impl FaultSummary {
    /// A fault with what the facility noticed of it.
    #[must_use]
    pub(crate) fn of(fault: &FaultRecord, notices: &[Notice]) -> Self {
        let after = |notice: &&Notice| {
            (fault.at_ms..=fault.at_ms + DETECTED_WITHIN_MS).contains(&notice.plant_ms)
                && notice.what.is_trouble()
        };
        Self {
            name: fault.name.clone(),
            at_s: seconds(fault.at_ms),
            detected_ms: notices.iter().find(after).map(|notice| notice.plant_ms - fault.at_ms),
            capped_ms: fault.capped_ms,
        }
    }
}

/// When the facility first saw another state than Boot.
#[must_use]
fn controlling_after_ms(notices: &[Notice]) -> Option<u64> {
    let controls = |what: &What| matches!(what, What::State(state) if state != "boot");
    notices.iter().find(|notice| controls(&notice.what)).map(|notice| notice.plant_ms)
}

fn alarms(notices: &[Notice]) -> Vec<AlarmSummary> {
    let mut alarms: Vec<AlarmSummary> = Vec::new();
    for Notice { plant_ms, what } in notices {
        match what {
            What::AlarmRaised(name) => {
                alarms.push(AlarmSummary { name: name.clone(), at_s: seconds(*plant_ms), cleared_s: None });
            }
            What::AlarmCleared(name) => {
                let standing =
                    alarms.iter_mut().rev().find(|alarm| alarm.name == *name && alarm.cleared_s.is_none());
                if let Some(alarm) = standing {
                    alarm.cleared_s = Some(seconds(*plant_ms));
                }
            }
            What::State(_) | What::NodeGone | What::DeviceGone(_) | What::BrokerGone | What::BrokerBack => {}
        }
    }
    alarms
}

#[expect(clippy::cast_precision_loss, reason = "a demo does not last for 285 000 years")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_dash = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: String| writeln!(f, "  {name:<28} {value}");
        writeln!(f, "summary of {:.1} s, workload {}, seed {}", self.duration_s, self.workload, self.seed)?;
        row(f, "controlling after", format!("{} ms", or_dash(self.controlling_after_ms)))?;
        row(f, "peak GPU temperature", format!("{:.1} °C", self.peak_gpu_celsius))?;
        row(f, "throttled", format!("{:.1} GPU-seconds", self.throttled_gpu_seconds))?;
        row(f, "heat recovered", format!("{:.4} kWh", self.heat_recovered_kwh))?;
        row(f, "heat to the river", format!("{:.4} kWh", self.heat_to_river_kwh))?;
        row(f, "pump energy", format!("{:.5} kWh", self.pump_energy_kwh))?;
        let share = self
            .pump_energy_vs_fixed_flow
            .map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0));
        row(f, "  against fixed design flow", share)?;
        row(f, "MQTT messages", self.mqtt_published.to_string())?;
        let (cycles, overruns) = (or_dash(self.control_cycles), or_dash(self.cycle_overruns));
        row(f, "control cycles", format!("{cycles}, {overruns} overran"))?;
        row(f, "restarts", self.restarts.to_string())?;
        for fault in &self.faults {
            let detected = or_dash(fault.detected_ms);
            let capped = or_dash(fault.capped_ms);
            row(
                f,
                &format!("fault {}", fault.name),
                format!("at {:.1} s, detected {detected} ms, capped {capped} ms", fault.at_s),
            )?;
        }
        for alarm in &self.alarms {
            let end = alarm.cleared_s.map_or_else(|| "stands".to_owned(), |end| format!("to {end:.1} s"));
            row(f, &format!("alarm {}", alarm.name), format!("from {:.1} s {end}", alarm.at_s))?;
        }
        row(f, "final state", self.final_state.clone().unwrap_or_else(|| "unknown".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(plant_ms: u64, what: What) -> Notice {
        Notice { plant_ms, what }
    }

    fn truth() -> Truth {
        let fault = FaultRecord::of_test("flow-loss", 20_000, Some(410));
        Truth { time_ms: 60_000, fixed_flow_pump_kwh: 0.002, faults: vec![fault], ..Truth::default() }
    }

    fn notices() -> Vec<Notice> {
        vec![
            notice(900, What::State("boot".into())),
            notice(1500, What::State("running".into())),
            notice(5000, What::AlarmRaised("dew_point_unknown".into())),
            notice(9000, What::AlarmCleared("dew_point_unknown".into())),
            notice(20_100, What::AlarmCleared("nothing".into())),
            notice(20_320, What::State("critical".into())),
            notice(20_400, What::AlarmRaised("loss_of_flow".into())),
        ]
    }

    fn summary() -> Summary {
        let counted = Counted { seed: 1, mqtt_published: 77, cycles: Some((590, 1)), restarts: 0 };
        Summary::of(&truth(), &notices(), Some("critical"), counted)
    }

    #[test]
    fn a_fault_is_detected_by_the_first_trouble_that_follows_it() {
        let expected = FaultSummary {
            name: "flow-loss".into(),
            at_s: 20.0,
            detected_ms: Some(320),
            capped_ms: Some(410),
        };
        assert_eq!(summary().faults, [expected]);
    }

    #[test]
    fn control_begins_with_the_first_state_after_boot() {
        assert_eq!(summary().controlling_after_ms, Some(1500));
    }

    #[test]
    fn an_alarm_has_a_beginning_and_an_end() {
        let alarms = summary().alarms;
        assert_eq!(
            alarms[0],
            AlarmSummary { name: "dew_point_unknown".into(), at_s: 5.0, cleared_s: Some(9.0) }
        );
        assert_eq!(alarms[1], AlarmSummary { name: "loss_of_flow".into(), at_s: 20.4, cleared_s: None });
    }

    #[test]
    fn the_json_has_every_promised_key() {
        let json = serde_json::to_value(summary()).unwrap();
        for key in [
            "peak_gpu_celsius",
            "throttled_gpu_seconds",
            "heat_recovered_kwh",
            "heat_to_river_kwh",
            "pump_energy_kwh",
            "pump_energy_vs_fixed_flow",
            "mqtt_published",
            "control_cycles",
            "cycle_overruns",
            "faults",
            "alarms",
            "final_state",
        ] {
            assert!(json.get(key).is_some_and(|value| !value.is_null()), "{key}");
        }
        let fault = &json["faults"][0];
        assert!(["name", "at_s", "detected_ms", "capped_ms"].iter().all(|key| fault.get(key).is_some()));
    }

    #[test]
    fn people_find_the_same_numbers() {
        let text = summary().to_string();
        for part in [
            "controlling after",
            "1500 ms",
            "detected 320 ms, capped 410 ms",
            "590, 1 overran",
            "from 20.4 s stands",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
