//! The GPUs of one node on their cold plates, all eight at once.
//!
//! ```text
//!  work · lock ─► limiter ─► power ─┬─► die ──┐
//!  base + leakage(T) ──────────────►┴─► memory┴─► metal ─► liquid ─► out
//! ```
//!
//! The same equations as in [`plant`](crate::plant), solved for steps of a tenth of a second to a second: die, memory,
//! metal and liquid of a plate are one linear system, stepped by the implicit Euler rule, so that no step is too long,
//! the steady state is exact, and every joule is accounted for. Die and memory are eliminated beforehand, which leaves
//! two equations for each GPU.

use super::lanes::Lanes;
use super::table::Table;
use crate::plant::cold_plate::profile_mean;
use crate::plant::gpu::{THROTTLED_BELOW, work_at};
use crate::plant::hydraulics::M3_S_PER_LPM;
use crate::plant::{GPUS, GpuParams, GpuState, PlantParams, PlateParams};

/// Leakage is given at this temperature, °C.
const LEAKAGE_CELSIUS: f64 = 60.0;
/// Plates are tabled up to this share of their design flow: more than any pump here gives.
const MOST_FLOW: f64 = 3.0;
/// Points of a plate's table.
const PLATE_POINTS: u16 = 1024;

/// What all nodes of a kind have in common, for steps of one length.
#[derive(Clone, Debug)]
pub(super) struct BoardShape {
    pub(super) gpu: GpuParams,
    /// One where there is a GPU, zero in an empty socket.
    there: Lanes,
    limiter_share: f64,
    /// Work power at the lowest clock, share of that at full clock.
    least_work: f64,
    memory: Chip,
    plate: PlateShape,
    /// What of the way to the truth NVML's core temperature goes in one step.
    shown_share: f64,
}

/// A plate for steps of one length.
#[derive(Clone, Debug)]
pub(super) struct PlateShape {
    /// Heat capacities over the step, W/K.
    metal: f64,
    liquid: f64,
    capacities: (f64, f64),
    /// Conductance from metal to liquid, W/K, and the same times the place of the mean temperature, over flow, m³/s.
    film: Table,
}

/// A chip on its plate: `next = (1 − γ)·now + β·power + γ·metal`, with the heat capacity and the step in γ and β.
#[derive(Clone, Copy, Debug)]
struct Chip {
    beta: f64,
    gamma: f64,
    /// Heat into the metal per kelvin of the chip above it, W/K.
    grip: f64,
    capacity: f64,
}

impl Chip {
    fn new(capacity: f64, resistance: f64, dt: f64) -> Self {
        let whole = capacity / dt + 1.0 / resistance;
        let gamma = 1.0 / (resistance * whole);
        Self { beta: 1.0 / whole, gamma, grip: (1.0 - gamma) / resistance, capacity }
    }
}

impl PlateShape {
    pub(super) fn new(plate: &PlateParams, volumetric: f64, dt: f64) -> Self {
        let film = |flow: f64| {
            let resistance = plate.resistance_at(flow);
            [1.0 / resistance, profile_mean(resistance, flow * volumetric) / resistance]
        };
        Self {
            metal: plate.metal_capacity / dt,
            liquid: plate.liquid_capacity / dt,
            capacities: (plate.metal_capacity, plate.liquid_capacity),
            film: Table::of(0.0, MOST_FLOW * plate.design_lpm * M3_S_PER_LPM, PLATE_POINTS, film),
        }
    }

    /// Metal and outlet after a step: `heat` W into the metal, liquid of `capacity` W/K at `inlet` °C and `flow` m³/s.
    pub(super) fn step(
        &self,
        (metal, outlet): (f64, f64),
        heat: f64,
        inlet: f64,
        (flow, capacity): (f64, f64),
    ) -> (f64, f64) {
        let [film, far] = self.film.at(flow);
        let near = (film - far) * inlet;
        let into_metal = self.metal * metal + heat + near;
        let into_liquid = self.liquid * outlet - near + capacity * inlet;
        let (of_metal, of_liquid) = (self.metal + film, self.liquid + far + capacity);
        let metal = (into_metal * of_liquid + far * into_liquid) / (of_metal * of_liquid - film * far);
        (metal, (into_liquid + film * metal) / of_liquid)
    }

