//! What a process has used, from `/proc`.

use std::fs;

/// Processor time so far and memory now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Processor time of all its threads, µs. The scheduler counts nanoseconds; `stat` counts hundredths of a second.
    pub(crate) cpu_us: f64,
    /// Resident memory, MiB.
    pub(crate) rss_mib: f64,
}

impl Usage {
    pub(crate) fn of(id: u32) -> Self {
        let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
        let cpu_ns: f64 = threads
            .filter_map(|thread| {
                let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
                text.split_whitespace().next()?.parse::<f64>().ok()
            })
            .sum();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let rss_kib: f64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
        Self { cpu_us: cpu_ns / 1000.0, rss_mib: rss_kib / 1024.0 }
    }

    /// What was used since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self { cpu_us: self.cpu_us - before.cpu_us, ..*self }
    }
}
