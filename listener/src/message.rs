//! The members of a message that the listener reads: its id, to echo it in a refusal, its method, for the lane and the log, which call a
//! cancellation names, and, only where `/metrics` is on, the name of the tool. Nothing here judges a message: `mcp._serve` does, and gets the text
//! as it came.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::pool::Lane;

/// Methods that may stand in a log. Anything else is logged as `other`, since a client could put anything there.
const KNOWN: [&str; 23] = [
    "initialize",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "subscriptions/listen",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
];

/// What a message says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peek {
    /// The id as JSON text, if it is a string or an integer; else `null`.
    pub(crate) id: String,
    /// The method, if it is one of [`KNOWN`].
    pub(crate) method: Option<&'static str>,
    /// The request that `notifications/cancelled` names, as [`plain`] writes its id.
    pub(crate) cancels: Option<String>,
}

/// The name of the tool that a `tools/call` names, for `/metrics`: reads no further than to the name, which clients write first.
/// Nothing when the message has none, or names it in a way that is not the usual one.
pub(crate) fn tool(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Called<'a> {
        #[serde(borrow)]
        params: &'a RawValue,
    }
    struct Name<'n>(&'n mut Option<String>);
    impl<'de> Visitor<'de> for Name<'_> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<std::borrow::Cow<str>>()? {
                if key == "name" {
                    *self.0 = map.next_value::<Option<String>>()?;
                    return Ok(());
                }
                map.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let called = serde_json::from_str::<Called>(text).ok()?;
    let mut name = None;
    // That the rest was not read is an error to serde, and none to us.
    let _ = serde_json::Deserializer::from_str(called.params.get()).deserialize_map(Name(&mut name));
    name
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Cancellation<'a> {
    #[serde(borrow)]
    params: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'a> {
    #[serde(borrow)]
    request_id: &'a RawValue,
}

impl Peek {
    /// Reads `text`, which may be anything.
    pub(crate) fn at(text: &str) -> Peek {
        // An array serde would take for the members in their order.
        let object = text.trim_start().starts_with('{');
        let Some(envelope) = object.then(|| serde_json::from_str::<Envelope>(text).ok()).flatten() else {
            return Peek::nothing();
        };
        let known = |name: &str| KNOWN.into_iter().find(|known| *known == name);
        let method = envelope.method.map(RawValue::get).and_then(|raw| match raw.contains('\\') {
            true => known(&serde_json::from_str::<String>(raw).ok()?),
            false => known(raw.strip_prefix('"')?.strip_suffix('"')?),
        });
        let id = envelope.id.map(RawValue::get).filter(|raw| is_id(raw)).unwrap_or("null").to_owned();
        let cancels = (method == Some("notifications/cancelled") && envelope.id.is_none())
            .then(|| cancelled(text))
            .flatten();
        Peek { id, method, cancels }
    }

    /// For a message that could not be read.
    pub(crate) fn nothing() -> Peek {
        Peek { id: "null".to_owned(), method: None, cancels: None }
    }

    /// Tool calls, and what is not known, may be slow.
    pub(crate) fn lane(&self) -> Lane {
        match self.method {
            None | Some("tools/call") => Lane::General,
            Some(_) => Lane::Short,
        }
    }

    /// Whether something may be told before the answer. What the client wants to be told Postgres reads.
    pub(crate) fn may_tell(&self) -> bool {
        self.method == Some("tools/call")
    }

    /// Whether the answer is a stream of what changes.
    pub(crate) fn listens(&self) -> bool {
        self.method == Some("subscriptions/listen")
    }

    /// Whether the message changes nothing, so that it may be sent again when its outcome is not known.
    pub(crate) fn repeatable(&self) -> bool {
        self.lane() == Lane::Short
    }

    /// The word for the log.
    pub(crate) fn label(&self) -> &'static str {
        self.method.unwrap_or("other")
    }
}

fn cancelled(text: &str) -> Option<String> {
    let params = serde_json::from_str::<Cancellation>(text).ok()?.params.get();
    // An array serde would take for the members in their order.
    let named = params.starts_with('{').then(|| serde_json::from_str::<Cancelled>(params).ok()).flatten()?;
    plain(named.request_id.get())
}

