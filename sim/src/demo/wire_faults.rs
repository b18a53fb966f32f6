//! Faults of single wires in the demo, by the plant's clock: "20s pump late-reply 700, 50s pump clear".
//!
//! ```text
//!   agent ──► Proxy (one a device, only where there is such a script) ──► device
//!                ▲
//!   script ──────┘
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::devices::{DeviceHub, DeviceKind};
use crate::proxy::{Front, Injection, Line, Proxy, ProxyError, ProxyOptions, Reached, UnknownFault};
use crate::world::{PlantTimeError, device_name, plant_time};

/// Any port of this machine.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What the wires do when, earliest first.
#[derive(Clone, Debug, Default)]
pub struct WireFaults(Vec<Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    at_ms: u64,
    device: DeviceKind,
    /// The fault; nothing clears it.
    fault: Option<Injection>,
}

/// Why a text is no script of wire faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireFaultsError {
    /// Not three parts.
    #[error(
        "\"{entry}\" is not \"TIME DEVICE FAULT\"; for example \"20s pump late-reply 700, 50s pump clear\""
    )]
    Entry {
        /// The entry.
        entry: String,
    },
    /// Its time.
    #[error("in \"{entry}\": {source}")]
    Time {
        /// The entry.
        entry: String,
        /// What is wrong.
        source: PlantTimeError,
    },
    /// Its device.
    #[error("in \"{entry}\": no such device; known are {known}")]
    Device {
        /// The entry.
        entry: String,
        /// Those there are.
        known: String,
    },
    /// Its fault.
    #[error("in \"{entry}\": {source}")]
    Fault {
        /// The entry.
        entry: String,
        /// What is known.
        source: UnknownFault,
    },
    /// A fault of another kind of line.
    #[error("in \"{entry}\": there is no such fault on Modbus TCP")]
    Unfit {
        /// The entry.
        entry: String,
    },
}

impl FromStr for WireFaults {
    type Err = WireFaultsError;

    fn from_str(text: &str) -> Result<Self, WireFaultsError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut entries = entries.map(entry).collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| entry.at_ms);
        Ok(Self(entries))
    }
}

fn entry(text: &str) -> Result<Entry, WireFaultsError> {
    let entry = || text.to_owned();
    let (time, rest) = text.split_once(' ').ok_or_else(|| WireFaultsError::Entry { entry: entry() })?;
    let (device, words) =
        rest.trim().split_once(' ').ok_or_else(|| WireFaultsError::Entry { entry: entry() })?;
    let at_ms = plant_time(time).map_err(|source| WireFaultsError::Time { entry: entry(), source })?;
    let device = DeviceKind::ALL.into_iter().find(|kind| device_name(*kind) == device).ok_or_else(|| {
        WireFaultsError::Device { entry: entry(), known: DeviceKind::ALL.map(device_name).join(", ") }
    })?;
    let fault = match words.trim() {
        "clear" => None,
        words => Some(
            words.parse::<Injection>().map_err(|source| WireFaultsError::Fault { entry: entry(), source })?,
        ),
    };
    if fault.is_some_and(|injection| !injection.fault.fits(Line::Tcp)) {
        return Err(WireFaultsError::Unfit { entry: entry() });
    }
    Ok(Entry { at_ms, device, fault })
}

/// The proxies that play a script.
#[derive(Debug)]
pub(super) struct Spoilers {
    script: Vec<Entry>,
    proxies: Vec<(DeviceKind, Proxy)>,
}

impl Spoilers {
    /// A proxy before every device, if there is anything to play.
    ///
    /// # Errors
    /// If a port cannot be had.
    pub(super) fn open(
        script: &WireFaults,
        devices: &DeviceHub,
        tasks: &mut JoinSet<()>,
        token: &CancellationToken,
    ) -> Result<Self, ProxyError> {
        let mut proxies = Vec::new();
        if !script.0.is_empty() {
            for kind in DeviceKind::ALL {
                let upstream = devices.endpoint(kind).address;
                let options = ProxyOptions { front: Front::Tcp(ANY), upstream };
                proxies.push((kind, Proxy::start(tasks, token, options)?));
            }
        }
        Ok(Self { script: script.0.clone(), proxies })
    }

    /// Where the agent reaches a device.
    pub(super) fn address(&self, kind: DeviceKind, devices: &DeviceHub) -> SocketAddr {
        match self.proxy(kind).map(Proxy::reached_at) {
            Some(Reached::Tcp(address)) => *address,
            Some(Reached::Pty(_)) | None => devices.endpoint(kind).address,
        }
    }

    /// Plays what is due at `now_ms`; a line for people for each.
    pub(super) fn play(&mut self, now_ms: u64) -> Vec<String> {
        let due = self.script.iter().take_while(|entry| entry.at_ms <= now_ms).count();
        let entries: Vec<_> = self.script.drain(..due).collect();
        entries.into_iter().map(|entry| self.carry_out(entry)).collect()
    }

    fn carry_out(&self, Entry { at_ms, device, fault }: Entry) -> String {
        let clock = format!("{:>4}.{} s", at_ms / 1000, at_ms % 1000 / 100);
        let name = device_name(device);
        let Some(proxy) = self.proxy(device) else {
            return format!("{clock} no proxy before the {name}");
        };
        match fault {
            None => {
                proxy.clear();
                format!("{clock} >>> wire of the {name}: sound again")
            }
            Some(injection) => match proxy.set(injection) {
                Ok(()) => format!("{clock} >>> wire of the {name}: {injection}"),
                Err(unfit) => format!("{clock} wire of the {name}: {unfit}"),
            },
        }
    }

    fn proxy(&self, kind: DeviceKind) -> Option<&Proxy> {
        self.proxies.iter().find(|(other, _)| *other == kind).map(|(_, proxy)| proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_sorted_by_time() {
        let script: WireFaults = "50s pump clear, 20s pump late-reply 700, 30s meter reset".parse().unwrap();
        assert_eq!(script.0.iter().map(|entry| entry.at_ms).collect::<Vec<_>>(), [20_000, 30_000, 50_000]);
        assert!(script.0[0].fault.is_some() && script.0[2].fault.is_none());
        assert!("".parse::<WireFaults>().unwrap().0.is_empty());
    }

    #[test]
    fn an_error_names_the_entry_and_the_mend() {
        for (text, expected) in [
            ("20s pump", "is not \"TIME DEVICE FAULT\""),
            ("soon pump clear", "\"soon\" is no time"),
            ("20s pomp clear", "known are pump"),
            ("20s pump late-repli 700", "late-repli"),
            ("20s pump echo", "no such fault on Modbus TCP"),
        ] {
            let error = text.parse::<WireFaults>().unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(text), "{error}");
        }
    }
}
