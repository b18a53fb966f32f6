//! Bytes of a frame: a header, then a body whose kind the header names.

use super::wire::{Reader, Wire as _, Writer};
use super::{Beat, CallStat, Detach, Frame, GpuEvent, GpuSample, HandedOver, Hello, Outcome, Throttle};

/// Length of every frame.
pub const FRAME_LEN: usize = 512;
/// Length of the body behind the header.
pub const BODY_LEN: usize = FRAME_LEN - HEADER_LEN;

const HEADER_LEN: usize = 16;
const MAGIC: [u8; 4] = *b"EISB";
const VERSION: u8 = 2;

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Not our protocol.
    Magic,
    /// Another version of it.
    Version(u8),
    /// No frame of this kind.
    Kind(u8),
    /// Something that cannot be a value of this kind.
    Value(&'static str),
    /// A GPU that no node can have.
    Index(u8),
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Magic => write!(f, "not a GPU link frame"),
            Self::Version(found) => write!(
                f,
                "frame version {found}, this side speaks {VERSION}: restart both units after an upgrade"
            ),
            Self::Kind(found) => write!(f, "unknown frame kind {found}"),
            Self::Value(kind) => write!(f, "impossible value where a {kind} belongs"),
            Self::Index(found) => write!(f, "no node has a GPU {found}"),
        }
    }
}

impl core::error::Error for FrameError {}

impl Frame {
    /// The frame as bytes, under a sequence number.
    #[must_use]
    pub fn encode(&self, sequence: u32) -> [u8; FRAME_LEN] {
        let mut bytes = [0; FRAME_LEN];
        self.write(sequence, &mut Writer::new(&mut bytes));
        bytes
    }

    /// The sequence number and the frame in `bytes`.
    ///
    /// # Errors
    /// If the bytes are not exactly a frame of this version with possible values.
    pub fn decode(bytes: &[u8; FRAME_LEN]) -> Result<(u32, Self), FrameError> {
        let mut input = Reader::new(bytes);
        for expected in MAGIC {
            if u8::take(&mut input)? != expected {
                return Err(FrameError::Magic);
            }
        }
        let version = u8::take(&mut input)?;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let (kind, _reserved) = (u8::take(&mut input)?, u16::take(&mut input)?);
        let (sequence, _reserved) = (u32::take(&mut input)?, u32::take(&mut input)?);
        let frame = match kind {
            1 => Self::Hello(Hello::take(&mut input)?),
            2 => Self::Sample(GpuSample::take(&mut input)?),
            3 => Self::Outcome(Outcome::take(&mut input)?),
            4 => Self::Beat(Beat::take(&mut input)?),
            5 => Self::Throttle(Throttle::take(&mut input)?),
            6 => Self::Event(GpuEvent::take(&mut input)?),
            7 => Self::CallStat(CallStat::take(&mut input)?),
            8 => Self::Detach(Detach::take(&mut input)?),
            9 => Self::Attach,
            10 => Self::HandedOver(HandedOver::take(&mut input)?),
            other => return Err(FrameError::Kind(other)),
        };
        Ok((sequence, frame))
    }

