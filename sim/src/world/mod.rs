//! The world loop: plant, instruments and NVML in step.
//!
//! ```text
//!            ┌───────────────── one step, 10 ms of plant time ─────────────────┐
//!   NVML ──► │ limits, clocks ─┐                           ┌─► temperatures, … │ ──► NVML
//!            │                 ├─► actuators ─► Plant ─────┤                   │
//!   hub  ──► │ orders ─────────┘       ▲                   └─► readings        │ ──► hub (Modbus)
//!            └─────────────────────────┼───────────────────────────────────────┘
//!               workload, river, faults ┘
//! ```
//!
//! [`World`] is pure but for the two seams: it reads no clock. [`WorldThread`] paces it.

mod baseline;
mod commission;
mod event;
mod faults;
mod run;
mod script;
mod seam;
#[cfg(test)]
mod tests;
mod truth;

use std::sync::Arc;

use eisbach_nvml_sim::{Condition, GpuCell, SharedState};

pub use baseline::Baseline;
pub use commission::{Commissioned, WorldSettings};
pub use event::{Event, Nature, Outside, UnknownEvent, Wire};
pub use faults::{FaultLog, FaultRecord};
pub use run::{Happened, Order, OrderError, StartError, Stopped, WorldThread};
pub use script::{Entry, PlantTimeError, Script, ScriptError, plant_time};
pub use truth::{OrdersTruth, RequestTruth, Truth, WireTruth, device_name};

use crate::devices::{self, DeviceHub, Orders, Readings};
use crate::plant::{Actuators, Boundary, DT, Fault, FaultKind, GPUS, GpuState, Plant, STEP_MS};
use crate::workload::{Load, Workload};
use seam::Counters;

/// How late a late device answers, ms: past every deadline of the agent's profiles.
const LATE_MS: u64 = 3000;
/// NVIDIA's number for "GPU has fallen off the bus".
const XID_OFF_THE_BUS: u32 = 79;

/// An event that this world cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no GPU {index}; this node has {gpus}, counted from 0")]
pub struct NoSuchGpu {
    index: usize,
    gpus: usize,
}

/// What a person does at the pump's own panel.
#[derive(Clone, Copy, Debug, Default)]
struct Panel {
    forced_local: bool,
    reset_pressed: bool,
}

/// One node with everything around it.
#[derive(Debug)]
pub struct World {
    seed: u64,
    now_ms: u64,
    workload: Workload,
    load: Load,
    boundary: Boundary,
    plant: Plant,
    baseline: Baseline,
    orders: Orders,
    counters: Counters,
    joules: [f64; GPUS],
    lost: [bool; GPUS],
    panel: Panel,
    peak_celsius: f64,
    faults: FaultLog,
    hub: DeviceHub,
    nvml: Arc<SharedState>,
}

impl World {
    /// The node at time zero, with `hub` started as [`Commissioned::devices`] says.
    #[must_use]
    pub fn new(node: Commissioned, hub: DeviceHub, nvml: Arc<SharedState>) -> Self {
        let Commissioned { settings: WorldSettings { seed, workload }, plant, baseline, boundary, .. } = node;
        let mut world = Self {
            seed,
            now_ms: 0,
            workload,
            load: Load::new(workload, seed),
            boundary,
            plant,
            baseline,
            orders: hub.update(0, &Readings::default()),
            counters: Counters::default(),
            joules: [0.0; GPUS],
            lost: [false; GPUS],
            panel: Panel::default(),
            peak_celsius: f64::MIN,
            faults: FaultLog::default(),
            hub,
            nvml,
        };
        world.show();
        world
    }

    /// One step.
    pub fn step(&mut self) {
        self.boundary.utilisation = self.load.step();
        let requests = self.nvml.gpus().iter().zip(&self.lost).map(|(gpu, lost)| (gpu.request(), !lost));
        let actuators = self.idle_beyond(seam::actuators(self.orders, requests));
        self.plant.step(&actuators, &self.boundary);
        self.baseline.step(&self.boundary, self.orders.valve_position);
        self.now_ms += STEP_MS;
        self.show();
        self.faults.watch(self.now_ms, self.nvml.gpus());
    }

