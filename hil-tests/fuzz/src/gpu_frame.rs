//! Any bytes on the socket between the agent and its GPU process: they are refused, or they are a frame whose numbers
//! are numbers, and which is the same frame when it is sent on.
#![no_main]

use eisbach_protocol::gpu_link::{FRAME_LEN, Frame, MAX_GPUS};
use libfuzzer_sys::fuzz_target;

/// What every frame begins with; the fuzzer need not find it.
const HEAD: [u8; 5] = *b"EISB\x02";

fuzz_target!(|input: &[u8]| {
    let mut bytes = [0; FRAME_LEN];
    let length = input.len().min(FRAME_LEN - HEAD.len());
    bytes[..HEAD.len()].copy_from_slice(&HEAD);
    bytes[HEAD.len()..HEAD.len() + length].copy_from_slice(&input[..length]);
    let Ok((sequence, frame)) = Frame::decode(&bytes) else { return };
    assert_eq!(Frame::decode(&frame.encode(sequence)), Ok((sequence, frame.clone())));
    match frame {
        Frame::Throttle(throttle) => {
            assert!(usize::from(throttle.gpu) < MAX_GPUS);
            assert!(throttle.power_cap.is_none_or(|cap| cap.get().is_finite()));
            assert!(throttle.sm_clock_max.is_none_or(|clock| clock.get().is_finite()));
        }
        Frame::Sample(sample) => {
            let numbers = [
                sample.temperature.last_known().map(|aged| aged.value.get()),
                sample.margin.last_known().map(|aged| aged.value.get()),
                sample.power.last_known().map(|aged| aged.value.get()),
                sample.held_cap.map(|cap| cap.get()),
            ];
            assert!(numbers.into_iter().flatten().all(f32::is_finite));
        }
        Frame::Hello(_)
        | Frame::Outcome(_)
        | Frame::Beat(_)
        | Frame::Event(_)
        | Frame::CallStat(_)
        | Frame::Detach(_)
        | Frame::Attach
        | Frame::HandedOver(_) => {}
    }
});
