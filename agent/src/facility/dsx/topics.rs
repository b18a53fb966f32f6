//! Where points live.
//!
//! ```text
//!   BMS/v1/PUB/Value/<object>/<point>/<tag>           ours: what is
//!   BMS/v1/PUB/Metadata/<object>/<point>/<tag>        ours: what it means, also of what others write
//!   BMS/v1/<integration>/Value/<object>/<point>/<tag> theirs: what they ask for
//! ```

/// Whether a text can stand in a topic on every broker: NATS refuses a space and makes levels of dots.
pub(crate) fn fits(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && text.split('/').all(|level| {
            !level.is_empty() && level.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        })
}

/// Where a value of ours is.
pub(super) fn value(object: &str, kind: &str, tag: &str) -> String {
    format!("BMS/v1/PUB/Value/{object}/{kind}/{tag}")
}

/// Where its metadata are.
pub(super) fn metadata(object: &str, kind: &str, tag: &str) -> String {
    format!("BMS/v1/PUB/Metadata/{object}/{kind}/{tag}")
}

/// Where an integration writes its value.
pub(super) fn asked(integration: &str, object: &str, kind: &str, tag: &str) -> String {
    format!("BMS/v1/{integration}/Value/{object}/{kind}/{tag}")
}

/// From a metadata topic of whoever publishes them to the topic of the value that `integration` writes.
pub(super) fn derived(metadata: &str, integration: &str) -> Option<String> {
    let rest = metadata.strip_prefix("BMS/v1/PUB/Metadata/")?;
    fits(rest).then(|| format!("BMS/v1/{integration}/Value/{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_topic_is_derived_from_its_metadata_topic() {
        assert_eq!(
            derived("BMS/v1/PUB/Metadata/CDU/LiquidTemperatureSpRequest/site1/row3/cdu5", "MEPAI").as_deref(),
            Some("BMS/v1/MEPAI/Value/CDU/LiquidTemperatureSpRequest/site1/row3/cdu5")
        );
        assert_eq!(derived("BMS/v1/MEPAI/Value/CDU/x", "MEPAI"), None);
        assert_eq!(derived("BMS/v1/PUB/Metadata/CDU/#", "MEPAI"), None);
    }

    #[test]
    fn a_tag_fits_every_broker() {
        assert!(fits("site1/row-3/rack_12"));
        for text in ["", "/a", "a/", "a//b", "a b", "a.b", "a/+", "#", "ä"] {
            assert!(!fits(text), "{text}");
        }
    }
}
