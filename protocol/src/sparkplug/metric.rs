//! One metric: a value under a name or an alias, with its time, quality and properties.
//!
//! ```text
//!   birth     Metric::named("Pump/Speed", value).with_alias(7).at(now).with_birth(properties)
//!   data      Metric::aliased(7, value).at(now).with_quality(stale)
//!   command   metric.name() or metric.alias(), then metric.value(known type)
//! ```

use alloc::string::String;

use super::quality::QualityCode;
use super::value::{DataType, Value, ValueError};
use super::wire;

/// One metric of a payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric(pub(super) wire::Metric);

/// What a birth tells about a point besides its value, under the property names that SCADA hosts read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BirthProperties<'a> {
    /// Unit for people (`engUnit`).
    pub unit: Option<&'a str>,
    /// Lowest value in use (`engLow`).
    pub low: Option<f64>,
    /// Highest value in use (`engHigh`).
    pub high: Option<f64>,
    /// A host cannot write it (`readOnly`).
    pub read_only: bool,
    /// What it is, in a sentence (`documentation`).
    pub documentation: Option<&'a str>,
}

impl Metric {
    /// A metric by name, with its data type: for births, deaths and commands.
    #[must_use]
    pub fn named(name: impl Into<String>, value: Value) -> Self {
        let datatype = value.datatype();
        let mut metric = Self::named_null(name, datatype);
        metric.fill(value);
        metric
    }

    /// A metric by name that has no value now.
    #[must_use]
    pub fn named_null(name: impl Into<String>, datatype: DataType) -> Self {
        Self(wire::Metric {
            name: Some(name.into()),
            datatype: Some(datatype.code()),
            is_null: Some(true),
            ..wire::Metric::default()
        })
    }

    /// A metric by alias, without its data type: for data, after the birth has told both.
    #[must_use]
    pub fn aliased(alias: u64, value: Value) -> Self {
        let mut metric = Self::aliased_null(alias);
        metric.fill(value);
        metric
    }

    /// A metric by alias that has no value now.
    #[must_use]
    pub fn aliased_null(alias: u64) -> Self {
        Self(wire::Metric { alias: Some(alias), is_null: Some(true), ..wire::Metric::default() })
    }

    /// With an alias, to be used instead of its name from now on.
    #[must_use]
    pub fn with_alias(mut self, alias: u64) -> Self {
        self.0.alias = Some(alias);
        self
    }

    /// Measured at this time: milliseconds since 1970, UTC.
    #[must_use]
    pub fn at(mut self, timestamp_ms: u64) -> Self {
        self.0.timestamp = Some(timestamp_ms);
        self
    }

    /// From a store, not live: a host files it and leaves its live tag alone.
    #[must_use]
    pub fn historical(mut self) -> Self {
        self.0.is_historical = Some(true);
        self
    }

    /// With its quality. Good is not written: it is what a missing property means.
    #[must_use]
    pub fn with_quality(mut self, quality: QualityCode) -> Self {
        match quality {
            QualityCode::Good => {}
            QualityCode::Bad | QualityCode::Stale => {
                self.push_property(QualityCode::KEY, Value::Int32(quality.code()));
            }
        }
        self
    }

    /// With what a birth tells about the point.
    #[must_use]
    pub fn with_birth(mut self, about: BirthProperties<'_>) -> Self {
        let text = |text: &str| Value::String(text.into());
        let properties = [
            ("engUnit", about.unit.map(text)),
            ("engLow", about.low.map(Value::Double)),
            ("engHigh", about.high.map(Value::Double)),
            ("readOnly", Some(Value::Boolean(about.read_only))),
            ("documentation", about.documentation.map(text)),
        ];
        for (key, value) in properties {
            if let Some(value) = value {
                self.push_property(key, value);
            }
        }
        self
    }

    /// Its name, in births and commands.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Its alias.
    #[must_use]
    pub const fn alias(&self) -> Option<u64> {
        self.0.alias
    }

    /// When it was measured: milliseconds since 1970, UTC.
    #[must_use]
    pub const fn timestamp_ms(&self) -> Option<u64> {
        self.0.timestamp
    }

    /// The data type it names itself; `None` if it names none, or one we do not speak.
    #[must_use]
    pub fn datatype(&self) -> Option<DataType> {
        self.0.datatype.and_then(DataType::from_code)
    }

    /// Whether it comes from a store and is not live.
    #[must_use]
    pub fn is_historical(&self) -> bool {
        self.0.is_historical.unwrap_or_default()
    }

