//! Both ends of the link between the agent and its privileged GPU process.
//!
//! ```text
//!   eisbach-agent run                                 eisbach-agent gpu (root, no network)
//!  ┌─────────────────────────────┐   Unix socket    ┌────────────────────────────────────┐
//!  │ cycle ◄─► client (latest    │ ◄── Sample ───── │ server: supervisor                 │
//!  │           value, latest     │ ─── Beat ──────► │   ├─ worker of GPU 0 ─► NVML       │
//!  │           request)          │ ─── Throttle ──► │   └─ worker of GPU n ─► NVML       │
//!  └─────────────────────────────┘                  └────────────────────────────────────┘
//! ```
//!
//! Why two processes: a call into the driver can hang uninterruptibly, and a process so wedged cannot even be
//! killed. It would hold the agent's Modbus and MQTT sockets hostage. And what talks to the network must not be
//! able to set limits by itself.

pub mod client;
pub mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a cell. Every holder leaves plain values behind, so a panic elsewhere cannot have broken them.
fn lock<T>(cell: &Mutex<T>) -> MutexGuard<'_, T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}
