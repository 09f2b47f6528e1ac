//! `fluxbase://schema/tables` and `fluxbase://schema/tables/{schema}/{table}`: the content of `list_tables` and
//! `describe_table`.

use fluxbase_query::TableName;

use crate::dispatch::Request;
use crate::error::Error;
use crate::tools::{describe_table, list_tables};

const MOST_TABLES: i64 = 1000;

/// Every table that the caller may use.
pub fn tables(request: &Request<'_>, _: &[String]) -> Result<String, Error> {
    list_tables(request.identity, None, None, MOST_TABLES, 0)
}

/// One table.
pub fn table(request: &Request<'_>, parts: &[String]) -> Result<String, Error> {
    let [schema, name] = parts else { return Err(Error::internal("the template has two names")) };
    describe_table(request.identity, &TableName { schema: Some(schema.clone()), name: name.clone() }, 0)
}
