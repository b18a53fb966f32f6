//! What the control socket of `serve` knows: events in, truth out, faults of the wires.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::broker::BrokerControl;
use crate::control::Answer;
use crate::proxy::Proxy;
use crate::world::{Event, Outside, WorldThread};

/// Everything that can be asked.
pub(super) struct Control {
    pub(super) world: Arc<WorldThread>,
    pub(super) broker: Option<BrokerControl>,
    /// The proxies by the name of what they stand before.
    pub(super) proxies: BTreeMap<&'static str, Proxy>,
}

impl Answer for Control {
    async fn answer(&self, line: &str) -> String {
        match line.split_once(' ') {
            _ if line == "truth" => self.truth(),
            Some(("fault", rest)) => self.fault(rest.trim()),
            Some(_) | None => self.event(line).await,
        }
    }
}

impl Control {
    fn truth(&self) -> String {
        let truth = self.world.truth();
        serde_json::to_string(&*truth).unwrap_or_else(|error| format!("error: {error}"))
    }

    /// `NAME WORDS`, where the words are those of [`Proxy::command`].
    fn fault(&self, line: &str) -> String {
        if self.proxies.is_empty() {
            return "error: there is no proxy here; start with --proxy".to_owned();
        }
        let (name, words) = line.split_once(' ').unwrap_or((line, "fault"));
        match self.proxies.get(name) {
            Some(proxy) => proxy.command(words),
            None => {
                let known: Vec<_> = self.proxies.keys().copied().collect();
                format!("error: \"{name}\" has no proxy; known are {}", known.join(", "))
            }
        }
    }

    async fn event(&self, line: &str) -> String {
        let event = match line.parse() {
            Ok(event) => event,
            Err(unknown) => return format!("error: {unknown}"),
        };
        if let Event::Outside(outside) = event {
            match outside {
                Outside::BrokerCut | Outside::BrokerOk if self.broker.is_some() => {}
                Outside::BrokerCut | Outside::BrokerOk => {
                    return "error: there is no broker here; start with --with-broker".to_owned();
                }
                Outside::KillAgent | Outside::KillGpu => return "error: no agent is run here".to_owned(),
            }
        }
        match self.world.order(event).await {
            Ok(_at_ms) => "ok".to_owned(),
            Err(error) => format!("error: {error}"),
        }
    }
}
