//! The device profiles that ship with the agent, as text. The agent parses them; this crate has no parser.

/// Name and text of each shipped profile.
pub const SHIPPED: [(&str, &str); 5] = [
    ("grundfos-cim", include_str!("../profiles/grundfos-cim.toml")),
    ("belimo-energy-valve", include_str!("../profiles/belimo-energy-valve.toml")),
    ("calec-st", include_str!("../profiles/calec-st.toml")),
    ("vaisala-hmd110", include_str!("../profiles/vaisala-hmd110.toml")),
    ("leak-relay", include_str!("../profiles/leak-relay.toml")),
];

#[cfg(test)]
mod tests {
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
}
