//! Everything that is written to one device: its commands and its heartbeat, one step a turn.
//!
//! ```text
//!   wishes ─► desks ──┐                              ┌─► look    ─► read-back ─► desk
//!   cycles ─► heart ──┼─► the most urgent, in turn ──┼─► command ─► permit ─► echo ─► desk
//!   switch ─► local? ─┘       (none while local)     └─► count   ─► permit ─► echo ─► heart
//! ```

use std::sync::Arc;

use eisbach_protocol::registers::{Command, Watchdog};
use eisbach_protocol::units::Millis;
use tracing::{info, warn};

use super::agenda::{Class, Due};
use super::authority;
use super::budget::Today;
use super::bus::{Bus, Span};
use super::desk::{Desk, Scene, Step, sooner};
use super::device::DeviceSettings;
use super::heartbeat::{Heart, Stroke};
use super::ledger::Budgets;
use super::session::{Broken, Session};
use super::state::{Cells, Sample};
use super::write_state::Heartbeats;
use super::writer;
use crate::clock::Clock;

/// The writes to one device.
pub(super) struct Commander {
    /// In the order of the profile's commands.
    desks: Vec<Desk>,
    heart: Option<Heart>,
    heartbeats: Heartbeats,
    local: bool,
    /// The switch between local and remote as looked at when the device was reached.
    first_look: Option<Sample>,
    /// That look is never answered, and cooling does not wait for it.
    switch_is_silent: bool,
    /// When the device was reached; nothing while it is not.
    reached_at: Option<Millis>,
    settings: Arc<DeviceSettings>,
    cells: Arc<Cells>,
    clock: Clock,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Job {
    /// Look who has the device, before anything is written to it.
    WhoCommands,
    /// Of the command in this place.
    Desk(usize, Step),
    Heart(Stroke),
}

impl Commander {
    pub(super) fn new(
        settings: Arc<DeviceSettings>,
        cells: Arc<Cells>,
        clock: Clock,
        budgets: &Budgets,
    ) -> Self {
        let today = Today::new(Clock::wall_ms(), clock.now());
        let purse =
            |command: &Command| budgets.open(&settings.name, command.address, command.daily_budget, today);
        let desks = settings.profile.commands.iter().map(|command| Desk::new(purse(command))).collect();
        let heart = match &settings.profile.watchdog {
            Some(Watchdog::Heartbeat { period_ms, echo, .. }) => {
                Some(Heart::new(Millis::new((*period_ms).into()), echo.is_some()))
            }
            Some(Watchdog::None { .. } | Watchdog::LocalMode { .. } | Watchdog::Timer { .. }) | None => None,
        };
        Self {
            desks,
            heart,
            heartbeats: Heartbeats::default(),
            local: false,
            first_look: None,
            switch_is_silent: false,
            reached_at: None,
            settings,
            cells,
            clock,
        }
    }

    /// Whether a person had the device and has just given it back. Its presets come first then.
    pub(super) fn is_given_back(&mut self, now: Millis) -> bool {
        let before = self.local;
        self.mind_the_switch(now);
        before && !self.local
    }

    /// Whether its next turn looks who has the device.
    pub(super) fn asks_who_commands(&self) -> bool {
        let unseen = self.first_look.is_none() && authority::switch(&self.settings.profile).is_some();
        unseen && !self.switch_is_silent
    }

    /// The device was reached; whether its switch between local and remote is passed over this time.
    pub(super) const fn reached(&mut self, switch_is_silent: bool) {
        self.switch_is_silent = switch_is_silent;
    }

    /// When the wire is needed next, and how urgently; as things stand.
    pub(super) fn next(&mut self, now: Millis) -> Option<Due> {
        self.job(now).map(|(due, _)| due)
    }

    /// Does what is due, one step of it.
    ///
    /// # Errors
    /// If the connection broke.
    pub(super) async fn turn<B: Bus>(&mut self, session: &mut Session<'_, B>) -> Result<(), Broken> {
        let now = self.clock.now();
        let Some((_, job)) = self.job(now).filter(|(due, _)| due.at <= now) else {
            return Ok(());
        };
        let outcome = match job {
            Job::WhoCommands => self.who_commands(session).await,
            Job::Desk(index, step) => self.desk(session, index, step).await,
            Job::Heart(Stroke::Look) => self.listen(session).await,
            Job::Heart(Stroke::Beat(count)) => self.beat(session, count).await,
        };
        self.tell();
        outcome
    }

    /// The connection was lost: what the device holds is unknown.
    pub(super) fn doubt(&mut self) {
        self.desks.iter_mut().for_each(Desk::doubt);
        self.heart.iter_mut().for_each(Heart::doubt);
        self.reached_at = None;
        self.first_look = None;
        self.tell();
    }

    fn job(&mut self, now: Millis) -> Option<(Due, Job)> {
        self.reached_at.get_or_insert(now);
        if self.asks_who_commands() {
            // Before anything is written to a device that was just reached.
            return Some((Due { class: Class::Control, at: now }, Job::WhoCommands));
        }
        self.mind_the_switch(now);
        if self.local {
            self.tell();
            return None;
        }
        let settings = Arc::clone(&self.settings);
        let mut best = None;
        for (index, command) in settings.profile.commands.iter().enumerate() {
            let scene = scene(&settings, &self.cells, (command, index), self.reached_at, now);
            let step = self.desks.get_mut(index).and_then(|desk| desk.plan(&scene));
            best = sooner(best, step.map(|(due, step)| (due, Job::Desk(index, step))), now);
        }
        let beat = self.heart.as_ref().and_then(|heart| heart.next(self.cells.beats()));
        let beat = beat.map(|(at, stroke)| (Due { class: Class::Heartbeat, at }, Job::Heart(stroke)));
        self.tell();
        sooner(best, beat, now)
    }

