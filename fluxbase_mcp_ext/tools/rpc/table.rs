//! The tables that `mcp.install('{rpc}')` makes.
//!
//! Invariants: as for those of edge functions. What is found is found as the caller; the statement itself, which the caller need not see, is
//! read, and executions are written, by fixed statements as the owner of the tables, who must be a superuser or the extension's own:
//! whoever can write rpc.procedures decides what its callers run.

use pgrx::{Spi, pg_sys};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::guard;
use crate::identity::claims;
use crate::tools::part::Part;

const PART: Part = Part { schema: "rpc", tables: "{procedures,executions}", example: "procedures" };

/// Whether the current role may read the columns that say who may run what.
const READABLE: &str = "
SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
         AND pg_catalog.bool_and(pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'))
  FROM pg_catalog.pg_class AS c
       JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
       JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
 WHERE n.nspname OPERATOR(pg_catalog.=) 'rpc' AND c.relname OPERATOR(pg_catalog.=) 'procedures'
   AND a.attname OPERATOR(pg_catalog.=) ANY
       ('{id,name,namespace,description,enabled,input_schema,output_schema,max_execution_time_seconds,disable_execution_logs}'::pg_catalog.name[])
 GROUP BY n.oid";

const FIND: &str = "
SELECT pg_catalog.json_build_object(
           'id', p.id, 'name', p.name, 'namespace', p.namespace, 'enabled', p.enabled, 'seconds', p.max_execution_time_seconds,
           'logged', NOT p.disable_execution_logs, 'input_schema', p.input_schema)::pg_catalog.text
  FROM rpc.procedures AS p
 WHERE p.name OPERATOR(pg_catalog.=) $1 AND ($2 IS NULL OR p.namespace OPERATOR(pg_catalog.=) $2)
 ORDER BY p.namespace COLLATE pg_catalog.\"C\" USING OPERATOR(pg_catalog.<)
 LIMIT 1";

const STATEMENT: &str = "
SELECT pg_catalog.json_build_object('sql_query', p.sql_query, 'allowed_tables', p.allowed_tables, 'allowed_schemas', p.allowed_schemas)::pg_catalog.text
  FROM rpc.procedures AS p WHERE p.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid";

const LIST: &str = "
SELECT pg_catalog.json_build_object(
           'name', p.name, 'namespace', p.namespace, 'description', p.description, 'enabled', p.enabled, 'created_at', p.created_at,
           'input_schema', p.input_schema, 'output_schema', p.output_schema, 'seconds', p.max_execution_time_seconds)::pg_catalog.text
  FROM rpc.procedures AS p
 WHERE p.enabled
 ORDER BY p.namespace COLLATE pg_catalog.\"C\" USING OPERATOR(pg_catalog.<), p.name COLLATE pg_catalog.\"C\" USING OPERATOR(pg_catalog.<)
 LIMIT 1000";

const CALLER: &str = "
SELECT pg_catalog.json_build_object('role', CURRENT_USER,
           'read_only', pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on')::pg_catalog.text";

const RECORD: &str = "
INSERT INTO rpc.executions (id, procedure_id, procedure_name, namespace, status, input_params, result, error_message, rows_returned,
                            duration_ms, user_id, user_role, user_email, key_id, started_at, completed_at)
VALUES (pg_catalog.gen_random_uuid(), $1::pg_catalog.uuid, $2, $3, $4, $5::pg_catalog.jsonb, $6::pg_catalog.json, $7, $8, $9, $10, $11, $12, $13,
        pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => $9::pg_catalog.float8 OPERATOR(pg_catalog./) 1000),
        pg_catalog.clock_timestamp())
RETURNING id::pg_catalog.text";

/// The most characters of parameters and of a result that are recorded.
const RECORDED: usize = 10_000;

/// A stored statement that the caller may run.
#[derive(Debug, Deserialize)]
pub struct Found {
    pub id: String,
    pub name: String,
    pub namespace: String,
    pub enabled: bool,
    pub seconds: u32,
    /// Whether executions are recorded.
    pub logged: bool,
    /// `{"name": "type"}`; a name that ends in `?` may be left out.
    pub input_schema: Map<String, Value>,
    #[serde(default)]
    pub sql_query: String,
    #[serde(default)]
    pub allowed_tables: Vec<String>,
    #[serde(default)]
    pub allowed_schemas: Vec<String>,
}

#[derive(Deserialize)]
struct Statement {
    sql_query: String,
    allowed_tables: Vec<String>,
    allowed_schemas: Vec<String>,
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

/// A stored statement as the list shows it.
#[derive(Debug, Deserialize)]
pub struct Listed {
    pub name: String,
    pub namespace: String,
    pub description: Option<String>,
    pub enabled: bool,
    pub created_at: String,
    pub input_schema: Map<String, Value>,
    pub output_schema: Option<Map<String, Value>>,
    pub seconds: u32,
}

/// Who calls.
#[derive(Debug, Deserialize)]
pub struct Caller {
    pub role: String,
    /// Whether nothing can be written.
    pub read_only: bool,
    #[serde(skip)]
    id: Option<String>,
    #[serde(skip)]
    email: Option<String>,
}

impl Caller {
    /// What the parameters of these names get.
    pub fn values(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("caller_id", self.id.clone()),
            ("caller_role", Some(self.role.clone())),
            ("caller_email", self.email.clone()),
        ]
    }
}

/// The caller of this moment.
pub fn caller() -> Caller {
    let line = guard::with_pinned_path(|| first(CALLER, &[])).unwrap_or_default();
    let mut caller: Caller =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the caller: {error}"));
    let claim = |name: &str| claims::with_current(|claims| Some(claims.get(name)?.as_str()?.to_owned()));
    caller.id = claim("sub");
    caller.email = claim("email");
    caller
}

/// As whom executions are recorded; `None` when the tables are not installed.
pub fn records() -> Result<Option<pg_sys::Oid>, Error> {
    PART.owner("Nothing was run.")
}

/// Whether the tables are there and the current role may ask them.
fn readable() -> Result<Option<pg_sys::Oid>, Error> {
    let Some(owner) = records()? else { return Ok(None) };
    let readable = Spi::connect(|client| client.select(READABLE, Some(1), &[])?.first().get::<bool>(1))
        .unwrap_or_else(|error: pgrx::spi::Error| panic!("looking for rpc.procedures: {error}"));
    Ok(readable.unwrap_or_default().then_some(owner))
}

/// The statement of that name that the caller may see, the first by namespace when none is named.
pub fn find(name: &str, namespace: Option<&str>) -> Result<Option<Found>, Error> {
    let Some(owner) = readable()? else { return Ok(None) };
    let Some(line) = first(FIND, &[name.into(), namespace.into()]) else { return Ok(None) };
    let mut found: Found =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("rpc.procedures: {error}"));
    let Some(line) = guard::as_role(owner, || first(STATEMENT, &[found.id.as_str().into()])) else {
        return Ok(None);
    };
    let statement: Statement =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("rpc.procedures: {error}"));
    found.sql_query = statement.sql_query;
    found.allowed_tables = statement.allowed_tables;
    found.allowed_schemas = statement.allowed_schemas;
    Ok(Some(found))
}

