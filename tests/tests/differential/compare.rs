//! When two answers are equal.

use serde_json::{Map, Value};

/// Whose order counts.
#[derive(Debug, Clone, Default)]
pub struct Ordered {
    /// That of the rows.
    pub rows: bool,
    /// That of these embedded rows, named as in `embed`, without quotes.
    pub embedded: Vec<String>,
}

/// The rows in a form in which equal answers are the same: numbers by value, rows sorted where their order does not count.
pub fn normal(rows: &[Value], ordered: &Ordered) -> Vec<Value> {
    let mut rows: Vec<Value> = rows.iter().map(|row| value(row, "", ordered)).collect();
    if !ordered.rows {
        sort(&mut rows);
    }
    rows
}

fn sort(rows: &mut [Value]) {
    rows.sort_by_cached_key(Value::to_string);
}

/// Numbers become `#…` texts. So do long texts of digits: a number that a double cannot hold is a text on our side and a number on
/// PostgREST's. Lists of objects are embedded rows.
fn value(of: &Value, path: &str, ordered: &Ordered) -> Value {
    match of {
        Value::Number(number) => Value::String(match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => format!("#{whole}"),
            (None, Some(float)) => of_float(float),
            (None, None) => format!("#{number}"),
        }),
        Value::String(text) if text.bytes().filter(u8::is_ascii_digit).count() > 15 => {
            match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(whole), _) => Value::String(format!("#{whole}")),
                (_, Ok(float)) => Value::String(of_float(float)),
                _ => of.clone(),
            }
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| value(item, path, ordered)).collect();
            if !ordered.embedded.iter().any(|name| name == path) && items.iter().all(Value::is_object) {
                sort(&mut items);
            }
            Value::Array(items)
        }
        Value::Object(members) => {
            let below = |name: &String| if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let members =
                members.iter().map(|(name, item)| (name.clone(), value(item, &below(name), ordered)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Thirteen digits: the parser of JSON rounds the last ones as it likes.
fn of_float(float: f64) -> String {
    if float.fract() == 0.0 && float.abs() < 9e15 {
        format!("#{}", float as i64)
    } else {
        format!("#{float:.12e}")
    }
}
