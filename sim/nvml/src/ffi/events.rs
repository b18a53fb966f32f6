//! Event sets: waiting for critical errors (XID), memory errors and the like.
//!
//! ```text
//!   GpuCell::raise ─► queue of the GPU ─► set: of a registered GPU, of a registered type ─► nvmlEventSetWait
//! ```
//!
//! A set's handle is a number dressed as a pointer. Each set remembers how many events of each GPU it has
//! seen.

use std::collections::BTreeMap;
use std::ffi::{c_uint, c_ulonglong};
use std::ptr;
use std::thread;
use std::time::Duration;

use nvml_wrapper_sys::bindings::{nvmlDevice_t, nvmlEventData_t, nvmlEventSet_st, nvmlEventSet_t};

use super::edge::Ptr;
use super::export;
use super::handles::{handle_of, index_of};
use super::refusal::Refusal;
use super::session::{on_gpu, with_event_sets};
use crate::shm::{Condition, GpuEvent, SharedState};

/// The types of event there are.
const SUPPORTED: c_ulonglong = GpuEvent::KINDS as c_ulonglong;

/// Sets a process may have; far more than any needs.
const MAX_SETS: usize = 64;

/// How often a waiting call looks for news.
const POLL_MS: c_uint = 5;

/// No MIG instance.
const NO_INSTANCE: c_uint = c_uint::MAX;

/// All event sets of this process.
#[derive(Default)]
pub(super) struct EventSets {
    last_number: usize,
    /// By set number.
    sets: BTreeMap<usize, EventSet>,
}

/// By GPU index: what is watched.
type EventSet = BTreeMap<usize, Watch>;

/// One GPU in a set.
struct Watch {
    types: c_ulonglong,
    /// Events that have been seen, or were before.
    seen: u32,
}

export! {
    /// Makes an empty set.
    fn nvmlEventSetCreate(set: *mut nvmlEventSet_t) {
        let number = with_event_sets(|events, _| events.create())?;
        set.put(ptr::without_provenance_mut(number))
    }

    /// Adds a GPU's events to a set; only those from now on count.
    fn nvmlDeviceRegisterEvents(device: nvmlDevice_t, types: c_ulonglong, set: nvmlEventSet_t) {
        let seen = on_gpu(&device, |gpu| Ok(gpu.events_raised()))?;
        if types & !SUPPORTED != 0 {
            return Err(Refusal::NotSupported);
        }
        let index = index_of(&device).ok_or(Refusal::InvalidArgument)?;
        with_event_sets(|events, _| {
            events.find(&set)?.entry(index).or_insert(Watch { types: 0, seen }).types |= types;
            Ok(())
        })
    }

    /// The types of event there are.
    fn nvmlDeviceGetSupportedEventTypes(device: nvmlDevice_t, types: *mut c_ulonglong) {
        types.put(on_gpu(&device, |_| Ok(SUPPORTED))?)
    }

    /// Waits for the next event, up to `timeout_ms`. A lost GPU ends the wait, once its last error is told.
    fn nvmlEventSetWait_v2(set: nvmlEventSet_t, data: *mut nvmlEventData_t, timeout_ms: c_uint) {
        if data.is_null() {
            return Err(Refusal::InvalidArgument);
        }
        let mut left_ms = timeout_ms;
        loop {
            if let Some(event) = with_event_sets(|events, state| next_event(events.find(&set)?, state))? {
                return data.put(event);
            }
            if left_ms == 0 {
                return Err(Refusal::Timeout);
            }
            let nap_ms = left_ms.min(POLL_MS);
            thread::sleep(Duration::from_millis(nap_ms.into()));
            left_ms -= nap_ms;
        }
    }

    /// Forgets a set.
    fn nvmlEventSetFree(set: nvmlEventSet_t) {
        with_event_sets(|events, _| events.free(&set))
    }
}

impl EventSets {
    fn create(&mut self) -> Result<usize, Refusal> {
        if self.sets.len() >= MAX_SETS {
            return Err(Refusal::InsufficientResources);
        }
        self.last_number += 1;
        self.sets.insert(self.last_number, EventSet::new());
        Ok(self.last_number)
    }

    fn find(&mut self, set: &Ptr<nvmlEventSet_st>) -> Result<&mut EventSet, Refusal> {
        self.sets.get_mut(&set.address()).ok_or(Refusal::InvalidArgument)
    }

    fn free(&mut self, set: &Ptr<nvmlEventSet_st>) -> Result<(), Refusal> {
        self.sets.remove(&set.address()).map(drop).ok_or(Refusal::InvalidArgument)
    }
}

/// The first event of any GPU in the set that has not been told yet.
fn next_event(set: &mut EventSet, state: &SharedState) -> Result<Option<nvmlEventData_t>, Refusal> {
    let gpus = || state.gpus().iter().enumerate();
    for (index, gpu) in gpus() {
        let Some(watch) = set.get_mut(&index) else { continue };
        while let Some((seen, event)) = gpu.event_after(watch.seen) {
            watch.seen = seen;
            let (kind, data) = (event >> 32, event & u64::from(u32::MAX));
            if watch.types & kind != 0 {
                return Ok(Some(event_of(index, kind, data)));
            }
        }
    }
    let lost =
        gpus().any(|(index, gpu)| set.contains_key(&index) && gpu.faults().condition == Condition::Lost);
    if lost { Err(Refusal::GpuIsLost) } else { Ok(None) }
}

fn event_of(index: usize, kind: c_ulonglong, data: c_ulonglong) -> nvmlEventData_t {
    nvmlEventData_t {
        device: handle_of(index),
        eventType: kind,
        eventData: data,
        gpuInstanceId: NO_INSTANCE,
        computeInstanceId: NO_INSTANCE,
    }
}
