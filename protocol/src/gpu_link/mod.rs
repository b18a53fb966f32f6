//! The link between the agent and its privileged GPU process: fixed-size frames on a Unix stream socket.
//!
//! ```text
//!   agent                       GPU process (owns NVML)
//!     │ ◄──── Hello ──────────────│  once a connection, and when something in it changes
//!     │ ◄──── Sample × GPUs ──────│  each sampling period
//!     │ ───── Beat ──────────────►│  once a completed control cycle
//!     │ ───── Throttle ──────────►│  when a limit changes
//!     │ ◄──── Outcome ────────────│  what came of it
//!     │ ───── Detach, Attach ────►│  when a person wants the driver free
//!     │ ◄──── HandedOver ─────────│  what came of it
//!     │ ◄──── Event, CallStat ────│  errors as they come; how long driver calls take, one after the other
//!
//!   frame: magic "EISB" · version · kind · reserved 2 · sequence u32 · reserved 4 · body 496, little-endian
//! ```
//!
//! Every frame has the same size, so a reader can never be made to wait for a length it was told. A frame that
//! is not exactly right is refused whole.

mod field;
mod frame;
mod sample;
mod wire;

pub use field::{Aged, Field};
pub use frame::{BODY_LEN, FRAME_LEN, FrameError};
pub use sample::{GpuHealth, GpuSample, RecoveryAction, RemappedRows};

use heapless::String;

use self::wire::{Reader, Wire, Writer, wire_struct, wire_words};
use crate::units::{Megahertz, Watts};

/// Most GPUs one node may have.
pub const MAX_GPUS: usize = 16;

/// Classes of duration in a [`CallStat`]: under 1 µs, then each twice as long, the last without an end.
pub const BUCKETS: usize = 24;

/// One message, either direction.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a frame has the same size on the wire whatever it holds")]
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
    /// Something happened to a GPU.
    Event(GpuEvent),
    /// How long one kind of driver call takes.
    CallStat(CallStat),
    /// Let go of the driver.
    Detach(Detach),
    /// Take the driver again.
    Attach,
    /// What a detach or attach led to.
    HandedOver(HandedOver),
}

/// First frame of a connection, from the GPU process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// GPUs that the driver lists.
    pub gpu_count: u8,
    /// State of the driver as a whole.
    pub driver: DriverState,
    /// Whether throttling is permitted by the driver (privilege).
    pub may_throttle: bool,
    /// Time until the GPU process takes the driver again by itself, ms; zero unless it is detached.
    pub detached_left_ms: u32,
    /// Version of the driver; empty while there is none.
    pub driver_version: String<32>,
}

wire_struct!(Hello { gpu_count, driver, may_throttle, detached_left_ms, driver_version });

wire_words! {
    /// State of the driver as a whole.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    DriverState {
        /// NVML is initialised.
        Ready = 0 "ready",
        /// NVML is being loaded.
        Starting = 1 "starting",
        /// There is no NVML library, or no driver.
        Absent = 2 "absent",
        /// NVML does not come back from being loaded or let go.
        Hanging = 3 "hanging",
        /// Library and kernel module are of different versions; a reboot or a reload of the module mends that.
        Mismatch = 4 "mismatch",
        /// Let go, as somebody asked.
        Detached = 5 "detached",
    }
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

wire_struct!(Beat { cycle, cooling_proven, leaving });

/// Change one GPU's limits. Absent means: take our limit away, back to what was there before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Index as the driver counts.
    pub gpu: u8,
    /// Control cycle that asks. One that is far behind the agent's last beat is stale and refused.
    pub cycle: u64,
    /// Highest power allowed.
    pub power_cap: Option<Watts>,
    /// Highest SM clock allowed.
    pub sm_clock_max: Option<Megahertz>,
    /// The low-power workload profile, on devices that have one.
    pub low_power_profile: bool,
    /// Smoothing of power steps, on devices that have it.
    pub smoothing: bool,
}

impl Throttle {
    /// No limit of ours on a GPU.
    #[must_use]
    pub const fn nothing(gpu: u8) -> Self {
        Self {
            gpu,
            cycle: 0,
            power_cap: None,
            sm_clock_max: None,
            low_power_profile: false,
            smoothing: false,
        }
    }

    /// Whether both ask for the same, whenever they were made.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        Self { cycle: other.cycle, ..*self } == *other
    }
}

