//! A GPU: power from work, clock and temperature; the firmware's limiter; the hardware's last line.
//!
//! ```text
//!  work · clock^1.7 ─► limiter (0.2 s) ─► power ─┬─► die    ─► plate
//!  base + leakage(T) ───────────────────────────►┴─► memory ─► plate
//!
//!            89 °C              95 °C
//!  Running ◄──────► Slowed ──────────────► Off (latched)
//!            87 °C   half power             no power
//! ```

use serde::Serialize;

use super::params::GpuParams;

/// A GPU does less than asked if its work power is this much below what TDP and full clock would give.
pub(crate) const THROTTLED_BELOW: f64 = 0.98;

/// Work power under the Max-Q profile. Estimate: up to 15 % of energy saved for 3 % of work at most (arXiv
/// 2510.03872).
const MAX_Q_SHARE: f64 = 0.85;

/// What the hardware itself has decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuState {
    /// As told.
    #[default]
    Running,
    /// Too hot: power is halved until the core is cooler.
    Slowed,
    /// Far too hot: switched off until the node is power-cycled.
    Off,
}

impl GpuState {
    /// What it decides with the core at `core` °C.
    pub(crate) fn next(self, core: f64, params: &GpuParams) -> Self {
        match self {
            Self::Off => Self::Off,
            Self::Running | Self::Slowed if core >= params.shutdown_celsius => Self::Off,
            Self::Running if core >= params.slowdown_celsius => Self::Slowed,
            Self::Slowed if core < params.slowdown_celsius - params.slowdown_hysteresis => Self::Running,
            same @ (Self::Running | Self::Slowed) => same,
        }
    }
}

/// What a GPU is asked to do in this step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Task {
    /// Share of its capacity that the workload wants.
    pub(super) utilisation: f64,
    pub(super) power_limit: f64,
    pub(super) clock_max_mhz: f64,
    pub(super) max_q: bool,
}

/// One GPU without its plate.
#[derive(Clone, Debug)]
pub(super) struct Gpu {
    params: GpuParams,
    die: Chip,
    memory: Chip,
    state: GpuState,
    /// Share of work power that the limiter lets pass.
    passed: f64,
    limiter_share: f64,
    /// Work power at the lowest clock, share of that at full clock: the limiter has nothing more to take.
    least_work: f64,
    power: f64,
    clock_mhz: f64,
    throttled: bool,
}

impl Gpu {
    /// `contact` is the resistance from die to plate against the nominal one.
    pub(super) fn new(params: GpuParams, contact: f64, celsius: f64, dt: f64) -> Self {
        Self {
            die: Chip::new(params.die_capacity, params.die_resistance * contact, celsius, dt),
            memory: Chip::new(params.memory_capacity, params.memory_resistance, celsius, dt),
            state: GpuState::Running,
            passed: 1.0,
            limiter_share: 1.0 - (-dt / params.limiter_lag_s).exp(),
            least_work: work_at(&params, params.clock_min_mhz),
            power: 0.0,
            clock_mhz: params.clock_min_mhz,
            throttled: false,
            params,
        }
    }

    /// Works for `dt` on a plate at `plate` °C; returns the heat into the plate, W.
    pub(super) fn step(&mut self, task: Task, plate: f64, dt: f64) -> f64 {
        self.state = self.state.next(self.die.celsius, &self.params);
        self.power = self.next_power(task);
        let memory_power = self.params.memory_share * self.power;
        self.die.step(self.power - memory_power, plate, dt) + self.memory.step(memory_power, plate, dt)
    }

    pub(super) fn state(&self) -> GpuState {
        self.state
    }

    pub(super) fn power(&self) -> f64 {
        self.power
    }

    pub(super) fn core_celsius(&self) -> f64 {
        self.die.celsius
    }

    pub(super) fn memory_celsius(&self) -> f64 {
        self.memory.celsius
    }

    /// SM clock, MHz.
    pub(super) fn clock_mhz(&self) -> f64 {
        self.clock_mhz
    }

    /// Does less than the workload asks, for whatever reason.
    pub(super) fn throttled(&self) -> bool {
        self.throttled
    }

    /// Heat in die and memory above 0 °C, J.
    pub(super) fn stored(&self) -> f64 {
        self.die.capacity * self.die.celsius + self.memory.capacity * self.memory.celsius
    }

    fn next_power(&mut self, task: Task) -> f64 {
        let params = self.params;
        if self.state == GpuState::Off {
            self.throttled = task.utilisation > 0.0;
            self.clock_mhz = 0.0;
            return 0.0;
        }
        let fixed = params.base_watts + params.leakage_at(self.die.celsius);
        let profile = if task.max_q { MAX_Q_SHARE } else { 1.0 };
        let asked = params.work_watts * task.utilisation * profile;
        let lock = task.clock_max_mhz.clamp(params.clock_min_mhz, params.clock_max_mhz);
        let work_at_lock = work_at(&params, lock);
        let locked = asked * work_at_lock;

        let limit = match self.state {
            GpuState::Slowed => 0.5 * task.power_limit.min(fixed + locked),
            GpuState::Running | GpuState::Off => task.power_limit,
        };
        let room = (limit - fixed).max(0.0);
        let target = if locked > room { (room / locked).max(self.least_work / work_at_lock) } else { 1.0 };
        self.passed += self.limiter_share * (target - self.passed);

        let work = locked * self.passed;
        self.throttled = work < THROTTLED_BELOW * asked.min(params.tdp_watts - fixed);
        self.clock_mhz = if task.utilisation > 0.0 {
            lock * self.passed.powf(1.0 / params.clock_exponent)
        } else {
            params.clock_min_mhz
        };
        fixed + work
    }
}

