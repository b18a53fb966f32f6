//! Why an event is not followed, one word each.

use super::jws::Disbelief;

/// The reason, for logs, counters and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// Kept by the broker from an unknown time ago.
    Retained,
    /// Not an event as the contract writes it.
    Malformed,
    /// The topic and the event name different publishers or different things.
    Topic,
    /// By somebody whose keys we do not hold.
    ForeignIssuer,
    /// For feeds that this node does not hang on.
    ForeignFeed,
    /// For other nodes.
    ForeignResource,
    /// The data is not signed.
    Unsigned,
    /// The signature is not believed.
    NotBelieved(Disbelief),
    /// Nothing that is signed tells when it was meant.
    Undated,
    /// Written, or over, too long ago.
    Expired,
    /// Written in the future, or about a future too far away.
    Future,
    /// Seen before, as a whole or in its signed part.
    Replayed,
    /// Older than what this issuer has said since.
    Outdated,
    /// No room for more.
    Full,
}

impl Refusal {
    /// One stable word.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Retained => "retained",
            Self::Malformed => "malformed",
            Self::Topic => "wrong_topic",
            Self::ForeignIssuer => "foreign_issuer",
            Self::ForeignFeed => "foreign_feed",
            Self::ForeignResource => "foreign_resource",
            Self::Unsigned => "unsigned",
            Self::NotBelieved(disbelief) => disbelief.as_str(),
            Self::Undated => "undated",
            Self::Expired => "expired",
            Self::Future => "from_the_future",
            Self::Replayed => "replayed",
            Self::Outdated => "outdated",
            Self::Full => "full",
        }
    }
}

/// Whether what was written at `written_ms` is fresh at `wall_ms`.
///
/// # Errors
/// If it is too old, or not yet written.
pub(super) const fn fresh(written_ms: u64, wall_ms: u64, max_age_ms: u64) -> Result<(), Refusal> {
    if written_ms.saturating_add(max_age_ms) < wall_ms {
        Err(Refusal::Expired)
    } else if written_ms > wall_ms.saturating_add(CLOCKS_DIFFER_MS) {
        Err(Refusal::Future)
    } else {
        Ok(())
    }
}

/// How far two clocks that are both kept may differ, ms (estimate: NTP keeps a hundredth of it).
pub(super) const CLOCKS_DIFFER_MS: u64 = 5_000;
