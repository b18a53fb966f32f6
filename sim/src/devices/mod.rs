//! Pump, valve and instruments on real sockets: what the node's Modbus master meets in the plant room.
//!
//! ```text
//!            world loop, once a plant step                     agent, mbpoll, any Modbus TCP master
//!                      │                                                     │
//!   Readings ──► DeviceHub::update ──► Orders                         one TCP port each
//!                      │                                                     │
//!                      ▼                                                     ▼
//!   Station { device: register map + vendor behaviour, log, counters } ◄── server ◄── mbap, pdu
//!                      ▲
//!   DeviceHub::fault ──┘   (silent, refuse, reset, late, frozen, unavailable, connection limit)
//! ```
//!
//! | place | model | file | modelled on |
//! |---|---|---|---|
//! | [`DeviceKind::Pump`] | `grundfos-cim` (default) | `grundfos/` | Grundfos E-pump with CIM 500 |
//! | | `abb-acx580` | `abb/` | ABB `ACx580` drive, embedded fieldbus |
//! | | `generic-pump` | `generic/` | nothing: the simplest map |
//! | | `slot-plc` | `slot_plc/` | our own PLC for a pump that nodes share |
//! | with meter and leak | `orv3-rpu`, `delta-rdf040` | `rpu/` | OCP `ORv3` rack CDU, Delta RDF040 |
//! | [`DeviceKind::Valve`] | `belimo-energy-valve` (default) | `belimo/` | Belimo Energy Valve 4 |
//! | | `danfoss-003z8540` | `danfoss.rs` | Danfoss `NovoCon` M, read only |
//! | | `generic-valve` | `generic/` | nothing: the simplest map |
//! | [`DeviceKind::HeatMeter`] | `calec-st` (default) | `calec.rs` | Aqua Metro CALEC ST |
//! | | `kamstrup-multical` | `kamstrup.rs` | Kamstrup MULTICAL 403/603/803 |
//! | [`DeviceKind::AirSensor`] | `vaisala-hmd110` | `vaisala.rs` | Vaisala HMD110 |
//! | [`DeviceKind::LeakRelay`] | `leak-relay` (default) | `leak.rs` | leak relay on remote I/O |
//! | any | `address-echo` | `address_echo.rs` | nothing: every register holds its address |
//!
//! What a device does when its master falls silent:
//!
//! | model | on loss of the bus |
//! |---|---|
//! | `grundfos-cim` | back to its local mode, where it runs |
//! | `abb-acx580` | parameter 58.14: nothing, trip (from the factory), last speed or safe speed |
//! | `generic-pump`, `generic-valve` | holds, or full speed / closed, after the timeout in a register |
//! | `orv3-rpu`, `delta-rdf040` | holds for ever, or goes on with its own flow control |
//! | `slot-plc` | the silent slot climbs to full demand; a leak stop request is kept |
//! | `belimo-energy-valve` | nothing (from the factory), or the bus failure action after its watchdog |
//! | `danfoss-003z8540` | takes no commands |
//!
//! The maps are written from the vendors' documents, never from the agent's profiles: two readings of one manual, so
//! that a mistake in either shows as a failing test. Time is plant time and always an argument; only the delay of
//! [`Fault::Late`] is real time, because the master's deadline is.
//!
//! # Other wires
//!
//! Serial lines (`line.rs`, on a PTY by `pty.rs` or over TCP) and TLS (`tls.rs`) stand in front of these ports, so that
//! a device keeps one map, one log and one set of faults, whichever way it is asked. Faults of the bytes on a wire are
//! made by [`crate::proxy`].
//!
//! # Why our own server
//!
//! `tokio-modbus` has a server, and it is not used. It closes the connection where the Modbus specification asks for
//! exception 03 (a wrong quantity, a wrong byte count), and it has no place for the faults that this simulator is for:
//! they act on the listener, on the connection and on single replies. A Modbus TCP frame is seven bytes and a PDU.
//! Written down here it is also an oracle that shares no code with the client library under test.

mod abb;
pub(crate) mod accept;
mod address_echo;
mod belimo;
mod calec;
mod crc;
mod danfoss;
mod device;
mod fault;
mod generic;
mod grundfos;
mod hub;
mod kamstrup;
mod leak;
pub(crate) mod line;
pub(crate) mod mbap;
mod model;
mod pdu;
pub(crate) mod pty;
mod readings;
mod role;
mod rpu;
pub(crate) mod rtu;
mod server;
mod slot_plc;
mod station;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod trip;
mod vaisala;
mod words;

pub use abb::{CommLossAction, DriveSettings};
pub use fault::Fault;
pub use grundfos::PumpSettings;
pub use hub::{DeviceHub, DeviceKind, DeviceOptions, Endpoint, StartError};
pub use model::{Choice, Model, ModelError, Models};
pub use pty::PtyError;
pub use readings::{AirReadings, LeakReadings, MeterReadings, Orders, PumpReadings, Readings, ValveReadings};
pub use station::{Traffic, WriteRecord};
pub use tls::TlsError;
