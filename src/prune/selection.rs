//! The chosen images, and `selection.csv`.

use std::collections::HashMap;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use super::PruneError;
use crate::data::{ClassMap, ContentHash, Sample, guarded, unguarded};
use crate::score::{Cells, find_all, place};

/// One chosen image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// Index of the sample.
    pub sample: u32,
    /// Its class.
    pub class: u32,
    /// Place in this selection within the class, from 0; the first is the one the rule prefers most.
    pub rank: u32,
    /// Its score; `None` where the images were drawn without scores.
    pub score: Option<f64>,
    /// 0 for an image's first use; higher where a class is filled by using its images again.
    pub repeat: u32,
}

/// The chosen images: the same number of every class, ordered by class, then by rank.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The images.
    pub picks: Vec<Pick>,
}

/// A line of `selection.csv`. Cells that a file leaves out are `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectionRow {
    /// Line of the file, from 1.
    pub line: u64,
    /// Path relative to the data folder.
    pub path: String,
    /// Name of the class folder.
    pub class: Option<String>,
    /// Place within the class, from 0.
    pub rank: Option<u32>,
    /// Score of the image.
    pub score: Option<f64>,
    /// Number of earlier uses of the image.
    pub repeat: u32,
    /// Hash of the file that was selected.
    pub hash: Option<ContentHash>,
}

impl Selection {
    /// The picks of one class, by rank.
    pub fn of_class(&self, class: u32) -> &[Pick] {
        let start = self.picks.partition_point(|pick| pick.class < class);
        let end = self.picks.partition_point(|pick| pick.class <= class);
        &self.picks[start..end]
    }

    /// Picks of every class.
    pub fn per_class(&self) -> usize {
        self.picks.first().map_or(0, |pick| self.of_class(pick.class).len())
    }

    /// Picks that use an image again.
    pub fn repeated(&self) -> usize {
        self.picks.iter().filter(|pick| pick.repeat > 0).count()
    }

    /// Writes the selection as CSV with the columns `path,class,rank,score,repeat,hash`: path relative
    /// to the data folder, name of the class folder, place within the class from 0, score (empty
    /// where there is none), number of earlier uses of the same image, BLAKE3 of the file.
    ///
    /// # Errors
    /// [`PruneError::Csv`] when the writer fails.
    ///
    /// # Panics
    /// When a pick is none of these samples.
    pub fn write_csv(
        &self,
        samples: &[Sample],
        classes: &ClassMap,
        writer: impl Write,
    ) -> Result<(), PruneError> {
        let mut csv = csv::Writer::from_writer(writer);
        csv.write_record(["path", "class", "rank", "score", "repeat", "hash"])?;
        for pick in &self.picks {
            let sample = &samples[pick.sample as usize];
            csv.write_record([
                &*guarded(&sample.path),
                &guarded(classes.name(pick.class)),
                &pick.rank.to_string(),
                &pick.score.map(|score| format!("{score:?}")).unwrap_or_default(),
                &pick.repeat.to_string(),
                &sample.hash.to_string(),
            ])?;
        }
        csv.flush().map_err(csv::Error::from)?;
        Ok(())
    }

