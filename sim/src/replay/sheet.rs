//! A record as a table: what was known, what was decided, and what is decided now.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use eisbach_control::{GpuDecision, GpuInput};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Percent, Quantity};

use super::ReplayError;
use super::player::Again;

/// Columns of the node; those of each GPU follow.
const NODE: &str = "utc_ms,now_ms,state,rung,leader,reason,hottest_margin_k,node_power_w,flow_lpm,supply_c,return_c,\
                    pump_speed,valve_position,pump_recorded,pump_now,valve_recorded,valve_now,same";

/// A CSV file on its way.
#[derive(Debug)]
pub(super) struct Sheet {
    path: PathBuf,
    out: BufWriter<File>,
    /// GPUs that have columns: those of the first step.
    gpus: Option<usize>,
}

impl Sheet {
    pub(super) fn create(path: &Path) -> Result<Self, ReplayError> {
        let file =
            File::create(path).map_err(|source| ReplayError::File { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file), gpus: None })
    }

    pub(super) fn line(&mut self, again: &Again) -> Result<(), ReplayError> {
        self.try_line(again).map_err(|source| ReplayError::File { path: self.path.clone(), source })
    }

    pub(super) fn finish(mut self) -> Result<(), ReplayError> {
        self.out.flush().map_err(|source| ReplayError::File { path: self.path, source })
    }

    fn try_line(&mut self, again: &Again) -> io::Result<()> {
        let Again { wall_ms, step, decision, same } = again;
        let (snapshot, recorded) = (&step.snapshot, &step.decision);
        let out = &mut self.out;
        let gpus = match self.gpus {
            Some(gpus) => gpus,
            None => {
                write!(out, "{NODE}")?;
                for gpu in 0..snapshot.gpus.len() {
                    for column in ["temperature_c", "margin_k", "power_w", "cap_recorded_w", "cap_now_w"] {
                        write!(out, ",gpu{gpu}_{column}")?;
                    }
                }
                writeln!(out)?;
                *self.gpus.insert(snapshot.gpus.len())
            }
        };
        let (state, leader) = (decision.state.as_str(), decision.leader.as_str());
        let (rung, reason) = (decision.rung.number(), decision.reason.as_str());
        write!(out, "{wall_ms},{},{state},{rung},{leader},\"{reason}\"", step.now.get())?;
        write!(out, ",{},{}", number(decision.hottest_margin), decision.node_power.get())?;
        let meter = &snapshot.meter;
        write!(out, ",{},{},{}", read(&meter.flow), read(&meter.supply), read(&meter.return_))?;
        write!(out, ",{},{}", read(&snapshot.pump.speed), read(&snapshot.valve.position))?;
        let percent = |value: Option<Percent>| number(value);
        write!(out, ",{},{}", percent(recorded.pump.value), percent(decision.pump.value))?;
        write!(out, ",{},{},{same}", percent(recorded.valve.value), percent(decision.valve.value))?;
        for index in 0..gpus {
            let gpu = snapshot.gpus.get(index).copied().unwrap_or_default();
            let GpuInput { temperature, margin, power, .. } = &gpu;
            let cap = |gpu: Option<&GpuDecision>| number(gpu.and_then(|gpu| gpu.power_cap));
            write!(out, ",{},{},{}", read(temperature), read(margin), read(power))?;
            write!(out, ",{},{}", cap(recorded.gpus.get(index)), cap(decision.gpus.get(index)))?;
        }
        writeln!(out)
    }
}

/// Empty where there is none.
fn number<Q: Quantity>(value: Option<Q>) -> String {
    value.map_or_else(String::new, |value| value.get().to_string())
}

/// Empty where control could not use it.
fn read<Q: Quantity>(reading: &Reading<Q>) -> String {
    number(reading.usable())
}
