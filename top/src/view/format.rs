//! Numbers as people read them. What is not known is a dash.

/// What stands for a figure that nobody tells.
pub(super) const DASH: &str = "-";

/// A whole number with its thousands apart, as `1,234,567`.
pub(super) fn count(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else {
        return DASH.to_owned();
    };
    let digits = format!("{:.0}", value.abs());
    let mut apart = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    if value <= -1.0 { format!("-{apart}") } else { apart }
}

/// So much a second: with a decimal where it is small.
pub(super) fn rate(value: Option<f64>) -> String {
    match value.filter(|value| value.is_finite()) {
        None => DASH.to_owned(),
        Some(value) if value < 10.0 => format!("{value:.1}/s"),
        Some(value) => format!("{}/s", count(Some(value))),
    }
}

/// So much of one core, in percent.
pub(super) fn share(cores: Option<f64>) -> String {
    match cores.filter(|cores| cores.is_finite()) {
        None => DASH.to_owned(),
        Some(cores) => format!("{:.0}%", cores * 100.0),
    }
}

/// Memory, in mebibytes.
pub(super) fn mebibytes(bytes: Option<f64>) -> String {
    match bytes.filter(|bytes| bytes.is_finite()) {
        None => DASH.to_owned(),
        Some(bytes) => format!("{} MiB", count(Some(bytes / f64::from(1 << 20)))),
    }
}

/// A short time, given in seconds, in the unit that suits it.
pub(super) fn duration(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds.filter(|seconds| seconds.is_finite()) else {
        return DASH.to_owned();
    };
    match seconds {
        _ if seconds < 0.001 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        _ if seconds < 10.0 => format!("{seconds:.1} s"),
        _ => age(Some(seconds)),
    }
}

/// A long time, given in seconds.
pub(super) fn age(seconds: Option<f64>) -> String {
    match seconds.filter(|seconds| seconds.is_finite()) {
        None => DASH.to_owned(),
        Some(seconds) if seconds < 120.0 => format!("{seconds:.0} s"),
        Some(seconds) if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        Some(seconds) if seconds < 172_800.0 => format!("{:.0} h", seconds / 3_600.0),
        Some(seconds) => format!("{:.0} d", seconds / 86_400.0),
    }
}

/// The last `width` of `values` as bars of eight heights, the highest of them full.
pub(super) fn spark(values: &[f64], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &values[values.len().saturating_sub(width)..];
    let highest = shown.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| {
        let share = if highest > 0.0 { value / highest } else { 0.0 };
        BARS[((share * 7.0).round() as usize).min(7)]
    };
    shown.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_carry_their_unit() {
        assert_eq!(count(Some(1_234_567.0)), "1,234,567");
        assert_eq!(count(Some(999.0)), "999");
        assert_eq!(
            [
                count(None),
                count(Some(f64::NAN)),
                rate(None),
                duration(None),
                age(None)
            ],
            [DASH; 5]
        );
        assert_eq!([rate(Some(0.25)), rate(Some(1_234.0))], ["0.2/s", "1,234/s"]);
        let times = [0.000_25, 0.0042, 0.25, 1.5, 42.0, 600.0].map(|seconds| duration(Some(seconds)));
        assert_eq!(times, ["250 µs", "4.2 ms", "250 ms", "1.5 s", "42 s", "10 min"]);
        assert_eq!([age(Some(10_000.0)), age(Some(1e6))], ["3 h", "12 d"]);
    }

    #[test]
    fn a_core_is_a_hundred_percent_and_memory_is_in_mebibytes() {
        assert_eq!([share(Some(1.234)), share(None)], ["123%", DASH]);
        assert_eq!([mebibytes(Some(2e9)), mebibytes(None)], ["1,907 MiB", DASH]);
    }

    #[test]
    fn bars_are_as_high_as_their_share_of_the_highest() {
        assert_eq!(spark(&[9.0, 0.0, 1.0, 2.0], 3), "▁▅█");
        assert_eq!(spark(&[0.0, 0.0], 8), "▁▁");
        assert_eq!(spark(&[], 8), "");
    }
}
