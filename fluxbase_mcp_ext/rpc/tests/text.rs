//! Parameters and annotations, by example.

use fluxbase_rpc::{annotations, parameters};

#[track_caller]
fn becomes(text: &str, sql: &str, names: &[&str]) {
    let found = parameters(text).unwrap();
    assert_eq!(
        (found.sql.as_str(), found.names.iter().map(String::as_str).collect::<Vec<_>>()),
        (sql, names.to_vec())
    );
}

#[test]
fn parameters_are_numbered_by_name() {
    becomes("SELECT $a, $b::int, $a", "SELECT $1, $2::int, $1", &["a", "b"]);
    becomes(
        "SELECT x[$i] FROM t WHERE a=$_b1+$größe",
        "SELECT x[$1] FROM t WHERE a=$2+$3",
        &["i", "_b1", "größe"],
    );
    becomes("SELECT 1$a", "SELECT 1 $1", &["a"]);
    becomes("SELECT a$b, $c", "SELECT a$b, $1", &["c"]);
}

#[test]
fn what_is_quoted_is_none() {
    for text in [
        "SELECT '$a', 'it''s $a', '\\', \"$a\", \"x\"\"$a\"",
        "SELECT 1 -- $a 'x\n",
        "/* $a /* $b */ $c ' */ SELECT 1",
        "SELECT $$ $a ' $$, $q$ $a $$ $b $q$, $é$ $a $é$",
        "SELECT E'\\' $a', e'\\\\', E'a'\n 'b\\' $a', E'a' -- c\n'\\' $a'",
        "SELECT U&'\\0041 $a', n'$a', b'1', U&\"$a\"",
        "SELECT a -- x\r-- $a",
    ] {
        becomes(text, text, &[]);
    }
    // A backslash escapes only where the string says so, and a name that ends in e says nothing.
    becomes("SELECT '\\', $a", "SELECT '\\', $1", &["a"]);
    becomes("SELECT type'\\', $a", "SELECT type'\\', $1", &["a"]);
    becomes("SELECT E'a' '\\', $a", "SELECT E'a' '\\', $1", &["a"]);
    becomes("SELECT $a-- $b\n,$c/* $d */", "SELECT $1-- $b\n,$2/* $d */", &["a", "c"]);
}

#[test]
fn what_has_no_end_is_refused() {
    for text in
        ["SELECT '", "SELECT E'\\'", "SELECT \"a", "SELECT $a$ x", "/* /* */", "SELECT $$", "SELECT E'\\"]
    {
        assert!(parameters(text).unwrap_err().contains("no end"), "{text}");
    }
    assert!(parameters("SELECT $1").unwrap_err().contains("$user_id"));
}

#[test]
fn annotations_are_read_from_leading_comments_only() {
    let text = "-- @fluxbase:name sales\n/* @fluxbase:description Of a month\n * @fluxbase:input {\"month\": \"date\",\n *   \"region?\": \"text\"}\n */\n-- @fluxbase:allowed-tables sales, app.regions\n-- @fluxbase:max-execution-time 2m\n-- @fluxbase:require-role a\n-- @fluxbase:require-role b\n-- @fluxbase:public\nSELECT 1 -- @fluxbase:name other\n";
    let found = annotations(text).unwrap();
    assert_eq!(found.name.as_deref(), Some("sales"));
    assert_eq!(found.description.as_deref(), Some("Of a month"));
    let input = found.input.unwrap();
    assert_eq!(
        (input[0].name.as_str(), input[0].of_type.as_str(), input[0].optional),
        ("month", "date", false)
    );
    assert_eq!(
        (input[1].name.as_str(), input[1].of_type.as_str(), input[1].optional),
        ("region", "text", true)
    );
    assert_eq!(found.allowed_tables.unwrap(), ["sales", "app.regions"]);
    assert_eq!(found.max_execution_time, Some(120));
    assert_eq!(found.require_roles.unwrap(), ["a", "b"]);
    assert_eq!(found.public, Some(true));
    assert!(text[found.statement..].starts_with("SELECT 1"));
    assert_eq!(
        annotations("-- @fluxbase:output a: int, b?: text\nSELECT 1").unwrap().output.unwrap().len(),
        2
    );
}

#[test]
fn wrong_annotations_say_what_to_write() {
    for (text, says) in [
        ("-- @fluxbase:nmae x", "known are name"),
        ("-- @fluxbase:name\u{2} x", "name\\u{2} is not"),
        ("-- @fluxbase:name a b", "one word"),
        ("-- @fluxbase:name a\n-- @fluxbase:name b", "twice"),
        ("-- @fluxbase:public maybe", "true or false"),
        ("-- @fluxbase:version x", "whole number"),
        ("-- @fluxbase:max-execution-time 2h", "seconds"),
        ("-- @fluxbase:max-execution-time 0", "seconds"),
        ("-- @fluxbase:input {\"a\": 1}", "fields and types"),
        ("-- @fluxbase:input {\"a\": \"int\"", "fields and types"),
        ("-- @fluxbase:input a int", "fields and types"),
        ("/* @fluxbase:name a", "no end"),
    ] {
        let error = annotations(&format!("{text}\nSELECT 1")).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}
