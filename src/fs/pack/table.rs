//! A Parquet file as Hugging Face's `datasets` writes it: `image: {bytes, path}` and `label`, with the names of the classes.

use std::io::BufWriter;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::NamedTempFile;

use super::error::PackError;
use super::sample::{Sample, Stored};
use crate::data::ClassMap;

const SCHEMA: &str = "message schema { optional group image { optional binary bytes; optional binary path (STRING); } \
                      optional int64 label; }";
/// Rows of a group, as `datasets` has it for images.
const GROUP: usize = 100;
/// Bytes that a row and its page take besides the image and its path, roughly.
const BESIDE: u64 = 100;

/// A table that is being written.
pub(super) struct Table {
    file: SerializedFileWriter<BufWriter<NamedTempFile>>,
    bytes: Vec<ByteArray>,
    paths: Vec<ByteArray>,
    labels: Vec<i64>,
    len: u64,
}

fn failed(why: ParquetError) -> PackError {
    PackError::Text(why.to_string())
}

impl Table {
    pub(super) fn begin(file: BufWriter<NamedTempFile>, classes: &ClassMap) -> Result<Self, PackError> {
        let features = serde_json::json!({
            "info": { "features": {
                "image": { "_type": "Image" },
                "label": { "names": classes.names(), "_type": "ClassLabel" },
            } }
        });
        let properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            // A page an image, so that one is read without its neighbours.
            .set_data_page_row_count_limit(1)
            .set_write_batch_size(1)
            .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), features.to_string())]))
            .build();
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(failed)?);
        let file = SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(failed)?;
        Ok(Self { file, bytes: Vec::new(), paths: Vec::new(), labels: Vec::new(), len: 0 })
    }

    /// Bytes that it would have with a sample.
    pub(super) fn with(&self, sample: &Sample, stored: &Stored) -> u64 {
        self.len + (stored.bytes.len() + sample.path.len()) as u64 + BESIDE
    }

    pub(super) fn add(&mut self, sample: &Sample, stored: &Stored) -> Result<(), PackError> {
        self.len = self.with(sample, stored);
        self.bytes.push(stored.bytes.clone().into());
        self.paths.push(sample.path.as_str().into());
        self.labels.push(i64::from(sample.label));
        if self.labels.len() == GROUP { self.group() } else { Ok(()) }
    }

    /// Writes the rows that wait.
    fn group(&mut self) -> Result<(), PackError> {
        let mut group = self.file.next_row_group().map_err(failed)?;
        let mut column = |at: usize| {
            let writer = group.next_column().map_err(failed)?;
            let Some(mut writer) = writer else {
                return Err(PackError::Text(format!("there is no column {at}")));
            };
            match at {
                0 => write::<ByteArrayType>(&mut writer, &self.bytes, 2)?,
                1 => write::<ByteArrayType>(&mut writer, &self.paths, 2)?,
                _ => write::<Int64Type>(&mut writer, &self.labels, 1)?,
            }
            writer.close().map_err(failed)
        };
        (0..3).try_for_each(&mut column)?;
        group.close().map_err(failed)?;
        self.bytes.clear();
        self.paths.clear();
        self.labels.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<BufWriter<NamedTempFile>, PackError> {
        if !self.labels.is_empty() {
            self.group()?;
        }
        self.file.into_inner().map_err(failed)
    }
}

/// Writes a column whose values are all there.
fn write<T: DataType>(
    writer: &mut parquet::file::writer::SerializedColumnWriter<'_>,
    values: &[T::T],
    level: i16,
) -> Result<(), PackError> {
    let levels = vec![level; values.len()];
    writer.typed::<T>().write_batch(values, Some(&levels), None).map_err(failed)?;
    Ok(())
}
