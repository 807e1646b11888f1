//! All files of a run in one.

use std::io::{Cursor, Write as _};

use jiff::civil::Date;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{File, FileFault};

/// A ZIP of files that were made on a day. The same files make the same bytes.
///
/// # Errors
/// [`FileFault::Zip`] when two files have one name.
pub fn archive(files: &[File], made: Date) -> Result<Vec<u8>, FileFault> {
    let number = |number: i8| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(made.year()).unwrap_or_default();
    // The format knows years from 1980 on.
    let time =
        DateTime::from_date_and_time(year, number(made.month()), number(made.day()), 0, 0, 0).unwrap_or_default();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(time)
        .unix_permissions(0o600);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        zip.start_file(file.name.as_str(), options)?;
        zip.write_all(&file.bytes).map_err(zip::result::ZipError::from)?;
    }
    Ok(zip.finish()?.into_inner())
}
