//! Bytes of a frame. One function writes each body and one reads it, field by field in the same order.

use super::{Beat, DriverState, Frame, GpuHealth, GpuSample, Hello, Outcome, Throttle, Verdict};
use crate::units::Quantity;
use heapless::String;

/// Length of every frame.
pub const FRAME_LEN: usize = 256;
/// Length of the body behind the header.
pub const BODY_LEN: usize = FRAME_LEN - HEADER_LEN;

const HEADER_LEN: usize = 16;
const MAGIC: [u8; 4] = *b"EISB";
const VERSION: u8 = 1;

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Not our protocol.
    Magic,
    /// Another version of it.
    Version(u8),
    /// No frame of this kind.
    Kind(u8),
    /// A field holds a value it cannot have.
    Field(&'static str),
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
            Self::Field(name) => write!(f, "impossible value in field {name}"),
        }
    }
}

impl core::error::Error for FrameError {}

impl Frame {
    /// The frame as bytes, under a sequence number.
    #[must_use]
    pub fn encode(&self, sequence: u32) -> [u8; FRAME_LEN] {
        let mut out = Writer { bytes: [0; FRAME_LEN], at: 0 };
        out.put(&MAGIC);
        out.put(&[VERSION, self.kind(), 0, 0]);
        out.put(&sequence.to_le_bytes());
        out.put(&[0; 4]);
        match self {
            Self::Hello(hello) => write_hello(&mut out, *hello),
            Self::Sample(sample) => write_sample(&mut out, sample),
            Self::Outcome(outcome) => write_outcome(&mut out, *outcome),
            Self::Beat(beat) => write_beat(&mut out, *beat),
            Self::Throttle(throttle) => write_throttle(&mut out, *throttle),
        }
        out.bytes
    }

    /// The sequence number and the frame in `bytes`.
    ///
    /// # Errors
    /// If the bytes are not exactly a frame of this version with possible values.
    pub fn decode(bytes: &[u8; FRAME_LEN]) -> Result<(u32, Self), FrameError> {
        let mut input = Reader { bytes, at: 0 };
        if input.take::<4>() != MAGIC {
            return Err(FrameError::Magic);
        }
        let [version, kind, ..] = input.take::<4>();
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let sequence = u32::from_le_bytes(input.take());
        let _reserved: [u8; 4] = input.take();
        let frame = match kind {
            1 => Self::Hello(read_hello(&mut input)?),
            2 => Self::Sample(read_sample(&mut input)?),
            3 => Self::Outcome(read_outcome(&mut input)?),
            4 => Self::Beat(read_beat(&mut input)?),
            5 => Self::Throttle(read_throttle(&mut input)?),
            other => return Err(FrameError::Kind(other)),
        };
        Ok((sequence, frame))
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => 1,
            Self::Sample(_) => 2,
            Self::Outcome(_) => 3,
            Self::Beat(_) => 4,
            Self::Throttle(_) => 5,
        }
    }
}

fn write_hello(out: &mut Writer, hello: Hello) {
    let driver = match hello.driver {
        DriverState::Ready => 0,
        DriverState::Starting => 1,
        DriverState::Absent => 2,
    };
    out.put(&[hello.gpu_count, driver, u8::from(hello.may_throttle)]);
}

fn read_hello(input: &mut Reader<'_>) -> Result<Hello, FrameError> {
    let [gpu_count, driver, may_throttle] = input.take();
    let driver = match driver {
        0 => DriverState::Ready,
        1 => DriverState::Starting,
        2 => DriverState::Absent,
        _ => return Err(FrameError::Field("driver")),
    };
    Ok(Hello { gpu_count, driver, may_throttle: flag(may_throttle, "may_throttle")? })
}

fn write_sample(out: &mut Writer, sample: &GpuSample) {
    let health = match sample.health {
        GpuHealth::Ok => 0,
        GpuHealth::Unknown => 1,
        GpuHealth::Hung => 2,
        GpuHealth::Lost => 3,
        GpuHealth::ResetRequired => 4,
        GpuHealth::Failed => 5,
    };
    out.put(&[sample.index, health, u8::from(sample.guarded)]);
    out.put(&sample.age_ms.to_le_bytes());
    out.put(&sample.batch_us.to_le_bytes());
    out.text(&sample.uuid);
    out.text(&sample.name);
    out.quantity(sample.temperature);
    out.quantity(sample.memory_temperature);
    out.quantity(sample.margin);
    out.quantity(sample.slowdown_at);
    out.quantity(sample.shutdown_at);
    out.quantity(sample.power);
    out.quantity(sample.limit_requested);
    out.quantity(sample.limit_enforced);
    out.quantity(sample.limit_default);
    out.quantity(sample.limit_min);
    out.quantity(sample.limit_max);
    out.quantity(sample.sm_clock);
    out.quantity(sample.sm_clock_max);
    out.quantity(sample.sm_clock_min);
    out.quantity(sample.utilization);
    out.quantity(sample.held_cap);
    out.quantity(sample.held_clock);
    out.put(&[u8::from(sample.throttle_reasons.is_some())]);
    out.put(&sample.throttle_reasons.unwrap_or(0).to_le_bytes());
}

