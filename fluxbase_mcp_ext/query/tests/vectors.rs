//! Searching by vectors and words: the statements, what a column can hold, and that no caller's text becomes SQL.

mod support;

use fluxbase_query::{
    Arguments, Bounds, Column, Embedding, Indexes, Metric, NoRelations, QueryError, Question, Search, Source,
    Statement, Table, TextIndex, VectorIndex, VectorKind, VectorType, near_query, search, select,
};
use proptest::prelude::*;
use support::tokens::MARK;
use support::{INT4, JSONB, TEXT, TEXT_ARRAY, array, column, typed};

const VECTOR: u32 = 20030;
const HALF: u32 = 20031;
const SPARSE: u32 = 20032;
const BIT: u32 = 1560;
const TSVECTOR: u32 = 3614;

fn vectors(name: &str, type_oid: u32, kind: VectorKind, dimensions: i32) -> Column {
    Column {
        typmod: dimensions,
        base_schema: "ext".to_owned(),
        vector: Some(VectorType { kind, schema: "ext".to_owned() }),
        ..column(name, type_oid, kind.name(), 'U', 0)
    }
}

fn docs() -> Table {
    Table {
        oid: 16700,
        schema: "public".to_owned(),
        name: "docs".to_owned(),
        kind: 'r',
        columns: vec![
            column("id", INT4, "integer", 'N', 1007),
            column("content", TEXT, "text", 'S', 1009),
            array("tags", TEXT_ARRAY, "text[]", TEXT, 'S'),
            column("metadata", JSONB, "jsonb", 'U', 3807),
            column("words", TSVECTOR, "tsvector", 'U', 3643),
            vectors("e", VECTOR, VectorKind::Vector, 3),
            vectors("h", HALF, VectorKind::Halfvec, -1),
            vectors("s", SPARSE, VectorKind::Sparsevec, 3),
            vectors("b", BIT, VectorKind::Bit, 4),
            Column { select: false, ..vectors("hidden", VECTOR, VectorKind::Vector, 3) },
        ],
        key: vec!["id".to_owned()],
        ..Table::default()
    }
}

fn indexes() -> Indexes {
    Indexes {
        known: true,
        vectors: vec![VectorIndex { column: "e".to_owned(), operator_class: "vector_cosine_ops".to_owned() }],
        texts: vec![TextIndex { column: "words".to_owned(), configuration: None }],
    }
}

fn asked(json: &str, source: &Source, indexes: &Indexes) -> Result<Search, QueryError> {
    let args = Arguments::parse(Some(json))?;
    let question = Question::read(&args)?;
    search(&args, &question, source, &docs(), &NoRelations, indexes, question.embedding.as_ref())
}

