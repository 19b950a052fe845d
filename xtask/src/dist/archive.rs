//! Archives that depend on nothing but the names and bytes in them.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use zip::write::SimpleFileOptions;

/// A file of an archive.
pub(super) struct Member {
    pub(super) bytes: Vec<u8>,
    pub(super) executable: bool,
}

impl From<Vec<u8>> for Member {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, executable: false }
    }
}

impl Member {
    fn mode(&self) -> u32 {
        if self.executable { 0o755 } else { 0o644 }
    }
}

/// A `.tar.gz`: no owner, and the times of 1970.
pub(super) fn tar_gz(members: &BTreeMap<String, Member>) -> Result<Vec<u8>> {
    let gz = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gz);
    for (path, member) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(member.bytes.len() as u64);
        header.set_mode(member.mode());
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, path, member.bytes.as_slice())?;
    }
    Ok(tar.into_inner()?.finish()?)
}

/// A `.zip`, with the first time that the format knows.
pub(super) fn zip(members: &BTreeMap<String, Member>) -> Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, member) in members {
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(member.mode());
        zip.start_file(path.as_str(), options)?;
        zip.write_all(&member.bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn members() -> BTreeMap<String, Member> {
        let long = format!("tilepress/{}/file", "long".repeat(40));
        BTreeMap::from([
            ("tilepress/tilepress".to_owned(), Member { bytes: vec![7; 100_000], executable: true }),
            ("tilepress/README.md".to_owned(), b"read me".to_vec().into()),
            (long, b"a path beyond a hundred bytes".to_vec().into()),
        ])
    }

    #[test]
    fn a_tar_archive_gives_back_every_file_with_its_mode_and_is_the_same_again() {
        let bytes = tar_gz(&members()).unwrap();
        assert_eq!(bytes, tar_gz(&members()).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let (mode, time) = (entry.header().mode().unwrap(), entry.header().mtime().unwrap());
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            assert_eq!(time, 0);
            found.insert(path, (bytes, mode));
        }
        let expected = members().into_iter().map(|(path, member)| {
            let mode = member.mode();
            (path, (member.bytes, mode))
        });
        assert_eq!(found, expected.collect());
    }

    #[test]
    fn a_zip_archive_gives_back_every_file_and_is_the_same_again() {
        let bytes = zip(&members()).unwrap();
        assert_eq!(bytes, zip(&members()).unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(archive.len(), members().len());
        for (path, member) in members() {
            let mut file = archive.by_name(&path).unwrap();
            assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(member.mode()));
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, member.bytes);
        }
    }
}
