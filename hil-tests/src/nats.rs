//! Real NATS servers that speak MQTT, alone or as a cluster of three, on free ports of loopback.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Process;
use crate::wait::until;

/// How long servers may take until they accept MQTT. A cluster elects its leaders first.
const UP: Duration = Duration::from_secs(20);

/// One or several servers.
#[derive(Debug)]
pub struct Nats {
    /// Each with its MQTT port; none once it was killed.
    servers: Vec<(u16, Option<Process>)>,
    _folder: TempDir,
}

impl Nats {
    /// One server.
    ///
    /// # Panics
    /// If it is not installed or does not come up.
    pub fn start() -> Self {
        Self::cluster(1)
    }

    /// So many servers, each a route of the others, with streams on all of them.
    ///
    /// # Panics
    /// If they are not installed or do not come up.
    pub fn cluster(count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder for NATS");
        let ports: Vec<_> = (0..count).map(|_| (free_port(), free_port(), free_port())).collect();
        let routes: Vec<_> = ports.iter().map(|(_, _, route)| format!("nats://127.0.0.1:{route}")).collect();
        let start = |(at, (mqtt, client, route)): (usize, &(u16, u16, u16))| {
            let cluster = format!(
                "cluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{}] }}\n",
                routes.join(", ")
            );
            let text = format!(
                "server_name: n{at}\nlisten: \"127.0.0.1:{client}\"\njetstream {{ store_dir: \"{}\" }}\n\
                 mqtt {{ listen: \"127.0.0.1:{mqtt}\", stream_replicas: {count} }}\n{}",
                folder.path().join(format!("js{at}")).display(),
                if count > 1 { cluster.as_str() } else { "" },
            );
            (*mqtt, Some(server(folder.path(), at, &text)))
        };
        let servers: Vec<_> = ports.iter().enumerate().map(start).collect();
        let nats = Self { servers, _folder: folder };
        for port in nats.ports() {
            until("NATS takes an MQTT session", UP, || takes_a_session(port), |taken| *taken);
        }
        nats
    }

    /// One server with a configuration file as it is shipped.
    ///
    /// # Panics
    /// If it is not installed or does not come up.
    pub fn with(configuration: &str, mqtt: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder for NATS");
        let process = server(folder.path(), 0, configuration);
        until("NATS accepts connections", UP, || TcpStream::connect(("127.0.0.1", mqtt)).is_ok(), |up| *up);
        Self { servers: vec![(mqtt, Some(process))], _folder: folder }
    }

    /// MQTT ports of all servers, dead ones too.
    pub fn ports(&self) -> Vec<u16> {
        self.servers.iter().map(|(port, _)| *port).collect()
    }

    /// How much a server leads: the cluster itself, and streams in which sessions and messages are kept. Until
    /// another one is elected, which takes NATS four to nine seconds, part of MQTT stands still on all servers.
    pub fn leads(&self, at: usize) -> usize {
        let log = self.log(at);
        let led = ["new stream leader for '$G > $MQTT_", "Self is new JetStream cluster metadata leader"];
        led.iter().map(|what| log.matches(what).count()).sum()
    }

    /// Kills the server at this place, without a word.
    pub fn kill(&mut self, at: usize) {
        if let Some(mut process) = self.servers[at].1.take() {
            process.kill();
        }
    }

    /// What a server has written.
    pub fn log(&self, at: usize) -> String {
        self.servers[at].1.as_ref().map(Process::log).unwrap_or_default()
    }
}

fn server(folder: &Path, at: usize, text: &str) -> Process {
    let config = folder.join(format!("nats{at}.conf"));
    std::fs::write(&config, text).expect("the folder can be written");
    let mut command = Command::new(nats_server());
    command.arg("-c").arg(config);
    Process::start("nats-server", command, folder.join(format!("nats{at}.log")))
}

/// Whether a client is accepted: the sessions are kept in streams, which a cluster must agree on first.
fn takes_a_session(port: u16) -> bool {
    let mut options = rumqttc::MqttOptions::new(format!("probe-{port}"), "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut connection) = rumqttc::Client::new(options, 4);
    let answer = connection.recv_timeout(Duration::from_secs(5));
    let _ended = client.try_disconnect();
    matches!(answer, Ok(Ok(rumqttc::Event::Incoming(rumqttc::Incoming::ConnAck(ack)))) if ack.code == rumqttc::ConnectReturnCode::Success)
}

/// Debian puts it where only root's path looks.
fn nats_server() -> &'static str {
    let debian = "/usr/sbin/nats-server";
    if Path::new(debian).exists() { debian } else { "nats-server" }
}

/// A port that nobody uses at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}
