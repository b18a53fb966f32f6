//! Every shipped profile makes sense, and everything spoiled is refused with one line.

use eisbach_protocol::registers::{CommandForm, Control};
use proptest::prelude::*;

use super::*;

/// A sound profile; each case below spoils one thing in it.
const SOUND: &str = r#"
name = "bench"
device = "Bench"
[sources]
manual = "estimate"
[link]
max_words = 60
timeout_ms = 500
unit = 1
serial = "19200 8E1"
manual_counts_from = 1
[identity]
table = "holding"
address = 29
expect = { one_of = [1, 2] }
[[presets]]
address = 101
value = 0
meaning = "mode"
source = "manual"
grade = "A"
[watchdog.timer]
timeout = { table = "holding", address = 90, ms_per_count = 1000, low = 11, high = 60 }
action = { table = "holding", address = 91, one_of = [1] }
source = "manual"
grade = "D"
[authority.local_remote]
local = "leak"
[[commands]]
control = "pump_speed"
address = 103
form = { number = { scale = 0.01, low = 0.0, high = 100.0, dead_band = 0.5 } }
refresh_ms = 5000
min_interval_ms = 100
daily_budget = 20000
persistence = "unknown"
read_back = { address = 104, table = "input", tolerance = 2, within_ms = 500 }
effect = { signal = "flow", tolerance = 1.0, within_ms = 5000 }
safe = 100.0
source = "manual"
grade = "A"
[[commands]]
control = "pump_run"
address = 100
form = { word = { on = 3, off = 1, reset = 7, arm = 1, allow_mask = 7 } }
refresh_ms = 2000
min_interval_ms = 100
persistence = "volatile"
read_back = { ignore_mask = 4 }
safe = 1.0
release = 0
source = "manual"
grade = "A"
[[points]]
signal = "flow"
table = "holding"
address = 200
encoding = "u32"
scale = 0.1
invalid = [65535]
low = 0.0
high = 60.0
max_slew = 10.0
frozen_after_ms = 60000
atomic = "loop"
source = "manual"
grade = "A"
[[points]]
signal = "supply_temperature"
table = "holding"
address = 202
encoding = "i16"
low = -20.0
high = 120.0
atomic = "loop"
source = "manual"
grade = "A"
[[points]]
signal = "leak"
table = "discrete"
address = 0
encoding = { bit = 0 }
low = 0.0
high = 1.0
source = "manual"
grade = "A"
"#;

/// What a spoil replaces (once), by what, and the key and value that the one line must name.
type Spoil = (&'static str, &'static str, &'static str, &'static str);

const HEAD: [Spoil; 25] = [
    ("name = \"bench\"", "name = \"bank\"", "name", "\"bank\""),
    ("device = \"Bench\"", "device = \" \"", "device", "\" \""),
    ("manual = \"estimate\"", "", "sources", "\"none\""),
    ("manual = \"estimate\"", "manual = \"\"", "sources.manual", "\"\""),
    ("manual = \"estimate\"", "\"a\\nb\" = \"estimate\"", "sources", "\"a\\nb\""),
    ("max_words = 60", "max_words = 0", "link.max_words", "0"),
    ("max_words = 60", "max_words = 126", "link.max_words", "126"),
    ("timeout_ms = 500", "timeout_ms = 49", "link.timeout_ms", "49"),
    ("timeout_ms = 500", "timeout_ms = 10001", "link.timeout_ms", "10001"),
    ("unit = 1", "min_gap_ms = 1001", "link.min_gap_ms", "1001"),
    ("unit = 1", "post_connect_ms = 10001", "link.post_connect_ms", "10001"),
    ("unit = 1", "max_connections = 0", "link.max_connections", "0"),
    ("unit = 1", "unit = 0", "link.unit", "0"),
    ("unit = 1", "unit = 248", "link.unit", "248"),
    ("19200 8E1", "19200 9E1", "link.serial", "\"19200 9E1\""),
    ("19200 8E1", "19k2 8E1", "link.serial", "\"19k2 8E1\""),
    ("manual_counts_from = 1", "manual_counts_from = 2", "link.manual_counts_from", "2"),
    ("one_of = [1, 2]", "one_of = []", "identity.expect", "OneOf([])"),
    ("one_of = [1, 2]", "text = \"pümp\"", "identity.expect", "\"pümp\""),
    ("\"holding\"\naddress = 29", "\"discrete\"\naddress = 29", "identity.table", "Discrete"),
    ("address = 29\nexpect = { one_of", "address = 65535\nexpect = { words", "identity.address", "65535"),
    ("address = 101", "address = 103", "presets[0].address", "103"),
    ("\"mode\"\nsource = \"manual\"", "\"mode\"\nsource = \"manaul\"", "presets[0].source", "\"manaul\""),
    ("local = \"leak\"", "local = \"pump_local\"", "authority.local_remote.local", "PumpLocal"),
    ("[authority.local_remote]\nlocal = \"leak\"", "[slots]\nstride = 1\ncount = 1", "slots", "Slots"),
];

