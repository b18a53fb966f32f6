//! The Modbus devices of a configuration: who fills which role, over which wire, by which profile.

use std::path::Path;

use eisbach_protocol::registers::{Control, Profile, Signal};

use super::ConfigError;
use super::checked::Checker;
use super::raw::{self, Raw};
use crate::modbus::profile;
use crate::modbus::wire::{LineSettings, Parity, StopBits, Wire};
use crate::tls::TlsFiles;

/// What a Modbus device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRole {
    /// Moves the coolant.
    Pump,
    /// Decides between river and recovery.
    Valve,
    /// Measures flow and loop temperatures.
    Meter,
    /// Measures the room air.
    Room,
    /// Finds water.
    Leak,
}

impl DeviceRole {
    /// Section of the configuration and name on every face.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pump => "pump",
            Self::Valve => "valve",
            Self::Meter => "meter",
            Self::Room => "room",
            Self::Leak => "leak",
        }
    }

    pub(super) const fn default_profile(self) -> &'static str {
        match self {
            Self::Pump => "grundfos-cim",
            Self::Valve => "belimo-energy-valve",
            Self::Meter => "calec-st",
            Self::Room => "vaisala-hmd110",
            Self::Leak => "leak-relay",
        }
    }

    /// The pump's head is what a loss of flow shows in first. A serial line carries some thirty exchanges a second,
    /// for all its devices.
    const fn default_poll_ms(self, wire: &Wire) -> u64 {
        match (self, wire) {
            (Self::Pump, Wire::Tcp { .. } | Wire::Tls { .. }) => 50,
            (_, Wire::Tcp { .. } | Wire::Tls { .. }) => 100,
            (_, Wire::RtuOverTcp { .. } | Wire::Serial { .. }) => 200,
        }
    }

    /// What a profile must offer to fill this role.
    const fn needs(self) -> (&'static [Signal], &'static [Control]) {
        match self {
            // Without a head a loss of flow is seen by the meter alone, later; `flow_doubtful` says so.
            Self::Pump => {
                (&[Signal::PumpSpeed, Signal::PumpRunning], &[Control::PumpRun, Control::PumpSpeed])
            }
            Self::Valve => (&[Signal::ValvePosition], &[Control::ValvePosition]),
            Self::Meter => (&[Signal::Flow, Signal::SupplyTemperature], &[]),
            Self::Room => (&[Signal::DewPoint], &[]),
            Self::Leak => (&[Signal::Leak], &[]),
        }
    }
}

/// One Modbus device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceConfig {
    /// What it is for.
    pub role: DeviceRole,
    /// How it is reached. Devices on the same wire share one connection.
    pub wire: Wire,
    /// Unit id.
    pub unit: u8,
    /// Its registers.
    pub profile: Profile,
    /// Polling period.
    pub poll_ms: u64,
    /// Age at which its values are stale.
    pub stale_ms: u64,
}

/// The serial line that the Modbus specification asks every device to know.
const USUAL_LINE: &str = "19200 8E1";

/// What the sections of several devices share.
struct Common<'a> {
    profiles: Option<&'a Path>,
    tls: Option<TlsFiles>,
}

/// All devices, in the order of their roles.
pub(super) fn devices(
    checker: &Checker<'_>,
    raw: &Raw,
    tls: Option<&TlsFiles>,
) -> Result<Vec<DeviceConfig>, ConfigError> {
    let common = Common { profiles: raw.paths.profiles.as_deref(), tls: tls.cloned() };
    let sections = [
        (DeviceRole::Pump, Some(&raw.pump)),
        (DeviceRole::Valve, raw.valve.as_ref()),
        (DeviceRole::Meter, Some(&raw.meter)),
        (DeviceRole::Room, raw.room.as_ref()),
        (DeviceRole::Leak, raw.leak.as_ref()),
    ];
    let mut devices: Vec<DeviceConfig> = Vec::new();
    for (role, section) in sections.into_iter().filter_map(|(role, section)| section.map(|raw| (role, raw))) {
        let device = checker.device(role, section, &common)?;
        if let Some(other) = devices.iter().find(|other| quarrel(&other.wire, &device.wire)) {
            let must = format!("the same as that of {}, which is on the same line", other.role.as_str());
            return Err(checker.value(&format!("{}.serial", role.as_str()), &device.wire, must));
        }
        if let Some(other) = devices.iter().find(|other| {
            (&other.wire, other.unit) == (&device.wire, device.unit) && other.profile != device.profile
        }) {
            let must = format!(
                "another than that of {}, or with the same profile and slot: one device cannot be two",
                other.role.as_str()
            );
            return Err(checker.value(&format!("{}.unit", role.as_str()), device.unit, must));
        }
        devices.push(device);
    }
    Ok(devices)
}

/// One port, two ideas of how fast it is.
fn quarrel(one: &Wire, other: &Wire) -> bool {
    match (one, other) {
        (Wire::Serial { path: a, line: x }, Wire::Serial { path: b, line: y }) => a == b && x != y,
        (Wire::RtuOverTcp { address: a, pacing: x }, Wire::RtuOverTcp { address: b, pacing: y }) => {
            a == b && x != y
        }
        (Wire::Tcp { .. } | Wire::Tls { .. } | Wire::Serial { .. } | Wire::RtuOverTcp { .. }, _) => false,
    }
}

