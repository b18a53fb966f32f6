//! A register with a will of its own, a desk before it, and a clock that goes when it is told to.

use crate::modbus::agenda::Class;
use crate::modbus::budget::Today;
use crate::modbus::desk::{Desk, Scene, Step};
use crate::modbus::gate::Wish;
use crate::modbus::ledger::Budgets;
use crate::modbus::state::Sample;
use crate::modbus::write_state::WriteTrouble;
use eisbach_protocol::registers::{Command, CommandForm, Control, Grade, Persistence, ReadBack};
use eisbach_protocol::units::Millis;

pub(super) const INTERVAL: u64 = 100;
pub(super) const REFRESH: u64 = 5_000;
/// The bench's clock goes by such steps, ms.
pub(super) const TICK: u64 = 10;

pub(super) fn speed() -> Command {
    Command {
        control: Control::PumpSpeed,
        address: 103,
        form: CommandForm::Number { scale: 0.01, low: 0.0, high: 100.0, dead_band: 0.1 },
        refresh_ms: 5_000,
        min_interval_ms: 100,
        daily_budget: None,
        persistence: Persistence::Volatile,
        read_back: ReadBack::default(),
        effect: None,
        safe: 100.0,
        release: None,
        slotted: false,
        source: heapless::String::new(),
        grade: Grade::A,
    }
}

pub(super) fn run() -> Command {
    let form = CommandForm::Word { on: 3, off: 1, reset: Some(7), arm: Some(2), allow_mask: 7 };
    Command { control: Control::PumpRun, form, safe: 1.0, ..speed() }
}

/// What the device makes of a write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Will {
    Obeys,
    /// Echoes and keeps what it had.
    Forgets,
    /// An exception.
    Declines,
    /// Goes only so far.
    Stops(u16),
    /// Takes it over after this time.
    Slow(u64),
    /// Cannot be read.
    Mute,
}

pub(super) struct Bench {
    pub(super) desk: Desk,
    pub(super) command: Command,
    pub(super) register: u16,
    pub(super) will: Will,
    pub(super) coming: Option<(u64, u16)>,
    pub(super) effect: Option<f32>,
    pub(super) wish: Option<f32>,
    pub(super) hung_at: Option<u64>,
    pub(super) reached_at: u64,
    pub(super) now: u64,
    /// When and what was written.
    pub(super) writes: Vec<(u64, u16)>,
    pub(super) classes: Vec<Class>,
}

impl Bench {
    pub(super) fn new(command: Command) -> Self {
        let today = Today { day: 1, now: Millis::ZERO };
        let purse = Budgets::in_memory().open("bench", command.address, command.daily_budget, today);
        Self {
            desk: Desk::new(purse),
            command,
            register: 0,
            will: Will::Obeys,
            coming: None,
            effect: None,
            wish: None,
            hung_at: None,
            reached_at: 0,
            now: 0,
            writes: Vec::new(),
            classes: Vec::new(),
        }
    }

    /// A bench on which `value` is in force, long after the device was reached.
    pub(super) fn holding(command: Command, value: f32) -> Self {
        let mut bench = Self::new(command);
        bench.wish = Some(value);
        bench.run(6_000);
        assert_eq!(bench.verified(), Some(value));
        bench.writes.clear();
        bench
    }

    pub(super) fn ask(&mut self, value: f32) -> &mut Self {
        self.wish = Some(value);
        self
    }

    /// The cycle renews its wish, and whatever is due is done, for `ms`.
    pub(super) fn run(&mut self, ms: u64) -> &mut Self {
        let end = self.now + ms;
        while self.now < end {
            self.now += TICK;
            if let Some((at, word)) = self.coming.filter(|(at, _)| *at <= self.now) {
                (self.register, self.coming) = (word, None);
                assert!(at <= self.now);
            }
            let mut turns = 0;
            while self.turn() {
                turns += 1;
                assert!(turns < 5, "busy for ever");
            }
        }
        self
    }

    pub(super) fn turn(&mut self) -> bool {
        let command = self.command.clone();
        let now = Millis::new(self.now);
        let sample = self.effect.map(|value| Sample { outcome: Ok(value), doubtful: false, at: now });
        let scene = Scene {
            device: "bench",
            command: &command,
            wish: self.wish.map(|value| Wish { value, at: Millis::new(self.hung_at.unwrap_or(self.now)) }),
            effect: command.effect.as_ref().map(|effect| (effect, sample)),
            stale: Millis::from_secs(1),
            reached_at: Millis::new(self.reached_at),
            today: Today { day: 1, now },
        };
        let Some((due, step)) = self.desk.plan(&scene).filter(|(due, _)| due.at <= now) else {
            return false;
        };
        match step {
            Step::Look => {
                let found = (self.will != Will::Mute).then_some(self.register);
                self.desk.seen(&scene, found);
            }
            Step::Write(arm, write) => {
                self.classes.push(due.class);
                self.desk.writing(write, 1 + u32::from(arm.is_some()), now);
                arm.into_iter().chain([write.word]).for_each(|word| self.take(word));
                if self.will == Will::Declines {
                    self.desk.declined(&scene, &"exception");
                } else {
                    self.desk.written(&command, write, now);
                }
            }
        }
        true
    }

    pub(super) fn take(&mut self, word: u16) {
        self.writes.push((self.now, word));
        match self.will {
            Will::Obeys | Will::Mute => self.register = word,
            Will::Forgets | Will::Declines => {}
            Will::Stops(limit) => self.register = word.min(limit),
            Will::Slow(delay) => self.coming = Some((self.now + delay, word)),
        }
    }

    pub(super) fn words(&self) -> Vec<u16> {
        self.writes.iter().map(|(_, word)| *word).collect()
    }

    pub(super) fn verified(&self) -> Option<f32> {
        self.desk.state.verified.map(|verified| verified.value)
    }

    pub(super) fn trouble(&self) -> Option<WriteTrouble> {
        self.desk.state.trouble
    }

    /// Another master writes `word`, and it is found.
    pub(super) fn meddle(&mut self, word: u16) -> &mut Self {
        self.register = word;
        self.run(2 * INTERVAL + 2_000)
    }
}
