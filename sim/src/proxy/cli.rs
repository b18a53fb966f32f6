//! `eisbach-sim proxy`: a wire that can fail, between any master and any device.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Front, Injection, Proxy, ProxyError, ProxyOptions, Unfit};
use crate::control::{self, Answer, ControlError};
use crate::demo::EndSignals;

/// `eisbach-sim proxy`.
#[derive(Clone, Debug, clap::Args)]
pub struct ProxyArguments {
    /// Where the master connects; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:0", conflicts_with = "pty")]
    listen: SocketAddr,
    /// The device. With --rtu or --pty it is spoken to in RTU over TCP.
    #[arg(long)]
    upstream: SocketAddr,
    /// RTU frames instead of Modbus TCP.
    #[arg(long)]
    rtu: bool,
    /// The master uses a serial port: a PTY behind a symbolic link at this path. Implies --rtu.
    #[arg(long, value_name = "LINK")]
    pty: Option<PathBuf>,
    /// Unix socket that takes faults: "late-reply 700", "clear", "counts", a line each.
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// The fault to begin with: "wrong-unit only writes times 3".
    #[arg(long)]
    fault: Option<Injection>,
    /// Prints where it is reached as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub enum ProxyCommandError {
    /// No proxy.
    #[error(transparent)]
    Start(#[from] ProxyError),
    /// Its first fault.
    #[error(transparent)]
    Fault(#[from] Unfit),
    /// Its socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Output.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    /// Signals.
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
}

/// What to connect to.
#[derive(Serialize)]
struct Doors {
    listen: String,
    control: Option<PathBuf>,
}

/// Runs until a signal comes.
///
/// # Errors
/// If something cannot be started.
pub async fn run(arguments: ProxyArguments) -> Result<(), ProxyCommandError> {
    let mut signals = EndSignals::listen().map_err(ProxyCommandError::Signals)?;
    let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
    let ProxyArguments { listen, upstream, rtu, pty, control, fault, json } = arguments;
    let front = match pty {
        Some(link) => Front::Pty(link),
        None if rtu => Front::RtuOverTcp(listen),
        None => Front::Tcp(listen),
    };
    let proxy = Proxy::start(&mut tasks, &token, ProxyOptions { front, upstream })?;
    if let Some(fault) = fault {
        proxy.set(fault)?;
    }
    let doors = Doors { listen: proxy.reached_at().to_string(), control };
    if let Some(path) = &doors.control {
        tasks.spawn(control::serve(control::listen(path)?, proxy, token.clone()));
    }
    doors.print(json)?;
    signals.next().await;
    token.cancel();
    while tasks.join_next().await.is_some() {}
    if let Some(path) = &doors.control {
        let _already_gone = std::fs::remove_file(path);
    }
    Ok(())
}

impl Answer for Proxy {
    async fn answer(&self, line: &str) -> String {
        self.command(line)
    }
}

impl Doors {
    fn print(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout();
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
        } else {
            writeln!(out, "listen   {}", self.listen)?;
            if let Some(path) = &self.control {
                writeln!(out, "control  {}, one fault, \"clear\" or \"counts\" a line", path.display())?;
            }
        }
        out.flush()
    }
}
