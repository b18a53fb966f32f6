//! `eisbach-agent probe`: what a commissioning engineer wants to see before he trusts a node with pumps.
//!
//! ```text
//!   configuration ─► every device once, reads only ─► a table, or JSON
//!                                                      exit 0: all are who they should be, and protected
//! ```

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::clock::Clock;
use crate::config;
use crate::links;
use crate::modbus::commission::{DeviceCheck, Protection, probe_devices};

/// Looks at every device of the configuration and tells what it found.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this command's output is for its caller")]
#[must_use]
pub fn command(path: &Path, json: bool) -> ExitCode {
    let checks = match looked_at(path) {
        Ok(checks) => checks,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    if json {
        match serde_json::to_string_pretty(&checks) {
            Ok(text) => println!("{text}"),
            Err(error) => {
                eprintln!("the result cannot be written as JSON: {error}");
                return ExitCode::FAILURE;
            }
        }
    } else {
        print!("{}", render(&checks));
    }
    if checks.iter().all(is_well) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn looked_at(path: &Path) -> Result<Vec<DeviceCheck>, String> {
    let config = config::load(path).map_err(|error| error.to_string())?;
    let settings: Vec<_> = config.devices.iter().map(links::settings).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot be started ({error}); check the limit on tasks"))?;
    Ok(runtime.block_on(probe_devices(&settings, Clock::start())))
}

/// Whether nothing is left to do at this device.
fn is_well(check: &DeviceCheck) -> bool {
    let protected = match check.protection {
        Protection::Protected { .. } | Protection::LocalMode { .. } | Protection::NotNeeded => true,
        Protection::Unprotected { .. } | Protection::Unknown { .. } => false,
    };
    check.reached && check.error.is_none() && check.identity_ok != Some(false) && protected
}

/// The result for people: a block for each device, its verdict last.
fn render(checks: &[DeviceCheck]) -> String {
    let mut out = String::new();
    for check in checks {
        // Writing to a string cannot fail.
        let _infallible = block(&mut out, check);
    }
    let well = checks.iter().filter(|check| is_well(check)).count();
    let _infallible = writeln!(out, "{well} of {} devices are as they should be", checks.len());
    out
}

fn block(out: &mut String, check: &DeviceCheck) -> std::fmt::Result {
    writeln!(out, "{}   {} unit {}   {}", check.name, check.wire, check.unit, check.profile)?;
    let identity = match (check.identity_ok, &check.stranger) {
        (Some(true), _) => "as the profile expects".to_owned(),
        (_, Some(stranger)) => format!("ANOTHER DEVICE: {stranger}"),
        (Some(false), None) => "ANOTHER DEVICE".to_owned(),
        (None, None) => "the profile knows none".to_owned(),
    };
    if check.reached {
        writeln!(out, "  {:<22} {identity}", "identity")?;
        let trips = &check.round_trips;
        writeln!(
            out,
            "  {:<22} {} answered, slowest {:.1} ms",
            "requests",
            trips.requests,
            millis(trips.longest_us)
        )?;
    }
    for preset in &check.presets {
        let found = preset.found.map_or_else(|| "cannot be read".to_owned(), |found| found.to_string());
        let note = if preset.found == Some(preset.wanted) { "" } else { ", the agent will set it" };
        writeln!(out, "  {:<22} {found}, wanted {} ({}){note}", "preset", preset.wanted, preset.meaning)?;
    }
    for register in &check.watchdog {
        let found = register.found.map_or_else(|| "cannot be read".to_owned(), |found| found.to_string());
        let note = if register.ok { "" } else { "   <<<" };
        let place = format!("{} ({})", register.purpose, register.address);
        writeln!(out, "  {place:<22} {found}, protects with {}{note}", register.expected)?;
    }
    for point in &check.points {
        let value = point.value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        writeln!(out, "  {:<22} {value:>10}  {}", format!("{:?}", point.signal), point.quality)?;
    }
    let verdict = match &check.protection {
        Protection::Protected { after_ms: Some(after) } => {
            format!("protected: goes to its safe state {:.0} s after the last word", millis(*after))
        }
        Protection::Protected { after_ms: None } => "protected: goes to its safe state by itself".to_owned(),
        Protection::LocalMode { commission } => {
            format!("falls to its own mode; to be set at the device: {commission}")
        }
        Protection::Unprotected { why } => format!("UNPROTECTED ACTUATOR: {why}"),
        Protection::Unknown { why } => format!("UNKNOWN: {why}"),
        Protection::NotNeeded => "takes no commands".to_owned(),
    };
    writeln!(out, "  {:<22} {verdict}", "without the agent")?;
    if let Some(error) = &check.error {
        writeln!(out, "  {:<22} {error}", "ERROR")?;
    }
    writeln!(out)
}

#[expect(clippy::cast_precision_loss, reason = "for people, to a tenth")]
fn millis(thousandths: u64) -> f64 {
    thousandths as f64 / 1000.0
}
