//! Finds the one key of a request in its headers.
//!
//! `X-Client-Key` takes client keys, `X-Service-Key` service keys, `Authorization: Bearer` either. A request carries
//! exactly one; two are refused, so that nobody has to know which one wins. An `Authorization` of another scheme beside
//! one of the first two belongs to a proxy and is left alone. No text of a key enters a message.

use fluxbase_credential::{Key, KeyError, Kind};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName};

static CLIENT: HeaderName = HeaderName::from_static("x-client-key");
static SERVICE: HeaderName = HeaderName::from_static("x-service-key");

/// Why there is no usable key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No header has one. Answered 401.
    Missing,
    /// Several have one. Answered 400.
    Several,
    /// This header's value is no key of the kind. Answered 401, and counted as a wrong key.
    Wrong(&'static str, WrongKey),
}

/// What is wrong with the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrongKey {
    Shape(KeyError),
    NotClient,
    NotService,
    NotBearer,
}

/// Reads the headers.
pub(crate) fn find(headers: &HeaderMap) -> Result<Key, Refusal> {
    let client: Vec<_> = headers.get_all(&CLIENT).iter().collect();
    let service: Vec<_> = headers.get_all(&SERVICE).iter().collect();
    let all: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
    let bearer: Vec<_> = all.iter().filter_map(|value| token(value.as_bytes())).collect();
    let parse = |header: &'static str, value: &[u8]| {
        // A value that is no text cannot be a key either: the prefix is missing then.
        let text = std::str::from_utf8(value).unwrap_or_default();
        Key::parse(text.trim()).map_err(|error| Refusal::Wrong(header, WrongKey::Shape(error)))
    };
    match (&client[..], &service[..], &bearer[..]) {
        ([value], [], []) => match parse("X-Client-Key", value.as_bytes())? {
            key if key.kind() == Kind::Client => Ok(key),
            _ => Err(Refusal::Wrong("X-Client-Key", WrongKey::NotClient)),
        },
        ([], [value], []) => match parse("X-Service-Key", value.as_bytes())? {
            key if key.kind() == Kind::Service => Ok(key),
            _ => Err(Refusal::Wrong("X-Service-Key", WrongKey::NotService)),
        },
        ([], [], [value]) => parse("Authorization", value),
        ([], [], []) if all.is_empty() => Err(Refusal::Missing),
        ([], [], []) => Err(Refusal::Wrong("Authorization", WrongKey::NotBearer)),
        _ => Err(Refusal::Several),
    }
}

fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
}

impl Refusal {
    /// What the client is told.
    pub(crate) fn message(&self) -> String {
        match self {
            Refusal::Missing => "This server needs a key. Set the header X-Client-Key: fbk_… (or Authorization: Bearer \
                                 fbk_…; for service keys X-Service-Key: fbs_…). A key is made with: fluxbase clientkeys \
                                 create --name NAME --scopes SCOPES. Nothing was done."
                .to_owned(),
            Refusal::Several => "The request carries more than one key. Send exactly one of X-Client-Key, X-Service-Key \
                                 and Authorization: Bearer, and send it once. Nothing was done."
                .to_owned(),
            Refusal::Wrong(header, wrong) => {
                let what = match wrong {
                    WrongKey::Shape(error) => format!("is not usable: {error}"),
                    WrongKey::NotClient => {
                        "is a service key. Send it as X-Service-Key, or use a client key (fbk_…)".to_owned()
                    }
                    WrongKey::NotService => {
                        "is a client key. Send it as X-Client-Key, or use a service key (fbs_…)".to_owned()
                    }
                    WrongKey::NotBearer => "is not of the form Bearer KEY".to_owned(),
                };
                format!("The key in the header {header} {what}. Nothing was done.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    fn keys() -> (String, String) {
        let make = |kind| Key::generate(kind).unwrap().reveal();
        (make(Kind::Client), make(Kind::Service))
    }

    #[test]
    fn each_header_takes_its_kind_and_bearer_takes_both() {
        let (client, service) = keys();
        let bearer = |key: &str| format!("Bearer {key}");
        for list in [
            vec![("x-client-key", client.as_str())],
            vec![("x-service-key", service.as_str())],
            vec![("authorization", &bearer(&client))],
            vec![("authorization", &format!("bEARER  {service}"))],
            vec![("authorization", "Basic abc"), ("x-client-key", &client)],
        ] {
            assert!(find(&headers(&list)).is_ok(), "{list:?}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let (client, service) = keys();
        let bearer = format!("Bearer {client}");
        let wrong = |header, what| Refusal::Wrong(header, what);
        for (list, refusal) in [
            (vec![], Refusal::Missing),
            (vec![("x-client-key", service.as_str())], wrong("X-Client-Key", WrongKey::NotClient)),
            (vec![("x-service-key", client.as_str())], wrong("X-Service-Key", WrongKey::NotService)),
            (vec![("authorization", "Basic abc")], wrong("Authorization", WrongKey::NotBearer)),
            (vec![("authorization", client.as_str())], wrong("Authorization", WrongKey::NotBearer)),
            (
                vec![("x-client-key", "your-client-key")],
                wrong("X-Client-Key", WrongKey::Shape(KeyError::Prefix)),
            ),
            (vec![("x-client-key", &client[..71])], wrong("X-Client-Key", WrongKey::Shape(KeyError::Shape))),
            (vec![("x-client-key", ""), ("x-client-key", &client)], Refusal::Several),
            (vec![("x-client-key", &client), ("x-client-key", &client)], Refusal::Several),
            (vec![("x-client-key", &client), ("x-service-key", &service)], Refusal::Several),
            (vec![("x-client-key", &client), ("authorization", &bearer)], Refusal::Several),
        ] {
            assert_eq!(find(&headers(&list)).unwrap_err(), refusal, "{list:?}");
        }
    }

    #[test]
    fn no_message_holds_a_key() {
        let (client, _) = keys();
        let cut = &client[..60];
        let refusal = find(&headers(&[("x-client-key", cut)])).unwrap_err();
        assert!(!refusal.message().contains(&cut[5..20]), "{}", refusal.message());
        assert!(refusal.message().contains("X-Client-Key"));
    }
}
