//! The cells between the cycle and the task: what goes out, latest wins, and what was heard.

use std::collections::BTreeMap;
use std::sync::Mutex;

use eisbach_protocol::gpu_link::{
    Beat, CallStat, DriverState, Frame, GpuEvent, HandedOver, Hello, MAX_GPUS, Outcome,
};
use eisbach_protocol::units::Millis;
use tokio::sync::{Notify, oneshot};

use super::{GpuEntry, GpuRequest, HandOverWish, LinkCounters};
use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) cells: Mutex<Cells>,
    pub(super) outgoing: Notify,
}

/// Maps hold no index of `MAX_GPUS` or above: whoever inserts has looked.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) up_since: Option<Millis>,
    pub(super) hello: Option<Hello>,
    pub(super) hello_at: Option<Millis>,
    pub(super) gpus: BTreeMap<u8, GpuEntry>,
    pub(super) requests: BTreeMap<u8, Sent>,
    pub(super) errors: BTreeMap<u8, (GpuEvent, Millis)>,
    /// By GPU and name of the call.
    pub(super) stats: BTreeMap<(u8, heapless::String<48>), CallStat>,
    pub(super) hand_over: Option<HandOverInHand>,
    /// The cycle wants the driver taken again.
    pub(super) take_back: bool,
    pub(super) beat: Option<Beat>,
    pub(super) sequence: u32,
    pub(super) counters: LinkCounters,
}

/// A request, and the number under which it went out on the present connection.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) request: GpuRequest,
    pub(super) sequence: Option<u32>,
}

/// A person's wish, and who waits for the answer.
#[derive(Debug)]
pub(super) struct HandOverInHand {
    pub(super) wish: HandOverWish,
    pub(super) sequence: Option<u32>,
    pub(super) answer: oneshot::Sender<HandedOver>,
}

/// Kinds of call that are remembered; the GPU process makes some thirty on each GPU.
const MOST_STATS: usize = 64 * MAX_GPUS;

impl Cells {
    pub(super) fn hear_event(&mut self, event: GpuEvent, received_at: Millis) {
        self.counters.events += 1;
        if usize::from(event.gpu) < MAX_GPUS {
            self.errors.insert(event.gpu, (event, received_at));
        }
    }

    pub(super) fn hear_stat(&mut self, stat: CallStat) {
        let key = (stat.gpu, stat.name.clone());
        if self.stats.len() < MOST_STATS || self.stats.contains_key(&key) {
            self.stats.insert(key, stat);
        }
    }

    pub(super) fn hear_handed_over(&mut self, handed_over: HandedOver) {
        let answers = |waiting: &mut HandOverInHand| waiting.sequence == Some(handed_over.of);
        if let Some(waiting) = self.hand_over.take_if(answers) {
            // Whoever asked may have given up waiting.
            let _gave_up = waiting.answer.send(handed_over);
        }
    }

    pub(super) fn hear_hello(&mut self, hello: Hello, received_at: Millis) {
        if self.up_since.is_none() {
            self.up_since = Some(received_at);
            self.counters.connections += 1;
            tracing::info!(gpus = hello.gpu_count, may_throttle = hello.may_throttle, "GPU link up");
        }
        if hello.driver == DriverState::Ready {
            self.gpus.retain(|index, _| *index < hello.gpu_count);
        }
        self.hello = Some(hello);
        self.hello_at = Some(received_at);
    }

    /// An answer to an older request says nothing about the latest.
    pub(super) fn hear_outcome(&mut self, outcome: Outcome) {
        if let Some(sent) = self.requests.get_mut(&outcome.gpu)
            && sent.sequence == Some(outcome.of)
        {
            sent.request.verdict = Some(outcome.verdict);
        }
    }

    /// The beat first: what it says of the coolant decides on the requests behind it.
    pub(super) fn take_outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(beat) = self.beat.take() {
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend_from_slice(&Frame::Beat(beat).encode(self.sequence));
        }
        if std::mem::take(&mut self.take_back) {
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend_from_slice(&Frame::Attach.encode(self.sequence));
        }
        for sent in self.requests.values_mut().filter(|sent| sent.sequence.is_none()) {
            self.sequence = self.sequence.wrapping_add(1);
            sent.sequence = Some(self.sequence);
            bytes.extend_from_slice(&Frame::Throttle(sent.request.throttle).encode(self.sequence));
        }
        if let Some(waiting) = self.hand_over.as_mut().filter(|waiting| waiting.sequence.is_none()) {
            self.sequence = self.sequence.wrapping_add(1);
            waiting.sequence = Some(self.sequence);
            let frame = match waiting.wish {
                HandOverWish::Detach(detach) => Frame::Detach(detach),
                HandOverWish::Attach => Frame::Attach,
            };
            bytes.extend_from_slice(&frame.encode(self.sequence));
        }
        bytes
    }
}
