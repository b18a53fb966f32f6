//! The device profiles that ship with the agent, as text. The agent parses them; this crate has no parser.

/// Name and text of each shipped profile: pumps, valves, meters, sensors, then what is several at once.
pub const SHIPPED: [(&str, &str); 13] = [
    ("grundfos-cim", include_str!("../profiles/grundfos-cim.toml")),
    ("abb-acx580", include_str!("../profiles/abb-acx580.toml")),
    ("generic-pump", include_str!("../profiles/generic-pump.toml")),
    ("belimo-energy-valve", include_str!("../profiles/belimo-energy-valve.toml")),
    ("danfoss-003z8540", include_str!("../profiles/danfoss-003z8540.toml")),
    ("generic-valve", include_str!("../profiles/generic-valve.toml")),
    ("calec-st", include_str!("../profiles/calec-st.toml")),
    ("kamstrup-multical", include_str!("../profiles/kamstrup-multical.toml")),
    ("vaisala-hmd110", include_str!("../profiles/vaisala-hmd110.toml")),
    ("leak-relay", include_str!("../profiles/leak-relay.toml")),
    ("orv3-rpu", include_str!("../profiles/orv3-rpu.toml")),
    ("delta-rdf040", include_str!("../profiles/delta-rdf040.toml")),
    ("slot-plc", include_str!("../profiles/slot-plc.toml")),
];

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::registers::Profile;

    #[test]
    fn every_shipped_profile_parses_and_is_named_as_filed() {
        for (name, text) in SHIPPED {
            let profile: Profile = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(profile.name, name);
            assert!(profile.points.iter().all(|point| point.low < point.high), "{name}: empty range");
        }
    }

    #[test]
    fn every_profile_file_ships() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/profiles")).unwrap();
        assert_eq!(folder.count(), SHIPPED.len());
    }
}
