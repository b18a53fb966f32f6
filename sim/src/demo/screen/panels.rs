//! The panels below the GPUs: the loop, the facility, the messages.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize as _;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::super::facility::NODE;
use super::super::view::View;

/// Width of the labels in the loop panel.
const LABEL: usize = 10;
/// Columns of a topic in the list of messages.
const TOPIC: usize = 24;

/// Pump, flow, temperatures, valve, heat: the truth, with the agent's set-points beside it.
pub(super) fn draw_loop(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let plant = &view.truth.plant;
    let energy = &plant.energy;
    let set = |object, name, unit| {
        let target = view.board.number(object, name);
        target.map_or_else(|| "-".to_owned(), |target| format!("{target:.1} {unit}"))
    };
    let fixed = view.truth.fixed_flow_pump_kwh;
    let share = if fixed > 0.0 {
        format!("({:.0} % of fixed)", energy.pump_kwh / fixed * 100.0)
    } else {
        String::new()
    };
    let lines = vec![
        line("pump", format!("{:.1} %, set {}", plant.pump.speed * 100.0, set("pump", "SpeedSetpoint", "%"))),
        line("", format!("{:.0} kPa, {:.0} W {share}", plant.pump.head_kpa, plant.power.pump)),
        line(
            "flow",
            format!("{:.1} L/min, demand {}", plant.node_loop.flow_lpm, set(NODE, "FlowDemand", "L/min")),
        ),
        line(
            "supply",
            format!("{:.1} °C, set {}", plant.node_loop.supply_celsius, set(NODE, "SupplySetpoint", "°C")),
        ),
        line("return", format!("{:.1} °C", plant.node_loop.return_celsius)),
        line(
            "valve",
            format!("{:.1} %, set {}", plant.valve.position * 100.0, set("valve", "PositionSetpoint", "%")),
        ),
        line("recovered", format!("{:.2} kW, {:.4} kWh", plant.power.recovery / 1000.0, energy.recovery_kwh)),
        line(
            "river",
            format!(
                "{:.2} kW, {:.4} kWh, {:.1} °C",
                plant.power.river / 1000.0,
                energy.river_kwh,
                plant.facility.river_celsius
            ),
        ),
    ];
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" Loop ")), area);
}

/// Alarms that stand, then the faults with their answers, newest first.
pub(super) fn draw_facility(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let mut lines: Vec<Line<'_>> = view.board.alarms().map(|alarm| Line::from(alarm.red().bold())).collect();
    if lines.is_empty() {
        lines.push(Line::from("no alarm stands".green()));
    }
    let or_dash = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    for fault in view.faults().rev() {
        lines.push(Line::from(vec![
            Span::from(format!("{:>6.1} s {}", fault.at_s, fault.name)),
            format!("  seen {}, capped {}", or_dash(fault.detected_ms), or_dash(fault.capped_ms)).dim(),
        ]));
    }
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" Alarms and faults ")), area);
}

/// The latest messages, newest at the bottom.
pub(super) fn draw_messages(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let heard = view.board.heard();
    let room = usize::from(area.height.saturating_sub(2));
    let lines: Vec<Line<'_>> = heard
        .iter()
        .skip(heard.len().saturating_sub(room))
        .map(|heard| {
            let seconds = format!("{:>4}.{} s ", heard.plant_ms / 1000, heard.plant_ms % 1000 / 100);
            let topic = format!("{:<TOPIC$} ", heard.topic);
            Line::from(vec![
                seconds.dim(),
                topic.cyan(),
                heard.gist.clone().into(),
                format!("  {} bytes", heard.bytes).dim(),
            ])
        })
        .collect();
    let link = if view.board.connected() { "" } else { ", broker cannot be reached" };
    let unreadable = match view.board.unreadable() {
        0 => String::new(),
        some => format!(", {some} unreadable"),
    };
    let title = format!(" MQTT, {} messages{unreadable}{link} ", view.board.published());
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), area);
}

fn line(label: &'static str, value: String) -> Line<'static> {
    Line::from(vec![format!("{label:<LABEL$}").dim(), Span::from(value)])
}
