//! Whether the tables of a part, which `mcp.install('{PART}')` makes, may be used.
//!
//! Invariants: fixed statements write such tables, and read what the caller need not see, as their owner. So all of them must be there, one
//! owner must have them who is a superuser or the extension's own, and no trigger of theirs may run a function that somebody else owns: it
//! would run with that owner's rights. A schema of that name that somebody else made is not used at all. The SQL function
//! `mcp._part_is_ours` asks the same for upkeep. Nothing here looks at who calls.

use pgrx::{Spi, pg_sys};

use crate::error::Error;
use crate::guard;

/// $1 is the schema, $2 the tables.
const LOOK: &str = "
SELECT pg_catalog.min(c.relowner::pg_catalog.int8)::pg_catalog.oid,
       pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.cardinality($2::pg_catalog.name[]),
       coalesce(pg_catalog.bool_and(o.rolsuper OR o.oid OPERATOR(pg_catalog.=) e.extowner), false)
         AND pg_catalog.count(DISTINCT c.relowner) OPERATOR(pg_catalog.=) 1,
       pg_catalog.min((
           SELECT pg_catalog.min(t.tgname::pg_catalog.text)
             FROM pg_catalog.pg_trigger AS t
                  JOIN pg_catalog.pg_proc AS f ON f.oid OPERATOR(pg_catalog.=) t.tgfoid
                  JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) f.proowner
            WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal
              AND NOT (r.rolsuper OR r.oid OPERATOR(pg_catalog.=) e.extowner)))
  FROM pg_catalog.pg_class AS c
       JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
       JOIN pg_catalog.pg_roles AS o ON o.oid OPERATOR(pg_catalog.=) c.relowner
       JOIN pg_catalog.pg_extension AS e ON e.extname OPERATOR(pg_catalog.=) 'fluxbase_mcp_ext'
 WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND c.relkind OPERATOR(pg_catalog.=) 'r'
   AND c.relname OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.name[])";

/// The tables of one part.
#[derive(Debug)]
pub struct Part {
    /// Their schema.
    pub schema: &'static str,
    /// Their names, as an array in SQL: `{a,b}`.
    pub tables: &'static str,
    /// One of them that is in every installation, for the hint.
    pub example: &'static str,
}

impl Part {
    /// Who owns the tables; `None` when one of them is not there.
    ///
    /// # Errors
    ///
    /// 42501 when they must not be used; `nothing` says what was not done, a sentence.
    pub fn owner(&self, nothing: &str) -> Result<Option<pg_sys::Oid>, Error> {
        let (schema, example) = (self.schema, self.example);
        let (owner, all, trusted, foreign) = guard::with_pinned_path(|| {
            Spi::connect(|client| {
                let row = client.select(LOOK, Some(1), &[schema.into(), self.tables.into()])?.first();
                Ok((
                    row.get::<pg_sys::Oid>(1)?,
                    row.get::<bool>(2)?,
                    row.get::<bool>(3)?,
                    row.get::<String>(4)?,
                ))
            })
        })
        .unwrap_or_else(|error: pgrx::spi::Error| panic!("looking for the schema {schema}: {error}"));
        let (Some(owner), Some(true)) = (owner, all) else { return Ok(None) };
        if trusted != Some(true) {
            return Err(Error::refused(
                "42501",
                format!("the tables of schema {schema} do not belong to one administrator. {nothing}"),
                format!(
                    "The owner of all of them must be a superuser, or the owner of the extension: ALTER TABLE {schema}.{example} OWNER TO …"
                ),
            ));
        }
        if let Some(trigger) = foreign {
            return Err(Error::refused(
                "42501",
                format!(
                    "a table of schema {schema} has a trigger whose function does not belong to an administrator. {nothing}"
                ),
                format!(
                    "It would run with the rights of the table's owner. An administrator drops trigger {}, and takes the privilege TRIGGER back.",
                    fluxbase_query::show(&trigger)
                ),
            ));
        }
        Ok(Some(owner))
    }
}
