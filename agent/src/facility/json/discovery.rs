//! How Home Assistant finds the node's values, one message a device: MQTT discovery of devices, since 2024.11.
//!
//! A word about a value is only made for numbers; the rest is on the plain topics for whoever wants it.

use eisbach_protocol::catalogue::{Kind, PointDef, points_of};
use serde_json::{Map, Value, json};

use crate::report::Report;

/// Topic and payload for every object of the report.
pub(super) fn devices(first: &str, base: &str, node: &str, report: &Report) -> Vec<(String, String)> {
    let device = |object: &crate::report::ObjectReport| {
        let id = format!("{node}-{}", object.name);
        let numbers = points_of(object.owner).filter(|def| matches!(def.kind, Kind::Float));
        let components: Map<String, Value> =
            numbers.map(|def| (format!("{id}-{}", def.name), component(&id, def))).collect();
        let payload = json!({
            "dev": { "ids": id, "name": format!("{node} {}", object.name), "mf": "eisbach" },
            "o": { "name": "eisbach-agent", "sw": env!("CARGO_PKG_VERSION") },
            "cmps": components,
            "state_topic": format!("{base}/{}", object.name),
            "availability_topic": format!("{base}/status"),
            "availability_template": "{{ 'online' if value_json.online else 'offline' }}",
        });
        (format!("{first}/device/{id}/config"), payload.to_string())
    };
    report.objects.iter().map(device).collect()
}

fn component(id: &str, def: &PointDef) -> Value {
    json!({
        "p": "sensor",
        "name": def.name,
        "unique_id": format!("{id}-{}", def.name),
        "unit_of_measurement": unit(def.unit),
        "state_class": "measurement",
        // Three times the pace at which unchanged words are told again.
        "expire_after": 180,
        "value_template": format!("{{{{ value_json.{} }}}}", def.name),
    })
}

/// UCUM to what Home Assistant writes.
const fn unit(ucum: &'static str) -> &'static str {
    match ucum.as_bytes() {
        b"Cel" => "°C",
        b"{rev}/min" => "rpm",
        _ => ucum,
    }
}
