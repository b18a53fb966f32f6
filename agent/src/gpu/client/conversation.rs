//! The task behind the link: it connects, listens and speaks, and starts again, until told to stop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::gpu_link::{FRAME_LEN, Frame, FrameError, MAX_GPUS};
use eisbach_protocol::units::Millis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{ClientSettings, GpuEntry, Shared};
use crate::gpu::lock;

/// A GPU process that does not take a frame for so long is stuck. The kernel holds some hundred of ours.
const WRITE_LIMIT: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    #[error("connection lost: {0}")]
    Lost(io::Error),
    #[error("nothing heard for too long")]
    Silent,
    #[error("the GPU process does not read what it is sent")]
    Stuck,
    #[error("malformed frame: {0}")]
    Malformed(FrameError),
    #[error("the GPU process sent a frame that only the agent may send")]
    WrongDirection,
    #[error("the agent stops")]
    Stopped,
}

pub(super) async fn keep_connected(shared: Arc<Shared>, settings: ClientSettings, token: CancellationToken) {
    let first = Duration::from_millis(settings.first_retry_ms.max(1));
    let longest = Duration::from_millis(settings.longest_retry_ms).max(first);
    let mut wait = Duration::ZERO;
    let mut said = false;
    loop {
        tokio::select! {
            () = sleep(wait) => {}
            () = token.cancelled() => return,
        }
        let ended = match UnixStream::connect(&settings.socket).await {
            Ok(stream) => shared.converse(stream, &settings, &token).await,
            Err(error) => Ended::Unreachable(error),
        };
        let up_for = shared.go_down();
        if matches!(ended, Ended::Stopped) {
            return;
        }
        if up_for.is_some() || !said {
            tracing::warn!(%ended, socket = %settings.socket.display(), "GPU link down");
            said = true;
        }
        // At once after a sound connection; one that lasts but a moment, again and again, is no reason to hurry.
        let was_sound = up_for.is_some_and(|up| u128::from(up.get()) >= longest.as_millis());
        wait = if was_sound { Duration::ZERO } else { (wait * 2).clamp(first, longest) };
    }
}

impl Shared {
    async fn converse(
        &self,
        stream: UnixStream,
        settings: &ClientSettings,
        token: &CancellationToken,
    ) -> Ended {
        self.start_afresh();
        let (reader, writer) = stream.into_split();
        let silence = Duration::from_millis(settings.silence_ms);
        tokio::select! {
            ended = self.listen(reader, silence) => ended,
            ended = self.speak(writer, token) => ended,
        }
    }

    /// Nothing said on an earlier connection counts as said on this one.
    fn start_afresh(&self) {
        let mut cells = lock(&self.cells);
        if cells.beat.take().is_some() {
            cells.counters.beats_dropped += 1;
        }
        for sent in cells.requests.values_mut() {
            sent.sequence = None;
            sent.request.verdict = None;
        }
        // A person waits for this one, and asks again.
        cells.hand_over = None;
        // The cycle asks again while it must.
        cells.take_back = false;
        drop(cells);
        self.outgoing.notify_one();
    }

    async fn listen(&self, mut reader: OwnedReadHalf, silence: Duration) -> Ended {
        let mut bytes = [0; FRAME_LEN];
        loop {
            match timeout(silence, reader.read_exact(&mut bytes)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Ended::Lost(error),
                Err(_elapsed) => return Ended::Silent,
            }
            let heard = match Frame::decode(&bytes) {
                Ok((_sequence, frame)) => self.hear(frame),
                Err(error) => Err(Ended::Malformed(error)),
            };
            if let Err(ended) = heard {
                lock(&self.cells).counters.malformed += 1;
                return ended;
            }
        }
    }

    fn hear(&self, frame: Frame) -> Result<(), Ended> {
        let received_at = self.clock.now();
        let mut cells = lock(&self.cells);
        cells.counters.frames += 1;
        match frame {
            Frame::Hello(hello) => cells.hear_hello(hello, received_at),
            Frame::Sample(sample) if usize::from(sample.index) < MAX_GPUS => {
                cells.gpus.insert(sample.index, GpuEntry { sample: Arc::new(sample), received_at });
            }
            Frame::Sample(sample) => return Err(Ended::Malformed(FrameError::Index(sample.index))),
            Frame::Outcome(outcome) => cells.hear_outcome(outcome),
            Frame::Event(event) => cells.hear_event(event, received_at),
            Frame::CallStat(stat) => cells.hear_stat(stat),
            Frame::HandedOver(handed_over) => cells.hear_handed_over(handed_over),
            Frame::Beat(_) | Frame::Throttle(_) | Frame::Detach(_) | Frame::Attach => {
                return Err(Ended::WrongDirection);
            }
        }
        Ok(())
    }

    /// Sends what waits, and goes on until told to stop. What was waiting by then is still sent.
    async fn speak(&self, mut writer: OwnedWriteHalf, token: &CancellationToken) -> Ended {
        loop {
            let stopping = token.is_cancelled();
            let bytes = lock(&self.cells).take_outgoing();
            match timeout(WRITE_LIMIT, writer.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Ended::Lost(error),
                Err(_elapsed) => return Ended::Stuck,
            }
            if stopping {
                return Ended::Stopped;
            }
            tokio::select! {
                () = self.outgoing.notified() => {}
                () = token.cancelled() => {}
            }
        }
    }

    /// How long the link was up, if it was until now.
    fn go_down(&self) -> Option<Millis> {
        let up_since = lock(&self.cells).up_since.take()?;
        Some(self.clock.now().since(up_since))
    }
}