fn read_sample(input: &mut Reader<'_>) -> Result<GpuSample, FrameError> {
    let [index, health, guarded] = input.take();
    let health = match health {
        0 => GpuHealth::Ok,
        1 => GpuHealth::Unknown,
        2 => GpuHealth::Hung,
        3 => GpuHealth::Lost,
        4 => GpuHealth::ResetRequired,
        5 => GpuHealth::Failed,
        _ => return Err(FrameError::Field("health")),
    };
    Ok(GpuSample {
        index,
        health,
        guarded: flag(guarded, "guarded")?,
        age_ms: u32::from_le_bytes(input.take()),
        batch_us: u32::from_le_bytes(input.take()),
        uuid: input.text("uuid")?,
        name: input.text("name")?,
        temperature: input.quantity(),
        memory_temperature: input.quantity(),
        margin: input.quantity(),
        slowdown_at: input.quantity(),
        shutdown_at: input.quantity(),
        power: input.quantity(),
        limit_requested: input.quantity(),
        limit_enforced: input.quantity(),
        limit_default: input.quantity(),
        limit_min: input.quantity(),
        limit_max: input.quantity(),
        sm_clock: input.quantity(),
        sm_clock_max: input.quantity(),
        sm_clock_min: input.quantity(),
        utilization: input.quantity(),
        held_cap: input.quantity(),
        held_clock: input.quantity(),
        throttle_reasons: {
            let [present] = input.take();
            let bits = u32::from_le_bytes(input.take());
            flag(present, "throttle_reasons")?.then_some(bits)
        },
    })
}

fn write_outcome(out: &mut Writer, outcome: Outcome) {
    let verdict = match outcome.verdict {
        Verdict::Applied => 0,
        Verdict::Superseded => 1,
        Verdict::Unreachable => 2,
        Verdict::NotPermitted => 3,
        Verdict::Refused => 4,
        Verdict::Withheld => 5,
    };
    out.put(&outcome.of.to_le_bytes());
    out.put(&[outcome.gpu, verdict]);
}

fn read_outcome(input: &mut Reader<'_>) -> Result<Outcome, FrameError> {
    let of = u32::from_le_bytes(input.take());
    let [gpu, verdict] = input.take();
    let verdict = match verdict {
        0 => Verdict::Applied,
        1 => Verdict::Superseded,
        2 => Verdict::Unreachable,
        3 => Verdict::NotPermitted,
        4 => Verdict::Refused,
        5 => Verdict::Withheld,
        _ => return Err(FrameError::Field("verdict")),
    };
    Ok(Outcome { of, gpu, verdict })
}

fn write_beat(out: &mut Writer, beat: Beat) {
    out.put(&beat.cycle.to_le_bytes());
    out.put(&[u8::from(beat.cooling_proven), u8::from(beat.leaving)]);
}

fn read_beat(input: &mut Reader<'_>) -> Result<Beat, FrameError> {
    let cycle = u64::from_le_bytes(input.take());
    let [cooling_proven, leaving] = input.take();
    Ok(Beat {
        cycle,
        cooling_proven: flag(cooling_proven, "cooling_proven")?,
        leaving: flag(leaving, "leaving")?,
    })
}

fn write_throttle(out: &mut Writer, throttle: Throttle) {
    out.put(&[throttle.gpu]);
    out.quantity(throttle.power_cap);
    out.quantity(throttle.sm_clock_max);
}

fn read_throttle(input: &mut Reader<'_>) -> Result<Throttle, FrameError> {
    let [gpu] = input.take();
    Ok(Throttle { gpu, power_cap: input.quantity(), sm_clock_max: input.quantity() })
}

const fn flag(byte: u8, field: &'static str) -> Result<bool, FrameError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(FrameError::Field(field)),
    }
}

/// Fills a frame front to back. The frame is longer than the longest body, which a test proves.
struct Writer {
    bytes: [u8; FRAME_LEN],
    at: usize,
}

impl Writer {
    fn put(&mut self, part: &[u8]) {
        let end = self.at + part.len();
        if let Some(room) = self.bytes.get_mut(self.at..end) {
            room.copy_from_slice(part);
        }
        self.at = end;
    }

