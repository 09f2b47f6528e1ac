//! What a call is about: names, and never a value.

use fluxbase_record::object::named;
use proptest::prelude::*;

fn of(arguments: &str) -> String {
    let mut out = String::new();
    named(arguments, &mut out);
    out
}

#[test]
fn names_are_found_wherever_they_stand() {
    assert_eq!(of(r#"{"table":"public.notes","filter":{"table":"eq.secret"}}"#), "public.notes");
    assert_eq!(of(r#"{ "key" : "a/b.txt" , "content":"secret", "bucket":"files" }"#), "files/a/b.txt");
    assert_eq!(of(r#"{"name":"f","namespace":"n","body":{"name":"secret"}}"#), "n/f");
    assert_eq!(of(r#"{"filter":{"a":["}",{"x":"]"}]},"table":"t"}"#), "t");
    assert_eq!(of(r#"{"data":"\"table\":\"x\"","table":"t"}"#), "t");
}

#[test]
fn what_is_no_name_is_passed_over() {
    for arguments in [
        "",
        "null",
        "[]",
        r#"{"table":5}"#,
        r#"{"table":{"name":"x"}}"#,
        r#"{"secret":"x"}"#,
        r#"{"table""#,
        r#"{"table":"#,
    ] {
        assert_eq!(of(arguments), "", "{arguments}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_harm(text in ".{0,80}") {
        let _ = of(&text);
        let _ = of(&format!(r#"{{"table":{text}"#));
        let _ = of(&format!("{{\"{text}"));
    }
}
