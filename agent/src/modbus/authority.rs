//! Whether a person has taken the device over. Then nothing at all is written to it.
//!
//! ```text
//!   connected ── look once ──► the point as polled ── 1 ──► local: no command, no heartbeat
//!                                                  ── 0, or not known ──► remote
//! ```
//!
//! A state that is not known counts as remote: cooling must not depend on it.

use eisbach_protocol::registers::{Authority, Point, Profile, decode};
use eisbach_protocol::units::Millis;

use super::bus::{Bus, Span};
use super::session::{Broken, Session};
use super::state::Sample;
use super::writer;

/// The point that tells, and its place in the profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch<'a> {
    /// Its place.
    pub(super) index: usize,
    point: &'a Point,
}

/// The device's local/remote switch, if its profile has one.
pub(super) fn switch(profile: &Profile) -> Option<Switch<'_>> {
    match profile.authority {
        Authority::Exclusive | Authority::Slot => None,
        Authority::LocalRemote { local } => profile
            .points
            .iter()
            .enumerate()
            .find(|(_, point)| point.signal == local)
            .map(|(index, point)| Switch { index, point }),
    }
}

impl Switch<'_> {
    /// Reads it. A device that declines says nothing.
    pub(super) async fn look<B: Bus>(
        self,
        session: &mut Session<'_, B>,
        now: Millis,
    ) -> Result<Sample, Broken> {
        let (table, first) = (self.point.table, self.point.address);
        let span = Span { table, first, count: self.point.encoding.words() };
        let words = writer::given(session.read(span).await)?.unwrap_or_default();
        Ok(Sample { outcome: decode(self.point, &words), doubtful: false, at: now })
    }
}

/// Whether a person has the device, asked of the device itself.
///
/// # Errors
/// If the connection broke.
pub(super) async fn is_taken<B: Bus>(
    session: &mut Session<'_, B>,
    profile: &Profile,
) -> Result<bool, Broken> {
    match switch(profile) {
        Some(switch) => {
            let sample = switch.look(session, Millis::ZERO).await?;
            Ok(is_local(Some(sample), Millis::ZERO, Millis::ZERO))
        }
        None => Ok(false),
    }
}

/// Whether a sample of that point says that a person has the device; not if it is too old to say anything.
pub(super) fn is_local(sample: Option<Sample>, now: Millis, stale: Millis) -> bool {
    sample
        .is_some_and(|sample| now.since(sample.at) <= stale && sample.outcome.is_ok_and(|local| local >= 0.5))
}
