//! What changed between two answers of a process: increases of counters, and quantiles of what a histogram gained.

use crate::exposition::{Exposition, Sample};

/// By how much the counter `name` grew, over all its series; `None` when the process does not tell it.
///
/// A series that fell was started anew, as with its process, so it grew by all that it shows; so did one that is new.
pub(crate) fn increase(
    before: &Exposition,
    after: &Exposition,
    name: &str,
    fits: impl Fn(&Sample) -> bool,
) -> Option<f64> {
    let series = after.series(name);
    let grown = |sample: &Sample| sample.value - value_before(before, name, sample);
    (!series.is_empty()).then(|| series.iter().filter(|sample| fits(sample)).map(grown).sum())
}

fn value_before(before: &Exposition, name: &str, sample: &Sample) -> f64 {
    let same = before.series(name).iter().find(|old| old.labels == sample.labels);
    same.map_or(0.0, |old| if old.value <= sample.value { old.value } else { 0.0 })
}

/// What a histogram gained: upper bounds, ascending, with how much fell at or below each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Gained(Vec<(f64, f64)>);

impl Gained {
    /// What the histogram `name` gained between two answers, over all its series.
    pub(crate) fn between(before: &Exposition, after: &Exposition, name: &str) -> Self {
        let mut gained = Self::default();
        let buckets = format!("{name}_bucket");
        for sample in after.series(&buckets) {
            let bound = sample.labels.get("le").map(String::as_str);
            let bound = match bound {
                Some("+Inf") => Some(f64::INFINITY),
                bound => bound.and_then(|bound| bound.parse().ok()),
            };
            if let Some(bound) = bound {
                gained.add(bound, sample.value - value_before(before, &buckets, sample));
            }
        }
        gained
    }

    /// The same with what `other` gained. Both have the same bounds, as processes of one program do.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (bound, count) in &other.0 {
            self.add(*bound, *count);
        }
        self
    }

    fn add(&mut self, bound: f64, count: f64) {
        match self.0.binary_search_by(|(known, _)| known.total_cmp(&bound)) {
            Ok(at) => self.0[at].1 += count,
            Err(at) => self.0.insert(at, (bound, count)),
        }
    }

    /// The value at or below which the part `share` (0 to 1) of what was gained lies: linear within its bucket, as
    /// Prometheus's `histogram_quantile`. Above the last finite bound, that bound. `None` when nothing was gained.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let total = self
            .0
            .last()
            .map(|(_, count)| *count)
            .filter(|count| *count > 0.0)?;
        let rank = share * total;
        let at = self.0.iter().position(|(_, count)| *count >= rank)?;
        let (low, below) = at.checked_sub(1).map_or((0.0, 0.0), |before| self.0[before]);
        let (high, upto) = self.0[at];
        if high == f64::INFINITY {
            return Some(low);
        }
        Some(low + (high - low) * (rank - below) / (upto - below).max(f64::MIN_POSITIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Exposition {
        Exposition::parse(&format!("{lines}# EOF\n")).expect("metrics")
    }

    #[test]
    fn a_counter_grows_by_the_difference_and_by_all_of_it_after_a_restart() {
        let before = read("a_total{s=\"200\"} 10\na_total{s=\"500\"} 9\n");
        let after = read("a_total{s=\"200\"} 15\na_total{s=\"500\"} 2\na_total{s=\"404\"} 1\n");
        assert_eq!(
            increase(&before, &after, "a_total", |_| true),
            Some(5.0 + 2.0 + 1.0)
        );
        let failed = |sample: &Sample| sample.labels["s"].starts_with('5');
        assert_eq!(increase(&before, &after, "a_total", failed), Some(2.0));
        assert_eq!(increase(&before, &after, "b_total", |_| true), None);
    }

    fn histogram(counts: [u32; 3]) -> Exposition {
        let [low, high, all] = counts;
        read(&format!(
            "# TYPE h histogram\nh_count {all}\nh_bucket{{le=\"0.1\"}} {low}\nh_bucket{{le=\"0.5\"}} {high}\nh_bucket{{le=\"+Inf\"}} {all}\n"
        ))
    }

    #[test]
    fn a_quantile_is_of_what_was_gained_and_linear_within_its_bucket() {
        let gained = Gained::between(&histogram([100, 100, 100]), &histogram([150, 200, 200]), "h");
        assert_eq!(gained.quantile(0.5), Some(0.1));
        let p75 = gained.quantile(0.75).expect("there is one");
        assert!((p75 - 0.3).abs() < 1e-9, "{p75}");
        let both = gained.clone().and(&gained);
        assert_eq!(both.quantile(0.5), Some(0.1));
    }

    #[test]
    fn what_lies_above_all_bounds_is_told_as_the_last_one_and_nothing_as_nothing() {
        let gained = Gained::between(&histogram([0, 0, 0]), &histogram([0, 0, 5]), "h");
        assert_eq!(gained.quantile(0.99), Some(0.5));
        let same = Gained::between(&histogram([1, 2, 3]), &histogram([1, 2, 3]), "h");
        assert_eq!(same.quantile(0.99), None);
        assert_eq!(Gained::default().quantile(0.99), None);
    }
}
