//! The demo without a terminal: a line each second, and a line for whatever happens.

use std::io::{self, Write};

use super::facility::Notice;
use super::view::View;
use crate::world::Happened;

/// Plant time between two lines, ms.
const EVERY_MS: u64 = 1000;

/// The writer of plain lines.
#[derive(Debug)]
pub(crate) struct Plain<W> {
    out: W,
    next_ms: u64,
}

impl<W: Write> Plain<W> {
    /// Writes to `out`.
    pub(crate) const fn new(out: W) -> Self {
        Self { out, next_ms: 0 }
    }

    /// A line of the story.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// An event happened in the world.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn happened(&mut self, happened: &Happened) -> io::Result<()> {
        self.say(&format!("{} >>> {}", stamp(happened.at_ms), happened.event))
    }

    /// The facility noticed something.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn noticed(&mut self, notice: &Notice) -> io::Result<()> {
        self.say(&format!("{} <<< {}", stamp(notice.plant_ms), notice.what))
    }

    /// Once a second of plant time, the essentials.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub(crate) fn show(&mut self, view: &View<'_>) -> io::Result<()> {
        if view.truth.time_ms < self.next_ms {
            return Ok(());
        }
        self.next_ms = view.truth.time_ms - view.truth.time_ms % EVERY_MS + EVERY_MS;
        self.say(&line(view))
    }
}

fn line(view: &View<'_>) -> String {
    let plant = &view.truth.plant;
    format!(
        "{} {:<9} {:<12} | GPU {:4.1} °C {:4.0} W cap {:3.0} W | pump {:3.0} % flow {:4.1} L/min | supply {:4.1} return {:4.1} °C \
         valve {:3.0} % | recovered {:4.1} kW river {:4.1} kW | {} MQTT",
        stamp(view.truth.time_ms),
        view.state(),
        view.leader(),
        view.hottest_celsius(),
        plant.power.gpus,
        view.lowest_limit_watts(),
        plant.pump.speed * 100.0,
        plant.node_loop.flow_lpm,
        plant.node_loop.supply_celsius,
        plant.node_loop.return_celsius,
        plant.valve.position * 100.0,
        plant.power.recovery / 1000.0,
        plant.power.river / 1000.0,
        view.board.published(),
    )
}

fn stamp(plant_ms: u64) -> String {
    format!("{:>4}.{} s", plant_ms / 1000, plant_ms % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::facility::{Board, What};
    use crate::demo::keys::Keys;
    use crate::world::{Event, Truth};

    fn written(act: impl FnOnce(&mut Plain<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        act(&mut Plain::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn there_is_one_line_each_second_of_plant_time() {
        let (board, keys) = (Board::new("demo", "node-1"), Keys::default());
        let text = written(|plain| {
            for time_ms in (0..=3500).step_by(100) {
                let truth = Truth { time_ms, ..Truth::default() };
                plain.show(&View { truth: &truth, board: &board, keys: &keys, ends_ms: None }).unwrap();
            }
        });
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.lines().last().unwrap().starts_with("   3.0 s no broker"), "{text}");
    }

    #[test]
    fn what_happens_and_what_is_noticed_have_their_own_lines() {
        let text = written(|plain| {
            plain.happened(&Happened { at_ms: 20_000, event: Event::PumpTrip }).unwrap();
            plain
                .noticed(&Notice { plant_ms: 20_310, what: What::AlarmRaised("loss_of_flow".into()) })
                .unwrap();
        });
        assert_eq!(text, "  20.0 s >>> pump-trip\n  20.3 s <<< alarm loss_of_flow\n");
    }
}
