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
pub mod probe;
pub mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

use heapless::String;

/// Locks a cell. Every holder leaves plain values behind, so a panic elsewhere cannot have broken them.
fn lock<T>(cell: &Mutex<T>) -> MutexGuard<'_, T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As much of a text as fits.
fn fitted<const N: usize>(text: &str) -> String<N> {
    let mut fitted = String::new();
    // Stops at the first character that does not fit.
    let _cut = text.chars().try_for_each(|character| fitted.push(character));
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_cut_between_characters(text in ".{0,60}") {
            let cut: String<32> = fitted(&text);
            prop_assert!(text.starts_with(cut.as_str()));
            prop_assert!(cut.len() + 4 > 32 || cut.as_str() == text);
        }
    }
}
