//! The table of GPUs: the plant's truth, the margin that the agent sees, and what it asks for and why.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Row, Table};

use super::super::view::View;
use crate::plant::GpuTruth;
use crate::world::RequestTruth;

/// Cells of a margin bar.
const BAR: u8 = 10;
/// Margin of a full bar, K.
const FULL_BAR: f64 = 40.0;
/// Above this margin the bar is green, K: the agent's calm margin.
const CALM: f64 = 18.0;
/// Below this margin the bar is red, K: the agent locks clocks here.
const TIGHT: f64 = 9.0;

/// Rows that the table needs, with border and header.
pub(super) fn rows(view: &View<'_>) -> u16 {
    u16::try_from(view.truth.requests.len()).unwrap_or(u16::MAX).saturating_add(3)
}

/// Draws the table.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let gpus = view.truth.plant.gpus.iter().zip(&view.truth.requests).enumerate();
    let rows = gpus.map(|(index, (gpu, request))| row(view, index, gpu, request));
    let widths = [
        Constraint::Length(3),
        Constraint::Length(7),
        Constraint::Length(17),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(9),
        Constraint::Length(4),
        Constraint::Fill(1),
    ];
    let header = Row::new(["GPU", "core", "margin", "power", "limit", "clock", "rung", "reason"]).bold();
    let power = view.truth.plant.power.gpus;
    let block = Block::bordered().title(format!(" GPUs, {power:.0} W, {} ", view.truth.workload));
    frame.render_widget(Table::new(rows, widths).header(header).block(block), area);
}

fn row<'a>(view: &View<'a>, index: usize, gpu: &GpuTruth, request: &RequestTruth) -> Row<'a> {
    let object = format!("gpu{index}");
    let margin = view.board.number(&object, "Margin");
    let rung = view.board.number(&object, "Rung");
    let reason = view.board.text(&object, "Reason").unwrap_or("-");
    let rung_style =
        if rung.is_some_and(|rung| rung >= 3.0) { Style::new().red().bold() } else { Style::new() };
    Row::new([
        Cell::from(index.to_string()),
        Cell::from(format!("{:.1} °C", gpu.core_celsius)),
        Cell::from(margin_bar(margin)),
        Cell::from(format!("{:.0} W", gpu.watts)),
        Cell::from(format!("{:.0} W", request.limit_watts)),
        Cell::from(format!("{:.0} MHz", gpu.clock_mhz)),
        Cell::from(rung.map_or_else(|| "-".to_owned(), |rung| format!("{rung:.0}"))).style(rung_style),
        Cell::from(reason),
    ])
}

fn margin_bar(margin: Option<f64>) -> Line<'static> {
    let Some(kelvin) = margin else { return Line::from("does not answer".red()) };
    let colour = match kelvin {
        wide if wide >= CALM => Color::Green,
        some if some >= TIGHT => Color::Yellow,
        _tight => Color::Red,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held between 0 and the bar's length"
    )]
    let cells = (kelvin / FULL_BAR * f64::from(BAR)).round().clamp(0.0, f64::from(BAR)) as usize;
    let bar = format!("{}{}", "█".repeat(cells), "·".repeat(usize::from(BAR) - cells));
    Line::from(vec![Span::from(bar).fg(colour), Span::from(format!(" {kelvin:.0} K"))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_with_the_margin_and_never_breaks() {
        let cells = |margin| margin_bar(Some(margin)).to_string().matches('█').count();
        assert_eq!([-5.0, 0.0, 20.0, 40.0, 400.0].map(cells), [0, 0, 5, 10, 10]);
        assert_eq!(margin_bar(None).to_string(), "does not answer");
    }
}
