//! Five instruments on real sockets: what the node's Modbus master meets in the plant room.
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
//! | device | file | modelled on |
//! |---|---|---|
//! | [`DeviceKind::Pump`] | `grundfos/` | Grundfos E-pump with CIM 500 |
//! | [`DeviceKind::Valve`] | `belimo/` | Belimo Energy Valve 4 |
//! | [`DeviceKind::HeatMeter`] | `calec.rs` | Aqua Metro CALEC ST |
//! | [`DeviceKind::AirSensor`] | `vaisala.rs` | Vaisala HMD110 |
//! | [`DeviceKind::LeakRelay`] | `leak.rs` | leak relay on remote I/O |
//!
//! The maps are written from the vendors' documents, never from the agent's profiles: two readings of one manual, so
//! that a mistake in either shows as a failing test. Time is plant time and always an argument; only the delay of
//! [`Fault::Late`] is real time, because the master's deadline is.
//!
//! # Why our own server
//!
//! `tokio-modbus` has a server, and it is not used. It closes the connection where the Modbus specification asks for
//! exception 03 (a wrong quantity, a wrong byte count), and it has no place for the faults that this simulator is for:
//! they act on the listener, on the connection and on single replies. A Modbus TCP frame is seven bytes and a PDU.
//! Written down here it is also an oracle that shares no code with the client library under test.

mod belimo;
mod calec;
mod device;
mod fault;
mod grundfos;
mod hub;
mod leak;
mod mbap;
mod pdu;
mod readings;
mod server;
mod station;
#[cfg(test)]
mod tests;
mod vaisala;
mod words;

pub use fault::Fault;
pub use grundfos::PumpSettings;
pub use hub::{DeviceHub, DeviceKind, DeviceOptions, Endpoint, StartError};
pub use readings::{AirReadings, LeakReadings, MeterReadings, Orders, PumpReadings, Readings, ValveReadings};
pub use station::{Traffic, WriteRecord};
