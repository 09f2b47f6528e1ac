//! Values: what the input function of a type reads, and what it does not.

use fluxbase_query::Column;
use serde_json::{Value, json};

use super::{Generator, ODD_TEXTS};

/// Texts that the input functions of the types of the fixture read.
fn samples(base: &str) -> &'static [&'static str] {
    match base {
        "boolean" => &["true", "false"],
        "smallint" | "integer" | "oid" => &["1", "0", "-7", "300"],
        "bigint" => &["1", "9007199254740993", "-1"],
        "real" | "double precision" => &["1.5", "-0", "NaN", "Infinity", "1e30"],
        "numeric" | "money" => &["1.25", "0", "99999999.99", "-3"],
        "\"char\"" => &["c", "x"],
        "character" | "character varying" | "text" | "name" | "ext.citext" => {
            &["a", "person 1", "Book 2", "%o%", "x y", ""]
        }
        "uuid" => &["00000000-0000-4000-8000-000000000001", "ffffffffffffffffffffffffffffffff"],
        "bytea" => &["AP8=", "\\x00ff", ""],
        "date" => &["2020-01-02", "infinity", "1999-12-31"],
        "time without time zone" => &["10:00", "23:59:59.5"],
        "time with time zone" => &["10:00+02", "23:59:59-08"],
        "timestamp without time zone" | "timestamp with time zone" => {
            &["2020-01-01T10:00:00", "2026-11-22 10:00:00+00", "-infinity"]
        }
        "interval" => &["1 day", "P1Y2M", "-3 hours"],
        "json" | "jsonb" => &["{\"a\":1}", "[1,\"x\",null]", "\"text\"", "5", "true"],
        "xml" => &["<a/>"],
        "tsvector" => &["cat:1 dog", "'a b'"],
        "tsquery" => &["cat & dog", "!x"],
        "pg_lsn" => &["0/1"],
        "regclass" => &["pg_class", "fuzz.people"],
        "pg_snapshot" => &["1:1:"],
        "bit" => &["101"],
        "bit varying" => &["1", "10101"],
        "inet" => &["10.0.0.1", "::1/64"],
        "cidr" => &["10.0.0.0/8"],
        "macaddr" => &["08:00:2b:01:02:03"],
        "point" => &["(1,2)"],
        "line" => &["{1,2,3}"],
        "lseg" => &["[(0,0),(1,1)]"],
        "box" => &["(1,1),(0,0)"],
        "path" => &["[(0,0),(1,1)]", "((0,0),(1,1))"],
        "polygon" => &["((0,0),(1,1),(1,0))"],
        "circle" => &["<(0,0),1>"],
        "fuzz.mood" => &["sad", "ok", "happy"],
        "fuzz.place" => &["(street,1,\"(0,0)\")", "(,,)"],
        "ext.hstore" => &["a=>1", "\"b\"=>NULL"],
        "ext.ltree" => &["top.a", "x"],
        "ext.vector" => &["[1,2,3]", "[0,0,1]"],
        "int4range" => &["[1,5)", "empty", "(,3]"],
        "numrange" | "fuzz.floatrange" => &["[1.5,2)", "empty"],
        "tstzrange" | "daterange" => &["[2020-01-01,2021-01-01)", "(,)"],
        "int4multirange" => &["{[1,3),[5,7)}", "{}"],
        "int2vector" => &["1 2 3"],
        _ => &["1"],
    }
}

impl Generator<'_> {
    /// The text of a value of the column's type.
    pub(super) fn text_of(&mut self, column: &Column) -> String {
        if self.odd() {
            return self.random.pick(&ODD_TEXTS).to_string();
        }
        match column.base_sql.strip_suffix("[]") {
            Some(element) => {
                let items: Vec<String> = (0..self.random.below(3))
                    .map(|_| self.random.pick(samples(element)).replace('\\', "\\\\").replace('"', "\\\""))
                    .map(|item| format!("\"{item}\""))
                    .collect();
                format!("{{{}}}", items.join(if element == "box" { ";" } else { "," }))
            }
            None => self.random.pick(samples(&column.base_sql)).to_string(),
        }
    }

    /// A JSON value that fits the column.
    pub(super) fn value(&mut self, column: &Column) -> Value {
        if self.odd() {
            return self.nonsense(2);
        }
        if let Some(element) = column.base_sql.strip_suffix("[]") {
            if self.random.one_in(5) {
                return json!(self.text_of(column));
            }
            let list = |random: &mut crate::random::Random| {
                let length = random.below(3);
                Value::Array(
                    (0..length)
                        .map(|_| {
                            if random.one_in(8) {
                                Value::Null
                            } else {
                                one(element, random.word(samples(element)))
                            }
                        })
                        .collect(),
                )
            };
            let inner = list(&mut self.random);
            return if self.random.one_in(8) { json!([inner, list(&mut self.random)]) } else { inner };
        }
        if column.is_composite && self.random.one_in(2) {
            return json!({ "street": "s", "number": self.random.below(9) });
        }
        if column.base_sql == "ext.vector" && self.random.one_in(2) {
            return json!([1, 2, 3.5]);
        }
        let sample = *self.random.pick(samples(&column.base_sql));
        one(&column.base_sql, sample)
    }

    /// Anything.
    pub(super) fn nonsense(&mut self, depth: usize) -> Value {
        match self.random.below(if depth == 0 { 8 } else { 10 }) {
            0 => Value::Null,
            1 => json!(self.random.one_in(2)),
            2 => json!(self.random.number() as i64),
            3 => json!(self.random.below(1000) as f64 / 7.0),
            4 | 5 => json!(self.random.word(&ODD_TEXTS)),
            6 => json!("x".repeat(self.random.below(300))),
            7 => json!(format!(
                "{}.{}",
                self.random.pick(&super::filter::OPERATORS),
                self.random.pick(&ODD_TEXTS)
            )),
            8 => Value::Array((0..self.random.below(4)).map(|_| self.nonsense(depth - 1)).collect()),
            _ => {
                let members = (0..self.random.below(4)).map(|_| {
                    let key = match self.random.below(3) {
                        0 => self.random.pick(&super::filter::OPERATORS).to_string(),
                        1 => self.random.pick(&super::ODD_NAMES).to_string(),
                        _ => "id".to_owned(),
                    };
                    (key, self.nonsense(depth - 1))
                });
                Value::Object(members.collect())
            }
        }
    }
}

/// A sample as JSON: numbers, booleans and JSON are themselves, all else is a string.
fn one(base: &str, sample: &str) -> Value {
    let itself = matches!(
        base,
        "boolean"
            | "smallint"
            | "integer"
            | "bigint"
            | "real"
            | "double precision"
            | "numeric"
            | "json"
            | "jsonb"
    );
    match serde_json::from_str(sample) {
        Ok(value) if itself => value,
        _ => json!(sample),
    }
}
