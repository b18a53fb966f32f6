//! Other numbers for the controller, as one would write them into its configuration.

use eisbach_control::Tuning;
use toml::{Table, Value};

use super::ReplayError;

/// One number that is to be another.
#[derive(Clone, Debug)]
pub(super) struct Change {
    given: String,
    /// Key, and the sections around it.
    path: Vec<String>,
    value: Value,
}

impl Change {
    /// From `key=value`.
    pub(super) fn parse(given: &str) -> Result<Self, ReplayError> {
        let wrong = |why: &str| ReplayError::Set { given: given.into(), why: why.into() };
        let (key, value) =
            given.split_once('=').ok_or_else(|| wrong("give key=value, for example trim_margin=15"))?;
        let table: Table = toml::from_str(&format!("value = {value}"))
            .map_err(|error| wrong(error.message().lines().next().unwrap_or("no value")))?;
        let value = table.get("value").cloned().ok_or_else(|| wrong("no value"))?;
        Ok(Self { given: given.into(), path: key.trim().split('.').map(str::to_owned).collect(), value })
    }

    /// For people: what it is, and what it was.
    pub(super) fn told(&self, recorded: Option<&Tuning>) -> String {
        let table = recorded.and_then(|tuning| Table::try_from(tuning).ok());
        let (last, sections) = (self.path.last(), self.path.iter().rev().skip(1).rev());
        let holder = sections.fold(table, |table, section| match table?.remove(section) {
            Some(Value::Table(inner)) => Some(inner),
            Some(_) | None => None,
        });
        let was = holder.and_then(|table| table.get(last?).cloned());
        let was = was.map_or_else(|| "its default".to_owned(), |was| was.to_string());
        format!("with {} = {} in place of {was}", self.path.join("."), self.value)
    }

    fn apply(&self, table: &mut Table) -> Result<(), ReplayError> {
        let wrong = |why: &str| ReplayError::Set { given: self.given.clone(), why: why.into() };
        let (last, sections) = self.path.split_last().ok_or_else(|| wrong("no key"))?;
        let mut holder = table;
        for section in sections {
            let inner = holder.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            holder = inner.as_table_mut().ok_or_else(|| wrong("that key has no keys below it"))?;
        }
        holder.insert(last.clone(), self.value.clone());
        Ok(())
    }
}

/// The recorded numbers with all changes, if the controller can work with them.
pub(super) fn applied(changes: &[Change], tuning: &Tuning) -> Result<Tuning, ReplayError> {
    if changes.is_empty() {
        return Ok(*tuning);
    }
    let all = || changes.iter().map(|change| change.given.as_str()).collect::<Vec<_>>().join(" --set ");
    let wrong = |why: String| ReplayError::Set { given: all(), why };
    let mut table = Table::try_from(tuning).map_err(|error| wrong(error.to_string()))?;
    changes.iter().try_for_each(|change| change.apply(&mut table))?;
    let tuning: Tuning =
        table.try_into().map_err(|error: toml::de::Error| wrong(one_line(error.message())))?;
    tuning.check().map_err(|error| wrong(format!("{} must be {}", error.key, error.must)))?;
    Ok(tuning)
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}
