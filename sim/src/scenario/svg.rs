//! Drawings as text: as much of SVG as plots need.

use std::fmt::Write as _;

/// A drawing under way.
#[derive(Clone, Debug)]
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// Which end of a text is where it is put.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        self.push(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#
        ));
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str, dash: &str) {
        let dash = dashes(dash);
        self.push(&format!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{stroke}"{dash}/>"#
        ));
    }

    /// A short thick line, as legends have.
    pub(super) fn sample(&mut self, (x, y): (f64, f64), length: f64, stroke: &str, dash: &str) {
        let dash = dashes(dash);
        self.push(&format!(
            r#"<path d="M{x:.1} {y:.1}h{length:.1}" fill="none" stroke="{stroke}" stroke-width="2.5"{dash}/>"#
        ));
    }

    pub(super) fn polyline(&mut self, points: impl Iterator<Item = (f64, f64)>, stroke: &str, dash: &str) {
        let mut text = String::new();
        for (x, y) in points {
            let _infallible = write!(text, "{x:.1},{y:.1} ");
        }
        let dash = dashes(dash);
        self.push(&format!(
            r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="1.4" stroke-linejoin="round"{dash}/>"#,
            text.trim_end()
        ));
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: u32, fill: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.push(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{text}</text>"#
        ));
    }

    /// The drawing's file.
    pub(super) fn finish(self) -> String {
        let Self { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" font-family=\"sans-serif\">\n<rect width=\"100%\" height=\"100%\" \
             fill=\"#fff\"/>\n{body}</svg>\n"
        )
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

fn dashes(dash: &str) -> String {
    if dash.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dash}""#) }
}

/// Round numbers over a range: where the lines of a scale go.
pub(super) fn ticks(low: f64, high: f64, about: f64) -> Vec<f64> {
    let rough = ((high - low) / about).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let mut tick = (low / step).ceil() * step;
    let mut all = Vec::new();
    while tick <= high + step * 1e-6 {
        all.push(tick);
        tick += step;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 100.0, 5.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(13.0, 41.0, 4.0), [20.0, 30.0, 40.0]);
    }

    #[test]
    fn text_does_not_break_the_drawing() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text((1.0, 1.0), Anchor::Start, 10, "#000", "a < b & c");
        assert!(svg.finish().contains("a &lt; b &amp; c"));
    }
}