const WATCHDOG: [Spoil; 12] = [
    ("address = 90", "address = 103", "watchdog.timer.timeout.address", "103"),
    ("address = 90", "address = 101", "watchdog.timer.timeout.address", "101"),
    ("ms_per_count = 1000", "ms_per_count = 0", "watchdog.timer.timeout.ms_per_count", "0"),
    ("low = 11", "low = 0", "watchdog.timer.timeout.low", "0"),
    ("low = 11", "low = 10", "watchdog.timer.timeout.low", "10"),
    ("high = 60 }", "high = 10 }", "watchdog.timer.timeout.high", "10"),
    ("\"holding\", address = 90", "\"coil\", address = 90", "watchdog.timer.timeout.table", "Coil"),
    ("\"holding\", address = 91", "\"coil\", address = 91", "watchdog.timer.action.table", "Coil"),
    ("address = 91", "address = 90", "watchdog.timer.action.address", "90"),
    ("address = 91", "address = 100", "watchdog.timer.action.address", "100"),
    ("one_of = [1] }", "one_of = [] }", "watchdog.timer.action.one_of", "[]"),
    ("manual\"\ngrade = \"D\"", "vendor\"\ngrade = \"D\"", "watchdog.timer.source", "\"vendor\""),
];

const COMMANDS: [Spoil; 36] = [
    ("scale = 0.01", "scale = 0.0", "commands[0].form.number.scale", "0.0"),
    ("scale = 0.01", "scale = -0.01", "commands[0].form.number.scale", "-0.01"),
    ("scale = 0.01", "scale = 0.001", "commands[0].form.number.high", "100.0"),
    ("high = 100.0", "high = -1.0", "commands[0].form.number.high", "-1.0"),
    ("low = 0.0, high", "low = -5.0, high", "commands[0].form.number.low", "-5.0"),
    ("dead_band = 0.5", "dead_band = nan", "commands[0].form.number.dead_band", "NaN"),
    ("refresh_ms = 5000", "refresh_ms = 50", "commands[0].refresh_ms", "50"),
    ("refresh_ms = 2000", "refresh_ms = 5501", "watchdog.timer.timeout.low", "11"),
    ("min_interval_ms = 100", "min_interval_ms = 1", "commands[0].min_interval_ms", "1"),
    ("daily_budget = 20000", "", "commands[0].daily_budget", "missing"),
    ("daily_budget = 20000", "daily_budget = 0", "commands[0].daily_budget", "0"),
    ("daily_budget = 20000", "daily_budget = 19200", "commands[0].daily_budget", "19200"),
    ("\"volatile\"", "\"eeprom\"", "commands[1].daily_budget", "missing"),
    ("control = \"pump_speed\"", "control = \"pump_run\"", "commands[0].form", "Number"),
    ("control = \"pump_run\"", "control = \"valve_position\"", "commands[1].form", "Word"),
    ("control = \"pump_run\"", "control = \"pump_speed\"", "commands[1].control", "PumpSpeed"),
    ("address = 100", "address = 103", "commands[1].address", "103"),
    ("safe = 100.0", "safe = 101.0", "commands[0].safe", "101.0"),
    ("safe = 100.0", "safe = nan", "commands[0].safe", "NaN"),
    ("safe = 1.0", "safe = 2.0", "commands[1].safe", "2.0"),
    ("on = 3", "on = 1", "commands[1].form.word.on", "1"),
    ("on = 3", "on = 11", "commands[1].form.word.on", "11"),
    ("off = 1", "off = 33", "commands[1].form.word.off", "33"),
    ("reset = 7", "reset = 135", "commands[1].form.word.reset", "135"),
    ("reset = 7", "reset = 1", "commands[1].form.word.reset", "1"),
    ("arm = 1", "arm = 16", "commands[1].form.word.arm", "16"),
    ("arm = 1", "arm = 3", "commands[1].form.word.arm", "3"),
    ("release = 0", "release = 32", "commands[1].release", "32"),
    ("ignore_mask = 4", "ignore_mask = 6", "commands[1].read_back.ignore_mask", "6"),
    ("ignore_mask = 4", "tolerance = 1", "commands[1].read_back.tolerance", "1"),
    ("address = 104, table = \"input\"", "address = 101", "commands[0].read_back.address", "101"),
    ("address = 104, table", "table", "commands[0].read_back.table", "Input"),
    ("within_ms = 500 }", "within_ms = 60001 }", "commands[0].read_back.within_ms", "60001"),
    ("signal = \"flow\", tol", "signal = \"pump_rpm\", tol", "commands[0].effect.signal", "PumpRpm"),
    ("tolerance = 1.0", "tolerance = 0.0", "commands[0].effect.tolerance", "0.0"),
    ("within_ms = 5000 }", "within_ms = 0 }", "commands[0].effect.within_ms", "0"),
];

