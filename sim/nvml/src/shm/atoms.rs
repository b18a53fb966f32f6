//! Values that two processes may read and write at the same time.
//!
//! Everything in the state file is one of these or an integer atomic. Any bit pattern is valid for each, so a
//! mapped file of the right length is always safe to look at, whoever wrote it.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// A number as its bits.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct AtomicF32(AtomicU32);

impl AtomicF32 {
    pub(super) fn load(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Acquire))
    }

    pub(super) fn store(&self, value: f32) {
        self.0.store(value.to_bits(), Ordering::Release);
    }
}

/// A number as its bits.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct AtomicF64(AtomicU64);

impl AtomicF64 {
    pub(super) fn load(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Acquire))
    }

    pub(super) fn store(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Release);
    }
}

/// Yes or no; every value but zero is yes. (`AtomicBool` would be undefined for the others.)
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct AtomicFlag(AtomicU32);

impl AtomicFlag {
    pub(super) fn load(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    pub(super) fn store(&self, value: bool) {
        self.0.store(u32::from(value), Ordering::Release);
    }
}

/// Short text, ended by a zero byte. Written once, before the file gets its name.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct AtomicText<const N: usize>([AtomicU8; N]);

impl<const N: usize> AtomicText<N> {
    pub(super) fn load(&self) -> String {
        let bytes = self.0.iter().map(|byte| byte.load(Ordering::Relaxed)).take_while(|byte| *byte != 0);
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    }

    /// Writes `text`, or answers `false` if it and its final zero do not fit.
    #[must_use]
    pub(super) fn store(&self, text: &str) -> bool {
        if text.len() >= N {
            return false;
        }
        let ended = text.bytes().chain(std::iter::once(0));
        self.0.iter().zip(ended).for_each(|(cell, byte)| cell.store(byte, Ordering::Relaxed));
        true
    }
}
