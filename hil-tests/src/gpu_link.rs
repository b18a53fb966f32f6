//! The agent's end of the GPU link, by hand: beats and throttles there, samples and outcomes back.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use eisbach_protocol::gpu_link::{Beat, FRAME_LEN, Frame, GpuSample, Throttle, Verdict};

/// Silence of a GPU process that is up. It says something every second at least.
const SILENCE: Duration = Duration::from_secs(10);
/// More frames than anything that is waited for takes to come.
const PATIENCE: usize = 5000;

/// A client of `eisbach-agent gpu`.
#[derive(Debug)]
pub struct GpuPeer {
    stream: UnixStream,
    sequence: u32,
    cycle: u64,
}

impl GpuPeer {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(Self { stream, sequence: 0, cycle: 0 })
    }

    /// Says that a cycle is completed, and whether cooling is proven.
    pub fn beat(&mut self, cooling_proven: bool) {
        self.cycle += 1;
        self.send(&Frame::Beat(Beat { cycle: self.cycle, cooling_proven, leaving: false }));
    }

    /// Asks for limits, in the cycle that is now; returns the number under which the answer comes.
    pub fn ask(&mut self, throttle: Throttle) -> u32 {
        self.send(&Frame::Throttle(Throttle { cycle: self.cycle, ..throttle }))
    }

    /// The next frame.
    ///
    /// # Errors
    /// If the connection ends.
    pub fn hear(&mut self) -> io::Result<Frame> {
        let mut bytes = [0; FRAME_LEN];
        self.stream.read_exact(&mut bytes)?;
        Ok(Frame::decode(&bytes).expect("the GPU process sends frames").1)
    }

    /// The first frame in which `found` finds something.
    ///
    /// # Panics
    /// If it does not come.
    pub fn until<T>(&mut self, what: &str, mut found: impl FnMut(&Frame) -> Option<T>) -> T {
        let mut last = None;
        for _ in 0..PATIENCE {
            let frame = self.hear().unwrap_or_else(|error| panic!("waiting for {what}: {error}; {last:?}"));
            if let Some(found) = found(&frame) {
                return found;
            }
            last = Some(frame);
        }
        panic!("never came: {what}; last seen: {last:?}")
    }

    /// The first sample of a GPU of which `holds` is true.
    pub fn sample(&mut self, gpu: u8, what: &str, holds: impl Fn(&GpuSample) -> bool) -> GpuSample {
        self.until(what, |frame| match frame {
            Frame::Sample(sample) if sample.index == gpu && holds(sample) => Some(sample.clone()),
            _ => None,
        })
    }

    /// Asks for limits and waits for the answer.
    pub fn verdict(&mut self, throttle: Throttle) -> Verdict {
        let of = self.ask(throttle);
        self.until("an outcome", |frame| match frame {
            Frame::Outcome(outcome) if outcome.of == of => Some(outcome.verdict),
            _ => None,
        })
    }

    /// A GPU process that is gone hears nothing; that is seen when it is listened to.
    fn send(&mut self, frame: &Frame) -> u32 {
        self.sequence += 1;
        let _unheard = self.stream.write_all(&frame.encode(self.sequence));
        self.sequence
    }
}
