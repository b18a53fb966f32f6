//! Who can tell whether a signed envelope is its issuer's.

use std::fmt::Debug;

use crate::report::events::Short;

/// Keys that were pinned beforehand.
pub trait Seals: Debug + Send + Sync {
    /// What was signed, and by the key of which name; nothing if it is not believed.
    fn open(&self, compact: &str) -> Option<(Vec<u8>, Short)>;
}

/// No key is pinned: nothing that is signed is believed.
#[derive(Clone, Copy, Debug)]
pub struct NoKeys;

impl Seals for NoKeys {
    fn open(&self, _compact: &str) -> Option<(Vec<u8>, Short)> {
        None
    }
}
