//! A serial line with devices on it: Modbus RTU on any stream, in front of their TCP ports.
//!
//! ```text
//!   master ──RTU──► PTY, or TCP ──► Line ──┬── unit 1 ──TCP──► pump
//!                                          ├── unit 2 ──TCP──► valve
//!                                          └── other units: nobody answers
//! ```
//!
//! It is what a serial gateway is in a plant room, turned round: the devices keep one register map, one log and one
//! set of faults, whichever way they are asked. A device that is silent, late or down on TCP is so here too. A line
//! takes one of the connections of each of its devices, from the first request on.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::accept::{Host, accept};
use super::mbap::Frame;
use super::pty::{Pty, PtyError};
use super::rtu::{Deframer, SILENCE, Speaker, encode};

/// Masters that a TCP gateway serves at a time.
const MOST_MASTERS: usize = 8;
/// Replies that wait for the line.
const QUEUE: usize = 16;

/// The devices of one line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    members: Arc<BTreeMap<u8, SocketAddr>>,
}

impl Line {
    /// A line with these units; each device answers at its address.
    pub(crate) fn new(members: impl IntoIterator<Item = (u8, SocketAddr)>) -> Self {
        Self { members: Arc::new(members.into_iter().collect()) }
    }

    /// Serve a PTY whose far end is reached through the symbolic link `path`, until `token` is cancelled.
    ///
    /// # Errors
    /// If there is no PTY to be had, or no link to be made.
    pub(crate) fn serve_pty(
        self,
        path: &Path,
        tasks: &mut JoinSet<()>,
        token: &CancellationToken,
    ) -> Result<(), PtyError> {
        let mut pty = Pty::open(path)?;
        let token = token.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = token.cancelled() => {}
                error = self.converse(pty.port()) => error!(%error, "the serial line is lost"),
            }
        });
        Ok(())
    }

    /// Serve RTU over TCP on `listener` until `token` is cancelled.
    pub(crate) fn serve_tcp(self, listener: TcpListener, tasks: &mut JoinSet<()>, token: &CancellationToken) {
        tasks.spawn(accept(listener, self, token.clone()));
    }

    /// Answer on `stream` until it ends.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> io::Error {
        let (outbox, mut inbox) = mpsc::channel(QUEUE);
        let mut links = Links { line: self, links: BTreeMap::new(), readers: JoinSet::new(), outbox };
        let mut requests = Deframer::new(Speaker::Master);
        let mut buffer = [0; 512];
        loop {
            let done = tokio::select! {
                read = stream.read(&mut buffer) => match read {
                    Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(read) => {
                        requests.push(buffer.get(..read).unwrap_or_default());
                        while let Some(request) = requests.next() {
                            links.forward(request).await;
                        }
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Some(reply) = inbox.recv() => stream.write_all(&encode(reply.unit, &reply.pdu)).await,
                () = tokio::time::sleep(SILENCE), if requests.is_waiting() => {
                    requests.silence();
                    Ok(())
                }
            };
            if let Err(error) = done {
                debug!(noise = requests.dropped(), "a master has left the line");
                return error;
            }
        }
    }
}

impl Host for Line {
    fn receive(
        &self,
        mut stream: TcpStream,
        open: usize,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let line = self.clone();
        (open < MOST_MASTERS).then_some(async move { drop(line.converse(&mut stream).await) })
    }
}

/// The connections of one line to its devices, opened when they are needed.
struct Links<'a> {
    line: &'a Line,
    links: BTreeMap<u8, Link>,
    readers: JoinSet<()>,
    outbox: mpsc::Sender<Frame>,
}

struct Link {
    device: OwnedWriteHalf,
    reader: AbortHandle,
    transaction: u16,
}