const POINTS: [Spoil; 24] = [
    ("max_words = 60", "max_words = 1", "points[0].encoding", "U32"),
    ("scale = 0.1\n", "scale = inf\n", "points[0].scale", "inf"),
    ("scale = 0.1\n", "scale = 0\n", "points[0].scale", "0.0"),
    ("scale = 0.1\n", "offset = nan\n", "points[0].offset", "NaN"),
    ("\"u32\"\nscale = 0.1\ninvalid = [65535]", "\"u16\"\ninvalid = [65536]", "points[0].invalid", "[65536]"),
    ("low = 0.0\nhigh = 60.0", "low = 60.0\nhigh = 60.0", "points[0].high", "60.0"),
    ("low = -20.0", "low = -inf", "points[1].low", "-inf"),
    ("address = 200", "address = 65535", "points[0].address", "65535"),
    ("encoding = \"u32\"", "encoding = { bit = 16 }", "points[0].encoding", "Bit(16)"),
    ("\"u32\"\nscale = 0.1\ninvalid", "{ any_of = 0 }\ninvalid", "points[0].encoding", "AnyOf(0)"),
    ("signal = \"leak\"", "signal = \"flow\"", "authority.local_remote.local", "Leak"),
    ("signal = \"supply_temperature\"", "signal = \"flow\"", "points[1].signal", "Flow"),
    ("encoding = { bit = 0 }", "encoding = \"u16\"", "points[2].encoding", "U16"),
    ("encoding = { bit = 0 }", "encoding = { bit = 1 }", "points[2].encoding", "Bit(1)"),
    ("max_slew = 10.0", "max_slew = 0.0", "points[0].max_slew", "0.0"),
    ("max_slew = 10.0", "max_slew = nan", "points[0].max_slew", "NaN"),
    ("frozen_after_ms = 60000", "frozen_after_ms = 0", "points[0].frozen_after_ms", "0"),
    ("{ bit = 0 }", "{ bit = 0 }\nsentinel = true", "points[2].sentinel", "true"),
    ("{ bit = 0 }", "{ bit = 0 }\nslotted = true", "points[2].slotted", "true"),
    ("atomic = \"loop\"", "atomic = \"pool\"", "points[0].atomic", "\"pool\""),
    ("atomic = \"loop\"", "atomic = \"loop\"\npoll = \"slow\"", "points[0].atomic", "\"loop\""),
    ("address = 202", "address = 260", "points[0].atomic", "\"loop\""),
    (
        "table = \"holding\"\naddress = 202",
        "table = \"input\"\naddress = 202",
        "points[0].atomic",
        "\"loop\"",
    ),
    ("unit = 1", "zero_fills = true", "link.zero_fills", "true (read at 200)"),
];

fn refused(spoiled: &str) -> String {
    let error = parse("bench", "bench.toml", spoiled).unwrap_err().to_string();
    assert!(!error.contains('\n'), "one line: {error}");
    assert!(error.contains("bench.toml"), "names the file: {error}");
    error
}

