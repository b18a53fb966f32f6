//! A strict Sparkplug host: it keeps the state of one node and panics at the first broken rule.

use std::collections::BTreeMap;

use eisbach_protocol::catalogue::{POINTS, PointValue};
use eisbach_protocol::reading::{Quality, Reading};
use eisbach_protocol::sparkplug::{DataType, Metric, Payload, QualityCode, Value};

use super::world::Sent;
use crate::report::Report;

/// What the host knows of the node in one connection.
#[derive(Debug, Default)]
pub(super) struct Host {
    last_seq: Option<u8>,
    /// By device, the node itself under an empty name.
    objects: BTreeMap<String, BTreeMap<u64, Known>>,
}

#[derive(Debug)]
struct Known {
    name: String,
    datatype: DataType,
    value: Option<Value>,
    quality: QualityCode,
}

impl Host {
    /// Takes in one message of the node.
    pub(super) fn observe(&mut self, sent: &Sent) {
        let Sent::Publish { topic, payload } = sent else {
            return;
        };
        let levels: Vec<_> = topic.split('/').collect();
        let device = levels.get(4).copied().unwrap_or_default();
        if levels[2] == "NDEATH" {
            assert_eq!(payload.seq, None);
            *self = Self::default();
            return;
        }
        assert!(payload.timestamp_ms.is_some());
        assert!(payload.metrics.iter().all(|metric| metric.timestamp_ms().is_some()));
        if levels[2] == "NBIRTH" {
            *self = Self::default();
            assert_eq!(payload.seq, Some(0));
        } else {
            let last = self.last_seq.expect("nothing comes before NBIRTH");
            assert_eq!(payload.seq, Some(last.wrapping_add(1)), "seq has no gaps");
        }
        self.last_seq = payload.seq;
        match levels[2] {
            "NBIRTH" | "DBIRTH" => self.birth(device, payload),
            "NDATA" | "DDATA" => self.data(device, payload),
            "DDEATH" => assert!(self.objects.remove(device).is_some(), "{device} dies without having lived"),
            word => panic!("{word}"),
        }
    }

    /// Whether the host sees what the report says, but for dead-bands.
    pub(super) fn agrees_with(&self, report: &Report) {
        for object in &report.objects {
            let name = if object.name == "node" { "" } else { &object.name };
            assert_eq!(self.objects.contains_key(name), object.online, "{name}");
            for (id, reading) in object.points.iter().filter(|_| object.online) {
                let def = &POINTS[*id as usize];
                let known = self.objects[name].values().find(|known| known.name == def.name).unwrap();
                assert!(shows(known, reading, def.dead_band), "{known:?} shows {reading:?}");
            }
        }
    }

    fn birth(&mut self, device: &str, payload: &Payload) {
        assert!(!self.objects.contains_key(device), "{device} is born twice");
        let mut object = BTreeMap::new();
        for metric in &payload.metrics {
            let known = Known {
                name: metric.name().unwrap().to_owned(),
                datatype: metric.datatype().unwrap(),
                value: metric.value(None).unwrap(),
                quality: metric.quality(),
            };
            if let Some(alias) = metric.alias() {
                assert!(!self.objects.values().any(|other| other.contains_key(&alias)), "alias {alias}");
                assert!(object.insert(alias, known).is_none(), "alias {alias} is given twice");
            }
        }
        self.objects.insert(device.to_owned(), object);
    }

    fn data(&mut self, device: &str, payload: &Payload) {
        assert!(!payload.metrics.is_empty());
        let object = self.objects.get_mut(device).expect("data only from the born");
        for metric in &payload.metrics {
            let known = object.get_mut(&metric.alias().unwrap()).expect("alias of its birth");
            // What comes from a store is filed, and the live tag is left alone.
            if !metric.is_historical() {
                known.update(metric);
            }
        }
    }
}

impl Known {
    fn update(&mut self, metric: &Metric) {
        let (value, quality) = (metric.value(Some(self.datatype)).unwrap(), metric.quality());
        assert_eq!(value.is_none(), quality == QualityCode::Bad);
        assert!(value != self.value || quality != self.quality, "{} is sent twice: {value:?}", self.name);
        (self.value, self.quality) = (value, quality);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a test are small")]
fn shows(known: &Known, reading: &Reading<PointValue>, dead_band: f32) -> bool {
    let value = match (&known.value, reading.last_known()) {
        (Some(Value::Float(known)), Some(PointValue::Float(value))) => (known - value).abs() < dead_band,
        (Some(Value::Int64(known)), Some(PointValue::Int(value))) => {
            *known == value || f64::from(dead_band) > known.abs_diff(value) as f64
        }
        (Some(Value::Boolean(known)), Some(PointValue::Bool(value))) => *known == value,
        (Some(Value::String(known)), Some(PointValue::Text(value))) => known == value,
        (None, None | Some(PointValue::Float(_))) => return known.quality == QualityCode::Bad,
        (known, value) => panic!("{known:?} shows {value:?}"),
    };
    let quality = match reading.quality() {
        Quality::Good | Quality::Uncertain => QualityCode::Good,
        Quality::Stale => QualityCode::Stale,
        Quality::Bad(_) => QualityCode::Bad,
    };
    value && known.quality == quality
}
