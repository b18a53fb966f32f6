//! Answers on the control socket, one client at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eisbach_control::StateName;
use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::catalogue::{PointId, PointValue};
use eisbach_protocol::gpu_link::Detach;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::words::{Answer, Verb};
use crate::alarms::{AlarmAction, AlarmDesk, AlarmOrder};
use crate::desk::Desk;
use crate::gpu::client::{GpuLink, HandOverWish};
use crate::report::Report;
use crate::report::events::Short;
use crate::unix_socket;

/// Owner and group may ask.
const MODE: u32 = 0o660;
/// Longest time for a client to say what it wants, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest time for the GPU process to do it. Letting go of a sick driver can take for ever.
const HAND_OVER: Duration = Duration::from_secs(15);
/// Longest line that is read.
const LONGEST: u64 = 4096;

/// What the answers are made of.
#[derive(Debug)]
pub struct Ears {
    /// The newest report.
    pub latest: watch::Receiver<Arc<Report>>,
    /// Who holds the driver.
    pub gpu: GpuLink,
    /// Who keeps the alarms.
    pub alarms: AlarmDesk,
    /// Who judges commands.
    pub desk: Desk,
}

/// Answers on `socket` until `token` is cancelled. Without a socket the agent goes on without verbs.
pub async fn serve(socket: PathBuf, ears: Ears, token: CancellationToken) {
    let listener = match unix_socket::listen(&socket, Some(MODE)) {
        Ok(listener) => listener,
        Err(error) => {
            warn!(socket = %socket.display(), %error, "no control socket; `eisbach-agent detach`, `alarms ack` and `maintenance` will not work");
            return;
        }
    };
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            tokio::select! {
                () = token.cancelled() => break,
                () = answer(stream, &ears) => {}
            }
        }
    }
    let _already_gone = std::fs::remove_file(&socket);
}

async fn answer(stream: UnixStream, ears: &Ears) {
    let asker = stream.peer_cred().map_or(u32::MAX, |cred| cred.uid());
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST));
    let Ok(Ok(_)) = timeout(PATIENCE, reader.read_line(&mut line)).await else { return };
    let answer = match serde_json::from_str(&line) {
        Ok(Verb::Detach { .. }) if needs_the_gpus(&ears.latest.borrow()) => Answer::refused(
            "loop_in_trouble",
            "not detached: flow is lost, water was found or a GPU is at its limit, and GPUs may have to be throttled; \
             see `eisbach-agent status`",
        ),
        Ok(verb) => carry_out(verb, ears, asker).await,
        Err(error) => Answer::refused("malformed", format!("not understood: {error}")),
    };
    info!(
        uid = asker,
        asked = line.trim(),
        result = answer.result,
        took_ms = answer.took_ms,
        "asked at the control socket"
    );
    let mut text = serde_json::to_vec(&answer).unwrap_or_default();
    text.push(b'\n');
    // Whoever asked may have gone.
    let _gone_or_slow = timeout(PATIENCE, writer.write_all(&text)).await;
}

/// Whether control needs the GPUs in its hands.
fn needs_the_gpus(report: &Report) -> bool {
    [StateName::Critical, StateName::Leak, StateName::Uncontrollable]
        .into_iter()
        .any(|state| report.node_point(PointId::NodeState) == Some(PointValue::Text(state.as_str())))
}

async fn carry_out(verb: Verb, ears: &Ears, asker: u32) -> Answer {
    let alarm = |name, action| order_alarm(ears, name, action, asker);
    match verb {
        Verb::Detach { for_s } => {
            hand_over(HandOverWish::Detach(Detach { for_ms: for_s.saturating_mul(1000) }), &ears.gpu).await
        }
        Verb::Attach => hand_over(HandOverWish::Attach, &ears.gpu).await,
        Verb::AcknowledgeAlarm { alarm: name } => alarm(name, AlarmAction::Acknowledge).await,
        Verb::ShelveAlarm { alarm: name, minutes } => {
            alarm(Some(name), AlarmAction::Shelve { minutes }).await
        }
        Verb::UnshelveAlarm { alarm: name } => alarm(Some(name), AlarmAction::Unshelve).await,
        Verb::ResetAlarm { alarm: name } => alarm(Some(name), AlarmAction::Reset).await,
        Verb::Maintenance { on } => match timeout(PATIENCE, ears.desk.maintenance(on)).await {
            Ok(Some(switched)) => Answer::switched(switched),
            Ok(None) | Err(_) => {
                Answer::refused("no_answer", "not done: the desk does not answer; try again")
            }
        },
    }
}

/// Hands a wish about an alarm to the cycle.
async fn order_alarm(ears: &Ears, name: Option<String>, action: AlarmAction, asker: u32) -> Answer {
    let alarm = name.as_deref().and_then(Alarm::named);
    if let (Some(name), None) = (&name, alarm) {
        return Answer::refused("no_such_alarm", format!("not done: no alarm is called \"{name}\""));
    }
    let order = AlarmOrder { alarm, action, by: Short::new(&format!("uid {asker}")) };
    match timeout(PATIENCE, ears.alarms.carry_out(order)).await {
        Ok(verdict) => Answer::of_alarm(verdict),
        Err(_elapsed) => Answer::refused("no_answer", "the control cycle does not answer; see the log"),
    }
}

async fn hand_over(wish: HandOverWish, gpu: &GpuLink) -> Answer {
    match timeout(HAND_OVER, gpu.hand_over(wish)).await {
        Ok(Ok(handed_over)) => Answer::told(handed_over),
        Ok(Err(error)) => Answer::refused("not_heard", format!("not done: {error}")),
        Err(_elapsed) => Answer::refused(
            "no_answer",
            "the driver does not come back from being let go; see the log of eisbach-gpu.service",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ObjectReport;
    use eisbach_protocol::catalogue::Owner;
    use eisbach_protocol::reading::Reading;
    use eisbach_protocol::units::Millis;

    #[test]
    fn nobody_lets_go_of_the_gpus_while_control_needs_them() {
        let in_state = |state: StateName| {
            let word = Reading::measured(PointValue::Text(state.as_str()), Millis::ZERO);
            let node = ObjectReport {
                name: "node".to_owned(),
                owner: Owner::Node,
                online: true,
                points: vec![(PointId::NodeState, word)],
                note: None,
            };
            Report { objects: vec![node], ..Report::default() }
        };
        for state in [StateName::Critical, StateName::Leak, StateName::Uncontrollable] {
            assert!(needs_the_gpus(&in_state(state)), "{state:?}");
        }
        for state in [StateName::Boot, StateName::Running, StateName::Hot] {
            assert!(!needs_the_gpus(&in_state(state)), "{state:?}");
        }
    }
}
