//! Release dates as numbers of days.

use chrono::{Datelike, NaiveDate};

/// Years outside these are taken for mistakes.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;

/// Days since 1970-01-01 of `2019-11-26`, `2019-11` (its middle) or `2019` (its middle); `None` for anything else.
pub(crate) fn days(date: &str) -> Option<i32> {
    let mut parts = date.splitn(3, '-');
    let year: i32 = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    if !YEARS.contains(&year) {
        return None;
    }
    let mut number = || {
        parts
            .next()
            .and_then(|part| part.get(..2))
            .and_then(|part| part.parse().ok())
    };
    let (month, day): (Option<u32>, Option<u32>) = (number(), number());
    let date = match (month, day) {
        (Some(month), Some(day)) => NaiveDate::from_ymd_opt(year, month, day),
        _ => None,
    };
    let middle_of_month = || NaiveDate::from_ymd_opt(year, month?, 15);
    let date = date
        .or_else(middle_of_month)
        .or_else(|| NaiveDate::from_ymd_opt(year, 7, 1))?;
    Some(date.num_days_from_ce() - EPOCH)
}

/// Days from the first of January of the year 1 to 1970-01-01, both counted.
const EPOCH: i32 = 719_163;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_far_as_they_go() {
        assert_eq!(days("1970-01-01"), Some(0));
        assert_eq!(days("1970-01-03T00:00:00Z"), Some(2));
        assert_eq!(days("1970-01"), Some(14));
        assert_eq!(days("1970"), Some(181));
        assert_eq!(days("1970-00-00"), Some(181));
        assert_eq!(
            (days("19-11-26"), days("unknown"), days("2500-01"), days("")),
            (None, None, None, None)
        );
    }
}
