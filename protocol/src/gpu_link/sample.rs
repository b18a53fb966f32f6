//! One GPU's readings, as its worker sends them.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::field::Field;
use super::wire::{wire_struct, wire_words};
use crate::units::{Celsius, Kelvin, Megahertz, Percent, Watts};

wire_words! {
    /// State of one GPU, as its worker sees it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    GpuHealth {
        /// Answers.
        Ok = 0 "ok",
        /// Not yet asked, or no handle yet.
        #[default]
        Unknown = 1 "unknown",
        /// A call has not come back within its deadline; the worker is stuck in the driver.
        Hung = 2 "hung",
        /// Fell off the bus.
        Lost = 3 "lost",
        /// Needs a reset.
        ResetRequired = 4 "reset_required",
        /// Answers with another error.
        Failed = 5 "failed",
    }
}

wire_words! {
    /// What the driver says must be done to get a GPU right again.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    RecoveryAction {
        /// Nothing.
        None = 0 "none",
        /// Reset the GPU.
        Reset = 1 "reset",
        /// Reboot the node.
        Reboot = 2 "reboot",
        /// Stop peer-to-peer traffic.
        DrainPeers = 3 "drain_peers",
        /// Let its work end, then reset it.
        DrainAndReset = 4 "drain_and_reset",
        /// Something that this program does not know.
        Other = 5 "other",
    }
}

/// Memory rows that were replaced by spare ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemappedRows {
    /// Because of errors that were mended.
    pub correctable: u32,
    /// Because of errors that were not.
    pub uncorrectable: u32,
    /// More wait for a reset of the GPU.
    pub pending: bool,
    /// A row could not be replaced: there is no spare one.
    pub failed: bool,
}

wire_struct!(RemappedRows { correctable, uncorrectable, pending, failed });

/// One GPU's readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpuSample {
    /// Index as the driver counts.
    pub index: u8,
    /// State of the GPU.
    pub health: GpuHealth,
    /// Age of the batch when this frame was sent, ms; `u32::MAX` if there never was one. Fields add their own.
    pub age_ms: u32,
    /// Duration of the last batch of driver calls, µs.
    pub batch_us: u32,
    /// Driver's identity of the device.
    pub uuid: String<40>,
    /// Product name.
    pub name: String<32>,

    /// Core temperature.
    pub temperature: Field<Celsius>,
    /// Memory (HBM) temperature.
    pub memory_temperature: Field<Celsius>,
    /// Distance of the hottest part to where the driver starts to slow it down. Zero and below is real.
    pub margin: Field<Kelvin>,
    /// What the driver tells of the margin does not fit the temperature; the smaller of both is shown.
    pub margin_doubtful: bool,
    /// Power now, or as near to it as the device can tell.
    pub power: Field<Watts>,
    /// Power over the last second.
    pub power_average: Field<Watts>,
    /// Limit requested in-band, by whomever.
    pub limit_requested: Field<Watts>,
    /// Limit in force, whoever set it.
    pub limit_enforced: Field<Watts>,
    /// Streaming-multiprocessor clock.
    pub sm_clock: Field<Megahertz>,
    /// Share of time a kernel ran.
    pub utilization: Field<Percent>,
    /// Driver's bit set of reasons for running slower than asked.
    pub throttle_reasons: Field<u32>,

    /// Performance state, 0 is the fastest.
    pub performance_state: Field<u32>,
    /// Energy since the driver was loaded, mJ.
    pub energy_mj: Field<u64>,
    /// Memory errors that were mended, since the driver was loaded.
    pub ecc_corrected: Field<u64>,
    /// Memory errors that were not.
    pub ecc_uncorrected: Field<u64>,
    /// Memory rows that were replaced.
    pub remapped_rows: Field<RemappedRows>,
    /// What the driver says must be done.
    pub recovery_action: Field<RecoveryAction>,
    /// The driver keeps its state, and so our limits, when nobody uses the GPU.
    pub persistence: Field<bool>,
    /// The GPU is split into instances.
    pub mig: Field<bool>,
    /// Processes that compute on it.
    pub processes: Field<u32>,

    /// Temperature at which hardware slows the GPU down.
    pub slowdown_at: Option<Celsius>,
    /// Temperature at which the GPU shuts down.
    pub shutdown_at: Option<Celsius>,
    /// Factory limit.
    pub limit_default: Option<Watts>,
    /// Lowest limit that can be set.
    pub limit_min: Option<Watts>,
    /// Highest limit that can be set.
    pub limit_max: Option<Watts>,
    /// Highest SM clock.
    pub sm_clock_max: Option<Megahertz>,
    /// Lowest SM clock that can be locked.
    pub sm_clock_min: Option<Megahertz>,

    /// The GPU process itself has lowered this GPU: its margin is gone, or the agent was silent.
    pub guarded: bool,
    /// Power cap that the GPU process holds for the agent, if any.
    pub held_cap: Option<Watts>,
    /// Clock lock that the GPU process holds for the agent, if any.
    pub held_clock: Option<Megahertz>,
    /// The GPU process holds a low-power profile for the agent.
    pub held_profile: bool,
    /// The GPU process holds power smoothing for the agent.
    pub held_smoothing: bool,
    /// Times that somebody else changed the power limit while we held one.
    pub foreign_changes: u32,
    /// Time since the last of them, ms; `u32::MAX` if there was none.
    pub foreign_age_ms: u32,
    /// Critical errors (XID) since the GPU process started.
    pub xid_count: u32,
    /// The last of them; zero if there was none.
    pub xid_last: u32,
}