impl Wire for Throttle {
    fn put(&self, out: &mut Writer<'_>) {
        self.gpu.put(out);
        self.cycle.put(out);
        self.power_cap.put(out);
        self.sm_clock_max.put(out);
        self.low_power_profile.put(out);
        self.smoothing.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        let gpu = u8::take(input)?;
        if usize::from(gpu) >= MAX_GPUS {
            return Err(FrameError::Index(gpu));
        }
        Ok(Self {
            gpu,
            cycle: Wire::take(input)?,
            power_cap: Wire::take(input)?,
            sm_clock_max: Wire::take(input)?,
            low_power_profile: Wire::take(input)?,
            smoothing: Wire::take(input)?,
        })
    }
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

wire_struct!(Outcome { of, gpu, verdict });

wire_words! {
    /// Result of a throttle request.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    Verdict {
        /// Written, and read back where the driver can tell.
        Applied = 0 "applied",
        /// A later request for the same GPU took its place.
        Superseded = 1 "superseded",
        /// The GPU does not answer, or there is no driver.
        Unreachable = 2 "unreachable",
        /// The driver refuses for lack of privilege.
        NotPermitted = 3 "not_permitted",
        /// The device does not have this limit, or the value is out of its range.
        Refused = 4 "refused",
        /// Not restored: cooling is not proven.
        Withheld = 5 "withheld",
        /// Not restored: somebody else has changed the limit meanwhile, and theirs stays.
        Yielded = 6 "yielded",
        /// The guard holds this GPU, and there is no agent to hand it back to.
        Guarded = 7 "guarded",
        /// The request is older than what the agent has said since.
        Stale = 8 "stale",
        /// The driver lists no such GPU.
        NoSuchGpu = 9 "no_such_gpu",
        /// The driver was let go.
        Detached = 10 "detached",
    }
}

/// Something happened to a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpuEvent {
    /// Index of the GPU.
    pub gpu: u8,
    /// What.
    pub kind: EventKind,
    /// The XID, or what the driver tells with this kind of event.
    pub data: u64,
    /// Events of this GPU that came too fast to be told since the last one that was.
    pub untold: u32,
}

wire_struct!(GpuEvent { gpu, kind, data, untold });

wire_words! {
    /// Kinds of event.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    EventKind {
        /// A critical error; its number is in NVIDIA's list of XIDs.
        Xid = 0 "xid",
        /// A memory error that was not mended.
        DoubleBitEcc = 1 "double_bit_ecc",
        /// Memory errors that were mended, more than the driver likes.
        SingleBitEccStorm = 2 "single_bit_ecc_storm",
        /// Corrupt data was used by a program.
        Poison = 3 "poison",
        /// A memory row was, or could not be, replaced.
        RowRemap = 4 "row_remap",
        /// The GPU is not available any more.
        Unavailable = 5 "unavailable",
        /// What must be done to get it right has changed.
        RecoveryAction = 6 "recovery_action",
        /// Something else.
        Other = 7 "other",
    }
}

/// How long one kind of driver call on one GPU takes, since the GPU process has had the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStat {
    /// Index of the GPU.
    pub gpu: u8,
    /// The driver's name of the call.
    pub name: String<48>,
    /// Calls that came back.
    pub calls: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Duration of all of them together, µs.
    pub total_us: u64,
    /// Duration of the longest, µs.
    pub longest_us: u32,
    /// Calls by duration: bucket `n` holds those under 2ⁿ µs that no bucket before it holds.
    pub buckets: [u32; BUCKETS],
}

wire_struct!(CallStat { gpu, name, calls, failures, total_us, longest_us, buckets });

/// Let go of the driver, for a reset of a GPU or an update of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detach {
    /// Time after which the GPU process takes it again by itself, ms.
    pub for_ms: u32,
}

wire_struct!(Detach { for_ms });

/// What a detach or attach led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandedOver {
    /// Sequence number of the frame that asked.
    pub of: u32,
    /// What happened.
    pub result: HandOver,
    /// The GPU that stands in the way, where one does.
    pub gpu: u8,
    /// How long it took, ms.
    pub took_ms: u32,
}

wire_struct!(HandedOver { of, result, gpu, took_ms });

wire_words! {
    /// Result of a detach or attach.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    HandOver {
        /// The driver is free: no file of it is open here.
        Detached = 0 "detached",
        /// The driver is being loaded.
        Attached = 1 "attached",
        /// A GPU is too warm to be left alone.
        GpuHot = 2 "gpu_hot",
        /// The temperature of a GPU is not known.
        GpuUnseen = 3 "gpu_unseen",
        /// A GPU hangs in the driver, and with it the way out.
        GpuHung = 4 "gpu_hung",
        /// Another hand-over is still under way, or the driver is just being loaded.
        Busy = 5 "busy",
        /// Asked for longer than is allowed, or for no time at all.
        BadTime = 6 "bad_time",
        /// The driver does not come back, and nobody can tell because of which GPU.
        DriverHung = 7 "driver_hung",
    }
}
