//! Any text as a profile: one error, or a profile by which nothing senseless can be read or written.
#![no_main]

use eisbach_agent::modbus::profile::parse;
use eisbach_protocol::registers::encode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse("bench", "bench.toml", text) {
        Err(error) => assert!(!error.to_string().contains('\n'), "one line: {error}"),
        Ok(profile) => {
            for command in &profile.commands {
                assert!(encode(command, command.safe).is_ok(), "the safe value can be written");
            }
            for point in &profile.points {
                assert!(point.encoding.words() <= profile.link.max_words && point.low < point.high);
                assert!(point.address.checked_add(point.encoding.words() - 1).is_some());
            }
            if let Some(slots) = profile.slots {
                assert!(profile.in_slot(slots.count - 1).is_ok(), "every slot lies in the register space");
            }
        }
    }
});
