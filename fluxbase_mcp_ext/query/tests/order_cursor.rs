//! Paging by key: the total order, the condition after a row, and cursors as something that anybody may have written.

mod support;

use fluxbase_query::{Arguments, Bounds, Catalog, Keyset, NoRelations, QueryError, Select, Table};
use proptest::prelude::*;
use support::relations::library;
use support::*;

/// `json` with one more member.
fn with(json: &str, member: &str, value: &str) -> String {
    let open = json.strip_suffix('}').unwrap();
    let comma = if open == "{" { "" } else { "," };
    format!("{open}{comma}\"{member}\":{value}}}")
}

fn read(json: &str, table: &Table) -> Result<Select, QueryError> {
    select(json, table)
}

/// A cursor of the call, after a row with these sort keys, in the call.
fn after(json: &str, table: &Table, last: &[Option<&str>]) -> Select {
    let keyset = read(json, table).unwrap().keyset.expect("no keyset");
    let last: Vec<Option<String>> = last.iter().map(|text| text.map(str::to_owned)).collect();
    let cursor = serde_json::to_string(&keyset.cursor(&last)).unwrap();
    read(&with(json, "cursor", &cursor), table).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn three() -> Table {
    let nn = |column: fluxbase_query::Column| fluxbase_query::Column { not_null: true, ..column };
    Table {
        oid: 16600,
        schema: "public".to_owned(),
        name: "x".to_owned(),
        kind: 'r',
        columns: vec![
            nn(column("id", INT4, "integer", 'N', 1007)),
            nn(column("a", INT4, "integer", 'N', 1007)),
            column("n", INT4, "integer", 'N', 1007),
            fluxbase_query::Column {
                base_schema: "ext".to_owned(),
                ..nn(column("nick", CITEXT, "ext.citext", 'S', 20021))
            },
            fluxbase_query::Column {
                is_composite: true,
                ..column("place", PLACE, "public.place", 'C', 20011)
            },
            column("raw", JSON, "json", 'U', 199),
        ],
        key: vec!["id".to_owned()],
        ..Table::default()
    }
}

#[test]
fn the_key_completes_the_order() {
    let order = |json: &str| {
        let read = read(json, &three()).unwrap();
        let sql = read.statement.sql;
        let end = sql.find(" LIMIT ").unwrap();
        (sql[sql.find(" ORDER BY ").map_or(end, |n| n + 10)..end].to_owned(), read.keyset.is_some())
    };
    assert_eq!(order(r#"{"order":"a"}"#), (r#"t."a", t."id""#.to_owned(), true));
    assert_eq!(order(r#"{"order":"a,id.desc"}"#), (r#"t."a", t."id" DESC"#.to_owned(), true));
    assert_eq!(order(r#"{"order":"id"}"#), (r#"t."id""#.to_owned(), true));
    assert_eq!(order("{}"), (String::new(), false));
    assert_eq!(order(r#"{"order":" "}"#), (String::new(), false));
    // Without a key that may be read there is no cursor, and the order is as it was asked.
    let mut table = three();
    table.columns[0].select = false;
    let read = read(r#"{"select":"a","order":"a"}"#, &table).unwrap();
    assert!(read.keyset.is_none() && read.statement.sql.contains(r#" ORDER BY t."a" LIMIT"#));
}

#[test]
fn a_paged_statement_has_its_sort_keys_behind_the_record() {
    let sql = read(r#"{"select":"n","order":"a.desc,n"}"#, &three()).unwrap().statement.sql;
    assert_eq!(
        sql,
        r#"SELECT (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."n") AS _r), t."a", t."n", t."id" FROM "public"."x" AS t ORDER BY t."a" DESC, t."n", t."id" LIMIT 101"#
    );
}

/// Order, last row ▶ the condition.
#[test]
fn conditions_after_a_row() {
    let (id, a, n) = (r#"t."id""#, r#"t."a""#, r#"t."n""#);
    let (eq, gt, lt) = ("OPERATOR(pg_catalog.=)", "OPERATOR(pg_catalog.>)", "OPERATOR(pg_catalog.<)");
    type Case<'a> = (&'a str, &'a [Option<&'a str>], String);
    let cases: &[Case<'_>] = &[
        ("id", &[Some("1")], format!("({id}) {gt} ($1)")),
        ("id.desc", &[Some("1")], format!("({id}) {lt} ($1)")),
        ("a", &[Some("1"), Some("2")], format!("({a}, {id}) {gt} ($1, $2)")),
        ("a.desc,id.desc", &[Some("1"), Some("2")], format!("({a}, {id}) {lt} ($1, $2)")),
        ("a.desc", &[Some("1"), Some("2")], format!("({a} {lt} $1 OR ({a} {eq} $2 AND ({id} {gt} $3)))")),
        (
            "n",
            &[Some("1"), Some("2")],
            format!("({n} {gt} $1 OR {n} IS NULL OR ({n} {eq} $2 AND ({id} {gt} $3)))"),
        ),
        ("n", &[None, Some("2")], format!("(({n} IS NULL AND ({id} {gt} $1)))")),
        (
            "n.nullsfirst",
            &[Some("1"), Some("2")],
            format!("({n} {gt} $1 OR ({n} {eq} $2 AND ({id} {gt} $3)))"),
        ),
        (
            "n.nullsfirst",
            &[None, Some("2")],
            format!("({n} IS NOT NULL OR ({n} IS NULL AND ({id} {gt} $1)))"),
        ),
        ("n.desc", &[None, Some("2")], format!("({n} IS NOT NULL OR ({n} IS NULL AND ({id} {gt} $1)))")),
        ("n.desc", &[Some("1"), Some("2")], format!("({n} {lt} $1 OR ({n} {eq} $2 AND ({id} {gt} $3)))")),
        (
            "n.desc.nullslast",
            &[Some("1"), Some("2")],
            format!("({n} {lt} $1 OR {n} IS NULL OR ({n} {eq} $2 AND ({id} {gt} $3)))"),
        ),
        (
            "nick",
            &[Some("x"), Some("2")],
            format!(
                "(t.\"nick\" OPERATOR(\"ext\".>) $1 OR (t.\"nick\" OPERATOR(\"ext\".=) $2 AND ({id} {gt} $3)))"
            ),
        ),
        // A row of nulls is no null.
        (
            "place",
            &[None, Some("2")],
            format!("((t.\"place\" IS NOT DISTINCT FROM NULL AND ({id} {gt} $1)))"),
        ),
        (
            "place",
            &[Some("(,)"), Some("2")],
            format!(
                "(t.\"place\" {gt} $1 OR t.\"place\" IS NOT DISTINCT FROM NULL OR (t.\"place\" {eq} $2 AND ({id} {gt} $3)))"
            ),
        ),
    ];
    for (order, last, expected) in cases {
        let next = after(&format!("{{\"select\":\"id\",\"order\":{order:?}}}"), &three(), last);
        let sql = &next.statement.sql;
        let found = &sql[sql.find(" WHERE ").unwrap() + 7..sql.find(" ORDER BY ").unwrap()];
        assert_eq!(found, expected, "{order} {last:?}");
        assert!(next.statement.params.iter().all(|param| param.place.starts_with("cursor.")), "{order}");
    }
}

/// The condition must find exactly the rows behind, whatever the directions and the nulls: small tables are sorted and
/// searched here by the text of the SQL itself.
mod model {
    use super::*;

    /// NULL is None.
    type Row = [Option<i32>; 3];

    /// Reads `(… OR … AND …)` of the conditions above, with three-valued logic.
    struct Eval<'a> {
        text: &'a str,
        row: &'a Row,
        params: &'a [Option<i32>],
    }

    const COLUMNS: [&str; 3] = ["t.\"a\"", "t.\"n\"", "t.\"id\""];

    impl Eval<'_> {
        fn take(&mut self, word: &str) -> bool {
            match self.text.strip_prefix(word) {
                Some(rest) => {
                    self.text = rest;
                    true
                }
                None => false,
            }
        }

        fn or(&mut self) -> Option<bool> {
            let mut value = self.and();
            while self.take(" OR ") {
                let right = self.and();
                value = match (value, right) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                };
            }
            value
        }

        fn and(&mut self) -> Option<bool> {
            let mut value = self.atom();
            while self.take(" AND ") {
                let right = self.atom();
                value = match (value, right) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
            }
            value
        }

        fn column(&mut self) -> Option<i32> {
            let index =
                COLUMNS.iter().position(|name| self.take(name)).unwrap_or_else(|| panic!("{}", self.text));
            self.row[index]
        }

        fn param(&mut self) -> Option<i32> {
            assert!(self.take("$"), "{}", self.text);
            let end = self.text.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.text.len());
            let number: usize = self.text[..end].parse().unwrap();
            self.text = &self.text[end..];
            self.params[number - 1]
        }

        fn atom(&mut self) -> Option<bool> {
            if self.text.starts_with("(t.")
                && self.text.contains(") OPERATOR(")
                && self.text.find(')') < self.text.find(" OPERATOR")
            {
                // A comparison of rows, none of them null.
                let mut columns = Vec::new();
                while self.take("(") || self.take(", ") {
                    columns.push(self.column()?);
                }
                assert!(self.take(") OPERATOR(pg_catalog."));
                let less = self.take("<");
                assert!(less || self.take(">"));
                assert!(self.take(") "));
                let mut values = Vec::new();
                while self.take("(") || self.take(", ") {
                    values.push(self.param()?);
                }
                assert!(self.take(")"));
                return Some(if less { columns < values } else { columns > values });
            }
            if self.take("(") {
                let value = self.or();
                assert!(self.take(")"), "{}", self.text);
                return value;
            }
            if self.take("false") {
                return Some(false);
            }
            let column = self.column();
            if self.take(" IS NULL") {
                return Some(column.is_none());
            }
            if self.take(" IS NOT NULL") {
                return Some(column.is_some());
            }
            assert!(self.take(" OPERATOR(pg_catalog."), "{}", self.text);
            let operator = self.text.chars().next().unwrap();
            self.text = &self.text[3..];
            let right = self.param();
            let (left, right) = (column?, right?);
            Some(match operator {
                '=' => left == right,
                '<' => left < right,
                '>' => left > right,
                other => panic!("{other}"),
            })
        }
    }

    fn sorted(mut rows: Vec<Row>, order: &[(usize, bool, Option<bool>)]) -> Vec<Row> {
        rows.sort_by(|one, two| {
            for &(column, descending, nulls_first) in order {
                let nulls_first = nulls_first.unwrap_or(descending);
                let rank = |value: Option<i32>| match value {
                    None => (if nulls_first { 0 } else { 2 }, 0),
                    Some(value) => (1, if descending { -value } else { value }),
                };
                let by = rank(one[column]).cmp(&rank(two[column]));
                if by.is_ne() {
                    return by;
                }
            }
            std::cmp::Ordering::Equal
        });
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn finds_the_rows_behind(
            values in prop::collection::vec((0..3_i32, prop::option::of(0..3_i32)), 1..9),
            order in prop::sample::subsequence(vec![0_usize, 1, 2], 1..=3).prop_shuffle(),
            directions in prop::collection::vec((any::<bool>(), prop::option::of(any::<bool>())), 3),
        ) {
            let mut order: Vec<_> = order.iter().zip(directions).map(|(&column, (d, n))| (column, d, n)).collect();
            let items: Vec<_> = order.iter().map(|(column, descending, nulls_first)| format!("{}{}{}",
                ["a", "n", "id"][*column],
                if *descending { ".desc" } else { "" },
                match nulls_first { None => "", Some(true) => ".nullsfirst", Some(false) => ".nullslast" })).collect();
            let json = format!("{{\"select\":\"id\",\"order\":\"{}\"}}", items.join(","));
            if !order.iter().any(|(column, ..)| *column == 2) {
                order.push((2, false, None));
            }
            let rows = values.iter().enumerate().map(|(id, (a, n))| [Some(*a), *n, Some(id as i32)]).collect();
            let rows = sorted(rows, &order);
            for (place, row) in rows.iter().enumerate() {
                let texts: Vec<_> = order.iter().map(|(column, ..)| row[*column].map(|v| v.to_string())).collect();
                let last: Vec<_> = texts.iter().map(|text| text.as_deref()).collect();
                let next = after(&json, &three(), &last).statement;
                let text = &next.sql[next.sql.find(" WHERE ").unwrap() + 7..next.sql.find(" ORDER BY ").unwrap()];
                let params: Vec<_> =
                    next.params.iter().map(|param| param.value.as_ref().map(|text| text.parse().unwrap())).collect();
                let found: Vec<Row> = rows.iter().filter(|row| {
                    let mut eval = Eval { text, row, params: &params };
                    let value = eval.or();
                    assert!(eval.text.is_empty(), "{}", eval.text);
                    value == Some(true)
                }).copied().collect();
                prop_assert_eq!(&found[..], &rows[place + 1..], "{} {:?} {}", json, last, text);
            }
        }

        /// What goes into a cursor comes out of it.
        #[test]
        fn values_survive(texts in prop::collection::vec(prop::option::of("[^\u{0}]{0,20}"), 2)) {
            prop_assume!(texts[1].is_some());
            let last: Vec<_> = texts.iter().map(|text| text.as_deref()).collect();
            let next = after(r#"{"order":"nick"}"#, &three(), &last);
            let values: Vec<_> = next.statement.params.iter().map(|param| param.value.clone()).collect();
            let expected = match &texts[0] {
                Some(_) => vec![texts[0].clone(), texts[0].clone(), texts[1].clone()],
                None => vec![texts[1].clone()],
            };
            prop_assert_eq!(values, expected);
        }

        #[test]
        fn no_cursor_panics(text in prop_oneof!["\\PC{0,60}", "[A-Za-z0-9_=-]{0,80}"], order in "[a-z,.]{0,12}") {
            for order in ["a", "place.desc", &order] {
                let json = format!("{{\"order\":{order:?},\"cursor\":{}}}", serde_json::to_string(&text).unwrap());
                if let Err(error) = read(&json, &three()) {
                    prop_assert!(error.to_string().ends_with("Nothing was read."));
                }
            }
        }
    }
}

fn keyset(json: &str, table: &Table, catalog: &dyn Catalog) -> Keyset {
    let args = Arguments::parse(Some(json)).unwrap();
    fluxbase_query::select(&args, table, catalog, &Bounds::default()).unwrap().keyset.unwrap()
}

#[test]
fn another_question_refuses_the_cursor() {
    let base = r#"{"select":"id","filter":{"a":1},"order":"n"}"#;
    let last = [Some("1".to_owned()), Some("2".to_owned())];
    let cursor = serde_json::to_string(&read(base, &three()).unwrap().keyset.unwrap().cursor(&last)).unwrap();
    for same in [
        base,
        r#"{"select":"*","filter":{"a":1},"order":"n"}"#,
        r#"{"select":"id","filter":{"a":"eq.1"},"order":["n"],"limit":3}"#,
        r#"{"select":"id","filter":{"a":1},"order":"n.asc,id","limit":0,"count":"exact"}"#,
        r#"{"order":"n","filter":{"a":{"eq":1}},"offset":0}"#,
    ] {
        assert!(read(&with(same, "cursor", &cursor), &three()).is_ok(), "{same}");
    }
    let renamed = Table { name: "y".to_owned(), ..three() };
    let moved = Table { schema: "other".to_owned(), ..three() };
    let other_key = Table { key: vec!["a".to_owned()], ..three() };
    for (other, table) in [
        (r#"{"select":"id","filter":{"a":2},"order":"n"}"#, three()),
        (r#"{"select":"id","filter":{"id":1},"order":"n"}"#, three()),
        (r#"{"select":"id","order":"n"}"#, three()),
        (r#"{"select":"id","filter":{"a":1},"order":"a"}"#, three()),
        (r#"{"select":"id","filter":{"a":1},"order":"n.desc"}"#, three()),
        (r#"{"select":"id","filter":{"a":1},"order":"n.nullsfirst"}"#, three()),
        (r#"{"select":"id","filter":{"a":1},"order":"n,a"}"#, three()),
        (r#"{"select":"id","filter":{"a":"not.eq.1"},"order":"n"}"#, three()),
        (base, renamed),
        (base, moved),
        (base, other_key),
    ] {
        let error = read(&with(other, "cursor", &cursor), &table).expect_err(other);
        assert_eq!(error.code(), "22023");
        assert_eq!(
            error.to_string(),
            "cursor: belongs to another question. Give next_cursor of the page before with the same table, filter and order, \
             or leave it out. Nothing was read."
        );
    }
    // Relations are part of the question when they leave rows out.
    let library = library();
    let books = library.named("books");
    let plain = keyset(r#"{"select":"id,tags(name)","order":"id"}"#, books, &library);
    assert_eq!(plain, keyset(r#"{"select":"id","order":"id"}"#, books, &library));
    assert_ne!(plain, keyset(r#"{"select":"id,tags!inner(name)","order":"id"}"#, books, &library));
    assert_ne!(
        keyset(r#"{"select":"id","order":"author_id(name)"}"#, books, &library),
        keyset(r#"{"select":"id","order":"editor_id(name)"}"#, books, &library)
    );
}

#[test]
fn where_there_is_no_cursor() {
    let cursor =
        |json: &str, table: &Table| read(&with(json, "cursor", "\"WyIw\""), table).unwrap_err().to_string();
    for (json, table, text) in [
        (
            "{}",
            three(),
            "cursor: this call has no order, so it has no place to go on from. Give the order of the call that the cursor is from.",
        ),
        (r#"{"order":"a","offset":5}"#, three(), "cursor: cannot be given together with offset."),
        (
            r#"{"order":"id"}"#,
            notes(),
            "cursor: public.notes has no primary key that you may read. Page with offset.",
        ),
        (
            r#"{"select":"a,count()","order":"a"}"#,
            three(),
            "cursor: groups have no cursor. Page them with offset.",
        ),
        (r#"{"order":"a"}"#, three(), "cursor: is not a cursor of ours."),
    ] {
        let error = cursor(json, &table);
        assert!(error.starts_with(text), "{error}");
    }
    // Garbage of every kind.
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let keyset = read(r#"{"order":"a"}"#, &three()).unwrap().keyset.unwrap();
    let good = keyset.cursor(&[Some("1".to_owned()), Some("2".to_owned())]);
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&good).unwrap();
    let digest = String::from_utf8(decoded).unwrap()[2..18].to_owned();
    for text in [
        "x".to_owned(),
        "====".to_owned(),
        good[..good.len() - 3].to_owned(),
        format!("{good}AAAA"),
        encode("[]"),
        encode("{}"),
        encode(&format!("[\"{digest}\",[]]")),
        encode(&format!("[\"{digest}\",[\"1\"]]")),
        encode(&format!("[\"{digest}\",[\"1\",\"2\",\"3\"]]")),
        encode(&format!("[\"{digest}\",[1,2]]")),
        encode(&format!("[\"{digest}\",[\"1\",\"a\\u0000\"]]")),
        encode(&format!("[\"{digest}\",[\"1\",\"2\"],3]")),
        encode(&format!("[\"0{digest}\",[\"1\",\"2\"]]")),
        encode(&"[".repeat(100_000)),
        encode(&format!("[\"{digest}\",{}", "[".repeat(100_000))),
    ] {
        let json = with(r#"{"order":"a"}"#, "cursor", &serde_json::to_string(&text).unwrap());
        assert!(matches!(read(&json, &three()).unwrap_err().code(), "22023" | "22021"), "{text}");
    }
    // A blank one asks for the first page.
    assert_eq!(read(r#"{"order":"a","cursor":" "}"#, &three()), read(r#"{"order":"a"}"#, &three()));
    // Written by hand, with the right digest, it is a filter like any other.
    let json = with(
        r#"{"order":"a"}"#,
        "cursor",
        &format!("{:?}", encode(&format!("[\"{digest}\",[null,\"x' OR true\"]]"))),
    );
    let next = read(&json, &three()).unwrap().statement;
    tokens::check(&next, &[three()]);
    assert_eq!(typed(&next.params), [(INT4, "x' OR true")]);
}

#[test]
fn a_column_that_cannot_be_compared_is_no_order() {
    for json in [r#"{"order":"raw"}"#, r#"{"order":"raw->"}"#] {
        assert!(read(json, &three()).is_err());
    }
    let args = Arguments::parse(Some(r#"{"order":"raw->>a","limit":2}"#)).unwrap();
    let page = fluxbase_query::select(&args, &three(), &NoRelations, &Bounds::default()).unwrap();
    assert!(page.keyset.is_some());
}

#[test]
fn more_items_than_anybody_needs_are_refused() {
    let order = |items: usize| format!("{{\"order\":{:?}}}", vec!["a"; items].join(","));
    assert!(read(&order(100), &three()).is_ok());
    assert_eq!(read(&order(101), &three()).unwrap_err().code(), "22023");
}
