//! The agent's own status, for counts that the facility sees only now and then.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

/// Longest time for the agent to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Control cycles and overruns, from `eisbach-agent status`; `None` if there is no answer.
pub(crate) async fn cycles(agent: &Path, socket: &Path) -> Option<(u64, u64)> {
    let mut command = Command::new(agent);
    command.arg("status").arg("--json").arg("--socket").arg(socket);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    read(&serde_json::from_slice(&output.stdout).ok()?)
}

fn read(document: &Value) -> Option<(u64, u64)> {
    let points = document.pointer("/objects/node/points")?;
    let count = |name: &str| points.get(name)?.get("value")?.as_u64();
    Some((count("Cycles")?, count("CycleOverruns")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_counts_are_found_in_the_document() {
        let points = json!({ "Cycles": { "value": 612, "unit": "" }, "CycleOverruns": { "value": 0 } });
        assert_eq!(read(&json!({ "objects": { "node": { "points": points } } })), Some((612, 0)));
        assert_eq!(read(&json!({})), None);
    }
}
