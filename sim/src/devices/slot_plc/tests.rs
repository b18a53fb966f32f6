//! The map and the rules of the shared pump.

use super::super::device::{ordered_speed, words, write};
use super::slot::flag;
use super::*;

/// A PLC, its clock and the nodes' heartbeats.
struct Bench {
    plc: SlotPlc,
    now_ms: u64,
    beat: u16,
}

impl Bench {
    fn new() -> Self {
        let mut plc = SlotPlc::new(0.8, 0.25);
        plc.sense(&readings());
        Self { plc, now_ms: 0, beat: 0 }
    }

    /// Time passes, and the nodes in `alive` show every second that they are there.
    fn pass(&mut self, ms: u64, alive: &[u16]) {
        for _ in 0..ms / 100 {
            if self.now_ms.is_multiple_of(1000) {
                self.beat = self.beat.wrapping_add(1);
                for slot in alive {
                    write(&mut self.plc, at(*slot, 0), self.beat).unwrap();
                }
            }
            self.now_ms += 100;
            self.plc.tick(self.now_ms);
        }
    }

    fn ask(&mut self, slot: u16, demand: u16, flags: u16) {
        write(&mut self.plc, at(slot, 1), demand).unwrap();
        write(&mut self.plc, at(slot, 2), flags).unwrap();
    }

    fn in_force(&self) -> u16 {
        self.plc.register(5).unwrap()
    }

    fn state(&self, slot: u16) -> u16 {
        self.plc.register(at(slot, 9)).unwrap()
    }
}

fn readings() -> Readings {
    Readings {
        pump: PumpReadings { speed: 0.5, ..PumpReadings::default() },
        meter: MeterReadings {
            flow_lpm: 45.0,
            supply_celsius: -0.5,
            return_celsius: 44.44,
            ..MeterReadings::default()
        },
        ..Readings::default()
    }
}

fn at(slot: u16, offset: u16) -> u16 {
    1000 + 16 * slot + offset
}

#[test]
fn the_common_block_is_as_written_above() {
    let mut bench = Bench::new();
    bench.pass(1_000, &[0]);
    let supply = (-50_i16).cast_unsigned();
    assert_eq!(
        words::<11>(&bench.plc, 0),
        [0x0E15, 1, 32, 1, 10, 1, 5000, 450, supply, 4444, status::RUNNING | status::REMOTE]
    );
    assert_eq!(
        (bench.plc.register(11), bench.plc.register(999), bench.plc.register(1512)),
        (None, None, None)
    );
}

#[test]
fn a_slot_reads_back_what_its_node_wrote_and_what_the_plc_saw() {
    let mut bench = Bench::new();
    for (offset, value) in [(0, 7), (1, 4500), (2, 1), (3, 99), (4, 8000), (5, 520)] {
        write(&mut bench.plc, at(31, offset), value).unwrap();
    }
    assert_eq!(words::<16>(&bench.plc, at(31, 0))[6..11], [0, 0, 0, 0, 0xFFFF], "before the next cycle");
    bench.pass(500, &[]);
    assert_eq!(words::<16>(&bench.plc, at(31, 0)), [7, 4500, 1, 99, 8000, 520, 0, 0, 7, 1, 4, 0, 0, 0, 0, 0]);
}

#[test]
fn without_any_slot_it_runs_at_full_speed() {
    let bench = Bench::new();
    assert_eq!((ordered_speed(&bench.plc), bench.in_force()), (Some(100), 10_000));
}

#[test]
fn the_highest_demand_of_the_live_slots_counts() {
    let mut bench = Bench::new();
    bench.ask(0, 3000, 0);
    bench.ask(5, 4500, 0);
    bench.ask(9, 9000, 0);
    bench.pass(2_000, &[0, 5]);
    assert_eq!((bench.in_force(), ordered_speed(&bench.plc)), (4500, Some(45)), "slot 9 shows no life");
    bench.ask(5, 0, 0);
    bench.ask(0, 100, 0);
    bench.pass(100, &[0, 5]);
    assert_eq!((bench.in_force(), ordered_speed(&bench.plc)), (100, Some(25)), "not below its lowest speed");
}

#[test]
fn a_slot_that_may_only_raise_does_not_lower() {
    let mut bench = Bench::new();
    bench.ask(0, 6000, flag::RAISE_ONLY);
    bench.pass(1_000, &[0]);
    bench.ask(0, 3000, flag::RAISE_ONLY);
    bench.pass(1_000, &[0]);
    assert_eq!(bench.in_force(), 6000);
    bench.ask(0, 7000, flag::RAISE_ONLY);
    bench.pass(1_000, &[0]);
    assert_eq!(bench.in_force(), 7000);
    bench.ask(0, 3000, 0);
    bench.pass(1_000, &[0]);
    assert_eq!(bench.in_force(), 3000, "with authority it may");
}

