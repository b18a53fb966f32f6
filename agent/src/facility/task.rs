//! The session's task: feeds the session with reports and with what the connection tells, and ends it cleanly.
//!
//! Nothing here waits for the broker but the goodbye, and that has a limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::FacilityState;
use super::session::{Moment, Session};
use super::transport::{Client, Event};
use crate::clock::Clock;
use crate::report::Report;

/// Longest wait for our goodbye to leave. After it the connection is dropped and the broker publishes the will.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The session with its surroundings.
#[derive(Debug)]
pub(super) struct SessionTask {
    /// The session itself.
    pub(super) session: Session<Client>,
    /// The newest report, none before the first. A slow broker skips those in between.
    pub(super) reports: watch::Receiver<Option<Arc<Report>>>,
    /// From the connection.
    pub(super) events: mpsc::Receiver<Event>,
    /// For the status faces.
    pub(super) state: watch::Sender<FacilityState>,
    /// For the time of each step.
    pub(super) clock: Clock,
}

impl SessionTask {
    /// Runs until the token is cancelled or the link is dropped, then says goodbye.
    pub(super) async fn run(mut self, token: CancellationToken) {
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                report = self.reports.changed() => match report {
                    Ok(()) => self.on_report(),
                    Err(_) => break,
                },
                event = self.events.recv() => match event {
                    Some(event) => self.on_event(event),
                    None => break,
                },
            }
            self.tell_state();
        }
        self.stop().await;
        self.session.lost();
        self.tell_state();
    }

    fn on_report(&mut self) {
        let report = self.reports.borrow_and_update().clone();
        if let Some(report) = report {
            self.session.report(report, self.now());
        }
    }

    fn on_event(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Connected { client, bd_seq } => self.session.connected(client, bd_seq, now),
            Event::Message(inbound) => self.session.message(&inbound, now),
            Event::Lost | Event::Goodbye => self.session.lost(),
        }
    }

    async fn stop(&mut self) {
        if !self.session.stop(self.now()) {
            return;
        }
        match timeout(STOP_LIMIT, self.goodbye()).await {
            Ok(()) => info!("left the broker"),
            Err(_) => warn!("the broker does not take our goodbye; its will tells of our end"),
        }
    }

    /// Until the connection has sent our DISCONNECT, or is gone.
    async fn goodbye(&mut self) {
        while let Some(event) = self.events.recv().await {
            match event {
                Event::Connected { .. } | Event::Message(_) => {}
                Event::Lost | Event::Goodbye => return,
            }
        }
    }

    fn tell_state(&self) {
        let state = self.session.state();
        self.state.send_if_modified(|told| std::mem::replace(told, state) != state);
    }

    fn now(&self) -> Moment {
        Moment { at: self.clock.now(), wall_ms: Clock::wall_ms() }
    }
}
