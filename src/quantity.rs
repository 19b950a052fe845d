//! Counts, bytes and durations as text, the same wherever a person reads them.

/// A count with its thousands apart: `12,400`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 image`, `2,000 images`.
pub fn counted(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

/// Bytes in decimal units: `812 B`, `8.1 kB`, `812 kB`, `34.2 MB`.
pub fn bytes(value: u64) -> String {
    let (size, unit) = in_unit(value, "B", 999.5);
    if unit == "B" || size >= 99.95 { format!("{size:.0} {unit}") } else { format!("{size:.1} {unit}") }
}

/// Bytes in decimal units, always to a tenth: `999 bytes`, `160.0 kB`. The form of the dataset card, which is one of the hashed
/// files of a set.
pub(crate) fn bytes_to_a_tenth(value: u64) -> String {
    match in_unit(value, "bytes", 999.95) {
        (_, "bytes") => format!("{value} bytes"),
        (size, unit) => format!("{size:.1} {unit}"),
    }
}

/// A number of bytes in the largest decimal unit that leaves at least 1; what would be shown as 1000, from `most` on, belongs to
/// the next unit.
fn in_unit(value: u64, smallest: &'static str, most: f64) -> (f64, &'static str) {
    let (mut size, mut unit) = (value as f64, smallest);
    for larger in ["kB", "MB", "GB", "TB"] {
        if size < most {
            break;
        }
        size /= 1000.0;
        unit = larger;
    }
    (size, unit)
}

/// A duration: `0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`.
pub fn seconds(value: f64) -> String {
    if value < 9.95 {
        return format!("{value:.1} s");
    }
    let whole = value.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => {
            let minutes = (value / 60.0).round() as u64;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(8_123), "8.1 kB");
        assert_eq!(bytes(812_345), "812 kB");
        assert_eq!(bytes(999_700), "1.0 MB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(bytes(34_210_000), "34.2 MB");
        assert_eq!(bytes(12_345_678_901), "12.3 GB");
        assert_eq!(bytes_to_a_tenth(999), "999 bytes");
        assert_eq!(bytes_to_a_tenth(1_500), "1.5 kB");
        assert_eq!(bytes_to_a_tenth(160_000), "160.0 kB");
        assert_eq!(bytes_to_a_tenth(999_960), "1.0 MB");
        assert_eq!(bytes_to_a_tenth(12_345_678_901), "12.3 GB");
        assert_eq!(seconds(0.42), "0.4 s");
        assert_eq!(seconds(59.7), "1 min 0 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(7_500.0), "2 h 5 min");
    }
}
