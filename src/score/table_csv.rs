//! `scores.csv`: writing a score table, and reading one back, also when it was made elsewhere.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read, Write};
use std::ops::Range;

use super::cells::{Cells, place};
use super::{CellError, Metric, ScoreError, ScoreRow, ScoreTable, parse_window, window_text};
use crate::data::{guarded, unguarded};

const EPOCH_COLUMN: &str = "el2n_epoch_";

impl ScoreTable {
    /// Writes the table as CSV. Every number has the fewest digits that read back as the same number.
    ///
    /// Columns: `path,class,metric,window,runs,value,rank,aum,correct,hash,el2n_epoch_1..el2n_epoch_E`.
    ///
    /// - `path`: relative to the data folder, `/` between its parts; rows are joined by it;
    /// - `class`: name of the class folder;
    /// - `metric`: name of the [`Metric`] that `value` measures, the same in every row;
    /// - `window`, `runs`: epochs that `value` covers (`1..10`, from 1, both ends belong) and number of proxies that
    ///   were averaged, the same in every row;
    /// - `value`: the score; for `el2n`, Σ ‖softmax − onehot‖₂ over the epochs of `window`; lower is easier;
    /// - `rank`: place in the class by `value`, 0 is the easiest;
    /// - `aum`: mean of `p_y − max_{j≠y} p_j` over all epochs; `correct`: share of epochs that predicted
    ///   the label;
    /// - `hash`: BLAKE3 of the file;
    /// - `el2n_epoch_k`: EL2N in epoch k, from 1.
    ///
    /// A path or class that a spreadsheet would run as a formula has a `'` in front, which reading takes off again: see
    /// [`guarded`](crate::data::guarded).
    ///
    /// A table made elsewhere needs `path` and `value`, or `path` and one of `el2n` and `score` in the place of `metric` and
    /// `value` (lower is easier); every other column may be missing or empty, unknown ones are ignored, and the order
    /// of columns is free. A value without a metric is a `score`: nothing says that it is EL2N. Earlier versions wrote
    /// `el2n`, `el2n_window` and `el2n_runs`; their tables are read as before.
    ///
    /// # Errors
    /// [`ScoreError::Csv`] when the writer fails.
    pub fn write_csv(&self, writer: impl Write) -> Result<(), ScoreError> {
        let mut csv = csv::Writer::from_writer(writer);
        let epochs = self.rows.iter().map(|row| row.epochs.len()).max().unwrap_or(0);
        let mut record: Vec<String> =
            ["path", "class", "metric", "window", "runs", "value", "rank", "aum", "correct", "hash"]
                .map(String::from)
                .into();
        let fixed = record.len();
        record.extend((1..=epochs).map(|epoch| format!("{EPOCH_COLUMN}{epoch}")));
        csv.write_record(&record)?;
        let number = |value: Option<f64>| value.map(|v| format!("{v:?}")).unwrap_or_default();
        for row in &self.rows {
            record.clear();
            record.extend([
                guarded(&row.path).into_owned(),
                guarded(&row.class).into_owned(),
                self.metric.to_string(),
                if self.window.is_empty() { String::new() } else { window_text(&self.window) },
                self.runs.to_string(),
                format!("{:?}", row.value),
                row.rank.to_string(),
                number(row.aum),
                number(row.correct),
                row.hash.map(|hash| hash.to_string()).unwrap_or_default(),
            ]);
            record.extend(row.epochs.iter().map(|v| format!("{v:?}")));
            record.resize(fixed + epochs, String::new());
            csv.write_record(&record)?;
        }
        csv.flush().map_err(csv::Error::from)?;
        Ok(())
    }

