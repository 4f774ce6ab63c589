//! A whole answer: lines in families, in order, with an end.

use std::collections::BTreeSet;

use super::line::Line;
use super::{Exposition, Labels, histogram};

/// The answer is not to the letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A line is wrong.
    #[error("line {line} of the metrics: {problem}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A histogram's buckets contradict each other.
    #[error("the histogram {name}: {problem}")]
    Histogram {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The answer ends before its `# EOF`: it was cut off.
    #[error("the metrics are cut off: `# EOF` is missing")]
    CutOff,
}

/// What the metadata say of a family's series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Counter,
    Histogram,
    Summary,
    Info,
}

impl Kind {
    fn of(said: &str) -> Option<Self> {
        match said {
            "gauge" | "unknown" | "stateset" => Some(Self::Plain),
            "counter" => Some(Self::Counter),
            "histogram" | "gaugehistogram" => Some(Self::Histogram),
            "summary" => Some(Self::Summary),
            "info" => Some(Self::Info),
            _ => None,
        }
    }

    /// What may stand behind the family's name in its series.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[""],
            Self::Counter => &["_total", "_created"],
            Self::Histogram => &["_bucket", "_count", "_sum", "_created", "_gcount", "_gsum"],
            Self::Summary => &["", "_count", "_sum", "_created"],
            Self::Info => &["_info"],
        }
    }
}

/// The family whose lines are being read.
struct Family {
    name: String,
    kind: Kind,
    has_type: bool,
    has_series: bool,
}

impl Family {
    fn holds(&self, series: &str) -> bool {
        let rest = series.strip_prefix(self.name.as_str());
        rest.is_some_and(|rest| self.kind.suffixes().contains(&rest))
    }
}

#[derive(Default)]
struct Reading {
    found: Exposition,
    family: Option<Family>,
    /// Families that were left: none may be come back to.
    left: BTreeSet<String>,
    histograms: Vec<String>,
    seen: BTreeSet<(String, Labels)>,
}

pub(super) fn parse(text: &str) -> Result<Exposition, ParseError> {
    let mut reading = Reading::default();
    let mut lines = text.split_inclusive('\n').enumerate();
    while let Some((number, line)) = lines.next() {
        let wrong = |problem: String| ParseError::Line {
            line: number + 1,
            problem,
        };
        let line = line.strip_suffix('\n').unwrap_or(line);
        match Line::of(line).map_err(wrong)? {
            Line::End => {
                return match lines.next() {
                    None => reading.end(),
                    Some(_) => Err(wrong("something stands behind the end".to_owned())),
                };
            }
            line => reading.take(line).map_err(wrong)?,
        }
    }
    Err(ParseError::CutOff)
}

impl Reading {
    fn take(&mut self, line: Line<'_>) -> Result<(), String> {
        match line {
            Line::Type(name, said) => self.typed(name, said),
            Line::Help(name) => self.described(name).map(drop),
            Line::Unit(name, unit) => {
                let is_last = unit.is_empty() || name.ends_with(&format!("_{unit}"));
                self.described(name)?;
                is_last
                    .then_some(())
                    .ok_or_else(|| format!("the name {name} does not end with its unit {unit}"))
            }
            Line::Sample(name, sample) => {
                self.enter_of(name)?;
                if !self.seen.insert((name.to_owned(), sample.labels.clone())) {
                    return Err(format!(
                        "the series {name} with the same labels stands there twice"
                    ));
                }
                let is_counter = self
                    .family
                    .as_ref()
                    .is_some_and(|family| family.kind == Kind::Counter);
                if is_counter && (sample.value.is_nan() || sample.value < 0.0) {
                    return Err(format!("the counter {name} is {}", sample.value));
                }
                self.found.push(name, sample);
                Ok(())
            }
            Line::End => Ok(()),
        }
    }

    fn typed(&mut self, name: &str, said: &str) -> Result<(), String> {
        let kind = Kind::of(said).ok_or_else(|| format!("the type of {name}, {said:?}, is not known"))?;
        let family = self.described(name)?;
        if std::mem::replace(&mut family.has_type, true) {
            return Err(format!("{name} has two types"));
        }
        family.kind = kind;
        if kind == Kind::Histogram {
            self.histograms.push(name.to_owned());
        }
        Ok(())
    }

    /// The family `name`, which metadata are about: they stand before its series.
    fn described(&mut self, name: &str) -> Result<&mut Family, String> {
        if self.family.as_ref().is_none_or(|family| family.name != name) {
            self.enter(name)?;
        }
        match &mut self.family {
            Some(family) if !family.has_series => Ok(family),
            _ => Err(format!("what is said of {name} stands behind its series")),
        }
    }

    /// Goes to the family of the series `series`: the present one, or one that nothing was said of.
    fn enter_of(&mut self, series: &str) -> Result<(), String> {
        if self.family.as_ref().is_none_or(|family| !family.holds(series)) {
            self.enter(series)?;
        }
        if let Some(family) = &mut self.family {
            family.has_series = true;
        }
        Ok(())
    }

