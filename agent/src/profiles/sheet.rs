//! One profile as a sheet for the person at the device, with the numbers of the device's manual.

use std::io::{self, Write};

use eisbach_protocol::registers::{
    Authority, Command, CommandForm, Encoding, Expect, Point, PollClass, Profile, Table, Watchdog, WordOrder,
};

use super::{table, word};

/// Writes the sheet.
pub(super) fn write(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}", profile.name, profile.device)?;
    writeln!(out, "  link       {}", link(profile))?;
    writeln!(out, "  identity   {}", identity(profile))?;
    writeln!(out, "  watchdog   {}", watchdog(profile))?;
    writeln!(out, "  authority  {}", authority(profile))?;
    for preset in &profile.presets {
        let register = register(profile, Table::Holding, preset.address);
        let (value, meaning) = (preset.value, &preset.meaning);
        let (grade, source) = (preset.grade, &preset.source);
        writeln!(out, "  preset     {register} = {value}: {meaning} ({grade:?}, {source})")?;
    }
    if !profile.points.is_empty() {
        writeln!(out, "\nread")?;
        let rows: Vec<_> = profile.points.iter().map(|point| read(profile, point)).collect();
        let head = ["signal", "table", "wire", "manual", "as", "unit", "range", "poll", "grade", "source"];
        table::write(head, &rows, out)?;
    }
    if !profile.commands.is_empty() {
        writeln!(out, "\nwritten")?;
        let rows: Vec<_> = profile.commands.iter().map(|command| written(profile, command)).collect();
        let head = ["control", "wire", "manual", "as", "unit", "safe", "repeated", "wear", "grade", "source"];
        table::write(head, &rows, out)?;
    }
    writeln!(out, "\nsources")?;
    for (key, text) in &profile.sources {
        writeln!(out, "  {key}: {text}")?;
    }
    writeln!(
        out,
        "grades: A the vendor's manual, B in production elsewhere, C community, D inferred: check it"
    )
}

fn link(profile: &Profile) -> String {
    let link = &profile.link;
    let mut words = vec![format!("reads of {} registers at most, {} ms", link.max_words, link.timeout_ms)];
    words.extend(link.unit.map(|unit| format!("unit {unit}")));
    words.extend(link.serial.as_ref().map(|serial| format!("serial {serial}")));
    words.extend(link.max_connections.map(|most| format!("{most} connections at most")));
    words.extend((link.min_gap_ms > 0).then(|| format!("{} ms between requests", link.min_gap_ms)));
    words.extend((link.post_connect_ms > 0).then(|| format!("{} ms after a connect", link.post_connect_ms)));
    words.extend(link.zero_fills.then(|| "fills up with zeros".to_owned()));
    words.extend(profile.slots.map(|slots| format!("{} slots of {} registers", slots.count, slots.stride)));
    words.join(", ")
}

fn identity(profile: &Profile) -> String {
    let Some(identity) = &profile.identity else {
        return "none: the device cannot be told from another".to_owned();
    };
    let register = register(profile, identity.table, identity.address);
    match &identity.expect {
        Expect::OneOf(values) => format!("{register} holds one of {values:?}"),
        Expect::Words(words) => format!("{register} and the next hold {words:?}"),
        Expect::Text(text) => format!("{register} and the next spell \"{text}\""),
    }
}