    /// Takes note of who has the device, by whatever was read last.
    fn mind_the_switch(&mut self, now: Millis) {
        let Some(switch) = authority::switch(&self.settings.profile) else {
            return;
        };
        let polled = self.cells.image.borrow().points.get(switch.index).copied().flatten();
        let latest = [self.first_look, polled].into_iter().flatten().max_by_key(|sample| sample.at);
        let local = authority::is_local(latest, now, Millis::new(self.settings.stale_ms));
        let device = self.settings.name.as_str();
        match (std::mem::replace(&mut self.local, local), local) {
            (false, true) => warn!(device, "a person has the device: nothing is written to it"),
            (true, false) => info!(device, "the device is remote again: everything is written anew"),
            (true, true) | (false, false) => return,
        }
        for desk in &mut self.desks {
            desk.doubt();
            desk.state.local = local;
            desk.state.trouble = None;
        }
        self.heart.iter_mut().for_each(Heart::doubt);
    }

    async fn who_commands<B: Bus>(&mut self, session: &mut Session<'_, B>) -> Result<(), Broken> {
        let Some(switch) = authority::switch(&self.settings.profile) else {
            return Ok(());
        };
        self.first_look = Some(switch.look(session, self.clock.now()).await?);
        Ok(())
    }

    async fn desk<B: Bus>(
        &mut self,
        session: &mut Session<'_, B>,
        index: usize,
        step: Step,
    ) -> Result<(), Broken> {
        let settings = Arc::clone(&self.settings);
        let Some(command) = settings.profile.commands.get(index) else {
            return Ok(());
        };
        let (cells, clock, reached_at) = (Arc::clone(&self.cells), self.clock, self.reached_at);
        let scene = || scene(&settings, &cells, (command, index), reached_at, clock.now());
        match self.desks.get_mut(index) {
            Some(desk) => writer::carry_out(desk, step, session, &settings.profile, scene).await,
            None => Ok(()),
        }
    }

    async fn beat<B: Bus>(&mut self, session: &mut Session<'_, B>, count: u16) -> Result<(), Broken> {
        let settings = Arc::clone(&self.settings);
        let cycle = self.cells.beats();
        let Some(Watchdog::Heartbeat { address, .. }) = &settings.profile.watchdog else {
            return Ok(());
        };
        let took = writer::put(session, &settings.profile, *address, count).await?.is_ok();
        if let Some(heart) = &mut self.heart {
            heart.beaten(cycle, took, self.clock.now());
        }
        self.heartbeats.sent += u64::from(took);
        self.note_heart();
        Ok(())
    }

    async fn listen<B: Bus>(&mut self, session: &mut Session<'_, B>) -> Result<(), Broken> {
        let settings = Arc::clone(&self.settings);
        let Some(Watchdog::Heartbeat { echo: Some(echo), .. }) = &settings.profile.watchdog else {
            return Ok(());
        };
        let found = writer::given(session.read_one(Span::register(*echo)).await)?;
        if let Some(heart) = &mut self.heart {
            heart.heard(found);
        }
        self.note_heart();
        Ok(())
    }

    fn note_heart(&mut self) {
        let ignored = self.heart.as_ref().is_some_and(Heart::is_ignored);
        let device = self.settings.name.as_str();
        match (std::mem::replace(&mut self.heartbeats.ignored, ignored), ignored) {
            (false, true) => warn!(device, "the device does not follow the heartbeat; it may be frozen"),
            (true, false) => info!(device, "the device follows the heartbeat again"),
            (true, true) | (false, false) => {}
        }
    }

    /// Tells the cycle what has changed.
    fn tell(&self) {
        self.cells.image.send_if_modified(|image| {
            let mut changed = image.heartbeats != self.heartbeats;
            image.heartbeats = self.heartbeats;
            for (cell, desk) in image.writes.iter_mut().zip(&self.desks) {
                changed |= *cell != desk.state;
                *cell = desk.state;
            }
            changed
        });
    }
}

/// What is around the desk of the command in this place.
fn scene<'a>(
    settings: &'a DeviceSettings,
    cells: &Cells,
    (command, index): (&'a Command, usize),
    reached_at: Option<Millis>,
    now: Millis,
) -> Scene<'a> {
    let wish = cells.wishes.borrow().get(index).copied().flatten();
    let effect = command.effect.as_ref().map(|effect| {
        let place = settings.profile.points.iter().position(|point| point.signal == effect.signal);
        (effect, place.and_then(|place| cells.image.borrow().points.get(place).copied().flatten()))
    });
    Scene {
        device: &settings.name,
        command,
        wish,
        effect,
        stale: Millis::new(settings.stale_ms),
        reached_at: reached_at.unwrap_or(now),
        today: Today::new(Clock::wall_ms(), now),
    }
}

#[cfg(test)]
mod tests;
