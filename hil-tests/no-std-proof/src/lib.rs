//! Proof that words and mind need no operating system: a static library around them, without std.
//!
//! ```text
//!   protocol ─┐
//!             ├─► libeisbach_no_std_proof.a ─► nothing undefined but memcpy and its kin
//!   control ──┘        (own panic handler, no allocator)
//! ```
//!
//! If any dependency linked std, two panic handlers would meet (E0152). If any allocated, the compiler would miss a
//! global allocator. `.ci/check-no-std` builds this, looks at the symbols, and builds both negative controls.

#![no_std]

#[cfg(feature = "with-alloc")]
extern crate alloc;
#[cfg(feature = "with-std")]
extern crate std;

use core::panic::PanicInfo;

use eisbach_control::{Controller, Snapshot, Tuning};
use eisbach_protocol::gpu_link::{Beat, Frame};
use eisbach_protocol::units::Millis;

/// Takes one control step on a node where nothing answers, and one frame over the link and back.
///
/// Returns how many times pump and valve got no set-point, plus 100 if the frame came back as it went.
#[unsafe(no_mangle)]
pub extern "C" fn eisbach_no_std_proof(now_ms: u64) -> u32 {
    let decision = Controller::new(Tuning::default()).step(&Snapshot::default(), Millis::new(now_ms));
    let held = u32::from(decision.pump.value.is_none()) + u32::from(decision.valve.value.is_none());
    held + 100 * u32::from(frame_survives(now_ms))
}

fn frame_survives(cycle: u64) -> bool {
    let frame = Frame::Beat(Beat { cycle, cooling_proven: false, leaving: false });
    Frame::decode(&frame.encode(1)) == Ok((1, frame))
}

#[panic_handler]
fn stop_here(_: &PanicInfo<'_>) -> ! {
    loop {}
}
