//! Whether a histogram's buckets fit together.

use std::collections::BTreeMap;

use super::line::number;
use super::{Exposition, LE, Labels};

/// Checks each histogram of the family `name`: bounds that are numbers, counts that do not fall, an end at infinity that
/// is the count.
pub(super) fn check(found: &Exposition, name: &str) -> Result<(), String> {
    let mut by_labels: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in found.series(&format!("{name}_bucket")) {
        let mut labels = sample.labels.clone();
        let bound = labels.remove(LE).unwrap_or_default();
        let bound = number(&bound).map_err(|_| format!("{bound:?} is no bound of a bucket"))?;
        by_labels.entry(labels).or_default().push((bound, sample.value));
    }
    for (labels, mut buckets) in by_labels {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        if buckets.windows(2).any(|pair| pair[1].1 < pair[0].1) {
            return Err("a bucket holds fewer than the one within it".to_owned());
        }
        let last = buckets.last().filter(|(bound, _)| *bound == f64::INFINITY);
        let (_, all) = last.ok_or("there is no bucket up to +Inf")?;
        let counts = found.series(&format!("{name}_count")).iter();
        let mut count = counts
            .filter(|sample| sample.labels == labels)
            .map(|sample| sample.value);
        if count.any(|count| count != *all) {
            return Err(format!("{name}_count is not what the last bucket holds"));
        }
    }
    Ok(())
}
