//! How relations are named: each by the shortest text, and a choice that is offered is one that works.

mod support;

use fluxbase_query::{Arguments, Bounds, QueryError, Relation, reference};
use support::relations::library;

/// What `select` makes of a relation, read back from the joins: pairs of "near=far" columns and the junction's.
fn joins(relation: &Relation) -> Vec<String> {
    let pair = |pair: &fluxbase_query::Pair| {
        let (one, two) =
            if pair.near_is_referenced { (&pair.near, &pair.far) } else { (&pair.far, &pair.near) };
        format!("{one:?} OPERATOR(pg_catalog.=) {two:?}")
    };
    relation
        .pairs
        .iter()
        .chain(relation.junction.iter().flat_map(|junction| &junction.pairs))
        .map(pair)
        .collect()
}

/// The SQL without the aliases in front of columns.
fn bare(sql: &str) -> String {
    let mut out = String::new();
    let mut rest = sql;
    while let Some(dot) = rest.find(".\"") {
        let head = rest[..dot].trim_end_matches(|c: char| c == 't' || c.is_ascii_digit());
        out.push_str(head);
        rest = &rest[dot + 1..];
    }
    out + rest
}

#[test]
fn every_relation_has_a_text_that_means_it_and_no_other() {
    let library = library();
    let mut seen = 0;
    for table in library.tables() {
        let relations = library.of(&table.name);
        for (index, relation) in relations.iter().enumerate() {
            let text = reference(relations, index);
            let json = format!("{{\"select\":{}}}", serde_json::to_string(&format!("x:{text}(*)")).unwrap());
            let sql = library
                .select(&table.name, &json)
                .unwrap_or_else(|error| panic!("{}: {text}: {error}", table.name));
            let sql = bare(&sql.statement.sql);
            for join in joins(relation) {
                assert!(sql.contains(&join), "{}: {text}: {join} in {sql}", table.name);
            }
            assert_eq!(sql.contains("string_agg"), !relation.to_one, "{}: {text}: {sql}", table.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 42);
}

#[test]
fn texts_are_short() {
    let library = library();
    let texts = |table: &str| -> Vec<String> {
        (0..library.of(table).len()).map(|index| reference(library.of(table), index)).collect()
    };
    assert_eq!(
        texts("books"),
        [
            "author_id",
            "editor_id",
            "shelves",
            "details",
            "\"o\"\"dd.table\"",
            "books_tags",
            "likes",
            "loans",
            "people!likes",
            "people!loans",
            "tags",
        ]
    );
    assert_eq!(
        texts("people"),
        [
            "countries",
            "mentor_id",
            "spouse_id",
            "people!spouse_id",
            "books!author_id",
            "books!editor_id",
            "follows!followed_id",
            "follows!follower_id",
            "likes",
            "loans",
            "people!mentor_id",
            "books!likes",
            "books!loans",
            "people!followed_id",
            "people!follower_id",
        ]
    );
    assert_eq!(texts("shelves"), ["shelves_above_fkey", "books", "shelves!hall"]);
}

/// The choices that an error lists, each without its parentheses.
fn choices(error: &QueryError) -> Vec<String> {
    let hint = error.hint().unwrap();
    let list = hint.strip_prefix("Write ").unwrap().split(". Nothing").next().unwrap();
    list.split(" or ").map(|choice| choice.strip_suffix("(…)").unwrap().to_owned()).collect()
}

#[test]
fn ambiguity_lists_choices_that_work() {
    let library = library();
    for (table, name, number) in [
        ("books", "people", 4),
        ("books", "people!book_id", 2),
        ("people", "books", 4),
        ("people", "people", 6),
        ("people", "follows", 2),
        ("people", "people!follows", 2),
        ("people", "people!follows_follower_id_fkey", 2),
        ("shelves", "shelves", 2),
        ("books", "people!nothing", 4),
    ] {
        let json = format!("{{\"select\":{}}}", serde_json::to_string(&format!("{name}(*)")).unwrap());
        let error = library.select(table, &json).expect_err(&json);
        let code = if name.ends_with("nothing") { "42P01" } else { "42P09" };
        assert_eq!(error.code(), code, "{error}");
        let choices = choices(&error);
        assert_eq!(choices.len(), number, "{table} {name}: {error}");
        for choice in choices {
            let json =
                format!("{{\"select\":{}}}", serde_json::to_string(&format!("x:{choice}(*)")).unwrap());
            library.select(table, &json).unwrap_or_else(|error| panic!("{table}: {choice}: {error}"));
        }
    }
    assert_eq!(
        library.select("shelves", r#"{"select":"shelves(*)"}"#).unwrap_err().to_string(),
        "select: \"shelves\" can mean 2 relations of public.shelves. \
         Write shelves_above_fkey(…) or shelves!hall(…). Nothing was read."
    );
}

#[test]
fn a_relation_has_several_names() {
    let library = library();
    let sql = |table: &str, item: &str| {
        let json = format!("{{\"select\":{}}}", serde_json::to_string(&format!("x:{item}(*)")).unwrap());
        library.select(table, &json).unwrap_or_else(|error| panic!("{item}: {error}")).statement.sql
    };
    for (table, names) in [
        (
            "books",
            &[
                "author_id",
                "books_author_id_fkey",
                "people!author_id",
                "people!books_author_id_fkey",
                "\"author_id\"",
            ][..],
        ),
        (
            "books",
            &[
                "shelves",
                "public.shelves",
                "\"public\".\"shelves\"",
                "books_shelf_fkey",
                "shelves!hall",
                "shelves ! shelf",
            ],
        ),
        (
            "books",
            &[
                "people!loans",
                "people!loans_person_id_fkey",
                "people!loans_book_id_fkey",
                "public.people!\"loans\"",
            ],
        ),
        (
            "books",
            &[
                "\"o\"\"dd.table\"",
                "\"my.schema\".\"o\"\"dd.table\"",
                "odd_book_fkey",
                "\"o\"\"dd.table\"!\"book id\"",
            ],
        ),
        ("people", &["mentor_id", "people_mentor_id_fkey"]),
        ("people", &["people!mentor_id", "people!people_mentor_id_fkey"]),
        ("people", &["spouse_id", "people_spouse_id_fkey"]),
        ("people", &["people!spouse_id", "people!people_spouse_id_fkey"]),
        ("shelves", &["shelves!above", "shelves!shelves_above_fkey"]),
    ] {
        for name in names {
            assert_eq!(sql(table, name), sql(table, names[0]), "{name}");
        }
    }
    assert_ne!(sql("people", "mentor_id"), sql("people", "people!mentor_id"));
    assert_ne!(sql("people", "spouse_id"), sql("people", "people!spouse_id"));
    assert_ne!(sql("people", "people!follower_id"), sql("people", "people!followed_id"));
}

#[test]
fn unknown_relations_teach() {
    let library = library();
    for (table, select, text) in [
        (
            "books",
            "shelfs(room)",
            "select: public.books has no relation \"shelfs\". Did you mean \"shelves\"? Relations: author_id, editor_id, shelves, details, ",
        ),
        (
            "tags",
            "people(*)",
            "select: public.tags has no relation \"people\". Relations: books_tags, books. ",
        ),
        (
            "books",
            "title(x)",
            "select: \"title\" is a column and no relation. Of JSON a part is read with column->key. ",
        ),
        (
            "books",
            "...tags(name)",
            "select: \"...tags(name)\" spreads a relation of many rows. Leave the dots out: tags(…) gives a list.",
        ),
        (
            "books",
            "...author_id",
            "select: \"...author_id\" does not say what to read of the relation. Write relation(column,…)",
        ),
        ("books", "shelves!a!b(*)", "select: \"shelves!a!b(*)\" has too many marks after !."),
        (
            "books",
            "author_id!inner!left(*)",
            "select: \"author_id!inner!left(*)\" has too many marks after !.",
        ),
        ("books", "author\"x\"(*)", "select: \"author\\\"x\\\"(*)\" names no relation."),
        ("books", "author_id(password)", "select: public.people has no column \"password\"."),
        ("books", "author_id(name,)", "select: \"name,\" has an empty item."),
        (
            "books",
            "author_id(name",
            "select: \"author_id(name\" has a double quote or a parenthesis that is not closed.",
        ),
        (
            "books",
            "author_id(name))",
            "select: \"author_id(name))\" has a double quote or a parenthesis that is not closed.",
        ),
    ] {
        let json = format!("{{\"select\":{}}}", serde_json::to_string(select).unwrap());
        let error = library.select(table, &json).expect_err(select).to_string();
        assert!(error.starts_with(text), "{error}");
    }
}

/// A relation may speak of a table that is gone by now.
#[test]
fn a_table_that_is_gone_is_no_relation() {
    struct Gone(support::relations::Library);
    impl fluxbase_query::Catalog for Gone {
        fn relations(
            &self,
            table: &fluxbase_query::Table,
        ) -> Result<&[Relation], fluxbase_query::CatalogError> {
            self.0.relations(table)
        }
        fn table(&self, _oid: u32) -> Result<Option<&fluxbase_query::Table>, fluxbase_query::CatalogError> {
            Ok(None)
        }
    }
    let gone = Gone(library());
    let args = Arguments::parse(Some(r#"{"select":"tags(*)"}"#)).unwrap();
    let error = fluxbase_query::select(&args, gone.0.named("books"), &gone, &Bounds::default()).unwrap_err();
    assert_eq!(error.code(), "42P01");
}
