//! The tables that `mcp.install('{functions}')` makes.
//!
//! Invariants: what is found is found as the caller; what the caller need not see is read, and executions are written, by fixed statements
//! as the owner of the tables. An owner that is neither superuser nor the extension's own is not trusted: a schema of that name that
//! somebody else made is not used at all.

use fluxbase_query::show;
use pgrx::{Spi, pg_sys};
use serde::Deserialize;

use crate::error::Error;
use crate::guard;
use crate::tools::part::Part;

const PART: Part =
    Part { schema: "functions", tables: "{edge_functions,edge_executions}", example: "edge_functions" };

const FIND: &str = "
SELECT pg_catalog.json_build_object(
           'id', f.id, 'name', f.name, 'namespace', f.namespace, 'enabled', f.enabled, 'timeout_seconds', f.timeout_seconds,
           'rate_limit', f.rate_limit_per_minute, 'logged', NOT f.disable_execution_logs,
           'execution', pg_catalog.gen_random_uuid(), 'role', CURRENT_USER,
           'read_only', pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on',
           'now', pg_catalog.floor(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp()))::pg_catalog.int8)::pg_catalog.text
  FROM functions.edge_functions AS f
 WHERE f.name OPERATOR(pg_catalog.=) $1 AND ($2 IS NULL OR f.namespace OPERATOR(pg_catalog.=) $2)
 ORDER BY f.namespace USING OPERATOR(pg_catalog.<)
 LIMIT 1";

const URL: &str = "
SELECT f.url FROM functions.edge_functions AS f WHERE f.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid";

const SECRET: &str = "
SELECT pg_catalog.encode(s.secret, 'hex') FROM mcp._secrets AS s WHERE s.name OPERATOR(pg_catalog.=) 'functions_token'";

const BEGIN: &str = "
INSERT INTO functions.edge_executions (id, function_id, status, role_name, user_id, key_id)
VALUES ($1::pg_catalog.uuid, $2::pg_catalog.uuid, 'running', $3, $4, $5)";

const END: &str = "
UPDATE functions.edge_executions AS e
   SET status = $2, status_code = $3, error_message = $4, completed_at = pg_catalog.clock_timestamp(),
       duration_ms = pg_catalog.ceil(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) e.started_at) OPERATOR(pg_catalog.*) 1000)
 WHERE e.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid AND e.status OPERATOR(pg_catalog.=) 'running'
   AND e.key_id IS NOT DISTINCT FROM $5";

const LIST: &str = "
SELECT pg_catalog.row_to_json(s)::pg_catalog.text
  FROM (SELECT f.name, f.namespace, f.enabled, f.description, f.timeout_seconds, f.rate_limit_per_minute
          FROM functions.edge_functions AS f
         WHERE f.enabled
         ORDER BY f.namespace USING OPERATOR(pg_catalog.<), f.name USING OPERATOR(pg_catalog.<)
         LIMIT $1) AS s";

/// A function that the caller may invoke, and what the call needs.
#[derive(Debug, Deserialize)]
pub struct Found {
    pub id: String,
    pub name: String,
    pub namespace: String,
    pub enabled: bool,
    pub timeout_seconds: u32,
    pub rate_limit: Option<u32>,
    /// Whether executions are recorded.
    pub logged: bool,
    /// Whether nothing can be written: on a standby, or in a transaction that only reads.
    pub read_only: bool,
    /// The execution that is about to begin.
    pub execution: String,
    /// The role that calls.
    pub role: String,
    /// Seconds since 1970.
    pub now: i64,
    /// Its own URL.
    #[serde(skip)]
    pub url: Option<String>,
    /// What tokens are signed with.
    #[serde(skip)]
    pub secret: String,
    #[serde(skip)]
    owner: pg_sys::Oid,
}

impl Found {
    /// `name`, or `namespace/name`.
    pub fn title(&self) -> String {
        match self.namespace.as_str() {
            "default" => self.name.clone(),
            namespace => format!("{namespace}/{}", self.name),
        }
    }
}

/// What became of a call.
#[derive(Debug)]
pub struct Ended {
    status: &'static str,
    code: Option<i32>,
    error: Option<String>,
}

impl Ended {
    /// The function answered.
    pub fn answered(code: u16) -> Ended {
        Ended { status: "completed", code: Some(i32::from(code)), error: None }
    }

    /// It did not, or `late`: not in time.
    pub fn failed(why: &str, late: bool) -> Ended {
        Ended { status: if late { "timeout" } else { "failed" }, code: None, error: Some(why.to_owned()) }
    }
}

/// Who owns the tables, if there are any that may be used.
fn owner() -> Result<pg_sys::Oid, Error> {
    PART.owner("Nothing was sent.")?.ok_or_else(|| {
        Error::refused(
            "42P01",
            "edge functions are not installed in this database. Nothing was sent.",
            "An administrator runs: SELECT mcp.install('{functions}');".to_owned(),
        )
    })
}

/// The function of that name that the caller may see, the first by namespace when none is named.
pub fn find(name: &str, namespace: Option<&str>) -> Result<Found, Error> {
    let owner = owner()?;
    let line = first(FIND, &[name.into(), namespace.into()]);
    let Some(line) = line else {
        let whole = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
        return Err(Error::refused(
            "42704",
            format!("there is no function {} that you may invoke. Nothing was sent.", show(&whole)),
            "The resource fluxbase://functions lists those that you may.".to_owned(),
        ));
    };
    let mut found: Found = serde_json::from_str(&line).unwrap_or_else(|error| panic!("functions: {error}"));
    found.url = guard::as_role(owner, || first(URL, &[found.id.as_str().into()]));
    found.owner = owner;
    match guard::as_owner(|| first(SECRET, &[])) {
        Some(secret) => found.secret = secret,
        None => return Err(Error::internal("mcp._secrets has no row functions_token")),
    }
    Ok(found)
}

/// Writes that the call begins.
pub fn begin(found: &Found, key_id: Option<&str>) {
    let user = crate::identity::claims::with_current(|claims| Some(claims.get("sub")?.as_str()?.to_owned()));
    let values = [
        found.execution.as_str().into(),
        found.id.as_str().into(),
        found.role.as_str().into(),
        user.into(),
        key_id.into(),
    ];
    write(found.owner, BEGIN, &values);
}

/// Writes what became of a call of that key, unless that was written before.
pub fn end(execution: &str, ended: &Ended, key_id: Option<&str>) -> Result<(), Error> {
    let values = [
        execution.into(),
        ended.status.into(),
        ended.code.into(),
        ended.error.as_deref().into(),
        key_id.into(),
    ];
    write(owner()?, END, &values);
    Ok(())
}

/// The functions that the caller may invoke, a JSON text each, at most `limit`.
pub fn list(limit: i64) -> Result<Vec<String>, Error> {
    owner()?;
    Ok(Spi::connect(|client| {
        let rows = client.select(LIST, None, &[limit.into()])?;
        rows.map(|row| row.get::<String>(1).map(Option::unwrap_or_default)).collect::<Result<_, _>>()
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading functions: {error}")))
}

fn first(statement: &str, values: &[pgrx::datum::DatumWithOid<'_>]) -> Option<String> {
    Spi::connect(|client| {
        let rows = client.select(statement, Some(1), values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading functions: {error}"))
}

fn write(owner: pg_sys::Oid, statement: &str, values: &[pgrx::datum::DatumWithOid<'_>]) {
    guard::as_role(owner, || {
        Spi::connect_mut(|client| client.update(statement, None, values).map(|_| ()))
            .unwrap_or_else(|error: pgrx::spi::Error| panic!("writing functions.edge_executions: {error}"));
    });
}
