//! Which messages a subscription means.

/// Whether `topic` lies under `filter`: `+` stands for one level, `#` at the end for all that follow.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let (mut wanted, mut levels) = (filter.split('/'), topic.split('/'));
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(want), Some(level)) if want == level => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_filter_means_its_levels() {
        for (filter, topic) in
            [("a/b", "a/b"), ("a/+", "a/b"), ("a/#", "a/b/c"), ("a/#", "a"), ("#", "a"), ("+/+", "a/b")]
        {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in
            [("a/b", "a/c"), ("a/+", "a"), ("a/+", "a/b/c"), ("a/b/#", "a/c"), ("a", "a/b")]
        {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }
}
