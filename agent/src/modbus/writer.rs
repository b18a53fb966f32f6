//! The way of every command and heartbeat to the wire, and of read-backs from it.
//!
//! ```text
//!   Step::Look ──► read the read-back register ──────────────────────────► Desk::seen
//!   Step::Write ─► permit ─► arm, if needed ─► permit ─► word ─► echo ───► Desk::written, or declined
//! ```

use eisbach_protocol::registers::{Command, Profile};
use thiserror::Error;

use super::bus::{Bus, Span};
use super::check::Refusal;
use super::desk::{Desk, Scene, Step};
use super::gate::Write;
use super::permit::{Forbidden, permit};
use super::session::{Broken, Failure, Session};
use super::verify::Finding;

/// Why a write did not come about; the connection stays.
#[derive(Debug, Error)]
pub(super) enum Declined {
    /// The device does not take it.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// Nothing was sent.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// Does `step` for `desk`. `scene` is asked again after each exchange, because time has passed.
///
/// # Errors
/// If the connection broke.
pub(super) async fn carry_out<'a, B: Bus>(
    desk: &mut Desk,
    step: Step,
    session: &mut Session<'_, B>,
    profile: &Profile,
    scene: impl Fn() -> Scene<'a>,
) -> Result<(), Broken> {
    match step {
        Step::Look => look(desk, session, scene).await,
        Step::Write(arm, write) => send(desk, (arm, write), session, profile, scene).await,
    }
}

async fn look<'a, B: Bus>(
    desk: &mut Desk,
    session: &mut Session<'_, B>,
    scene: impl Fn() -> Scene<'a>,
) -> Result<(), Broken> {
    let found = given(session.read_one(place(scene().command)).await)?;
    match desk.seen(&scene(), found) {
        Finding::Held => session.counters.verified += 1,
        Finding::Rejected | Finding::Overwritten => session.counters.mismatches += 1,
        Finding::Known | Finding::Still | Finding::Pending | Finding::Unproven | Finding::Foreign => {}
    }
    Ok(())
}

/// Both words in one turn: a device that is armed and not started stands still.
async fn send<'a, B: Bus>(
    desk: &mut Desk,
    (arm, write): (Option<u16>, Write),
    session: &mut Session<'_, B>,
    profile: &Profile,
    scene: impl Fn() -> Scene<'a>,
) -> Result<(), Broken> {
    let Scene { command, today, .. } = scene();
    desk.writing(write, 1 + u32::from(arm.is_some()), today.now);
    let mut outcome = Ok(());
    for word in arm.into_iter().chain([write.word]) {
        outcome = put(session, profile, command.address, word).await?;
    }
    let scene = scene();
    match outcome {
        Ok(()) => desk.written(command, write, scene.today.now),
        Err(Declined::Refusal(why)) => desk.declined(&scene, &why),
        Err(Declined::Forbidden(why)) => {
            desk.state.refused = desk.state.refused.saturating_add(1);
            desk.declined(&scene, &why);
        }
    }
    Ok(())
}

/// Writes what the profile allows, and nothing else. Why it did not come about, if it did not.
pub(super) async fn put<B: Bus>(
    session: &mut Session<'_, B>,
    profile: &Profile,
    address: u16,
    word: u16,
) -> Result<Result<(), Declined>, Broken> {
    let permit = match permit(profile, address, word) {
        Ok(permit) => permit,
        Err(forbidden) => return Ok(Err(forbidden.into())),
    };
    match session.write(permit).await {
        Ok(()) => Ok(Ok(())),
        Err(Failure::Declined(refusal)) => Ok(Err(refusal.into())),
        Err(Failure::Broken(broken)) => Err(broken),
    }
}

/// What was asked for, or nothing if the device declined.
pub(super) fn given<T>(outcome: Result<T, Failure>) -> Result<Option<T>, Broken> {
    match outcome {
        Ok(words) => Ok(Some(words)),
        Err(Failure::Declined(_)) => Ok(None),
        Err(Failure::Broken(broken)) => Err(broken),
    }
}

/// Where a command is read back.
fn place(command: &Command) -> Span {
    let read_back = &command.read_back;
    Span { table: read_back.table, first: read_back.address.unwrap_or(command.address), count: 1 }
}
