//! The proxy between a client that speaks raw bytes and real simulated devices.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::yield_now;
use tokio_serial::{SerialPortBuilderExt as _, SerialStream};

use super::*;
use crate::devices::accept::listen;
use crate::devices::line::Line as SerialLine;
use crate::devices::mbap::Frame;
use crate::devices::rtu::encode;
use crate::devices::{DeviceHub, DeviceKind, DeviceOptions, Readings, ValveReadings};

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Any port.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The pump's unit family and type, and the answer to that.
const READ: [u8; 5] = [3, 0, 29, 0, 2];
const READ_ANSWER: [u8; 6] = [3, 4, 0, 2, 0, 1];
/// The pump's unit version, and the answer to that.
const OTHER: [u8; 5] = [3, 0, 31, 0, 1];
const OTHER_ANSWER: [u8; 4] = [3, 2, 0, 1];
/// The pump's set-point.
const WRITE: [u8; 5] = [6, 0, 103, 0x11, 0x94];

struct Bench {
    hub: DeviceHub,
    proxy: Proxy,
    token: CancellationToken,
    tasks: JoinSet<()>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(line: Line) -> Self {
        let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
        let folder = tempfile::tempdir().unwrap();
        let hub = DeviceHub::start(&mut tasks, &token, &DeviceOptions::default()).unwrap();
        let pump = hub.endpoint(DeviceKind::Pump);
        let gateway = |tasks: &mut JoinSet<()>| {
            let valve = hub.endpoint(DeviceKind::Valve);
            let (listener, address) = listen(ANY).unwrap();
            SerialLine::new([pump, valve].map(|end| (end.unit, end.address)))
                .serve_tcp(listener, tasks, &token);
            address
        };
        let (front, upstream) = match line {
            Line::Tcp => (Front::Tcp(ANY), pump.address),
            Line::RtuOverTcp => (Front::RtuOverTcp(ANY), gateway(&mut tasks)),
            Line::Pty => (Front::Pty(folder.path().join("serial")), gateway(&mut tasks)),
        };
        let proxy = Proxy::start(&mut tasks, &token, ProxyOptions { front, upstream }).unwrap();
        Self { hub, proxy, token, tasks, folder }
    }

    /// A bench with a fault, given by its words, and a master on it.
    async fn faulty(line: Line, words: &str) -> (Self, Master<TcpStream>) {
        let bench = Self::new(line);
        let master = bench.connect().await;
        assert_eq!(bench.proxy.command(words), "ok", "{words}");
        (bench, master)
    }

    async fn connect(&self) -> Master<TcpStream> {
        let Reached::Tcp(address) = self.proxy.reached_at() else { panic!("a serial port") };
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap();
        Master { stream, line: self.proxy.line(), transaction: 0 }
    }

    fn serial(&self) -> Master<SerialStream> {
        let path = self.proxy.reached_at().to_string();
        let stream = tokio_serial::new(path, 19_200).open_native_async().unwrap();
        Master { stream, line: Line::Pty, transaction: 0 }
    }

    fn changed(&self, words: &str) -> u64 {
        self.proxy.counts(words.parse::<Injection>().unwrap().fault).changed
    }

