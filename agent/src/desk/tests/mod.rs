//! A desk with its task and a real folder, to be spoken to.

mod envelopes;
mod outside;
mod rules;
mod weaker;

use std::time::Duration;

use eisbach_control::{Manual, Moment, Tuning};
use eisbach_protocol::units::{Celsius, Percent, Watts};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::alarms::{Alarms, Found};
use crate::config::Issuer;
use crate::report::events::{AnswerState, Short};

struct Bench {
    desk: Desk,
    tray: Tray,
    alarms: Alarms,
    clock: Clock,
    counter: u64,
    token: CancellationToken,
    tasks: JoinSet<()>,
    folder: TempDir,
    orders: watch::Sender<cycle::Orders>,
}

#[derive(Debug)]
struct OneKey;

impl Seals for OneKey {
    /// A signature of these tests: `key.envelope`.
    fn open(&self, compact: &str) -> Option<(Vec<u8>, Short)> {
        let (key, envelope) = compact.split_once('.')?;
        key.starts_with("key-of-")
            .then(|| (envelope.as_bytes().to_vec(), key.replace("key-of-", "").as_str().into()))
    }
}

fn commands() -> CommandsConfig {
    let issuer = |name: &str, may: &[ActionName], key: Option<&str>| Issuer {
        name: name.to_owned(),
        may: may.to_vec(),
        key: key.map(Into::into),
    };
    let all = [
        ActionName::Manual,
        ActionName::SupplyTarget,
        ActionName::River,
        ActionName::HeatDemand,
        ActionName::Isolate,
        ActionName::Acknowledge,
        ActionName::Shelve,
        ActionName::Reset,
    ];
    let issuers = vec![
        issuer("scada", &all, None),
        issuer("heat", &[ActionName::SupplyTarget], None),
        issuer("sealed", &all, Some("/keys/sealed.pem")),
    ];
    CommandsConfig { issuers, ..CommandsConfig::default() }
}

fn start(folder: TempDir, commands: CommandsConfig) -> Bench {
    let (mut tasks, token, clock) = (JoinSet::new(), CancellationToken::new(), Clock::start());
    let first = cycle::Orders { tuning: Tuning::default(), config_refused: false };
    let (orders, tuning) = watch::channel(first);
    let state = folder.path().to_owned();
    let now = Moment { at: clock.now(), wall_ms: Clock::wall_ms() };
    let (alarms, alarm_desk) = Alarms::start(&mut tasks, state.clone(), now, token.clone());
    let node = "node-1".into();
    let settings = DeskSettings { node, state, commands, seals: Box::new(OneKey), alarms: alarm_desk };
    let (desk, tray) = Desk::start(&mut tasks, settings, tuning, clock, token.clone());
    tray.tell(StateName::Running);
    Bench { desk, tray, alarms, clock, counter: Clock::wall_ms(), token, tasks, folder, orders }
}

fn bench() -> Bench {
    start(tempfile::tempdir().unwrap(), commands())
}

impl Bench {
    /// A fresh envelope.
    fn envelope(&mut self, issuer: &str, action: &str, params: &Value) -> Value {
        self.counter += 1;
        let now = Clock::wall_ms();
        json!({
            "id": format!("c-{}", self.counter), "issuer": issuer, "target": "node-1",
            "issued_at": now, "expires_at": now + 30_000, "counter": self.counter,
            "action": action, "params": params,
        })
    }

    fn submit(&self, text: impl Into<Vec<u8>>) {
        let kind = Kind::Envelope(text.into());
        assert!(self.desk.submit(Submission { face: "json", retained: false, kind }));
    }

    async fn answer(&mut self) -> Answer {
        tokio::time::timeout(Duration::from_secs(120), self.tray.answers.recv()).await.unwrap().unwrap()
    }

    /// What is answered to this envelope.
    async fn says(&mut self, envelope: &Value) -> AnswerState {
        self.submit(envelope.to_string());
        self.answer().await.state
    }

    async fn asked(&mut self, issuer: &str, action: &str, params: Value) -> AnswerState {
        let envelope = self.envelope(issuer, action, &params);
        self.says(&envelope).await
    }

    fn now(&self) -> InForce {
        self.tray.in_force(self.clock.now())
    }

    async fn restart(mut self) -> Self {
        self.token.cancel();
        while self.tasks.join_next().await.is_some() {}
        let next = start(self.folder, commands());
        Self { counter: self.counter, ..next }
    }
}

fn refused(refusal: Refusal) -> AnswerState {
    AnswerState::Refused { reason: refusal.as_str().into() }
}
