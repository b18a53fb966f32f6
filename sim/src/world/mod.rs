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
mod fate;
mod faults;
mod nvml_event;
#[cfg(test)]
mod nvml_tests;
mod run;
mod script;
mod seam;
#[cfg(test)]
mod tests;
mod truth;

use std::sync::Arc;

use eisbach_nvml_sim::{GpuCell, SharedState};

pub use baseline::Baseline;
pub use commission::{Commissioned, WorldSettings};
pub use event::{Event, Nature, Outside, UnknownEvent, Wire};
pub use faults::{FaultLog, FaultRecord};
pub use nvml_event::{GpuFault, GpuNumber, NodeEvent};
pub use run::{Happened, Order, OrderError, StartError, Stopped, WorldThread};
pub use script::{Entry, PlantTimeError, Script, ScriptError, plant_time};
pub use truth::{OrdersTruth, RequestTruth, Truth, WireTruth, device_name};

use crate::devices::{self, DeviceHub, Orders, Readings};
use crate::plant::{Actuators, Boundary, DT, Fault, FaultKind, GPUS, GpuState, Plant, STEP_MS};
use crate::workload::{Load, Workload};
use seam::{Counters, GpuWish};

/// How late a late device answers, ms: past every deadline of the agent's profiles.
const LATE_MS: u64 = 3000;

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
    /// Limits set by a BMC, W; none as infinite. They outlive the driver.
    out_of_band_watts: [f64; GPUS],
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
        let Commissioned {
            settings: WorldSettings { seed, workload, .. }, plant, baseline, boundary, ..
        } = node;
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
            out_of_band_watts: [f64::INFINITY; GPUS],
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
        let gpus = self.nvml.gpus().iter().zip(&self.lost).zip(&self.out_of_band_watts);
        let wishes = gpus.map(|((gpu, lost), watts)| GpuWish {
            request: gpu.request(),
            out_of_band_watts: *watts,
            present: !lost,
        });
        let actuators = self.idle_beyond(seam::actuators(&self.plant.params().gpu, self.orders, wishes));
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
            Event::Break(kind) if kind.is_outside() => self.surround(kind.typical()),
            Event::Break(kind) => self.plant.inject(kind.typical()),
            Event::Mend(kind) => self.calm(kind),
            Event::Wire(kind, wire) => match wire {
                Wire::Silence => self.hub.fault(kind, devices::Fault::Silent),
                Wire::Refuse => self.hub.fault(kind, devices::Fault::Refuse),
                Wire::Reset => self.hub.fault(kind, devices::Fault::Reset),
                Wire::Late => self.hub.fault(kind, devices::Fault::Late { delay_ms: LATE_MS }),
                Wire::Answer => self.hub.clear(kind),
            },
            Event::GpuLost(index) => {
                self.on_gpu(index, fate::lose);
                self.lost.iter_mut().skip(index).take(1).for_each(|lost| *lost = true);
            }
            Event::GpuBack => {
                fate::mend_gpus(&self.nvml);
                self.lost = [false; GPUS];
            }
            Event::NvmlHang(index) => self.on_gpu(index, fate::hang),
            Event::NvmlOk => fate::mend_calls(&self.nvml),
            Event::Node(event) => fate::node(&self.nvml, event),
            Event::Gpu(fault, index) => self.on_gpu(index, |gpu| fate::gpu(gpu, fault)),
            Event::GpuNumber(what, index, number) => self.number(what, index, number),
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
        if let Event::GpuLost(index)
        | Event::NvmlHang(index)
        | Event::Gpu(_, index)
        | Event::GpuNumber(_, index, _) = event
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
        let cells = self.nvml.gpus().iter().zip(&mut self.joules).zip(&self.out_of_band_watts);
        for (((gpu, joules), from_outside), (sensors, truth)) in cells.zip(shown) {
            *joules += truth.watts * DT;
            self.peak_celsius = self.peak_celsius.max(truth.core_celsius);
            if let Some(sensors) = sensors {
                gpu.publish(&seam::telemetry(sensors, &gpu.request(), *from_outside, *joules));
            }
            if truth.state == GpuState::Off {
                fate::lose(gpu);
            }
        }
        let mut readings = seam::readings(&self.plant, &mut self.counters);
        readings.pump.forced_local = self.panel.forced_local;
        // The button is pressed once: it ends no alarm whose cause is still there.
        readings.pump.reset_pressed = std::mem::take(&mut self.panel.reset_pressed);
        self.orders = self.hub.update(self.now_ms, &readings);
    }

    fn on_gpu(&self, index: usize, what: impl FnOnce(&GpuCell)) {
        if let Some(gpu) = self.nvml.gpu(index) {
            what(gpu);
        }
    }

    fn number(&mut self, what: GpuNumber, index: usize, number: u32) {
        match what {
            GpuNumber::Xid => self.on_gpu(index, |gpu| gpu.raise_xid(number)),
            GpuNumber::XidStorm => self.on_gpu(index, |gpu| fate::storm(gpu, number)),
            GpuNumber::ForeignLimit => {
                self.on_gpu(index, |gpu| fate::foreign_limit(gpu, number, self.now_ms));
            }
            GpuNumber::OutOfBandLimit => {
                let watts = if number == 0 { f64::INFINITY } else { number.into() };
                self.out_of_band_watts.iter_mut().skip(index).take(1).for_each(|limit| *limit = watts);
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