fn refused_by_key(sound: &str, spoils: &[Spoil]) {
    assert!(parse("bench", "bench.toml", sound).is_ok());
    for &(right, wrong, key, value) in spoils {
        assert!(sound.contains(right), "{right}");
        let error = refused(&sound.replacen(right, wrong, 1));
        let (place, mend) = error.split_once(": ").unwrap();
        let named = place.strip_prefix("profile bench.toml, ").unwrap();
        let (told_key, told_value) = named.split_once(" = ").unwrap();
        assert!(told_key == key && told_value.contains(value), "`{wrong}` gave: {error}");
        assert!(mend.len() > 10, "says how to mend it: {error}");
    }
}

#[test]
fn every_shipped_profile_makes_sense() {
    for (name, _) in SHIPPED {
        assert_eq!(load(name, None).unwrap().name, name);
    }
}

#[test]
fn every_slot_of_a_shipped_profile_can_be_taken() {
    let profile = load("slot-plc", None).unwrap();
    let count = profile.slots.unwrap().count;
    for slot in 0..count {
        let own = profile.clone().in_slot(slot).unwrap();
        assert!(
            own.commands
                .iter()
                .all(|command| (1000 + 16 * slot..1016 + 16 * slot).contains(&command.address))
        );
    }
    assert!(profile.in_slot(count).is_err());
}

#[test]
fn i09_no_shipped_word_touches_a_dangerous_bit_of_the_rack_unit() {
    let rpu = load("orv3-rpu", None).unwrap();
    let dangerous = 1 << 5 | 1 << 6 | 0b1111 << 10 | 0b11 << 14;
    let run = rpu.commands.iter().find(|command| command.control == Control::PumpRun).unwrap();
    let CommandForm::Word { allow_mask, .. } = run.form else { panic!("a word") };
    assert_eq!(allow_mask & dangerous, 0);
}

#[test]
fn a_spoiled_head_is_refused_by_key_and_value() {
    refused_by_key(SOUND, &HEAD);
}

#[test]
fn a_spoiled_watchdog_is_refused_by_key_and_value() {
    refused_by_key(SOUND, &WATCHDOG);
    let beats = watchdog("heartbeat = { address = 92, period_ms = 500, echo = 93 }");
    refused_by_key(
        &beats,
        &[
            ("address = 92", "address = 101", "watchdog.heartbeat.address", "101"),
            ("period_ms = 500", "period_ms = 99", "watchdog.heartbeat.period_ms", "99"),
            ("echo = 93", "echo = 92", "watchdog.heartbeat.echo", "92"),
        ],
    );
    refused_by_key(
        &watchdog("local_mode = { commission = \"constant speed\" }"),
        &[("constant speed", "", "watchdog.local_mode.commission", "\"\"")],
    );
    let error = refused(&watchdog("").replace("[watchdog]\n", ""));
    assert!(error.contains("watchdog = missing"), "{error}");
}

/// [`SOUND`] with another watchdog, `kind = { … }`.
fn watchdog(kind: &str) -> String {
    let start = SOUND.find("[watchdog.timer]").unwrap();
    let end = SOUND.find("[authority").unwrap();
    let kind = kind.replace(" }", ", source = \"manual\", grade = \"A\" }");
    format!("{}[watchdog]\n{kind}\n{}", &SOUND[..start], &SOUND[end..])
}

#[test]
fn a_spoiled_command_is_refused_by_key_and_value() {
    refused_by_key(SOUND, &COMMANDS);
}

#[test]
fn a_spoiled_point_is_refused_by_key_and_value() {
    refused_by_key(SOUND, &POINTS);
}

#[test]
fn a_spoiled_slot_is_refused_by_key_and_value() {
    let (_, plc) = SHIPPED.into_iter().find(|(name, _)| *name == "slot-plc").unwrap();
    refused_by_key(
        &plc.replacen("slot-plc", "bench", 1),
        &[
            ("count = 32", "count = 0", "slots.count", "0"),
            ("count = 32", "count = 4096", "slots.count", "4096"),
            ("stride = 16", "stride = 9", "slots.stride", "9"),
            ("stride = 16\ncount = 32", "stride = 16\ncount = 65535", "slots.count", "65535"),
            ("address = 1009", "address = 1099", "slots.stride", "16"),
            ("slotted = true", "slotted = false", "commands[0].slotted", "false"),
            ("[slots]\nstride = 16\ncount = 32", "", "authority", "\"slot\""),
            ("heartbeat]\naddress = 1000\nperiod_ms = 500\necho = 1008", "none]", "authority", "\"slot\""),
        ],
    );
}

