//! ABB `ACx580` drive on a pump, over its embedded fieldbus (EFB) with the ABB Drives profile.
//!
//! ```text
//!    ┌───────────────────┐  OFF1 = 0    ┌──────────────────┐  OFF1 = 1   ┌──────────────────┐  INHIBIT = 1  ┌─────────┐
//!    │ SwitchOnInhibited │ ───────────► │ ReadyToSwitchOn  │ ──────────► │ ReadyToOperate   │ ────────────► │ Running │
//!    └───────────────────┘   (047E)     └──────────────────┘   (047F)    └──────────────────┘               └─────────┘
//!       ▲          ▲                              ▲      OFF1 = 0                │   ▲      INHIBIT = 0         │
//!       │          │                              └──────────────────────────────┴───┴──────────────────────────┘
//!       │          └── OFF2 or OFF3 = 0, from anywhere
//!    RESET rises and the cause is gone ── Tripped
//! ```
//!
//! So a drive starts only by 047E and **then** 047F, and after a fault it needs RESET first.
//!
//! | wire | doc no. | what | unit |
//! |---|---|---|---|
//! | 0 | 400001 | control word | bits, read and write |
//! | 1, 2 | 400002, 3 | references 1 and 2; 2 has no effect | 20000 = 100 %, signed, read and write |
//! | 3 | 400004 | status word | bits |
//! | 4 | 400005 | actual 1: speed | 20000 = 100 %, signed |
//! | 5 | 400006 | actual 2: frequency | 20000 = 100 %, signed |
//! | 6..11 | 400007..12 | as commissioned: speed rpm, current 0.01 A, power W, fault code, warning code, – | |
//! | 400 | 04.01 | fault code | |
//! | 5813, 5814, 5815 | 58.14..16 | communication loss: action, mode, time in 0.1 s | read and write |
//! | 9606 | 96.07 | save parameters: 1 writes them to the EEPROM | read and write |
//!
//! Sources: ABB ACS580 and ACQ580 firmware manuals, chapter "Fieldbus control through the embedded fieldbus interface";
//! ACS880 firmware manual for 58.14 to 58.16. That parameter g.i lies at 400000 + 100 g + i is their addressing mode 0.
//! Parameters written over the bus are lost with the power unless they are saved. Which signals lie at 6..11 is up to
//! whoever commissions the drive (58.107 ..): this choice is ours.

mod state;
#[cfg(test)]
mod tests;

use super::device::{Device, Exception, Function};
use super::readings::{Orders, PumpReadings, Readings};
use super::trip::Trip;
use super::words::{bits, signed, unsigned};
use state::{Profile, control};

/// Fault and warning that the drive reports when the bus falls silent.
const EFB_COMM_LOSS: u16 = 0x6681;
const EFB_COMM_LOSS_WARNING: u16 = 0xA7CE;
/// Fault that stands for whatever stops the plant's pump: motor stall.
const MOTOR_STALL: u16 = 0x7121;
/// Reference and actual value of full speed.
const FULL_SCALE: f64 = 20_000.0;
/// For the motor current, from power: three phases at 400 V, power factor 0.8 (estimate).
const WATTS_PER_AMPERE: f64 = 554.0;
/// The speed is at its set-point this close to it, share of full speed.
const AT_SETPOINT: f64 = 0.1;

/// Bits of the status word.
mod status {
    pub(super) const RDY_ON: u16 = 1 << 0;
    pub(super) const RDY_RUN: u16 = 1 << 1;
    pub(super) const RDY_REF: u16 = 1 << 2;
    pub(super) const TRIPPED: u16 = 1 << 3;
    pub(super) const OFF_2: u16 = 1 << 4;
    pub(super) const OFF_3: u16 = 1 << 5;
    pub(super) const SWITCH_ON_INHIBITED: u16 = 1 << 6;
    pub(super) const ALARM: u16 = 1 << 7;
    pub(super) const AT_SETPOINT: u16 = 1 << 8;
    pub(super) const REMOTE: u16 = 1 << 9;
}

/// What the drive does when the bus falls silent: parameter 58.14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommLossAction {
    /// 0: nothing; it goes on for ever.
    None,
    /// 1: trips. Factory setting.
    Fault,
    /// 2: goes on, with a warning.
    LastSpeed,
    /// 3: goes to its safe speed, with a warning.
    SafeSpeed,
}