/// A search of the table by its column `e`.
fn found(members: &str) -> Result<Search, QueryError> {
    let json = format!(r#"{{"table":"docs","column":"e",{members}}}"#);
    asked(&json, &Source::guess(&docs(), Some("e".to_owned())), &indexes())
}

fn refused(members: &str) -> (String, &'static str) {
    match found(members) {
        Ok(search) => panic!("{members} is accepted: {search:?}"),
        Err(error) => (error.to_string(), error.code()),
    }
}

#[test]
fn the_nearest_come_out_of_a_limit_that_an_index_can_serve() {
    let search = found(r#""embedding":[1,0.50,-2e-3],"limit":2,"threshold":0.25"#).unwrap();
    assert_eq!(
        search.statement.sql,
        "SELECT CASE WHEN _c.d OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8 AND CASE WHEN _c.d OPERATOR(pg_catalog.<) \
         'Infinity'::pg_catalog.float8 THEN pg_catalog.round(GREATEST(0, LEAST(1, 1::pg_catalog.float8 OPERATOR(pg_catalog.-) \
         _c.d))::pg_catalog.numeric, 6)::pg_catalog.float8 END OPERATOR(pg_catalog.>=) $2 THEN (SELECT \
         pg_catalog.row_to_json(_r.*) FROM (SELECT _c.c_k0 AS chunk_id, NULL::pg_catalog.text AS document_id, _c.c_content AS \
         content, CASE WHEN _c.d OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8 THEN pg_catalog.round(GREATEST(0, LEAST(1, \
         1::pg_catalog.float8 OPERATOR(pg_catalog.-) _c.d))::pg_catalog.numeric, 6)::pg_catalog.float8 END AS similarity, \
         NULL::pg_catalog.text AS knowledge_base, NULL::pg_catalog.text AS document_title, CASE WHEN pg_catalog.array_dims(_c.c_tags) \
         OPERATOR(pg_catalog.~) '[[](?!1:)' THEN pg_catalog.to_json(_c.c_tags::pg_catalog.text) ELSE \
         pg_catalog.to_json(_c.c_tags) END AS tags, _c.c_metadata AS metadata) AS _r) END FROM (SELECT t.\"id\" AS c_k0, t.\"content\" AS c_content, t.\"tags\" AS c_tags, t.\"metadata\" AS \
         c_metadata, t.\"e\" OPERATOR(\"ext\".<=>) $1 AS d FROM \"public\".\"docs\" AS t WHERE t.\"e\" IS NOT NULL ORDER BY \
         t.\"e\" OPERATOR(\"ext\".<=>) $1 LIMIT 2) AS _c ORDER BY _c.d"
    );
    // Numbers stay as they were written.
    assert_eq!(typed(&search.statement.params), [(VECTOR, "[1,0.50,-2e-3]"), (701, "0.25")]);
    let exact = search.exact.unwrap();
    assert!(exact.sql.contains(
        "ORDER BY t.\"e\" OPERATOR(\"ext\".<=>) $1 OPERATOR(pg_catalog.+) 0::pg_catalog.float8 LIMIT 2"
    ));
    assert_eq!(exact.params, search.statement.params);
    assert_eq!((search.metric, search.wanted, search.default_threshold), (Some(Metric::Cosine), 2, None));
    assert_eq!(search.notes, Vec::<String>::new());
}

#[test]
fn the_filter_stands_beside_the_limit_and_the_threshold_above_it() {
    let search = found(
        r#""embedding":[1,0,0],"filter":{"id":{"gt":5}},"tags":["a","b"],"metadata_filter":{"lang":"eq.en","year":{"gte":2020}}"#,
    )
    .unwrap();
    let inner = search.statement.sql.split(" FROM (SELECT t.").nth(1).unwrap();
    for condition in [
        "WHERE t.\"e\" IS NOT NULL AND (t.\"id\" OPERATOR(pg_catalog.>) $",
        " AND ((t.\"metadata\" OPERATOR(pg_catalog.->>) $",
        ") AND (t.\"tags\" OPERATOR(pg_catalog.@>) $",
    ] {
        assert!(inner.contains(condition), "{inner}");
    }
    let values: Vec<_> = typed(&search.statement.params).into_iter().skip(2).collect();
    assert_eq!(
        values,
        [
            (INT4, "5"),
            (TEXT, "lang"),
            (TEXT, "en"),
            (TEXT, "year"),
            (JSONB, "2020"),
            (TEXT_ARRAY, "{\"a\",\"b\"}")
        ]
    );
    assert_eq!(search.default_threshold, Some(0.7));
    let order =
        [inner.find(" WHERE ").unwrap(), inner.find(" ORDER BY ").unwrap(), inner.find(" LIMIT 5").unwrap()];
    assert!(order.is_sorted());
    // The threshold is no condition of the scan.
    assert!(!inner[order[0]..order[2]].contains("Infinity"));
}

#[test]
fn metrics_and_types() {
    let cases = [
        (r#""embedding":[1,2,3]"#, "e", "<=>", VECTOR, "[1,2,3]"),
        (r#""embedding":[1,2,3],"metric":"l2""#, "e", "<->", VECTOR, "[1,2,3]"),
        (r#""embedding":[0,0,0],"metric":"ip""#, "e", "<#>", VECTOR, "[0,0,0]"),
        (r#""embedding":"[1, 2, 3]","metric":"L1""#, "e", "<+>", VECTOR, "[1,2,3]"),
        (r#""embedding":[65504,0.5]"#, "h", "<=>", HALF, "[65504,0.5]"),
        (r#""embedding":[0,2.5,0]"#, "s", "<=>", SPARSE, "{2:2.5}/3"),
        (r#""embedding":"{1:-0.5}/3""#, "s", "<=>", SPARSE, "{1:-0.5}/3"),
        (r#""embedding":"0110""#, "b", "<~>", BIT, "0110"),
        (r#""embedding":"0110","metric":"jaccard""#, "b", "<%>", BIT, "0110"),
    ];
    for (members, name, operator, type_oid, text) in cases {
        let json = format!(r#"{{"table":"docs","column":"{name}",{members}}}"#);
        let search =
            asked(&json, &Source::guess(&docs(), Some(name.to_owned())), &Indexes::default()).unwrap();
        assert!(
            search.statement.sql.contains(&format!("t.\"{name}\" OPERATOR(\"ext\".{operator}) $1")),
            "{}",
            search.statement.sql
        );
        assert_eq!(typed(&search.statement.params)[0], (type_oid, text), "{members}");
        // Only where there is a similarity is there a threshold that nobody asked for.
        assert_eq!(search.default_threshold.is_some(), matches!(operator, "<=>" | "<%>"), "{members}");
    }
}

#[test]
fn what_a_column_cannot_hold_is_refused() {
    let e = |members: &str| refused(members);
    assert_eq!(e(r#""embedding":[1,2]"#).1, "42804");
    assert_eq!(e(r#""embedding":[]"#).1, "22023");
    assert_eq!(e(r#""embedding":[1,null,3]"#).1, "42804");
    assert_eq!(e(r#""embedding":[1,"NaN",3]"#).1, "42804");
    assert_eq!(e(r#""embedding":[1e39,0,0]"#).1, "42804");
    assert_eq!(e(r#""embedding":[1e400,0,0]"#).1, "42804");
    assert_eq!(e(r#""embedding":[0,-0,1e-60]"#).1, "22023");
    assert_eq!(e(r#""embedding":{"0":1}"#).1, "22023");
    assert_eq!(e(r#""embedding":"1,2,3""#).1, "42804");
    assert_eq!(e(r#""embedding":[1,2,3],"threshold":1.5"#).1, "22023");
    assert_eq!(e(r#""embedding":[1,2,3],"metric":"jaccard""#).1, "42883");
    let many = format!(r#""embedding":[{}]"#, vec!["1"; 16_001].join(","));
    assert_eq!(e(&many).1, "22023");
    // A column that the caller may not read is one that is not there.
    let json = r#"{"table":"docs","column":"hidden","embedding":[1,2,3]}"#;
    let hidden = asked(json, &Source::guess(&docs(), Some("hidden".to_owned())), &indexes()).unwrap_err();
    assert_eq!(hidden.code(), "42703");
    assert!(!hidden.to_string().contains("hidden,"), "{hidden}");
}

#[test]
fn an_index_that_is_missing_is_told_and_one_that_may_miss_rows_is_checked() {
    let none = Indexes { known: true, ..Indexes::default() };
    let source = Source::guess(&docs(), Some("e".to_owned()));
    let search = asked(r#"{"table":"docs","column":"e","embedding":[1,2,3]}"#, &source, &none).unwrap();
    assert_eq!(search.exact, None);
    assert_eq!(
        search.notes,
        [
            "No index on e serves metric cosine: every row was compared. Its owner can run: CREATE INDEX ON public.docs USING hnsw (e \
          ext.vector_cosine_ops);"
        ]
    );
    // Of a view nobody knows.
    let search =
        asked(r#"{"table":"docs","column":"e","embedding":[1,2,3]}"#, &source, &Indexes::default()).unwrap();
    assert!(search.exact.is_some() && search.notes.is_empty());
    let search = found(r#""embedding":[1,2,3],"metric":"l2""#).unwrap();
    assert!(search.notes[0].contains("(there is vector_cosine_ops)"), "{:?}", search.notes);
}

#[test]
fn both_sides_have_a_limit_and_the_configuration_is_a_number() {
    let search =
        found(r#""query":"red cars","embedding":[1,2,3],"mode":"hybrid","limit":20,"text_weight":0.3"#)
            .unwrap();
    let sql = &search.statement.sql;
    assert_eq!(sql.matches("LIMIT 80").count(), 2, "{sql}");
    // A word is counted within a bound.
    assert_eq!(sql.matches("LIMIT 10000").count(), 1, "{sql}");
    assert_eq!(sql.matches("LIMIT 20").count(), 1, "{sql}");
    assert!(sql.contains(
        "t.\"words\" OPERATOR(pg_catalog.@@) pg_catalog.websearch_to_tsquery('3748'::pg_catalog.regconfig, $"
    ));
    assert_eq!(search.wanted, 80);
    assert!(
        search.ranking.unwrap().contains("0.7*similarity/(60+vector_rank) + 0.3*text_share/(60+text_rank)")
    );
    let source =
        Source { search: None, configuration: Some(13_999), ..Source::guess(&docs(), Some("e".to_owned())) };
    let search = asked(r#"{"table":"docs","query":"x","mode":"text"}"#, &source, &indexes()).unwrap();
    assert!(
        search.statement.sql.contains("pg_catalog.to_tsvector('13999'::pg_catalog.regconfig, t.\"content\")"),
        "{}",
        search.statement.sql
    );
    assert_eq!(search.exact, None);
}

fn near(inner: &str) -> Result<Statement, QueryError> {
    let json = format!(r#"{{"table":"docs","select":"id","limit":3,"vector_search":{inner}}}"#);
    select(&Arguments::parse(Some(&json))?, &docs(), &NoRelations, &Bounds::default())
        .map(|select| select.statement)
}

#[test]
fn query_table_gives_the_nearest() {
    let statement = near(r#"{"column":"e","embedding":[1,2,3],"metric":"l2","threshold":2}"#).unwrap();
    assert_eq!(
        statement.sql,
        "SELECT CASE WHEN _c.d OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8 AND _c.d OPERATOR(pg_catalog.<=) $2 THEN _c.r \
         END FROM (SELECT (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t.\"id\", t.\"e\" OPERATOR(\"ext\".<->) $1 AS distance) \
         AS _r) AS r, t.\"e\" OPERATOR(\"ext\".<->) $1 AS d FROM \"public\".\"docs\" AS t WHERE t.\"e\" IS NOT NULL ORDER BY t.\"e\" \
         OPERATOR(\"ext\".<->) $1 LIMIT 4) AS _c ORDER BY _c.d"
    );
    for refused in [
        r#"{"column":"e"}"#,
        r#"{"column":"content","embedding":[1,2,3]}"#,
        r#"{"embedding":[1,2,3]}"#,
        r#"{"column":"e","embedding":[1,2,3],"k":3}"#,
        r#"[1,2,3]"#,
    ] {
        assert!(near(refused).is_err(), "{refused}");
    }
}

#[test]
fn the_text_to_embed() {
    let query = |inner: &str| {
        near_query(
            &Arguments::parse(Some(&format!(r#"{{"table":"docs","vector_search":{inner}}}"#))).unwrap(),
        )
    };
    assert_eq!(query(r#"{"column":"e","query":"x"}"#), Ok(Some("x".to_owned())));
    assert_eq!(query(r#"{"column":"e","embedding":[1]}"#), Ok(None));
    assert!(query(r#"{"column":"e","query":"x","embedding":[1]}"#).is_err());
    assert!(query(r#"{"column":"e"}"#).is_err());
    let question = |json: &str| Question::read(&Arguments::parse(Some(json)).unwrap()).unwrap();
    assert_eq!(question(r#"{"query":"x"}"#).to_embed(), Some("x"));
    assert_eq!(question(r#"{"query":"x","mode":"text"}"#).to_embed(), None);
    assert_eq!(question(r#"{"query":"x","mode":"hybrid","embedding":[1]}"#).to_embed(), None);
    // What an endpoint gave is written so that it reads back as the same numbers.
    let source = Source::guess(&docs(), Some("e".to_owned()));
    let args = Arguments::parse(Some(r#"{"table":"docs","column":"e","query":"x"}"#)).unwrap();
    let made = Embedding::of(&[0.1, f32::MIN_POSITIVE, -3.4e38]);
    let question = Question::read(&args).unwrap();
    let search = search(&args, &question, &source, &docs(), &NoRelations, &indexes(), Some(&made)).unwrap();
    let text = search.statement.params[0].value.clone().unwrap();
    let back: Vec<f32> = serde_json::from_str(&text).unwrap();
    assert_eq!(back, [0.1, f32::MIN_POSITIVE, -3.4e38]);
}

/// Ends strings, identifiers and statements.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "'", "''", "\"", "\\", "$1", "$$", "--", "/*", "*/", ";", ")", "(", "{", "}", "]", "[", ",", ".",
        "::text", " OR true", "->>", "eq.", "\n", "\u{feff}", "NULL", "1",
    ]);
    prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("{MARK}{}{MARK}", pieces.concat()))
}

fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap()
}

proptest! {
    /// The statement of hostile values is, to the letter, that of harmless ones.
    #[test]
    fn values_are_no_part_of_the_statement(
        words in hostile(),
        content in hostile(),
        tags in prop::collection::vec(hostile(), 2..3),
        key in hostile(),
        value in hostile(),
        name in hostile(),
        mode in prop::sample::select(vec!["vector", "text", "hybrid"]),
    ) {
        let embedding = if mode == "text" { "" } else { r#","embedding":[1,2,3]"# };
        let ask = |words: &str, content: &str, tags: [&str; 2], key: &str, value: &str, name: &str| {
            let json = format!(
                r#"{{"table":"docs","query":{},"mode":"{mode}","filter":{{"content":{{"eq":{}}}}},"tags":[{},{}],"metadata_filter":{{{}:{{"eq":{}}}}}{embedding}}}"#,
                text(words), text(content), text(tags[0]), text(tags[1]), text(key), text(value)
            );
            let source = Source { name: Some(name.to_owned()), ..Source::guess(&docs(), Some("e".to_owned())) };
            asked(&json, &source, &indexes())
        };
        // Equal values may share a parameter.
        let [words, content, key, value, name] = [(words, 'w'), (content, 'c'), (key, 'k'), (value, 'v'), (name, 'n')].map(|(text, mark)| format!("{text}{mark}"));
        let harmless = ask("w", "c", ["a", "b"], "k", "v", "n").unwrap();
        let search = ask(&words, &content, [&tags[0], &tags[1]], &key, &value, &name).unwrap();
        prop_assert_eq!(&search.statement.sql, &harmless.statement.sql);
        prop_assert_eq!(search.exact.map(|exact| exact.sql), harmless.exact.map(|exact| exact.sql));
        prop_assert!(!search.statement.sql.contains(MARK));
        for (given, place) in [(&words, "query"), (&content, "filter"), (&key, "metadata"), (&value, "metadata"), (&name, "knowledge")] {
            if mode == "vector" && place == "query" {
                continue;
            }
            prop_assert!(search.statement.params.iter().any(|param| param.value.as_ref() == Some(given)), "{} of {}", given, place);
        }
    }

    /// Whatever stands in the arguments: an answer, no panic; and a vector in text form is nothing but a vector's characters.
    #[test]
    fn anything_is_answered(embedding in hostile(), column in hostile(), metric in hostile(), sparse in "[{}0-9:,./e-]{0,20}", json in "\\PC{0,60}") {
        for given in [&embedding, &sparse] {
            for name in ["e", "h", "s", "b", column.as_str()] {
                let call = format!(r#"{{"table":"docs","column":{},"embedding":{}}}"#, text(name), text(given));
                if let Ok(search) = asked(&call, &Source::guess(&docs(), Some(name.to_owned())), &indexes()) {
                    let literal = search.statement.params[0].value.clone().unwrap();
                    prop_assert!(literal.bytes().all(|b| b"0123456789+-.eE,:/{}[] ".contains(&b)), "{}", literal);
                    prop_assert!(!search.statement.sql.contains(MARK));
                }
            }
        }
        let call = format!(r#"{{"table":"docs","embedding":[1,2,3],"metric":{}}}"#, text(&metric));
        prop_assert!(asked(&call, &Source::guess(&docs(), Some("e".to_owned())), &indexes()).is_err());
        if let Ok(args) = Arguments::parse(Some(&json)) {
            _ = Question::read(&args);
            _ = near_query(&args);
        }
    }
}
