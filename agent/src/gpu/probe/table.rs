//! The report for people: the library, then a block for each GPU, its verdict last.

use std::fmt::{Result, Write as _};

use super::fields::type_name;
use super::report::{FieldFound, FreshnessFound, GetterFound, GpuFound, Latency, MarginFound, Report, Value};

/// The whole report.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _infallible = head(&mut out, report);
    for gpu in &report.gpus {
        let _infallible = block(&mut out, gpu);
    }
    let well = report.gpus.iter().filter(|gpu| gpu.answered).count();
    let _infallible = writeln!(out, "{well} of {} GPUs told temperature and power", report.gpus.len());
    out
}

fn head(out: &mut String, report: &Report) -> Result {
    let library = &report.library;
    let known = |version: &Option<String>| version.clone().unwrap_or_else(|| "unknown".to_owned());
    writeln!(out, "{:<22} {}", "library", library.path)?;
    writeln!(out, "{:<22} {}", "NVML", known(&library.nvml_version))?;
    writeln!(out, "{:<22} {}", "driver", known(&library.driver_version))?;
    writeln!(out, "{:<22} {}", "CUDA", known(&library.cuda_version))?;
    writeln!(out, "{:<22} {}", "initialised in", micros(library.init_us))?;
    let scheme = if library.fields_renumbered { "as from driver 580.82" } else { "as before driver 580.82" };
    writeln!(out, "{:<22} {scheme}", "fields 251 to 273")?;
    let capability = match report.user.cap_sys_admin {
        Some(true) => "has CAP_SYS_ADMIN",
        Some(false) => "no CAP_SYS_ADMIN: the driver would refuse to set limits",
        None => "capabilities cannot be read",
    };
    writeln!(out, "{:<22} {}, {capability}", "user", report.user.uid)?;
    let present = report.symbols.iter().filter(|symbol| symbol.present).count();
    writeln!(out, "{:<22} {present} of {} are there", "functions", report.symbols.len())?;
    for symbol in report.symbols.iter().filter(|symbol| !symbol.present) {
        writeln!(out, "{:<22} {}", "  missing", symbol.name)?;
    }
    writeln!(out)
}

fn block(out: &mut String, gpu: &GpuFound) -> Result {
    writeln!(out, "GPU {}", gpu.index)?;
    for getter in &gpu.getters {
        line(out, getter)?;
    }
    for found in &gpu.fields {
        field(out, found)?;
    }
    margin(out, &gpu.margin)?;
    let batch = &gpu.batch;
    if batch.together.rounds > 0 {
        writeln!(
            out,
            "  {:<55} {}",
            format!("{} fields in one call", batch.fields),
            latency(batch.together)
        )?;
        writeln!(out, "  {:<55} {}", "the same one by one", latency(batch.one_by_one))?;
    }
    for seen in &gpu.freshness {
        freshness(out, seen)?;
    }
    let verdict = match (gpu.hangs_in, gpu.complete, gpu.answered) {
        (Some(call), _, _) => format!("HANGS in {call}"),
        (None, false, _) => "TOO SLOW: not everything was asked".to_owned(),
        (None, true, false) => "DOES NOT TELL temperature and power".to_owned(),
        (None, true, true) => "told temperature and power".to_owned(),
    };
    writeln!(out, "  {verdict}\n")
}

fn line(out: &mut String, found: &GetterFound) -> Result {
    let name = found.name.trim_start_matches("nvmlDeviceGet");
    let what = if found.of.is_empty() { name.to_owned() } else { format!("{name} ({})", found.of) };
    let told = found.value.as_ref().map_or_else(|| code(found.rc, found.meaning), value);
    writeln!(out, "  {what:<55} {}   {told}", latency(found.latency))
}

fn field(out: &mut String, found: &FieldFound) -> Result {
    let what = format!("field {} scope {} {}", found.id, found.scope, found.name);
    let told = match found.value {
        Some(value) => format!("{value} ({})", type_name(found.value_type)),
        None => code(found.rc, found.meaning),
    };
    writeln!(out, "  {what:<55} {told}")
}

fn margin(out: &mut String, found: &MarginFound) -> Result {
    let known = |celsius: Option<i64>| celsius.map_or_else(|| "-".to_owned(), |celsius| celsius.to_string());
    let (low, high) = (known(found.sum_min_celsius), known(found.sum_max_celsius));
    writeln!(out, "  {:<55} {low} to {high} in {} rounds", "temperature + margin, °C", found.rounds)?;
    let (told, reckoned) = (known(found.slowdown_celsius), known(found.slowdown_by_margin_celsius));
    writeln!(out, "  {:<55} {told}, by the margin {reckoned}", "slowdown, °C")?;
    let (told, reckoned) = (known(found.shutdown_celsius), known(found.shutdown_by_margin_celsius));
    writeln!(out, "  {:<55} {told}, by the margin {reckoned}", "shutdown, °C")
}

fn freshness(out: &mut String, seen: &FreshnessFound) -> Result {
    let interval = match (seen.shortest_ms, seen.median_ms, seen.longest_ms) {
        (Some(shortest), Some(median), Some(longest)) => {
            format!(", every {median} ms ({shortest} to {longest})")
        }
        _ => String::new(),
    };
    let what = format!("{} changed", seen.what);
    writeln!(out, "  {what:<55} {} times in {} looks{interval}", seen.changes, seen.samples)
}

fn code(rc: u32, meaning: &str) -> String {
    format!("- ({rc}: {meaning})")
}

fn value(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Numbers(numbers) => numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Value::Text(text) => text.clone(),
    }
}

/// Median, 99th percentile, longest.
fn latency(latency: Latency) -> String {
    let Latency { p50_us, p99_us, max_us, .. } = latency;
    format!("{p50_us:>7} {p99_us:>7} {max_us:>7} µs")
}

fn micros(time: u64) -> String {
    format!("{time} µs")
}
