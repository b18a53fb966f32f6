//! Every bad configuration gets one clear line that names file, place, value and mend, and exit code 1.

use std::path::Path;
use std::process::Command;

use eisbach_hil_tests::{Binary, binary};

/// A good configuration, to be spoilt.
const GOOD: &str = r#"
[node]
name = "node-0001"
gpus = 8

[gpu]
socket = "/run/eisbach-gpu/gpu.sock"
sample_ms = 200

[pump]
address = "10.0.0.11:502"
unit = 1

[valve]
address = "10.0.0.12:502"

[meter]
address = "10.0.0.13:502"

[facility]
brokers = ["mqtt://10.0.0.2:1883"]

[facility.sparkplug]
group = "tucherpark"

[failsafe]
pump_percent = 100.0

[hooks.drain]
command = ["/usr/bin/scontrol", "drain"]
timeout_ms = 10000

[hooks.undrain]
command = ["/usr/bin/scontrol", "resume"]

[control]
supply_target = 35.0
"#;

/// What to replace, by what, and what the one line must contain.
const BAD: &[(&str, &str, &[&str])] = &[
    // Shape
    ("[node]", "[node", &[":2:", "[node"]),
    ("name = \"node-0001\"", "name = node-0001", &[":3:", "node-0001"]),
    ("name = \"node-0001\"", "nmae = \"node-0001\"", &[":3:", "unknown field `nmae`", "expected", "`name`"]),
    ("name = \"node-0001\"\n", "", &["missing field `name`"]),
    ("gpus = 8", "gpus = 8\ngpus = 4", &[":5:", "duplicate key"]),
    ("gpus = 8", "gpus = \"eight\"", &[":4:", "invalid type", "\"eight\""]),
    ("gpus = 8", "gpus = -1", &[":4:", "-1"]),
    ("gpus = 8", "gpus = 1000", &[":4:", "1000"]),
    ("[pump]", "[pumps]", &["unknown field `pumps`", "`pump`"]),
    ("[pump]\naddress = \"10.0.0.11:502\"\nunit = 1\n", "", &["missing field `pump`"]),
    ("address = \"10.0.0.11:502\"\nunit = 1", "unit = 1", &["missing field `address`"]),
    ("address = \"10.0.0.11:502\"", "adress = \"10.0.0.11:502\"", &["unknown field `adress`", "`address`"]),
    ("unit = 1", "unit = 300", &["300", "u8"]),
    ("unit = 1", "unit = 1.5", &["1.5"]),
    ("[meter]\naddress = \"10.0.0.13:502\"", "", &["missing field `meter`"]),
    ("brokers = [\"mqtt://10.0.0.2:1883\"]\n", "", &["missing field `brokers`"]),
    ("supply_target = 35.0", "suply_target = 35.0", &["unknown field `suply_target`"]),
    ("supply_target = 35.0", "supply_target = \"warm\"", &["invalid type", "\"warm\""]),
    ("[failsafe]", "failsafe = 1\n[other]", &["failsafe = 1"]),
    // Meaning
    ("\"node-0001\"", "\"\"", &["node.name", "\"\"", "letters, digits"]),
    ("\"node-0001\"", "\"node 1\"", &["node.name", "\"node 1\"", "letters, digits"]),
    ("\"node-0001\"", "\"spBv1.0/x\"", &["node.name", "letters, digits"]),
    ("gpus = 8", "gpus = 17", &["node.gpus = 17", "between 0 and 16"]),
    ("\"10.0.0.11:502\"", "\"10.0.0.11\"", &["pump.address", "\"10.0.0.11\"", "host:port"]),
    ("\"10.0.0.11:502\"", "\"10.0.0.11:99999\"", &["pump.address", "host:port"]),
    ("\"10.0.0.12:502\"", "\":502\"", &["valve.address", "host:port"]),
    ("unit = 1", "unit = 0", &["pump.unit = 0", "between 1 and 255"]),
    ("unit = 1", "unit = 1\npoll_ms = 1", &["pump.poll_ms = 1", "between 20 and 1000"]),
    ("unit = 1", "unit = 1\nstale_ms = 50", &["pump.stale_ms = 50", "between 100"]),
    ("unit = 1", "unit = 1\nprofile = \"grundfoss\"", &["pump.profile", "grundfoss"]),
    (
        "unit = 1",
        "unit = 1\nprofile = \"calec-st\"",
        &["pump.profile", "calec-st", "choose a profile for a pump"],
    ),
    (
        "\"10.0.0.13:502\"",
        "\"10.0.0.13:502\"\nprofile = \"leak-relay\"",
        &["meter.profile", "choose a profile for a meter"],
    ),
    ("\"mqtt://10.0.0.2:1883\"", "\"10.0.0.2:1883\"", &["facility.brokers", "mqtts://host:8883"]),
    ("\"mqtt://10.0.0.2:1883\"", "\"mqtts://10.0.0.2\"", &["facility.brokers", "[facility.tls]"]),
    ("\"tucherpark\"", "\"tucher/park\"", &["facility.sparkplug.group", "letters, digits"]),
    ("\n[facility.sparkplug]\ngroup = \"tucherpark\"", "", &["facility", "at least one face"]),
    ("sample_ms = 200", "sample_ms = 5", &["gpu.sample_ms = 5", "between 100 and 500"]),
    ("\"/run/eisbach-gpu/gpu.sock\"", "\"gpu.sock\"", &["gpu.socket", "absolute path"]),
    ("pump_percent = 100.0", "pump_percent = 0.0", &["failsafe.pump_percent = 0", "between 30 and 100"]),
    ("pump_percent = 100.0", "pump_percent = nan", &["failsafe.pump_percent = NaN", "between 30 and 100"]),
    // Hooks
    ("[hooks.drain]", "[hooks.drian]", &["unknown field `drian`", "`drain`"]),
    ("command = [\"/usr/bin/scontrol\", \"drain\"]\n", "", &["missing field `command`"]),
    (
        "command = [\"/usr/bin/scontrol\", \"drain\"]",
        "command = \"/usr/bin/scontrol drain\"",
        &["invalid type"],
    ),
    ("timeout_ms = 10000", "shell = true", &["unknown field `shell`", "`timeout_ms`"]),
    ("[\"/usr/bin/scontrol\", \"drain\"]", "[]", &["hooks.drain.command = 0 words", "1 to 32 words"]),
    (
        "[\"/usr/bin/scontrol\", \"drain\"]",
        "[\"scontrol\", \"drain\"]",
        &["hooks.drain.command = \"scontrol\"", "absolute path"],
    ),
    (
        "[\"/usr/bin/scontrol\", \"drain\"]",
        "[\"/usr/bin/scontrol\", \"a\\u0000b\"]",
        &["hooks.drain.command = \"a\\0b\"", "without NUL"],
    ),
    ("timeout_ms = 10000", "timeout_ms = 50", &["hooks.drain.timeout_ms = 50", "between 100 and 300000"]),
    ("timeout_ms = 10000", "timeout_ms = -1", &["-1"]),
    (
        "timeout_ms = 10000",
        "min_interval_ms = 100000000",
        &["hooks.drain.min_interval_ms = 100000000", "between 1000 and 86400000"],
    ),
    ("[hooks.drain]", "[hooks.stop]", &["hooks.undrain", "hooks.drain, which it ends"]),
    ("[hooks.undrain]", "[hooks.thaw]", &["hooks.thaw", "hooks.freeze, which it ends"]),
    ("gpus = 8", "gpus = 8\n[commands]\nplain = \"on\"", &["commands.plain = \"on\"", "\"safe\" or \"off\""]),
    ("gpus = 8", "gpus = 8\n[commands]\nlongest_s = 5", &["commands.longest_s = 5", "between 10 and 86400"]),
    (
        "gpus = 8",
        "gpus = 8\n[commands]\nusual_s = 4000",
        &["commands.usual_s = 4000", "at most commands.longest_s"],
    ),
    ("gpus = 8", "gpus = 8\n[commands]\nissuer = 1", &[":6:", "unknown field `issuer`", "`issuers`"]),
    (
        "gpus = 8",
        "gpus = 8\n[[commands.issuers]]\nname = \"a b\"",
        &["commands.issuers.name = \"a b\"", "letters, digits"],
    ),
    (
        "gpus = 8",
        "gpus = 8\n[[commands.issuers]]\nname = \"a\"\n[[commands.issuers]]\nname = \"a\"",
        &["commands.issuers.name = \"a\"", "another for every issuer"],
    ),
    (
        "gpus = 8",
        "gpus = 8\n[[commands.issuers]]\nname = \"a\"\nmay = [\"everything\"]",
        &["commands.issuers.may = \"everything\"", "manual"],
    ),
    (
        "gpus = 8",
        "gpus = 8\n[[commands.issuers]]\nname = \"a\"\nkey = \"a.pem\"",
        &["commands.issuers.key = \"a.pem\"", "absolute path"],
    ),
    ("supply_target = 35.0", "supply_target_max = 90.0", &["control.supply_target_max", "between 15 and 50"]),
    ("supply_target = 35.0", "supply_target = 90.0", &["control.supply_target", "between 15 and 50"]),
    ("supply_target = 35.0", "supply_target = nan", &["control.supply_target"]),
    ("supply_target = 35.0", "cap_margin = 1.0", &["control.cap_margin", "above deep_margin"]),
];

