//! The simplest devices that a node can be cooled with: for whoever writes a map for a PLC of their own.
//!
//! Holding registers, read and write:
//!
//! | wire | pump | valve | unit |
//! |---|---|---|---|
//! | 0 | speed set-point | position set-point | 0.01 %, 0..10000 |
//! | 1 | bit 0 run; bit 1, when it rises, resets an alarm | – (kept, without effect) | |
//! | 2 | bus timeout; 0 is off | the same | s |
//! | 3 | action on timeout: 0 hold, 1 safe | the same | |
//! | 4 | heartbeat | the same | any word |
//!
//! Input registers, read only:
//!
//! | wire | pump | valve | unit |
//! |---|---|---|---|
//! | 0 | actual speed | actual position | 0.01 % |
//! | 1 | status: 0 running, 1 alarm, 2 remote, 3 bus timeout, 4 forced local | status: 0 moving, 1 alarm, 2 remote, 3 bus timeout | bits |
//! | 2 | flow | flow | 0.1 L/min |
//! | 3 | head in 0.1 kPa | inlet temperature in 0.01 °C, signed | |
//! | 4 | power in W | outlet temperature in 0.01 °C, signed | |
//! | 5 | speed in rpm | – | |
//! | 15 | identity: 0x0E16 | identity: 0x0E17 | |
//!
//! "Not available" is 0xFFFF, and 0x8000 in a signed register. Safe is full speed for a pump and closed for a valve:
//! heat that the recovery branch does not take goes to the cooling. A pump that was stopped stays stopped.
//!
//! ```text
//!            every write                  no write for the timeout
//!   Wound ◄───────────────┐   Wound ──────────────────────────────► Expired ──► hold, or safe
//!     └───────────────────┘     ▲                                      │
//!                               └────────── the next write ────────────┘
//! ```

mod pump;
mod valve;

pub(super) use pump::Pump;
pub(super) use valve::Valve;

use super::device::Exception;

const FULL_SCALE: u16 = 10_000;
/// As it is delivered: safe after 10 s without a write.
const FACTORY_TIMEOUT_S: u16 = 10;
const SAFE: u16 = 1;

/// Bits of the status register.
mod status {
    pub(super) const RUNNING: u16 = 1 << 0;
    pub(super) const ALARM: u16 = 1 << 1;
    pub(super) const REMOTE: u16 = 1 << 2;
    pub(super) const BUS_TIMEOUT: u16 = 1 << 3;
    pub(super) const FORCED_LOCAL: u16 = 1 << 4;
}

/// The five holding registers and the timer behind them.
#[derive(Debug)]
struct Settings {
    setpoint: u16,
    run: u16,
    timeout_s: u16,
    action: u16,
    heartbeat: u16,
    now_ms: u64,
    written_ms: u64,
    expired: bool,
}

impl Settings {
    /// On, at a set-point that it holds from before, 0..1.
    fn new(setpoint: f64) -> Self {
        Self {
            setpoint: super::words::unsigned(setpoint, 0.000_1).min(FULL_SCALE),
            run: 1,
            timeout_s: FACTORY_TIMEOUT_S,
            action: SAFE,
            heartbeat: 0,
            now_ms: 0,
            written_ms: 0,
            expired: false,
        }
    }

    fn tick(&mut self, plant_ms: u64) {
        self.now_ms = plant_ms;
        let quiet_ms = plant_ms.saturating_sub(self.written_ms);
        self.expired = self.timeout_s > 0 && quiet_ms >= u64::from(self.timeout_s) * 1000;
    }

    /// Whether the device is in its safe state, because nobody writes to it.
    fn is_safe(&self) -> bool {
        self.expired && self.action == SAFE
    }

    /// The set-point as a share.
    fn share(&self) -> f64 {
        f64::from(self.setpoint) / f64::from(FULL_SCALE)
    }

    fn register(&self, address: u16) -> Option<u16> {
        match address {
            0 => Some(self.setpoint),
            1 => Some(self.run),
            2 => Some(self.timeout_s),
            3 => Some(self.action),
            4 => Some(self.heartbeat),
            _ => None,
        }
    }

    fn check(address: u16, value: u16) -> Result<(), Exception> {
        let allowed = match address {
            0 => value <= FULL_SCALE,
            1 => value <= 3,
            3 => value <= 1,
            2 | 4 => true,
            _ => return Err(Exception::Address),
        };
        if allowed { Ok(()) } else { Err(Exception::Value) }
    }

    fn apply(&mut self, address: u16, value: u16) {
        match address {
            0 => self.setpoint = value,
            1 => self.run = value,
            2 => self.timeout_s = value,
            3 => self.action = value,
            4 => self.heartbeat = value,
            _ => {}
        }
        (self.written_ms, self.expired) = (self.now_ms, false);
    }
}
