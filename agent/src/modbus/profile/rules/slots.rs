//! Slots: every slotted register lies within one stride, and the last slot within the registers there are.

use eisbach_protocol::registers::{Profile, Watchdog};

use super::{Flaw, ensure};

pub(super) fn check(profile: &Profile) -> Result<(), Flaw> {
    let Some(slots) = profile.slots else {
        let point = profile.points.iter().position(|point| point.slotted);
        let command = profile.commands.iter().position(|command| command.slotted);
        let key = match (point, command) {
            (_, Some(at)) => format!("commands[{at}].slotted"),
            (Some(at), None) => format!("points[{at}].slotted"),
            (None, None) => return Ok(()),
        };
        return ensure(false, key, true, "needs a [slots] section");
    };
    ensure(slots.count > 0, "slots.count", slots.count, "must be at least 1")?;
    let used = used(profile);
    let ends = used.iter().map(|&(_, end)| end).max();
    let (Some(first), Some(end)) = (used.iter().map(|&(first, _)| first).min(), ends) else {
        return ensure(false, "slots", slots, "no line is slotted; remove the section");
    };
    ensure(
        end - first <= u32::from(slots.stride),
        "slots.stride",
        slots.stride,
        "is less than what the slotted lines reach over: slots would overlap",
    )?;
    let last = u32::from(slots.stride) * (u32::from(slots.count) - 1);
    ensure(end + last <= 65_536, "slots.count", slots.count, "the last slot reaches beyond register 65535")
}

/// First register of each slotted line in slot 0, and the one behind it.
fn used(profile: &Profile) -> Vec<(u32, u32)> {
    let words = |address: u16, count: u16| (u32::from(address), u32::from(address) + u32::from(count));
    let points = profile.points.iter().filter(|point| point.slotted);
    let mut used: Vec<_> = points.map(|point| words(point.address, point.encoding.words())).collect();
    for command in profile.commands.iter().filter(|command| command.slotted) {
        used.push(words(command.address, 1));
        used.extend(command.read_back.address.map(|address| words(address, 1)));
    }
    if let Some(Watchdog::Heartbeat { address, echo, .. }) = profile.watchdog {
        used.push(words(address, 1));
        used.extend(echo.map(|echo| words(echo, 1)));
    }
    used
}