impl Links<'_> {
    /// Send a request to its device. Where that fails nobody answers, as on a line.
    async fn forward(&mut self, request: Frame) {
        while self.readers.try_join_next().is_some() {}
        let Some(mut link) = self.take(request.unit).await else { return };
        link.transaction = link.transaction.wrapping_add(1);
        let unit = request.unit;
        let request = Frame { transaction: link.transaction, ..request };
        if link.device.write_all(&request.encode()).await.is_ok() {
            self.links.insert(unit, link);
        } else {
            link.reader.abort();
        }
    }

    async fn take(&mut self, unit: u8) -> Option<Link> {
        let address = *self.line.members.get(&unit)?;
        match self.links.remove(&unit) {
            Some(link) if !link.reader.is_finished() => Some(link),
            Some(_) | None => self.connect(address).await,
        }
    }

    async fn connect(&mut self, address: SocketAddr) -> Option<Link> {
        let stream = timeout(SILENCE, TcpStream::connect(address)).await.ok()?.ok()?;
        let _ = stream.set_nodelay(true); // without it requests are only slower
        let (mut from, device) = stream.into_split();
        let outbox = self.outbox.clone();
        let reader = self.readers.spawn(async move {
            while let Ok(reply) = Frame::read(&mut from).await {
                if outbox.send(reply).await.is_err() {
                    return;
                }
            }
        });
        Some(Link { device, reader, transaction: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_serial::{SerialPortBuilderExt as _, SerialStream};

    use super::super::accept::listen;
    use super::super::{DeviceHub, DeviceKind, DeviceOptions, Fault};
    use super::*;

    /// A test that waits longer than this has failed.
    const PATIENCE: Duration = Duration::from_secs(10);

    struct Bench {
        hub: DeviceHub,
        tasks: JoinSet<()>,
        token: CancellationToken,
    }

    impl Bench {
        fn new() -> Self {
            let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
            let hub = DeviceHub::start(&mut tasks, &token, &DeviceOptions::default()).unwrap();
            Self { hub, tasks, token }
        }

        /// Pump and valve on one line.
        fn line(&self) -> Line {
            let at = |kind| self.hub.endpoint(kind);
            Line::new([at(DeviceKind::Pump), at(DeviceKind::Valve)].map(|end| (end.unit, end.address)))
        }
    }

    async fn ask<S: AsyncRead + AsyncWrite + Unpin>(master: &mut S, unit: u8, pdu: &[u8]) -> (u8, Vec<u8>) {
        master.write_all(&encode(unit, pdu)).await.unwrap();
        hear(master).await
    }

    async fn hear<S: AsyncRead + Unpin>(master: &mut S) -> (u8, Vec<u8>) {
        let mut replies = Deframer::new(Speaker::Unit);
        timeout(PATIENCE, async {
            loop {
                replies.push(&[master.read_u8().await.unwrap()]);
                if let Some(reply) = replies.next() {
                    return (reply.unit, reply.pdu);
                }
            }
        })
        .await
        .unwrap()
    }

    fn serial(link: &Path) -> SerialStream {
        tokio_serial::new(link.to_str().unwrap(), 19_200).open_native_async().unwrap()
    }

    #[tokio::test]
    async fn each_unit_of_a_serial_line_answers_for_itself() {
        let mut bench = Bench::new();
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("serial");
        bench.line().serve_pty(&link, &mut bench.tasks, &bench.token).unwrap();
        let mut master = serial(&link);
        assert_eq!(ask(&mut master, 1, &[3, 0, 29, 0, 1]).await, (1, vec![3, 2, 0, 2]), "the pump's family");
        assert_eq!(ask(&mut master, 2, &[3, 0, 3, 0, 1]).await, (2, vec![3, 2, 0, 4]), "the valve's type");
        let write = [6, 0, 0, 0x17, 0x70];
        assert_eq!(ask(&mut master, 2, &write).await, (2, write.to_vec()));
        assert_eq!(bench.hub.write_log(DeviceKind::Valve)[0].value, 6000);
        master.write_all(&encode(9, &[3, 0, 3, 0, 1])).await.unwrap();
        assert_eq!(ask(&mut master, 1, &[3, 0, 50, 0, 1]).await, (1, vec![0x83, 2]), "nobody is unit 9");

        bench.token.cancel();
        while timeout(PATIENCE, bench.tasks.join_next()).await.unwrap().is_some() {}
        assert!(!link.is_symlink(), "the port is gone");
    }

    #[tokio::test]
    async fn several_masters_share_a_gateway() {
        let mut bench = Bench::new();
        let (listener, address) = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        bench.line().serve_tcp(listener, &mut bench.tasks, &bench.token);
        let mut one = TcpStream::connect(address).await.unwrap();
        let mut other = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut one, 1, &[3, 0, 29, 0, 1]).await, (1, vec![3, 2, 0, 2]));
        assert_eq!(ask(&mut other, 2, &[3, 0, 3, 0, 1]).await, (2, vec![3, 2, 0, 4]));
        assert_eq!(ask(&mut one, 2, &[3, 0, 3, 0, 1]).await, (2, vec![3, 2, 0, 4]));
    }

    #[tokio::test]
    async fn a_device_that_is_down_is_silent_and_comes_back() {
        let mut bench = Bench::new();
        let (listener, address) = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        bench.line().serve_tcp(listener, &mut bench.tasks, &bench.token);
        let mut master = TcpStream::connect(address).await.unwrap();
        ask(&mut master, 1, &[3, 0, 29, 0, 1]).await;
        bench.hub.fault(DeviceKind::Pump, Fault::Reset);
        master.write_all(&encode(1, &[3, 0, 29, 0, 1])).await.unwrap();
        let valve = ask(&mut master, 2, &[3, 0, 3, 0, 1]).await;
        assert_eq!(valve, (2, vec![3, 2, 0, 4]), "the pump keeps silent, and the line goes on");

        bench.hub.clear(DeviceKind::Pump);
        // Its connection may be found dead only now; a master asks again.
        let back = async {
            loop {
                master.write_all(&encode(1, &[3, 0, 30, 0, 1])).await.unwrap();
                if let Ok(answer) = timeout(Duration::from_millis(200), hear(&mut master)).await {
                    return answer;
                }
            }
        };
        assert_eq!(timeout(PATIENCE, back).await.unwrap(), (1, vec![3, 2, 0, 1]));
    }

    #[tokio::test]
    async fn half_a_request_is_forgotten_in_the_silence_after_it() {
        let mut bench = Bench::new();
        let (listener, address) = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        bench.line().serve_tcp(listener, &mut bench.tasks, &bench.token);
        let mut master = TcpStream::connect(address).await.unwrap();
        master.write_all(&encode(1, &[3, 0, 29, 0, 1])[..5]).await.unwrap();
        // A silence is the one thing here that only time can make.
        tokio::time::sleep(3 * SILENCE).await;
        assert_eq!(ask(&mut master, 1, &[3, 0, 30, 0, 1]).await, (1, vec![3, 2, 0, 1]));
    }
}
