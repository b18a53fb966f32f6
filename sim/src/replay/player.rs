//! Restores the controller and lets it decide again.

use std::path::Path;

use eisbach_control::record::{self, Found, LONGEST, Opening, Reader, RecordError, Step, Why, bits};
use eisbach_control::{Controller, Decision, Tuning};

use super::{Outcome, ReplayError};

/// What happens in a replay, in order.
#[derive(Debug)]
pub(super) enum Scene<'a> {
    /// The controller was restored, or got new numbers.
    Opened {
        /// What the record says.
        opening: &'a Opening,
        /// The numbers that were in force then.
        tuning: &'a Tuning,
    },
    /// A step was decided again.
    Step(&'a Again),
    /// Some bytes are no frames.
    Damaged {
        /// Where.
        at: usize,
        /// How many.
        length: usize,
    },
}

/// A step that was decided again.
#[derive(Debug)]
pub(super) struct Again {
    /// When, ms since 1970 in UTC.
    pub(super) wall_ms: u64,
    /// What was recorded.
    pub(super) step: Step,
    /// What is decided now.
    pub(super) decision: Decision,
    /// Both are the same, bit for bit.
    pub(super) same: bool,
}

/// Why a replay ends early.
#[derive(Debug)]
pub(super) enum PlayError {
    Record(RecordError),
    Other(ReplayError),
}

impl PlayError {
    pub(super) fn of(self, path: &Path) -> ReplayError {
        match self {
            Self::Record(source) => ReplayError::Record { path: path.to_owned(), source },
            Self::Other(error) => error,
        }
    }
}

impl From<RecordError> for PlayError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<ReplayError> for PlayError {
    fn from(error: ReplayError) -> Self {
        Self::Other(error)
    }
}

/// Two rooms to write bits into.
struct Bits(Vec<u8>, Vec<u8>);

/// Plays the record; `numbers` says which the controller gets in place of the recorded ones, `see` is shown all.
pub(super) fn play(
    bytes: &[u8],
    numbers: impl Fn(&Tuning) -> Result<Tuning, ReplayError>,
    mut see: impl FnMut(Scene<'_>) -> Result<(), ReplayError>,
) -> Result<Outcome, PlayError> {
    let mut reader = Box::new(Reader::new(bytes)?);
    let mut outcome = Outcome::default();
    let mut mind: Option<Box<Controller>> = None;
    let mut opened: Option<Opening> = None;
    let mut rooms = Bits(vec![0; LONGEST], vec![0; LONGEST]);
    while let Some(found) = reader.next() {
        match found? {
            Found::Opened(opening) => {
                opening.check()?;
                opened = Some(opening);
            }
            Found::State(state) => {
                let Some(opening) = &opened else { continue };
                let recorded = record::controller(state)?;
                let tuning = *recorded.tuning();
                let wanted = numbers(&tuning)?;
                let own = mind.take();
                let follows = matches!(opening.why, Why::Continued | Why::Retuned);
                mind = Some(match own {
                    // With other numbers the controller has come elsewhere, and goes on from there.
                    Some(mut own) if follows && wanted != tuning => {
                        own.retune(wanted);
                        own
                    }
                    Some(mut own) if follows => {
                        own.retune(tuning);
                        outcome.states += u64::from(!rooms.same(&*own, &recorded)?);
                        Box::new(recorded)
                    }
                    _ => {
                        let mut restored = Box::new(recorded);
                        if wanted != tuning {
                            restored.retune(wanted);
                        }
                        restored
                    }
                });
                see(Scene::Opened { opening, tuning: &tuning })?;
            }
            Found::Step(bytes) => {
                let (Some(mind), Some(opening)) = (&mut mind, &opened) else { continue };
                let step = record::step(bytes)?;
                let decision = mind.step(&step.snapshot, step.now);
                let same = rooms.same(&decision, &step.decision)?;
                outcome.steps += 1;
                outcome.different += u64::from(!same);
                let wall_ms = opening.wall_ms.saturating_add(step.now.since(opening.now).get());
                see(Scene::Step(&Again { wall_ms, step, decision, same }))?;
            }
            Found::Damaged { at, length } => {
                // What follows begins with a state of its own.
                mind = None;
                opened = None;
                outcome.damaged += u64::try_from(length).unwrap_or(u64::MAX);
                see(Scene::Damaged { at, length })?;
            }
        }
    }
    Ok(outcome)
}

impl Bits {
    fn same<T: serde::Serialize>(&mut self, a: &T, b: &T) -> Result<bool, RecordError> {
        Ok(bits(a, &mut self.0)? == bits(b, &mut self.1)?)
    }
}
