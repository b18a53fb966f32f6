//! The devices over real sockets, spoken to with raw frames: no client library takes part.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    hub: DeviceHub,
    token: CancellationToken,
    tasks: JoinSet<()>,
}

impl Bench {
    fn new() -> Self {
        Self::with(DeviceOptions::default())
    }

    fn with(options: DeviceOptions) -> Self {
        let (token, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let hub = DeviceHub::start(&mut tasks, &token, &options).unwrap();
        Self { hub, token, tasks }
    }

    async fn connect(&self, kind: DeviceKind) -> Master {
        let endpoint = self.hub.endpoint(kind);
        let stream = timeout(PATIENCE, TcpStream::connect(endpoint.address)).await.unwrap().unwrap();
        Master { stream, unit: endpoint.unit, transaction: 0 }
    }

    /// Wait until the counters of `kind` say so.
    async fn until(&self, kind: DeviceKind, reached: impl Fn(Traffic) -> bool) {
        timeout(PATIENCE, async {
            while !reached(self.hub.traffic(kind)) {
                yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}

struct Master {
    stream: TcpStream,
    unit: u8,
    transaction: u16,
}

impl Master {
    async fn send(&mut self, pdu: &[u8]) -> u16 {
        self.transaction += 1;
        let length = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
        let mut frame = self.transaction.to_be_bytes().to_vec();
        frame.extend([0, 0, length[0], length[1], self.unit]);
        frame.extend(pdu);
        self.stream.write_all(&frame).await.unwrap();
        self.transaction
    }

    /// The next answer: its transaction and its PDU.
    async fn receive(&mut self) -> Result<(u16, Vec<u8>), ErrorKind> {
        timeout(PATIENCE, async {
            let mut header = [0; 7];
            self.stream.read_exact(&mut header).await?;
            let [t0, t1, p0, p1, l0, l1, unit] = header;
            assert_eq!((p0, p1, unit), (0, 0, self.unit));
            let mut pdu = vec![0; usize::from(u16::from_be_bytes([l0, l1])) - 1];
            self.stream.read_exact(&mut pdu).await?;
            Ok((u16::from_be_bytes([t0, t1]), pdu))
        })
        .await
        .unwrap()
        .map_err(|error: std::io::Error| error.kind())
    }

    async fn ask(&mut self, pdu: &[u8]) -> Vec<u8> {
        let sent = self.send(pdu).await;
        let (transaction, answer) = self.receive().await.unwrap();
        assert_eq!(transaction, sent);
        answer
    }

    async fn registers(&mut self, address: u16, count: u16) -> Vec<u16> {
        let ([ah, al], [ch, cl]) = (address.to_be_bytes(), count.to_be_bytes());
        let answer = self.ask(&[3, ah, al, ch, cl]).await;
        assert_eq!(answer[..2], [3, u8::try_from(2 * count).unwrap()]);
        answer[2..].chunks(2).map(|word| u16::from_be_bytes([word[0], word[1]])).collect()
    }

    async fn write(&mut self, address: u16, value: u16) {
        let ([ah, al], [vh, vl]) = (address.to_be_bytes(), value.to_be_bytes());
        assert_eq!(self.ask(&[6, ah, al, vh, vl]).await, [6, ah, al, vh, vl]);
    }
}

fn readings() -> Readings {
    Readings {
        pump: PumpReadings { speed: 0.5, speed_rpm: 1450.0, head_kpa: 80.0, ..PumpReadings::default() },
        valve: ValveReadings { position: 0.25, flow_lpm: 6.0, ..ValveReadings::default() },
        meter: MeterReadings { flow_lpm: 10.0, supply_celsius: 30.0, ..MeterReadings::default() },
        air: AirReadings { temperature_celsius: 21.5, ..AirReadings::default() },
        leak: LeakReadings { leak: true, rope_fault: false },
    }
}

#[tokio::test]
async fn every_device_answers_on_its_own_port() {
    let bench = Bench::new();
    let _ = bench.hub.update(1_000, &readings());
    assert_eq!(bench.hub.endpoints().map(|endpoint| endpoint.kind), DeviceKind::ALL);
    assert_eq!(bench.connect(DeviceKind::Pump).await.registers(303, 1).await, [1450]);
    assert_eq!(bench.connect(DeviceKind::Valve).await.registers(3, 2).await, [4, 2500]);
    assert_eq!(bench.connect(DeviceKind::HeatMeter).await.registers(810, 2).await, [0x41F0, 0]);
    assert_eq!(bench.connect(DeviceKind::AirSensor).await.registers(2, 2).await, [0, 0x41AC]);
    assert_eq!(bench.connect(DeviceKind::LeakRelay).await.ask(&[2, 0, 0, 0, 2]).await, [2, 1, 0b01]);
}

#[tokio::test]
async fn a_rack_cdu_answers_for_three_places_on_one_port() {
    let models = Models::of(["pump=orv3-rpu".parse().unwrap()]).unwrap();
    let bench = Bench::with(DeviceOptions { models, ..DeviceOptions::default() });
    let places = [DeviceKind::Pump, DeviceKind::HeatMeter, DeviceKind::LeakRelay];
    let endpoints = places.map(|kind| bench.hub.endpoint(kind));
    assert_eq!(endpoints.map(|endpoint| endpoint.kind), places);
    assert!(endpoints.iter().all(|at| (at.address, at.unit) == (endpoints[0].address, 12)));

    let _ = bench.hub.update(1_000, &readings());
    let mut master = bench.connect(DeviceKind::HeatMeter).await;
    assert_eq!(master.registers(36864, 2).await, [100, 300], "flow and supply");
    assert_eq!(master.registers(37378, 1).await, [1], "leak");
    master.write(37891, 60).await;
    master.write(37904, 0b10_0000_0010).await;
    let orders = bench.hub.update(1_010, &readings());
    assert!((orders.pump_speed - 0.6).abs() < 1e-9);
    assert_eq!(bench.hub.write_log(DeviceKind::Pump), bench.hub.write_log(DeviceKind::LeakRelay));

    bench.hub.fault(DeviceKind::LeakRelay, Fault::Silent);
    master.send(&[3, 0x90, 0, 0, 1]).await;
    bench.until(DeviceKind::Pump, |traffic| traffic.swallowed == 1).await;
}

#[tokio::test]
async fn holding_and_input_registers_are_two_tables_where_the_map_has_two() {
    let models = Models::of(["pump=generic-pump", "meter=address-echo"].map(|text| text.parse().unwrap()));
    let bench = Bench::with(DeviceOptions { models: models.unwrap(), ..DeviceOptions::default() });
    let _ = bench.hub.update(1_000, &readings());
    let mut pump = bench.connect(DeviceKind::Pump).await;
    assert_eq!(pump.registers(0, 2).await, [8000, 1]);
    assert_eq!(pump.ask(&[4, 0, 0, 0, 2]).await, [4, 4, 0x13, 0x88, 0, 0b0101], "50 %, running in remote");
    let mut echo = bench.connect(DeviceKind::HeatMeter).await;
    echo.write(0xABCD, 7).await;
    assert_eq!(echo.registers(0xABCC, 3).await, [0xABCC, 7, 0xABCE]);
    assert_eq!(echo.ask(&[4, 0xAB, 0xCD, 0, 1]).await, [4, 2, 0xAB, 0xCD]);
    assert_eq!(echo.ask(&[2, 0, 0, 0, 4]).await, [2, 1, 0b1010]);
    let orders = bench.hub.update(1_100, &readings());
    assert_eq!(orders, Orders { pump_run: true, pump_speed: 0.8, valve_position: 0.0 });
}

#[tokio::test]
async fn a_write_becomes_an_order_and_is_logged() {
    let bench = Bench::new();
    let _ = bench.hub.update(7_000, &readings());
    let mut pump = bench.connect(DeviceKind::Pump).await;
    let block = [16, 0, 100, 0, 4, 8, 0, 3, 0, 0, 0, 0, 0x11, 0x94]; // remote, on; constant speed; auto; 45.00 %
    assert_eq!(pump.ask(&block).await, [16, 0, 100, 0, 4]);
    bench.connect(DeviceKind::Valve).await.write(0, 6_000).await;
    let orders = bench.hub.update(7_100, &readings());
    assert_eq!(orders, Orders { pump_run: true, pump_speed: 0.45, valve_position: 0.6 });
    let log = bench.hub.write_log(DeviceKind::Pump);
    assert_eq!(
        log.iter().map(|w| (w.address, w.value)).collect::<Vec<_>>(),
        [(100, 3), (101, 0), (102, 0), (103, 4500)]
    );
    assert_eq!(log[0].plant_ms, 7_000);
    assert_eq!(bench.hub.traffic(DeviceKind::Pump).writes, 4);
}

#[tokio::test]
async fn exceptions_leave_the_connection_open() {
    let bench = Bench::new();
    let mut pump = bench.connect(DeviceKind::Pump).await;
    assert_eq!(pump.ask(&[3, 0, 100, 0, 0]).await, [0x83, 3], "no register");
    assert_eq!(pump.ask(&[3, 0, 100, 0, 126]).await, [0x83, 3], "too many registers");
    assert_eq!(pump.ask(&[3, 0, 50, 0, 1]).await, [0x83, 2], "undefined");
    assert_eq!(pump.ask(&[1, 0, 0, 0, 1]).await, [0x81, 1], "no coils");
    assert_eq!(pump.ask(&[6, 0, 103, 0xFF, 0xFF]).await, [0x86, 3], "655.35 %");
    assert_eq!(pump.registers(29, 3).await, [2, 1, 1]);
    assert_eq!(bench.hub.traffic(DeviceKind::Pump).exceptions, 5);
}

#[tokio::test]
async fn another_unit_gets_no_answer() {
    let bench = Bench::new();
    let mut pump = bench.connect(DeviceKind::Pump).await;
    pump.unit = 9;
    pump.send(&[3, 0, 29, 0, 1]).await;
    pump.unit = DeviceKind::Pump.unit();
    assert_eq!(pump.registers(30, 1).await, [1], "the first answer is to the second request");
    assert_eq!(bench.hub.traffic(DeviceKind::Pump).foreign, 1);
}

#[tokio::test]
async fn rubbish_ends_the_connection() {
    let bench = Bench::new();
    let mut pump = bench.connect(DeviceKind::Pump).await;
    pump.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(pump.receive().await.is_err());
    bench.until(DeviceKind::Pump, |traffic| traffic.malformed == 1 && traffic.open_connections == 0).await;
}

#[tokio::test]
async fn a_silent_device_hears_nothing_and_falls_back() {
    let bench = Bench::new();
    let mut pump = bench.connect(DeviceKind::Pump).await;
    pump.write(100, 3).await;
    bench.hub.fault(DeviceKind::Pump, Fault::Silent);
    pump.send(&[3, 0, 200, 0, 1]).await;
    bench.until(DeviceKind::Pump, |traffic| traffic.swallowed == 1).await;
    let orders = bench.hub.update(5_000, &readings());
    assert_eq!((orders.pump_run, orders.pump_speed), (true, 0.8), "local");
    bench.hub.clear(DeviceKind::Pump);
    assert_eq!(pump.registers(100, 1).await, [2], "the first answer is to the second request");
}

#[tokio::test]
async fn a_refusing_device_cuts_and_refuses_and_comes_back_on_its_port() {
    let bench = Bench::new();
    let address = bench.hub.endpoint(DeviceKind::Valve).address;
    let mut before = bench.connect(DeviceKind::Valve).await;
    assert_eq!(before.registers(3, 1).await, [4]);
    bench.hub.fault(DeviceKind::Valve, Fault::Refuse);
    assert_eq!(before.receive().await, Err(ErrorKind::ConnectionReset));
    let refused = async {
        loop {
            match TcpStream::connect(address).await {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
                _ => yield_now().await,
            }
        }
    };
    timeout(PATIENCE, refused).await.unwrap();

    bench.hub.clear(DeviceKind::Valve);
    let back = async {
        loop {
            if let Ok(stream) = TcpStream::connect(address).await {
                break stream;
            }
            yield_now().await;
        }
    };
    let stream = timeout(PATIENCE, back).await.unwrap();
    let mut after = Master { stream, unit: DeviceKind::Valve.unit(), transaction: 0 };
    assert_eq!(after.registers(3, 1).await, [4]);
}

#[tokio::test]
async fn a_reset_reaches_open_and_new_connections() {
    let bench = Bench::new();
    let mut open = bench.connect(DeviceKind::HeatMeter).await;
    assert_eq!(open.registers(0, 1).await, [0xC1]);
    bench.hub.fault(DeviceKind::HeatMeter, Fault::Reset);
    assert_eq!(open.receive().await, Err(ErrorKind::ConnectionReset));
    let mut new = bench.connect(DeviceKind::HeatMeter).await;
    assert_eq!(new.receive().await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_reset_that_is_cleared_at_once_is_still_a_reset() {
    let bench = Bench::new();
    let mut open = bench.connect(DeviceKind::HeatMeter).await;
    assert_eq!(open.registers(0, 1).await, [0xC1]);
    bench.hub.fault(DeviceKind::HeatMeter, Fault::Reset);
    bench.hub.clear(DeviceKind::HeatMeter);
    assert_eq!(open.receive().await, Err(ErrorKind::ConnectionReset));
    assert_eq!(bench.connect(DeviceKind::HeatMeter).await.registers(0, 1).await, [0xC1]);
}

#[tokio::test]
async fn a_late_device_answers_after_a_prompt_one_asked_later() {
    let bench = Bench::new();
    bench.hub.fault(DeviceKind::AirSensor, Fault::Late { delay_ms: 500 });
    let mut late = bench.connect(DeviceKind::AirSensor).await;
    let mut prompt = bench.connect(DeviceKind::HeatMeter).await;
    late.send(&[3, 0x1F, 0, 0, 1]).await;
    bench.until(DeviceKind::AirSensor, |traffic| traffic.requests == 1).await;
    prompt.send(&[3, 0, 0, 0, 1]).await;
    let first = tokio::select! {
        _ = late.receive() => DeviceKind::AirSensor,
        _ = prompt.receive() => DeviceKind::HeatMeter,
    };
    assert_eq!(first, DeviceKind::HeatMeter);
    assert_eq!(late.receive().await, Ok((1, vec![3, 2, 0xCF, 0xC7])), "late, and right");
}

#[tokio::test]
async fn a_frozen_device_keeps_its_values_but_obeys() {
    let bench = Bench::new();
    let _ = bench.hub.update(1_000, &readings());
    bench.hub.fault(DeviceKind::Valve, Fault::Frozen);
    let mut valve = bench.connect(DeviceKind::Valve).await;
    valve.write(0, 9_000).await;
    let moved = Readings { valve: ValveReadings { position: 0.9, ..readings().valve }, ..readings() };
    assert!(bench.hub.update(2_000, &moved).valve_position > 0.89);
    assert_eq!(valve.registers(4, 1).await, [2500]);
    bench.hub.clear(DeviceKind::Valve);
    let _ = bench.hub.update(3_000, &moved);
    assert_eq!(valve.registers(4, 1).await, [9000]);
}

#[tokio::test]
async fn values_that_are_not_available_carry_each_vendors_marker() {
    let bench = Bench::new();
    let _ = bench.hub.update(1_000, &readings());
    for kind in DeviceKind::ALL {
        bench.hub.fault(kind, Fault::Unavailable);
    }
    let _ = bench.hub.update(2_000, &readings());
    assert_eq!(bench.connect(DeviceKind::Pump).await.registers(300, 1).await, [0xFFFF]);
    assert_eq!(bench.connect(DeviceKind::Valve).await.registers(4, 1).await, [0xFFFF]);
    assert_eq!(bench.connect(DeviceKind::HeatMeter).await.registers(810, 2).await, [0x7FC0, 0]);
    assert_eq!(bench.connect(DeviceKind::AirSensor).await.registers(2, 2).await, [0, 0x7FC0]);
    assert_eq!(bench.connect(DeviceKind::LeakRelay).await.ask(&[2, 0, 0, 0, 2]).await, [2, 1, 0b10]);
}

#[tokio::test]
async fn beyond_the_connection_limit_connections_are_closed() {
    let bench = Bench::with(DeviceOptions { connection_limit: 2, ..DeviceOptions::default() });
    let mut first = bench.connect(DeviceKind::Pump).await;
    let mut second = bench.connect(DeviceKind::Pump).await;
    assert_eq!((first.registers(29, 1).await, second.registers(29, 1).await), (vec![2], vec![2]));
    assert!(bench.connect(DeviceKind::Pump).await.receive().await.is_err());

    bench.hub.fault(DeviceKind::Pump, Fault::ConnectionLimit(1));
    drop(second);
    bench.until(DeviceKind::Pump, |traffic| traffic.open_connections == 1).await;
    assert!(bench.connect(DeviceKind::Pump).await.receive().await.is_err());
    assert_eq!(first.registers(30, 1).await, [1], "the one that was there stays");
    assert_eq!(bench.hub.traffic(DeviceKind::Pump).turned_away, 2);
}

#[tokio::test]
async fn cancelling_ends_all_tasks_and_connections() {
    let mut bench = Bench::new();
    let mut pump = bench.connect(DeviceKind::Pump).await;
    assert_eq!(pump.registers(29, 1).await, [2]);
    bench.token.cancel();
    timeout(PATIENCE, async { while bench.tasks.join_next().await.is_some() {} }).await.unwrap();
    assert!(pump.receive().await.is_err());
    assert_eq!(bench.hub.traffic(DeviceKind::Pump).open_connections, 0);
}

#[tokio::test]
async fn a_taken_port_is_named_in_the_error() {
    let bench = Bench::new();
    let taken = bench.hub.endpoint(DeviceKind::Pump).address.port();
    let options = DeviceOptions { ports: [0, taken, 0, 0, 0], ..DeviceOptions::default() };
    let error = DeviceHub::start(&mut JoinSet::new(), &CancellationToken::new(), &options).unwrap_err();
    assert!(error.to_string().contains(&format!("127.0.0.1:{taken} for the device Valve")), "{error}");
}