wire_struct!(GpuSample {
    index,
    health,
    age_ms,
    batch_us,
    uuid,
    name,
    temperature,
    memory_temperature,
    margin,
    margin_doubtful,
    power,
    power_average,
    limit_requested,
    limit_enforced,
    sm_clock,
    utilization,
    throttle_reasons,
    performance_state,
    energy_mj,
    ecc_corrected,
    ecc_uncorrected,
    remapped_rows,
    recovery_action,
    persistence,
    mig,
    processes,
    slowdown_at,
    shutdown_at,
    limit_default,
    limit_min,
    limit_max,
    sm_clock_max,
    sm_clock_min,
    guarded,
    held_cap,
    held_clock,
    held_profile,
    held_smoothing,
    foreign_changes,
    foreign_age_ms,
    xid_count,
    xid_last,
});

#[cfg(test)]
impl GpuSample {
    /// A sample that takes as many bytes as any can.
    pub(super) fn longest() -> Self {
        use super::field::Aged;

        fn last<T>(value: T) -> Field<T> {
            Field::Failed { last: Some(Aged { value, age_ms: u32::MAX }) }
        }
        Self {
            index: 15,
            health: GpuHealth::Hung,
            age_ms: u32::MAX,
            batch_us: 1,
            uuid: String::try_from("GPU-0123456789abcdef-0123456789abcdef012").unwrap(),
            name: String::try_from("NVIDIA H200 with the longest nam").unwrap(),
            temperature: last(Celsius::new(63.0)),
            memory_temperature: last(Celsius::new(70.0)),
            margin: last(Kelvin::new(-3.0)),
            margin_doubtful: true,
            power: last(Watts::new(701.5)),
            power_average: last(Watts::new(650.0)),
            limit_requested: last(Watts::new(700.0)),
            limit_enforced: last(Watts::new(650.0)),
            sm_clock: last(Megahertz::new(1755.0)),
            utilization: last(Percent::new(99.0)),
            throttle_reasons: last(0x24),
            performance_state: last(0),
            energy_mj: last(u64::MAX),
            ecc_corrected: last(1),
            ecc_uncorrected: last(2),
            remapped_rows: last(RemappedRows {
                correctable: 1,
                uncorrectable: 2,
                pending: true,
                failed: false,
            }),
            recovery_action: last(RecoveryAction::DrainAndReset),
            persistence: last(true),
            mig: last(false),
            processes: last(3),
            slowdown_at: Some(Celsius::new(89.0)),
            shutdown_at: Some(Celsius::new(95.0)),
            limit_default: Some(Watts::new(700.0)),
            limit_min: Some(Watts::new(200.0)),
            limit_max: Some(Watts::new(700.0)),
            sm_clock_max: Some(Megahertz::new(1980.0)),
            sm_clock_min: Some(Megahertz::new(345.0)),
            guarded: true,
            held_cap: None,
            held_clock: Some(Megahertz::new(345.0)),
            held_profile: true,
            held_smoothing: false,
            foreign_changes: 1,
            foreign_age_ms: 2,
            xid_count: 3,
            xid_last: 79,
        }
    }
}
