//! `delete_document`: removes a document of the caller's, with its chunks.

use fluxbase_query::{Arguments, Outcome as Undone};

use super::{there, unknown, write};
use crate::dispatch::Request;
use crate::error::Error;
use crate::tools::{Done, object};

const DELETE: &str = "
DELETE FROM ai.documents AS d WHERE d.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid RETURNING d.id::pg_catalog.text";

/// `delete_document`.
pub fn delete(request: &Request<'_>) -> Result<Done, Error> {
    let read = || {
        let args = Arguments::parse(request.arguments)?;
        args.only(&["document_id"])?;
        super::id(&args)?.ok_or_else(|| {
            args.unfit("document_id", "is missing: write {\"document_id\":\"…\"}, as add_document answered")
        })
    };
    let id = read().map_err(|error| error.with_outcome(Undone::NothingChanged))?;
    there()?;
    let id = write(DELETE, &[id.as_str().into()]).ok_or_else(|| unknown(&id))?;
    Ok(object(format!(r#"{{"document_id":"{id}","deleted":true}}"#), Vec::new()).into())
}