fn check(text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    let output =
        Command::new(binary(Binary::Agent)).arg("check").arg("--config").arg(&path).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_good_configuration_is_good() {
    assert_eq!(check(GOOD), (true, String::new()));
}

#[test]
fn i14_every_bad_configuration_gets_one_clear_line() {
    assert!(BAD.len() >= 30);
    let mut wrong = Vec::new();
    for (good, bad, expected) in BAD {
        assert!(GOOD.contains(good), "the table spoils something that is not there: {good}");
        let (accepted, message) = check(&GOOD.replacen(good, bad, 1));
        let one_line = message.trim_end().lines().count() == 1 && message.contains("agent.toml");
        if accepted || !one_line || !expected.iter().all(|part| message.contains(part)) {
            wrong.push(format!("{good:?} -> {bad:?}: wanted {expected:?}, got {message:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn i14_a_hook_with_too_many_or_too_long_words_gets_one_clear_line() {
    let word = format!("command = [\"/usr/bin/scontrol\", \"{}\"]", "x".repeat(1025));
    let words = format!("command = [\"/usr/bin/scontrol\"{}]", ", \"x\"".repeat(32));
    for (bad, expected) in
        [(word, "a word of 1025 bytes must be words of at most 1024"), (words, "33 words must be")]
    {
        let (accepted, message) =
            check(&GOOD.replacen("command = [\"/usr/bin/scontrol\", \"drain\"]", &bad, 1));
        assert!(!accepted && message.trim_end().lines().count() == 1, "{message}");
        assert!(message.contains("hooks.drain.command") && message.contains(expected), "{message}");
    }
}

#[test]
fn the_hooks_that_the_shipped_configuration_shows_are_good() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/agent.toml");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let shown = |line: &str| line.strip_prefix("#     ").unwrap_or(line).to_owned() + "\n";
    let (_, hooks) = shipped.split_once("# ---- hooks ----").unwrap();
    let (hooks, _) = hooks.split_once("# ----").unwrap();
    assert_eq!(hooks.matches("[hooks.").count(), 5);
    let (plain, _) = GOOD.split_once("[hooks.drain]").unwrap();
    let hooks: String = hooks.lines().map(shown).collect();
    assert_eq!(check(&format!("{plain}{hooks}")), (true, String::new()));
}

#[test]
fn a_missing_file_is_one_clear_line_too() {
    let output = Command::new(binary(Binary::Agent))
        .args(["check", "--config", "/nonexistent/agent.toml"])
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success()
            && message.contains("/nonexistent/agent.toml")
            && message.lines().count() == 1,
        "{message}"
    );
}