    pub(super) fn stored(&self, metal: f64, outlet: f64) -> f64 {
        self.capacities.0 * metal + self.capacities.1 * outlet
    }
}

impl BoardShape {
    pub(super) fn new(node: &PlantParams, volumetric: f64, dt: f64) -> Self {
        let gpu = node.gpu;
        let mut there = Lanes::all(1.0);
        there.0.iter_mut().skip(node.sockets).for_each(|socket| *socket = 0.0);
        Self {
            gpu,
            there,
            limiter_share: 1.0 - (-dt / gpu.limiter_lag_s).exp(),
            least_work: work_at(&gpu, gpu.clock_min_mhz),
            memory: Chip::new(gpu.memory_capacity, gpu.memory_resistance, dt),
            plate: PlateShape::new(&node.plate, volumetric, dt),
            shown_share: 1.0 - (-dt / node.instruments.gpu_core.lag_s).exp(),
        }
    }
}

/// GPUs and plates of one node.
#[derive(Clone, Debug)]
pub(super) struct Board {
    pub(super) die: Lanes,
    memory: Lanes,
    metal: Lanes,
    outlet: Lanes,
    /// Share of work power that the limiter lets pass.
    passed: Lanes,
    /// Work asked of each GPU, 0 to 1.
    utilisation: Lanes,
    /// Power limits, W.
    limit: Lanes,
    /// Work power at the clock lock, share of that at full clock.
    lock: Lanes,
    /// The limiter takes no more than down to this share of that.
    least: Lanes,
    beta: Lanes,
    gamma: Lanes,
    grip: Lanes,
    pub(super) power: Lanes,
    /// Core temperature as NVML shows it, before it is rounded.
    pub(super) shown: Lanes,
    pub(super) states: [GpuState; GPUS],
    /// A GPU is slowed down or off.
    odd: bool,
}

/// What one step of a board did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct BoardStep {
    /// Power of all GPUs, W.
    pub(super) power: f64,
    /// Flow times outlet temperature, summed over the plates, m³ K/s.
    pub(super) mixed: f64,
    /// GPUs that do less than they are asked.
    pub(super) throttled: f64,
    /// The hottest core, °C.
    pub(super) hottest: f64,
}

impl Board {
    /// At rest at one temperature. `contact` is the resistance from die to plate against the nominal one.
    pub(super) fn new(shape: &BoardShape, contact: [f64; GPUS], celsius: f64, dt: f64) -> Self {
        let chips =
            contact.map(|contact| Chip::new(shape.gpu.die_capacity, shape.gpu.die_resistance * contact, dt));
        let all = Lanes::all;
        Self {
            die: all(celsius),
            memory: all(celsius),
            metal: all(celsius),
            outlet: all(celsius),
            passed: all(1.0),
            utilisation: all(0.0),
            limit: all(shape.gpu.tdp_watts),
            lock: all(1.0),
            least: all(shape.least_work),
            beta: Lanes(chips.map(|chip| chip.beta)),
            gamma: Lanes(chips.map(|chip| chip.gamma)),
            grip: Lanes(chips.map(|chip| chip.grip)),
            power: all(0.0),
            shown: all(celsius),
            states: [GpuState::Running; GPUS],
            odd: false,
        }
    }

    /// Work asked of each GPU, 0 to 1. What is no number counts as none.
    pub(super) fn work(&mut self, utilisation: [f64; GPUS], shape: &BoardShape) {
        let held = |share: f64| if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self.utilisation = Lanes(utilisation.map(held)) * shape.there;
    }

