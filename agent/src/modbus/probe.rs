//! First look at a device after each connect: is it the one that the profile describes, and does it understand
//! commands as the profile does?
//!
//! ```text
//!   was an answer lost? ── a read of another length ──► identity ── as expected ──► presets ──► ready
//!                                                          │                 (read; written only if
//!                                                          │                  different; read back)
//!                                                          └── anything else ──► Stranger: never written to
//! ```
//!
//! It goes step by step, so that a write to another device on the wire never waits for all of it. A step that can be
//! done without is passed over where it is never answered (see [`silence`]).

mod silence;

use eisbach_protocol::registers::{Identity, Profile, Table};
use eisbach_protocol::units::Millis;
use thiserror::Error;
use tracing::warn;

pub(super) use self::silence::{Patience, Step};
use super::authority;
use super::bus::{Bus, Request, Span};
use super::check::Refusal;
use super::permit::{Forbidden, permit};
use super::session::{Broken, Failure, Session};
use super::state::Stranger;

/// A device that starts may decline to say who it is for so long (estimate: a controller's start before its registers
/// are there). What it says by a wrong value is never excused.
pub(super) const STARTING: Millis = Millis::from_secs(5);

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub(super) enum ProbeError {
    /// It is another one.
    #[error("{0}")]
    Stranger(Stranger),
    /// It does not say.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Whether a probe is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It needs another turn.
    More,
    /// The device is the profile's, and holds its presets.
    Done,
}

/// A probe under way: makes sure that a device is the profile's and holds the profile's presets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probe {
    /// The answer to this was lost and may come yet: a late one must be seen as such.
    Sound(Request),
    /// Who is it?
    Identify,
    /// The preset at this place of the profile.
    Preset(usize),
}

impl Probe {
    /// From the beginning, on a wire where the answer to `lost` may come yet.
    pub(super) fn new(lost: Option<Request>) -> Self {
        lost.map_or(Self::Identify, Self::Sound)
    }

    /// One step, of at most three requests.
    ///
    /// A preset that the device declines or does not keep is reported and passed over: the commands that follow
    /// still cool, if not as exactly.
    pub(super) async fn turn<B: Bus>(
        &mut self,
        session: &mut Session<'_, B>,
        profile: &Profile,
        device: &str,
        patience: &mut Patience,
    ) -> Result<Progress, ProbeError> {
        let place = match *self {
            Self::Sound(lost) => {
                if let Some(span) = sounding(profile, lost) {
                    hear(session, span).await?;
                }
                *self = Self::Identify;
                return Ok(Progress::More);
            }
            Self::Identify => {
                identify(session, profile).await?;
                *self = Self::Preset(0);
                // Presets follow when the person gives the device back.
                if !profile.presets.is_empty()
                    && is_taken(session, profile, device, patience).await.map_err(Failure::from)?
                {
                    return Ok(Progress::Done);
                }
                0
            }
            Self::Preset(place) => {
                preset(session, profile, place, device, patience).await.map_err(Failure::from)?;
                place + 1
            }
        };
        *self = Self::Preset(place);
        Ok(if place < profile.presets.len() { Progress::More } else { Progress::Done })
    }
}

/// Whether the device is the profile's. One without an identity must at least answer.
pub(super) async fn identify<B: Bus>(
    session: &mut Session<'_, B>,
    profile: &Profile,
) -> Result<(), ProbeError> {
    let Some(identity) = &profile.identity else {
        return match any_span(profile).next() {
            Some(span) => Ok(hear(session, span).await?),
            None => Ok(()),
        };
    };
    let found = match session.read(identity_span(identity)).await {
        Ok(found) if identity.expect.is(&found) => return Ok(()),
        Ok(found) => Some(found),
        Err(Failure::Declined(Refusal::Misfit)) => None,
        Err(failure) => return Err(failure.into()),
    };
    let Identity { address, expect, .. } = identity.clone();
    Err(ProbeError::Stranger(Stranger { address, expected: expect, found }))
}

/// Whether a person has the device. A switch that never answers says nothing, and cooling does not wait for it.
///
/// # Errors
/// If the connection broke.
pub(super) async fn is_taken<B: Bus>(
    session: &mut Session<'_, B>,
    profile: &Profile,
    device: &str,
    patience: &mut Patience,
) -> Result<bool, Broken> {
    if patience.passes_over(Step::Switch) {
        return Ok(false);
    }
    patience.note(Step::Switch, device, authority::is_taken(session, profile).await)
}