    /// Its value, or `None` for a null.
    ///
    /// Its own data type rules; `known`, the one its birth told, stands in where it names none.
    ///
    /// # Errors
    /// If there is no data type, no value, or the two do not fit.
    pub fn value(&self, known: Option<DataType>) -> Result<Option<Value>, ValueError> {
        if self.0.is_null == Some(true) {
            return Ok(None);
        }
        let wire = self.0.value.as_ref().ok_or(ValueError::Absent)?;
        let datatype = match self.0.datatype {
            Some(code) => DataType::from_code(code),
            None => known,
        };
        Value::from_wire(datatype.ok_or(ValueError::Untyped)?, wire).map(Some)
    }

    /// Its quality. Good if it says nothing, bad if it says something else than the specification allows.
    #[must_use]
    pub fn quality(&self) -> QualityCode {
        match self.property(QualityCode::KEY) {
            None => QualityCode::Good,
            Some(Ok(Value::Int32(code))) => QualityCode::from_code(code),
            Some(_) => QualityCode::Bad,
        }
    }

    /// The property under `key`, or `None` if it has none of that name or a null.
    pub fn property(&self, key: &str) -> Option<Result<Value, ValueError>> {
        let set = self.0.properties.as_ref()?;
        let (_, property) = set.keys.iter().zip(&set.values).find(|(name, _)| *name == key)?;
        if property.is_null == Some(true) {
            return None;
        }
        let Some(value) = property.value.clone() else {
            return Some(Err(ValueError::Absent));
        };
        let Some(datatype) = property.datatype.and_then(DataType::from_code) else {
            return Some(Err(ValueError::Untyped));
        };
        Some(Value::from_wire(datatype, &value.into()))
    }

    fn fill(&mut self, value: Value) {
        self.0.is_null = None;
        self.0.value = Some(value.into_wire());
    }

    fn push_property(&mut self, key: &str, value: Value) {
        let set = self.0.properties.get_or_insert_default();
        set.keys.push(key.into());
        set.values.push(wire::Property {
            datatype: Some(value.datatype().code()),
            is_null: None,
            value: Some(value.into_wire().into()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_needs_the_type_that_its_birth_told() {
        let data = Metric::aliased(7, Value::Int32(-40));
        assert_eq!(data.value(None), Err(ValueError::Untyped));
        assert_eq!(data.value(Some(DataType::Int32)), Ok(Some(Value::Int32(-40))));
    }

    #[test]
    fn the_type_a_metric_names_itself_rules() {
        let command = Metric::named("Setpoint", Value::Double(18.0));
        assert_eq!(command.value(Some(DataType::Float)), Ok(Some(Value::Double(18.0))));

        let mut foreign = command;
        foreign.0.datatype = Some(19);
        assert_eq!(foreign.value(Some(DataType::Double)), Err(ValueError::Untyped));
    }

    #[test]
    fn a_null_is_no_error_and_no_value() {
        assert_eq!(Metric::named_null("Flow", DataType::Float).value(None), Ok(None));
        assert_eq!(Metric(wire::Metric::default()).value(None), Err(ValueError::Absent));
    }

    #[test]
    fn good_quality_is_left_out_and_a_missing_quality_is_good() {
        let metric = Metric::aliased(1, Value::Boolean(true));
        assert_eq!(metric.clone().with_quality(QualityCode::Good), metric);
        assert_eq!(metric.quality(), QualityCode::Good);
        assert_eq!(metric.clone().with_quality(QualityCode::Stale).quality(), QualityCode::Stale);
        assert_eq!(metric.with_quality(QualityCode::Bad).quality(), QualityCode::Bad);
    }

    #[test]
    fn a_quality_of_another_type_is_bad() {
        let mut metric = Metric::aliased(1, Value::Boolean(true));
        metric.push_property(QualityCode::KEY, Value::String("192".into()));
        assert_eq!(metric.quality(), QualityCode::Bad);
    }

    #[test]
    fn a_birth_tells_only_what_is_known() {
        let about = BirthProperties {
            unit: Some("L/min"),
            low: Some(0.0),
            read_only: true,
            ..BirthProperties::default()
        };
        let birth = Metric::named("Flow", Value::Float(3.5)).with_birth(about);
        assert_eq!(birth.property("engUnit"), Some(Ok(Value::String("L/min".into()))));
        assert_eq!(birth.property("engLow"), Some(Ok(Value::Double(0.0))));
        assert_eq!(birth.property("readOnly"), Some(Ok(Value::Boolean(true))));
        assert_eq!(birth.property("engHigh"), None);
        assert_eq!(birth.property("documentation"), None);
    }
}
