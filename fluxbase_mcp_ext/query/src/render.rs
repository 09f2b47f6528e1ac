//! How a column comes out: Postgres type ▶ JSON form. The contract is docs/types.md; what comes out can be put back in.
//!
//! | Type (domains by their base type) | JSON |
//! |---|---|
//! | boolean | true, false |
//! | smallint, integer | number |
//! | bigint | number from −(2^53−1) to 2^53−1, else string: a double cannot hold it |
//! | real, double precision | number, shortest form that reads back exactly; "NaN", "Infinity", "-Infinity" |
//! | numeric | number with at most 15 digits (leading zeros not counted) and at most 300 characters, else string; "NaN", "Infinity", "-Infinity" |
//! | json, jsonb | itself |
//! | bytea | string, base64 without line breaks |
//! | date, timestamp, timestamptz | string, ISO 8601 (Postgres's to_json, whatever DateStyle is) |
//! | everything else that is no array and no row | string, Postgres's text form; types of users and extensions too, even those with a cast to json |
//! | row types | object of its fields, each in the form of its type |
//! | arrays | list, nested for each dimension |
//! | bigint[], numeric[] | all elements strings as soon as one of them has more than 15 digits |
//! | bytea[] | in one dimension base64, in several hex |
//! | NULL | null |
//!
//! An array that a list cannot tell is a string with Postgres's array text: one whose lower bounds are not 1; of json or
//! jsonb with several dimensions or a JSON null; of a row type with several dimensions; of a domain over an array, of
//! int2vector and of oidvector.
//!
//! NaN and infinities: to_json puts everything in quotes that is not a JSON number (checked on 18). Inside json and jsonb
//! numbers stay as they are. This module does NOT pin output settings; the guard does.

use std::fmt::Write;

use crate::names::push_ident;
use crate::statement::Builder;
use crate::table::{Column, oid};

/// What needs more than the expression itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Native,
    BigInt,
    Numeric,
    Bytes,
    /// The type's text form, where to_json would give something else.
    Text,
    /// A row type with a field that is not native.
    Row,
    /// An array whose elements to_json writes as they should be.
    List,
    /// Of bigint or numeric.
    Numbers,
    ByteArray,
    /// Of json or jsonb.
    Documents,
    /// Of a row type.
    Rows,
    /// Of elements that to_json would not write as text.
    Texts,
    /// Of arrays.
    Nested,
}

fn form(column: &Column) -> Form {
    match (column.element_oid, column.base_oid) {
        (0, oid::INT8) => Form::BigInt,
        (0, oid::NUMERIC) => Form::Numeric,
        (0, oid::BYTEA) => Form::Bytes,
        (0, oid::INT2VECTOR | oid::OIDVECTOR) => Form::Text,
        (0, _) if column.is_composite => {
            if column.fields.iter().all(|field| form(field) == Form::Native) {
                Form::Native
            } else {
                Form::Row
            }
        }
        (0, _) => {
            if column.has_json_cast {
                Form::Text
            } else {
                Form::Native
            }
        }
        _ if column.nested => Form::Nested,
        (oid::INT8 | oid::NUMERIC, _) => Form::Numbers,
        (oid::BYTEA, _) => Form::ByteArray,
        (oid::JSON | oid::JSONB, _) => Form::Documents,
        _ if column.holds_rows() => Form::Rows,
        _ => {
            if column.has_json_cast {
                Form::Texts
            } else {
                Form::List
            }
        }
    }
}

/// Appends the JSON form of `expression`, whose type `column` tells. Says whether that is the expression itself.
pub(crate) fn write(builder: &mut Builder, column: &Column, expression: &str) -> bool {
    let form = form(column);
    let sql = &mut builder.sql;
    if builder.bare && form == Form::Native && !is_bare(column.base_oid) {
        sql.push_str("pg_catalog.to_json(");
        sql.push_str(expression);
        sql.push(')');
        return false;
    }
    if form == Form::Native || (builder.bare && matches!(form, Form::BigInt | Form::Numeric)) {
        sql.push_str(expression);
        return true;
    }
    push(sql, column, expression, 0);
    false
}

/// The types whose values [`crate::select_columns`] leaves as they are. Whoever runs its statements writes their JSON; values of every other
/// type come as json or text.
pub const BARE: [u32; 16] = [
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::NUMERIC,
    oid::TEXT,
    oid::VARCHAR,
    oid::BPCHAR,
    oid::UUID,
    oid::DATE,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::JSON,
    oid::JSONB,
];

fn is_bare(base_oid: u32) -> bool {
    BARE.contains(&base_oid)
}