/// The statements that the caller may run.
pub fn list() -> Result<Vec<Listed>, Error> {
    if readable()?.is_none() {
        return Ok(Vec::new());
    }
    let lines: Vec<String> = Spi::connect(|client| {
        let rows = client.select(LIST, None, &[])?;
        rows.map(|row| row.get::<String>(1).map(Option::unwrap_or_default)).collect::<Result<_, _>>()
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading rpc.procedures: {error}"));
    let read =
        |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("rpc.procedures: {error}"));
    Ok(lines.iter().map(read).collect())
}

/// Namespace and name of the statements that the caller may run.
pub fn names() -> Result<Vec<(String, String)>, Error> {
    Ok(list()?.into_iter().map(|listed| (listed.namespace, listed.name)).collect())
}

/// What is recorded of a call.
pub struct Record<'a> {
    pub id: Option<&'a str>,
    pub name: &'a str,
    pub namespace: &'a str,
    pub status: &'a str,
    pub params: &'a str,
    pub result: Option<&'a str>,
    pub error: Option<&'a str>,
    pub rows: Option<u64>,
    pub duration: u64,
    pub key: Option<&'a str>,
}

/// Writes it down, and tells its id.
pub fn record(owner: pg_sys::Oid, record: &Record<'_>, caller: &Caller) -> String {
    let short = |text: &&str| text.len() <= RECORDED && !text.contains("\\u0000");
    let whole = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let values = [
        record.id.into(),
        record.name.into(),
        record.namespace.into(),
        record.status.into(),
        Some(record.params).filter(short).into(),
        record.result.filter(short).into(),
        record.error.into(),
        record.rows.map(whole).into(),
        whole(record.duration).into(),
        caller.id.as_deref().into(),
        caller.role.as_str().into(),
        caller.email.as_deref().into(),
        record.key.into(),
    ];
    guard::as_role(owner, || {
        Spi::connect_mut(|client| client.update(RECORD, None, &values)?.first().get::<String>(1))
            .unwrap_or_else(|error: pgrx::spi::Error| panic!("writing rpc.executions: {error}"))
            .unwrap_or_default()
    })
}

fn first(statement: &str, values: &[pgrx::datum::DatumWithOid<'_>]) -> Option<String> {
    Spi::connect(|client| {
        let rows = client.select(statement, Some(1), values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading rpc: {error}"))
}
