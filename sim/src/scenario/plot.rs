//! A run as a drawing: temperatures, actuators and power over time, with what happened.
//!
//! ```text
//!   °C   hottest, return, supply, target, dew point, river, slowdown ┐
//!   %    pump, valve to recovery, GPUs throttled                     ├─ one time axis, events as lines across
//!   kW   GPUs, their caps, to the network, to the river              ┘
//! ```

use super::svg::{Anchor, Svg, ticks};
use super::track::{Sample, Track};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 78.0;
const PANEL: f64 = 190.0;
const GAP: f64 = 36.0;
/// Points of a line at most: a course is drawn no finer.
const POINTS: usize = 320;

const INK: &str = "#222";
const FAINT: &str = "#e4e4e4";
const EVENT: &str = "#777";
/// Shade behind times in which the node is not in ordinary operation.
const HOT: &str = "#fdeee0";

/// Colours that people with any sight tell apart (Okabe and Ito).
const VERMILION: &str = "#d55e00";
const ORANGE: &str = "#e69f00";
const BLUE: &str = "#0072b2";
const SKY: &str = "#56b4e9";
const GREEN: &str = "#009e73";
const PURPLE: &str = "#cc79a7";
const GREY: &str = "#888";

/// A line of a panel.
struct Line {
    name: &'static str,
    colour: &'static str,
    dash: &'static str,
    value: fn(&Sample) -> f64,
    /// Of the samples that fall on one point, the largest; otherwise their mean.
    largest: bool,
}

const fn line(
    name: &'static str,
    colour: &'static str,
    dash: &'static str,
    value: fn(&Sample) -> f64,
) -> Line {
    Line { name, colour, dash, value, largest: false }
}

/// A panel with its range; where the range is open, the lines decide.
struct Panel {
    unit: &'static str,
    lines: Vec<Line>,
    range: Option<(f64, f64)>,
    limit: Option<(f64, &'static str)>,
}

/// Draws a run.
#[must_use]
pub fn plot(title: &str, track: &Track) -> String {
    let panels = panels(track);
    let count = panels.iter().fold(0.0, |count, _| count + 1.0);
    let mut svg = Svg::new(WIDTH, TOP + count * (PANEL + GAP) + 24.0);
    svg.text((LEFT, 22.0), Anchor::Start, 16, INK, title);
    let time = Time::of(track);
    let points = points(&track.samples);
    for (index, panel) in (0_u8..).zip(&panels) {
        let top = TOP + f64::from(index) * (PANEL + GAP);
        draw(&mut svg, panel, &points, &time, top);
    }
    let bottom = TOP + count * (PANEL + GAP) - GAP;
    events(&mut svg, track, &time, bottom);
    for tick in ticks(0.0, time.length, 8.0) {
        svg.text((time.x(tick), bottom + 16.0), Anchor::Middle, 11, INK, &format!("{tick}"));
    }
    svg.text((WIDTH - RIGHT + 26.0, bottom + 16.0), Anchor::Start, 11, INK, time.unit);
    svg.finish()
}

fn panels(track: &Track) -> Vec<Panel> {
    let hottest = Line { largest: true, ..line("hottest core", VERMILION, "", |sample| sample.hottest) };
    vec![
        Panel {
            unit: "°C",
            lines: vec![
                hottest,
                line("return", ORANGE, "", |sample| sample.return_),
                line("supply", BLUE, "", |sample| sample.supply),
                line("supply aimed at", BLUE, "4 3", |sample| sample.target),
                line("dew point", SKY, "2 2", |sample| sample.dew_point),
                line("river", GREEN, "", |sample| sample.river),
            ],
            range: None,
            limit: Some((track.slowdown_celsius, "slowdown")),
        },
        Panel {
            unit: "%",
            lines: vec![
                line("pump", BLUE, "", |sample| sample.pump),
                line("valve to recovery", GREEN, "", |sample| sample.valve),
                line("GPUs throttled", VERMILION, "2 2", |sample| sample.throttled),
            ],
            range: Some((0.0, 100.0)),
            limit: None,
        },
        Panel {
            unit: "kW",
            lines: vec![
                line("GPUs", VERMILION, "", |sample| sample.gpus / 1000.0),
                line("their caps", GREY, "4 3", |sample| sample.caps / 1000.0),
                line("to the network", PURPLE, "", |sample| sample.network / 1000.0),
                line("to the river", GREEN, "", |sample| sample.to_river / 1000.0),
            ],
            range: None,
            limit: None,
        },
    ]
}

/// The time axis.
struct Time {
    unit: &'static str,
    seconds_per_unit: f64,
    length: f64,
}

impl Time {
    fn of(track: &Track) -> Self {
        let seconds = track.samples.last().map_or(1.0, |sample| sample.time_s);
        let (unit, seconds_per_unit) = match seconds {
            short if short <= 300.0 => ("s", 1.0),
            middle if middle <= 3.0 * 3600.0 => ("min", 60.0),
            _ => ("h", 3600.0),
        };
        Self { unit, seconds_per_unit, length: seconds / seconds_per_unit }
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * at / self.length
    }

