//! Texts put together of pieces whose meaning is known.

use fluxbase_rpc::{annotations, parameters};
use proptest::prelude::*;

/// A piece of a statement, and the parameter that it is, if it is one.
fn piece() -> impl Strategy<Value = (String, Option<String>)> {
    let inside = "[a-z$ \n]{0,12}";
    prop_oneof![
        "[a-z_][a-z0-9_]{0,6}".prop_map(|name| (format!("${name}"), Some(name))),
        inside.prop_map(|text| (format!("'{text}'"), None)),
        inside.prop_map(|text| (format!("E'\\'{text}\\\\'"), None)),
        inside.prop_map(|text| (format!("\"{text}\""), None)),
        inside.prop_map(|text| (format!("/* {text} /* {text} */ */"), None)),
        "[a-z$ ']{0,12}".prop_map(|text| (format!("-- {text}\n"), None)),
        "[a-z' \n]{0,12}".prop_map(|text| (format!("$q${text}$q$"), None)),
        Just(("SELECT a$b".to_owned(), None)),
        Just((", ( ) + :: 12.5 [".to_owned(), None)),
    ]
}

proptest! {
    #[test]
    fn parameters_are_found_where_they_are(pieces in proptest::collection::vec(piece(), 0..12)) {
        // A new line and a word between the pieces, so that none of them runs into the next.
        let text = pieces.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join("\n, ");
        let mut names: Vec<String> = Vec::new();
        let mut expected = Vec::new();
        for (text, parameter) in &pieces {
            match parameter {
                Some(name) => {
                    let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
                        names.push(name.clone());
                        names.len() - 1
                    });
                    expected.push(format!("${}", at + 1));
                }
                None => expected.push(text.clone()),
            }
        }
        let found = parameters(&text).unwrap();
        prop_assert_eq!(found.sql, expected.join("\n, "));
        prop_assert_eq!(found.names, names);
    }

    #[test]
    fn any_text_gets_an_answer(text in "[$'\"/*a-eE0-9\\\\\n -]{0,60}") {
        if let Ok(found) = parameters(&text)
            && found.names.is_empty()
        {
            prop_assert_eq!(found.sql, text.clone());
        }
        if let Ok(found) = annotations(&text) {
            prop_assert!(text.is_char_boundary(found.statement));
        }
    }
}
