//! `slot-plc`: our own face for a pump that several nodes share. One block a node, one writer a register.
//!
//! Common block, read only:
//!
//! | wire | what | unit |
//! |---|---|---|
//! | 0, 1 | identity 0x0E15, version of this layout 1 | |
//! | 2, 3 | slots, live slots | |
//! | 4 | cycles of the PLC; stands still when the PLC does | |
//! | 5 | set-point in force: highest demand of all slots that count | 0.01 % |
//! | 6 | actual speed | 0.01 % |
//! | 7 | flow | 0.1 L/min |
//! | 8, 9 | supply, return | 0.01 °C, signed |
//! | 10 | status: 0 running, 1 alarm, 2 remote, 3 leak | bits |
//!
//! Slot n from wire 1000 + 16 n on; +0 to +5 are written by its node, +8 to +10 by the PLC, the rest reads 0:
//!
//! | at | what | unit |
//! |---|---|---|
//! | +0 | heartbeat: any change is a sign of life | |
//! | +1 | demand | 0.01 %, 0..10000 |
//! | +2 | flags: 0 raise only, 1 leak stop request | bits |
//! | +3 | sequence of this block; the PLC keeps it for its node to read back | |
//! | +4 | valve limit | 0.01 %, 0..10000 |
//! | +5 | heat of the node | 10 W |
//! | +8 | heartbeat as the PLC has seen it | |
//! | +9 | state: 0 empty, 1 live, 2 expired | |
//! | +10 | age of the heartbeat; 0xFFFF in an empty slot | 0.1 s |
//!
//! "Not available" is 0xFFFF, and 0x8000 in a signed register. The PLC works in cycles of 100 ms: what is written takes
//! effect in the next one. What the slots make of the pump is told in `slot.rs`.
//!
//! The pump stops only while **every** slot that counts asks for a leak stop: one node's leak does not take the
//! cooling from the others. Without any slot that counts it runs at full speed. An alarm of the drive is reset by the
//! PLC itself, every 5 s.

mod slot;
#[cfg(test)]
mod tests;

use super::device::{Device, Exception, Function};
use super::readings::{LeakReadings, MeterReadings, Orders, PumpReadings, Readings};
use super::trip::Trip;
use super::words::{NO_WORD, bits, signed, unsigned};
use slot::{Slot, Wish};

const IDENTITY: u16 = 0x0E15;
const LAYOUT_VERSION: u16 = 1;
const SLOTS: usize = 32;
const SLOT_COUNT: u16 = 32;
/// Where the slots begin, and registers of each.
const FIRST: u16 = 1000;
const WIDTH: u16 = 16;
/// What a slot is to the master.
const FULL_SCALE: u16 = 10_000;
const CYCLE_MS: u64 = 100;
/// The PLC tries so often to reset an alarm of the drive.
const RESET_EVERY_MS: u64 = 5_000;

/// Bits of the status register.
mod status {
    pub(super) const RUNNING: u16 = 1 << 0;
    pub(super) const ALARM: u16 = 1 << 1;
    pub(super) const REMOTE: u16 = 1 << 2;
    pub(super) const LEAK: u16 = 1 << 3;
}

/// The PLC, and the pump behind it.
#[derive(Debug)]
pub(super) struct SlotPlc {
    now_ms: u64,
    cycles: u64,
    reset_ms: u64,
    local_speed: f64,
    min_speed: f64,
    slots: [Slot; SLOTS],
    /// 0.01 %; 0 stops the pump.
    in_force: u16,
    trip: Trip,
    pump: PumpReadings,
    meter: MeterReadings,
    leak: LeakReadings,
}

impl SlotPlc {
    /// A PLC that nobody has spoken to yet. Speeds are shares.
    pub(super) fn new(local_speed: f64, min_speed: f64) -> Self {
        Self {
            now_ms: 0,
            cycles: 0,
            reset_ms: 0,
            local_speed,
            min_speed,
            slots: [Slot::default(); SLOTS],
            in_force: FULL_SCALE,
            trip: Trip::default(),
            pump: PumpReadings::default(),
            meter: MeterReadings::default(),
            leak: LeakReadings { leak: false, rope_fault: true },
        }
    }