impl CommLossAction {
    fn of(word: u16) -> Option<Self> {
        match word {
            0 => Some(Self::None),
            1 | 4 => Some(Self::Fault), // 4: even where no control is expected from the bus
            2 | 5 => Some(Self::LastSpeed), // 5: a warning and nothing else
            3 => Some(Self::SafeSpeed),
            _ => None,
        }
    }

    const fn word(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Fault => 1,
            Self::LastSpeed => 2,
            Self::SafeSpeed => 3,
        }
    }
}

/// How the drive was commissioned.
#[derive(Clone, Copy, Debug)]
pub struct DriveSettings {
    /// Parameter 58.14.
    pub loss_action: CommLossAction,
    /// Parameter 58.16, in ms; 3 s from the factory.
    pub loss_ms: u64,
}

impl Default for DriveSettings {
    fn default() -> Self {
        Self { loss_action: CommLossAction::Fault, loss_ms: 3_000 }
    }
}

/// Supervision of the bus. It begins with the first message, so that a master has time to come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supervision {
    Waiting,
    Heard { at_ms: u64 },
    Lost,
}

/// The drive.
#[derive(Debug)]
pub(super) struct Drive {
    now_ms: u64,
    /// Speed in local and on loss of the bus, share.
    safe_speed: f64,
    min_speed: f64,
    profile: Profile,
    reference: u16,
    reference_2: u16,
    loss_action: u16,
    loss_mode: u16,
    /// 0.1 s.
    loss_time: u16,
    supervision: Supervision,
    trip: Trip,
    seen: PumpReadings,
    eeprom_writes: u64,
}

/// 58.15: which messages wind the supervision up.
const ANY_MESSAGE: u16 = 1;
const CONTROL_OR_REFERENCE: u16 = 2;

impl Drive {
    /// A drive that its last master left running at `safe_speed`, share of full speed.
    pub(super) fn new(settings: DriveSettings, safe_speed: f64, min_speed: f64) -> Self {
        let DriveSettings { loss_action, loss_ms } = settings;
        Self {
            now_ms: 0,
            safe_speed,
            min_speed,
            profile: Profile::running(),
            reference: signed(safe_speed, 1.0 / FULL_SCALE),
            reference_2: 0,
            loss_action: loss_action.word(),
            loss_mode: CONTROL_OR_REFERENCE,
            loss_time: u16::try_from(loss_ms / 100).unwrap_or(u16::MAX),
            supervision: Supervision::Waiting,
            trip: Trip::default(),
            seen: PumpReadings::default(),
            eeprom_writes: 0,
        }
    }

    fn is_local(&self) -> bool {
        self.seen.forced_local
    }

    /// The action in force while the bus is lost.
    fn loss(&self) -> Option<CommLossAction> {
        (self.supervision == Supervision::Lost).then(|| CommLossAction::of(self.loss_action)).flatten()
    }

    fn runs(&self) -> bool {
        !self.trip.is_set() && (self.is_local() || self.profile.runs())
    }

    /// The speed that it aims at while it runs, share.
    fn wanted_speed(&self) -> f64 {
        let reference = f64::from(self.reference.cast_signed()) / FULL_SCALE;
        let speed = if self.is_local() || self.loss() == Some(CommLossAction::SafeSpeed) {
            self.safe_speed
        } else {
            reference * f64::from(u8::from(self.profile.follows_reference()))
        };
        // A pump does not turn backwards.
        speed.clamp(self.min_speed, 1.0)
    }

    fn status(&self) -> u16 {
        let reached = (self.seen.speed - self.wanted_speed()).abs() <= AT_SETPOINT;
        let fine = !self.trip.is_set();
        self.profile.off_bits()
            | bits(&[
                (status::RDY_ON, fine && !self.profile.is_inhibited()),
                (status::RDY_RUN, fine && self.profile.is_switched_on()),
                (status::RDY_REF, self.runs()),
                (status::TRIPPED, !fine),
                (status::SWITCH_ON_INHIBITED, fine && self.profile.is_inhibited()),
                (status::ALARM, self.warning() != 0),
                (status::AT_SETPOINT, self.runs() && reached),
                (status::REMOTE, !self.is_local()),
            ])
    }

