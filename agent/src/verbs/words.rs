//! The lines that go over the control socket.

use std::time::Duration;

use eisbach_protocol::gpu_link::{HandOver, HandedOver};
use serde::{Deserialize, Serialize};

use crate::alarms::{AlarmError, AlarmVerdict};
use crate::desk::Switched;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Let go of the NVIDIA driver.
    Detach {
        /// Time after which it is taken again without being asked, s.
        for_s: u32,
    },
    /// Take it again.
    Attach,
    /// Somebody has seen an alarm.
    AcknowledgeAlarm {
        /// Its name; without one, every alarm that is to be seen.
        alarm: Option<String>,
    },
    /// Put an alarm aside for a while.
    ShelveAlarm {
        /// Its name.
        alarm: String,
        /// For so long.
        minutes: u32,
    },
    /// Show it again.
    UnshelveAlarm {
        /// Its name.
        alarm: String,
    },
    /// What a latched alarm is about is mended.
    ResetAlarm {
        /// Its name.
        alarm: String,
    },
    /// Somebody works on the node, or no longer.
    Maintenance {
        /// Which of both.
        on: bool,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// One stable word.
    pub result: String,
    /// How long it took, ms.
    pub took_ms: u32,
    /// The same for people, with what to do.
    pub text: String,
}

impl Answer {
    /// What the GPU process answered.
    pub(super) fn told(answer: HandedOver) -> Self {
        let gpu = answer.gpu;
        let text = match answer.result {
            HandOver::Detached => {
                format!("the driver is free, after {} ms; no file of it is open here", answer.took_ms)
            }
            HandOver::Attached => "the driver is being taken; see `eisbach-agent status`".to_owned(),
            HandOver::GpuHot => {
                format!(
                    "not detached: gpu{gpu} is too warm to be left alone; drain it and wait until it is idle"
                )
            }
            HandOver::GpuUnseen => {
                format!("not detached: the temperature of gpu{gpu} is not known; see its health")
            }
            HandOver::GpuHung => format!(
                "not detached: gpu{gpu} hangs in the driver; only a restart of eisbach-gpu.service, or of the node, \
                 frees it"
            ),
            HandOver::DriverHung => {
                "not detached: the driver does not come back; only a restart of eisbach-gpu.service, \
                 or of the node, frees it"
                    .to_owned()
            }
            HandOver::Busy => {
                "not done: another hand-over or a load of the driver is under way; try again".to_owned()
            }
            HandOver::BadTime => "not detached: the time must be between 1 s and 4 h".to_owned(),
        };
        let done = matches!(answer.result, HandOver::Detached | HandOver::Attached);
        Self { done, result: answer.result.as_str().to_owned(), took_ms: answer.took_ms, text }
    }

    /// What became of a wish about an alarm.
    pub(super) fn of_alarm(verdict: Result<AlarmVerdict, AlarmError>) -> Self {
        let done = |text: String| Self { done: true, result: "done".to_owned(), took_ms: 0, text };
        match verdict {
            Ok(AlarmVerdict::Done { changed: 1 }) => done("done".to_owned()),
            Ok(AlarmVerdict::Done { changed }) => done(format!("done for {changed} alarms")),
            Ok(AlarmVerdict::LatchAsked) => {
                done("the leak latch is being reset; the agent starts the loop again".to_owned())
            }
            Err(error) => Self::refused(error.as_str(), format!("not done: {error}")),
        }
    }

    /// What became of the maintenance switch.
    pub(super) fn switched(Switched { local, kept }: Switched) -> Self {
        let text = match (local, kept) {
            (true, true) => {
                "no remote command that needs a right is obeyed until `eisbach-agent maintenance off`"
            }
            (true, false) => {
                "no remote command that needs a right is obeyed until `eisbach-agent maintenance off`; a restart of \
                 the agent would forget it, because the disk does not take it"
            }
            (false, true) => "remote commands are obeyed again",
            (false, false) => {
                "remote commands are obeyed again; a restart of the agent would forget it, because the disk does not \
                 take it"
            }
        };
        let result = if local { "local" } else { "remote" };
        Self { done: true, result: result.to_owned(), took_ms: 0, text: text.to_owned() }
    }

    /// It was not even heard, or not understood.
    pub(super) fn refused(result: &str, text: impl Into<String>) -> Self {
        Self { done: false, result: result.to_owned(), took_ms: 0, text: text.into() }
    }
}

/// Whole seconds from `90s`, `30m` or `2h`.
///
/// # Errors
/// One line, if it is none of these.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is no duration; for example 90s, 30m, 2h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u32 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "90", "s", "-1m", "1.5h", "10d", "10ш"] {
            assert!(duration(wrong).unwrap_err().contains("30m"), "{wrong}");
        }
    }

    #[test]
    fn every_refusal_says_what_to_do_and_names_the_gpu_that_is_in_the_way() {
        for result in [HandOver::GpuHot, HandOver::GpuUnseen, HandOver::GpuHung] {
            let answer = Answer::told(HandedOver { of: 1, result, gpu: 5, took_ms: 0 });
            assert!(!answer.done && answer.text.contains("gpu5"), "{answer:?}");
        }
    }
}
