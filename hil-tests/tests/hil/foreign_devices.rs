//! The agent on devices that are not ours: a pump and a valve served by pymodbus, the rest simulated.

use std::time::Duration;

use eisbach_hil_tests::{Configuration, PlantRoom, Rig, SerialCable, Simulator, until};

const MINUTE: Duration = Duration::from_secs(60);
const PUMP: u8 = 1;
const VALVE: u8 = 2;
/// On, by remote control.
const RUN: u16 = 3;

/// Control goes through a foreign stack: values come in, set-points go out and take effect.
fn is_controlled(rig: &Rig, room: &PlantRoom) {
    rig.settle();
    let shown =
        || (rig.number("pump", "Head"), rig.number("pump", "Power"), rig.number("pump", "ShaftSpeed"));
    until("the pump is read", MINUTE, shown, |shown| *shown == (Some(74.1), Some(742.0), Some(2900.0)));
    let shown = || (rig.number("valve", "RecoveryInlet"), rig.number("valve", "RecoveredPower"));
    until("the valve is read", MINUTE, shown, |shown| *shown == (Some(30.5), Some(1234.0)));
    assert!(room.written(PUMP, 100).iter().all(|word| *word == RUN), "{:?}", room.written(PUMP, 100));
    follows(rig, room, ("pump", "SpeedSetpoint", "Speed"), (PUMP, 103));
    follows(rig, room, ("valve", "PositionSetpoint", "Position"), (VALVE, 0));

    let before = room.written(PUMP, 103).last().copied().unwrap();
    rig.event("load-full");
    let newest = || room.written(PUMP, 103).last().copied().unwrap();
    until("more load means more flow", MINUTE, newest, |speed| *speed > before + 500);
    follows(rig, room, ("pump", "SpeedSetpoint", "Speed"), (PUMP, 103));
    for alarm in ["pump_silent", "valve_silent", "set_point_ignored", "foreign_writer", "wrong_device"] {
        assert!(!rig.alarms().iter().any(|standing| standing == alarm), "{:?}", rig.alarms());
    }
}

/// What the agent asks for is what was written, and what it reads back.
fn follows(
    rig: &Rig,
    room: &PlantRoom,
    (device, asked, seen): (&str, &str, &str),
    (unit, register): (u8, u16),
) {
    let look = || {
        let written = room.written(unit, register).last().map(|word| f64::from(*word) / 100.0);
        (rig.number(device, asked), written, rig.number(device, seen))
    };
    let near = |one: f64, other: f64| (one - other).abs() < 1.5;
    until(
        &format!("the {device} follows"),
        MINUTE,
        look,
        |(asked, written, seen)| matches!((asked, written, seen), (Some(asked), Some(written), Some(seen)) if near(*asked, *written) && near(*written, *seen)),
    );
}

/// Everything written by the agent is one of its set-points, and nothing else was touched.
fn nothing_else_is_written(room: &PlantRoom) {
    let allowed = [(PUMP.into(), 100), (PUMP.into(), 103), (VALVE.into(), 0)];
    assert_eq!(room.touched(), allowed.into());
}

#[test]
fn the_agent_controls_a_pymodbus_plant_room_over_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(folder.path(), &["--workload", "idle"]);
    let room = PlantRoom::on_tcp(folder.path());
    let configuration = Configuration::of(folder.path(), &simulator)
        .set("pump", "address", room.reached())
        .set("valve", "address", room.reached());
    let rig = Rig::assemble(folder, simulator, &configuration);
    is_controlled(&rig, &room);
    nothing_else_is_written(&room);
}

#[test]
fn the_agent_controls_a_pymodbus_plant_room_over_rtu() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(folder.path(), &["--workload", "idle"]);
    let cable = SerialCable::lay(folder.path());
    let [master, slave] = cable.ends();
    let room = PlantRoom::on_rtu(folder.path(), slave);
    let address = format!("rtu:{}", master.display());
    let mut configuration = Configuration::of(folder.path(), &simulator);
    for device in ["pump", "valve"] {
        configuration =
            configuration.set(device, "address", address.as_str()).set(device, "serial", "19200 8N1");
    }
    let rig = Rig::assemble(folder, simulator, &configuration);
    is_controlled(&rig, &room);
    nothing_else_is_written(&room);
}
