//! What the supervisor says to its client, and when it says it again.

use std::sync::atomic::Ordering;

use eisbach_protocol::gpu_link::{Frame, GpuEvent, GpuSample, Hello, Outcome, Verdict};
use eisbach_protocol::units::Millis;

use super::Supervisor;
use crate::gpu::server::slot::Request;

/// A client hears something at least this often, GPUs or not.
const HELLO: Millis = Millis::from_secs(1);

impl Supervisor {
    /// Who serves, and then every GPU in order, read or not.
    pub(super) fn introduce(&mut self, now: Millis) {
        self.say_hello(now);
        self.all_indices().for_each(|index| self.say_sample(index, now));
    }

    /// Says what nobody has said for a while: a stuck worker's readings, growing older, and the driver's state.
    pub(super) fn say_again(&mut self, now: Millis) {
        self.say_hello(now);
        let patience = self.common.period.get() * 3 / 2;
        for index in self.all_indices() {
            if self.seat(index).is_some_and(|seat| now.since(seat.said_at).get() > patience) {
                self.say_sample(index, now);
            }
        }
    }

    fn say_hello(&mut self, now: Millis) {
        let hello = Hello {
            gpu_count: u8::try_from(self.seats.len()).unwrap_or(u8::MAX),
            driver: self.tenure.state(now, self.call_deadline),
            may_throttle: self.common.permitted.load(Ordering::Relaxed),
            detached_left_ms: u32::try_from(self.tenure.away_left(now).get()).unwrap_or(u32::MAX),
            driver_version: self.tenure.version(),
        };
        let news = |said: &Hello| Hello { detached_left_ms: hello.detached_left_ms, ..said.clone() } != hello;
        if self.said.as_ref().is_none_or(|(said, at)| news(said) || now.since(*at) >= HELLO) {
            self.said = Some((hello.clone(), now));
            self.say(&Frame::Hello(hello));
        }
    }

    /// A GPU as the agent is to see it now.
    pub(super) fn look(&self, index: u8, now: Millis) -> Option<GpuSample> {
        let seat = self.seats.get(usize::from(index))?;
        Some(seat.look(now, self.common.errors.of(index)))
    }

    pub(super) fn say_sample(&mut self, index: u8, now: Millis) {
        let Some(sample) = self.look(index, now) else { return };
        self.seat(index).into_iter().for_each(|seat| seat.said_at = now);
        self.say(&Frame::Sample(sample));
    }

    /// One kind of call of one GPU each time, so that all of them together take seconds and no burst fills the socket.
    pub(super) fn say_stat(&mut self) {
        let gpus = self.seats.len().max(1);
        self.stat_turn = (self.stat_turn + 1) % gpus;
        if let Some(stat) = self.seats.get_mut(self.stat_turn).and_then(super::Seat::next_stat) {
            self.say(&Frame::CallStat(stat));
        }
    }

    pub(super) fn tell_of(&mut self, event: GpuEvent) {
        let (gpu, kind, data, untold) = (event.gpu, event.kind.as_str(), event.data, event.untold);
        tracing::error!(gpu, kind, data, untold, "GPU reports an error");
        self.say(&Frame::Event(event));
    }

    pub(super) fn answer(&mut self, request: Request, verdict: Verdict) {
        if self.is_current(request.connection) {
            let outcome = Outcome { of: request.sequence, gpu: request.throttle.gpu, verdict };
            self.say(&Frame::Outcome(outcome));
        }
    }

    pub(super) fn say(&mut self, frame: &Frame) {
        if let Some(Err(ended)) = self.client.as_mut().map(|client| client.send(frame)) {
            self.drop_client(&ended);
        }
    }
}