    fn fault_code(&self) -> u16 {
        self.trip.code().map_or(0, |code| if code == EFB_COMM_LOSS { code } else { MOTOR_STALL })
    }

    fn warning(&self) -> u16 {
        match self.loss() {
            Some(CommLossAction::LastSpeed | CommLossAction::SafeSpeed) => EFB_COMM_LOSS_WARNING,
            None | Some(CommLossAction::None | CommLossAction::Fault) => self.seen.warning_code,
        }
    }

    fn write_control(&mut self, word: u16) {
        let reset = self.profile.rises(word, control::RESET) && self.trip.reset();
        if reset || self.trip.is_set() {
            self.profile.inhibit(word);
        } else {
            self.profile.step(word);
        }
    }

    /// So that a reset at the panel does not start it either.
    fn inhibit_when_tripped(&mut self) {
        if self.trip.is_set() {
            self.profile.inhibit(self.profile.word());
        }
    }

    fn wind_up(&mut self) {
        self.supervision = Supervision::Heard { at_ms: self.now_ms };
    }
}

impl Device for Drive {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::WriteSingle, Function::WriteMultiple]
    }

    fn sense(&mut self, readings: &Readings) {
        self.seen = readings.pump;
        self.trip.sense(&self.seen);
        self.inhibit_when_tripped();
    }

    fn blind(&mut self) {
        let PumpReadings { alarm_code, warning_code, forced_local, .. } = self.seen;
        self.seen = PumpReadings { alarm_code, warning_code, forced_local, ..PumpReadings::default() };
    }

    fn tick(&mut self, plant_ms: u64) {
        self.now_ms = plant_ms;
        if let Supervision::Heard { at_ms } = self.supervision
            && plant_ms.saturating_sub(at_ms) >= u64::from(self.loss_time) * 100
        {
            self.supervision = Supervision::Lost;
            if self.loss() == Some(CommLossAction::Fault) && !self.is_local() {
                self.trip.set(EFB_COMM_LOSS);
                self.inhibit_when_tripped();
            }
        }
    }

    fn heard(&mut self) {
        if self.loss_mode == ANY_MESSAGE {
            self.wind_up();
        }
    }

    fn register(&self, address: u16) -> Option<u16> {
        let seen = &self.seen;
        Some(match address {
            0 => self.profile.word(),
            1 => self.reference,
            2 => self.reference_2,
            3 => self.status(),
            4 | 5 => signed(seen.speed, 1.0 / FULL_SCALE),
            6 => unsigned(seen.speed_rpm, 1.0),
            7 => unsigned(seen.power_watts / WATTS_PER_AMPERE, 0.01),
            8 => unsigned(seen.power_watts, 1.0),
            9 | 400 => self.fault_code(),
            10 => self.warning(),
            5813 => self.loss_action,
            5814 => self.loss_mode,
            5815 => self.loss_time,
            11 | 9606 => 0, // not commissioned; saved at once
            _ => return None,
        })
    }

    fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
        let allowed = match address {
            0..=2 | 5815 => true,
            5813 => CommLossAction::of(value).is_some(),
            5814 => matches!(value, ANY_MESSAGE | CONTROL_OR_REFERENCE),
            9606 => value <= 1,
            _ => return Err(Exception::Address),
        };
        if allowed { Ok(()) } else { Err(Exception::Value) }
    }

    fn apply(&mut self, address: u16, value: u16) {
        match address {
            0 => self.write_control(value),
            // Without REMOTE_CMD the drive keeps its last reference.
            1 if self.profile.is_remote() => self.reference = value,
            2 => self.reference_2 = value,
            5813 => self.loss_action = value,
            5814 => self.loss_mode = value,
            5815 => self.loss_time = value,
            9606 => self.eeprom_writes += u64::from(value),
            _ => {}
        }
        if matches!(address, 0..=2) {
            self.wind_up();
        }
    }

    fn order(&self, orders: &mut Orders) {
        orders.pump_run = self.runs();
        orders.pump_speed = if self.runs() { self.wanted_speed() } else { 0.0 };
    }

    fn eeprom_writes(&self) -> u64 {
        self.eeprom_writes
    }
}
