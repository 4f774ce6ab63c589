//! Reads the OpenMetrics text form, and refuses what a scraper would.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

/// A metric with all its series.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// Without the suffixes that its type adds.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) unit: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Family {
    /// The name that it is asked for by; a histogram's parts have suffixes beyond it.
    pub(crate) fn queried(&self) -> String {
        format!("{}{}", self.name, suffixes(&self.kind)[0])
    }

    /// The labels of its series, without a histogram's bounds.
    pub(crate) fn labels(&self) -> BTreeSet<&str> {
        let names = self.samples.iter().flat_map(|sample| sample.labels.keys());
        names.map(String::as_str).filter(|name| *name != "le").collect()
    }
}

/// What follows a family's name in the names of its samples.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "histogram" => &["", "_bucket", "_sum", "_count"],
        "info" => &["_info"],
        _ => &[""],
    }
}

/// All families of one scrape, in order.
pub(crate) fn parse(text: &str) -> Result<Vec<Family>> {
    let body = text
        .strip_suffix("# EOF\n")
        .context("it does not end with # EOF")?;
    let mut families: Vec<Family> = Vec::new();
    for line in body.lines() {
        read(line, &mut families).with_context(|| line.to_owned())?;
    }
    let names: BTreeSet<&str> = families.iter().map(|family| family.name.as_str()).collect();
    ensure!(names.len() == families.len(), "a metric is told twice");
    families.iter().try_for_each(check)?;
    Ok(families)
}

fn read(line: &str, families: &mut Vec<Family>) -> Result<()> {
    let Some(meta) = line.strip_prefix("# ") else {
        let family = families.last_mut().context("a sample without a metric")?;
        family.samples.push(sample(line)?);
        return Ok(());
    };
    let (word, rest) = meta.split_once(' ').context("a comment")?;
    let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
    if families.last().is_none_or(|last| last.name != name) {
        families.push(Family {
            name: name.to_owned(),
            ..Family::default()
        });
    }
    let family = families.last_mut().context("a metric")?;
    ensure!(family.samples.is_empty(), "it comes after samples");
    match word {
        "HELP" => family.help = text.to_owned(),
        "TYPE" => family.kind = text.to_owned(),
        "UNIT" => family.unit = Some(text.to_owned()),
        _ => bail!("an unknown word"),
    }
    Ok(())
}

fn sample(line: &str) -> Result<Sample> {
    let (series, value) = line.rsplit_once(' ').context("no value")?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').context("no }")?),
        None => (series, ""),
    };
    Ok(Sample {
        name: name.to_owned(),
        labels: labels_of(labels)?,
        value: value.parse()?,
    })
}

/// Ours hold no escapes, so a quotation mark ends a value.
fn labels_of(mut text: &str) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").context("no label")?;
        let (value, rest) = rest.split_once('"').context("no end of a label")?;
        ensure!(!value.contains('\\'), "an escape in a label");
        let is_new = labels.insert(name.to_owned(), value.to_owned()).is_none();
        ensure!(is_new, "the label {name} twice");
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Ok(labels)
}

fn check(family: &Family) -> Result<()> {
    let name = &family.name;
    let allowed = suffixes(&family.kind)
        .iter()
        .map(|suffix| format!("{name}{suffix}"));
    let allowed: BTreeSet<String> = allowed.collect();
    let mut seen = BTreeSet::new();
    for Sample { name, labels, .. } in &family.samples {
        ensure!(allowed.contains(name), "{name} is no sample of {}", family.name);
        ensure!(seen.insert((name, labels)), "{name} {labels:?} is told twice");
    }
    ensure!(!family.samples.is_empty(), "{name} has no samples");
    if family.kind == "histogram" {
        check_buckets(family)?;
    }
    Ok(())
}

/// Buckets grow up to the count, at an infinite bound.
fn check_buckets(family: &Family) -> Result<()> {
    let mut last: BTreeMap<BTreeMap<String, String>, (f64, f64)> = BTreeMap::new();
    for sample in family
        .samples
        .iter()
        .filter(|sample| sample.name.ends_with("_bucket"))
    {
        let mut labels = sample.labels.clone();
        let bound = labels.remove("le").context("a bucket without a bound")?;
        let bound: f64 = bound.parse()?;
        let before = last.insert(labels, (bound, sample.value));
        let (lower, fewer) = before.unwrap_or((f64::NEG_INFINITY, 0.0));
        ensure!(
            lower < bound && fewer <= sample.value,
            "{} is out of order",
            sample.name
        );
    }
    for sample in family
        .samples
        .iter()
        .filter(|sample| sample.name.ends_with("_count"))
    {
        let all = last.get(&sample.labels).context("no buckets")?;
        ensure!(
            *all == (f64::INFINITY, sample.value),
            "{} is not the last bucket",
            sample.name
        );
    }
    Ok(())
}

#[test]
fn what_a_scraper_would_refuse_is_refused() {
    let whole = "# HELP a Help.\n# TYPE a counter\na_total{b=\"c\"} 1\n# EOF\n";
    let [family] = &parse(whole).expect("it is well-formed")[..] else {
        panic!("one metric")
    };
    assert_eq!(
        (family.queried().as_str(), family.samples[0].value),
        ("a_total", 1.0)
    );
    let refused = [
        whole.replace("# EOF\n", ""),
        whole.replace("a_total", "a"),
        whole.replace("a_total{b=\"c\"} 1\n", ""),
        whole.replace("a_total{b=\"c\"} 1\n", "a_total 1\na_total 2\n"),
        whole.replace(" 1\n", " one\n"),
        whole.replace("# EOF\n", "# HELP b Help.\n# TYPE b gauge\nb 1\n# HELP a Help.\n# TYPE a gauge\na 1\n# EOF\n"),
        "# HELP a Help.\n# TYPE a histogram\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n# EOF\n".to_owned(),
    ];
    for text in refused {
        assert!(parse(&text).is_err(), "{text}");
    }
}
