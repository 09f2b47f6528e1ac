//! How a column comes out: Postgres type ▶ JSON form. This table is a contract.
//!
//! | Type (domains by their base type) | JSON |
//! |---|---|
//! | boolean | true, false |
//! | smallint, integer | number |
//! | bigint | number from −(2^53−1) to 2^53−1, else string: a double cannot hold it |
//! | real, double precision | number, shortest form that reads back exactly; "NaN", "Infinity", "-Infinity" |
//! | numeric | number with at most 15 digits (leading zeros not counted), else string; "NaN", "Infinity", "-Infinity" |
//! | bigint[], numeric[] | list of numbers; all elements strings as soon as one of them has more than 15 digits |
//! | json, jsonb | itself |
//! | bytea | string, base64 without line breaks |
//! | bytea[] | list of such strings; Postgres's hex text when it has several dimensions |
//! | date, timestamp, timestamptz | string, ISO 8601 (Postgres's to_json, whatever DateStyle is) |
//! | time, interval, money, uuid, inet, bit, ranges, geometric types, xml, enums, text | string, Postgres's text form |
//! | other arrays | list, nested for each dimension |
//! | row types | object of its fields, in their own forms as to_json has them |
//! | types of extensions | string, Postgres's text form (vector: `[1,2,3]`), or JSON if the type has a cast to json |
//! | NULL | null |
//!
//! NaN and infinities: to_json puts everything in quotes that is not a JSON number (checked on 18). Inside json, jsonb
//! and row types numbers stay as they are. This module does NOT pin output settings; the guard does.

use crate::table::{Column, oid};

/// What needs more than the column itself.
enum Form {
    Native,
    BigInt,
    Numeric,
    Bytes,
    /// Of bigint or numeric.
    Numbers,
    ByteArray,
}

fn form(column: &Column) -> Form {
    match (column.element_oid, column.base_oid) {
        (oid::INT8 | oid::NUMERIC, _) => Form::Numbers,
        (oid::BYTEA, _) => Form::ByteArray,
        (0, oid::INT8) => Form::BigInt,
        (0, oid::NUMERIC) => Form::Numeric,
        (0, oid::BYTEA) => Form::Bytes,
        _ => Form::Native,
    }
}

/// Appends the JSON form of `expression`, whose type `column` tells. Says whether that is the expression itself.
///
/// `{c}` below is the expression. Operators are qualified, since an exact match in an earlier schema of the search path
/// would win.
pub(crate) fn write(sql: &mut String, column: &Column, expression: &str) -> bool {
    let template = match form(column) {
        Form::Native => {
            sql.push_str(expression);
            return true;
        }
        Form::BigInt => {
            "CASE WHEN {c} OPERATOR(pg_catalog.>=) (-9007199254740991) AND {c} OPERATOR(pg_catalog.<=) 9007199254740991 \
             THEN pg_catalog.to_json({c}) ELSE pg_catalog.to_json({c}::pg_catalog.text) END"
        }
        // Digits counted on the text: no sign, no point, no leading zeros. "NaN" has three, and to_json quotes it.
        Form::Numeric => {
            "CASE WHEN pg_catalog.octet_length(pg_catalog.ltrim(pg_catalog.translate({c}::pg_catalog.text, '-.', ''), \
             '0')) OPERATOR(pg_catalog.<=) 15 THEN pg_catalog.to_json({c}) \
             ELSE pg_catalog.to_json({c}::pg_catalog.text) END"
        }
        Form::Bytes => "pg_catalog.translate(pg_catalog.encode({c}, 'base64'), E'\\n', '')",
        // Sixteen digits in a row, or sixteen digits around a point.
        Form::Numbers => {
            "CASE WHEN {c}::pg_catalog.text OPERATOR(pg_catalog.~) '[0-9]{16}|[0-9.]{17}' \
             THEN pg_catalog.to_json({c}::pg_catalog.text[]) ELSE pg_catalog.to_json({c}) END"
        }
        Form::ByteArray => {
            "CASE WHEN pg_catalog.array_ndims({c}) OPERATOR(pg_catalog.=) 1 THEN pg_catalog.to_json(ARRAY(SELECT \
             pg_catalog.translate(pg_catalog.encode(e.v, 'base64'), E'\\n', '') FROM pg_catalog.unnest({c}) \
             WITH ORDINALITY AS e(v, i) ORDER BY e.i)) ELSE pg_catalog.to_json({c}) END"
        }
    };
    for (index, piece) in template.split("{c}").enumerate() {
        if index > 0 {
            sql.push_str(expression);
        }
        sql.push_str(piece);
    }
    false
}
