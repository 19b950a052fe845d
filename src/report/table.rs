//! The results as a table for a terminal.

use unicode_width::UnicodeWidthStr;

use super::Naming;
use super::{Accuracy, Report, words};

/// The results as aligned text, the outcome in words below; ends with a line break.
///
/// Columns are as wide as a terminal shows their widest cell: wide characters count twice, combining marks
/// not at all.
pub fn table(report: &Report, naming: Naming) -> String {
    let mut text = String::new();
    if !report.results.is_empty() {
        text.push_str(&results(report));
        text.push('\n');
    }
    for line in words::outcome(report) {
        text.push_str(&naming(&line.text));
        text.push('\n');
    }
    text
}

fn results(report: &Report) -> String {
    let top5 = report.results.iter().any(|result| result.top5.is_some());
    let mut header = vec!["method", "IPC", "grid", "view", "images", "size", "top-1 %", "95 % interval"];
    let macros = report.shows_macro();
    if macros {
        header.push("macro top-1 %");
    }
    if top5 {
        header.push("top-5 %");
    }
    header.push("training");
    let mut rows: Vec<Vec<String>> = vec![header.into_iter().map(str::to_owned).collect()];
    for result in &report.results {
        let setting = &result.setting;
        let mut row = vec![
            setting.method.clone(),
            setting.ipc.to_string(),
            setting.grid.to_string(),
            setting.augment.clone(),
            words::count(setting.images as u64),
            words::bytes(setting.bytes),
            words::spread(result.top1.mean, result.top1.sd),
            result
                .top1_interval
                .map_or_else(String::new, |interval| format!("{:.1} to {:.1}", interval.low, interval.high)),
        ];
        let cell =
            |of: &Option<Accuracy>| of.as_ref().map_or_else(String::new, |of| words::spread(of.mean, of.sd));
        if macros {
            row.push(cell(&result.macro_top1));
        }
        if top5 {
            row.push(cell(&result.top5));
        }
        row.push(words::seconds(result.seconds));
        rows.push(row);
    }
    // Words to the left, numbers to the right.
    align(&rows, &[true, false, true, true])
}

/// Lays cells out in columns two blanks apart, under a rule below the first row. `left` says which columns
/// are aligned left; the rest are aligned right. Line breaks and tabs in a cell become blanks.
pub(crate) fn align(rows: &[Vec<String>], left: &[bool]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| cell.replace(char::is_control, " ")).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let blanks = " ".repeat(widths[column] - cell.width());
            if column > 0 {
                line.push_str("  ");
            }
            if left.get(column).copied().unwrap_or(false) {
                line.push_str(cell);
                line.push_str(&blanks);
            } else {
                line.push_str(&blanks);
                line.push_str(cell);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if i == 0 {
            let width = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
            text.push_str(&"-".repeat(width));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::sample::sample, *};

    #[test]
    fn the_table_is_aligned_and_followed_by_the_outcome() {
        let text = table(&sample(), str::to_owned);
        let expected = "\
method             IPC  grid  view     images    size     top-1 %  95 % interval     top-5 %    training
--------------------------------------------------------------------------------------------------------
random              10  1     global      100  790 kB  36.1 ± 2.5   29.8 to 42.4  86.1 ± 2.5  2 min 12 s
el2n                10  1     global      100  702 kB  41.1 ± 0.9   38.8 to 43.5  91.1 ± 0.9  2 min 12 s
pca                 10  2     extract     100  812 kB  29.9 ± 2.4   23.9 to 35.9  79.9 ± 2.4  2 min 12 s
random-composites   10  2     extract     100  833 kB  23.9 ± 1.4   20.5 to 27.4  73.9 ± 1.4  2 min 12 s

el2n reaches 41.1 % top-1, the highest mean; guessing gives 10.0 %.
";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("\npca against el2n is inconclusive on 3 shared seeds:"), "{text}");
    }

    #[test]
    fn macro_accuracy_is_shown_where_it_says_something_of_its_own() {
        let mut report = sample();
        assert!(!table(&report, str::to_owned).contains("macro"));
        report.results[1].macro_top1 = Accuracy::of(vec![40.0, 41.0]);
        let text = table(&report, str::to_owned);
        assert!(text.contains("95 % interval  macro top-1 %     top-5 %"), "{text}");
        assert!(text.contains("38.8 to 43.5     40.5 ± 0.7  91.1 ± 0.9"), "{text}");
        report.results[1].macro_top1 = Accuracy::of(vec![40.9, 41.0]);
        assert!(
            !table(&report, str::to_owned).contains("macro"),
            "less than half a point is not worth a column"
        );
    }

    #[test]
    fn wide_characters_and_combining_marks_keep_the_columns_straight() {
        let cells = |row: &[&str]| row.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>();
        let rows = [
            cells(&["name", "n"]),
            cells(&["猫と犬", "1"]),
            cells(&["e\u{301}te\u{301}", "10"]),
            cells(&["a\nb", "2"]),
        ];
        let text = align(&rows, &[true]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.width() == 10), "{text}");
    }
}