/// `{c}` below is the expression, `{b}` whether a lower bound is not 1. Operators are qualified, since an exact match in an
/// earlier schema of the search path would win.
fn push(sql: &mut String, column: &Column, expression: &str, depth: usize) {
    let template = match form(column) {
        Form::Native => "{c}",
        Form::BigInt => {
            "CASE WHEN {c} OPERATOR(pg_catalog.>=) (-9007199254740991) AND {c} OPERATOR(pg_catalog.<=) 9007199254740991 \
             THEN pg_catalog.to_json({c}) ELSE pg_catalog.to_json({c}::pg_catalog.text) END"
        }
        // Digits counted on the text: no sign, no point, no leading zeros. "NaN" has three, and to_json quotes it. A double
        // reaches down to 1e-308 with all its digits.
        Form::Numeric => {
            "CASE WHEN pg_catalog.octet_length(pg_catalog.ltrim(pg_catalog.translate({c}::pg_catalog.text, '-.', ''), \
             '0')) OPERATOR(pg_catalog.<=) 15 AND pg_catalog.octet_length({c}::pg_catalog.text) OPERATOR(pg_catalog.<=) 300 \
             THEN pg_catalog.to_json({c}) ELSE pg_catalog.to_json({c}::pg_catalog.text) END"
        }
        Form::Bytes => "pg_catalog.translate(pg_catalog.encode({c}, 'base64'), E'\\n', '')",
        Form::Text => "{c}::pg_catalog.text",
        Form::Row => return push_row(sql, column, expression, depth),
        Form::List => {
            "CASE WHEN {b} THEN pg_catalog.to_json({c}::pg_catalog.text) ELSE pg_catalog.to_json({c}) END"
        }
        // Sixteen digits in a row, or sixteen digits around a point.
        Form::Numbers => {
            "CASE WHEN {b} THEN pg_catalog.to_json({c}::pg_catalog.text) \
             WHEN {c}::pg_catalog.text OPERATOR(pg_catalog.~) '[0-9]{16}|[0-9.]{17}' \
             THEN pg_catalog.to_json({c}::pg_catalog.text[]) ELSE pg_catalog.to_json({c}) END"
        }
        Form::ByteArray => {
            "CASE WHEN {b} THEN pg_catalog.to_json({c}::pg_catalog.text) \
             WHEN pg_catalog.array_ndims({c}) OPERATOR(pg_catalog.=) 1 THEN pg_catalog.to_json(ARRAY(SELECT \
             pg_catalog.translate(pg_catalog.encode(e.v, 'base64'), E'\\n', '') FROM pg_catalog.unnest({c}) \
             WITH ORDINALITY AS e(v, i) ORDER BY e.i)) ELSE pg_catalog.to_json({c}) END"
        }
        // A list inside the list is an element, and null is SQL's.
        Form::Documents => {
            "CASE WHEN {b} OR pg_catalog.array_ndims({c}) OPERATOR(pg_catalog.>) 1 OR EXISTS (SELECT FROM \
             pg_catalog.unnest({c}) AS e(v) WHERE pg_catalog.json_typeof(pg_catalog.to_json(e.v)) OPERATOR(pg_catalog.=) 'null') \
             THEN pg_catalog.to_json({c}::pg_catalog.text) ELSE pg_catalog.to_json({c}) END"
        }
        Form::Rows => return push_rows(sql, column, expression, depth),
        Form::Texts => {
            "CASE WHEN {b} THEN pg_catalog.to_json({c}::pg_catalog.text) \
             ELSE pg_catalog.to_json({c}::pg_catalog.text[]) END"
        }
        Form::Nested => "{c}::pg_catalog.text",
    };
    push_template(sql, template, expression);
}

fn push_template(sql: &mut String, template: &str, expression: &str) {
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (piece, mark) = rest.split_at(at);
        sql.push_str(piece);
        let length = match mark.get(..3) {
            Some("{c}") => {
                sql.push_str(expression);
                3
            }
            Some("{b}") => {
                sql.push_str("pg_catalog.array_dims(");
                sql.push_str(expression);
                sql.push_str(") OPERATOR(pg_catalog.~) '[[](?!1:)'");
                3
            }
            _ => {
                sql.push('{');
                1
            }
        };
        rest = &mark[length..];
    }
    sql.push_str(rest);
}

/// IS DISTINCT FROM NULL asks whether there is a row; IS NULL would ask whether all of its fields are null. `_f.*` is the whole
/// row even if a field is named _f.
fn push_row(sql: &mut String, column: &Column, expression: &str, depth: usize) {
    sql.push_str("CASE WHEN ");
    sql.push_str(expression);
    sql.push_str(" IS DISTINCT FROM NULL THEN (SELECT pg_catalog.row_to_json(_f.*) FROM (SELECT ");
    for (index, field) in column.fields.iter().enumerate() {
        if index > 0 {
            sql.push_str(", ");
        }
        let mut part = String::with_capacity(expression.len() + field.name.len() + 6);
        part.push('(');
        part.push_str(expression);
        part.push_str(").");
        push_ident(&mut part, &field.name);
        push(sql, field, &part, depth);
        sql.push_str(" AS ");
        push_ident(sql, &field.name);
    }
    sql.push_str(") AS _f) END");
}

/// unnest stands in the select list, since in FROM it would give the fields instead of the row. NULL and the empty array
/// have no dimension.
fn push_rows(sql: &mut String, column: &Column, expression: &str, depth: usize) {
    push_template(
        sql,
        "CASE WHEN pg_catalog.array_ndims({c}) IS NULL THEN pg_catalog.to_json({c}) \
         WHEN {b} OR pg_catalog.array_ndims({c}) OPERATOR(pg_catalog.>) 1 THEN pg_catalog.to_json({c}::pg_catalog.text) ELSE ",
        expression,
    );
    let row = column.row();
    if form(&row) == Form::Native {
        push_template(sql, "pg_catalog.to_json({c}) END", expression);
        return;
    }
    let _ = write!(sql, "pg_catalog.to_json(ARRAY(SELECT ");
    push_row(sql, &row, &format!("_e{depth}.v"), depth + 1);
    push_template(sql, " FROM (SELECT pg_catalog.unnest({c}) AS v) AS ", expression);
    let _ = write!(sql, "_e{depth})) END");
}
