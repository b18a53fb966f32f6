//! Reads of one device: the one that is due, decoded, and told to the cycle.

use std::sync::Arc;

use eisbach_protocol::registers::decode;
use eisbach_protocol::units::Millis;
use tracing::{info, warn};

use super::bus::Bus;
use super::check::Refusal;
use super::device::DeviceSettings;
use super::plan::Plan;
use super::session::{Broken, Failure, Session};
use super::state::Cells;
use crate::clock::Clock;

/// Reads for one connection.
pub(super) struct Poller {
    plan: Plan,
    settings: Arc<DeviceSettings>,
    cells: Arc<Cells>,
    clock: Clock,
}

impl Poller {
    /// Everything due now, and then every period.
    pub(super) fn new(settings: Arc<DeviceSettings>, cells: Arc<Cells>, clock: Clock) -> Self {
        let plan = Plan::new(&settings.profile, settings.period(), clock.now());
        Self { plan, settings, cells, clock }
    }

    /// Makes the read that is due first, if its time has come. Returns when to look again.
    ///
    /// # Errors
    /// If the connection broke.
    pub(super) async fn read_due<B: Bus>(&mut self, session: &mut Session<B>) -> Result<Millis, Broken> {
        let asked_at = self.clock.now();
        let profile = &self.settings.profile;
        let Some((place, poll)) = self.plan.next() else {
            return Ok(Millis::FOREVER);
        };
        if poll.due > asked_at {
            return Ok(poll.due);
        }
        let refusal = match session.read(poll.span).await {
            Ok(words) => {
                self.cells.image.send_modify(|image| {
                    for (index, point, own) in poll.values(profile, &words) {
                        image.sample(index, decode(point, own), asked_at);
                    }
                });
                None
            }
            Err(Failure::Declined(refusal)) => Some(refusal),
            Err(Failure::Broken(broken)) => return Err(broken),
        };
        if refusal == Some(Refusal::Misfit) && self.plan.narrow(place, &self.settings.profile, asked_at) {
            return Ok(asked_at);
        }
        self.tell(place, refusal, asked_at);
        self.plan.done(place, refusal, self.clock.now());
        Ok(asked_at)
    }

    /// Points of a declined read have no value; said when it begins, changes and ends.
    fn tell(&self, place: usize, refusal: Option<Refusal>, asked_at: Millis) {
        let Some(poll) = self.plan.get(place) else {
            return;
        };
        if let Some(refusal) = refusal {
            self.cells.image.send_modify(|image| {
                for index in poll.points() {
                    image.sample(index, Err(refusal.reason()), asked_at);
                }
            });
        }
        if poll.refusal == refusal {
            return;
        }
        let (device, span) = (self.settings.name.as_str(), poll.span);
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
