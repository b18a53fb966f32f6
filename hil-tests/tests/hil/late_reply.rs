//! A reply that comes when nobody waits for it any more. On RTU nothing tells it from the reply to the next request.

use std::path::Path;
use std::time::Duration;

use eisbach_hil_tests::{
    Configuration, ECHO, ECHO_UNIT, Line, Proxy, Rig, Simulator, until, write_echo_profile, wrong_values,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_modbus::Slave;
use tokio_modbus::client::{Context, rtu};
use tokio_modbus::prelude::Reader as _;

const MINUTE: Duration = Duration::from_secs(60);
/// Registers of the device that holds its own addresses.
const A: u16 = 1500;
const B: u16 = 5301;
/// Longer than the agent waits (300 ms), shorter than two times that: it arrives while the next request is under way.
const LATE: &str = "late-reply 450";

fn device(folder: &Path) -> Simulator {
    let model = format!("pump={ECHO}");
    Simulator::start(folder, &["--workload", "idle", "--model", &model, "--rtu-tcp", "pump"])
}

async fn read(master: &mut Context, register: u16, patience: Duration) -> Option<u16> {
    let words = timeout(patience, master.read_input_registers(register, 1)).await.ok()?;
    words.expect("a reply").expect("no exception").first().copied()
}

/// Without this the tests below would prove nothing: it shows that the line really does it.
#[test]
fn the_bare_library_takes_the_late_reply_of_a_for_the_value_of_b() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = device(folder.path());
    let proxy = Proxy::start(folder.path(), Line::RtuOverTcp, simulator.at("/rtu_tcp/address"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let got = runtime.block_on(async {
        let wire = TcpStream::connect(proxy.reached()).await.unwrap();
        let mut master = rtu::attach_slave(wire, Slave(ECHO_UNIT));
        assert_eq!(read(&mut master, A, MINUTE).await, Some(A));
        proxy.fail(&format!("{LATE} times 1"));
        assert_eq!(read(&mut master, A, Duration::from_millis(300)).await, None);
        read(&mut master, B, MINUTE).await
    });
    assert_eq!(got, Some(A), "it is wrong, and nothing says so");
}

/// The agent, on the same line with the same fault.
fn never_takes_it(line: Line) {
    let folder = tempfile::tempdir().unwrap();
    let simulator = device(folder.path());
    let proxy = Proxy::start(folder.path(), line, simulator.at("/rtu_tcp/address"));
    write_echo_profile(folder.path(), 2000);
    let configuration = Configuration::of(folder.path(), &simulator)
        .set("paths", "profiles", folder.path().display().to_string())
        .set("pump", "address", proxy.address())
        .set("pump", "serial", "19200 8N1")
        .set("pump", "profile", ECHO)
        .set("pump", "poll_ms", 50);
    let rig = Rig::assemble(folder, simulator, &configuration);
    let good = || rig.point("pump", "ShaftSpeed")["quality"] == "good";
    until("the pump is read", MINUTE, good, |good| *good);
    // One late reply in many: most requests are answered, so that there is always a next one to be mistaken for.
    for round in 1..=12 {
        proxy.fail(&format!("{LATE} times 1"));
        let (mut wrong, late) = (Vec::new(), || proxy.changed("late-reply"));
        until(
            "the late reply has come and its values are read again",
            MINUTE,
            || {
                let status = rig.status();
                wrong.extend(wrong_values(&status));
                let points = &status["objects"]["pump"]["points"];
                let fresh = |point: &str| points[point]["age_ms"].as_u64().is_some_and(|age| age < 250);
                (
                    late(),
                    ["ShaftSpeed", "InletPressure", "Head"].into_iter().all(fresh),
                    status["state"].clone(),
                )
            },
            |(late, fresh, _)| *late >= round && *fresh,
        );
        assert_eq!(wrong, Vec::<String>::new(), "round {round}");
    }
}

#[test]
fn i01_a_late_reply_of_a_never_becomes_the_value_of_b_on_a_serial_line() {
    never_takes_it(Line::Rtu);
}

#[test]
fn i01_a_late_reply_of_a_never_becomes_the_value_of_b_behind_a_gateway() {
    never_takes_it(Line::RtuOverTcp);
}
