//! The plain face: JSON for whoever reads MQTT, from Telegraf to a page in Node-RED.
//!
//! ```text
//!   <prefix>/<node>/status      {"online":true,…}          kept, each minute; the will says false where it is ours
//!   <prefix>/<node>/<object>    its points, flat           kept; on change, at most one a period, at least each minute
//!   <prefix>/<node>/alarms      what stands                kept; on change
//!   <prefix>/<node>/event       what happened, numbered    at least once, also what happened while away
//!   <prefix>/<node>/command     what we are asked          never obeyed if the broker kept it
//! ```
//!
//! docs/json.md has the schema. An event is told again if the broker has not confirmed it; its number tells which.

mod commands;
mod discovery;
mod text;

use std::sync::Arc;

use eisbach_protocol::units::Millis;

use self::text::Fields;
use super::face::{Face, Inbound, Moment, Outlet};
use super::link::{Delivery, Refused};
use crate::desk::Desk;
use crate::report::{ObjectReport, Report};

/// Unchanged objects are told again after this, for those who keep nothing.
const REFRESH: Millis = Millis::from_secs(60);
/// Shortest time between two tellings of everything.
const REPEAT_PAUSE: Millis = Millis::from_secs(5);
/// Events told in one step: a flood leaves room for the rest.
const EVENTS_A_STEP: usize = 16;

/// Where the plain face speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonSettings {
    /// First levels of every topic, `eisbach/v1` by default.
    pub prefix: String,
    /// Shortest time between two words about one object.
    pub period: Millis,
    /// First level of the topics by which Home Assistant finds devices; `None` leaves it out.
    pub discovery: Option<String>,
}

/// The face, from the agent's start to its end.
#[derive(Debug)]
pub(super) struct JsonFace {
    base: String,
    node: String,
    settings: JsonSettings,
    greeting: Greeting,
    objects: Vec<Told>,
    alarms: Option<String>,
    /// When this run of the agent first told something: with it, an event's number is the event's alone.
    run_ms: u64,
    /// Newest event told, and newest that the broker has confirmed.
    told: u64,
    confirmed: u64,
    desk: Option<Desk>,
    /// How often all was to be told once more.
    rebirths: u64,
}

/// What comes before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    Due,
    Said { at: Millis },
}

/// What was told of an object.
#[derive(Debug)]
struct Told {
    name: String,
    at: Millis,
    fields: Fields,
}

impl JsonFace {
    pub(super) fn new(settings: JsonSettings, node: &str) -> Self {
        Self {
            base: format!("{}/{node}", settings.prefix),
            node: node.to_owned(),
            settings,
            greeting: Greeting::Due,
            objects: Vec::new(),
            alarms: None,
            run_ms: 0,
            told: 0,
            confirmed: 0,
            desk: None,
            rebirths: 0,
        }
    }

    /// With somebody who judges commands.
    pub(super) fn with_desk(self, desk: Option<Desk>) -> Self {
        let rebirths = desk.as_ref().map_or(0, Desk::rebirths);
        Self { desk, rebirths, ..self }
    }

    /// Tells all once more if somebody asked for it.
    fn begin_anew_if_asked(&mut self, now: Moment) {
        let rebirths = self.desk.as_ref().map_or(0, Desk::rebirths);
        let pause_over = match self.greeting {
            Greeting::Said { at } => now.at.since(at) >= REPEAT_PAUSE,
            Greeting::Due => true,
        };
        if pause_over && std::mem::replace(&mut self.rebirths, rebirths) != rebirths {
            self.greeting = Greeting::Due;
            self.objects.clear();
            self.alarms = None;
        }
    }

    /// Where it stands whether we are there, and what the broker says there when we fall silent.
    pub(super) fn will(&self) -> (String, String) {
        (self.topic("status"), text::status(false, None))
    }

    fn topic(&self, last: &str) -> String {
        format!("{}/{last}", self.base)
    }

    fn greet(&mut self, report: &Report, now: Moment, out: &mut Outlet<'_>) -> Result<(), Refused> {
        match self.greeting {
            Greeting::Said { at } if now.at.since(at) < REFRESH => return Ok(()),
            Greeting::Said { .. } | Greeting::Due => {}
        }
        if let (Greeting::Due, Some(first)) = (self.greeting, &self.settings.discovery) {
            for (topic, payload) in discovery::devices(first, &self.base, &self.node, report) {
                out.publish(&topic, payload.into_bytes(), Delivery::Kept)?;
            }
        }
        let status = text::status(true, Some(now.wall_ms));
        out.publish(&self.topic("status"), status.into_bytes(), Delivery::SureKept)?;
        self.greeting = Greeting::Said { at: now.at };
        Ok(())
    }

