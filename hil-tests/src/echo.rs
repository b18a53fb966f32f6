//! The simulator's device whose every register reads as its own address, and a profile for it as a pump.
//!
//! What the agent shows of it is known beforehand, so a value that belongs to another register, another unit or
//! nobody is seen. Registers are far apart, so that each value has a request of its own; the values are as
//! different as their addresses.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tokio_modbus::Slave;
use tokio_modbus::client::tcp;
use tokio_modbus::prelude::Reader as _;

/// Its name as a model of the simulator and as a profile.
pub const ECHO: &str = "address-echo";
/// Its unit as the simulator's pump.
pub const ECHO_UNIT: u8 = 1;
/// Where the agent writes the speed, 0.01 %, and reads it too.
pub const SPEED_REGISTER: u16 = 3103;
/// Where the agent writes that the pump shall run.
const RUN_REGISTER: u16 = 3;

/// Point of the pump, table, address, encoding, scale, highest possible value. Values of 32 bits lie in two
/// registers, high word first.
const POINTS: [(&str, &str, &str, u16, &str, &str, &str); 6] = [
    ("Running", "pump_running", "discrete", 2001, "{ bit = 0 }", "1.0", "1.0"),
    ("Speed", "pump_speed", "holding", SPEED_REGISTER, "\"u16\"", "0.01", "200.0"),
    ("Head", "pump_head", "input", 17_096, "\"f32\"", "1.0", "1000.0"),
    ("ShaftSpeed", "pump_rpm", "input", 1500, "\"u16\"", "1.0", "30000.0"),
    ("Power", "pump_power", "input", 700, "\"u32\"", "0.00001", "1000.0"),
    ("InletPressure", "inlet_pressure", "input", 5301, "\"u16\"", "0.1", "2000.0"),
];

/// Writes the profile to `folder`.
pub fn write_echo_profile(folder: &Path, refresh_ms: u32) {
    let mut text = format!(
        r#"
name = "{ECHO}"
device = "Simulated device that reads as its addresses"
[sources]
sim = "eisbach-sim"
[link]
max_words = 16
timeout_ms = 300
[identity]
table = "input"
address = 29
expect = {{ one_of = [29] }}
[watchdog.local_mode]
commission = "nothing: it is no device"
source = "sim"
grade = "A"
[[commands]]
control = "pump_run"
address = {RUN_REGISTER}
form = {{ word = {{ on = 3, off = 1, allow_mask = 3 }} }}
refresh_ms = {refresh_ms}
min_interval_ms = 100
persistence = "volatile"
safe = 1.0
source = "sim"
grade = "A"
[[commands]]
control = "pump_speed"
address = {SPEED_REGISTER}
form = {{ number = {{ scale = 0.01, low = 0.0, high = 100.0, dead_band = 0.1 }} }}
refresh_ms = {refresh_ms}
min_interval_ms = 100
persistence = "volatile"
safe = 100.0
source = "sim"
grade = "A"
"#
    );
    for (_, signal, table, address, encoding, scale, high) in POINTS {
        text.push_str(&format!(
            "[[points]]\nsignal = \"{signal}\"\ntable = \"{table}\"\naddress = {address}\nencoding = {encoding}\n\
             scale = {scale}\nlow = 0.0\nhigh = {high}\nsource = \"sim\"\ngrade = \"A\"\n"
        ));
        if encoding == "\"u16\"" {
            text.push_str("invalid = [65535, 32768]\n");
        }
    }
    std::fs::write(folder.join(format!("{ECHO}.toml")), text).expect("a profile file");
}

/// The pump's points that are not what they must be, whatever their quality: each with what it shows.
pub fn wrong_values(status: &Value) -> Vec<String> {
    let shown = &status["objects"]["pump"]["points"];
    let wrong = |(name, _, _, address, encoding, scale, _): &(&str, &str, &str, u16, &str, &str, &str)| {
        let value = &shown[name]["value"];
        let right = match (value.is_null(), *encoding) {
            (true, _) => true,
            (false, "{ bit = 0 }") => value.as_bool() == Some(true),
            // What was written there is a speed; every other register would read as more than full speed, or as
            // less than the least.
            (false, _) if *address == SPEED_REGISTER => {
                value.as_f64().is_some_and(|speed| (20.0..=100.0).contains(&speed))
            }
            (false, encoding) => {
                let words = (u32::from(*address) << 16) | u32::from(address + 1);
                let raw = match encoding {
                    "\"f32\"" => f64::from(f32::from_bits(words)),
                    "\"u32\"" => f64::from(words),
                    _ => f64::from(*address),
                };
                let wanted = raw * scale.parse::<f64>().expect("a scale is a number");
                value.as_f64().is_some_and(|value| (value / wanted - 1.0).abs() < 1e-5)
            }
        };
        (!right).then(|| format!("{name} = {value} ({})", shown[name]["quality"]))
    };
    POINTS.iter().filter_map(wrong).collect()
}

/// Names of the points, as the agent shows them.
pub fn echo_points() -> impl Iterator<Item = &'static str> {
    POINTS.iter().map(|point| point.0)
}

/// What the device at `address` holds in the registers that do not hold their own address any more.
pub fn written_registers(address: &str) -> Vec<(u16, u16)> {
    let address: SocketAddr = address.parse().expect("host:port");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut device = tcp::connect_slave(address, Slave(ECHO_UNIT)).await.expect("the device answers");
        let mut written = Vec::new();
        for first in (0..20_000).step_by(100) {
            let words =
                device.read_holding_registers(first, 100).await.expect("a reply").expect("no exception");
            written.extend((first..).zip(words).filter(|(register, word)| register != word));
        }
        written
    })
}

/// Whether `written` is nothing but what the agent may write.
pub fn is_allowed(written: &[(u16, u16)]) -> bool {
    written.iter().all(|(register, word)| match *register {
        RUN_REGISTER => *word == 1 || *word == 3,
        SPEED_REGISTER => (2000..=10_000).contains(word),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(head: f64, power: &Value) -> Value {
        json!({"objects": {"pump": {"points": {
            "Head": {"value": head, "quality": "good"},
            "Power": {"value": power, "quality": "stale"},
        }}}})
    }

    #[test]
    fn a_value_of_another_register_is_seen_whatever_its_quality() {
        let head = f64::from(f32::from_bits(17_096 << 16 | 17_097));
        assert_eq!(wrong_values(&status(head, &Value::Null)), Vec::<String>::new());
        assert_eq!(wrong_values(&status(head, &json!(458.75901))), Vec::<String>::new());
        assert_eq!(wrong_values(&status(1500.0, &json!(458.75901))).len(), 1);
        assert_eq!(wrong_values(&status(head, &json!(53.01))).len(), 1);
    }

    #[test]
    fn only_a_speed_and_the_word_to_run_may_be_written() {
        assert!(is_allowed(&[(SPEED_REGISTER, 4500), (RUN_REGISTER, 1)]));
        assert!(!is_allowed(&[(SPEED_REGISTER + 1, 4500)]));
        assert!(!is_allowed(&[(RUN_REGISTER, 4500)]));
    }
}
