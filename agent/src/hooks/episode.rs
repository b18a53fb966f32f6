//! When a hook runs. One machine for each pair of hooks; time is an argument, and nothing here does anything.
//!
//! ```text
//!            wanted                              no longer wanted
//!   none ──► unsure ── begin succeeds ──► in force ──► unsure ── end succeeds ──► none
//!              ▲ │ fails: again after the shortest interval,      ▲ │ likewise
//!              └─┘ five times an episode                          └─┘
//! ```

use eisbach_protocol::units::Millis;

use super::record::Effect;
use super::status::{Ending, HookState, HookStatus};

/// Runs of one hook in one episode (estimate: what fails five times needs a person).
pub(super) const TRIES: u32 = 5;
/// What was in effect at start is not ended before the node has been well for this long: the controller that asked for
/// it has forgotten why, and one that sees no GPU asks for nothing (estimate: a while to climb the ladder again).
pub(super) const SETTLE: Millis = Millis::from_secs(120);
/// Reason given to a hook that ends something.
pub(super) const OVER: &str = "no_longer_wanted";

/// Which of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Begin,
    End,
}

/// Who may end what is in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// Whoever saw the wish can also see its end.
    Seen,
    /// It was found at start: nobody, until the node has been well for long.
    Found { well_since: Option<Millis> },
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Start this hook.
    Start(Side),
    /// Ask again then.
    At(Millis),
    /// Wait for the wish or the process.
    Nothing,
}

/// One hook of a pair.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// Shortest interval; none if there is no such hook.
    min_interval: Option<Millis>,
    last_start: Option<Millis>,
    tries: u32,
    status: HookStatus,
}

impl Line {
    fn state(&mut self, state: HookState, now: Millis) {
        if self.status.state != state {
            (self.status.state, self.status.since) = (state, now);
        }
    }

    /// A new episode: nothing is asked of it yet, and all tries are there again.
    fn rest(&mut self, now: Millis) {
        self.tries = 0;
        self.status.failing = false;
        // A process that still runs is let run.
        if self.status.state != HookState::Running {
            self.state(HookState::Idle, now);
        }
    }
}

/// A pair of hooks, or one that nothing ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Episode {
    wanted: Option<&'static str>,
    effect: Effect,
    running: Option<(Side, Effect)>,
    hold: Hold,
    begin: Line,
    end: Line,
}

impl Episode {
    /// `found` was in effect when the agent started. The intervals say which hooks there are.
    pub(super) fn new(begin: Option<Millis>, end: Option<Millis>, found: Effect) -> Self {
        let line = |min_interval| Line { min_interval, ..Line::default() };
        let hold = Hold::Found { well_since: None };
        Self { wanted: None, effect: found, running: None, hold, begin: line(begin), end: line(end) }
    }

    /// Whether the node is well, since `now` or longer.
    pub(super) fn is_well(&mut self, well: bool, now: Millis) {
        if let Hold::Found { well_since } = &mut self.hold {
            *well_since = well.then(|| well_since.unwrap_or(now));
        }
    }

    /// What is wanted from `now` on.
    pub(super) fn want(&mut self, wanted: Option<&'static str>, now: Millis) {
        if wanted.is_some() != self.wanted.is_some() {
            self.begin.rest(now);
            self.end.rest(now);
            self.hold = Hold::Seen;
        }
        self.wanted = wanted;
    }

    /// What is in effect.
    pub(super) const fn effect(&self) -> Effect {
        self.effect
    }

    /// Status of the beginning and the ending hook.
    pub(super) const fn status(&self) -> (HookStatus, HookStatus) {
        (self.begin.status, self.end.status)
    }

    /// Runs of a hook in this episode.
    pub(super) const fn tries(&self, side: Side) -> u32 {
        match side {
            Side::Begin => self.begin.tries,
            Side::End => self.end.tries,
        }
    }

    fn line(&mut self, side: Side) -> &mut Line {
        match side {
            Side::Begin => &mut self.begin,
            Side::End => &mut self.end,
        }
    }

    /// What is to be done at `now`.
    pub(super) fn next(&mut self, now: Millis) -> Next {
        let side = match (self.running, self.wanted, self.effect) {
            (Some(_), _, _) | (None, Some(_), Effect::InForce) | (None, None, Effect::None) => {
                return Next::Nothing;
            }
            (None, Some(_), Effect::None | Effect::Unsure) => Side::Begin,
            (None, None, Effect::Unsure | Effect::InForce) => match self.hold {
                Hold::Found { well_since: None } => return Next::Nothing,
                Hold::Found { well_since: Some(since) } if now < since + SETTLE => {
                    return Next::At(since + SETTLE);
                }
                Hold::Found { .. } | Hold::Seen => Side::End,
            },
        };
        let Some(min_interval) = self.line(side).min_interval else {
            // Whatever it was, nobody here can end it.
            if side == Side::End {
                self.effect = Effect::None;
            }
            return Next::Nothing;
        };
        let line = self.line(side);
        if line.tries >= TRIES {
            line.state(HookState::Failed, now);
            return Next::Nothing;
        }
        match line.last_start.map(|last| last + min_interval).filter(|due| now < *due) {
            Some(due) => {
                line.state(HookState::Waiting, now);
                Next::At(due)
            }
            None => Next::Start(side),
        }
    }

    /// A hook is about to be started. From here until its success nobody knows what is in effect. Its reason.
    pub(super) fn started(&mut self, side: Side, now: Millis) -> &'static str {
        let reason = self.wanted.unwrap_or(OVER);
        self.running = Some((side, self.effect));
        self.effect = Effect::Unsure;
        let line = self.line(side);
        line.last_start = Some(now);
        line.tries = line.tries.saturating_add(1);
        line.status.runs = line.status.runs.saturating_add(1);
        line.status.last_reason = Some(reason);
        line.state(HookState::Running, now);
        reason
    }

    /// The running hook has ended.
    pub(super) fn ended(&mut self, ending: Ending, now: Millis) {
        let Some((side, before)) = self.running.take() else { return };
        self.effect = match (ending, side) {
            (Ending::Success, Side::Begin) => Effect::InForce,
            (Ending::Success, Side::End) => Effect::None,
            (Ending::NotStarted(_), _) => before,
            (Ending::Code(_) | Ending::Signal(_) | Ending::Timeout(_) | Ending::Stopped, _) => Effect::Unsure,
        };
        let succeeded = ending == Ending::Success;
        let still_asked = self.wanted.is_some() == (side == Side::Begin);
        let line = self.line(side);
        line.status.last_exit = Some(ending);
        if !succeeded {
            line.status.failures = line.status.failures.saturating_add(1);
        }
        // A wish that turned while the process ran has begun another episode.
        line.status.failing = !succeeded && still_asked;
        let state = match (still_asked, succeeded) {
            (true, true) => HookState::Done,
            (true, false) if line.tries >= TRIES => HookState::Failed,
            (true, false) => HookState::Waiting,
            (false, _) => HookState::Idle,
        };
        line.state(state, now);
    }
}

#[cfg(test)]
mod tests;