impl GpuParams {
    /// Leakage of a die at `celsius`, W.
    pub(crate) fn leakage_at(&self, celsius: f64) -> f64 {
        self.leakage_watts * ((celsius - 60.0) / self.leakage_kelvin).exp()
    }
}

/// Work power at a clock, share of that at full clock.
pub(crate) fn work_at(params: &GpuParams, clock_mhz: f64) -> f64 {
    (clock_mhz / params.clock_max_mhz).powf(params.clock_exponent)
}

/// Silicon on a plate: one heat capacity behind one resistance, integrated exactly, so that any step is
/// stable.
#[derive(Clone, Debug)]
struct Chip {
    celsius: f64,
    capacity: f64,
    resistance: f64,
    /// What is left of a disturbance after one step.
    decay: f64,
}

impl Chip {
    fn new(capacity: f64, resistance: f64, celsius: f64, dt: f64) -> Self {
        Self { celsius, capacity, resistance, decay: (-dt / (capacity * resistance)).exp() }
    }

    /// Takes `power` W for `dt`; returns the mean heat into the plate, W.
    fn step(&mut self, power: f64, plate: f64, dt: f64) -> f64 {
        let end = plate + power * self.resistance;
        let next = end + (self.celsius - end) * self.decay;
        let to_plate = power - self.capacity * (next - self.celsius) / dt;
        self.celsius = next;
        to_plate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: f64 = 0.01;
    const FULL: Task = Task { utilisation: 1.0, power_limit: 700.0, clock_max_mhz: 1980.0, max_q: false };

    fn run(gpu: &mut Gpu, task: Task, plate: f64, seconds: u32) {
        for _ in 0..seconds * 100 {
            gpu.step(task, plate, DT);
        }
    }

    fn after(task: Task, plate: f64) -> Gpu {
        let mut gpu = Gpu::new(GpuParams::H200, 1.0, plate, DT);
        run(&mut gpu, task, plate, 60);
        gpu
    }

    #[test]
    fn full_work_draws_tdp_and_is_not_throttled() {
        let gpu = after(FULL, 52.0);
        assert!((gpu.power() - 700.0).abs() < 0.1, "{}", gpu.power());
        assert!(!gpu.throttled());
    }

    #[test]
    fn max_q_draws_a_good_tenth_less_and_is_no_throttle() {
        let gpu = after(Task { max_q: true, ..FULL }, 52.0);
        assert!((0.85..0.92).contains(&(gpu.power() / 700.0)), "{}", gpu.power());
        assert!(!gpu.throttled());
    }

    #[test]
    fn idle_draws_seventy_five_watts() {
        let power = after(Task { utilisation: 0.0, ..FULL }, 35.0).power();
        assert!((power - 75.0).abs() < 3.0, "{power}");
    }

    #[test]
    fn the_lowest_clock_brings_full_work_near_idle() {
        let gpu = after(Task { clock_max_mhz: 345.0, ..FULL }, 45.0);
        assert!((90.0..=120.0).contains(&gpu.power()), "{}", gpu.power());
        assert!(gpu.throttled());
    }

    #[test]
    fn a_cap_bites_with_the_limiters_lag() {
        let mut gpu = after(FULL, 40.0);
        let capped = Task { power_limit: 200.0, ..FULL };
        for _ in 0..20 {
            gpu.step(capped, 40.0, DT);
        }
        assert!((gpu.power() - 200.0 - 500.0 * (-1.0_f64).exp()).abs() < 10.0, "{}", gpu.power());
        run(&mut gpu, capped, 40.0, 5);
        assert!((gpu.power() - 200.0).abs() < 1.0, "{}", gpu.power());
    }

    #[test]
    fn slowdown_halves_power_and_ends_with_hysteresis() {
        let mut gpu = after(FULL, 82.0);
        assert_eq!(gpu.state(), GpuState::Slowed);
        assert!((gpu.power() - 350.0).abs() < 20.0, "{}", gpu.power());
        run(&mut gpu, FULL, 60.0, 5);
        assert_eq!(gpu.state(), GpuState::Running);
    }

    #[test]
    fn shutdown_latches() {
        let mut gpu = after(FULL, 95.0);
        run(&mut gpu, FULL, 30.0, 60);
        assert_eq!(gpu.state(), GpuState::Off);
        assert!(gpu.power() < 1e-9 && gpu.throttled());
    }

    #[test]
    fn a_chip_keeps_every_joule() {
        let mut chip = Chip::new(2.2, 0.02, 40.0, DT);
        for power in [700.0, 0.0, 350.0] {
            let before = chip.celsius;
            let out = chip.step(power, 50.0, DT);
            assert!(((power - out) * DT - 2.2 * (chip.celsius - before)).abs() < 1e-9);
        }
    }
}