    /// Reads the rows of a selection, also of one made elsewhere: only the column `path` is needed.
    /// [`Selection::join`] finds the images.
    ///
    /// # Errors
    /// [`PruneError::Csv`], [`PruneError::Column`], [`PruneError::Cell`] for a value that cannot be
    /// used, and [`PruneError::Twice`] for an image with the same `repeat` in two rows.
    pub fn read_csv(reader: impl Read) -> Result<Vec<SelectionRow>, PruneError> {
        let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(reader);
        let header = csv.headers()?.clone();
        let column = |name| place(&header, name);
        let path_column =
            column("path").ok_or_else(|| PruneError::Column(Vec::from_iter(header.iter()).join(", ")))?;
        let (class, rank, score) = (column("class"), column("rank"), column("score"));
        let (repeat, hash) = (column("repeat"), column("hash"));
        let mut rows = Vec::new();
        let mut lines: HashMap<(String, u32), u64> = HashMap::new();
        let mut record = csv::StringRecord::new();
        while csv.read_record(&mut record)? {
            let cells = Cells::new(&header, &record);
            let path = unguarded(cells.text(Some(path_column))).to_owned();
            if path.is_empty() {
                return Err(cells.problem(path_column, "is empty".into()).into());
            }
            let class = unguarded(cells.text(class));
            let row = SelectionRow {
                line: cells.line(),
                path,
                class: (!class.is_empty()).then(|| class.to_owned()),
                rank: cells.parse(rank, "a rank (0, 1, 2, …)")?,
                score: cells.number(score)?,
                repeat: cells.parse(repeat, "a number of earlier uses")?.unwrap_or(0),
                hash: cells.parse(hash, "a hash of 64 hexadecimal digits")?,
            };
            if let Some(first) = lines.insert((row.path.clone(), row.repeat), row.line) {
                return Err(PruneError::Twice { line: row.line, first, path: row.path });
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// The selection of these rows among `samples`, found by path (a leading `./` or `train/` may be
    /// missing on either side). Within a class the order is that of the ranks, or that of the file when
    /// a row has no rank; ranks are counted from 0 again.
    ///
    /// # Errors
    /// [`PruneError::Missing`] for rows without an image, [`PruneError::Class`],
    /// [`PruneError::Changed`], and [`PruneError::Unbalanced`] when the classes do not all have the same
    /// number of rows.
    pub fn join(rows: &[SelectionRow], samples: &[Sample], classes: &ClassMap) -> Result<Self, PruneError> {
        let ours: Vec<&str> = samples.iter().map(|sample| sample.path.as_str()).collect();
        let theirs: Vec<&str> = rows.iter().map(|row| row.path.as_str()).collect();
        let found = find_all(&ours, &theirs);
        let missing = found.iter().filter(|at| at.is_none()).count();
        if missing > 0 {
            let lost = rows.iter().zip(&found).filter(|(_, at)| at.is_none());
            return Err(PruneError::Missing {
                missing,
                rows: rows.len(),
                first: lost.take(3).map(|(row, _)| row.path.clone()).collect(),
                ours: ours.first().map_or_else(String::new, |path| (*path).to_owned()),
            });
        }
        let mut picks = Vec::with_capacity(rows.len());
        for (row, at) in rows.iter().zip(found.into_iter().flatten()) {
            let sample = &samples[at];
            let folder = classes.name(sample.class);
            if let Some(class) = row.class.as_ref().filter(|class| *class != folder) {
                return Err(PruneError::Class {
                    line: row.line,
                    path: row.path.clone(),
                    selection: class.clone(),
                    folder: folder.to_owned(),
                });
            }
            if row.hash.is_some_and(|hash| hash != sample.hash) {
                return Err(PruneError::Changed { line: row.line, path: row.path.clone() });
            }
            picks.push(Pick {
                sample: at as u32,
                class: sample.class,
                rank: row.rank.unwrap_or(0),
                score: row.score,
                repeat: row.repeat,
            });
        }
        let ranked = rows.iter().all(|row| row.rank.is_some());
        picks.sort_by_key(|pick| (pick.class, if ranked { pick.rank } else { 0 }));

        let selection = Self { picks };
        let count = |class: u32| selection.of_class(class).len();
        let all = 0..classes.len() as u32;
        let (fewest, most) = (all.clone().min_by_key(|&c| count(c)), all.max_by_key(|&c| count(c)));
        if let (Some(fewest), Some(most)) = (fewest, most)
            && count(fewest) != count(most)
        {
            return Err(PruneError::Unbalanced {
                class: classes.name(fewest).to_owned(),
                has: count(fewest),
                other: classes.name(most).to_owned(),
                needs: count(most),
            });
        }
        let per_class = selection.per_class().max(1);
        let mut picks = selection.picks;
        for (i, pick) in picks.iter_mut().enumerate() {
            pick.rank = (i % per_class) as u32;
        }
        Ok(Self { picks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::{Fill, PruneRequest, Rule, select};

    fn folder() -> (Vec<Sample>, ClassMap) {
        let classes = ClassMap::new(["ant, red".to_owned(), "bee".to_owned()]);
        let sample = |i: u32| {
            let path = format!("train/{}/{i}.png", classes.name(i % 2));
            Sample { hash: ContentHash::of(path.as_bytes()), path, class: i % 2 }
        };
        ((0..9).map(sample).collect(), classes)
    }

    fn example(rule: Rule, fill: Fill, per_class: usize) -> Selection {
        let (samples, classes) = folder();
        let scores: Vec<f64> = (0..9).map(|i| 1.0 / f64::from(i + 1)).collect();
        let scores = (rule != Rule::Random).then_some(&scores[..]);
        let request = PruneRequest {
            samples: &samples,
            classes: &classes,
            scores,
            per_class,
            composites: per_class,
            rule,
            fill,
            seed: 3,
            leave_out: &[],
        };
        select(&request).expect("a valid request")
    }

    fn csv_of(selection: &Selection) -> String {
        let (samples, classes) = folder();
        let mut bytes = Vec::new();
        selection.write_csv(&samples, &classes, &mut bytes).expect("memory takes it");
        String::from_utf8(bytes).expect("CSV is text")
    }

    fn read(text: &str) -> Result<Selection, PruneError> {
        let (samples, classes) = folder();
        Selection::join(&Selection::read_csv(text.as_bytes())?, &samples, &classes)
    }

    #[test]
    fn a_selection_comes_back_as_it_was_written() {
        for (rule, fill, per_class) in [
            (Rule::Easy, Fill::Error, 3),
            (Rule::Hard, Fill::Error, 4),
            (Rule::Random, Fill::Error, 2),
            (Rule::Easy, Fill::Cycle, 11),
        ] {
            let selection = example(rule, fill, per_class);
            assert_eq!(selection.per_class(), per_class);
            assert_eq!(read(&csv_of(&selection)).expect("its own file"), selection);
        }
    }

    #[test]
    fn the_file_has_the_documented_columns() {
        let text = csv_of(&example(Rule::Easy, Fill::Error, 1));
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("path,class,rank,score,repeat,hash"));
        let hash = ContentHash::of(b"train/ant, red/8.png");
        let expected = format!("\"train/ant, red/8.png\",\"ant, red\",0,{:?},0,{hash}", 1.0 / 9.0);
        assert_eq!(lines.next(), Some(expected.as_str()));
    }

    #[test]
    fn a_list_of_paths_is_a_selection() {
        let text = "path\nbee/3.png\n\"./train/ant, red/4.png\"\ntrain/bee/1.png\n\"ant, red/0.png\"\n";
        let selection = read(text).expect("all are there");
        let picks = Vec::from_iter(selection.picks.iter().map(|pick| (pick.sample, pick.class, pick.rank)));
        assert_eq!(picks, [(4, 0, 0), (0, 0, 1), (3, 1, 0), (1, 1, 1)]);
        assert_eq!(selection.of_class(1).len(), 2);
        assert!(selection.of_class(2).is_empty());
    }

    #[test]
    fn what_does_not_fit_the_folder_is_named() {
        let hash = ContentHash::of(b"other");
        for (text, expected) in [
            ("path\nbee/1.png\nbee/77.png\nx\n", "2 of 3 images of the selection are not in the data folder"),
            ("path\nbee/77.png\n", "among them bee/77.png"),
            ("path,class\nbee/1.png,wasp\n", "line 2: bee/1.png is of class 'wasp' there and 'bee' in"),
            (&format!("path,hash\nbee/1.png,{hash}\n"), "line 2: bee/1.png is not the image"),
            ("path\nbee/1.png\nbee/3.png\nbee/1.png\n", "line 4: bee/1.png was selected in line 2 already"),
            ("path\nbee/1.png\nbee/3.png\n", "0 images of class 'ant, red' and 2 of class 'bee'"),
            ("path,rank\nbee/1.png,first\n", "line 2, column 'rank': 'first' is not a rank"),
            ("path,score\nbee/1.png,NaN\n", "line 2, column 'score': 'NaN' is not a finite number"),
            ("file\nbee/1.png\n", "no column 'path'; its columns are: file"),
            ("path,rank\nbee/1.png\n", "not readable CSV"),
        ] {
            let message = read(text).expect_err("it does not fit").to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
    }
}
