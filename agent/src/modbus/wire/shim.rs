//! What a serial line needs below the codec: silence before a request, nothing stale, no echo.
//!
//! ```text
//!           ┌──────────── first byte of a request ───────────┐
//!           │                                                ▼
//!         Idle ◄── flushed ── Sending ◄── silent ── Listening ─┐
//!           │                                         ▲        │ heard something: stale, counted, thrown away
//!           └─ the answer passes to the codec         └────────┘
//! ```
//!
//! Before each request it listens for one silent interval. What it hears then is the late answer to an earlier
//! request, or noise. An RTU frame does not say which request it answers, so the codec above would take either for
//! the answer to the next one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::address::LineSettings;

/// Two of the longest frames (256 bytes each). More than that before one request is no late answer but a peer that
/// does not stop.
const MOST_STALE: usize = 512;

/// A transport with the manners of a serial line.
pub(super) struct Shim<T> {
    wire: T,
    state: State,
    /// Runs while listening.
    silence: Pin<Box<Sleep>>,
    interval: Duration,
    /// What was sent and is still to be heard again; `None` where there is no echo.
    echo: Option<Vec<u8>>,
    meter: Arc<Meter>,
}

enum State {
    /// Between two requests.
    Idle,
    /// A request waits for a silent line.
    Listening {
        /// Bytes thrown away since it waits.
        stale: usize,
    },
    /// A request is on its way.
    Sending,
}

/// What passed, for the owner of the codec above.
#[derive(Debug, Default)]
pub(super) struct Meter {
    drained: AtomicU64,
    answered: AtomicUsize,
}

impl Meter {
    /// Stale bytes thrown away so far.
    pub(super) fn drained(&self) -> u64 {
        self.drained.load(Ordering::Relaxed)
    }

    /// Bytes given to the codec since the last request began.
    pub(super) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

/// The silent interval between two frames (serial line guide V1.02, section 2.5.1.1): 3.5 characters of 11 bits,
/// fixed above 19200 baud.
pub(super) fn silent_interval(baud: u32) -> Duration {
    const FAST_MICROS: u32 = 1_750;
    const MICRO_BITS: u32 = 38_500_000;
    let micros = if baud > 19_200 { FAST_MICROS } else { MICRO_BITS.div_ceil(baud.max(1)) };
    Duration::from_micros(micros.into())
}

impl<T: AsyncRead + AsyncWrite + Unpin> Shim<T> {
    /// Around `wire`, with the pace and the echo of `line`.
    pub(super) fn new(wire: T, line: LineSettings) -> Self {
        let interval = silent_interval(line.baud);
        Self {
            wire,
            state: State::Idle,
            silence: Box::pin(sleep(interval)),
            interval,
            echo: line.echo.then(Vec::new),
            meter: Arc::default(),
        }
    }

    pub(super) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Ready when the line was silent for one interval since this request began to wait.
    fn poll_silent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stale = match self.state {
            State::Sending => return Poll::Ready(Ok(())),
            State::Listening { stale } => stale,
            State::Idle => {
                self.silence.set(sleep(self.interval));
                0
            }
        };
        loop {
            self.state = State::Listening { stale };
            let mut scratch = [0; 256];
            let mut heard = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.wire).poll_read(cx, &mut heard)? {
                Poll::Ready(()) => {
                    let bytes = nonzero(heard.filled().len())?;
                    stale += bytes;
                    self.meter.drained.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
                    if stale > MOST_STALE {
                        return Poll::Ready(Err(babble()));
                    }
                    self.silence.set(sleep(self.interval));
                }
                Poll::Pending => {
                    ready!(self.silence.as_mut().poll(cx));
                    self.begin();
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    fn begin(&mut self) {
        self.state = State::Sending;
        self.meter.answered.store(0, Ordering::Relaxed);
        if let Some(echo) = &mut self.echo {
            echo.clear();
        }
    }

    /// Ready when all that was sent was heard again.
    fn poll_echo(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(echo) = &mut self.echo else {
            return Poll::Ready(Ok(()));
        };
        while !echo.is_empty() {
            let mut scratch = [0; 256];
            let mut scratch = ReadBuf::new(&mut scratch);
            let mut heard = scratch.take(echo.len());
            ready!(Pin::new(&mut self.wire).poll_read(cx, &mut heard))?;
            let bytes = nonzero(heard.filled().len())?;
            if !echo.starts_with(heard.filled()) {
                return Poll::Ready(Err(no_echo()));
            }
            echo.drain(..bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Shim<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_echo(cx))?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.wire).poll_read(cx, buf))?;
        this.meter.answered.fetch_add(buf.filled().len().saturating_sub(before), Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Shim<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_silent(cx))?;
        let sent = ready!(Pin::new(&mut this.wire).poll_write(cx, buf))?;
        if let Some(echo) = &mut this.echo {
            echo.extend(buf.iter().take(sent));
        }
        Poll::Ready(Ok(sent))
    }

    /// Ends a request. It is not passed on: neither a socket nor a port keeps bytes in the process, and flushing a
    /// port blocks the thread until the last bit has left.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().state = State::Idle;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(cx)
    }
}

fn nonzero(heard: usize) -> io::Result<usize> {
    if heard == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end is gone"));
    }
    Ok(heard)
}

fn babble() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the line does not fall silent; look for a second master, a wrong baud rate, or missing bias resistors",
    )
}

