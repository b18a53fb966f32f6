//! First look at a device after each connect: is it the one that the profile describes, and does it understand
//! commands as the profile does?
//!
//! ```text
//!   identity register ── one of the expected ──► presets ──► ready
//!          │                                     (read; written only if different; read back)
//!          └── anything else ──► Stranger: never written to
//! ```

use eisbach_protocol::registers::{Identity, Profile};
use thiserror::Error;
use tracing::warn;

use super::bus::{Bus, Span};
use super::check::Refusal;
use super::session::{Failure, Proof, Session};
use super::state::Stranger;

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

/// Makes sure that `device` is the profile's and holds the profile's presets.
///
/// A preset that it declines or does not keep is reported and passed over: the commands that follow still cool, if
/// not as exactly.
pub(super) async fn probe<B: Bus>(
    session: &mut Session<B>,
    profile: &Profile,
    device: &str,
) -> Result<(), ProbeError> {
    match &profile.identity {
        Some(identity) => identify(session, identity).await?,
        None => hear(session, profile).await?,
    }
    for preset in &profile.presets {
        let (register, meaning) = (preset.address, preset.meaning.as_str());
        match keep(session, register, preset.value).await {
            Ok(Proof::Held) => {}
            Ok(Proof::Holds(found)) => {
                warn!(device, register, meaning, found, "preset not kept by the device");
            }
            Err(Failure::Declined(refusal)) => {
                warn!(device, register, meaning, %refusal, "preset declined by the device");
            }
            Err(failure @ Failure::Broken(_)) => return Err(failure.into()),
        }
    }
    Ok(())
}

async fn identify<B: Bus>(session: &mut Session<B>, identity: &Identity) -> Result<(), ProbeError> {
    let Identity { table, address, one_of } = identity;
    let found = match session.read_one(Span { table: *table, first: *address, count: 1 }).await {
        Ok(found) if one_of.contains(&found) => return Ok(()),
        Ok(found) => Some(found),
        Err(Failure::Declined(Refusal::Misfit)) => None,
        Err(failure) => return Err(failure.into()),
    };
    Err(ProbeError::Stranger(Stranger { address: *address, expected: one_of.clone(), found }))
}

/// A connection alone proves nothing: a device without identity must at least answer, be it with a refusal.
async fn hear<B: Bus>(session: &mut Session<B>, profile: &Profile) -> Result<(), Failure> {
    let Some(point) = profile.points.first() else {
        return Ok(());
    };
    let span = Span { table: point.table, first: point.address, count: point.encoding.words() };
    match session.read(span).await {
        Ok(_) | Err(Failure::Declined(Refusal::Misfit | Refusal::Fault | Refusal::Busy)) => Ok(()),
        Err(failure @ (Failure::Declined(Refusal::Unreachable) | Failure::Broken(_))) => Err(failure),
    }
}

/// Writes only what the register does not hold already.
async fn keep<B: Bus>(session: &mut Session<B>, register: u16, word: u16) -> Result<Proof, Failure> {
    if session.read_one(Span::register(register)).await? == word {
        Ok(Proof::Held)
    } else {
        session.set(register, word).await
    }
}
