//! What a process has used, from `/proc`.

use std::fs;
use std::path::Path;

/// A tick of the processor times in `stat`, on every Linux that we know, µs.
const TICK_US: f64 = 10_000.0;

/// Processor time so far and memory now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Of all its threads but one, µs.
    pub(crate) cpu_us: f64,
    /// Resident memory, MiB.
    pub(crate) rss_mib: f64,
}

impl Usage {
    /// Of the process `id` without its thread of the name `but`. Threads that have ended count too.
    pub(crate) fn of(id: u32, but: &str) -> Self {
        let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten();
        let left_out = threads.filter(|thread| {
            fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name.trim() == but)
        });
        let left_out_us: f64 = left_out.map(|thread| cpu_us(&thread.path())).sum();
        let cpu_us = cpu_us(Path::new(&format!("/proc/{id}"))) - left_out_us;
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let rss_kib: f64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
        Self { cpu_us, rss_mib: rss_kib / 1024.0 }
    }

    /// What was used since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self { cpu_us: self.cpu_us - before.cpu_us, ..*self }
    }
}

/// Processor time of a process or thread in user and kernel mode: the 12th and 13th word after its name.
fn cpu_us(folder: &Path) -> f64 {
    let text = fs::read_to_string(folder.join("stat")).unwrap();
    let (_, rest) = text.rsplit_once(')').unwrap();
    let words: Vec<&str> = rest.split_whitespace().collect();
    let ticks: f64 = [11, 12].map(|word| words.get(word).unwrap().parse::<f64>().unwrap()).iter().sum();
    ticks * TICK_US
}
