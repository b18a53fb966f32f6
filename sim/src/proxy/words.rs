//! A proxy by words: one line in, one line out.
//!
//! ```text
//!   late-reply 700 only writes  ──►  ok          set
//!   clear                       ──►  ok
//!   fault                       ──►  late-reply 700 only writes, or none
//!   faults                      ──►  late-reply one-behind … those that can happen on this line
//!   counts                      ──►  {"late-reply":{"seen":3,"changed":1},…,"none":{…}}
//! ```

use std::collections::BTreeMap;

use super::fault::WireFault;
use super::injection::Injection;
use super::{Counts, Proxy};

impl Proxy {
    /// Do what a line says; the answer, or `error: …`.
    #[must_use]
    pub fn command(&self, line: &str) -> String {
        match line.trim() {
            "clear" => {
                self.clear();
                "ok".to_owned()
            }
            "fault" => self.injection().map_or_else(|| "none".to_owned(), |injection| injection.to_string()),
            "faults" => self.faults(),
            "counts" => self.all_counts(),
            words => match words.parse::<Injection>().map(|injection| self.set(injection)) {
                Ok(Ok(())) => "ok".to_owned(),
                Ok(Err(unfit)) => format!("error: {unfit}"),
                Err(unknown) => format!("error: {unknown}; and clear, fault, faults, counts"),
            },
        }
    }

    fn faults(&self) -> String {
        let fit = WireFault::ALL.into_iter().filter(|fault| fault.fits(self.line()));
        fit.map(WireFault::name).collect::<Vec<_>>().join(" ")
    }

    fn all_counts(&self) -> String {
        let mut counts: BTreeMap<&str, Counts> =
            WireFault::ALL.into_iter().map(|fault| (fault.name(), self.counts(fault))).collect();
        counts.insert("none", self.clean());
        serde_json::to_string(&counts).unwrap_or_else(|error| format!("error: {error}"))
    }
}
