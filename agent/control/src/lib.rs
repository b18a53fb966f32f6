//! Mind of eisbach: a snapshot of the node in, a decision out.
//!
//! ```text
//!             ┌────────────────────────── Controller::step ──────────────────────────┐
//!  Snapshot ─►│ estimate: worst-case margins and power     (every step)              │
//!  now      ─►│ observer: heat under way, balance, sensors  (every step)             │─► Decision
//!             │ guard:    loss of flow, over-temperature   (every step, 10 Hz)       │
//!             │ state:    Boot · Running · Hot · Critical · Leak · Uncontrollable    │
//!             │ loops:    pump, supply and recovery valve  (1 Hz)                    │
//!             │ ladder:   soft, cap, deep, per GPU         (every step)              │
//!             │ budget:   power that all GPUs share        (1 Hz)                    │
//!             │ calls:    drain, freeze, stop, outside     (every step)              │
//!             └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Terms. **Margin**: how far a GPU is below the temperature at which its hardware slows it down. **Rung**: a step
//! of the throttling ladder. **Leader**: the part of the controller that dictates an output. **Supply**: coolant
//! into the cold plates. **Recovery valve**: 0 % sends all heat to the river, 100 % all to heat recovery.
//!
//! `step` is pure: it reads no clock, does no I/O, does not allocate and does not panic. The same snapshots at the
//! same times give the same decisions, bit for bit.

#![no_std]

#[cfg(test)]
extern crate std;

mod aim;
mod alarm_book;
mod alarms;
mod balance;
mod budget;
mod controller;
mod decision;
mod effects;
mod escalation;
mod estimate;
mod flow_guard;
mod flow_law;
mod hand;
mod heat;
mod history;
mod ladder;
mod learned;
mod loops;
mod network;
mod observer;
mod permit;
mod plates;
mod pump;
mod quiet;
mod ration;
pub mod record;
mod remote;
mod rungs;
mod setpoint;
mod share;
mod snapshot;
mod standing;
mod state;
mod supply;
mod surroundings;
mod suspects;
mod throttle;
mod tuning;
mod valve_forward;

pub use alarm_book::{
    AlarmBook, AlarmChange, AlarmChanges, AlarmState, AlarmView, Behind, Conditions, Devices, LONGEST_SHELF,
    Moment, Refusal,
};
pub use alarms::AlarmSet;
pub use controller::Controller;
pub use decision::{Decision, Escalation, GpuDecision, Leader, Output, Reason, Release, Rung};
pub use learned::{Bounded, Drift, Learned, Learning, Suspect};
pub use permit::{PermitState, RiverView};
pub use remote::{Fate, Manual, Remote, RemoteOutcome};
pub use setpoint::{Mode, SetPoints};
pub use snapshot::{GpuInput, GpuLimits, LeakInput, MeterInput, PumpInput, RoomInput, Snapshot, ValveInput};
pub use state::{Cause, StateName};
pub use surroundings::{Calendar, Surroundings};
pub use tuning::{PermitTuning, SetPointTuning, Tuning, TuningError};