async fn preset<B: Bus>(
    session: &mut Session<'_, B>,
    profile: &Profile,
    place: usize,
    device: &str,
    patience: &mut Patience,
) -> Result<(), Broken> {
    let Some(preset) = profile.presets.get(place) else {
        return Ok(());
    };
    let (register, meaning) = (preset.address, preset.meaning.as_str());
    let step = Step::Preset(register);
    if patience.passes_over(step) {
        return Ok(());
    }
    let outcome = match keep(session, profile, register, preset.value).await {
        Ok(kept) => Ok(Ok(kept)),
        Err(Failure::Declined(refusal)) => Ok(Err(refusal)),
        Err(Failure::Broken(broken)) => Err(broken),
    };
    match patience.note(step, device, outcome)? {
        Ok(Kept::Held) => {}
        Ok(Kept::Holds(found)) => warn!(device, register, meaning, found, "preset not kept by the device"),
        Ok(Kept::Forbidden(why)) => warn!(device, register, meaning, %why, "preset not written"),
        Err(refusal) => warn!(device, register, meaning, %refusal, "preset declined by the device"),
    }
    Ok(())
}

/// What became of a preset.
enum Kept {
    Held,
    Holds(u16),
    Forbidden(Forbidden),
}

/// Writes only what the register does not hold already.
async fn keep<B: Bus>(
    session: &mut Session<'_, B>,
    profile: &Profile,
    register: u16,
    word: u16,
) -> Result<Kept, Failure> {
    if session.read_one(Span::register(register)).await? == word {
        return Ok(Kept::Held);
    }
    let permit = match permit(profile, register, word) {
        Ok(permit) => permit,
        Err(forbidden) => return Ok(Kept::Forbidden(forbidden)),
    };
    session.write(permit).await?;
    let found = session.read_one(Span::register(register)).await?;
    Ok(if found == word { Kept::Held } else { Kept::Holds(found) })
}

/// A connection alone proves nothing: the device must answer, be it with a refusal.
async fn hear<B: Bus>(session: &mut Session<'_, B>, span: Span) -> Result<(), Failure> {
    match session.read(span).await {
        Ok(_) | Err(Failure::Declined(Refusal::Misfit | Refusal::Fault | Refusal::Busy)) => Ok(()),
        Err(failure @ (Failure::Declined(Refusal::Unreachable) | Failure::Broken(_))) => Err(failure),
    }
}

/// A read whose answer cannot be mistaken for the one to `lost`: of another table or length.
fn sounding(profile: &Profile, lost: Request) -> Option<Span> {
    let longer = |span: Span| {
        let more = if span.table.is_bits() { 8 } else { 1 };
        Span { first: span.first.min(u16::MAX - span.count), count: span.count + more, ..span }
    };
    let others = any_span(profile).chain(any_span(profile).map(longer));
    others.into_iter().find(|&span| shape(Request::Read(span)) != shape(lost))
}

/// What of an answer's frame shows which request it belongs to, on a wire without transactions: the function and the
/// length.
const fn shape(request: Request) -> Option<(u8, u16)> {
    match request {
        Request::Read(Span { table: Table::Coil, count, .. }) => Some((1, count.div_ceil(8))),
        Request::Read(Span { table: Table::Discrete, count, .. }) => Some((2, count.div_ceil(8))),
        Request::Read(Span { table: Table::Holding, count, .. }) => Some((3, count)),
        Request::Read(Span { table: Table::Input, count, .. }) => Some((4, count)),
        // Address and word are echoed.
        Request::Write { .. } => None,
    }
}

/// Every read that the profile knows by itself, the best known first.
fn any_span(profile: &Profile) -> impl Iterator<Item = Span> {
    let identity = profile.identity.iter().map(identity_span);
    let points = profile.points.iter().map(|point| Span {
        table: point.table,
        first: point.address,
        count: point.encoding.words(),
    });
    let commands = profile.commands.iter().map(|command| Span::register(command.address));
    identity.chain(points).chain(commands)
}

fn identity_span(identity: &Identity) -> Span {
    // An identity is at most 16 registers, by its type.
    let count = u16::try_from(identity.expect.count()).unwrap_or(u16::MAX);
    Span { table: identity.table, first: identity.address, count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::profile::load;
    use eisbach_protocol::profiles::SHIPPED;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn after_a_lost_answer_the_first_request_is_of_another_shape(
            table in prop_oneof![Just(Table::Holding), Just(Table::Input), Just(Table::Discrete), Just(Table::Coil)],
            first in any::<u16>(), count in 1..40_u16, place in 0..SHIPPED.len(),
        ) {
            let profile = load(SHIPPED[place].0, None).unwrap();
            let lost = Request::Read(Span { table, first, count });
            let span = sounding(&profile, lost).unwrap();
            prop_assert_ne!(shape(Request::Read(span)), shape(lost));
            prop_assert!(span.first.checked_add(span.count - 1).is_some());
        }
    }

    #[test]
    fn after_a_lost_write_any_read_will_do() {
        let profile = load("grundfos-cim", None).unwrap();
        assert_eq!(sounding(&profile, Request::Write { address: 1, word: 1 }), any_span(&profile).next());
    }
}
