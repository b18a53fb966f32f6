//! The task behind the hooks: wishes in, processes out, and one event in the log for what became of them.

use std::path::Path;
use std::time::Duration;

use eisbach_protocol::units::Millis;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::episode::{Episode, Next, Side, TRIES};
use super::process::{self, Ended, Order};
use super::record::{self, Effect, Record};
use super::status::{Ending, Hook, HookStatus};
use super::{HookSettings, Wish};
use crate::clock::Clock;
use crate::config::HookConfig;

/// A pair of hooks, or the one that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    Drain,
    Freeze,
    Stop,
}

impl Pair {
    const ALL: [Self; 3] = [Self::Drain, Self::Freeze, Self::Stop];

    const fn hook(self, side: Side) -> Hook {
        match (self, side) {
            (Self::Drain, Side::Begin) => Hook::Drain,
            (Self::Drain, Side::End) => Hook::Undrain,
            (Self::Freeze, Side::Begin) => Hook::Freeze,
            (Self::Freeze, Side::End) => Hook::Thaw,
            (Self::Stop, Side::Begin | Side::End) => Hook::Stop,
        }
    }
}

/// Runs hooks until `token` is cancelled or nobody wishes any more; then it ends what runs.
pub(super) async fn run(
    settings: HookSettings,
    mut wishes: watch::Receiver<Wish>,
    told: watch::Sender<[HookStatus; Hook::COUNT]>,
    clock: Clock,
    token: CancellationToken,
) {
    let mut desk = Desk::new(settings);
    let ending = token.child_token();
    loop {
        let wish = *wishes.borrow_and_update();
        let next = desk.work(wish, clock.now(), &ending).await;
        told.send_replace(desk.status());
        let pause = next.map(|due| Duration::from_millis(due.since(clock.now()).get()));
        tokio::select! {
            () = token.cancelled() => break,
            changed = wishes.changed() => if changed.is_err() { break },
            Some(ended) = desk.running.join_next_with_id() => desk.ended(ended, clock.now()),
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
        }
    }
    ending.cancel();
    while let Some(ended) = desk.running.join_next_with_id().await {
        desk.ended(ended, clock.now());
    }
    desk.keep_record().await;
}

struct Desk {
    settings: HookSettings,
    drain: Episode,
    freeze: Episode,
    stop: Episode,
    running: JoinSet<Ended>,
    /// Whose process each running task watches: three at most.
    pairs: Vec<(Id, Pair, Side)>,
    kept: Record,
    record_fails: bool,
}

impl Desk {
    fn new(settings: HookSettings) -> Self {
        let found = record::load(&settings.state);
        let interval = |hook: &Option<HookConfig>| hook.as_ref().map(|hook| hook.min_interval);
        let hooks = &settings.hooks;
        Self {
            drain: Episode::new(interval(&hooks.drain), interval(&hooks.undrain), found.drain),
            freeze: Episode::new(interval(&hooks.freeze), interval(&hooks.thaw), found.freeze),
            stop: Episode::new(interval(&hooks.stop), None, Effect::None),
            running: JoinSet::new(),
            pairs: Vec::new(),
            kept: found,
            record_fails: false,
            settings,
        }
    }

    fn episode(&mut self, pair: Pair) -> &mut Episode {
        match pair {
            Pair::Drain => &mut self.drain,
            Pair::Freeze => &mut self.freeze,
            Pair::Stop => &mut self.stop,
        }
    }

    fn config(&self, hook: Hook) -> Option<&HookConfig> {
        let hooks = &self.settings.hooks;
        match hook {
            Hook::Drain => hooks.drain.as_ref(),
            Hook::Undrain => hooks.undrain.as_ref(),
            Hook::Freeze => hooks.freeze.as_ref(),
            Hook::Thaw => hooks.thaw.as_ref(),
            Hook::Stop => hooks.stop.as_ref(),
        }
    }

    fn status(&self) -> [HookStatus; Hook::COUNT] {
        let ((drain, undrain), (freeze, thaw)) = (self.drain.status(), self.freeze.status());
        [drain, undrain, freeze, thaw, self.stop.status().0]
    }

