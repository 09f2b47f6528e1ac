//! The bytes of stored files.

use bytes::Bytes;

use crate::failure::Failure;
use crate::message::{Head, Work};
use crate::outgoing::Until;

/// A place where files are stored.
#[derive(Debug)]
pub struct Storage {}

/// The bytes of a part of a version.
#[derive(Debug)]
pub struct Content {}

impl Content {
    /// Bytes that come in all.
    pub fn length(&self) -> u64 {
        0
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    /// As [`Storage::perform`].
    pub async fn next_part(&mut self) -> Result<Option<Bytes>, Failure> {
        Ok(None)
    }
}

impl Storage {
    /// Does the work.
    ///
    /// # Errors
    /// [`Failure::Missing`], [`Failure::Exists`], [`Failure::NoRoom`], [`Failure::Storage`], [`Failure::Time`].
    pub async fn perform(
        &self,
        _work: Work,
        _body: Bytes,
        _until: Until,
    ) -> Result<(Head, Option<Content>), Failure> {
        Err(Failure::Unset { reason: "this is not built yet".to_owned() })
    }

    /// For an administrator, without secrets.
    pub fn place(&self) -> String {
        String::new()
    }

    /// What is wrong with it, if anything is.
    pub async fn probe(&self) -> Option<String> {
        None
    }
}
