//! Made-up writes.

use fluxbase_tests::random::Random;
use serde_json::{Map, Value, json};

use super::make::one_of;
use super::parts::Question;

/// One write for both sides.
pub struct MadeWrite {
    pub method: &'static str,
    /// Path and query for PostgREST, encoded.
    pub target: String,
    /// What follows `Prefer:`, but for `return`.
    pub prefer: &'static [&'static str],
    pub body: Value,
    pub tool: &'static str,
    pub arguments: Map<String, Value>,
}

impl MadeWrite {
    pub fn make(random: &mut Random) -> MadeWrite {
        match random.below(5) {
            0 => by_filter(random, true),
            1 | 2 => by_filter(random, false),
            3 => insert(random),
            _ => upsert(random),
        }
    }

    /// As a part of a `write_batch`.
    pub fn operation(&self) -> Value {
        let mut operation = self.arguments.clone();
        operation.insert("op".to_owned(), json!(self.tool.trim_end_matches("_record")));
        Value::Object(operation)
    }
}

fn by_filter(random: &mut Random, remove: bool) -> MadeWrite {
    let question = Question::of_a_write(random);
    let mut arguments = Map::new();
    arguments.insert("table".to_owned(), json!(question.table.name));
    arguments.insert("filter".to_owned(), question.arguments(random)["filter"].clone());
    let body = if remove {
        Value::Null
    } else {
        let mut changes = row(random, &["note", "tags"], false);
        if random.one_in(4) {
            changes.extend(row(random, &["qty", "kind", "data"], false));
        }
        Value::Object(changes)
    };
    if !remove {
        arguments.insert("data".to_owned(), body.clone());
    }
    MadeWrite {
        method: if remove { "DELETE" } else { "PATCH" },
        target: question.query_of_a_write(),
        prefer: &["count=exact"],
        body,
        tool: if remove { "delete_record" } else { "update_record" },
        arguments,
    }
}

/// A value for a column; some break a rule of the table.
fn value(random: &mut Random, column: &str) -> Value {
    match column {
        "name" => json!(one_of(
            random,
            &["item 1", "item 4", "new a", "new b", "new c", "new d", "new e", "q\"'\\"]
        )),
        "qty" => json!(random.below(12) as i64 * 10 - if random.one_in(8) { 10 } else { 0 }),
        "note" => [Value::Null, json!("note"), json!("")][random.below(3)].clone(),
        "kind" => json!(one_of(random, &["x", "y", "x", "y", "x", "nowhere"])),
        "tags" => [json!([]), json!(["a", "b,c"]), json!(null), json!(["\"", null])][random.below(4)].clone(),
        "data" => [json!({ "k": [1, 2.5, null] }), json!(null), json!([]), json!("text"), json!(7)]
            [random.below(5)]
        .clone(),
        "a" | "b" => json!(1 + random.below(5)),
        "v" => [Value::Null, json!("merged"), json!("new")][random.below(3)].clone(),
        _ => unreachable!("{column}"),
    }
}

/// A row of some of the columns (of all of them, when `whole`), at least one.
fn row(random: &mut Random, columns: &[&str], whole: bool) -> Map<String, Value> {
    let first = random.below(columns.len());
    let mut row = Map::new();
    for (number, column) in columns.iter().enumerate() {
        if whole || number == first || random.one_in(2) {
            row.insert((*column).to_owned(), value(random, column));
        }
    }
    row
}

fn insert(random: &mut Random) -> MadeWrite {
    let columns = ["name", "qty", "note", "kind", "tags", "data"];
    let rows: Vec<Value> =
        (0..1 + random.below(3)).map(|_| Value::Object(row(random, &columns, false))).collect();
    let body = if rows.len() == 1 && random.one_in(2) { rows[0].clone() } else { Value::Array(rows) };
    let arguments = json!({ "table": "w_items", "data": body });
    MadeWrite {
        method: "POST",
        target: format!("w_items?columns={}", columns_of(&body)),
        prefer: &["missing=default"],
        body,
        tool: "insert_record",
        arguments: arguments.as_object().expect("an object").clone(),
    }
}

/// Every column that some row has.
fn columns_of(body: &Value) -> String {
    let rows = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
    let all: std::collections::BTreeSet<String> =
        rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys().cloned()).collect();
    all.into_iter().collect::<Vec<_>>().join(",")
}

fn upsert(random: &mut Random) -> MadeWrite {
    let pairs = random.one_in(2);
    let (table, key, more): (_, &[&str], &[&str]) = if pairs {
        ("w_pairs", &["a", "b"], &["v"])
    } else {
        ("w_items", &["name"], &["qty", "note", "kind"])
    };
    // With merge every row has the same columns.
    let given: Vec<&str> = more.iter().copied().filter(|_| random.one_in(2)).collect();
    let rows: Vec<Value> = (0..1 + random.below(3))
        .map(|_| {
            let mut all = row(random, key, true);
            for column in &given {
                all.insert((*column).to_owned(), value(random, column));
            }
            Value::Object(all)
        })
        .collect();
    let ignore = random.one_in(3);
    let key = key.join(",");
    let mut arguments = json!({ "table": table, "data": rows, "on_conflict": key });
    if ignore {
        arguments["resolution"] = json!("ignore");
    }
    MadeWrite {
        method: "POST",
        target: format!("{table}?on_conflict={key}"),
        prefer: if ignore { &["resolution=ignore-duplicates"] } else { &["resolution=merge-duplicates"] },
        body: Value::Array(rows),
        tool: "insert_record",
        arguments: arguments.as_object().expect("an object").clone(),
    }
}
