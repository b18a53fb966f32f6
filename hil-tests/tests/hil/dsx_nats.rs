//! The NATS configuration that is shipped as an example: a node gets in by its certificate, and writes its own only.

use std::path::Path;
use std::process::{Command, Output};

use eisbach_hil_tests::{MINUTE, Nats, Rig, RigOptions, free_port, until};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

const SHIPPED: &str = include_str!("../../../docs/integration/nats.conf");
const FOREIGN: &str = "BMS/v1/PUB/Value/Rack/RackPower/site1/r13/rack/Power";

/// A CA, and what it has signed: `server`, `node-0001` and `MEPAI`, each as `.pem` and `.key`.
fn certificates(folder: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "test CA");
    std::fs::write(folder.join("ca.pem"), params.self_signed(&ca_key).unwrap().pem()).unwrap();
    let ca = Issuer::new(params, ca_key);
    for (name, hosts) in [("server", vec!["localhost".to_owned()]), ("node-0001", vec![]), ("MEPAI", vec![])]
    {
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

/// A foreign client with this certificate.
fn mosquitto(program: &str, who: &str, folder: &Path, port: u16, words: &[&str]) -> Output {
    let file = |name: String| folder.join(name);
    let mut command = Command::new(program);
    command.args([
        "-h",
        "localhost",
        "-p",
        &port.to_string(),
        "-V",
        "mqttv311",
        "-i",
        &format!("{program}-{who}"),
    ]);
    command.arg("--cafile").arg(file("ca.pem".into()));
    command.arg("--cert").arg(file(format!("{who}.pem"))).arg("--key").arg(file(format!("{who}.key")));
    command.args(words).output().unwrap()
}

#[test]
fn the_shipped_nats_configuration_lets_a_node_write_its_own_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let path = |name: &str| toml::Value::from(folder.path().join(name).display().to_string());
    let (port, own) = (free_port(), free_port());
    let text = SHIPPED
        .replace("0.0.0.0:8883", &format!("127.0.0.1:{port}"))
        .replace("127.0.0.1:4222", &format!("127.0.0.1:{own}"))
        .replace("/var/lib/nats", &folder.path().join("jetstream").display().to_string())
        .replace("/etc/nats/tls", &folder.path().display().to_string());
    let nats = Nats::with(&text, port);
    let _rig = Rig::start(&RigOptions {
        settings: vec![
            ("exchange", "brokers", vec![format!("mqtts://localhost:{port}")].into()),
            ("exchange.tls", "ca", path("ca.pem")),
            ("exchange.tls", "certificate", path("node-0001.pem")),
            ("exchange.tls", "key", path("node-0001.key")),
            ("exchange.dsx", "rack_id", "r-12".into()),
            ("exchange.dsx", "tag_path", "site1/r12".into()),
            ("exchange.dsx", "requests", "own".into()),
            ("exchange.dsx", "integration", "MEPAI".into()),
            ("exchange.json", "prefix", "eisbach/v1".into()),
        ],
        ..RigOptions::default()
    });
    let heard = mosquitto(
        "mosquitto_sub",
        "MEPAI",
        folder.path(),
        port,
        &["-t", "BMS/v1/PUB/#", "-C", "20", "-W", "30", "-v"],
    );
    let heard = String::from_utf8(heard.stdout).unwrap();
    assert!(heard.contains("BMS/v1/PUB/Metadata/") && heard.contains("BMS/v1/PUB/Value/"), "{heard}");
    assert!(heard.lines().all(|line| line.contains("/site1/r12/")), "{heard}");
    assert!(!nats.log(0).contains("Violation"), "{}", nats.log(0));

    mosquitto("mosquitto_pub", "node-0001", folder.path(), port, &["-t", FOREIGN, "-m", "{}"]);
    let wanted = FOREIGN.replace('/', ".");
    until("the refusal", MINUTE, || nats.log(0), |log| log.contains("Violation") && log.contains(&wanted));
}