    /// Starts what is due. When there will be more to do by itself, if ever.
    async fn work(&mut self, wish: Wish, now: Millis, token: &CancellationToken) -> Option<Millis> {
        self.drain.want(wish.wanted.drain, wish.since);
        self.freeze.want(wish.wanted.freeze, wish.since);
        self.stop.want(wish.wanted.stop, wish.since);
        for pair in Pair::ALL {
            self.episode(pair).is_well(wish.wanted.well, wish.since);
        }
        let mut soonest = None::<Millis>;
        let mut orders = Vec::new();
        for pair in Pair::ALL {
            let episode = self.episode(pair);
            match episode.next(now) {
                Next::Start(side) => {
                    let reason = episode.started(side, now);
                    orders.extend(self.order(pair.hook(side), reason).map(|order| (order, pair, side)));
                }
                Next::At(due) => soonest = Some(soonest.map_or(due, |other| other.min(due))),
                Next::Nothing => {}
            }
        }
        // Before any process: a restart must find that there was one.
        self.keep_record().await;
        for (order, pair, side) in orders {
            let task = self.running.spawn(process::run(order, token.clone()));
            self.pairs.push((task.id(), pair, side));
        }
        soonest
    }

    fn order(&self, hook: Hook, reason: &'static str) -> Option<Order> {
        let HookConfig { command, timeout, .. } = self.config(hook)?.clone();
        Some(Order { hook, command, timeout, node: self.settings.node.clone(), reason })
    }

    /// Takes in what became of a process, and tells the log.
    fn ended(&mut self, ended: Result<(Id, Ended), tokio::task::JoinError>, now: Millis) {
        let (task, ended) = match ended {
            Ok((task, ended)) => (task, ended),
            Err(error) => {
                let lost =
                    Ended { ending: Ending::Stopped, output: String::new(), errors: error.to_string() };
                (error.id(), lost)
            }
        };
        let Some(place) = self.pairs.iter().position(|(id, ..)| *id == task) else { return };
        let (_, pair, side) = self.pairs.swap_remove(place);
        let hook = pair.hook(side);
        let episode = self.episode(pair);
        episode.ended(ended.ending, now);
        let (begin, end) = episode.status();
        let status = match side {
            Side::Begin => begin,
            Side::End => end,
        };
        tell(hook, &status, episode.tries(side), &ended);
    }

    /// Keeps what is in effect, if that has changed. Without a disk the hooks run all the same.
    async fn keep_record(&mut self) {
        let record = Record { drain: self.drain.effect(), freeze: self.freeze.effect() };
        if record == self.kept {
            return;
        }
        let state = self.settings.state.clone();
        let written = tokio::task::spawn_blocking(move || record::keep(&state, record)).await;
        match written.map_err(std::io::Error::other).flatten() {
            Ok(()) => (self.kept, self.record_fails) = (record, false),
            Err(error) => {
                if !std::mem::replace(&mut self.record_fails, true) {
                    cannot_keep(&self.settings.state, &error);
                }
            }
        }
    }
}

fn cannot_keep(state: &Path, error: &std::io::Error) {
    error!(%error, state = %state.display(), "what the hooks have in effect cannot be written and is tried again; a restart would forget to end it");
}

/// One event for a success, one for the first failure of an episode, one for the last.
fn tell(hook: Hook, status: &HookStatus, tries: u32, ended: &Ended) {
    let (hook, reason, exit) = (hook.as_str(), status.last_reason, ended.ending);
    let Ended { output, errors, .. } = ended;
    match exit {
        Ending::Success => info!(hook, reason, tries, "hook has run"),
        Ending::Stopped => {
            warn!(hook, reason, "hook was ended with the agent; the next start goes on from there");
        }
        Ending::Code(_) | Ending::Signal(_) | Ending::Timeout(_) | Ending::NotStarted(_)
            if tries >= TRIES =>
        {
            error!(hook, reason, %exit, tries, ?output, ?errors, "hook failed for the last time in this episode; do by hand what it is for");
        }
        Ending::Code(_) | Ending::Signal(_) | Ending::Timeout(_) | Ending::NotStarted(_) if tries <= 1 => {
            warn!(hook, reason, %exit, ?output, ?errors, "hook failed and is tried again while it is wanted");
        }
        // Said already; the count is in the status.
        Ending::Code(_) | Ending::Signal(_) | Ending::Timeout(_) | Ending::NotStarted(_) => {}
    }
}

#[cfg(test)]
mod tests;
