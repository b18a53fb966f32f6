//! The link within TLS, against a broker that asks for certificates.

use std::sync::Arc;

use rumqttc::ConnectReturnCode;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::broker::{Broker, soon};
use super::link::{PACE, cycles};
use super::world::{report, settings};
use crate::clock::Clock;
use crate::facility::{BrokerAddress, CertificateState, FacilityLink, FacilitySettings, FacilityState};
use crate::tls::TlsFiles;
use crate::tls::authority::{Authority, server};

struct Agent {
    link: Arc<FacilityLink>,
    _tasks: JoinSet<()>,
}

impl Agent {
    fn start(port: u16, files: &TlsFiles, dir: &TempDir) -> Self {
        let mut tasks = JoinSet::new();
        let settings = FacilitySettings {
            section: "facility",
            brokers: vec![BrokerAddress { host: "127.0.0.1".into(), port, tls: true }],
            tls: Some(files.clone()),
            client_id: "node-7".into(),
            keep_alive_s: 10,
            node: "node-7".into(),
            state_dir: dir.path().to_owned(),
            desk: None,
            sparkplug: Some(settings()),
            json: None,
            dsx: None,
            flex: None,
        };
        let link = FacilityLink::start(&mut tasks, settings, PACE, Clock::start(), CancellationToken::new())
            .unwrap();
        let link = Arc::new(link);
        let cycle = Arc::clone(&link);
        tasks.spawn(async move { cycles(&cycle, Arc::new(report())).await });
        Self { link, _tasks: tasks }
    }

    async fn certificates(&self, state: CertificateState) {
        let mut stands = self.link.certificates.clone();
        soon(stands.wait_for(|status| status.state == state)).await.unwrap();
    }
}

#[tokio::test]
async fn with_the_right_certificates_it_is_born_and_knows_when_they_end() {
    let (dir, authority, broker) = (tempfile::tempdir().unwrap(), Authority::new(), Broker::listen().await);
    let config = server(&authority.issue(&dir, "127.0.0.1"));
    let agent = Agent::start(broker.port(), &authority.issue(&dir, "node-7"), &dir);
    let (mut peer, _) = broker.connect_within(config).await.unwrap();
    peer.answer(ConnectReturnCode::Success).await;
    assert_eq!(peer.words(3).await.last().map(String::as_str), Some("NBIRTH"));
    agent.certificates(CertificateState::Good).await;
    // A certificate of the test's authority ends in the year 4096.
    assert!(agent.link.certificates().expires_ms.unwrap() > 60_000_000_000_000);
}

#[tokio::test]
async fn a_broker_of_another_authority_hears_nothing() {
    let (dir, authority, broker) = (tempfile::tempdir().unwrap(), Authority::new(), Broker::listen().await);
    let stranger = server(&Authority::new().issue(&dir, "127.0.0.1"));
    let agent = Agent::start(broker.port(), &authority.issue(&dir, "node-7"), &dir);
    for _ in 0..2 {
        assert!(broker.connect_within(Arc::clone(&stranger)).await.is_none());
    }
    assert_eq!(agent.link.state(), FacilityState::Offline);
    assert_eq!(agent.link.counters().published, 0);
}

#[tokio::test]
async fn renewed_certificates_lead_to_a_clean_reconnection_without_a_restart() {
    let (dir, authority, broker) = (tempfile::tempdir().unwrap(), Authority::new(), Broker::listen().await);
    let files = authority.issue(&dir, "node-7");
    let config = server(&authority.issue(&dir, "127.0.0.1"));
    let _agent = Agent::start(broker.port(), &files, &dir);
    let (mut peer, _) = broker.connect_within(config).await.unwrap();
    peer.answer(ConnectReturnCode::Success).await;
    peer.words(6).await;

    let successor = Authority::new();
    let config = server(&successor.issue(&dir, "127.0.0.1"));
    assert_eq!(successor.issue(&dir, "node-7"), files);
    assert_eq!(peer.words(2).await, ["NDEATH", "DISCONNECT"]);
    let (mut peer, _) = broker.connect_within(config).await.unwrap();
    peer.answer(ConnectReturnCode::Success).await;
    assert_eq!(peer.words(3).await.last().map(String::as_str), Some("NBIRTH"));
}

#[tokio::test]
async fn certificates_that_cannot_be_used_leave_those_in_use_and_are_told() {
    let (dir, authority, broker) = (tempfile::tempdir().unwrap(), Authority::new(), Broker::listen().await);
    let files = authority.issue(&dir, "node-7");
    let config = server(&authority.issue(&dir, "127.0.0.1"));
    let agent = Agent::start(broker.port(), &files, &dir);
    let (mut peer, _) = broker.connect_within(Arc::clone(&config)).await.unwrap();
    peer.answer(ConnectReturnCode::Success).await;
    peer.words(6).await;
    std::fs::write(&files.certificate, "no certificate").unwrap();
    agent.certificates(CertificateState::Unusable).await;
    drop(peer);
    let (mut peer, _) = broker.connect_within(config).await.unwrap();
    peer.answer(ConnectReturnCode::Success).await;
    assert_eq!(peer.words(3).await.last().map(String::as_str), Some("NBIRTH"));
}
