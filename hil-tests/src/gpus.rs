//! The rig's GPUs, as the agent tells them and as they are.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::binaries::{Binary, binary};
use crate::rig::Rig;
use crate::wait::until;

/// Far beyond what anything here takes by itself, however busy the machine is.
pub const MINUTE: Duration = Duration::from_secs(60);
/// GPUs of the usual node.
const GPUS: usize = 8;
/// Control cycles that the agent completes while it is looked at: a second.
const CYCLES: i64 = 10;

impl Rig {
    /// Waits until every GPU but `away` tells a fresh temperature, all of them at once, while the cycles go on.
    pub fn others_go_on(&self, away: &[usize]) {
        let before = self.cycles().0;
        let fresh = |point: &Value| {
            point["quality"] == "good" && point["age_ms"].as_u64().is_some_and(|age| age < 1000)
        };
        until(
            "the other GPUs are sampled in their period and cycles go on",
            MINUTE,
            || self.status()["objects"].take(),
            |objects| {
                let cycles = objects["node"]["points"]["Cycles"]["value"].as_i64();
                (0..GPUS)
                    .filter(|gpu| !away.contains(gpu))
                    .all(|gpu| fresh(&objects[format!("gpu{gpu}")]["points"]["Temperature"]))
                    && cycles.is_some_and(|now| now >= before + CYCLES)
            },
        );
    }

    /// Waits until `gpu` tells `value` as `point`, as a good one.
    pub fn gpu_tells(&self, gpu: usize, point: &str, value: impl Into<Value>) {
        let (object, value) = (format!("gpu{gpu}"), value.into());
        let what = format!("{object} tells {point} {value}");
        until(
            &what,
            MINUTE,
            || self.point(&object, point),
            |seen| seen["value"] == value && seen["quality"] == "good",
        );
    }

    /// Waits until the quality of a GPU's point is `quality`.
    pub fn gpu_quality(&self, gpu: usize, point: &str, quality: &str) -> Value {
        let object = format!("gpu{gpu}");
        let what = format!("{object}'s {point} is {quality}");
        until(&what, MINUTE, || self.point(&object, point), |seen| seen["quality"] == quality)
    }

    /// Waits until the driver is in `state`, as the agent hears from a GPU process that is there.
    pub fn driver_is(&self, state: &str) {
        let good = |point: &Value| point["value"] == state && point["quality"] == "good";
        until(&format!("the driver is {state}"), MINUTE, || self.point("node", "DriverState"), good);
        assert_eq!(self.status()["driver"]["state"], state);
    }

    /// Waits until pump and valve have been told to give all cooling there is.
    pub fn all_cooling(&self) {
        until(
            "full flow, all heat to the river",
            MINUTE,
            || self.truth(),
            |truth| {
                truth.number("/orders/pump_speed") > 0.99 && truth.number("/orders/valve_position") < 0.01
            },
        );
    }

    /// The power limits as they stand in the driver, W.
    pub fn limits(&self) -> Vec<f64> {
        let truth = self.truth();
        (0..GPUS).map(|gpu| truth.number(&format!("/requests/{gpu}/limit_watts"))).collect()
    }

    /// Waits until the limits in the driver are as `holds` says.
    pub fn limits_are(&self, what: &str, holds: impl Fn(&[f64]) -> bool) {
        until(what, 2 * MINUTE, || self.limits(), |limits| holds(limits));
    }

    /// What `eisbach-agent` answers to a person who says these words.
    pub fn ask(&self, words: &[&str]) -> Output {
        let mut command = Command::new(binary(Binary::Agent));
        command.args(words).arg("--config").arg(self.config());
        command.output().expect("the agent can be started")
    }
}