/// The wire that an address, and the line settings of a device or of its profile, describe.
pub(super) fn wire(
    address: &str,
    serial: Option<&str>,
    profile: &Profile,
    tls: Option<TlsFiles>,
) -> Result<Wire, WireTrouble> {
    let text = serial.or(profile.link.serial.as_deref()).unwrap_or(USUAL_LINE);
    let line = line(text).ok_or_else(|| WireTrouble::Line(text.to_owned()))?;
    Wire::parse(address, line, tls)
        .map_err(|error| WireTrouble::Address(format!("an address such as host:port: {error}")))
}

/// `19200 8E1`: baud rate, eight data bits, parity, stop bits; `echo` behind it where the adapter hears itself.
fn line(text: &str) -> Option<LineSettings> {
    let mut words = text.split_whitespace();
    let baud = words.next()?.parse().ok().filter(|baud| (300..=4_000_000).contains(baud))?;
    let (parity, stop_bits) = match words.next()? {
        "8N1" => (Parity::None, StopBits::One),
        "8N2" => (Parity::None, StopBits::Two),
        "8E1" => (Parity::Even, StopBits::One),
        "8E2" => (Parity::Even, StopBits::Two),
        "8O1" => (Parity::Odd, StopBits::One),
        "8O2" => (Parity::Odd, StopBits::Two),
        _ => return None,
    };
    let echo = match (words.next(), words.next()) {
        (None, _) => false,
        (Some("echo"), None) => true,
        (Some(_), _) => return None,
    };
    Some(LineSettings { baud, parity, stop_bits, echo })
}

/// Which of a wire's two keys is wrong.
#[derive(Debug)]
pub(super) enum WireTrouble {
    /// `serial`.
    Line(String),
    /// `address`, and what it must be.
    Address(String),
}

impl Checker<'_> {
    fn device(
        &self,
        role: DeviceRole,
        raw: &raw::Device,
        common: &Common<'_>,
    ) -> Result<DeviceConfig, ConfigError> {
        let section = role.as_str();
        let profile = self.profile(role, raw, common.profiles)?;
        let wire = wire(&raw.address, raw.serial.as_deref(), &profile, common.tls.clone()).map_err(|trouble| {
            match trouble {
                WireTrouble::Line(text) => self.value(
                    &format!("{section}.serial"),
                    format!("\"{text}\""),
                    "baud rate, then 8, the parity N, E or O and the stop bits, for example \"19200 8E1\", with \"echo\" behind it if the adapter hears itself",
                ),
                WireTrouble::Address(must) => {
                    self.value(&format!("{section}.address"), format!("\"{}\"", raw.address), must)
                }
            }
        })?;
        let unit = raw.unit.or(profile.link.unit).unwrap_or(1);
        let highest = if matches!(wire, Wire::Tcp { .. } | Wire::Tls { .. }) { 255 } else { 247 };
        self.within(&format!("{section}.unit"), unit, &(1..=highest))?;
        let poll_ms = raw.poll_ms.unwrap_or_else(|| role.default_poll_ms(&wire));
        self.within(&format!("{section}.poll_ms"), poll_ms, &(20..=1000))?;
        self.within(&format!("{section}.stale_ms"), raw.stale_ms, &(poll_ms * 2..=5000))?;
        Ok(DeviceConfig { role, wire, unit, profile, poll_ms, stale_ms: raw.stale_ms })
    }

    /// The profile that fills `role`, in the device's slot where it has slots.
    fn profile(
        &self,
        role: DeviceRole,
        raw: &raw::Device,
        directory: Option<&Path>,
    ) -> Result<Profile, ConfigError> {
        let section = role.as_str();
        let name = raw.profile.clone().unwrap_or_else(|| role.default_profile().into());
        let refuse = |message| ConfigError::Profile {
            path: self.path().to_owned(),
            key: format!("{section}.profile"),
            name: name.clone(),
            message,
        };
        let profile = profile::load(&name, directory).map_err(|error| refuse(error.to_string()))?;
        let (signals, controls) = role.needs();
        for signal in signals {
            if !profile.points.iter().any(|point| point.signal == *signal) {
                return Err(refuse(format!(
                    "it has no {signal:?}, which a {section} needs; choose a profile for a {section}"
                )));
            }
        }
        for control in controls {
            if !profile.commands.iter().any(|command| command.control == *control) {
                return Err(refuse(format!(
                    "it has no command {control:?}, which a {section} needs; choose a profile for a {section}"
                )));
            }
        }
        let key = format!("{section}.slot");
        match (profile.slots, raw.slot) {
            (None, None) => Ok(profile),
            (Some(slots), None) => Err(self.value(
                &key,
                "nothing",
                format!(
                    "this agent's own slot, 0 to {}; no other agent may have it",
                    slots.count.saturating_sub(1)
                ),
            )),
            (None, Some(slot)) => {
                Err(self.value(&key, slot, format!("left out: {name} is a device without slots")))
            }
            (Some(slots), Some(slot)) => profile.in_slot(slot).map_err(|_none| {
                self.value(&key, slot, format!("between 0 and {}", slots.count.saturating_sub(1)))
            }),
        }
    }
}
