//! Everything the controller knows at one moment. A dead bus is data here, never a wait.

use eisbach_protocol::gpu_link::{GpuHealth, MAX_GPUS};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Kelvin, KiloPascal, LitersPerMinute, Megahertz, Percent, Watts};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::remote::Remote;
use crate::surroundings::Surroundings;

/// The node at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The GPUs that the driver lists, in its order. Empty if there is no GPU link.
    pub gpus: Vec<GpuInput, MAX_GPUS>,
    /// How many GPUs the node is configured to have; fewer in `gpus` count as silent ones.
    pub gpus_expected: usize,
    /// The GPU process has let go of the driver, as somebody asked.
    pub detached: bool,
    /// Most that all GPUs together may draw, by the facility's word. What is no power is not believed.
    pub power_budget: Option<Watts>,
    /// Orders from afar that are in force.
    pub remote: Remote,
    /// The world outside, as the facility tells it.
    pub surroundings: Surroundings,
    /// The loop's pump.
    pub pump: PumpInput,
    /// The recovery valve.
    pub valve: ValveInput,
    /// Flow and temperatures of the node loop.
    pub meter: MeterInput,
    /// Room air.
    pub room: RoomInput,
    /// Leak rope.
    pub leak: LeakInput,
    /// A person confirms that a latched state may end.
    pub reset: bool,
}

/// One GPU.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct GpuInput {
    /// State as its driver tells.
    pub health: GpuHealth,
    /// Core temperature.
    pub temperature: Reading<Celsius>,
    /// Distance to slowdown, of the core or the memory, whichever is closer.
    pub margin: Reading<Kelvin>,
    /// Power drawn.
    pub power: Reading<Watts>,
    /// The driver slows the GPU down for its heat.
    pub thermal_slowdown: Reading<bool>,
    /// What the device can be set to.
    pub limits: GpuLimits,
    /// Power cap that the GPU process already holds for us, for instance from before a restart.
    pub held_cap: Option<Watts>,
    /// Clock lock that the GPU process already holds for us.
    pub held_clock: Option<Megahertz>,
    /// Low-power profile that the GPU process already holds for us.
    pub held_profile: bool,
}

/// What a GPU can be set to. Read from the device; the tuning's fallback stands in until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GpuLimits {
    /// Lowest power limit.
    pub power_min: Option<Watts>,
    /// Limit without us.
    pub power_default: Option<Watts>,
    /// Lowest SM clock that can be locked.
    pub clock_min: Option<Megahertz>,
    /// Highest SM clock.
    pub clock_max: Option<Megahertz>,
}

/// The loop's pump.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct PumpInput {
    /// The drive turns.
    pub running: Reading<bool>,
    /// The drive reports an alarm.
    pub alarm: Reading<bool>,
    /// It obeys the bus.
    pub remote: Reading<bool>,
    /// Speed as a share of full speed.
    pub speed: Reading<Percent>,
    /// Pressure difference.
    pub head: Reading<KiloPascal>,
    /// Other nodes ask for speed too, and the highest wins: faster than asked is as it should be.
    pub shared: bool,
}

/// The recovery valve.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct ValveInput {
    /// Measured position.
    pub position: Reading<Percent>,
    /// It cannot reach its set-point.
    pub fault: Reading<bool>,
    /// Water into recovery, where the valve measures it.
    pub inlet: Reading<Celsius>,
    /// Heat given to recovery, where the valve measures it.
    pub recovered: Reading<Watts>,
}

/// Flow and temperatures of the node loop.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct MeterInput {
    /// Coolant flow.
    pub flow: Reading<LitersPerMinute>,
    /// Into the cold plates.
    pub supply: Reading<Celsius>,
    /// Out of the cold plates.
    pub return_: Reading<Celsius>,
}

/// Room air.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct RoomInput {
    /// Its dew point.
    pub dew_point: Reading<Celsius>,
}

/// Leak rope.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct LeakInput {
    /// Water.
    pub detected: Reading<bool>,
    /// The rope is broken. A broken rope is a fault, not a leak, and never clears one.
    pub fault: Reading<bool>,
}
