//! One device with everything around it: its wire, its log and its counters.
//!
//! The world loop and the server meet here, under one short lock that is never held across an await.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::info;

use super::device::Device;
use super::fault::{Fault, Line};
use super::hub::DeviceKind;
use super::mbap::Frame;
use super::pdu;
use super::readings::{Orders, Readings};

/// Writes that a device remembers; the oldest go first.
const LOG_LENGTH: usize = 4096;

/// One register written by a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteRecord {
    /// Plant time of the write in ms.
    pub plant_ms: u64,
    /// Wire address.
    pub address: u16,
    /// The word.
    pub value: u16,
}

/// What has passed over the wire of one device since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open_connections: usize,
    /// Connections turned away: over the limit, or reset by a fault.
    pub turned_away: u64,
    /// Requests to this device.
    pub requests: u64,
    /// Requests answered with an exception; part of `requests`.
    pub exceptions: u64,
    /// Requests that met a silent device.
    pub swallowed: u64,
    /// Requests to another unit, which get no answer.
    pub foreign: u64,
    /// Connections closed because what came was not Modbus.
    pub malformed: u64,
    /// Registers written.
    pub writes: u64,
    /// Writes that have left the log.
    pub forgotten_writes: u64,
    /// Writes of the device to its own EEPROM, which lasts for about 100 000.
    pub eeprom_writes: u64,
}

/// A device, its wire, its log and its counters.
pub(super) struct Station {
    pub(super) kind: DeviceKind,
    unit: u8,
    connection_limit: usize,
    line: watch::Sender<Line>,
    state: Mutex<State>,
}

struct State {
    device: Box<dyn Device>,
    plant_ms: u64,
    log: VecDeque<WriteRecord>,
    traffic: Traffic,
}

impl Station {
    pub(super) fn new(kind: DeviceKind, unit: u8, device: Box<dyn Device>, connection_limit: usize) -> Self {
        let state = State { device, plant_ms: 0, log: VecDeque::new(), traffic: Traffic::default() };
        let line = watch::Sender::new(Line::default());
        Self { kind, unit, connection_limit, line, state: Mutex::new(state) }
    }

    /// One plant step.
    pub(super) fn update(&self, plant_ms: u64, readings: &Readings, orders: &mut Orders) {
        let fault = self.fault();
        let mut state = self.state();
        state.plant_ms = plant_ms;
        match fault {
            Some(Fault::Frozen) => {}
            Some(Fault::Unavailable) => state.device.blind(),
            None
            | Some(
                Fault::Silent | Fault::Refuse | Fault::Reset | Fault::Late { .. } | Fault::ConnectionLimit(_),
            ) => state.device.sense(readings),
        }
        state.device.tick(plant_ms);
        state.device.order(orders);
    }

    /// The bytes that answer a request; none where the device keeps silent.
    pub(super) fn answer(&self, request: &Frame) -> Option<Vec<u8>> {
        let silent = self.fault() == Some(Fault::Silent);
        let mut guard = self.state();
        let state = &mut *guard;
        if request.unit != self.unit {
            state.traffic.foreign += 1;
            return None;
        }
        if silent {
            state.traffic.swallowed += 1;
            return None;
        }
        state.device.heard();
        let outcome = pdu::answer(&request.pdu, &mut *state.device);
        state.traffic.requests += 1;
        state.traffic.exceptions += u64::from(outcome.refused);
        for (address, value) in outcome.written {
            state.remember(address, value);
        }
        Some(request.answer(&outcome.reply))
    }

    /// Count a connection in, unless there are too many already.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Seat> {
        let line = self.line();
        let limit = match line.fault {
            Some(Fault::Refuse | Fault::Reset) => 0,
            Some(Fault::ConnectionLimit(limit)) => limit.min(self.connection_limit),
            None | Some(Fault::Silent | Fault::Late { .. } | Fault::Frozen | Fault::Unavailable) => {
                self.connection_limit
            }
        };
        let traffic = &mut self.state().traffic;
        if traffic.open_connections >= limit {
            traffic.turned_away += 1;
            return None;
        }
        traffic.connections += 1;
        traffic.open_connections += 1;
        Some(Seat { station: Arc::clone(self), cuts: line.cuts })
    }

    pub(super) fn count_malformed(&self) {
        self.state().traffic.malformed += 1;
    }

    pub(super) fn set_fault(&self, fault: Fault) {
        info!(device = ?self.kind, ?fault, "fault set");
        self.line.send_modify(|line| line.set(fault));
    }

    pub(super) fn clear_fault(&self) {
        info!(device = ?self.kind, "fault cleared");
        self.line.send_modify(|line| line.fault = None);
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.line().fault
    }

    pub(super) fn watch_line(&self) -> watch::Receiver<Line> {
        self.line.subscribe()
    }

    pub(super) fn write_log(&self) -> Vec<WriteRecord> {
        self.state().log.iter().copied().collect()
    }

    pub(super) fn traffic(&self) -> Traffic {
        let state = self.state();
        Traffic { eeprom_writes: state.device.eeprom_writes(), ..state.traffic }
    }

    fn line(&self) -> Line {
        *self.line.borrow()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember(&mut self, address: u16, value: u16) {
        if self.log.len() == LOG_LENGTH {
            self.log.pop_front();
            self.traffic.forgotten_writes += 1;
        }
        self.log.push_back(WriteRecord { plant_ms: self.plant_ms, address, value });
        self.traffic.writes += 1;
    }
}

/// The place of one open connection; given back when it is dropped.
pub(super) struct Seat {
    pub(super) station: Arc<Station>,
    cuts: u64,
}

impl Seat {
    /// Returns when this connection has to end.
    pub(super) async fn cut(&self) {
        let mut line = self.station.watch_line();
        // The sender lives in the station, and the station in this seat: the watch cannot close.
        let _ = line.wait_for(|line| line.cuts != self.cuts).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.station.state().traffic.open_connections -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::belimo::Valve;
    use super::*;

    fn station() -> Station {
        Station::new(DeviceKind::Valve, DeviceKind::Valve.unit(), Box::new(Valve::new(0.0)), 1)
    }

    fn write(value: u16) -> Frame {
        let [high, low] = value.to_be_bytes();
        Frame { transaction: 1, unit: DeviceKind::Valve.unit(), pdu: vec![6, 0, 0, high, low] }
    }

    #[test]
    fn the_log_is_bounded_and_counts_what_it_forgets() {
        let station = station();
        for value in 0..5000 {
            station.answer(&write(value)).unwrap();
        }
        let log = station.write_log();
        assert_eq!((log.len(), log[0].value, log[4095].value), (4096, 904, 4999));
        assert_eq!((station.traffic().writes, station.traffic().forgotten_writes), (5000, 904));
    }

    #[test]
    fn a_refused_write_is_not_in_the_log() {
        let station = station();
        station.answer(&write(10_001)).unwrap();
        assert_eq!((station.write_log(), station.traffic().exceptions), (vec![], 1));
    }

    #[test]
    fn a_connection_gives_its_place_back() {
        let station = Arc::new(station());
        let seat = station.admit();
        assert!(seat.is_some() && station.admit().is_none());
        drop(seat);
        assert!(station.admit().is_some());
        assert_eq!((station.traffic().connections, station.traffic().turned_away), (2, 1));
    }
}