fn no_echo() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the echo is not what was sent; look for a second master, or set echo to false for this adapter",
    )
}

#[cfg(test)]
mod tests {
    use super::super::address::{Parity, StopBits};
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;

    const LINE: LineSettings =
        LineSettings { baud: 19_200, parity: Parity::Even, stop_bits: StopBits::One, echo: false };
    const ECHOING: LineSettings = LineSettings { echo: true, ..LINE };

    fn line(settings: LineSettings) -> (Shim<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(4096);
        (Shim::new(near, settings), far)
    }

    async fn send(shim: &mut Shim<DuplexStream>, request: &[u8]) -> io::Result<()> {
        shim.write_all(request).await?;
        shim.flush().await
    }

    async fn hear<const N: usize>(stream: &mut (impl AsyncRead + Unpin)) -> [u8; N] {
        let mut bytes = [0; N];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[test]
    fn the_silent_interval_is_three_and_a_half_characters_and_never_below_its_floor() {
        assert_eq!(silent_interval(9_600), Duration::from_micros(4_011));
        assert_eq!(silent_interval(19_200), Duration::from_micros(2_006));
        assert_eq!(silent_interval(19_201), Duration::from_micros(1_750));
        assert_eq!(silent_interval(115_200), Duration::from_micros(1_750));
        assert!(silent_interval(0) > Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_before_a_request_is_thrown_away_and_counted() {
        let (mut shim, mut far) = line(LINE);
        far.write_all(b"stale").await.unwrap();
        send(&mut shim, b"request").await.unwrap();
        assert_eq!(&hear::<7>(&mut far).await, b"request");
        far.write_all(b"answer").await.unwrap();
        assert_eq!(&hear::<6>(&mut shim).await, b"answer");
        assert_eq!((shim.meter.drained(), shim.meter.answered()), (5, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_one_silent_interval_after_the_last_byte() {
        let (mut shim, mut far) = line(LINE);
        let just_below = silent_interval(LINE.baud) - Duration::from_millis(1);
        let chatter = async {
            for _ in 0..3 {
                sleep(just_below).await;
                far.write_all(b"x").await.unwrap();
            }
            let mut nothing = [0; 1];
            timeout(just_below, far.read(&mut nothing)).await.unwrap_err();
            hear::<7>(&mut far).await
        };
        let (sent, heard) = tokio::join!(send(&mut shim, b"request"), chatter);
        sent.unwrap();
        assert_eq!((&heard, shim.meter.drained()), (b"request", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_parts_is_not_torn_by_silence() {
        let (mut shim, mut far) = line(LINE);
        shim.write_all(b"re").await.unwrap();
        far.write_all(b"early answer").await.unwrap();
        send(&mut shim, b"quest").await.unwrap();
        assert_eq!(&hear::<7>(&mut far).await, b"request");
        assert_eq!(&hear::<12>(&mut shim).await, b"early answer");
        assert_eq!(shim.meter.drained(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_never_falls_silent_ends_the_wait_with_an_error() {
        let (mut shim, mut far) = line(LINE);
        let babble = async {
            while far.write_all(b"noise").await.is_ok() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let error = tokio::select! {
            sent = send(&mut shim, b"request") => sent.unwrap_err(),
            () = babble => panic!("the line broke"),
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(shim.meter.drained() <= 512 + 256);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_is_gone_is_told_before_anything_is_sent() {
        let (mut shim, far) = line(LINE);
        drop(far);
        let error = send(&mut shim, b"request").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_is_taken_away_in_whatever_pieces_it_comes() {
        let (mut shim, mut far) = line(ECHOING);
        for answer in [b"first ", b"second"] {
            send(&mut shim, b"request").await.unwrap();
            let heard = hear::<7>(&mut far).await;
            let reply = async {
                far.write_all(&heard[..3]).await.unwrap();
                sleep(Duration::from_millis(1)).await;
                far.write_all(&[&heard[3..], answer].concat()).await.unwrap();
            };
            let (answered, ()) = tokio::join!(hear::<6>(&mut shim), reply);
            assert_eq!((&answered, shim.meter.answered()), (answer, 6));
        }
        assert_eq!(shim.meter.drained(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_that_differs_is_a_collision_and_no_answer() {
        let (mut shim, mut far) = line(ECHOING);
        send(&mut shim, b"request").await.unwrap();
        far.write_all(b"rexuest").await.unwrap();
        let error = shim.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    fn parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..6)
    }

    proptest! {
        #[test]
        fn every_byte_passes_unchanged_in_both_directions(there in parts(), back in parts(), echo in any::<bool>()) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let (mut shim, mut far) = line(LineSettings { echo, ..LINE });
                for part in &there {
                    shim.write_all(part).await.unwrap();
                }
                shim.flush().await.unwrap();
                let mut arrived = vec![0; there.concat().len()];
                far.read_exact(&mut arrived).await.unwrap();
                prop_assert_eq!(&arrived, &there.concat());

                let echoed = if echo { arrived } else { Vec::new() };
                for part in std::iter::once(&echoed).chain(&back) {
                    far.write_all(part).await.unwrap();
                }
                let mut arrived = vec![0; back.concat().len()];
                shim.read_exact(&mut arrived).await.unwrap();
                prop_assert_eq!(arrived, back.concat());
                prop_assert_eq!(shim.meter.drained(), 0);
                Ok(())
            })?;
        }
    }
}