    /// Requests that have reached the pump.
    fn heard(&self) -> u64 {
        self.hub.traffic(DeviceKind::Pump).requests
    }
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

struct Master<S> {
    stream: S,
    line: Line,
    transaction: u16,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Master<S> {
    /// A frame of this master's line.
    fn frame(&self, transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
        match self.line {
            Line::Tcp => Frame { transaction, unit, pdu: pdu.to_vec() }.encode(),
            Line::RtuOverTcp | Line::Pty => encode(unit, pdu),
        }
    }

    async fn send(&mut self, unit: u8, pdu: &[u8]) {
        self.transaction += 1;
        let bytes = self.frame(self.transaction, unit, pdu);
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn receive(&mut self, bytes: usize) -> Result<Vec<u8>, ErrorKind> {
        let mut received = vec![0; bytes];
        let read = timeout(PATIENCE, self.stream.read_exact(&mut received)).await.unwrap();
        read.map(|_| received).map_err(|error| error.kind())
    }

    /// The next bytes are exactly these.
    async fn expect(&mut self, bytes: &[u8]) {
        assert_eq!(self.receive(bytes.len()).await.unwrap(), bytes);
    }

    /// The next frame is the answer to the last request.
    async fn expect_answer(&mut self, pdu: &[u8]) {
        let answer = self.frame(self.transaction, 1, pdu);
        self.expect(&answer).await;
    }

    async fn exchange(&mut self, pdu: &[u8], answer: &[u8]) {
        self.send(1, pdu).await;
        self.expect_answer(answer).await;
    }

    /// After the fault everything is well.
    async fn is_well(&mut self) {
        self.exchange(&READ, &READ_ANSWER).await;
        self.exchange(&WRITE, &WRITE).await;
    }
}

#[tokio::test]
async fn without_a_fault_every_byte_passes() {
    for line in [Line::Tcp, Line::RtuOverTcp] {
        let bench = Bench::new(line);
        let mut master = bench.connect().await;
        master.is_well().await;
        master.exchange(&[3, 0, 50, 0, 1], &[0x83, 2]).await;
        assert_eq!(bench.proxy.clean(), Counts { seen: 6, changed: 0 });
    }
    let bench = Bench::new(Line::Pty);
    bench.serial().is_well().await;
}

/// What one faulty exchange on Modbus TCP looks like, transaction 1 and unit 1.
const SPOILED: [(&str, &[u8], &[u8]); 14] = [
    ("wrong-transaction", &READ, &[0, 2, 0, 0, 0, 7, 1, 3, 4, 0, 2, 0, 1]),
    ("wrong-unit", &READ, &[0, 1, 0, 0, 0, 7, 2, 3, 4, 0, 2, 0, 1]),
    ("wrong-unit", &WRITE, &[0, 1, 0, 0, 0, 6, 2, 6, 0, 103, 0x11, 0x94]),
    ("wrong-function", &READ, &[0, 1, 0, 0, 0, 7, 1, 4, 4, 0, 2, 0, 1]),
    ("wrong-length short", &READ, &[0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 2]),
    ("wrong-length long", &READ, &[0, 1, 0, 0, 0, 9, 1, 3, 6, 0, 2, 0, 1, 0xAA, 0xAA]),
    ("wrong-echo address", &WRITE, &[0, 1, 0, 0, 0, 6, 1, 6, 0, 104, 0x11, 0x94]),
    ("wrong-echo value", &WRITE, &[0, 1, 0, 0, 0, 6, 1, 6, 0, 103, 0x11, 0x95]),
    ("crc-flip", &READ, &[0, 1, 0, 1, 0, 7, 1, 3, 4, 0, 2, 0, 1]),
    ("marker ffff", &READ, &[0, 1, 0, 0, 0, 7, 1, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF]),
    ("marker nan", &READ, &[0, 1, 0, 0, 0, 7, 1, 3, 4, 0x7F, 0xC0, 0x7F, 0xC0]),
    ("exception 6", &WRITE, &[0, 1, 0, 0, 0, 3, 1, 0x86, 6]),
    ("slow-drip 1", &READ, &[0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 2, 0, 1]),
    ("babble", &READ, &[0xFF, 0xFF, 0, 0, 0, 5, 1, 3, 2, 0xBA, 0xBB, 0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 2, 0, 1]),
];

#[tokio::test]
async fn a_spoiled_reply_is_wrong_in_one_place_and_the_next_is_right() {
    for (words, request, answer) in SPOILED {
        let (bench, mut master) = Bench::faulty(Line::Tcp, &format!("{words} times 1")).await;
        master.send(1, request).await;
        master.expect(answer).await;
        assert_eq!((bench.changed(words), bench.proxy.injection()), (1, None), "{words}");
        master.is_well().await;
    }
}

#[tokio::test]
async fn a_fault_keeps_to_the_requests_it_is_for() {
    let (bench, mut master) = Bench::faulty(Line::Tcp, "marker ffff").await;
    master.exchange(&WRITE, &WRITE).await;
    bench.proxy.set("wrong-unit only writes".parse::<Injection>().unwrap()).unwrap();
    master.exchange(&READ, &READ_ANSWER).await;
    assert_eq!(bench.changed("wrong-unit"), 0);
    master.send(1, &WRITE).await;
    let wrong = master.frame(3, 2, &WRITE);
    master.expect(&wrong).await;
}

#[tokio::test]
async fn a_late_reply_keeps_its_transaction_and_its_place() {
    for line in [Line::Tcp, Line::RtuOverTcp] {
        let (bench, mut master) = Bench::faulty(line, "late-reply 50 times 1").await;
        master.send(1, &READ).await;
        until(|| bench.changed("late-reply 1") == 1).await;
        master.send(1, &OTHER).await;
        let late = master.frame(1, 1, &READ_ANSWER);
        master.expect(&late).await;
        master.expect_answer(&OTHER_ANSWER).await;
    }
}

#[tokio::test]
async fn one_behind_answers_with_the_reply_before() {
    let (bench, mut master) = Bench::faulty(Line::RtuOverTcp, "one-behind").await;
    master.send(1, &READ).await;
    until(|| bench.changed("one-behind") == 1).await;
    master.send(1, &OTHER).await;
    master.expect(&encode(1, &READ_ANSWER)).await;
    until(|| bench.changed("one-behind") == 2).await;
    bench.proxy.clear();
    master.send(1, &WRITE).await;
    master.expect(&[encode(1, &OTHER_ANSWER), encode(1, &WRITE)].concat()).await;
    master.is_well().await;
}

#[tokio::test]
async fn a_gateway_hands_a_late_reply_to_the_next_master() {
    let (bench, mut master) = Bench::faulty(Line::RtuOverTcp, "one-behind").await;
    master.send(1, &READ).await;
    until(|| bench.changed("one-behind") == 1).await;
    drop(master);
    let mut next = bench.connect().await;
    next.send(1, &OTHER).await;
    next.expect(&encode(1, &READ_ANSWER)).await;
}

#[tokio::test]
async fn half_a_frame_ends_a_tcp_connection_in_silence() {
    let (bench, mut master) = Bench::faulty(Line::Tcp, "half-frame times 1").await;
    master.send(1, &READ).await;
    master.expect(&[0, 1, 0, 0, 0, 7]).await;
    master.send(1, &OTHER).await;
    until(|| bench.proxy.clean().seen == 2).await;
    assert_eq!(master.stream.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    bench.connect().await.is_well().await;
}

#[tokio::test]
async fn half_a_frame_on_a_serial_line_is_followed_by_whole_ones() {
    let (_bench, mut master) = Bench::faulty(Line::RtuOverTcp, "half-frame times 1").await;
    master.send(1, &READ).await;
    master.expect(&encode(1, &READ_ANSWER)[..4]).await;
    master.is_well().await;
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let (bench, mut master) = Bench::faulty(Line::Tcp, "reset").await;
    master.send(1, &READ).await;
    assert_eq!(master.receive(1).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(bench.heard(), 0);
    bench.proxy.clear();
    bench.connect().await.is_well().await;
}

#[tokio::test]
async fn a_silent_device_hears_nothing() {
    for line in [Line::Tcp, Line::RtuOverTcp] {
        let (bench, mut master) = Bench::faulty(line, "accept-silent").await;
        master.send(1, &READ).await;
        until(|| bench.changed("accept-silent") == 1).await;
        bench.proxy.clear();
        master.exchange(&OTHER, &OTHER_ANSWER).await;
        assert_eq!(bench.heard(), 1);
    }
}

#[tokio::test]
async fn beyond_the_connection_limit_connections_are_closed() {
    let (bench, mut first) = Bench::faulty(Line::Tcp, "connection-limit 1").await;
    first.is_well().await;
    assert_eq!(bench.connect().await.receive(1).await, Err(ErrorKind::UnexpectedEof));
    assert_eq!(bench.changed("connection-limit 1"), 1);
    first.is_well().await;
    drop(first);
    bench.proxy.clear();
    bench.connect().await.is_well().await;
}

#[tokio::test]
async fn a_frozen_wire_repeats_reads_and_carries_writes() {
    let bench = Bench::new(Line::RtuOverTcp);
    let mut master = bench.connect().await;
    let position = |percent: f64| {
        let valve = ValveReadings { position: percent / 100.0, ..ValveReadings::default() };
        let _ = bench.hub.update(1_000, &Readings { valve, ..Readings::default() });
    };
    let read = [3, 0, 4, 0, 1];
    position(25.0);
    bench.proxy.set(WireFault::Frozen).unwrap();
    for percent in [25.0, 90.0] {
        position(percent);
        master.send(2, &read).await;
        master.expect(&encode(2, &[3, 2, 0x09, 0xC4])).await;
    }
    master.is_well().await;
    assert_eq!(bench.hub.write_log(DeviceKind::Pump).len(), 1);
    assert_eq!(bench.changed("frozen"), 1);
    bench.proxy.clear();
    master.send(2, &read).await;
    master.expect(&encode(2, &[3, 2, 0x23, 0x28])).await;
}

#[tokio::test]
async fn a_foreign_writer_writes_as_often_as_it_is_told() {
    for line in [Line::Tcp, Line::RtuOverTcp, Line::Pty] {
        let bench = Bench::new(line);
        assert_eq!(bench.proxy.command("foreign-writer 1 103 2500 1 times 3"), "ok");
        until(|| bench.proxy.injection().is_none()).await;
        let log = bench.hub.write_log(DeviceKind::Pump);
        let log: Vec<_> = log.iter().map(|write| (write.address, write.value)).collect();
        assert_eq!(log, [(103, 2500); 3], "{line:?}");
    }
}

#[tokio::test]
async fn a_restarted_unit_cuts_and_has_its_default() {
    for line in [Line::Tcp, Line::RtuOverTcp] {
        let bench = Bench::new(line);
        let mut master = bench.connect().await;
        master.is_well().await;
        bench.proxy.set(WireFault::UnitRestart { unit: 1, address: 103, value: 1000 }).unwrap();
        assert_eq!(master.receive(1).await, Err(ErrorKind::ConnectionReset));
        until(|| bench.proxy.injection().is_none()).await;
        bench.connect().await.exchange(&[3, 0, 103, 0, 1], &[3, 2, 0x03, 0xE8]).await;
    }
}

#[tokio::test]
async fn one_silent_unit_leaves_the_others_alone() {
    let bench = Bench::new(Line::Pty);
    let mut master = bench.serial();
    bench.proxy.set(WireFault::SilentUnit(1)).unwrap();
    master.send(1, &READ).await;
    master.send(2, &[3, 0, 3, 0, 1]).await;
    master.expect(&encode(2, &[3, 2, 0, 4])).await;
    assert_eq!((bench.heard(), bench.changed("silent-unit 1")), (0, 1));
    bench.proxy.clear();
    master.is_well().await;
}

#[tokio::test]
async fn on_a_serial_line_the_master_hears_noise_itself_and_wrong_checksums() {
    let bench = Bench::new(Line::Pty);
    let mut master = bench.serial();
    let right = encode(1, &READ_ANSWER);
    let mut wrong = right.clone();
    *wrong.last_mut().unwrap() ^= 1;
    for (words, heard) in [
        ("crc-flip", wrong),
        ("echo", [encode(1, &READ), right.clone()].concat()),
        ("babble", [vec![0x00, 0xFF, 0x55, 0xFF, 0xAA, 0x00], right].concat()),
        ("exception 11", encode(1, &[0x83, 11])),
        ("wrong-unit", encode(2, &READ_ANSWER)),
    ] {
        assert_eq!(bench.proxy.command(&format!("{words} times 1")), "ok");
        master.send(1, &READ).await;
        master.expect(&heard).await;
        master.is_well().await;
    }
}

#[tokio::test]
async fn a_device_that_is_away_resets_its_masters_and_is_found_again() {
    let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
    let (listener, upstream) = listen(ANY).unwrap();
    drop(listener);
    let proxy = Proxy::start(&mut tasks, &token, ProxyOptions { front: Front::Tcp(ANY), upstream }).unwrap();
    let Reached::Tcp(address) = *proxy.reached_at() else { panic!("a serial port") };
    let mut master = TcpStream::connect(address).await.unwrap();
    let reset = timeout(PATIENCE, master.read_u8()).await.unwrap();
    assert_eq!(reset.unwrap_err().kind(), ErrorKind::ConnectionReset);

    let ports = [upstream.port(), 0, 0, 0, 0];
    let options = DeviceOptions { ports, ..DeviceOptions::default() };
    let _hub = DeviceHub::start(&mut tasks, &token, &options).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    Master { stream, line: Line::Tcp, transaction: 0 }.is_well().await;
}

#[tokio::test]
async fn what_is_not_modbus_ends_the_connection() {
    let bench = Bench::new(Line::Tcp);
    let mut master = bench.connect().await;
    master.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(master.receive(1).await.is_err());
}

#[tokio::test]
async fn words_set_and_tell() {
    let bench = Bench::new(Line::Pty);
    let ask = |words| bench.proxy.command(words);
    assert_eq!(ask("fault"), "none");
    assert_eq!(ask("late-reply 700 only reads times 2"), "ok");
    assert_eq!(ask("fault"), "late-reply 700 only reads times 2");
    assert!(ask("wrong-transaction").starts_with("error: wrong-transaction cannot happen"));
    assert!(ask("late-reply").starts_with("error: \"late-reply\" is no fault"));
    assert_eq!(ask("fault"), "late-reply 700 only reads times 2", "an error changes nothing");
    assert_eq!(ask("clear"), "ok");
    assert!(ask("faults").contains("crc-flip") && !ask("faults").contains("wrong-transaction"));
    assert!(ask("counts").contains("\"late-reply\":{\"seen\":0,\"changed\":0}"));
}

#[tokio::test]
async fn cancelling_ends_all_tasks_in_the_middle_of_everything() {
    for line in [Line::Tcp, Line::RtuOverTcp, Line::Pty] {
        let mut bench = Bench::new(line);
        bench.proxy.set(WireFault::ForeignWriter { unit: 1, address: 103, value: 1, every_ms: 1 }).unwrap();
        if line != Line::Pty {
            let mut master = bench.connect().await;
            master.is_well().await;
            bench.proxy.set(WireFault::LateReply { ms: 60_000 }).unwrap();
            master.send(1, &READ).await;
        }
        bench.token.cancel();
        timeout(PATIENCE, async { while bench.tasks.join_next().await.is_some() {} }).await.unwrap();
        assert_eq!(bench.folder.path().read_dir().unwrap().count(), 0, "no link is left");
    }
}

#[tokio::test]
async fn a_taken_port_is_named_in_the_error() {
    let (_listener, address) = listen(ANY).unwrap();
    let options = ProxyOptions { front: Front::Tcp(address), upstream: ANY };
    let error = Proxy::start(&mut JoinSet::new(), &CancellationToken::new(), options).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}
