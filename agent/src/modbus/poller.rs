//! Reads of one device: the one that is due, decoded, judged, and told to the cycle.
//!
//! ```text
//!   plan ─► read ─► filled up? ─► decode ─► quality ─► sample
//! ```

use std::sync::Arc;

use eisbach_protocol::reading::BadReason;
use eisbach_protocol::units::Millis;
use tracing::{info, warn};

use super::agenda::Due;
use super::bus::Bus;
use super::check::Refusal;
use super::device::DeviceSettings;
use super::plan::{Plan, Poll};
use super::quality::{Judge, is_filled};
use super::session::{Broken, Failure, Session};
use super::state::{Cells, Sample};
use crate::clock::Clock;

/// The reads of one device and what its points said before.
pub(super) struct Poller {
    plan: Plan,
    judges: Vec<Judge>,
    settings: Arc<DeviceSettings>,
    cells: Arc<Cells>,
    clock: Clock,
}

impl Poller {
    /// Everything due now, and then each point in its period.
    pub(super) fn new(settings: Arc<DeviceSettings>, cells: Arc<Cells>, clock: Clock) -> Self {
        let plan = Plan::new(&settings.profile, settings.period(), clock.now());
        let judges = vec![Judge::default(); settings.profile.points.len()];
        Self { plan, judges, settings, cells, clock }
    }

    /// The device is there again: everything is due.
    pub(super) fn restart(&mut self) {
        self.plan.restart(self.clock.now());
    }

    /// When the next read is due, and how urgent it is.
    pub(super) fn next(&self, now: Millis) -> Option<Due> {
        self.plan.next(now).map(|(_, due)| due)
    }

    /// Makes the read that goes first.
    ///
    /// # Errors
    /// If the connection broke.
    pub(super) async fn turn<B: Bus>(&mut self, session: &mut Session<'_, B>) -> Result<(), Broken> {
        let asked_at = self.clock.now();
        let Some((place, _)) = self.plan.next(asked_at) else {
            return Ok(());
        };
        let Some(span) = self.plan.get(place).map(|poll| poll.span) else {
            return Ok(());
        };
        let refusal = match session.read_once(span).await {
            Ok(words) => {
                self.take(place, &words, asked_at);
                None
            }
            Err(Failure::Declined(refusal)) => Some(refusal),
            Err(Failure::Broken(broken)) => {
                self.plan.lost(place, self.clock.now());
                return Err(broken);
            }
        };
        let now = self.clock.now();
        let asked_again = match refusal {
            Some(Refusal::Busy) => self.plan.busy(place, now),
            Some(Refusal::Misfit) => self.plan.narrow(place, &self.settings.profile, asked_at),
            Some(Refusal::Fault | Refusal::Unreachable) | None => false,
        };
        if !asked_again {
            self.tell(place, refusal, asked_at);
            self.plan.done(place, refusal, now);
        }
        Ok(())
    }

    /// The words of a read become samples.
    fn take(&mut self, place: usize, words: &[u16], asked_at: Millis) {
        let Self { plan, judges, settings, cells, .. } = self;
        let Some(poll) = plan.get(place) else {
            return;
        };
        let profile = &settings.profile;
        let filled = is_filled(
            poll.values(profile, words).map(|(_, point, own)| (point, own)),
            profile.link.zero_fills,
        );
        cells.image.send_modify(|image| {
            for (index, point, own) in poll.values(profile, words) {
                let sample = match judges.get_mut(index) {
                    Some(judge) if !filled => judge.judge(point, own, asked_at),
                    Some(_) | None => bad(BadReason::InvalidMarker, asked_at),
                };
                image.sample(index, sample);
            }
        });
    }

    /// Points of a declined read have no value; said when it begins, changes and ends.
    fn tell(&self, place: usize, refusal: Option<Refusal>, asked_at: Millis) {
        let Some(poll) = self.plan.get(place) else {
            return;
        };
        if let Some(refusal) = refusal {
            self.cells.image.send_modify(|image| {
                for index in poll.points() {
                    image.sample(index, bad(refusal.reason(), asked_at));
                }
            });
        }
        let Poll { span, refusal: before, .. } = poll;
        if *before == refusal {
            return;
        }
        let device = self.settings.name.as_str();
        match refusal {
            Some(refusal) => {
                warn!(device, table = ?span.table, first = span.first, count = span.count, %refusal, "read declined");
            }
            None => {
                info!(device, table = ?span.table, first = span.first, count = span.count, "read works again");
            }
        }
    }
}

const fn bad(reason: BadReason, at: Millis) -> Sample {
    Sample { outcome: Err(reason), doubtful: false, at }
}