    /// Power limit, W, and highest clock, MHz, of one GPU.
    pub(super) fn limit(&mut self, gpu: usize, (watts, mhz): (f64, f64), shape: &BoardShape) {
        let params = &shape.gpu;
        let lock = work_at(params, mhz.clamp(params.clock_min_mhz, params.clock_max_mhz));
        let lanes = [&mut self.limit, &mut self.lock, &mut self.least];
        let values = [watts.clamp(0.0, params.tdp_watts), lock, shape.least_work / lock];
        for (lane, value) in lanes.into_iter().zip(values) {
            if let Some(own) = lane.0.get_mut(gpu) {
                *own = value;
            }
        }
    }

    /// Works for a step; `flow` in m³/s through each plate, liquid of `volumetric` J/(m³ K) at `inlet` °C.
    pub(super) fn step(&mut self, shape: &BoardShape, flow: Lanes, volumetric: f64, inlet: f64) -> BoardStep {
        if self.odd || self.die.most() >= shape.gpu.slowdown_celsius {
            self.protect(shape);
        }
        let throttled = self.draw(shape);
        self.conduct(shape, flow, flow * volumetric, inlet);
        self.shown = self.shown + (self.die - self.shown) * shape.shown_share;
        BoardStep {
            power: self.power.sum(),
            mixed: (flow * self.outlet).sum(),
            throttled,
            hottest: self
                .die
                .with(shape.there, |die, there| if there > 0.0 { die } else { f64::NEG_INFINITY })
                .most(),
        }
    }

    /// Heat in chips, metal and liquid above 0 °C, J.
    pub(super) fn stored(&self, shape: &BoardShape) -> f64 {
        let plates = self.metal.with(self.outlet, |metal, outlet| shape.plate.stored(metal, outlet));
        (self.die * shape.gpu.die_capacity + self.memory * shape.memory.capacity + plates).sum()
    }

    /// Power of this step; returns how many GPUs do less than they are asked.
    fn draw(&mut self, shape: &BoardShape) -> f64 {
        let gpu = &shape.gpu;
        let fixed = self.die.map(|die| {
            gpu.base_watts + gpu.leakage_watts * grown((die - LEAKAGE_CELSIUS) * (1.0 / gpu.leakage_kelvin))
        }) * shape.there;
        let asked = self.utilisation * gpu.work_watts;
        let locked = asked * self.lock;
        let limit = if self.odd { self.slowed(fixed + locked) } else { self.limit };
        let room = (limit - fixed).larger(Lanes::default());
        // Where nothing is asked the quotient is no number or infinite, and not used.
        let target = (room / locked)
            .larger(self.least)
            .with(locked - room, |least, over| if over > 0.0 { least } else { 1.0 });
        self.passed = self.passed + (target - self.passed) * shape.limiter_share;
        let work = locked * self.passed;
        self.power = fixed + work;
        if self.odd {
            self.darken();
        }
        let could = asked.smaller(fixed.map(|fixed| gpu.tdp_watts - fixed)) * THROTTLED_BELOW;
        work.with(could, |work, could| if work < could { 1.0 } else { 0.0 }).sum()
    }

    /// Moves heat from the chips through metal into liquid.
    fn conduct(&mut self, shape: &BoardShape, flow: Lanes, capacity: Lanes, inlet: f64) {
        let (plate, memory) = (&shape.plate, &shape.memory);
        let mut film = Lanes::default();
        let mut far = Lanes::default();
        for ((film, far), flow) in film.0.iter_mut().zip(&mut far.0).zip(flow.0) {
            [*film, *far] = plate.film.at(flow);
        }
        let memory_power = self.power * shape.gpu.memory_share;
        let die_power = self.power - memory_power;
        let chips = self.grip * self.die
            + self.gamma * die_power
            + self.memory * memory.grip
            + memory_power * memory.gamma;
        let near = (film - far) * inlet;
        let into_metal = self.metal * plate.metal + chips + near;
        let into_liquid = self.outlet * plate.liquid + capacity * inlet - near;
        let of_metal = self.grip + film + (plate.metal + memory.grip);
        let of_liquid = far + capacity + plate.liquid;
        let whole = of_metal * of_liquid - film * far;
        self.metal = (into_metal * of_liquid + far * into_liquid) / whole;
        self.outlet = (into_liquid + film * self.metal) / of_liquid;
        self.die = self.die + (self.metal - self.die) * self.gamma + self.beta * die_power;
        self.memory = self.memory + (self.metal - self.memory) * memory.gamma + memory_power * memory.beta;
    }

