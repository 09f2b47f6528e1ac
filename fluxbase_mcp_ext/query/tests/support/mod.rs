//! The table that the tests ask about, and short ways to ask.
#![allow(dead_code)]

pub mod calls;
pub mod relations;
pub mod tokens;

use std::sync::Arc;

use fluxbase_query::{Arguments, Bounds, Column, NoRelations, Param, QueryError, Select, Table};

pub const BOOL: u32 = 16;
pub const BYTEA: u32 = 17;
pub const NAME: u32 = 19;
pub const INT8: u32 = 20;
pub const INT4: u32 = 23;
pub const TEXT: u32 = 25;
pub const JSON: u32 = 114;
pub const VARCHAR: u32 = 1043;
pub const BPCHAR: u32 = 1042;
pub const TIMESTAMPTZ: u32 = 1184;
pub const NUMERIC: u32 = 1700;
pub const JSONB: u32 = 3802;
pub const INT4RANGE: u32 = 3904;
pub const TEXT_ARRAY: u32 = 1009;
pub const BOX: u32 = 603;
/// User-defined types of the fixture.
pub const MOOD: u32 = 20000;
pub const PLACE: u32 = 20010;
pub const CITEXT: u32 = 20020;
pub const VECTOR: u32 = 20030;
pub const POSITIVE: u32 = 20040;

pub fn column(name: &str, type_oid: u32, sql: &str, category: char, array_oid: u32) -> Column {
    Column {
        name: name.to_owned(),
        type_oid,
        type_sql: sql.to_owned(),
        typmod: -1,
        base_oid: type_oid,
        base_sql: sql.to_owned(),
        base_schema: "pg_catalog".to_owned(),
        category,
        array_oid,
        delimiter: ',',
        select: true,
        insert: true,
        update: true,
        ..Column::default()
    }
}

pub fn array(name: &str, type_oid: u32, sql: &str, element_oid: u32, element_category: char) -> Column {
    Column { element_oid, element_category, ..column(name, type_oid, sql, 'A', 0) }
}

pub fn users() -> Table {
    Table {
        oid: 16400,
        schema: "public".to_owned(),
        name: "users".to_owned(),
        kind: 'r',
        columns: vec![
            column("id", INT8, "bigint", 'N', 1016),
            column("email", TEXT, "text", 'S', 1009),
            column("status", VARCHAR, "character varying", 'S', 1015),
            column("is_active", BOOL, "boolean", 'B', 1000),
            column("created_at", TIMESTAMPTZ, "timestamp with time zone", 'D', 1185),
            column("price", NUMERIC, "numeric", 'N', 1231),
            column("age", INT4, "integer", 'N', 1007),
            array("tags", TEXT_ARRAY, "text[]", TEXT, 'S'),
            array("totals", 1231, "numeric[]", NUMERIC, 'N'),
            array("docs", 3807, "jsonb[]", JSONB, 'U'),
            array("blobs", 1001, "bytea[]", BYTEA, 'U'),
            column("doc", JSONB, "jsonb", 'U', 3807),
            column("raw", JSON, "json", 'U', 199),
            column("avatar", BYTEA, "bytea", 'U', 1001),
            column("period", INT4RANGE, "int4range", 'R', 3905),
            column("code", BPCHAR, "character", 'S', 1014),
            column("sysname", NAME, "name", 'S', 1003),
            Column { delimiter: ';', ..column("area", BOX, "box", 'G', 1020) },
            Column {
                enum_labels: vec!["sad".to_owned(), "ok".to_owned()],
                base_schema: "public".to_owned(),
                ..column("mood", MOOD, "public.mood", 'E', 20001)
            },
            Column {
                is_composite: true,
                base_schema: "public".to_owned(),
                fields: Arc::from([
                    column("x", INT4, "integer", 'N', 1007),
                    column("a", TEXT, "text", 'S', 1009),
                ]),
                ..column("place", PLACE, "public.place", 'C', 20011)
            },
            Column { base_schema: "ext".to_owned(), ..column("nick", CITEXT, "ext.citext", 'S', 20021) },
            Column { base_schema: "ext".to_owned(), ..column("embedding", VECTOR, "ext.vector", 'U', 20031) },
            // A domain over integer.
            Column { type_oid: POSITIVE, ..column("positive", INT4, "public.positive", 'N', 1007) },
            column("t", TEXT, "text", 'S', 1009),
            column("_r", TEXT, "text", 'S', 1009),
            column("or", TEXT, "text", 'S', 1009),
            column("first.name", TEXT, "text", 'S', 1009),
            column("we\"ird, \\:", TEXT, "text", 'S', 1009),
            // May be written, not read.
            Column { select: false, ..column("secret", TEXT, "text", 'S', 1009) },
            Column { generated: true, ..column("full_name", TEXT, "text", 'S', 1009) },
            // May be read, not written.
            Column { insert: false, update: false, ..column("owner", TEXT, "text", 'S', 1009) },
        ],
        ..Table::default()
    }
}

/// A small table for tests that compare whole statements. It has no key that the caller may read.
pub fn notes() -> Table {
    Table {
        oid: 16500,
        schema: "public".to_owned(),
        name: "notes".to_owned(),
        kind: 'r',
        columns: vec![
            Column { not_null: true, ..column("id", INT4, "integer", 'N', 1007) },
            column("title", TEXT, "text", 'S', 1009),
            column("created_at", TIMESTAMPTZ, "timestamp with time zone", 'D', 1185),
        ],
        ..Table::default()
    }
}

/// [`notes`] with its primary key.
pub fn keyed_notes() -> Table {
    Table { key: vec!["id".to_owned()], ..notes() }
}

pub fn args(json: &str) -> Arguments {
    Arguments::parse(Some(json)).unwrap()
}

/// A read of a table without relations.
pub fn select(json: &str, table: &Table) -> Result<Select, QueryError> {
    fluxbase_query::select(&Arguments::parse(Some(json))?, table, &NoRelations, &Bounds::default())
}

/// What stands between WHERE and LIMIT.
pub fn condition(sql: &str) -> &str {
    let start = sql.find(" WHERE ").map_or(sql.len(), |index| index + 7);
    let end = sql.rfind(" LIMIT ").unwrap();
    &sql[start.min(end)..end]
}

/// Parameters as type and text.
pub fn typed(params: &[Param]) -> Vec<(u32, &str)> {
    params.iter().map(|param| (param.type_oid, param.value.as_deref().unwrap_or("NULL"))).collect()
}

/// The WHERE clause and the parameters (type, text) of a filter on `users`.
pub fn filter(filter: &str) -> Result<(String, Vec<(u32, String)>), QueryError> {
    let statement = select(&format!("{{\"select\":\"t\",\"filter\":{filter}}}"), &users())?.statement;
    let params = typed(&statement.params).into_iter().map(|(oid, text)| (oid, text.to_owned())).collect();
    Ok((condition(&statement.sql).to_owned(), params))
}

/// The whole text of the error of a filter on `users`, and its SQLSTATE.
pub fn filter_error(json: &str) -> (String, &'static str) {
    match filter(json) {
        Ok(ok) => panic!("{json} is accepted: {ok:?}"),
        Err(error) => (error.to_string(), error.code()),
    }
}