#[test]
fn a_silent_slot_expires_climbs_to_full_and_stays_there() {
    let mut bench = Bench::new();
    bench.ask(0, 4000, 0);
    bench.pass(1_000, &[0]);
    bench.pass(2_000, &[]);
    assert_eq!((bench.state(0), bench.in_force()), (1, 4000), "2.9 s old");
    bench.pass(100, &[]);
    assert_eq!((bench.state(0), bench.in_force(), bench.plc.register(3)), (2, 4000, Some(0)));
    bench.pass(9_000, &[]);
    assert_eq!(bench.in_force(), 7000);
    bench.pass(21_000, &[]);
    assert_eq!(bench.in_force(), 10_000);
    bench.pass(3_500_000, &[]);
    assert_eq!((bench.state(0), bench.in_force()), (2, 10_000));
}

#[test]
fn after_an_hour_without_life_a_slot_is_dropped() {
    let mut bench = Bench::new();
    bench.ask(0, 4000, 0);
    bench.ask(1, 3000, 0);
    bench.pass(1_000, &[0, 1]);
    bench.pass(3_599_000, &[1]);
    assert_eq!((bench.state(0), bench.in_force()), (2, 10_000));
    bench.pass(1_000, &[1]);
    assert_eq!((bench.state(0), bench.in_force()), (0, 3000));
    assert_eq!(bench.plc.register(at(0, 10)), Some(0xFFFF));
}

#[test]
fn a_slot_that_comes_back_counts_with_its_new_demand_at_once() {
    let mut bench = Bench::new();
    bench.ask(0, 4000, 0);
    bench.pass(1_000, &[0]);
    bench.pass(60_000, &[]);
    assert_eq!(bench.in_force(), 10_000);
    bench.ask(0, 5000, 0);
    bench.pass(100, &[0]);
    assert_eq!((bench.state(0), bench.in_force()), (1, 5000));
}

#[test]
fn one_leak_does_not_stop_the_others_and_all_leaks_stop_the_pump() {
    let mut bench = Bench::new();
    bench.ask(0, 9000, flag::LEAK_STOP);
    bench.ask(1, 3000, 0);
    bench.pass(1_000, &[0, 1]);
    assert_eq!(bench.in_force(), 3000, "the demand of a leaking node does not count");
    bench.ask(1, 3000, flag::LEAK_STOP);
    bench.pass(1_000, &[0, 1]);
    assert_eq!((bench.in_force(), ordered_speed(&bench.plc)), (0, None));
    bench.pass(7_200_000, &[]);
    assert_eq!((ordered_speed(&bench.plc), bench.state(0)), (None, 2), "the water outlasts its node");
}

#[test]
fn a_leak_on_its_own_rope_is_shown_and_left_to_the_nodes() {
    let mut bench = Bench::new();
    let leak = LeakReadings { leak: true, rope_fault: false };
    bench.plc.sense(&Readings { leak, ..readings() });
    assert_eq!(bench.plc.register(10), Some(status::RUNNING | status::REMOTE | status::LEAK));
}

#[test]
fn the_plc_resets_its_drive_when_the_cause_is_gone() {
    let mut bench = Bench::new();
    let tripped = PumpReadings { alarm_code: 51, ..readings().pump };
    bench.plc.sense(&Readings { pump: tripped, ..readings() });
    bench.pass(20_000, &[]);
    assert_eq!((ordered_speed(&bench.plc), bench.plc.register(10)), (None, Some(0b0110)));
    bench.plc.sense(&readings());
    bench.pass(5_000, &[]);
    assert_eq!(ordered_speed(&bench.plc), Some(100));
}

#[test]
fn a_value_outside_its_range_is_refused() {
    let mut bench = Bench::new();
    assert_eq!(write(&mut bench.plc, at(0, 1), 10_001), Err(Exception::Value));
    assert_eq!(write(&mut bench.plc, at(0, 4), 10_001), Err(Exception::Value));
    for address in [0, 5, 10, at(0, 6), at(0, 8), at(0, 15), 1512] {
        assert_eq!(write(&mut bench.plc, address, 0), Err(Exception::Address), "register {address}");
    }
}