/// An id as JSON with no choice left of how to write it: `"a"` may have come as `"\u0061"`. `None` for what is no id.
pub(crate) fn plain(id: &str) -> Option<String> {
    match id {
        text if text.starts_with('"') => {
            serde_json::from_str::<String>(text).ok().map(|text| serde_json::Value::from(text).to_string())
        }
        number => is_id(number).then(|| number.to_owned()),
    }
}

fn is_id(raw: &str) -> bool {
    raw.starts_with('"') || raw.strip_prefix('-').unwrap_or(raw).bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_echoed_as_they_came() {
        for (text, id) in [
            (r#"{"id":1,"method":"ping"}"#, "1"),
            (r#"{"id":18446744073709551616}"#, "18446744073709551616"),
            (r#"{"id":-7}"#, "-7"),
            (r#"{"id":""}"#, "\"\""),
            (r#"{"id":"a\"b"}"#, r#""a\"b""#),
            (r#"{"id":null}"#, "null"),
            (r#"{"id":1.5}"#, "null"),
            (r#"{"id":true}"#, "null"),
            (r#"{"id":{}}"#, "null"),
            (r#"{"id":1,"id":2}"#, "null"),
            (r#"[{"id":1}]"#, "null"),
            (r#"[1,"ping"]"#, "null"),
            ("", "null"),
            ("{", "null"),
        ] {
            assert_eq!(Peek::at(text).id, id, "{text}");
        }
    }

    #[test]
    fn only_known_methods_are_quick_and_logged() {
        for (text, label, lane) in [
            (r#"{"method":"tools/list"}"#, "tools/list", Lane::Short),
            (r#"{"method":"tools\/list"}"#, "tools/list", Lane::Short),
            (r#"{"method":"tools/call","params":{"name":"x"}}"#, "tools/call", Lane::General),
            (r#"{"method":"fbk_secret"}"#, "other", Lane::General),
            (r#"{"method":5,"id":1}"#, "other", Lane::General),
            ("nonsense", "other", Lane::General),
        ] {
            let peek = Peek::at(text);
            assert_eq!((peek.label(), peek.lane()), (label, lane), "{text}");
            assert_eq!(peek.repeatable(), lane == Lane::Short);
        }
    }

    #[test]
    fn a_cancellation_names_its_request() {
        for (params, cancels) in [
            (r#"{"requestId":7,"reason":"late"}"#, Some("7")),
            (r#"{"requestId":"a\"b"}"#, Some(r#""a\"b""#)),
            (r#"{"requestId":null}"#, None),
            (r#"{"requestId":{}}"#, None),
            (r#"{"requestId":"\u0061"}"#, Some(r#""a""#)),
            ("{}", None),
            ("[7]", None),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#);
            assert_eq!(Peek::at(&text).cancels.as_deref(), cancels, "{params}");
        }
        for other in [
            r#"{"method":"ping","params":{"requestId":7}}"#,
            r#"{"id":1,"method":"notifications/cancelled","params":{"requestId":7}}"#,
        ] {
            assert_eq!(Peek::at(other).cancels, None, "{other}");
        }
    }

    #[test]
    fn the_tool_is_found_wherever_it_stands() {
        for (text, name) in [
            (r#"{"method":"tools/call","params":{"name":"a","arguments":{"name":"b"}}}"#, Some("a")),
            (r#"{"params":{"arguments":{"name":"b"},"_meta":{},"n\u0061me":"a\n"},"id":1}"#, Some("a\n")),
            (r#"{"params":{"arguments":{"name":"b"}}}"#, None),
            (r#"{"params":{"name":5}}"#, None),
            (r#"{"params":{"name":null}}"#, None),
            (r#"{"params":[1]}"#, None),
            (r#"{"id":1}"#, None),
            ("nonsense", None),
        ] {
            assert_eq!(tool(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn deep_nesting_does_no_harm() {
        let text = format!(r#"{{"id":1,"method":"ping","params":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        assert_eq!(Peek::at(&text), Peek { id: "1".to_owned(), method: Some("ping"), cancels: None });
    }
}
