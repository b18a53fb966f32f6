//! Commands of one device: written when their gate says so, read back, and the proof told to the cycle.
//!
//! ```text
//!   wishes ─► gate ─► write ─► echo ─► read-back ── agrees ──► verified
//!                                          └─ does not ─► mismatch: said once, written again at the next refresh
//! ```

use std::sync::Arc;

use eisbach_protocol::registers::{Command, CommandForm};
use eisbach_protocol::units::Millis;
use tokio::sync::watch;
use tracing::{info, warn};

use super::bus::Bus;
use super::device::DeviceSettings;
use super::gate::{Gate, Verdict, Wish, Write};
use super::session::{Broken, Failure, Proof, Session};
use super::state::{Cells, Verified, Wishes};
use crate::clock::Clock;

/// The commands of one device, in the order of its profile.
pub(super) struct Commander {
    desks: Vec<Desk>,
    settings: Arc<DeviceSettings>,
    cells: Arc<Cells>,
    wishes: watch::Receiver<Wishes>,
    clock: Clock,
}

/// One command: its gate, and whether it is in trouble that has been said.
#[derive(Default)]
struct Desk {
    gate: Gate,
    troubled: bool,
}

impl Commander {
    pub(super) fn new(settings: Arc<DeviceSettings>, cells: Arc<Cells>, clock: Clock) -> Self {
        let desks = settings.profile.commands.iter().map(|_| Desk::default()).collect();
        let wishes = cells.wishes.subscribe();
        Self { desks, settings, cells, wishes, clock }
    }

    /// Writes each command whose time has come. Returns when the next one's will have come, as things stand.
    ///
    /// # Errors
    /// If the connection broke.
    pub(super) async fn write_due<B: Bus>(&mut self, session: &mut Session<B>) -> Result<Millis, Broken> {
        let wishes = *self.wishes.borrow_and_update();
        let mut next = Millis::FOREVER;
        for (index, wish) in wishes.into_iter().enumerate().take(self.desks.len()) {
            next = next.min(self.consider(session, index, wish).await?);
        }
        Ok(next)
    }

    /// Ends when the cycle has said something since [`write_due`](Self::write_due).
    pub(super) async fn heard(&mut self) {
        // The sender lives in `cells`, which this struct holds.
        let _never_closed = self.wishes.changed().await;
    }

    /// The connection was lost: what the device holds is unknown.
    pub(super) fn doubt(&mut self) {
        for desk in &mut self.desks {
            desk.gate.doubt();
        }
    }

    async fn consider<B: Bus>(
        &mut self,
        session: &mut Session<B>,
        index: usize,
        wish: Option<Wish>,
    ) -> Result<Millis, Broken> {
        let commands = &self.settings.profile.commands;
        let (Some(command), Some(desk)) = (commands.get(index), self.desks.get_mut(index)) else {
            return Ok(Millis::FOREVER);
        };
        let device = self.settings.name.as_str();
        let now = self.clock.now();
        match desk.gate.judge(command, wish, now) {
            Verdict::Closed => Ok(Millis::FOREVER),
            Verdict::Wait(until) => Ok(until),
            Verdict::Refused(error) => {
                if desk.begins_trouble() {
                    session.counters.refused += 1;
                    warn!(device, control = ?command.control, ?error, "request outside the profile, not written");
                }
                Ok(Millis::FOREVER)
            }
            Verdict::Write(write) => {
                desk.gate.attempt(write, now);
                let proof =
                    desk.prove(device, command, write, session.set(command.address, write.word).await)?;
                let verified = proof.map(|value| Verified { value, at: self.clock.now() });
                self.cells.image.send_modify(|image| {
                    if let Some(cell) = image.verified.get_mut(index) {
                        *cell = verified;
                    }
                });
                Ok(now)
            }
        }
    }
}

impl Desk {
    /// What the device now holds, if it is what was asked. Trouble is said when it begins and when it ends.
    fn prove(
        &mut self,
        device: &str,
        command: &Command,
        write: Write,
        outcome: Result<Proof, Failure>,
    ) -> Result<Option<f32>, Broken> {
        let control = command.control;
        match outcome {
            Ok(Proof::Held) => {
                if std::mem::take(&mut self.troubled) {
                    info!(device, ?control, "command is held again");
                }
                return Ok(Some(meaning(command, write.word)));
            }
            Ok(Proof::Holds(found)) => {
                if self.begins_trouble() {
                    warn!(
                        device,
                        ?control,
                        written = write.word,
                        found,
                        "command written but not held; is there another master?"
                    );
                }
            }
            Err(Failure::Declined(refusal)) => {
                if self.begins_trouble() {
                    warn!(device, ?control, written = write.word, %refusal, "command declined");
                }
            }
            Err(Failure::Broken(broken)) => return Err(broken),
        }
        Ok(None)
    }

    const fn begins_trouble(&mut self) -> bool {
        !std::mem::replace(&mut self.troubled, true)
    }
}

/// The value that a written word stands for.
fn meaning(command: &Command, word: u16) -> f32 {
    match command.form {
        CommandForm::Number { scale, .. } => f32::from(word) * scale,
        CommandForm::Word { on, .. } => f32::from(u8::from(word == on)),
    }
}