    fn x_of(&self, seconds: f64) -> f64 {
        self.x(seconds / self.seconds_per_unit)
    }
}

/// Samples that fall on one point, together.
fn points(samples: &[Sample]) -> Vec<&[Sample]> {
    samples.chunks(samples.len().div_ceil(POINTS).max(1)).collect()
}

fn seen(line: &Line, point: &[Sample]) -> f64 {
    let values = || point.iter().map(line.value);
    if line.largest {
        values().fold(f64::NEG_INFINITY, f64::max)
    } else {
        values().sum::<f64>() / point.iter().fold(0.0, |count, _| count + 1.0_f64).max(1.0)
    }
}

fn draw(svg: &mut Svg, panel: &Panel, points: &[&[Sample]], time: &Time, top: f64) {
    let (low, high) = panel.range.unwrap_or_else(|| range(panel, points));
    let y = |value: f64| top + PANEL * (high - value.clamp(low, high)) / (high - low);
    let middle = |point: &[Sample]| point.get(point.len() / 2).map_or(0.0, |sample| sample.time_s);
    shade(svg, points, time, top);
    for tick in ticks(low, high, 5.0) {
        svg.line((LEFT, y(tick)), (WIDTH - RIGHT, y(tick)), FAINT, "");
        svg.text((LEFT - 6.0, y(tick) + 4.0), Anchor::End, 11, INK, &format!("{tick}"));
    }
    svg.text((LEFT - 6.0, top - 8.0), Anchor::End, 11, INK, panel.unit);
    if let Some((limit, name)) = panel.limit {
        svg.line((LEFT, y(limit)), (WIDTH - RIGHT, y(limit)), VERMILION, "6 4");
        svg.text((LEFT + 4.0, y(limit) - 4.0), Anchor::Start, 10, VERMILION, name);
    }
    let mut legend = top + 10.0;
    for line in &panel.lines {
        let course = points.iter().map(|point| (time.x_of(middle(point)), y(seen(line, point))));
        svg.polyline(course, line.colour, line.dash);
        let x = WIDTH - RIGHT + 8.0;
        svg.sample((x, legend - 4.0), 18.0, line.colour, line.dash);
        svg.text((x + 24.0, legend), Anchor::Start, 11, INK, line.name);
        legend += 17.0;
    }
}

/// Marks the times in which the node is not in ordinary operation.
fn shade(svg: &mut Svg, points: &[&[Sample]], time: &Time, top: f64) {
    let ends = |point: &[Sample]| {
        let first = point.first().map_or(0.0, |sample| sample.time_s);
        (first, point.last().map_or(first, |sample| sample.time_s))
    };
    for point in points.iter().filter(|point| point.iter().any(|sample| sample.state > 1.5)) {
        let (from, to) = ends(point);
        let (left, right) = (time.x_of(from - 1.0).max(LEFT), time.x_of(to));
        svg.rect((left, top), ((right - left).max(1.0), PANEL), HOT);
    }
}

fn range(panel: &Panel, points: &[&[Sample]]) -> (f64, f64) {
    let values = || panel.lines.iter().flat_map(|line| points.iter().map(move |point| seen(line, point)));
    let limit = panel.limit.map_or(f64::NEG_INFINITY, |(limit, _)| limit);
    let (low, high) = (values().fold(0.0, f64::min), values().fold(limit.max(1.0), f64::max));
    (low, high + 0.04 * (high - low))
}

/// What happened, as lines across all panels, their names in turns on three rows.
fn events(svg: &mut Svg, track: &Track, time: &Time, bottom: f64) {
    for ((at, what), row) in track.marks.iter().zip([0.0, 1.0, 2.0].into_iter().cycle()) {
        let x = time.x_of(*at);
        svg.line((x, 36.0 + row * 12.0), (x, bottom), EVENT, "1 3");
        svg.text((x + 3.0, 42.0 + row * 12.0), Anchor::Start, 10, EVENT, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_is_a_small_drawing_with_its_events() {
        let sample = |second: u32| Sample {
            time_s: f64::from(second),
            hottest: 60.0 + f64::from(second % 7),
            ..Sample::default()
        };
        let track = Track {
            samples: (1..40_000).map(sample).collect(),
            marks: vec![(600.0, "leak".to_owned())],
            slowdown_celsius: 89.0,
        };
        let svg = plot("S0", &track);
        assert!(svg.len() < 60_000, "{} bytes", svg.len());
        for part in [">leak<", ">slowdown<", ">hottest core<", ">h<", "</svg>"] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn nothing_is_a_drawing_too() {
        assert!(plot("S0", &Track::default()).ends_with("</svg>\n"));
    }
}