fn watchdog(profile: &Profile) -> String {
    let Some(watchdog) = &profile.watchdog else {
        return "not needed: nothing is commanded".to_owned();
    };
    match watchdog {
        Watchdog::None { source, grade } => {
            format!("none: it holds its last set-point for ever ({grade:?}, {source})")
        }
        Watchdog::LocalMode { commission, source, grade } => {
            format!("without the bus it follows its panel; commission {commission} ({grade:?}, {source})")
        }
        Watchdog::Timer { timeout, action, source, grade } => {
            let seconds = |counts: u16| f64::from(counts) * f64::from(timeout.ms_per_count) / 1000.0;
            let time = register(profile, timeout.table, timeout.address);
            let (low, high) = (seconds(timeout.low), seconds(timeout.high));
            let acts = action.as_ref().map_or_else(
                || "what it then does cannot be chosen".to_owned(),
                |action| {
                    let register = register(profile, action.table, action.address);
                    format!("{register} one of {:?}", action.one_of)
                },
            );
            format!(
                "a timer that each write feeds; commission {time} to {low} to {high} s, {acts} ({grade:?}, {source})"
            )
        }
        Watchdog::Heartbeat { address, period_ms, echo, source, grade } => {
            let beats = register(profile, Table::Holding, *address);
            let echo = echo.map_or_else(String::new, |echo| {
                format!(", shown back in {}", register(profile, Table::Holding, echo))
            });
            format!("it watches a counter in {beats}, every {period_ms} ms{echo} ({grade:?}, {source})")
        }
    }
}

fn authority(profile: &Profile) -> String {
    match profile.authority {
        Authority::Exclusive => "this agent alone".to_owned(),
        Authority::LocalRemote { local } => format!("this agent, unless {} is 1", word(local)),
        Authority::Slot => "each agent in its own slot; the device decides".to_owned(),
    }
}

fn read(profile: &Profile, point: &Point) -> [String; 10] {
    let mut form = match point.encoding {
        Encoding::Bit(bit) => format!("bit {bit}"),
        Encoding::AnyOf(mask) => format!("any of {mask:#06x}"),
        whole @ (Encoding::U16 | Encoding::I16 | Encoding::U32 | Encoding::I32 | Encoding::F32) => {
            word(whole)
        }
    };
    if point.encoding.words() > 1 && point.word_order != WordOrder::HighFirst {
        form.push(' ');
        form.push_str(&word(point.word_order));
    }
    if point.scale.total_cmp(&1.0).is_ne() {
        form.push_str(&format!(" × {}", point.scale));
    }
    if point.offset.total_cmp(&0.0).is_ne() {
        form.push_str(&format!(" + {}", point.offset));
    }
    [
        word(point.signal),
        word(point.table),
        wire(point.address, point.slotted),
        manual(profile, point.address),
        form,
        point.signal.unit().to_owned(),
        format!("{} to {}", point.low, point.high),
        match point.poll {
            PollClass::Fast => "fast".to_owned(),
            PollClass::Slow => "slow".to_owned(),
        },
        format!("{:?}", point.grade),
        point.source.as_str().to_owned(),
    ]
}

fn written(profile: &Profile, command: &Command) -> [String; 10] {
    let form = match command.form {
        CommandForm::Number { scale, low, high, .. } => format!("{low} to {high} × {scale}"),
        CommandForm::Word { on, off, allow_mask, .. } => {
            format!("on {on:#06x}, off {off:#06x}, mask {allow_mask:#06x}")
        }
    };
    let budget = command.daily_budget.map_or_else(String::new, |most| format!(", {most} a day"));
    [
        word(command.control),
        wire(command.address, command.slotted),
        manual(profile, command.address),
        form,
        command.control.unit().to_owned(),
        command.safe.to_string(),
        format!("{} s", f64::from(command.refresh_ms) / 1000.0),
        format!("{}{budget}", word(command.persistence)),
        format!("{:?}", command.grade),
        command.source.as_str().to_owned(),
    ]
}

fn register(profile: &Profile, table: Table, address: u16) -> String {
    let table = word(table);
    match profile.link.manual_counts_from {
        0 => format!("{table} {address}"),
        _ => format!("{table} {address} (manual {})", manual(profile, address)),
    }
}

fn wire(address: u16, slotted: bool) -> String {
    if slotted { format!("{address} + slot") } else { address.to_string() }
}

/// What the manual calls the register.
fn manual(profile: &Profile, address: u16) -> String {
    (u32::from(address) + profile.link.manual_counts_from).to_string()
}
