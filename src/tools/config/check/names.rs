//! Variables that look like settings and are none.

use std::collections::BTreeSet;

use crate::tools::config::finding::Finding;
use crate::tools::config::given::Given;

/// What the names of our own settings begin with.
const OURS: &str = "SEGUE_";
/// Variables for tests of this program, which begin so as well.
const FOR_TESTS: [&str; 3] = ["SEGUE_FAILPOINT", "SEGUE_BINARY", "SEGUE_PEER_BINARY"];

pub(super) fn unknown(given: &Given) -> Vec<Finding> {
    let known: BTreeSet<&str> = given.values.iter().map(|value| value.name.as_str()).collect();
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown = names.filter(|name| {
        let is_for_tests = FOR_TESTS.iter().any(|test| name.starts_with(test));
        name.starts_with(OURS) && !known.contains(name.as_str()) && !is_for_tests
    });
    unknown
        .map(|name| {
            let meant = nearest(&name, &known).map_or_else(String::new, |known| format!("; {known} is one"));
            Finding::warning(&[&name], format!("{name} is no setting{meant}"))
        })
        .collect()
}

/// The known name that at most two changes of a letter turn `name` into.
fn nearest<'a>(name: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    let near = known.iter().map(|known| (distance(name, known), *known));
    near.filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be put in, taken out or replaced to turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_a_setting_is_taken_for_it() {
        let known = BTreeSet::from(["SEGUE_DATA", "SEGUE_LISTEN", "SEGUE_THROTTLE"]);
        assert_eq!(nearest("SEGUE_DATTA", &known), Some("SEGUE_DATA"));
        assert_eq!(nearest("SEGUE_LITSEN", &known), Some("SEGUE_LISTEN"));
        assert_eq!(nearest("SEGUE_COLOUR", &known), None);
    }
}
