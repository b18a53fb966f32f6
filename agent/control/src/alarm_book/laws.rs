//! Laws that hold for any history of conditions, times and wishes.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Alarms whose latch is outside of the book.
const INTERLOCKED: [Alarm; 2] = [Alarm::Leak, Alarm::Isolated];

#[derive(Clone, Copy, Debug)]
enum Wish {
    Pass { ms: u64 },
    Turn(Alarm),
    Interlock,
    Acknowledge(Alarm),
    Shelve(Alarm, u64),
    Unshelve(Alarm),
    Reset(Alarm),
    Restart,
}

fn alarm() -> impl Strategy<Value = Alarm> {
    // Those that latch, or explain one another, more often.
    prop_oneof![
        Just(Alarm::Leak),
        Just(Alarm::Uncontrollable),
        Just(Alarm::LossOfFlow),
        Just(Alarm::PumpFault),
        Just(Alarm::FlowDoubtful),
        (0..COUNT).prop_map(|at| ALARMS[at].alarm),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        4 => prop_oneof![3 => 1..3000_u64, 1 => 3000..40_000_000_u64].prop_map(|ms| Wish::Pass { ms }),
        4 => alarm().prop_map(Wish::Turn),
        1 => Just(Wish::Interlock),
        2 => alarm().prop_map(Wish::Acknowledge),
        1 => (alarm(), 0..40_000_000_u64).prop_map(|(alarm, ms)| Wish::Shelve(alarm, ms)),
        1 => alarm().prop_map(Wish::Unshelve),
        1 => alarm().prop_map(Wish::Reset),
        1 => Just(Wish::Restart),
    ]
}

/// A book with what is needed to judge it.
struct World {
    book: AlarmBook,
    conditions: Conditions,
    now: Moment,
    /// Since when each condition holds, as the book has seen.
    since: [Option<Millis>; COUNT],
    shelved_at: [Option<u64>; COUNT],
}

impl Default for World {
    fn default() -> Self {
        Self {
            book: AlarmBook::default(),
            conditions: Conditions::default(),
            now: Moment::default(),
            since: [None; COUNT],
            shelved_at: [None; COUNT],
        }
    }
}

impl World {
    fn states(&self) -> Vec<AlarmState> {
        self.book.views().map(|view| view.state).collect()
    }

    fn does(&mut self, wish: Wish) {
        let before = self.states();
        let now = self.now;
        match wish {
            Wish::Pass { ms } => {
                self.now = Moment { at: now.at + Millis::new(ms), wall_ms: now.wall_ms + ms };
                self.step();
            }
            Wish::Turn(alarm) => {
                let mut turned = AlarmSet::NONE;
                for def in &ALARMS {
                    turned
                        .raise_if(self.conditions.standing.has(def.alarm) != (def.alarm == alarm), def.alarm);
                }
                self.conditions.standing = turned;
                self.step();
            }
            Wish::Interlock => {
                let held = self.conditions.interlocked.has(Alarm::Leak);
                self.conditions.interlocked = AlarmSet::NONE;
                self.conditions.interlocked.raise_if(!held, Alarm::Leak);
                self.step();
            }
            Wish::Acknowledge(alarm) => {
                let _refused = self.book.acknowledge(alarm, now);
                for (was, is) in before.iter().zip(self.states()) {
                    assert_eq!(was.is_active(), is.is_active(), "acknowledging ends nothing");
                }
            }
            Wish::Shelve(alarm, ms) => {
                if self.book.shelve(alarm, Millis::new(ms), now).is_ok() {
                    self.shelved_at[alarm as usize] = Some(now.wall_ms);
                }
                assert_eq!(before, self.states(), "put aside, not ended");
            }
            Wish::Unshelve(alarm) => {
                let _refused = self.book.unshelve(alarm);
                assert_eq!(before, self.states());
            }
            Wish::Reset(alarm) => {
                let reset = self.book.reset(alarm, now);
                assert_eq!(
                    reset.is_ok(),
                    before[alarm as usize].is_latched() && !INTERLOCKED.contains(&alarm),
                    "{reset:?}"
                );
            }
            Wish::Restart => self.restart(),
        }
        if !matches!(wish, Wish::Reset(_)) {
            self.latches_hold(&before);
        }
        self.is_lawful();
    }

    fn step(&mut self) {
        let seq = self.book.seq;
        let changes = self.book.step(&self.conditions, self.now);
        assert!(!changes.is_full() && self.book.seq == seq + changes.len() as u64);
        let views: Vec<AlarmView> = self.book.views().collect();
        for by in views.iter().filter_map(|view| view.suppressed_by) {
            assert!(!views[by as usize].is_shelved(), "{by:?} is put aside and hides");
        }
        for def in &ALARMS {
            let since = &mut self.since[def.alarm as usize];
            *since = self.conditions.standing.has(def.alarm).then(|| since.unwrap_or(self.now.at));
        }
    }

    fn restart(&mut self) {
        let kept: Vec<AlarmView> = self.book.views().collect();
        self.book = AlarmBook::default();
        for (def, view) in ALARMS.iter().zip(&kept) {
            self.book.restore(def.alarm, view, self.now);
        }
        for (was, is) in kept.iter().zip(self.book.views()) {
            assert_eq!((was.state, was.shelved_until_ms), (is.state, is.shelved_until_ms), "nothing is lost");
        }
        // The delays begin anew.
        self.since = [None; COUNT];
        self.step();
    }

    /// What is latched stays so unless its condition comes back, whatever happens but a reset.
    fn latches_hold(&self, before: &[AlarmState]) {
        for ((was, is), def) in before.iter().zip(self.states()).zip(&ALARMS) {
            let let_go = INTERLOCKED.contains(&def.alarm) && !self.conditions.interlocked.has(def.alarm);
            assert!(!was.is_latched() || is.is_active() || let_go, "{} was latched", def.name);
        }
    }

    fn is_lawful(&self) {
        let views: Vec<AlarmView> = self.book.views().collect();
        assert!(views.iter().filter(|view| view.first_out).count() <= 1, "one first-out a trip");
        for (def, view) in ALARMS.iter().zip(&views) {
            let held =
                self.since[def.alarm as usize].is_some_and(|since| self.now.at.since(since) >= def.on_delay);
            assert!(!held || view.is_active(), "{}: a condition that holds is an alarm", def.name);
            if def.alarm == Alarm::Leak && self.conditions.interlocked.has(Alarm::Leak) {
                assert!(view.is_active(), "the leak alarm agrees with its interlock");
            }
            if view.is_active() {
                assert!(view.is_shown() || view.is_shelved() || view.suppressed_by.is_some());
            }
            if let Some(by) = view.suppressed_by {
                assert!(views[by as usize].is_active() && by.def().priority <= def.priority, "{}", def.name);
            }
            if let Some(until_ms) = view.shelved_until_ms {
                let at = self.shelved_at[def.alarm as usize].unwrap();
                assert!(def.shelvable && until_ms <= at + LONGEST_SHELF.get() && until_ms > self.now.wall_ms);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_history_breaks_a_law(wishes in prop::collection::vec(wish(), 1..120)) {
        let mut world = World::default();
        world.step();
        wishes.into_iter().for_each(|wish| world.does(wish));
    }
}
