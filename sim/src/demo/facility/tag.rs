//! One tag of the node: its name from the birth, its value from the data.

use eisbach_protocol::sparkplug::{DataType, Metric, QualityCode, Value};

/// A tag as the host sees it.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) object: String,
    pub(super) name: String,
    pub(super) datatype: Option<DataType>,
    pub(super) value: Option<Value>,
    quality: QualityCode,
}

impl Tag {
    /// The tag that a birth tells of, with its alias; `None` for a metric that has none.
    pub(super) fn born(object: &str, metric: &Metric) -> Option<(u64, Self)> {
        let mut tag = Self {
            object: object.to_owned(),
            name: metric.name()?.to_owned(),
            datatype: metric.datatype(),
            value: None,
            quality: QualityCode::Bad,
        };
        tag.set(metric);
        Some((metric.alias()?, tag))
    }

    /// A new value, or its absence.
    pub(super) fn set(&mut self, metric: &Metric) {
        match metric.value(self.datatype) {
            Ok(value) => {
                self.value = value;
                self.quality = metric.quality();
            }
            Err(_) => self.quality = QualityCode::Bad,
        }
    }

    /// Its object is gone: the value stays, but nobody vouches for it.
    pub(super) const fn lose(&mut self) {
        self.quality = QualityCode::Stale;
    }

    /// Its number, if it is one and good.
    pub(super) fn number(&self) -> Option<f64> {
        match self.quality {
            QualityCode::Good => self.value.as_ref()?.as_f64().filter(|number| number.is_finite()),
            QualityCode::Bad | QualityCode::Stale => None,
        }
    }

    /// Its text, if it is one, whatever its quality.
    pub(super) fn text(&self) -> Option<&str> {
        if let Some(Value::String(text) | Value::Text(text)) = &self.value { Some(text) } else { None }
    }
}

/// A value for people.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Int8(_)
        | Value::Int16(_)
        | Value::Int32(_)
        | Value::Int64(_)
        | Value::UInt8(_)
        | Value::UInt16(_)
        | Value::UInt32(_)
        | Value::UInt64(_) => value.as_f64().map_or_else(String::new, |number| format!("{number:.0}")),
        Value::Float(number) => format!("{number:.1}"),
        Value::Double(number) => format!("{number:.1}"),
        Value::Boolean(flag) => flag.to_string(),
        Value::String(text) | Value::Text(text) => text.clone(),
        Value::DateTime(ms) => ms.to_string(),
    }
}
