//! Charts of tables, next to them in `bench/results/`.

use std::error::Error;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::RESULTS;

const SIZE: (u32, u32) = (1240, 480);
/// Okabe and Ito's, which people tell apart who see fewer colours (<https://jfly.uni-koeln.de/color/>).
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(230, 159, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];
const FONT: (&str, u32) = ("sans-serif", 14);
const SMALL: (&str, u32) = ("sans-serif", 12);

/// Bars in groups.
pub struct Bars<'a> {
    pub title: &'a str,
    /// What each colour means, four at most.
    pub series: &'a [&'a str],
    /// Each with a value of every series above zero, or none.
    pub groups: Vec<(&'a str, Vec<Option<f64>>)>,
}

impl Bars<'_> {
    /// Draws them on a logarithmic scale into `bench/results/{name}.svg`.
    pub fn draw(&self, name: &str) {
        let path = format!("{RESULTS}/{name}.svg");
        self.try_draw(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    #[allow(clippy::cast_precision_loss, reason = "bars are few")]
    fn try_draw(&self, path: &str) -> Result<(), Box<dyn Error>> {
        assert!(self.series.len() <= COLOURS.len(), "a colour for each series");
        let values = || self.groups.iter().flat_map(|(_, values)| values.iter().flatten().copied());
        let lowest = 10_f64.powf(values().fold(f64::INFINITY, f64::min).log10().floor());
        let highest = values().fold(lowest, f64::max) * 2.0;
        // One bar's width is 1, and so is the gap between groups.
        let width = self.series.len() as f64 + 1.0;

        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .set_label_area_size(LabelAreaPosition::Left, 70)
            .set_label_area_size(LabelAreaPosition::Bottom, 36)
            .build_cartesian_2d(0.0..width * self.groups.len() as f64, (lowest..highest).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_label_formatter(&|value| format!("{value}"))
            .label_style(FONT)
            .draw()?;
        for (number, (label, colour)) in self.series.iter().zip(COLOURS).enumerate() {
            let bars =
                self.groups.iter().enumerate().filter_map(|(group, (_, values))| {
                    Some((group as f64 * width + number as f64 + 0.5, values[number]?))
                });
            let (bars, figures): (Vec<_>, Vec<_>) = bars
                .map(|(left, value)| {
                    let bar = Rectangle::new([(left, lowest), (left + 0.94, value)], colour.filled());
                    let style = SMALL.into_text_style(&area).pos(centred(VPos::Bottom));
                    (bar, Text::new(figure(value), (left + 0.47, value * 1.03), style))
                })
                .unzip();
            chart
                .draw_series(bars)?
                .label(*label)
                .legend(move |(x, y)| Rectangle::new([(x, y - 6), (x + 14, y + 6)], colour.filled()));
            chart.draw_series(figures)?;
        }
        for (group, (label, _)) in self.groups.iter().enumerate() {
            let middle = chart.backend_coord(&((group as f64 + 0.5) * width, lowest));
            area.draw_text(label, &FONT.into_text_style(&area).pos(centred(VPos::Top)), (middle.0, middle.1 + 8))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE)
            .border_style(BLACK)
            .label_font(FONT)
            .draw()?;
        area.present()?;
        Ok(())
    }
}

fn centred(vertical: VPos) -> Pos {
    Pos::new(HPos::Center, vertical)
}

/// With a decimal where there is hardly a digit before it.
fn figure(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}
