//! `list_objects`, `download_object`, `upload_object`, `delete_object`, and objects as resources.
//!
//! | Module | Does |
//! |---|---|
//! | `arguments` | The arguments of the four. |
//! | `table` | Rows: read and written as the caller, but for what only this extension may write. |
//! | `bytes` | The delegate worker, which has the bytes. |
//! | `list`, `download`, `upload` | The tools. |
//!
//! Invariants:
//! - The row is the truth. Bytes are stored under a new version before their row is written, and removed after their row is gone; bytes without a row are for
//!   the sweep (`mcp._sweep_storage`).
//! - Who may do what is what grants and policies let the caller do with the row. Only the version, which says which bytes a row stands for, is
//!   written as the owner of the tables, after the caller's own write of the row.
//! - What does not exist and what the caller may not see are told in the same words.
//! - Nothing waits in a transaction for a caller over HTTP: bytes move between two transactions, and the second one looks at the row again.

mod arguments;
mod bytes;
mod download;
mod list;
pub mod sweep;
mod table;
mod upload;

use fluxbase_query::{Outcome as Undone, show};
use serde_json::Value;

use super::{Done, object};
use crate::delegate;
use crate::dispatch::Request;
use crate::error::Error;

use arguments::Named;

pub use download::resource;
pub use list::{buckets, keys, list};
pub use upload::upload;

/// `download_object`.
pub fn download(request: &Request<'_>) -> Result<Done, Error> {
    download::tool(request)
}

/// `delete_object`: the row now, its bytes once that is committed.
pub fn delete(request: &Request<'_>) -> Result<Done, Error> {
    let Named { bucket, key } =
        Named::read(request).map_err(|error| error.with_outcome(Undone::NothingChanged))?;
    let tables = table::tables("Nothing was deleted.")?;
    if !delegate::is_there() {
        return Err(delegate::Lost::NotPreloaded.into_error("Nothing was deleted."));
    }
    let Some(version) = table::delete(&bucket, &key) else {
        let visible = table::find(&bucket, &key).is_some();
        return Err(if visible {
            Error::refused(
                "42501",
                format!("you may read {} but not delete it. Nothing was deleted.", title(&bucket, &key)),
                "Its owner deletes it, or gives you the permission write in storage.object_permissions."
                    .to_owned(),
            )
        } else {
            no_object(&bucket, &key, "Nothing was deleted.")
        });
    };
    bytes::forget(&tables, version);
    let (bucket, key) = (Value::from(bucket), Value::from(key));
    Ok(object(format!(r#"{{"deleted":true,"bucket":{bucket},"key":{key}}}"#), Vec::new()).into())
}

/// What there is not, or not for the caller.
fn no_object(bucket: &str, key: &str, nothing: &str) -> Error {
    Error::refused(
        "42704",
        format!("there is no object {} that you may see. {nothing}", title(bucket, key)),
        "list_objects shows those of a bucket, the resource fluxbase://storage/buckets the buckets. Keys are compared exactly, case and all."
            .to_owned(),
    )
}

fn title(bucket: &str, key: &str) -> String {
    show(&format!("{bucket}/{key}"))
}
