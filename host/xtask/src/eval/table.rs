//! The table of an eval, and its place in the page of results.

use std::fmt::Write as _;

use super::measure::{Estimate, quantile};

/// A figure: whose, of what, on which lines.
#[derive(Debug)]
pub(super) struct Row {
    /// The lines and their split: `id-nusax valid`.
    pub(super) set: String,
    /// What is counted: `macro-F1`.
    pub(super) metric: &'static str,
    /// Whose it is: `sentiment (tier 0)`, `TF-IDF + LR, same lines`, `BERT, published, test`.
    pub(super) by: String,
    pub(super) figure: Figure,
    /// Microseconds a text on one core: median and 99 of 100.
    pub(super) micros: Option<(f64, f64)>,
}

#[derive(Debug)]
pub(super) enum Figure {
    /// Measured in this run.
    Measured(Estimate),
    /// Worked out from other rows of the table.
    Told(f64),
    /// As somebody else tells it, for the split that `by` names.
    Published(f64),
}

impl Row {
    pub(super) fn measured(set: &str, metric: &'static str, by: &str, estimate: Estimate) -> Self {
        Self { set: set.to_owned(), metric, by: by.to_owned(), figure: Figure::Measured(estimate), micros: None }
    }

    pub(super) fn published(set: &str, metric: &'static str, by: &str, value: f64) -> Self {
        Self { set: set.to_owned(), metric, by: by.to_owned(), figure: Figure::Published(value), micros: None }
    }

    /// One that is worked out from other rows.
    pub(super) fn told(set: &str, metric: &'static str, by: &str, value: f64) -> Self {
        Self { set: set.to_owned(), metric, by: by.to_owned(), figure: Figure::Told(value), micros: None }
    }

    /// With the time of every call.
    pub(super) fn timed(mut self, micros: &[f64]) -> Self {
        let mut sorted = micros.to_vec();
        sorted.sort_by(f64::total_cmp);
        self.micros = quantile(&sorted, 0.5).zip(quantile(&sorted, 0.99));
        self
    }
}

/// The section of one eval: a heading, what is asked, the table.
pub(super) fn section(name: &str, about: &str, measured: &str, rows: &[Row]) -> String {
    let mut out = format!("## {name}\n{}\n{measured}\n\n", about.trim());
    out.push_str(
        "| lines | figure | whose | value | 95 % | n | us a text, p50 / p99 |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let (value, interval, lines) = match row.figure {
            Figure::Measured(e) => (e.value, format!("{:.3} .. {:.3}", e.low, e.high), e.lines.to_string()),
            Figure::Told(value) | Figure::Published(value) => (value, String::new(), String::new()),
        };
        let micros = row.micros.map(|(half, most)| format!("{half:.0} / {most:.0}")).unwrap_or_default();
        // To write into a text cannot fail.
        let _ = writeln!(out, "| {} | {} | {} | {value:.3} | {interval} | {lines} | {micros} |", row.set, row.metric, row.by);
    }
    out
}

/// The head of the page.
const HEAD: &str = "\
# How well the AI steps do
Written by `cargo xtask eval`, a section an eval. Real texts, labelled by people, on development splits; the labelled texts are
not part of the checkout. A step's figures come from the shipped component in the real box; baselines learn from the same lines in
the same run. 95 %: bootstrap over the lines, 1000 draws. Published figures stand without interval, with their split.
";

/// The page with this section in its place; the others stay as they are.
pub(super) fn put(page: &str, order: &[&str], name: &str, section: &str) -> String {
    let mut out = HEAD.to_owned();
    for each in order {
        let text = if *each == name { Some(section) } else { found(page, each) };
        if let Some(text) = text {
            let _ = write!(out, "\n{}\n", text.trim_end());
        }
    }
    out
}

/// The section of this name.
fn found<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let heading = format!("## {name}\n");
    let start = if page.starts_with(&heading) { 0 } else { page.find(&format!("\n{heading}"))? + 1 };
    let rest = page.get(start..)?;
    rest.get(..rest.get(1..)?.find("\n## ").map_or(rest.len(), |at| at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_its_place_and_leaves_the_others() {
        let order = ["one", "two", "three"];
        let page = put("", &order, "three", "## three\nc\n");
        let page = put(&page, &order, "one", "## one\na\n");
        let page = put(&page, &order, "two", "## two\nb\n");
        let page = put(&page, &order, "one", "## one\nA\n");
        assert_eq!(page, format!("{HEAD}\n## one\nA\n\n## two\nb\n\n## three\nc\n"));
        assert_eq!(put(&page, &order, "two", "## two\nb\n"), page);
    }

    #[test]
    fn a_row_tells_whose_figure_it_is() {
        let estimate = Estimate { value: 0.8125, low: 0.75, high: 0.875, lines: 16 };
        let rows = [
            Row::measured("set dev", "accuracy", "ours", estimate).timed(&[30.0, 10.0, 20.0]),
            Row::published("set dev", "accuracy", "theirs, test", 0.9),
        ];
        let text = section("task", "What is asked.\n", "Measured today.", &rows);
        assert!(text.contains("| set dev | accuracy | ours | 0.812 | 0.750 .. 0.875 | 16 | 20 / 30 |\n"), "{text}");
        assert!(text.ends_with("| set dev | accuracy | theirs, test | 0.900 |  |  |  |\n"), "{text}");
        assert!(text.starts_with("## task\nWhat is asked.\nMeasured today.\n\n| lines |"), "{text}");
    }
}
