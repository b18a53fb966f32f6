//! A process's last words: the end of what it wrote, however much that was.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes that are kept of each stream.
pub(super) const KEPT: usize = 2048;

/// The end of a stream.
#[derive(Debug, Default)]
pub(super) struct Tail {
    kept: Vec<u8>,
    lost: u64,
}

impl Tail {
    /// Reads to the end of the stream, so that the process never waits for us.
    pub(super) async fn fill(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut chunk = [0; KEPT];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            self.push(chunk.get(..count).unwrap_or_default());
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        let over = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..over);
        self.lost = self.lost.saturating_add(u64::try_from(over).unwrap_or(u64::MAX));
    }

    /// What is kept, with a word about what is not.
    pub(super) fn text(&self) -> String {
        let kept = String::from_utf8_lossy(&self.kept);
        match self.lost {
            0 => kept.trim_end().to_owned(),
            lost => format!("({lost} bytes before) {}", kept.trim_end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn i13_only_the_end_is_kept_and_the_rest_is_counted(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..900), 0..20)) {
            let mut tail = Tail::default();
            chunks.iter().for_each(|chunk| tail.push(chunk));
            let all = chunks.concat();
            prop_assert_eq!(&tail.kept, &all[all.len().saturating_sub(KEPT)..]);
            prop_assert_eq!(usize::try_from(tail.lost).unwrap() + tail.kept.len(), all.len());
        }
    }
}
