//! The facility links of many nodes.

use std::sync::Arc;
use std::time::Duration;

use eisbach_agent::clock::Clock;
use eisbach_agent::facility::{BrokerAddress, FacilityLink, FacilitySettings, SparkplugSettings};
use eisbach_agent::report::{ObjectReport, Report};
use eisbach_agent::tls::TlsFiles;
use eisbach_hil_tests::Mosquitto;
use eisbach_protocol::catalogue::{self, Kind, Owner, PointDef, PointId, PointValue};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::Millis;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// GPUs of a node.
const GPUS: usize = 8;
/// Between two reports.
const PERIOD: Duration = Duration::from_secs(1);

/// Many nodes.
pub(crate) struct Fleet {
    links: Vec<FacilityLink>,
    tasks: JoinSet<()>,
    token: CancellationToken,
    clock: Clock,
    _state: TempDir,
}

impl Fleet {
    /// Within a runtime.
    pub(crate) fn start(broker: &Mosquitto, names: &[String], clock: Clock) -> Self {
        let state = tempfile::tempdir().unwrap();
        let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
        let links = names.iter().map(|name| {
            let state_dir = state.path().join(name);
            std::fs::create_dir(&state_dir).unwrap();
            let folder = broker.certificates();
            let settings = FacilitySettings {
                section: "facility",
                brokers: vec![BrokerAddress { host: "127.0.0.1".into(), port: broker.port(), tls: true }],
                tls: Some(TlsFiles {
                    ca: folder.join("ca.pem"),
                    certificate: folder.join(format!("{name}.pem")),
                    key: folder.join(format!("{name}.key")),
                }),
                client_id: name.clone(),
                keep_alive_s: 30,
                node: name.clone(),
                state_dir,
                desk: None,
                sparkplug: Some(SparkplugSettings {
                    group: "bench".into(),
                    primary_host: Some("scada".into()),
                }),
                json: None,
                dsx: None,
                flex: None,
            };
            FacilityLink::spawn(&mut tasks, settings, clock, token.clone()).unwrap()
        });
        let links = links.collect();
        Self { links, tasks, token, clock, _state: state }
    }

    /// Hands every link a report each second until `until` is done.
    pub(crate) async fn while_reporting(&self, until: impl Future<Output = ()>) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let reporting = async {
            loop {
                ticks.tick().await;
                let report = Arc::new(report(self.clock.now()));
                self.links.iter().for_each(|link| link.publish(Arc::clone(&report)));
            }
        };
        tokio::select! {
            () = reporting => {}
            () = until => {}
        }
    }

    pub(crate) async fn stop(mut self) {
        self.token.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A whole node, of which the power changes each second.
fn report(at: Millis) -> Report {
    let object = |name: String, owner: Owner| ObjectReport {
        name,
        owner,
        online: true,
        points: catalogue::points_of(owner).map(|def| (def.id, reading(def, at))).collect(),
        note: None,
    };
    let gpus = (0..GPUS).map(|gpu| object(format!("gpu{gpu}"), Owner::Gpu));
    let devices = [Owner::Pump, Owner::Valve, Owner::Meter, Owner::Room, Owner::Leak];
    let devices = devices.map(|owner| object(owner.as_str().into(), owner));
    let node = object("node".into(), Owner::Node);
    let objects = std::iter::once(node).chain(gpus).chain(devices).collect();
    Report { at, wall_ms: Clock::wall_ms(), objects, ..Report::default() }
}

fn reading(def: &PointDef, at: Millis) -> Reading<PointValue> {
    let value = match def.kind {
        Kind::Float if def.id == PointId::NodePower => {
            let odd = at.get() / 1000 % 2 == 1;
            PointValue::Float(if odd { 5000.0 } else { 6000.0 })
        }
        Kind::Float => PointValue::Float(f32::midpoint(def.low, def.high)),
        Kind::Int => PointValue::Int(1),
        Kind::Bool => PointValue::Bool(false),
        Kind::Text => PointValue::Text("running"),
    };
    Reading::measured(value, Millis::ZERO)
}
