//! The link between the agent and its privileged GPU process: fixed-size frames on a Unix stream socket.
//!
//! ```text
//!   agent                       GPU process (owns NVML)
//!     │ ◄──── Hello ──────────────│  once a connection
//!     │ ◄──── Sample × GPUs ──────│  each sampling period
//!     │ ───── Beat ──────────────►│  once a completed control cycle
//!     │ ───── Throttle ──────────►│  when a limit changes
//!     │ ◄──── Outcome ────────────│  what came of it
//!
//!   frame: magic "EISB" · version · kind · reserved 2 · sequence u32 · body 240, all little-endian
//! ```
//!
//! Every frame has the same size, so a reader can never be made to wait for a length it was told. A frame that
//! is not exactly right is refused whole.

mod frame;

pub use frame::{BODY_LEN, FRAME_LEN, FrameError};

use heapless::String;

use crate::units::{Celsius, Kelvin, Megahertz, Percent, Watts};

/// Most GPUs one node may have.
pub const MAX_GPUS: usize = 16;

/// One message, either direction.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a frame is 256 bytes on the wire whatever it holds")]
pub enum Frame {
    /// Who serves, and how many GPUs there are.
    Hello(Hello),
    /// One GPU's readings.
    Sample(GpuSample),
    /// What a throttle request led to.
    Outcome(Outcome),
    /// The agent finished a control cycle.
    Beat(Beat),
    /// Change one GPU's limits.
    Throttle(Throttle),
}

/// First frame of a connection, from the GPU process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// GPUs that the driver lists.
    pub gpu_count: u8,
    /// State of the driver as a whole.
    pub driver: DriverState,
    /// Whether throttling is permitted by the driver (privilege).
    pub may_throttle: bool,
}

/// State of the driver as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverState {
    /// NVML is initialised.
    Ready,
    /// NVML is being loaded, or its initialisation hangs.
    Starting,
    /// There is no NVML library, or no driver.
    Absent,
}

/// State of one GPU, as its worker sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GpuHealth {
    /// Answers.
    Ok,
    /// Not yet asked, or no handle yet.
    #[default]
    Unknown,
    /// A call has not come back within its deadline; the worker is stuck in the driver.
    Hung,
    /// Fell off the bus.
    Lost,
    /// Needs a reset.
    ResetRequired,
    /// Answers with another error.
    Failed,
}

impl GpuHealth {
    /// One stable word for logs and tags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Hung => "hung",
            Self::Lost => "lost",
            Self::ResetRequired => "reset_required",
            Self::Failed => "failed",
        }
    }
}

/// One GPU's readings. A field that the device does not have, or did not answer, is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpuSample {
    /// Index as the driver counts.
    pub index: u8,
    /// State of the GPU.
    pub health: GpuHealth,
    /// Whether the GPU process itself has capped this GPU because the agent is silent.
    pub guarded: bool,
    /// Age of the readings when this frame was sent.
    pub age_ms: u32,
    /// Duration of the last batch of driver calls.
    pub batch_us: u32,
    /// Driver's identity of the device.
    pub uuid: String<40>,
    /// Product name.
    pub name: String<32>,
    /// Core temperature.
    pub temperature: Option<Celsius>,
    /// Memory (HBM) temperature.
    pub memory_temperature: Option<Celsius>,
    /// Distance of the hottest part to where the driver starts to slow it down.
    pub margin: Option<Kelvin>,
    /// Temperature at which hardware slows the GPU down.
    pub slowdown_at: Option<Celsius>,
    /// Temperature at which the GPU shuts down.
    pub shutdown_at: Option<Celsius>,
    /// Power, as instant as the device can tell.
    pub power: Option<Watts>,
    /// Limit requested in-band.
    pub limit_requested: Option<Watts>,
    /// Limit in force, whoever set it.
    pub limit_enforced: Option<Watts>,
    /// Factory limit.
    pub limit_default: Option<Watts>,
    /// Lowest limit that can be set.
    pub limit_min: Option<Watts>,
    /// Highest limit that can be set.
    pub limit_max: Option<Watts>,
    /// Streaming-multiprocessor clock.
    pub sm_clock: Option<Megahertz>,
    /// Highest SM clock.
    pub sm_clock_max: Option<Megahertz>,
    /// Lowest SM clock that can be locked.
    pub sm_clock_min: Option<Megahertz>,
    /// Share of time a kernel ran.
    pub utilization: Option<Percent>,
    /// Driver's bit set of reasons for running slower than asked.
    pub throttle_reasons: Option<u32>,
    /// Power cap that the GPU process holds for the agent, if any.
    pub held_cap: Option<Watts>,
    /// Clock lock that the GPU process holds for the agent, if any.
    pub held_clock: Option<Megahertz>,
}

/// The agent finished a control cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Cycles completed since the agent started.
    pub cycle: u64,
    /// Whether the agent has evidence that coolant carries the heat away.
    pub cooling_proven: bool,
    /// The agent is leaving in good order; its silence is no emergency by itself.
    pub leaving: bool,
}

/// Change one GPU's limits. Absent means: take our limit away, back to what was there before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Index as the driver counts.
    pub gpu: u8,
    /// Highest power allowed.
    pub power_cap: Option<Watts>,
    /// Highest SM clock allowed.
    pub sm_clock_max: Option<Megahertz>,
}

/// What a [`Throttle`] led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Sequence number of the throttle frame.
    pub of: u32,
    /// Index of the GPU.
    pub gpu: u8,
    /// What happened.
    pub verdict: Verdict,
}

/// Result of a throttle request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Written, and read back where the driver can tell.
    Applied,
    /// A later request for the same GPU took its place.
    Superseded,
    /// There is no such GPU, or it does not answer.
    Unreachable,
    /// The driver refuses for lack of privilege.
    NotPermitted,
    /// The device does not have this limit, or the value is out of its range.
    Refused,
    /// Not restored: cooling is not proven, or somebody else has changed the limit meanwhile.
    Withheld,
}

impl Verdict {
    /// One stable word for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Superseded => "superseded",
            Self::Unreachable => "unreachable",
            Self::NotPermitted => "not_permitted",
            Self::Refused => "refused",
            Self::Withheld => "withheld",
        }
    }
}
