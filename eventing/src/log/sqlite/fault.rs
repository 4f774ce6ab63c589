//! What SQLite's errors mean for us.

use rusqlite::{Error, ErrorCode, ffi};

use super::LogError;
use crate::append::StorageFault;

/// Whether the disk is full, or so full that the file beside the database cannot grow.
pub(super) fn is_full(error: &Error) -> bool {
    match error {
        Error::SqliteFailure(code, _) => {
            code.code == ErrorCode::DiskFull || code.extended_code == ffi::SQLITE_IOERR_SHMSIZE
        }
        _ => false,
    }
}

/// Whether the file contradicts itself, or would; or lacks a row that it has from the start, or holds a value that is not of
/// its column's kind.
fn is_corrupt(error: &Error) -> bool {
    use ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase};
    match error {
        Error::QueryReturnedNoRows
        | Error::InvalidColumnType(..)
        | Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..) => true,
        error => matches!(
            error.sqlite_error_code(),
            Some(DatabaseCorrupt | NotADatabase | ConstraintViolation)
        ),
    }
}

impl From<Error> for LogError {
    fn from(error: Error) -> Self {
        if is_full(&error) {
            Self::StorageFull
        } else if is_corrupt(&error) {
            Self::Corrupt(error.to_string())
        } else {
            Self::Unavailable(StorageFault::new(error))
        }
    }
}