    /// Reads a table, also one made elsewhere; [`write_csv`](Self::write_csv) lists the columns it needs.
    ///
    /// Ranks that are missing, or that are not the order of the scores in each class counted from 0,
    /// are made anew (seed 0).
    ///
    /// # Errors
    /// [`ScoreError::Csv`] for bytes that are no CSV, [`ScoreError::Column`] for a missing column,
    /// [`ScoreError::Cell`] for a path that is empty or stands twice and for values that are not
    /// finite numbers.
    pub fn read_csv(reader: impl Read) -> Result<Self, ScoreError> {
        let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(reader);
        let header = csv.headers()?.clone();
        let columns = Columns::find(&header)?;
        let mut table = Self { metric: columns.metric, window: 0..0, runs: 1, rows: Vec::new() };
        let (mut lines, mut seen) = (Vec::new(), Seen::default());
        let mut all_ranked = columns.rank.is_some();
        let mut constants: Option<Constants> = None;
        let mut record = csv::StringRecord::new();
        while csv.read_record(&mut record)? {
            let cells = Cells::new(&header, &record);
            let path = unguarded(cells.text(Some(columns.path)));
            if path.is_empty() {
                return Err(cells.problem(columns.path, "is empty".into()).into());
            }
            if let Some(first) = seen.twice(path, &table.rows) {
                let first: u64 = lines[first];
                return Err(cells
                    .problem(columns.path, format!("'{path}' stands in line {first} already"))
                    .into());
            }
            lines.push(cells.line());
            let Some(value) = cells.number::<f64>(Some(columns.value))? else {
                return Err(cells.problem(columns.value, "is empty".into()).into());
            };
            let mut epochs = Vec::with_capacity(columns.epochs.len());
            for (epoch, &column) in columns.epochs.iter().enumerate() {
                if let Some(value) = cells.number(Some(column))? {
                    if epochs.len() < epoch {
                        return Err(cells.problem(columns.epochs[epochs.len()], "is empty".into()).into());
                    }
                    epochs.push(value);
                }
            }
            let found = Constants::read(&columns, &cells)?;
            match &constants {
                None => constants = Some(found),
                Some(first) => first.ensure_equal(&found, &columns, &cells)?,
            }
            let rank = cells.text(columns.rank).parse().ok();
            all_ranked &= rank.is_some();
            table.rows.push(ScoreRow {
                path: path.to_owned(),
                class: unguarded(cells.text(columns.class)).to_owned(),
                hash: cells.parse(columns.hash, "a hash of 64 hexadecimal digits")?,
                epochs,
                value,
                rank: rank.unwrap_or(0),
                aum: cells.number(columns.aum)?,
                correct: cells.number(columns.correct)?,
            });
        }
        if let Some(Constants { metric, window, runs }) = constants {
            (table.metric, table.window, table.runs) = (metric, window, runs);
        }
        if !all_ranked || !table.ranks_fit() {
            table.assign_ranks(0);
        }
        Ok(table)
    }
}

/// The paths of the rows so far, by their hashes: a table may have millions, and holds each path once.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    rows: HashMap<u64, u32>,
    /// Rows whose hash another path had before.
    others: Vec<u32>,
}

impl Seen {
    /// The row that has this path already; otherwise it is that of the row to come.
    fn twice(&mut self, path: &str, rows: &[ScoreRow]) -> Option<usize> {
        self.twice_by(self.hasher.hash_one(path), path, rows)
    }

    fn twice_by(&mut self, hash: u64, path: &str, rows: &[ScoreRow]) -> Option<usize> {
        let next = rows.len() as u32;
        let has = |row: &u32| rows.get(*row as usize).is_some_and(|row| row.path == path);
        match self.rows.entry(hash) {
            Entry::Vacant(place) => {
                place.insert(next);
                return None;
            }
            Entry::Occupied(place) if has(place.get()) => return Some(*place.get() as usize),
            Entry::Occupied(_) => {}
        }
        let found = self.others.iter().find(|row| has(row)).map(|&row| row as usize);
        if found.is_none() {
            self.others.push(next);
        }
        found
    }
}

/// Values that are the same in every row of a table.
struct Constants {
    metric: Metric,
    window: Range<u32>,
    runs: u32,
}

