//! A filter that leaves out no row is none: update and delete refuse it. Checked against the SQL that the filter becomes.

mod support;

use proptest::prelude::*;
use support::relations::library;

fn delete(filter: &str) -> Result<fluxbase_query::Write, fluxbase_query::QueryError> {
    library().write("delete", "books", &format!("{{\"filter\":{filter},\"returning\":\"none\"}}"))
}

#[test]
fn filters_that_leave_out_no_row_are_refused() {
    for filter in [
        "{}",
        r#"{"id":{"nin":[]}}"#,
        r#"{"id":"nin.()"}"#,
        r#"{"id":"not.in.()"}"#,
        r#"{"id":{"not":{"in":[]}}}"#,
        r#"{"not":{"id":{"in":[]}}}"#,
        r#"{"not":{"not":{"id":{"nin":[]}}}}"#,
        r#"{"or":[{"id":5},{"id":{"nin":[]}}]}"#,
        r#"{"or":{"id":5,"title":{"nin":[]}}}"#,
        r#"{"and":[{"id":{"nin":[]}},{"title":"nin.()"}]}"#,
        r#"{"title":{"like(all)":[]}}"#,
        r#"{"title":"like(all).()"}"#,
        r#"{"title":{"not.like(any)":[]}}"#,
        r#"{"id":{"eq(all)":[]},"title":{"nin":[]}}"#,
        r#"{"not":{"id":5,"title":{"in":[]}}}"#,
        r#"{"not":{"or":[{"id":{"in":[]}},{"title":"in.()"}]}}"#,
        r#"{"not":{"author_id.id":{"in":[]}}}"#,
        r#"{"not":{"tags.name":{"like(any)":[]}}}"#,
        r#"{"or":[{"id":5},{"not":{"author_id.mentor_id.name":"in.()"}}]}"#,
    ] {
        let error = delete(filter).expect_err(filter);
        assert_eq!(error.code(), "22023", "{filter}: {error}");
        assert!(error.to_string().contains("which would delete every row."), "{error}");
        // A read may find every row.
        assert!(library().select("books", &format!("{{\"filter\":{filter}}}")).is_ok());
    }
    for filter in [
        r#"{"id":{"in":[]}}"#,
        r#"{"or":[{"id":5},{"id":{"in":[]}}]}"#,
        r#"{"id":5,"title":{"nin":[]}}"#,
        r#"{"author_id.id":{"nin":[]}}"#,
        r#"{"not":{"author_id.id":{"nin":[]}}}"#,
        r#"{"tags":"isnot.null"}"#,
        r#"{"tags":null}"#,
    ] {
        assert!(delete(filter).is_ok(), "{filter}");
    }
}

/// Atoms: id = $n, and constants.
fn filter() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => (0..9).prop_map(|value| format!("\"id\":{value}")),
        1 => Just(r#""id":{"in":[]}"#.to_owned()),
        1 => Just(r#""id":{"nin":[]}"#.to_owned()),
        1 => Just(r#""title":{"like(any)":[]}"#.to_owned()),
        1 => Just(r#""title":{"not.like(any)":[]}"#.to_owned()),
        1 => Just(r#""title":{"not":{"eq(all)":[],"in":[]}}"#.to_owned()),
        1 => (0..9).prop_map(|value| format!("\"id\":{{\"eq\":{value},\"nin\":[]}}")),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let group = prop::sample::select(vec!["and", "or", "not"]);
        (group, prop::collection::vec(inner, 1..4)).prop_map(|(group, parts)| {
            let parts: Vec<_> = parts.iter().map(|part| format!("{{{part}}}")).collect();
            format!("\"{group}\":[{}]", parts.join(","))
        })
    })
    .prop_map(|entry| format!("{{{entry}}}"))
}

/// Whether the SQL is true when each parameter's comparison has its value of `truth`.
struct Eval<'a> {
    text: &'a str,
    truth: &'a [Option<bool>],
}

impl Eval<'_> {
    fn take(&mut self, word: &str) -> bool {
        self.text.strip_prefix(word).map(|rest| self.text = rest).is_some()
    }

    fn or(&mut self) -> Option<bool> {
        let mut all = vec![self.and()];
        while self.take(" OR ") {
            all.push(self.and());
        }
        if all.contains(&Some(true)) {
            Some(true)
        } else if all.contains(&None) {
            None
        } else {
            Some(false)
        }
    }

    fn and(&mut self) -> Option<bool> {
        let mut all = vec![self.not()];
        while self.take(" AND ") {
            all.push(self.not());
        }
        if all.contains(&Some(false)) {
            Some(false)
        } else if all.contains(&None) {
            None
        } else {
            Some(true)
        }
    }

    fn not(&mut self) -> Option<bool> {
        if self.take("NOT ") { self.not().map(|value| !value) } else { self.atom() }
    }

    fn atom(&mut self) -> Option<bool> {
        if self.take("true") {
            return Some(true);
        }
        if self.take("false") {
            return Some(false);
        }
        if self.take("(") {
            let value = self.or();
            assert!(self.take(")"), "{}", self.text);
            return value;
        }
        assert!(self.take("t.\"id\" OPERATOR(pg_catalog.=) $"), "{}", self.text);
        let end = self.text.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.text.len());
        let number: usize = self.text[..end].parse().unwrap();
        self.text = &self.text[end..];
        self.truth[number - 1]
    }
}

fn eval(sql: &str, truth: &[Option<bool>]) -> Option<bool> {
    let mut eval = Eval { text: sql, truth };
    let value = eval.or();
    assert!(eval.text.is_empty(), "{sql}");
    value
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Refused exactly when the SQL is true whatever the rows are, as far as that shows without knowing that an atom and its
    /// opposite stand together; never refused when some row is left out.
    #[test]
    fn refused_when_true_of_every_row(filter in filter(), seed in prop::collection::vec(prop::option::of(any::<bool>()), 64)) {
        // Joined with an atom it is kept whole in the SQL of a read.
        let json = format!("{{\"and\":[{filter},{{\"pages\":77}}]}}");
        let sql = library().condition("books", &json).unwrap();
        let sql = sql.strip_suffix(" AND t.\"pages\" OPERATOR(pg_catalog.=) $".trim_end_matches('$'))
            .map(str::to_owned)
            .unwrap_or_else(|| sql[..sql.rfind(" AND t.\"pages\"").unwrap()].to_owned());
        // NULL everywhere: only constants can make it true then.
        let constant = eval(&sql, &[None; 64]) == Some(true);
        prop_assert_eq!(delete(&filter).is_err(), constant, "{} {}", filter, sql);
        if constant {
            prop_assert_eq!(eval(&sql, &seed), Some(true));
        }
        // What a read says of rows is what a delete says of them.
        if let Ok(write) = delete(&filter) {
            let deleted = write.statement.sql;
            let condition = &deleted[deleted.find(" WHERE ").unwrap() + 7..];
            prop_assert_eq!(eval(condition, &seed), eval(&sql, &seed));
        }
    }
}