    /// The hardware's own last line, as in the detailed plant.
    #[cold]
    fn protect(&mut self, shape: &BoardShape) {
        for (state, core) in self.states.iter_mut().zip(self.die.0) {
            *state = state.next(core, &shape.gpu);
        }
        self.odd = self.states.iter().any(|state| *state != GpuState::Running);
    }

    /// Limits where the hardware halves power.
    #[cold]
    fn slowed(&self, drawn: Lanes) -> Lanes {
        let mut limit = self.limit;
        for ((limit, drawn), state) in limit.0.iter_mut().zip(drawn.0).zip(self.states) {
            if state == GpuState::Slowed {
                *limit = 0.5 * limit.min(drawn);
            }
        }
        limit
    }

    /// No power where the hardware has switched itself off.
    #[cold]
    fn darken(&mut self) {
        for (power, state) in self.power.0.iter_mut().zip(self.states) {
            if state == GpuState::Off {
                *power = 0.0;
            }
        }
    }
}

/// e^x for -2 to 2, within 1e-4 of itself: leakage is known far less well than that.
fn grown(x: f64) -> f64 {
    let eighth = x * 0.125;
    let root = 1.0 + eighth * (1.0 + eighth * (0.5 + eighth * (1.0 / 6.0 + eighth * (1.0 / 24.0))));
    let square = root * root;
    let fourth = square * square;
    fourth * fourth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leakage_follows_its_exponential() {
        for x in [-2.0, -1.4, -0.5, 0.0, 0.3, 0.6, 1.4, 2.0] {
            assert!((grown(x) / f64::exp(x) - 1.0).abs() < 1e-4, "{x}: {}", grown(x));
        }
    }

    const VOLUMETRIC: f64 = 1012.5 * 3957.0;

    /// A board under full work at a share of design flow, with the power of each step.
    fn course(dt: f64, share: f64, steps: usize) -> (Board, BoardShape, f64) {
        let params = PlantParams::ideal();
        let shape = BoardShape::new(&params, VOLUMETRIC, dt);
        let mut board = Board::new(&shape, params.contact_spread, 35.0, dt);
        board.work([1.0; GPUS], &shape);
        let flow = Lanes::all(share * params.plate.design_lpm * M3_S_PER_LPM);
        let mut kept = 0.0;
        for _ in 0..steps {
            let before = board.stored(&shape);
            let step = board.step(&shape, flow, VOLUMETRIC, 35.0);
            let out = VOLUMETRIC * (step.mixed - 35.0 * flow.sum());
            kept += ((step.power - out) * dt - (board.stored(&shape) - before)).abs();
        }
        (board, shape, kept)
    }

    #[test]
    fn every_joule_is_accounted_for_at_any_step_and_flow() {
        for dt in [0.1, 1.0] {
            for share in [1.0, 0.3, 0.001, 0.0] {
                let (.., lost) = course(dt, share, 200);
                assert!(lost < 1e-6, "{lost} J at {share} of design flow in steps of {dt} s");
            }
        }
    }

    #[test]
    fn the_steady_state_does_not_know_the_step() {
        let (tenth, ..) = course(0.1, 1.0, 3000);
        let (second, ..) = course(1.0, 1.0, 300);
        assert!((tenth.die.0[3] - second.die.0[3]).abs() < 1e-3);
        assert!((tenth.die.0[3] - 63.5).abs() < 1.5, "{}", tenth.die.0[3]);
    }

    #[test]
    fn without_flow_the_hardware_slows_down_and_then_switches_off() {
        let (board, ..) = course(0.1, 0.0, 150);
        assert!(board.states.contains(&GpuState::Slowed), "{:?}", board.states);
        let (board, ..) = course(0.1, 0.0, 600);
        assert_eq!(board.states, [GpuState::Off; GPUS]);
        assert!(board.power.sum().abs() < 1e-9);
    }
}