#[test]
fn a_device_that_fills_up_with_zeros_needs_a_sentinel_in_every_read() {
    let (head, leak) = SOUND.split_at(SOUND.rfind("[[points]]").unwrap());
    let filled = head
        .replace("unit = 1", "zero_fills = true")
        .replace("local = \"leak\"", "local = \"flow\"")
        .replace("\"i16\"", "\"i16\"\nsentinel = true");
    assert!(parse("bench", "bench.toml", &filled).is_ok());
    for (right, wrong, told) in [
        ("max_words = 60", "max_words = 2", "points[0].atomic = \"loop\""),
        ("address = 202", "address = 203", "has a gap"),
    ] {
        let error = refused(&filled.replace(right, wrong));
        assert!(error.contains(told), "{error}");
    }
    let apart = filled.replace("atomic = \"loop\"", "").replace("max_words = 60", "max_words = 2");
    assert!(refused(&apart).contains("read at 200"), "the sentinel is in the other read");
    assert!(refused(&format!("{filled}{leak}")).contains("read at 0"));
}

#[test]
fn a_typo_is_refused_with_its_line() {
    let error = refused(&SOUND.replace("timeout_ms", "timeout_sm"));
    assert!(error.contains("line 8, `timeout_sm = 500`: unknown field"), "{error}");
    let error = refused(&SOUND.replace("signal = \"flow\"\n", "signal = \"flwo\"\n"));
    assert!(error.contains("`signal = \"flwo\"`"), "{error}");
}

#[test]
fn a_file_overrides_the_shipped_profile_even_when_it_is_broken() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calec-st.toml");
    fs::write(&file, SOUND.replace("\"bench\"", "\"calec-st\"")).unwrap();
    assert_eq!(load("calec-st", Some(directory.path())).unwrap().device, "Bench");
    fs::write(&file, "nonsense").unwrap();
    assert!(matches!(load("calec-st", Some(directory.path())), Err(ProfileError::Syntax { line: 1, .. })));
    assert_eq!(load("leak-relay", Some(directory.path())).unwrap().name, "leak-relay");
}

#[test]
fn a_name_is_no_path_and_an_unknown_one_lists_what_there_is() {
    assert!(matches!(load("../passwd", None), Err(ProfileError::Name { .. })));
    let error = load("acme", Some(Path::new("/nowhere"))).unwrap_err().to_string();
    assert!(error.contains("/nowhere/acme.toml does not exist") && error.contains("grundfos-cim"), "{error}");
}

/// `text` with the number at `place` (counted around) replaced.
fn with_number(text: &str, place: usize, number: &str) -> String {
    let numbers: Vec<_> =
        text.match_indices("= ").filter(|(at, _)| text[at + 2..].starts_with(char::is_numeric)).collect();
    let at = numbers[place % numbers.len()].0 + 2;
    let rest = &text[at..];
    let end = rest.find([',', ' ', '\n']).unwrap();
    format!("{}{number}{}", &text[..at], &rest[end..])
}

proptest! {
    #[test]
    fn any_number_anywhere_is_taken_or_refused_and_never_panics(
        which in 0..SHIPPED.len(), places in prop::collection::vec(any::<usize>(), 1..4),
        number in prop_oneof![any::<u16>().prop_map(|n| n.to_string()), any::<u32>().prop_map(|n| n.to_string()),
            any::<f32>().prop_map(|n| format!("{n:?}").to_lowercase()), Just("65535".to_owned()), Just("0".to_owned())],
    ) {
        let (name, text) = SHIPPED[which];
        let spoiled = places.iter().fold(text.to_owned(), |text, &place| with_number(&text, place, &number));
        if let Err(error) = parse(name, "any.toml", &spoiled) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn any_text_is_taken_or_refused_and_never_panics(text in ".{0,200}") {
        prop_assert!(parse("any", "any.toml", &text).is_err());
    }
}
