//! The dashboard: one screen, drawn anew five times a second.
//!
//! ```text
//!   ┌ title: time, state, leader, reason ───────────────────────────┐
//!   │ GPUs: temperature, margin, power, limit, clock, rung, reason  │   the plant's truth beside
//!   ├ loop ──────────────────────────┬ facility ────────────────────┤   what the facility sees
//!   │ pump, flow, supply, valve      │ alarms, faults and answers   │
//!   ├ messages ──────────────────────┴──────────────────────────────┤
//!   └ keys ─────────────────────────────────────────────────────────┘
//! ```
//!
//! Drawing is a pure function of a [`View`]; [`Screen`] is the terminal around it.

mod draw;
mod gpus;
mod input;
mod panels;

use std::io;

use ratatui::DefaultTerminal;
use tokio::sync::mpsc::Receiver;

use super::view::View;
use input::Input;

/// The terminal, taken over until this is dropped.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    input: Input,
}

impl Screen {
    /// Takes the terminal over. A panic gives it back too.
    ///
    /// # Errors
    /// If this is no terminal.
    pub(crate) fn open() -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        match Input::listen() {
            Ok(input) => Ok(Self { terminal, input }),
            Err(error) => {
                ratatui::restore();
                Err(error)
            }
        }
    }

    /// The keys that are pressed; Ctrl-C comes as `q`.
    pub(crate) const fn keys(&mut self) -> &mut Receiver<char> {
        self.input.keys()
    }

    /// Draws the moment.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub(crate) fn show(&mut self, view: &View<'_>) -> io::Result<()> {
        self.terminal.draw(|frame| draw::draw(frame, view)).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
