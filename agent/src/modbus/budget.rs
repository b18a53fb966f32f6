//! The daily budget of one register: how often it may still be written today, whatever happens to the agent.
//!
//! ```text
//!   budget ├──────── for any write ────────┤ last tenth: only towards more cooling ┤ nothing
//!   disk   ├─ reserved ─────────┤                    a write needs a reservation that is on the disk
//!   memory ├─ spent ───┤                             a restart counts all that was reserved as spent
//! ```
//!
//! Writes are reserved ahead, so that the disk is not touched for each, and a crash can only lose some of the budget,
//! never gain any. A reservation is as large as what was written since the start, and a twentieth of the budget at
//! most: an agent that keeps crashing loses little, one that runs for long asks the disk seldom.
//!
//! A day is a UTC day. A clock that jumps back begins no new one; one that stays behind does when 24 h have passed.
//! Pure: time is an argument, and the disk is the [`ledger`](super::ledger)'s.

use eisbach_protocol::units::Millis;

const DAY_MS: u64 = 86_400_000;
/// One part in so many is kept back for writes towards more cooling.
const KEPT_BACK: u32 = 10;
/// A reservation is at most one part in so many.
const LARGEST_STEP: u32 = 20;
/// The smallest reservation: a word, and the one that arms it.
const SMALLEST_STEP: u32 = 2;

/// The day by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Today {
    /// Days since 1970 in UTC.
    pub(super) day: u64,
    /// Monotonic.
    pub(super) now: Millis,
}

impl Today {
    /// The UTC day of `wall_ms`, at `now`.
    pub(super) const fn new(wall_ms: u64, now: Millis) -> Self {
        Self { day: wall_ms / DAY_MS, now }
    }
}

/// What is on the disk for one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reserved {
    /// The day.
    pub(super) day: u64,
    /// Writes of that day, made or to come.
    pub(super) writes: u32,
}

/// Whether a write may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// Yes.
    Yes,
    /// When the reservation is on the disk.
    Soon,
    /// Not today.
    Spent,
}

/// The account of one register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    /// Nothing for a register that does not wear out; its writes are only counted.
    budget: Option<u32>,
    day: u64,
    /// When that day began for this run.
    since: Millis,
    spent: u32,
    /// Of them, in this run.
    made: u32,
    reserved: u32,
}

impl Account {
    /// An account with what an earlier run has left on the disk.
    pub(super) fn open(budget: Option<u32>, left: Option<Reserved>, today: Today) -> Self {
        let (day, spent) = match left {
            Some(left) if left.day >= today.day => (left.day, left.writes),
            Some(_) | None => (today.day, 0),
        };
        Self { budget, day, since: today.now, spent, made: 0, reserved: spent }
    }

    /// Whether `writes` more may be made now.
    pub(super) fn judge(&mut self, today: Today, writes: u32, towards_cooling: bool) -> Allowance {
        self.turn_the_page(today);
        let Some(budget) = self.budget else {
            return Allowance::Yes;
        };
        let limit = if towards_cooling { budget } else { budget - budget.div_ceil(KEPT_BACK) };
        let after = self.spent.saturating_add(writes);
        if after > limit {
            Allowance::Spent
        } else if after > self.reserved {
            Allowance::Soon
        } else {
            Allowance::Yes
        }
    }

    /// One write is being made. Whether it arrives or not, it counts.
    pub(super) const fn spend(&mut self) {
        self.spent = self.spent.saturating_add(1);
        self.made = self.made.saturating_add(1);
    }

    /// What should be on the disk so that the next writes need not wait for it.
    pub(super) fn wanted(&self) -> Option<Reserved> {
        let budget = self.budget?;
        let step = self.made.clamp(SMALLEST_STEP, (budget / LARGEST_STEP).max(SMALLEST_STEP));
        let left = self.reserved.saturating_sub(self.spent);
        let writes = self.spent.saturating_add(step).min(budget);
        (left < (step / 2).max(SMALLEST_STEP) && writes > self.reserved)
            .then_some(Reserved { day: self.day, writes })
    }

    /// That is on the disk.
    pub(super) fn stored(&mut self, reserved: Reserved) {
        if reserved.day == self.day {
            self.reserved = self.reserved.max(reserved.writes);
        }
    }

    /// Writes of today.
    pub(super) const fn spent(&self) -> u32 {
        self.spent
    }