impl Constants {
    fn read(columns: &Columns, cells: &Cells<'_>) -> Result<Self, CellError> {
        let metric = match (columns.names_metric, cells.text(columns.names_metric).trim()) {
            (None, _) | (_, "") => columns.metric,
            (Some(column), text) => text.parse().map_err(|e| cells.problem(column, e))?,
        };
        let window = match cells.text(columns.window) {
            "" => 0..0,
            text => parse_window(text).map_err(|e| cells.problem(columns.window.unwrap_or(0), e))?,
        };
        let runs = cells.parse(columns.runs, "a number of runs")?.unwrap_or(1);
        Ok(Self { metric, window, runs })
    }

    fn ensure_equal(&self, other: &Self, columns: &Columns, cells: &Cells<'_>) -> Result<(), CellError> {
        if self.metric != other.metric {
            let column = columns.names_metric.unwrap_or(columns.value);
            return Err(cells.problem(
                column,
                format!(
                    "'{}' differs from the first row's '{}'; a table has one metric",
                    other.metric, self.metric
                ),
            ));
        }
        if (&self.window, self.runs) != (&other.window, other.runs) {
            let column = columns.window.or(columns.runs).unwrap_or(columns.value);
            return Err(cells.problem(column, "window and runs differ from the first row's".into()));
        }
        Ok(())
    }
}

/// Places of the known columns.
struct Columns {
    path: usize,
    class: Option<usize>,
    rank: Option<usize>,
    value: usize,
    /// The metric of rows that do not name one.
    metric: Metric,
    /// The column that names the metric.
    names_metric: Option<usize>,
    aum: Option<usize>,
    correct: Option<usize>,
    hash: Option<usize>,
    window: Option<usize>,
    runs: Option<usize>,
    epochs: Vec<usize>,
}