    /// One cycle of the PLC.
    fn cycle(&mut self) {
        self.cycles += 1;
        for slot in &mut self.slots {
            slot.look(self.now_ms);
        }
        let wishes = self.slots.iter().filter_map(|slot| slot.wish(self.now_ms));
        self.in_force = wishes.reduce(Wish::max).map_or(FULL_SCALE, Wish::demand);
        if self.trip.is_set() && self.now_ms.saturating_sub(self.reset_ms) >= RESET_EVERY_MS {
            self.reset_ms = self.now_ms;
            self.trip.reset();
        }
    }

    fn runs(&self) -> bool {
        (self.in_force > 0 || self.pump.forced_local) && !self.trip.is_set()
    }

    fn wanted_speed(&self) -> f64 {
        if self.pump.forced_local {
            self.local_speed
        } else {
            (f64::from(self.in_force) / f64::from(FULL_SCALE)).max(self.min_speed)
        }
    }

    fn common(&self, address: u16) -> Option<u16> {
        let live = || self.slots.iter().filter(|slot| slot.is_live()).count();
        Some(match address {
            0 => IDENTITY,
            1 => LAYOUT_VERSION,
            2 => SLOT_COUNT,
            3 => u16::try_from(live()).unwrap_or(NO_WORD),
            4 => low_word(self.cycles),
            5 => self.in_force,
            6 => unsigned(self.pump.speed, 0.000_1),
            7 => unsigned(self.meter.flow_lpm, 0.1),
            8 => signed(self.meter.supply_celsius, 0.01),
            9 => signed(self.meter.return_celsius, 0.01),
            10 => bits(&[
                (status::RUNNING, self.runs()),
                (status::ALARM, self.trip.is_set()),
                (status::REMOTE, !self.pump.forced_local),
                (status::LEAK, self.leak.leak),
            ]),
            _ => return None,
        })
    }
}

impl Device for SlotPlc {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::ReadInputRegisters, Function::WriteSingle, Function::WriteMultiple]
    }

    fn sense(&mut self, readings: &Readings) {
        (self.pump, self.meter, self.leak) = (readings.pump, readings.meter, readings.leak);
        self.trip.sense(&self.pump);
    }

    fn blind(&mut self) {
        let PumpReadings { alarm_code, forced_local, .. } = self.pump;
        self.pump = PumpReadings { alarm_code, forced_local, ..PumpReadings::default() };
        self.meter = MeterReadings::default();
    }

    fn tick(&mut self, plant_ms: u64) {
        let due = plant_ms / CYCLE_MS > self.now_ms / CYCLE_MS;
        self.now_ms = plant_ms;
        if due {
            self.cycle();
        }
    }

    fn register(&self, address: u16) -> Option<u16> {
        match place(address) {
            Some((index, offset)) => self.slots.get(index)?.register(offset, self.now_ms),
            None => self.common(address),
        }
    }

    fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
        match place(address) {
            Some((_, 1 | 4)) if value > FULL_SCALE => Err(Exception::Value),
            Some((_, 0..=5)) => Ok(()),
            Some(_) | None => Err(Exception::Address),
        }
    }

    fn apply(&mut self, address: u16, value: u16) {
        if let Some((index, offset)) = place(address)
            && let Some(slot) = self.slots.get_mut(index)
        {
            slot.write(offset, value);
        }
    }

    fn order(&self, orders: &mut Orders) {
        orders.pump_run = self.runs();
        orders.pump_speed = if self.runs() { self.wanted_speed() } else { 0.0 };
    }
}

/// The slot and the place in it that an address means.
fn place(address: u16) -> Option<(usize, u16)> {
    let offset = address.checked_sub(FIRST)?;
    let index = usize::from(offset / WIDTH);
    (index < SLOTS).then_some((index, offset % WIDTH))
}

/// A counter that begins again after 65535.
#[expect(clippy::cast_possible_truncation, reason = "the low word is meant")]
const fn low_word(count: u64) -> u16 {
    count as u16
}