    fn turn_the_page(&mut self, today: Today) {
        let later = today.day > self.day;
        let behind = today.day < self.day && today.now.since(self.since) >= Millis::new(DAY_MS);
        if later || behind {
            *self = Self { day: today.day, since: today.now, spent: 0, reserved: 0, ..*self };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn on(day: u64, now: u64) -> Today {
        Today { day, now: Millis::new(now) }
    }

    /// Makes `writes` writes if they are allowed; the disk works at once.
    fn spend(account: &mut Account, today: Today, writes: u32, towards_cooling: bool) -> bool {
        let allowed = loop {
            match account.judge(today, writes, towards_cooling) {
                Allowance::Yes => break true,
                Allowance::Spent => break false,
                Allowance::Soon => account.stored(account.wanted().unwrap()),
            }
        };
        (0..writes).filter(|_| allowed).for_each(|_| account.spend());
        allowed
    }

    #[test]
    fn i09_the_last_tenth_is_kept_for_more_cooling_and_then_there_is_nothing() {
        let mut account = Account::open(Some(25), None, on(1, 0));
        assert_eq!((0..30).filter(|_| spend(&mut account, on(1, 0), 1, false)).count(), 22);
        assert_eq!((0..30).filter(|_| spend(&mut account, on(1, 0), 1, true)).count(), 3);
        assert_eq!(account.judge(on(2, 0), 1, false), Allowance::Soon, "a new day");
    }

    #[test]
    fn i09_a_clock_that_jumps_back_refills_nothing_until_a_day_has_passed() {
        let mut account = Account::open(Some(10), None, on(5, 0));
        while spend(&mut account, on(5, 0), 1, true) {}
        assert_eq!(account.judge(on(4, DAY_MS - 1), 1, true), Allowance::Spent);
        assert_eq!(account.judge(on(5, DAY_MS + 1), 1, true), Allowance::Spent, "the same day again");
        assert_eq!(
            account.judge(on(4, DAY_MS), 1, true),
            Allowance::Soon,
            "or a wrong clock would stop all writes"
        );
    }

    #[test]
    fn a_start_without_writes_costs_nothing_and_one_with_few_costs_few() {
        let account = Account::open(Some(1_000), Some(Reserved { day: 1, writes: 7 }), on(1, 0));
        assert_eq!(account.spent(), 7);
        let mut account = Account::open(Some(1_000), None, on(1, 0));
        assert!(spend(&mut account, on(1, 0), 1, false));
        assert!(account.reserved <= 1 + SMALLEST_STEP);
        (0..500).for_each(|_| assert!(spend(&mut account, on(1, 0), 1, false)));
        assert!(account.reserved <= 501 + 50, "a twentieth at most");
    }

    #[test]
    fn a_register_that_does_not_wear_out_is_only_counted() {
        let mut account = Account::open(None, None, on(1, 0));
        assert!((0..1_000).all(|_| spend(&mut account, on(1, 0), 1, false)));
        assert_eq!((account.spent(), account.wanted()), (1_000, None));
    }

    #[derive(Clone, Debug)]
    enum Event {
        Write { writes: u32, towards_cooling: bool },
        DiskWorks,
        Killed,
        Clock { back: bool },
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let write = (1..=2_u32, any::<bool>())
            .prop_map(|(writes, towards_cooling)| Event::Write { writes, towards_cooling });
        let event = prop_oneof![
            12 => write,
            6 => Just(Event::DiskWorks),
            1 => Just(Event::Killed),
            1 => any::<bool>().prop_map(|back| Event::Clock { back }),
        ];
        prop::collection::vec(event, 1..400)
    }

    proptest! {
        #[test]
        fn i09_over_any_restarts_a_device_sees_at_most_its_budget_a_day(budget in 1..80_u32, events in events()) {
            let (mut clock, mut disk, mut made) = (100_u64, None, std::collections::BTreeMap::<u64, u32>::new());
            let mut account = Account::open(Some(budget), disk, on(clock, 0));
            for event in events {
                let today = on(clock, 0);
                match event {
                    Event::Write { writes, towards_cooling } => {
                        if account.judge(today, writes, towards_cooling) == Allowance::Yes {
                            (0..writes).for_each(|_| account.spend());
                            *made.entry(account.day).or_default() += writes;
                        }
                    }
                    Event::DiskWorks => {
                        if let Some(wanted) = account.wanted() {
                            disk = Some(wanted);
                            account.stored(wanted);
                        }
                    }
                    Event::Killed => account = Account::open(Some(budget), disk, today),
                    Event::Clock { back } => clock = if back { clock - 1 } else { clock + 1 },
                }
            }
            prop_assert!(made.values().all(|&made| made <= budget), "{made:?} of {budget}");
        }

        #[test]
        fn what_is_wanted_always_allows_the_next_write(spent in 0..100_u32, made in 0..100_u32, writes in 1..=2_u32) {
            let left = Reserved { day: 1, writes: spent };
            let mut account = Account { made, ..Account::open(Some(100), Some(left), on(1, 0)) };
            if account.judge(on(1, 0), writes, true) == Allowance::Soon {
                account.stored(account.wanted().unwrap());
                prop_assert_eq!(account.judge(on(1, 0), writes, true), Allowance::Yes);
            }
        }
    }
}