    fn enter(&mut self, name: &str) -> Result<(), String> {
        if let Some(left) = self.family.take() {
            self.left.insert(left.name);
        }
        if self.left.contains(name) {
            return Err(format!("the lines of {name} do not stand together"));
        }
        self.family = Some(Family {
            name: name.to_owned(),
            kind: Kind::Plain,
            has_type: false,
            has_series: false,
        });
        Ok(())
    }

    fn end(self) -> Result<Exposition, ParseError> {
        for name in &self.histograms {
            histogram::check(&self.found, name).map_err(|problem| ParseError::Histogram {
                name: name.clone(),
                problem,
            })?;
        }
        Ok(self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "\
# HELP segue_ready Whether this part can do its work.
# TYPE segue_ready gauge
segue_ready{part=\"bus\"} 0
segue_ready{part=\"a \\\"b\\\\c\\n\"} 1 1700000000.5
# TYPE segue_http_requests counter
segue_http_requests_total{status=\"200\"} 17 # {trace_id=\"1\"} 1.0
# TYPE segue_wait_seconds histogram
# UNIT segue_wait_seconds seconds
segue_wait_seconds_sum 1.5
segue_wait_seconds_count 3
segue_wait_seconds_bucket{le=\"0.5\"} 1
segue_wait_seconds_bucket{le=\"+Inf\"} 3
segue_said_nothing_of 1e3
# EOF
";

    #[test]
    fn an_answer_is_read_whole() {
        let read = Exposition::parse(WHOLE).expect("it is to the letter");
        assert_eq!(read.labelled("segue_ready", "part", "bus"), Some(0.0));
        assert_eq!(read.labelled("segue_ready", "part", "a \"b\\c\n"), Some(1.0));
        assert_eq!(read.largest("segue_http_requests_total"), Some(17.0));
        assert_eq!(read.largest("segue_said_nothing_of"), Some(1_000.0));
        assert_eq!(read.series("segue_wait_seconds_bucket").len(), 2);
        assert_eq!(read.largest("segue_missing"), None);
    }

    #[track_caller]
    fn refused(lines: &str, line: usize, part: &str) {
        let refusal = Exposition::parse(&format!("{lines}# EOF\n")).expect_err("it is refused");
        let ParseError::Line { line: found, problem } = &refusal else {
            panic!("{refusal}");
        };
        assert!(*found == line && problem.contains(part), "{refusal}");
    }

    #[test]
    fn a_line_that_is_not_to_the_letter_is_refused_by_its_number() {
        refused(
            "segue_a 1\nsegue_b{part=\"x\" 1\n",
            2,
            "neither a comma nor a brace",
        );
        refused("segue_b{part=\"x} 1\n", 1, "not closed");
        refused("segue_b{part=\"\\t\"} 1\n", 1, "backslash");
        refused("segue_b{a=\"1\",a=\"2\"} 1\n", 1, "twice");
        refused("segue_a inf\n", 1, "no number");
        refused("segue_a  1\n", 1, "no number");
        refused("segue_a 1 2 3\n", 1, "behind the value");
        refused("1segue 1\n", 1, "no name");
        refused("segue_a\n", 1, "must follow");
        refused("\n", 1, "empty");
        refused("#EOF\n", 1, "no comment");
        refused("# TYPE segue_a thing\n", 1, "not known");
        refused("# SAID segue_a thing\n", 1, "none of");
        refused("# UNIT segue_a seconds\n", 1, "does not end with its unit");
    }

    #[test]
    fn lines_that_contradict_each_other_are_refused() {
        refused("segue_a 1\nsegue_a 2\n", 2, "twice");
        refused("segue_a 1\nsegue_b 1\nsegue_a{x=\"1\"} 2\n", 3, "stand together");
        refused("# TYPE segue_a gauge\n# TYPE segue_a gauge\n", 2, "two types");
        refused("segue_a 1\n# TYPE segue_a gauge\n", 2, "behind its series");
        refused("# TYPE segue_a counter\nsegue_a_total -1\n", 2, "is -1");
    }

    #[test]
    fn an_answer_without_its_end_was_cut_off_and_one_that_goes_on_is_refused() {
        assert_eq!(Exposition::parse("segue_a 1\n"), Err(ParseError::CutOff));
        refused("# EOF\n", 1, "behind the end");
    }

    #[test]
    fn buckets_that_contradict_each_other_are_refused() {
        let histogram = |buckets: &str| {
            let text = format!("# TYPE h histogram\nh_sum 1\nh_count 3\n{buckets}# EOF\n");
            Exposition::parse(&text).expect_err("it is refused").to_string()
        };
        let falls = histogram("h_bucket{le=\"1\"} 4\nh_bucket{le=\"+Inf\"} 3\n");
        assert!(falls.contains("fewer"), "{falls}");
        let open = histogram("h_bucket{le=\"1\"} 3\n");
        assert!(open.contains("+Inf"), "{open}");
        let other = histogram("h_bucket{le=\"+Inf\"} 4\n");
        assert!(other.contains("h_count"), "{other}");
        let odd = histogram("h_bucket{le=\"wide\"} 4\n");
        assert!(odd.contains("no bound"), "{odd}");
    }
}
