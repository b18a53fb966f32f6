//! What is known of one reading, from one attempt to the next.
//!
//! ```text
//!            ┌── not supported ──► not asked again for a minute: not every driver says so for good
//!   ask ─────┼── failed ─────────► the value before, growing older
//!            ├── impossible ─────► as failed
//!            ├── GPU gone ───────► the caller's error: that is no matter of one reading
//!            └── value ──────────► fresh
//! ```

use eisbach_protocol::gpu_link::{Aged, Field};
use eisbach_protocol::units::Millis;
use nvml_wrapper::error::NvmlError;

use super::answer::{call, fault};
use crate::gpu::server::driver::{DriverError, Fault};
use crate::gpu::server::watch::CallWatch;

/// What a device did not support is asked for again this often.
const RECHECK: Millis = Millis::from_secs(60);

/// One reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<T> {
    outcome: Outcome,
    last: Option<(T, Millis)>,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Unread,
    Read,
    Failed,
    NotSupported { again_at: Millis },
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self { outcome: Outcome::Unread, last: None }
    }
}

impl<T: Copy> Asked<T> {
    /// Makes the call, unless the device is known to lack it. An answer of `None` is a number that cannot be.
    ///
    /// # Errors
    /// Only if the handle is of no more use.
    pub(super) fn ask(
        &mut self,
        now: Millis,
        watch: &CallWatch,
        name: &'static str,
        function: impl FnOnce() -> Result<Option<T>, NvmlError>,
    ) -> Result<(), DriverError> {
        if !self.is_due(now) {
            return Ok(());
        }
        match call(watch, name, function) {
            Ok(value) => self.note(now, Ok(value)),
            Err(error) if error.fault.ends_handle() => return Err(error),
            Err(error) => self.note(now, Err(&error.fault)),
        }
        Ok(())
    }

    /// Takes an answer that came some other way, for instance as one of several in one call.
    pub(super) fn note(&mut self, now: Millis, answer: Result<Option<T>, &Fault>) {
        self.outcome = match answer {
            Ok(Some(value)) => {
                self.last = Some((value, now));
                Outcome::Read
            }
            Err(Fault::NotSupported) => Outcome::NotSupported { again_at: now + RECHECK },
            Ok(None) | Err(_) => Outcome::Failed,
        };
    }

    /// [`note`](Self::note) of one field of several.
    pub(super) fn note_field(
        &mut self,
        now: Millis,
        raw: &Result<i64, NvmlError>,
        judge: impl FnOnce(i64) -> Option<T>,
    ) {
        match raw {
            Ok(raw) => self.note(now, Ok(judge(*raw))),
            Err(error) => self.note(now, Err(&fault(error))),
        }
    }

    /// Whether the last answer was that the device does not have it.
    pub(super) const fn is_unsupported(&self) -> bool {
        matches!(self.outcome, Outcome::NotSupported { .. })
    }

    /// Whether a call for it would be made now.
    pub(super) fn is_due(&self, now: Millis) -> bool {
        match self.outcome {
            Outcome::NotSupported { again_at } => now >= again_at,
            Outcome::Unread | Outcome::Read | Outcome::Failed => true,
        }
    }

    /// What is known at `now`.
    pub(super) fn field(&self, now: Millis) -> Field<T> {
        let aged = self.last.map(|(value, at)| Aged {
            value,
            age_ms: u32::try_from(now.since(at).get()).unwrap_or(u32::MAX),
        });
        match (self.outcome, aged) {
            (Outcome::Unread, _) => Field::Unread,
            (Outcome::NotSupported { .. }, _) => Field::NotSupported,
            (Outcome::Read, Some(aged)) => Field::Read(aged),
            (Outcome::Read | Outcome::Failed, last) => Field::Failed { last },
        }
    }

    /// What is known at `now`, from `older` if the device does not have this one.
    pub(super) fn field_or(&self, older: &Self, now: Millis) -> Field<T> {
        if self.is_unsupported() { older.field(now) } else { self.field(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn ask(asked: &mut Asked<u32>, now: u64, answer: Result<Option<u32>, NvmlError>) -> bool {
        let watch = CallWatch::new(Clock::start());
        let mut made = false;
        asked
            .ask(Millis::new(now), &watch, "any", || {
                made = true;
                answer
            })
            .unwrap();
        made
    }

    #[test]
    fn what_is_not_supported_is_asked_again_only_after_a_while() {
        let mut asked = Asked::default();
        let made: Vec<bool> =
            [0, 1, 59_999, 60_000].map(|now| ask(&mut asked, now, Err(NvmlError::NotSupported))).into();
        assert_eq!(made, [true, false, false, true]);
        assert_eq!(asked.field(Millis::new(60_000)), Field::NotSupported);
    }

    #[test]
    fn i11_a_failed_attempt_keeps_the_value_before_with_its_age() {
        let mut asked = Asked::default();
        ask(&mut asked, 100, Ok(Some(7)));
        ask(&mut asked, 300, Err(NvmlError::Unknown));
        let last = Some(Aged { value: 7, age_ms: 200 });
        assert_eq!(asked.field(Millis::new(300)), Field::Failed { last });
        ask(&mut asked, 400, Ok(None));
        assert!(
            matches!(asked.field(Millis::new(400)), Field::Failed { .. }),
            "an impossible number is none"
        );
    }

    #[test]
    fn a_lost_gpu_is_never_a_missing_field() {
        let watch = CallWatch::new(Clock::start());
        let lost = Asked::<u32>::default().ask(Millis::ZERO, &watch, "any", || Err(NvmlError::GpuLost));
        assert_eq!(lost, Err(DriverError { call: "any", fault: Fault::Lost }));
    }

    #[test]
    fn an_older_call_answers_only_where_the_newer_one_is_missing() {
        let (mut newer, mut older) = (Asked::default(), Asked::default());
        ask(&mut older, 0, Ok(Some(1)));
        assert_eq!(newer.field_or(&older, Millis::ZERO), Field::Unread);
        ask(&mut newer, 0, Err(NvmlError::FunctionNotFound));
        assert_eq!(newer.field_or(&older, Millis::ZERO), Field::fresh(1));
    }
}
