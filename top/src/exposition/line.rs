//! The grammar of one line: names, labels, numbers.

use super::{Labels, Sample};

/// The longest text that is repeated in a complaint.
const QUOTED_MAX: usize = 40;

/// What a line is.
pub(super) enum Line<'a> {
    /// `# TYPE name kind`
    Type(&'a str, &'a str),
    /// `# HELP name text`
    Help(&'a str),
    /// `# UNIT name unit`
    Unit(&'a str, &'a str),
    /// `# EOF`
    End,
    /// `name{labels} value`
    Sample(&'a str, Sample),
}

impl<'a> Line<'a> {
    /// Reads a line, without its end.
    pub(super) fn of(line: &'a str) -> Result<Self, String> {
        match line.strip_prefix("# ") {
            Some("EOF") => Ok(Self::End),
            Some(rest) => described(rest),
            None if line.starts_with('#') => Err(format!("{} is no comment that is known", quoted(line))),
            None if line.is_empty() => Err("it is empty".to_owned()),
            None => sample(line).map(|(name, sample)| Self::Sample(name, sample)),
        }
    }
}

fn described(rest: &str) -> Result<Line<'_>, String> {
    let (keyword, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (name, said) = rest.split_once(' ').unwrap_or((rest, ""));
    if !is_name(name) {
        return Err(format!("{} is no name of a metric", quoted(name)));
    }
    match keyword {
        "TYPE" => Ok(Line::Type(name, said)),
        "HELP" => Ok(Line::Help(name)),
        "UNIT" => Ok(Line::Unit(name, said)),
        other => Err(format!("{} is none of TYPE, HELP and UNIT", quoted(other))),
    }
}

fn sample(line: &str) -> Result<(&str, Sample), String> {
    let end = line.find(['{', ' ']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if !is_name(name) {
        return Err(format!("{} is no name of a metric", quoted(name)));
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Labels::new(), rest),
    };
    let value = measured(rest)?;
    Ok((name, Sample { labels, value }))
}

/// ` value`, ` value timestamp`, either with ` # {labels} value [timestamp]` behind it.
fn measured(rest: &str) -> Result<f64, String> {
    let (own, exemplar) = match rest.split_once(" # ") {
        Some((own, exemplar)) => (own, Some(exemplar)),
        None => (rest, None),
    };
    if let Some(exemplar) = exemplar {
        let inside = exemplar
            .strip_prefix('{')
            .ok_or("an exemplar begins with its labels")?;
        let (_, rest) = labels(inside)?;
        value_and_time(rest)?;
    }
    value_and_time(own)
}

fn value_and_time(text: &str) -> Result<f64, String> {
    let text = text.strip_prefix(' ').ok_or("a space and a value must follow")?;
    let mut parts = text.split(' ');
    let value = number(parts.next().unwrap_or_default())?;
    if let Some(time) = parts.next() {
        number(time)?;
    }
    match parts.next() {
        None => Ok(value),
        Some(more) => Err(format!("{} stands behind the value", quoted(more))),
    }
}

/// The labels up to `}`, and what follows it.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    if let Some(rest) = rest.strip_prefix('}') {
        return Ok((labels, rest));
    }
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label is not closed")?;
        if !is_label(name) {
            return Err(format!("{} is no name of a label", quoted(name)));
        }
        let (value, after) = text(after)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label {name} stands there twice"));
        }
        match after.as_bytes().first() {
            Some(b'}') => return Ok((labels, &after[1..])),
            Some(b',') => rest = &after[1..],
            _ => return Err(format!("neither a comma nor a brace follows the label {name}")),
        }
    }
}

/// The text up to the closing quote, and what follows it.
fn text(from: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut characters = from.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &from[at + 1..])),
            '\\' => value.push(match characters.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('"' | '\\'))) => escaped,
                _ => return Err("a backslash stands before neither n, quote nor backslash".to_owned()),
            }),
            other => value.push(other),
        }
    }
    Err("the text of a label is not closed".to_owned())
}

/// A number as the format writes it: Rust's own spellings of infinity and the like are not taken.
pub(super) fn number(text: &str) -> Result<f64, String> {
    match text {
        "+Inf" => return Ok(f64::INFINITY),
        "-Inf" => return Ok(f64::NEG_INFINITY),
        "NaN" => return Ok(f64::NAN),
        _ => {}
    }
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let parsed = text.bytes().all(is_plain).then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| format!("{} is no number", quoted(text)))
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    text.bytes().all(fits) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn is_label(text: &str) -> bool {
    is_name(text) && !text.contains(':')
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED_MAX).collect();
    format!("{short:?}")
}
