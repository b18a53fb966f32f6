//! What a GPU tells reaches those who wait for it, and nobody else.

use std::mem::MaybeUninit;

use eisbach_nvml_sim::{Condition, Faults, GpuEvent, SharedState};
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::event::EventData;
use nvml_wrapper_sys::bindings::{nvmlEventData_t, nvmlEventSet_t};

use crate::node::{SUCCESS, handle, nvml, on_a_node, raw};

fn break_gpu(state: &SharedState, index: usize, faults: Faults) {
    state.gpu(index).unwrap().set_faults(faults);
}

#[test]
fn an_xid_reaches_a_waiting_event_set_once() {
    on_a_node(|state| {
        let nvml = nvml();
        state.gpu(6).unwrap().raise_xid(13);
        let mut events = nvml.create_event_set().unwrap();
        for index in [5, 6] {
            let device = nvml.device_by_index(index).unwrap();
            assert!(device.supported_event_types().unwrap().contains(EventTypes::CRITICAL_XID_ERROR));
            assert!(device.supported_event_types_strict().is_err(), "there are bits newer than the wrapper");
            events = device.register_events(EventTypes::CRITICAL_XID_ERROR, events).unwrap();
        }
        assert!(matches!(events.wait(1), Err(NvmlError::Timeout)), "what was before does not count");

        state.gpu(4).unwrap().raise_xid(62);
        state.gpu(6).unwrap().raise_xid(79);
        break_gpu(state, 6, Faults { condition: Condition::Lost, ..Faults::default() });
        let EventData { device, event_data, .. } = events.wait(60_000).unwrap();
        // SAFETY: compared only.
        assert_eq!(unsafe { device.handle() }.addr(), 7, "GPU 6");
        assert!(format!("{event_data:?}").contains("79"), "{event_data:?}");
        assert!(matches!(events.wait(60_000), Err(NvmlError::GpuLost)), "the bus has lost it");
        break_gpu(state, 6, Faults::default());
        assert!(matches!(events.wait(0), Err(NvmlError::Timeout)));
        events.release_events().unwrap();
    });
}

#[test]
fn an_event_type_that_is_never_delivered_cannot_be_registered() {
    on_a_node(|_| {
        let nvml = nvml();
        let events = nvml.create_event_set().unwrap();
        let refused = nvml.device_by_index(0).unwrap().register_events(EventTypes::CLOCK_CHANGE, events);
        assert!(matches!(refused.unwrap_err().error, NvmlError::NotSupported));
    });
}

#[test]
fn every_error_of_a_storm_is_told_in_order() {
    on_a_node(|state| {
        let nvml = nvml();
        let events = nvml.create_event_set().unwrap();
        let device = nvml.device_by_index(0).unwrap();
        let events = device.register_events(EventTypes::CRITICAL_XID_ERROR, events).unwrap();
        (0..40).for_each(|xid| state.gpu(0).unwrap().raise_xid(xid));
        for xid in 0..40 {
            let told = format!("{:?}", events.wait(0).unwrap().event_data);
            assert!(told.contains(&xid.to_string()), "{told}");
        }
        assert!(matches!(events.wait(0), Err(NvmlError::Timeout)));
        events.release_events().unwrap();
    });
}

#[test]
fn a_set_is_told_the_types_it_was_registered_for_the_newer_ones_too() {
    on_a_node(|state| {
        let nvml = nvml();
        let gpu = handle(&nvml, 2);
        let mut set: nvmlEventSet_t = std::ptr::null_mut();
        assert_eq!(raw!(nvml, nvmlEventSetCreate(&raw mut set)), SUCCESS);
        let (double_bit, split, recovery) = (2, 0x100, 0x8000);
        assert_eq!(raw!(nvml, nvmlDeviceRegisterEvents(gpu, double_bit, set)), SUCCESS);
        assert_eq!(raw!(nvml, nvmlDeviceRegisterEvents(gpu, split | recovery, set)), SUCCESS);
        let cell = state.gpu(2).unwrap();
        for event in
            [GpuEvent::SingleBitEcc, GpuEvent::Xid(48), GpuEvent::DoubleBitEcc, GpuEvent::MigConfigChange]
        {
            cell.raise(event);
        }
        cell.raise(GpuEvent::RecoveryAction);
        for kind in [double_bit, split, recovery] {
            let mut data = MaybeUninit::<nvmlEventData_t>::zeroed();
            assert_eq!(raw!(nvml, nvmlEventSetWait_v2(set, data.as_mut_ptr(), 0)), SUCCESS);
            // SAFETY: every bit pattern is one of this structure.
            assert_eq!(unsafe { data.assume_init() }.eventType, kind);
        }
        assert_eq!(raw!(nvml, nvmlEventSetFree(set)), SUCCESS);
    });
}