impl Columns {
    fn find(header: &csv::StringRecord) -> Result<Self, ScoreError> {
        let place = |name: &str| place(header, name);
        let needs = |needs| ScoreError::Column { needs, has: Vec::from_iter(header.iter()).join(", ") };
        let path = place("path").ok_or_else(|| needs("'path'"))?;
        // A table with both 'metric' and 'value' is of the present form. In any other, a column named by the metric comes
        // first: earlier versions wrote it, and ignored columns of the names that are known now.
        let names_metric = place("metric").filter(|_| place("value").is_some());
        let by = |metric: Metric| Some((place(metric.name())?, metric, "el2n_window", "el2n_runs"));
        let plain = || Some((place("value")?, Metric::Other, "window", "runs"));
        let score = match names_metric {
            Some(_) => plain(),
            None => by(Metric::El2n).or_else(|| by(Metric::Other)).or_else(plain),
        };
        let (value, metric, window, runs) = score.ok_or_else(|| needs("'value', 'el2n' or 'score'"))?;
        Ok(Self {
            path,
            class: place("class"),
            rank: place("rank"),
            value,
            metric,
            names_metric,
            aum: place("aum"),
            correct: place("correct"),
            hash: place("hash"),
            window: place(window),
            runs: place(runs),
            epochs: (1..).map_while(|epoch| place(&format!("{EPOCH_COLUMN}{epoch}"))).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::random_table;
    use super::*;

    fn read(text: &str) -> Result<ScoreTable, ScoreError> {
        ScoreTable::read_csv(text.as_bytes())
    }

    #[test]
    fn paths_of_one_hash_are_told_apart() {
        let row = |path: &str| ScoreRow {
            path: path.to_owned(),
            class: String::new(),
            hash: None,
            epochs: Vec::new(),
            value: 0.0,
            rank: 0,
            aum: None,
            correct: None,
        };
        let (mut seen, mut rows) = (Seen::default(), Vec::new());
        for path in ["a", "b", "c"] {
            assert_eq!(seen.twice_by(7, path, &rows), None);
            rows.push(row(path));
        }
        for (place, path) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(seen.twice_by(7, path, &rows), Some(place));
        }
    }

    #[test]
    fn a_table_comes_back_bit_for_bit() {
        let (mut table, ..) = random_table(30, 1..3);
        table.rows[0].value = 0.1 + 0.2;
        table.rows[0].aum = Some(-1.0 / 3.0);
        table.rows[1].epochs[0] = f32::MIN_POSITIVE;
        table.rows[2].hash = None;
        table.rows[3].correct = None;
        table.assign_ranks(9);
        let mut bytes = Vec::new();
        table.write_csv(&mut bytes).expect("memory takes it");
        assert_eq!(ScoreTable::read_csv(&bytes[..]).expect("its own file"), table);
    }

    #[test]
    fn a_path_that_a_spreadsheet_would_run_is_text_in_the_file_and_comes_back() {
        let (mut table, ..) = random_table(2, 0..4);
        for (row, (path, class)) in table.rows.iter_mut().zip([
            ("=cmd|' /C calc'!A0/1.png", "=cmd|' /C calc'!A0"),
            ("-1/a.png", "-1"),
            ("'@x/\u{1b}[2J\n.png", "'@x"),
        ]) {
            (row.path, row.class) = (path.to_owned(), class.to_owned());
        }
        table.assign_ranks(0);
        let mut bytes = Vec::new();
        table.write_csv(&mut bytes).expect("memory takes it");
        let text = String::from_utf8(bytes).expect("CSV is text");
        assert!(text.contains("\n'=cmd|' /C calc'!A0/1.png,'=cmd|"), "{text}");
        assert!(text.contains("\n'-1/a.png,-1,"), "{text}");
        assert_eq!(read(&text).expect("its own file"), table);
    }

    #[test]
    fn the_file_has_the_documented_columns() {
        let (table, ..) = random_table(1, 0..4);
        let mut bytes = Vec::new();
        table.write_csv(&mut bytes).expect("memory takes it");
        let text = String::from_utf8(bytes).expect("CSV is text");
        let header = "path,class,metric,window,runs,value,rank,aum,correct,hash,\
                      el2n_epoch_1,el2n_epoch_2,el2n_epoch_3,el2n_epoch_4";
        assert_eq!(text.lines().next(), Some(header));
        assert!(text.contains(",el2n,1..4,1,"), "{text}");
    }

    #[test]
    fn a_table_made_elsewhere_needs_a_path_and_a_score_only() {
        let text = "\u{feff}note, Score ,path\r\nx,0.5,cat/a.png\r\n\"y,z\",1e-3,\"cat/b, c.png\"\r\n";
        let table = read(text).expect("path and score are there");
        let rows = Vec::from_iter(table.rows.iter().map(|row| (row.path.as_str(), row.value, row.rank)));
        assert_eq!(rows, [("cat/a.png", 0.5, 1), ("cat/b, c.png", 0.001, 0)]);
        assert!(table.window.is_empty() && table.rows[0].class.is_empty());
        // What it measures is not known, before and after it is written.
        let mut bytes = Vec::new();
        table.write_csv(&mut bytes).expect("memory takes it");
        assert_eq!(table.metric, Metric::Other);
        assert_eq!(ScoreTable::read_csv(&bytes[..]).expect("its own file"), table);
    }

    #[test]
    fn a_table_of_an_earlier_version_is_read_as_it_was() {
        let (table, ..) = random_table(2, 1..3);
        // The columns as they were written until the metric became one of them.
        let mut text =
            "path,class,rank,el2n,aum,correct,hash,el2n_window,el2n_runs,el2n_epoch_1,el2n_epoch_2,\
                        el2n_epoch_3,el2n_epoch_4\n"
                .to_owned();
        for row in &table.rows {
            let [aum, correct] = [row.aum, row.correct].map(|value| value.expect("from a log"));
            let class = row.class.replace('"', "\"\"");
            let (path, hash) = (row.path.replace('"', "\"\""), row.hash.expect("from a log"));
            text += &format!(
                "\"{path}\",\"{class}\",{},{:?},{aum:?},{correct:?},{hash},2..3,1",
                row.rank, row.value
            );
            row.epochs.iter().for_each(|epoch| text += &format!(",{epoch:?}"));
            text.push('\n');
        }
        assert_eq!(read(&text).expect("a table of an earlier version"), table);
    }

    #[test]
    fn a_metric_is_what_the_table_says_and_a_score_where_it_says_nothing() {
        for (text, metric, window) in [
            ("path,metric,window,runs,value\na,el2n,1..3,2,1\n", Metric::El2n, 0..3),
            ("path,metric,value\na,EL2N,1\n", Metric::El2n, 0..0),
            ("path,metric,value\na,score,1\n", Metric::Other, 0..0),
            ("path,metric,value\na,,1\n", Metric::Other, 0..0),
            ("path,value\na,1\n", Metric::Other, 0..0),
            ("path,score,el2n\na,2,1\n", Metric::El2n, 0..0),
            // Columns that earlier versions ignored.
            ("path,el2n,value,window,runs\na,1,2,7,many\n", Metric::El2n, 0..0),
            ("path,el2n,metric\na,1,loss\n", Metric::El2n, 0..0),
        ] {
            let table = read(text).expect(text);
            assert_eq!((table.metric, table.window, table.rows[0].value), (metric, window, 1.0), "{text}");
        }
    }

    #[test]
    fn ranks_that_are_not_the_order_of_the_scores_are_made_anew() {
        let table = read("path,class,rank,el2n\na,x,1,3\nb,x,2,2\nc,y,1,1\n").expect("a valid table");
        assert_eq!(Vec::from_iter(table.rows.iter().map(|row| row.rank)), [1, 0, 0]);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_line_and_column() {
        let message = |text: &str| read(text).expect_err("it cannot be used").to_string();
        for (text, expected) in [
            ("path,el2n\na,1\nb,NaN\n", "line 3, column 'el2n': 'NaN' is not a finite number"),
            ("path,el2n\na,inf\n", "line 2, column 'el2n': 'inf'"),
            ("path,score\na,\n", "line 2, column 'score': is empty"),
            ("path,el2n\na,1\nb,2\na,3\n", "line 4, column 'path': 'a' stands in line 2 already"),
            ("path,el2n\n,1\n", "line 2, column 'path': is empty"),
            ("path,el2n,aum\na,1,x\n", "line 2, column 'aum': 'x'"),
            ("path,el2n,hash\na,1,12\n", "line 2, column 'hash': '12' is not a hash"),
            ("path,el2n,el2n_epoch_1\na,1,1e99\n", "column 'el2n_epoch_1': '1e99' is not a finite"),
            ("path,el2n,el2n_epoch_1,el2n_epoch_2\na,1,,2\n", "column 'el2n_epoch_1': is empty"),
            ("path,el2n,el2n_window\na,1,1..3\nb,1,1..4\n", "line 3, column 'el2n_window'"),
            ("path,el2n,el2n_runs\na,1,many\n", "column 'el2n_runs': 'many'"),
            ("path,metric,value\na,el2n,1\nb,score,1\n", "line 3, column 'metric': 'score' differs from"),
            (
                "path,metric,value\na,aum,1\n",
                "line 2, column 'metric': 'aum' is not a known metric; give el2n",
            ),
            ("path,value,window\na,1,1..3\nb,1,1..4\n", "line 3, column 'window'"),
            ("path,loss\na,1\n", "no column 'value', 'el2n' or 'score'; its columns are: path, loss"),
            ("file,el2n\na,1\n", "no column 'path'"),
            ("", "no column 'path'"),
            ("path,el2n\na\n", "not readable CSV"),
        ] {
            let message = message(text);
            assert!(message.contains(expected), "{text:?}: {message}");
        }
    }
}