    fn write(&self, sequence: u32, out: &mut Writer<'_>) {
        MAGIC.iter().for_each(|byte| byte.put(out));
        VERSION.put(out);
        self.kind().put(out);
        0_u16.put(out);
        sequence.put(out);
        0_u32.put(out);
        match self {
            Self::Hello(hello) => hello.put(out),
            Self::Sample(sample) => sample.put(out),
            Self::Outcome(outcome) => outcome.put(out),
            Self::Beat(beat) => beat.put(out),
            Self::Throttle(throttle) => throttle.put(out),
            Self::Event(event) => event.put(out),
            Self::CallStat(stat) => stat.put(out),
            Self::Detach(detach) => detach.put(out),
            Self::Attach => {}
            Self::HandedOver(handed_over) => handed_over.put(out),
        }
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => 1,
            Self::Sample(_) => 2,
            Self::Outcome(_) => 3,
            Self::Beat(_) => 4,
            Self::Throttle(_) => 5,
            Self::Event(_) => 6,
            Self::CallStat(_) => 7,
            Self::Detach(_) => 8,
            Self::Attach => 9,
            Self::HandedOver(_) => 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu_link::{DriverState, EventKind, HandOver, Verdict};
    use crate::units::{Megahertz, Watts};
    use proptest::prelude::*;

    fn every_frame() -> [Frame; 11] {
        [
            Frame::Hello(Hello {
                gpu_count: 8,
                driver: DriverState::Starting,
                may_throttle: false,
                detached_left_ms: 1,
                driver_version: "580.95.05".try_into().unwrap(),
            }),
            Frame::Sample(GpuSample::longest()),
            Frame::Sample(GpuSample::default()),
            Frame::Outcome(Outcome { of: 9, gpu: 3, verdict: Verdict::Withheld }),
            Frame::Beat(Beat { cycle: u64::MAX, cooling_proven: true, leaving: false }),
            Frame::Throttle(Throttle {
                gpu: 7,
                cycle: 4711,
                power_cap: Some(Watts::new(200.0)),
                sm_clock_max: Some(Megahertz::new(345.0)),
                low_power_profile: true,
                smoothing: false,
            }),
            Frame::Event(GpuEvent { gpu: 3, kind: EventKind::Xid, data: 79, untold: 12 }),
            Frame::CallStat(CallStat {
                gpu: 1,
                name: "nvmlDeviceGetCurrentClocksThrottleReasons".try_into().unwrap(),
                calls: 3,
                failures: 1,
                total_us: 900,
                longest_us: 800,
                buckets: [1; crate::gpu_link::BUCKETS],
            }),
            Frame::Detach(Detach { for_ms: 600_000 }),
            Frame::Attach,
            Frame::HandedOver(HandedOver { of: 5, result: HandOver::GpuHot, gpu: 2, took_ms: 12 }),
        ]
    }

    #[test]
    fn the_longest_body_fits_its_frame() {
        for frame in every_frame() {
            let mut bytes = [0; FRAME_LEN];
            let mut out = Writer::new(&mut bytes);
            frame.write(1, &mut out);
            assert!(out.written() <= FRAME_LEN, "needs {} bytes: {frame:?}", out.written());
        }
    }

    #[test]
    fn every_frame_survives_the_wire() {
        for (sequence, frame) in (0..).zip(every_frame()) {
            assert_eq!(Frame::decode(&frame.encode(sequence)), Ok((sequence, frame)));
        }
    }

    #[test]
    fn a_frame_of_another_version_says_so() {
        let mut bytes = Frame::Attach.encode(1);
        bytes[4] = 9;
        assert_eq!(Frame::decode(&bytes), Err(FrameError::Version(9)));
    }

    #[test]
    fn a_request_for_a_gpu_that_no_node_has_is_refused_by_name() {
        let throttle = Throttle { gpu: 16, ..Throttle::nothing(0) };
        let refused = Frame::decode(&Frame::Throttle(throttle).encode(1));
        assert_eq!(refused, Err(FrameError::Index(16)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_what_is_a_frame_is_the_same_frame_again(
            body in prop::collection::vec(any::<u8>(), FRAME_LEN), kind in 0..12_u8, real in any::<bool>(),
        ) {
            let mut bytes: [u8; FRAME_LEN] = body.try_into().unwrap();
            if real {
                bytes[..6].copy_from_slice(&[b'E', b'I', b'S', b'B', VERSION, kind]);
            }
            if let Ok((sequence, frame)) = Frame::decode(&bytes) {
                prop_assert_eq!(Frame::decode(&frame.encode(sequence)), Ok((sequence, frame)));
            }
        }

        #[test]
        fn i01_one_spoiled_byte_never_makes_a_number_that_is_none(at in 0..FRAME_LEN, byte in any::<u8>()) {
            let mut bytes = Frame::Sample(GpuSample::longest()).encode(1);
            bytes[at] = byte;
            if let Ok((_, Frame::Sample(sample))) = Frame::decode(&bytes) {
                let margin = sample.margin.last_known();
                prop_assert!(margin.is_none_or(|margin| margin.value.get().is_finite()));
                prop_assert!(sample.limit_default.is_none_or(|limit| limit.get().is_finite()));
            }
        }
    }
}