    /// Lets an event happen now. What is not of this world, the broker and the processes, is only remembered.
    ///
    /// # Errors
    /// If it names a GPU that is not there. Nothing has happened then.
    pub fn happen(&mut self, event: Event) -> Result<(), NoSuchGpu> {
        self.check(event)?;
        self.faults.happened(event, self.now_ms, self.nvml.gpus());
        match event {
            Event::PumpTrip => self.plant.inject(Fault::PumpTrip),
            Event::PumpOk => self.plant.clear(FaultKind::PumpTrip),
            Event::PanelReset => self.panel.reset_pressed = true,
            Event::PanelLocal => self.panel.forced_local = true,
            Event::PanelRemote => self.panel.forced_local = false,
            Event::FlowLoss => self.plant.inject(Fault::FlowLoss),
            Event::FlowOk => self.plant.clear(FaultKind::FlowLoss),
            Event::Leak => self.plant.inject(FaultKind::Leak.typical()),
            Event::LeakDry => self.plant.clear(FaultKind::Leak),
            Event::LeakSensorFault => self.plant.inject(Fault::LeakSensorFault),
            Event::LeakSensorOk => self.plant.clear(FaultKind::LeakSensorFault),
            Event::RiverHot => self.surround(FaultKind::RiverHeat.typical()),
            Event::RiverNormal => self.calm(FaultKind::RiverHeat),
            Event::HeatDemandLost => self.surround(Fault::HeatDemandLost),
            Event::HeatDemandOk => self.calm(FaultKind::HeatDemandLost),
            Event::Wire(kind, wire) => match wire {
                Wire::Silence => self.hub.fault(kind, devices::Fault::Silent),
                Wire::Refuse => self.hub.fault(kind, devices::Fault::Refuse),
                Wire::Reset => self.hub.fault(kind, devices::Fault::Reset),
                Wire::Late => self.hub.fault(kind, devices::Fault::Late { delay_ms: LATE_MS }),
                Wire::Answer => self.hub.clear(kind),
            },
            Event::GpuLost(index) => self.set_lost(|at| at == index, true),
            Event::GpuBack => self.set_lost(|_| true, false),
            Event::NvmlHang(index) => self.set_hangs(|at| at == index, true),
            Event::NvmlOk => self.set_hangs(|_| true, false),
            Event::Load(workload) => {
                self.workload = workload;
                self.load = Load::new(workload, self.seed);
            }
            Event::Outside(_) => {}
        }
        Ok(())
    }

    /// Whether an event can happen at all.
    ///
    /// # Errors
    /// If it names a GPU that is not there.
    pub fn check(&self, event: Event) -> Result<(), NoSuchGpu> {
        let gpus = self.nvml.gpus().len();
        if let Event::GpuLost(index) | Event::NvmlHang(index) = event
            && index >= gpus
        {
            return Err(NoSuchGpu { index, gpus });
        }
        Ok(())
    }

    /// What is so now.
    #[must_use]
    pub fn truth(&self) -> Truth {
        Truth {
            time_ms: self.now_ms,
            workload: self.workload.to_string(),
            plant: self.plant.truth().clone(),
            requests: self.nvml.gpus().iter().map(RequestTruth::of).collect(),
            orders: self.orders.into(),
            devices: truth::wires(&self.hub),
            peak_gpu_celsius: self.peak_celsius,
            fixed_flow_pump_kwh: self.baseline.pump_kwh(),
            faults: self.faults.records().to_vec(),
        }
    }

    /// Plant time, ms.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The rest of the house has no work where the node has fewer GPUs than the plant.
    fn idle_beyond(&self, mut actuators: Actuators) -> Actuators {
        actuators.gpus.iter_mut().skip(self.nvml.gpus().len()).for_each(|gpu| gpu.present = false);
        actuators
    }

    /// Shows the plant's new state to NVML and to the devices, and takes their orders.
    fn show(&mut self) {
        self.nvml.set_plant_time_ms(self.now_ms);
        let shown = self.plant.sensors().gpus.iter().zip(&self.plant.truth().gpus);
        let cells = self.nvml.gpus().iter().zip(&mut self.joules);
        for ((gpu, joules), (sensors, truth)) in cells.zip(shown) {
            *joules += truth.watts * DT;
            self.peak_celsius = self.peak_celsius.max(truth.core_celsius);
            if let Some(sensors) = sensors {
                gpu.publish(&seam::telemetry(sensors, &gpu.request(), *joules));
            }
            if truth.state == GpuState::Off {
                lose(gpu);
            }
        }
        let mut readings = seam::readings(&self.plant, &mut self.counters);
        readings.pump.forced_local = self.panel.forced_local;
        // The button is pressed once: it ends no alarm whose cause is still there.
        readings.pump.reset_pressed = std::mem::take(&mut self.panel.reset_pressed);
        self.orders = self.hub.update(self.now_ms, &readings);
    }

    fn set_lost(&mut self, which: impl Fn(usize) -> bool, lost: bool) {
        for (index, (gpu, slot)) in self.nvml.gpus().iter().zip(&mut self.lost).enumerate() {
            if which(index) {
                *slot = lost;
                if lost {
                    lose(gpu);
                } else {
                    gpu.set_faults(eisbach_nvml_sim::Faults {
                        condition: Condition::Present,
                        ..gpu.faults()
                    });
                }
            }
        }
    }

    fn set_hangs(&self, which: impl Fn(usize) -> bool, hangs: bool) {
        for (index, gpu) in self.nvml.gpus().iter().enumerate() {
            if which(index) {
                gpu.set_faults(eisbach_nvml_sim::Faults { hangs, ..gpu.faults() });
            }
        }
    }

    /// A fault of the surroundings meets the baseline too.
    fn surround(&mut self, fault: Fault) {
        self.plant.inject(fault);
        self.baseline.inject(fault);
    }

    fn calm(&mut self, kind: FaultKind) {
        self.plant.clear(kind);
        self.baseline.clear(kind);
    }
}

fn lose(gpu: &GpuCell) {
    if gpu.faults().condition == Condition::Present {
        gpu.set_faults(eisbach_nvml_sim::Faults { condition: Condition::Lost, ..gpu.faults() });
        gpu.raise_xid(XID_OFF_THE_BUS);
    }
}
