//! Who we are on the exchange: one identity for each object, one tag for each point.
//!
//! ```text
//!   tag       <tag path>/<folder>/<point>     site1/row3/r12/node-7/loop/Flow
//!   object    <node>-<folder>                 node-7-loop, node-7-pump, node-7-gpu0
//!   rack      as agreed with those who look at it from the other side
//! ```

use super::points::{Meaning, Object, Point};
use super::words::{Metadata, StateText};

/// Names that are the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The node.
    pub(super) node: String,
    /// The rack, for people.
    pub(super) rack_name: String,
    /// The rack, as agreed.
    pub(super) rack_id: String,
    /// What every tag begins with.
    pub(super) tag_path: String,
}

impl Identity {
    /// Where a point of an object of ours stands below the tag path.
    fn folder(object: Object, source: &str) -> &str {
        match object {
            Object::Rack => "rack",
            Object::Cdu => "loop",
            Object::Exchanger => "recovery",
            Object::System => "system",
            Object::Pump | Object::Valve | Object::Sensor | Object::Generic => source,
        }
    }

    /// The tag of a point that is read from the object `source` of ours.
    pub(super) fn tag(&self, object: Object, source: &str, point: &str) -> String {
        format!("{}/{}/{point}", self.tag_path, Self::folder(object, source))
    }

    /// Name of an object that is read from the object `source` of ours.
    pub(super) fn object(&self, object: Object, source: &str) -> String {
        format!("{}-{}", self.node, Self::folder(object, source))
    }

    /// What describes a point that is read from the object `source` of ours.
    pub(super) fn describe(&self, point: &Point, source: &str) -> Metadata {
        let (eng_unit, states) = match point.meaning {
            Meaning::Unit(unit) => (Some(unit.to_owned()), &[][..]),
            Meaning::States(states) => (None, states),
            Meaning::Plain => (None, &[][..]),
        };
        let text = |(value, text): (i64, &&str)| StateText { value, text: (*text).to_owned() };
        Metadata {
            eng_unit,
            state_text: (0..).zip(states).map(text).collect(),
            process_area: Some(point.area)
                .filter(|area| !area.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect(),
            is_setpoint: point.setpoint,
            ..self.name(point.object, point.kind, source)
        }
    }

    /// The part of metadata that tells whose the point is.
    pub(super) fn name(&self, object: Object, kind: &str, source: &str) -> Metadata {
        let (object_type, point_type) = (object.as_str().to_owned(), kind.to_owned());
        let metadata = Metadata { object_type, point_type, ..Metadata::default() };
        match object {
            Object::Rack => Metadata {
                rack_location_name: Some(self.rack_name.clone()),
                rack_location_id: Some(self.rack_id.clone()),
                ..metadata
            },
            Object::Cdu
            | Object::Pump
            | Object::Valve
            | Object::Exchanger
            | Object::Sensor
            | Object::Generic
            | Object::System => {
                let id = self.object(object, source);
                let serves = object.serves_the_rack().then(|| self.rack_id.clone());
                Metadata {
                    object_name: Some(id.clone()),
                    object_id: Some(id),
                    serves_id: serves.into_iter().collect(),
                    ..metadata
                }
            }
        }
    }
}
