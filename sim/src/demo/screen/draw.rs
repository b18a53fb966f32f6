//! The screen as a whole: what goes where, and what stays when there is little room.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::keys::KEYS;
use super::super::view::View;
use super::{gpus, panels};

/// Rows of the two panels in the middle.
const PANEL_ROWS: u16 = 10;
/// Rows of the key help.
const KEY_ROWS: u16 = 2;
/// Keys in the first of them, so that both fit into 100 columns.
const KEYS_IN_FIRST_ROW: usize = 9;
/// Below this width the panels are stacked away: only the loop is shown.
const TWO_PANELS: u16 = 80;

/// Draws one moment. Too small a terminal loses the messages first, then the panels, then the GPUs.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let [title, gpu_area, middle, messages, keys] =
        Layout::vertical(rows(frame.area().height, view)).areas(frame.area());
    draw_title(frame, title, view);
    gpus::draw(frame, gpu_area, view);
    if middle.width >= TWO_PANELS {
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(middle);
        panels::draw_loop(frame, left, view);
        panels::draw_facility(frame, right, view);
    } else {
        panels::draw_loop(frame, middle, view);
    }
    panels::draw_messages(frame, messages, view);
    draw_keys(frame, keys, view);
}

/// Rows of title, GPUs, panels, messages and keys: first come, first served.
fn rows(height: u16, view: &View<'_>) -> [Constraint; 5] {
    let mut left = height;
    let mut take = |wanted: u16, least: u16| {
        let rows = if left >= least { wanted.min(left) } else { 0 };
        left -= rows;
        Constraint::Length(rows)
    };
    let (title, gpus) = (take(1, 1), take(gpus::rows(view), 3));
    let (keys, panels) = (take(KEY_ROWS, 1), take(PANEL_ROWS, 3));
    [title, gpus, panels, Constraint::Fill(1), keys]
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let end = view.ends_ms.map_or_else(String::new, |ends| format!(" of {} s", ends / 1000));
    let title = Line::from(vec![
        Span::from(" eisbach ").bold().reversed(),
        Span::from(format!(" {:.1} s{end} ", view.seconds())),
        Span::from(format!(" {} ", view.state().to_uppercase()))
            .bold()
            .bg(state_colour(view.state()))
            .fg(Color::Black),
        Span::from(format!(" {}", view.leader())).bold(),
        Span::from(format!(": {}", view.reason())),
    ]);
    frame.render_widget(title, area);
}

/// Green is calm, yellow is cautious, red acts.
pub(super) fn state_colour(state: &str) -> Color {
    match state {
        "running" => Color::Green,
        "boot" | "hot" => Color::Yellow,
        "critical" | "leak" | "uncontrollable" => Color::Red,
        _unknown => Color::Gray,
    }
}

fn draw_keys(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let mut spans = Vec::new();
    for key in &KEYS {
        let style = if view.keys.is_down(key) { Style::new().red().bold() } else { Style::new() };
        spans.push(Span::from(format!(" {} ", key.key)).style(style.reversed()));
        spans.push(Span::from(format!(" {} ", key.label)).style(style));
    }
    spans.push(Span::from(" q ").reversed());
    spans.push(Span::from(" quit"));
    // Each key is two spans.
    let (first, second) = spans.split_at_checked(2 * KEYS_IN_FIRST_ROW).unwrap_or((&spans, &[]));
    let lines = vec![Line::from(first.to_vec()), Line::from(second.to_vec())];
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::facility::Board;
    use crate::demo::keys::Keys;
    use crate::plant;
    use crate::world::{Event, FaultRecord, RequestTruth, Truth};
    use eisbach_protocol::sparkplug::{Metric, Payload, Value};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn payload(seq: u8, metrics: Vec<Metric>) -> Vec<u8> {
        Payload { timestamp_ms: None, seq: Some(seq), metrics }.encode()
    }

    fn text(word: &str) -> Value {
        Value::String(word.into())
    }

    fn board() -> Board {
        let mut board = Board::new("demo", "node-1");
        board.set_connected(true, 0);
        let node = vec![
            Metric::named("State", text("critical")).with_alias(1),
            Metric::named("Leader", text("flow_guard")).with_alias(2),
            Metric::named("Reason", text("head is far below")).with_alias(3),
            Metric::named("Alarms/loss_of_flow", Value::Boolean(true)).with_alias(4),
        ];
        let gpu = vec![
            Metric::named("Margin", Value::Float(7.0)).with_alias(300),
            Metric::named("Rung", Value::Int64(4)).with_alias(301),
            Metric::named("Reason", text("flow is gone")).with_alias(302),
        ];
        let pump = vec![Metric::named("SpeedSetpoint", Value::Float(100.0)).with_alias(600)];
        board.hear("spBv1.0/demo/NBIRTH/node-1", &payload(0, node), 20_300);
        board.hear("spBv1.0/demo/DBIRTH/node-1/gpu2", &payload(1, gpu), 20_300);
        board.hear("spBv1.0/demo/DBIRTH/node-1/pump", &payload(2, pump), 20_300);
        board
    }

    fn truth() -> Truth {
        let mut plant = plant::Truth::default();
        plant.gpus[2].core_celsius = 81.7;
        plant.gpus[2].watts = 203.0;
        plant.node_loop.flow_lpm = 0.4;
        plant.facility.river_celsius = 12.5;
        let requests = vec![RequestTruth { limit_watts: 200.0, ..RequestTruth::default() }; 8];
        let faults = vec![FaultRecord::of_test("flow-loss", 20_000, Some(420))];
        Truth { time_ms: 21_500, plant, requests, faults, ..Truth::default() }
    }

    fn screen(width: u16, height: u16) -> String {
        let (truth, board, mut keys) = (truth(), board(), Keys::default());
        keys.happened(Event::FlowLoss);
        let view = View { truth: &truth, board: &board, keys: &keys, ends_ms: Some(60_000) };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &view)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn everything_that_matters_is_on_one_screen_of_100_by_30() {
        let screen = screen(100, 30);
        for part in [
            "21.5 s of 60 s",
            "CRITICAL",
            "flow_guard: head is far below",
            "81.7",
            "203",
            "200",
            "flow is gone",
            "0.4 L/min",
            "100.0 %",
            "12.5 °C",
            "loss_of_flow",
            "flow-loss",
            "300 ms",
            "420 ms",
            "DBIRTH/node-1/pump",
            "SpeedSetpoint 100.0",
            "trip pump",
            "quit",
        ] {
            assert!(screen.contains(part), "{part} is missing:\n{screen}");
        }
    }

    #[test]
    fn a_small_terminal_keeps_state_and_gpus() {
        let screen = screen(60, 12);
        assert!(
            screen.contains("CRITICAL") && screen.contains("81.7") && !screen.contains("Loop"),
            "{screen}"
        );
    }

    #[test]
    fn no_size_breaks_it() {
        for (width, height) in [(1, 1), (5, 2), (20, 5), (79, 12), (80, 24), (300, 100)] {
            screen(width, height);
        }
    }
}