    fn tell_object(
        &mut self,
        report: &Report,
        object: &ObjectReport,
        now: Moment,
        out: &mut Outlet<'_>,
    ) -> Result<(), Refused> {
        let topic = self.topic(&object.name);
        let fields = Fields::of(object);
        let known = self.objects.iter_mut().find(|told| told.name == object.name);
        if let Some(told) = &known {
            let since = now.at.since(told.at);
            let due = since >= REFRESH || (since >= self.settings.period && fields.differ_from(&told.fields));
            if !due {
                return Ok(());
            }
        }
        out.publish(&topic, fields.json(report.wall_ms, object).into_bytes(), Delivery::Kept)?;
        match known {
            Some(told) => (told.at, told.fields) = (now.at, fields),
            None => self.objects.push(Told { name: object.name.clone(), at: now.at, fields }),
        }
        Ok(())
    }

    /// What is no longer there is told so once: its kept word would say for ever that it is.
    fn tell_gone(&mut self, report: &Report, out: &mut Outlet<'_>) -> Result<(), Refused> {
        while let Some(place) =
            self.objects.iter().position(|told| !report.objects.iter().any(|object| object.name == told.name))
        {
            let Some(gone) = self.objects.get(place) else { break };
            let payload = text::gone(report.wall_ms);
            out.publish(&self.topic(&gone.name), payload.into_bytes(), Delivery::Kept)?;
            self.objects.remove(place);
        }
        Ok(())
    }

    fn tell_alarms(&mut self, report: &Report, out: &mut Outlet<'_>) -> Result<(), Refused> {
        let standing = text::alarms(report);
        if self.alarms.as_ref() == Some(&standing) {
            return Ok(());
        }
        let payload = text::with_time(report.wall_ms, &standing);
        out.publish(&self.topic("alarms"), payload.into_bytes(), Delivery::SureKept)?;
        self.alarms = Some(standing);
        Ok(())
    }

    fn tell_events(&mut self, report: &Report, out: &mut Outlet<'_>) -> Result<(), Refused> {
        if out.unconfirmed() == 0 {
            self.confirmed = self.told;
        }
        let topic = self.topic("event");
        let news = report.events.since(self.told);
        if news.missed > 0 {
            out.publish(&topic, text::missed(report.wall_ms, news.missed).into_bytes(), Delivery::Sure)?;
            out.counters().events_missed.add(news.missed);
            self.told += news.missed;
        }
        for event in news.events.take(EVENTS_A_STEP) {
            out.publish(&topic, text::event(event, self.run_ms).into_bytes(), Delivery::Sure)?;
            self.told = event.number;
        }
        Ok(())
    }
}

impl Face for JsonFace {
    fn name(&self) -> &'static str {
        "json"
    }

    fn connected(&mut self, out: &mut Outlet<'_>) -> Result<(), Refused> {
        out.listen(&self.topic("command"))
    }

    fn lost(&mut self) {
        self.greeting = Greeting::Due;
        // A broker that starts anew has kept nothing.
        self.objects.clear();
        self.alarms = None;
        self.told = self.confirmed;
    }

    fn report(
        &mut self,
        report: &Arc<Report>,
        now: Moment,
        out: Option<&mut Outlet<'_>>,
    ) -> Result<(), Refused> {
        if self.run_ms == 0 {
            self.run_ms = report.wall_ms;
        }
        let Some(out) = out else { return Ok(()) };
        self.begin_anew_if_asked(now);
        self.greet(report, now, out)?;
        self.tell_events(report, out)?;
        self.tell_alarms(report, out)?;
        self.tell_gone(report, out)?;
        report.objects.iter().try_for_each(|object| self.tell_object(report, object, now, out))
    }

    fn message(&mut self, inbound: &Inbound, _now: Moment, out: &mut Outlet<'_>) {
        commands::take(inbound, self.desk.as_ref(), out.counters());
    }

    fn goodbye(&mut self, now: Moment, out: &mut Outlet<'_>) -> Result<(), Refused> {
        let status = text::status(false, Some(now.wall_ms));
        out.publish(&self.topic("status"), status.into_bytes(), Delivery::SureKept)
    }

    fn is_ready(&self) -> bool {
        matches!(self.greeting, Greeting::Said { .. })
    }
}

#[cfg(test)]
mod tests;
