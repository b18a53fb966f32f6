//! The table of alarms in the documentation is the one in the code.
//!
//! `EISBACH_WRITE_TABLE=1 cargo test -p eisbach-protocol --test alarm_table` writes it; without the variable it is compared.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

use std::fmt::Write as _;
use std::path::Path;

use eisbach_protocol::alarm::{ALARMS, AlarmDef};
use eisbach_protocol::units::Millis;

const WRITE: &str = "EISBACH_WRITE_TABLE";
const BEGIN: &str = "<!-- alarms: begin -->\n";
const END: &str = "<!-- alarms: end -->";

fn delay(delay: Millis) -> String {
    if delay == Millis::ZERO { "–".to_owned() } else { format!("{} s", delay.as_secs_f32()) }
}

/// Causes, those that only explain in brackets.
fn causes(def: &AlarmDef) -> String {
    let hides = |cause| def.suppressors().any(|other| other == cause);
    let words = def.causes.iter().map(|cause| {
        let name = cause.as_str();
        if hides(*cause) { format!("`{name}`") } else { format!("(`{name}`)") }
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() { "–".to_owned() } else { words.join(", ") }
}

fn table() -> String {
    let mut text = String::from(
        "| alarm | priority | latched | may be shelved | on, off after | suppressed by (explained by) | if nobody acts | what to do |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let word = |yes: bool| if yes { "yes" } else { "no" };
    for def in &ALARMS {
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {}, {} | {} | {} | {} |",
            def.name,
            def.priority.as_str(),
            word(def.latched),
            word(def.shelvable),
            delay(def.on_delay),
            delay(def.off_delay),
            causes(def),
            def.consequence,
            def.action
        )
        .expect("a string takes what it is given");
    }
    text
}

#[test]
fn the_documentation_has_every_alarm_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alarms.md");
    let document = std::fs::read_to_string(&path).expect("docs/alarms.md is there");
    let (before, rest) = document.split_once(BEGIN).expect("the place of the table is marked");
    let (kept, after) = rest.split_once(END).expect("the end of the table is marked");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).expect("it can be written");
        return;
    }
    assert!(kept == table(), "docs/alarms.md is not what the code says; set {WRITE}=1 once");
}
