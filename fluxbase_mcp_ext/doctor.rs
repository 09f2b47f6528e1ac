//! What `mcp.doctor_access` must know of the built-in tools. All else that it tells is SQL: see `sql/42_doctor_access.sql`.

use pgrx::prelude::*;

use crate::tools::TOOLS;

/// The built-in tools with the scopes of which a key needs one.
#[pg_extern(sql = "
CREATE FUNCTION mcp._built_in_tools() RETURNS TABLE (name pg_catalog.text, scopes pg_catalog.text[])
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn built_in_tools() -> TableIterator<'static, (name!(name, String), name!(scopes, Vec<String>))> {
    TableIterator::new(TOOLS.iter().map(|tool| {
        (tool.name.to_owned(), tool.scopes.iter().map(|scope| scope.as_str().to_owned()).collect())
    }))
}
