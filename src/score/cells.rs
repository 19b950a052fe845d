//! Cells of a CSV file that a user may have made: read leniently, refused by line and column.

/// A cell of a CSV file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column '{column}': {problem}")]
pub struct CellError {
    /// Line of the file, from 1.
    pub line: u64,
    /// Name of the column.
    pub column: String,
    /// Problem with the cell.
    pub problem: String,
}

/// The place of a column, whatever the case of its name.
pub(crate) fn place(header: &csv::StringRecord, name: &str) -> Option<usize> {
    header.iter().position(|column| column.eq_ignore_ascii_case(name))
}

/// The cells of one line, and the errors about them.
pub(crate) struct Cells<'a> {
    header: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
    line: u64,
}

impl<'a> Cells<'a> {
    pub(crate) fn new(header: &'a csv::StringRecord, record: &'a csv::StringRecord) -> Self {
        Self { header, record, line: record.position().map_or(0, csv::Position::line) }
    }

    /// Line of the file, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// The text of this cell; empty where there is no such column.
    pub(crate) fn text(&self, column: Option<usize>) -> &'a str {
        column.and_then(|column| self.record.get(column)).unwrap_or("")
    }

    /// The finite number in this cell; `None` where the cell is empty or there is no such column.
    pub(crate) fn number<T>(&self, column: Option<usize>) -> Result<Option<T>, CellError>
    where
        T: std::str::FromStr + Copy + Into<f64>,
    {
        let value: Option<T> = self.parse(column, "a finite number")?;
        match (column, value) {
            (Some(column), Some(value)) if !value.into().is_finite() => {
                let text = self.text(Some(column)).trim();
                Err(self.problem(column, format!("'{text}' is not a finite number")))
            }
            _ => Ok(value),
        }
    }

    /// The value in this cell; `None` where the cell is empty or there is no such column.
    pub(crate) fn parse<T>(&self, column: Option<usize>, what: &str) -> Result<Option<T>, CellError>
    where
        T: std::str::FromStr,
    {
        let text = self.text(column).trim();
        match (column, text.parse::<T>()) {
            (None, _) => Ok(None),
            _ if text.is_empty() => Ok(None),
            (_, Ok(value)) => Ok(Some(value)),
            (Some(column), Err(_)) => Err(self.problem(column, format!("'{text}' is not {what}"))),
        }
    }

    /// An error about this cell.
    pub(crate) fn problem(&self, column: usize, problem: String) -> CellError {
        let column = self.header.get(column).unwrap_or("").to_owned();
        CellError { line: self.line, column, problem }
    }
}