    /// An absent quantity is a NaN on the wire: there is no number it could be mistaken for.
    fn quantity<Q: Quantity>(&mut self, value: Option<Q>) {
        self.put(&value.map_or(f32::NAN, Quantity::get).to_le_bytes());
    }

    fn text<const N: usize>(&mut self, text: &String<N>) {
        let length = u8::try_from(text.len()).unwrap_or(0);
        self.put(&[length]);
        self.put(text.as_bytes());
        self.at += N - text.len();
    }
}

struct Reader<'a> {
    bytes: &'a [u8; FRAME_LEN],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let part =
            self.bytes.get(self.at..self.at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N]);
        self.at += N;
        part
    }

    fn quantity<Q: Quantity>(&mut self) -> Option<Q> {
        let raw = f32::from_le_bytes(self.take());
        raw.is_finite().then(|| Q::from_f32(raw))
    }

    fn text<const N: usize>(&mut self, field: &'static str) -> Result<String<N>, FrameError> {
        let [length] = self.take();
        let room = self.bytes.get(self.at..self.at + N).unwrap_or(&[]);
        self.at += N;
        let bytes = room.get(..usize::from(length)).ok_or(FrameError::Field(field))?;
        let text = core::str::from_utf8(bytes).map_err(|_| FrameError::Field(field))?;
        String::try_from(text).map_err(|_| FrameError::Field(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Celsius, Kelvin, Megahertz, Percent, Watts};
    use proptest::prelude::*;

    fn full_sample() -> GpuSample {
        GpuSample {
            index: 15,
            health: GpuHealth::Hung,
            guarded: true,
            age_ms: u32::MAX,
            batch_us: 1,
            uuid: String::try_from("GPU-0123456789abcdef-0123456789abcdef012").unwrap(),
            name: String::try_from("NVIDIA H200 with the longest nam").unwrap(),
            temperature: Some(Celsius::new(63.0)),
            memory_temperature: Some(Celsius::new(70.0)),
            margin: Some(Kelvin::new(-3.0)),
            slowdown_at: Some(Celsius::new(89.0)),
            shutdown_at: Some(Celsius::new(95.0)),
            power: Some(Watts::new(701.5)),
            limit_requested: Some(Watts::new(700.0)),
            limit_enforced: Some(Watts::new(650.0)),
            limit_default: Some(Watts::new(700.0)),
            limit_min: Some(Watts::new(200.0)),
            limit_max: Some(Watts::new(700.0)),
            sm_clock: Some(Megahertz::new(1755.0)),
            sm_clock_max: Some(Megahertz::new(1980.0)),
            sm_clock_min: Some(Megahertz::new(345.0)),
            utilization: Some(Percent::new(99.0)),
            throttle_reasons: Some(0x24),
            held_cap: None,
            held_clock: Some(Megahertz::new(345.0)),
        }
    }

    #[test]
    fn the_longest_body_fits_its_frame() {
        let mut out = Writer { bytes: [0; FRAME_LEN], at: HEADER_LEN };
        write_sample(&mut out, &full_sample());
        assert!(out.at <= FRAME_LEN, "sample needs {} bytes", out.at);
    }

    #[test]
    fn every_frame_survives_the_wire() {
        let frames = [
            Frame::Hello(Hello { gpu_count: 8, driver: DriverState::Starting, may_throttle: false }),
            Frame::Sample(full_sample()),
            Frame::Sample(GpuSample::default()),
            Frame::Outcome(Outcome { of: 9, gpu: 3, verdict: Verdict::Withheld }),
            Frame::Beat(Beat { cycle: u64::MAX, cooling_proven: true, leaving: false }),
            Frame::Throttle(Throttle { gpu: 7, power_cap: Some(Watts::new(200.0)), sm_clock_max: None }),
        ];
        for (sequence, frame) in (0..).zip(&frames) {
            assert_eq!(Frame::decode(&frame.encode(sequence)), Ok((sequence, frame.clone())));
        }
    }

    #[test]
    fn a_frame_of_another_version_says_so() {
        let mut bytes = Frame::Beat(Beat { cycle: 1, cooling_proven: true, leaving: false }).encode(1);
        bytes[4] = 9;
        assert_eq!(Frame::decode(&bytes), Err(FrameError::Version(9)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_never_yield_a_nan(body in prop::collection::vec(any::<u8>(), FRAME_LEN), kind in 0..8_u8, real in any::<bool>()) {
            let mut bytes: [u8; FRAME_LEN] = body.try_into().unwrap();
            if real {
                bytes[..6].copy_from_slice(&[b'E', b'I', b'S', b'B', VERSION, kind]);
            }
            if let Ok((_, Frame::Throttle(throttle))) = Frame::decode(&bytes) {
                prop_assert!(throttle.power_cap.is_none_or(|cap| cap.get().is_finite()));
            }
        }
    }
}
