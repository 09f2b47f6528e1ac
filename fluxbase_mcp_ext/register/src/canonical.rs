//! One text for all JSON texts that say the same.
//!
//! Members stand in the order of their names, without white space; numbers and the values of a name that is there twice stay as they
//! were written. It does not check: what is no JSON stays as it is.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The canonical form of JSON text.
pub fn text(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    push(&mut out, json.trim_ascii());
    out
}

fn push(out: &mut String, json: &str) {
    match json.as_bytes().first() {
        Some(b'{') => {
            let Ok(Members(mut members)) = serde_json::from_str(json) else { return out.push_str(json) };
            // Stable: those of one name stay in their order.
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            push_list(out, ['{', '}'], &members, |out, (name, value)| {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                push(out, value.get());
            });
        }
        Some(b'[') => {
            let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else { return out.push_str(json) };
            push_list(out, ['[', ']'], &items, |out, item| push(out, item.get()));
        }
        // Escapes may be written in several ways.
        Some(b'"') => match serde_json::from_str::<String>(json) {
            Ok(text) => out.push_str(&Value::from(text).to_string()),
            Err(_) => out.push_str(json),
        },
        _ => out.push_str(json),
    }
}

fn push_list<T>(out: &mut String, [open, close]: [char; 2], items: &[T], push: impl Fn(&mut String, &T)) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, item);
    }
    out.push(close);
}

/// The members of an object as they stand, those of one name included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_says_the_same_is_the_same() {
        assert_eq!(
            text(" { \"b\" : [ 1 , {\"d\":null, \"c\":\"\\u0041\"} ],\n\"a\":true } "),
            r#"{"a":true,"b":[1,{"c":"A","d":null}]}"#
        );
        assert_eq!(text("{}"), "{}");
        assert_eq!(text("[ ]"), "[]");
    }

    #[test]
    fn what_differs_stays_different() {
        for (one, other) in [
            ("123456789012345678901", "123456789012345678902"),
            ("0.1", "0.10000000000000000001"),
            ("1e400", "1e401"),
            (r#"{"a":9,"a":2}"#, r#"{"a":1,"a":2}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
            (r#"{"a":"1"}"#, r#"{"a":1}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{},"b":1}"#),
            (r#"["a,b"]"#, r#"["a","b"]"#),
            (r#""\ud800""#, r#""\ud801""#),
        ] {
            assert_ne!(text(one), text(other), "{one} {other}");
        }
    }
}
