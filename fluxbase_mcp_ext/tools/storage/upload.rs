//! `upload_object`.
//!
//! Over HTTP the row is written twice: in the first transaction to see that the caller may and that the bucket takes it, and undone; in the
//! second, when the bytes are stored, to keep it. So no byte moves for who may not store it, and what was allowed then is asked again.

use fluxbase_delegate::client::Said;
use fluxbase_delegate::{Answer, Head, Id, Reply, Request as Ask};
use fluxbase_query::{Outcome as Undone, show};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::arguments::{Named, Upload};
use super::table::{self, New, Row, Tables};
use super::{bytes, list, title};
use crate::delegate;
use crate::dispatch::{Pending, Request, Way};
use crate::error::Error;
use crate::guard::{self, Access, Actor};
use crate::tools::{Done, Outcome, object};

const NOTHING: &str = "Nothing was stored.";
const CALL: &str = "upload_object";

/// `upload_object`.
pub fn upload(request: &Request<'_>) -> Result<Done, Error> {
    let asked = Upload::read(request).map_err(|error| error.with_outcome(Undone::NothingChanged))?;
    let tables = table::tables(NOTHING)?;
    if !delegate::is_there() {
        return Err(delegate::Lost::NotPreloaded.into_error(NOTHING));
    }
    match request.way {
        Way::No => Err(Error::refused(
            "0A000",
            format!(
                "over HTTP upload_object is called alone, not in a batch and not from within another tool. {NOTHING}"
            ),
            "Send a message of its own.".to_owned(),
        )),
        Way::Later => {
            let version = tables.fresh;
            write(request, &tables, &asked, version)?;
            let work = bytes::put(&tables, version, asked.bytes.len());
            bytes::submit(version, bytes::owner(request, CALL, version), work, asked.bytes);
            Ok(Done::undone(Outcome::Pending(version)))
        }
        Way::Here => {
            let version = tables.fresh;
            table::lock(&tables, version);
            let before = write(request, &tables, &asked, version)?;
            let work = bytes::put(&tables, version, asked.bytes.len());
            match delegate::ask(&Ask::Call { work }, &asked.bytes) {
                Ok(Said::Reply(Reply { head: Head::Stored { .. }, .. })) => {
                    bytes::forget(&tables, before);
                    Ok(answer(&asked, version))
                }
                said => Err(bytes::failed(said, NOTHING)),
            }
        }
        Way::Finish(pending) => finish(request, &tables, &asked, pending),
    }
}

/// The bytes are stored, or will never be.
fn finish(
    request: &Request<'_>,
    tables: &Tables,
    asked: &Upload,
    Pending { id: version, abandon }: Pending,
) -> Result<Done, Error> {
    let owner = bytes::owner(request, CALL, version);
    if abandon {
        // Who gave up may have done so while the row was being written: then it stands for the bytes.
        let unnamed = table::is_unnamed(tables, version);
        delegate::at_commit(Ask::Cancel { id: version, owner }, Vec::new());
        if unnamed {
            bytes::forget(tables, Some(version));
        }
        return Err(Error::refused("57014", format!("the upload was cancelled. {NOTHING}"), None));
    }
    // Before the reply is collected: whoever abandons the call in this moment has either taken the reply away already, or finds the row.
    table::lock(tables, version);
    let said = delegate::ask(&Ask::Collect { id: version, owner: owner.clone() }, &[]);
    match said {
        Ok(Said::Answer(Answer::Running)) => Ok(Done::kept(Outcome::Pending(version))),
        Ok(Said::Reply(Reply { head: Head::Stored { .. }, .. })) => {
            let written = write(request, tables, asked, version);
            // Only when what became of it is written down for good.
            delegate::at_commit(Ask::Acknowledge { id: version, owner }, Vec::new());
            match written {
                Ok(before) => {
                    bytes::forget(tables, before);
                    Ok(answer(asked, version))
                }
                Err(error) => {
                    bytes::forget(tables, Some(version));
                    Err(error)
                }
            }
        }
        // It was finished before, and whoever asked did not hear of it.
        Ok(Said::Answer(_)) if is_there(asked, version) => Ok(answer(asked, version)),
        said => {
            if matches!(said, Ok(Said::Failed(_))) {
                delegate::at_commit(Ask::Acknowledge { id: version, owner }, Vec::new());
            }
            Err(bytes::failed(said, NOTHING))
        }
    }
}

fn is_there(asked: &Upload, version: Id) -> bool {
    table::find(&asked.named.bucket, &asked.named.key).is_some_and(|found| found.version == version)
}

/// Writes the row as the caller, and which bytes it stands for; the version that it had before. All of it or nothing.
fn write(request: &Request<'_>, tables: &Tables, asked: &Upload, version: Id) -> Result<Option<Id>, Error> {
    let Named { bucket, key } = &asked.named;
    let new = New { bucket, key, content_type: &asked.content_type, metadata: asked.metadata.as_deref() };
    let identity = request.identity;
    // Within another guard the role is the one that is there already.
    let actor =
        Actor { role: identity.role, claims: &identity.claims, settings: &identity.settings, alone: false };
    let body = || {
        let row = row(&new, asked.overwrite)?;
        table::set_version(tables, &row, version, asked.bytes.len() as u64, &etag(&asked.bytes));
        Ok(row.version)
    };
    guard::run(&actor, Access::Write, body, |_| true).map_err(|error| match error {
        Error::Postgres { code, .. } if code == "42501" => may_not(bucket, key),
        other => other,
    })
}

fn row(new: &New<'_>, overwrite: bool) -> Result<Row, Error> {
    if overwrite && let Some(row) = table::replace(new) {
        return Ok(row);
    }
    if table::find(new.bucket, new.key).is_some() {
        return Err(if overwrite {
            Error::refused(
                "42501",
                format!("you may read {} but not replace it. {NOTHING}", title(new.bucket, new.key)),
                "Choose another key; its owner may give you the permission write in storage.object_permissions."
                    .to_owned(),
            )
        } else {
            there_is_one(new)
        });
    }
    if !table::sees_bucket(new.bucket) {
        return Err(list::no_bucket(new.bucket, NOTHING));
    }
    // One that the caller does not see is told of in the words of a policy's refusal.
    table::add(new, overwrite).ok_or_else(|| match table::find(new.bucket, new.key) {
        Some(_) => there_is_one(new),
        None => may_not(new.bucket, new.key),
    })
}

fn there_is_one(new: &New<'_>) -> Error {
    Error::refused(
        "23505",
        format!("there is an object {} already. {NOTHING}", title(new.bucket, new.key)),
        "Choose another key, or leave overwrite out.".to_owned(),
    )
}

/// A policy refuses, or the key is taken by what the caller does not see.
fn may_not(bucket: &str, key: &str) -> Error {
    Error::refused(
        "42501",
        format!("you may not store {}. {NOTHING}", title(bucket, key)),
        format!(
            "A key stores objects for its user: it needs one (fluxbase clientkeys create --user), a privilege and a policy on storage.objects; \
             and the name may be taken by an object of somebody else. Try another key in {}.",
            show(bucket)
        ),
    )
}

fn etag(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(asked: &Upload, version: Id) -> Done {
    let Named { bucket, key } = &asked.named;
    let answer = format!(
        r#"{{"key":{},"size":{},"content_type":{},"etag":"{}","bucket":{},"version":"{version}"}}"#,
        Value::from(key.as_str()),
        asked.bytes.len(),
        Value::from(asked.content_type.as_str()),
        etag(&asked.bytes),
        Value::from(bucket.as_str()),
    );
    object(answer, Vec::new()).into()
}
