//! Related rows: in the answer, in the filter and in the order.

mod support;

use support::relations::library;

fn sql(table: &str, json: &str) -> String {
    library().select(table, json).unwrap_or_else(|error| panic!("{json}: {error}")).statement.sql
}

#[test]
fn whole_statements() {
    for (json, expected) in [
        (
            r#"{"select":"id,author_id(name)"}"#,
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t1."name" FROM "public"."people" AS t1 WHERE t1."id" OPERATOR(pg_catalog.=) t."author_id") AS _r) AS "author_id" FROM "public"."books" AS t LIMIT 101) AS _r"#,
        ),
        (
            r#"{"select":"id,...author_id(writer:name)"}"#,
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", (SELECT t1."name" FROM "public"."people" AS t1 WHERE t1."id" OPERATOR(pg_catalog.=) t."author_id") AS "writer" FROM "public"."books" AS t LIMIT 101) AS _r"#,
        ),
        (
            r#"{"select":"id,shelves(number)"}"#,
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t1."number" FROM "public"."shelves" AS t1 WHERE t1."hall" OPERATOR(pg_catalog.=) t."hall" AND t1."number" OPERATOR(pg_catalog.=) t."shelf") AS _r) AS "shelves" FROM "public"."books" AS t LIMIT 101) AS _r"#,
        ),
        (
            r#"{"select":"id,tags(name)","embed":{"tags":{"filter":{"name":"like.a%"},"order":"name.desc","limit":3,"offset":1}}}"#,
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", (SELECT pg_catalog.concat('[', pg_catalog.string_agg(pg_catalog.row_to_json(_r.*)::pg_catalog.text, ','), ']')::pg_catalog.json FROM (SELECT t1."name" FROM "public"."books_tags" AS t2, "public"."tags" AS t1 WHERE t."id" OPERATOR(pg_catalog.=) t2."book_id" AND t1."id" OPERATOR(pg_catalog.=) t2."tag_id" AND t1."name" OPERATOR(pg_catalog.~~) $1 ORDER BY t1."name" DESC LIMIT 3 OFFSET 1) AS _r) AS "tags" FROM "public"."books" AS t LIMIT 101) AS _r"#,
        ),
        (
            r#"{"select":"id","filter":{"author_id.name":"eq.Ada","author_id.born":{"lt":1900}}}"#,
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id" FROM "public"."books" AS t WHERE EXISTS (SELECT 1 FROM "public"."people" AS t1 WHERE t1."id" OPERATOR(pg_catalog.=) t."author_id" AND t1."name" OPERATOR(pg_catalog.=) $1 AND t1."born" OPERATOR(pg_catalog.<) $2) LIMIT 101) AS _r"#,
        ),
        (
            r#"{"select":"id,details!inner()"}"#,
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id" FROM "public"."books" AS t WHERE EXISTS (SELECT 1 FROM "public"."details" AS t1 WHERE t."id" OPERATOR(pg_catalog.=) t1."book_id") LIMIT 101) AS _r"#,
        ),
    ] {
        assert_eq!(sql("books", json), expected, "{json}");
    }
}

#[test]
fn names_in_the_answer() {
    for (item, name) in [
        ("author_id(name)", "author_id"),
        ("writer:author_id(name)", "writer"),
        ("writer : author_id ( name )", "writer"),
        ("\"writer\":author_id(name)", "writer"),
        ("public.shelves(number)", "shelves"),
        ("books_shelf_fkey(number)", "books_shelf_fkey"),
        ("people!loans(name)", "people"),
        ("\"my.schema\".\"o\"\"dd.table\"(*)", "o\"\"dd.table"),
    ] {
        let json = format!("{{\"select\":{}}}", serde_json::to_string(item).unwrap());
        let sql = sql("books", &json);
        assert!(sql.contains(&format!(" AS \"{name}\" FROM \"public\".\"books\" AS t ")), "{item}: {sql}");
    }
    // Where the alias of a spread stands makes no difference: its outputs have their own names.
    assert_eq!(
        sql("books", r#"{"select":"...a:author_id(name)","filter":{"a.name":"eq.x"}}"#),
        sql("books", r#"{"select":"a:...author_id(name)","filter":{"a.name":"eq.x"}}"#)
    );
}

#[test]
fn existence() {
    let library = library();
    let some = library.condition("books", r#"{"tags":"isnot.null"}"#).unwrap();
    assert!(
        some.starts_with(
            "EXISTS (SELECT 1 FROM \"public\".\"books_tags\" AS t2, \"public\".\"tags\" AS t1 WHERE "
        ),
        "{some}"
    );
    for (json, negated) in [
        (r#"{"tags":null}"#, true),
        (r#"{"tags":"is.null"}"#, true),
        (r#"{"\"tags\"":"is.null"}"#, true),
        (r#"{"tags":"not.is.null"}"#, false),
    ] {
        let expected = if negated { format!("NOT ({some})") } else { some.clone() };
        assert_eq!(library.condition("books", json).unwrap(), expected, "{json}");
    }
    // The name of a column is the column, also where it is a key.
    assert_eq!(library.condition("books", r#"{"author_id":null}"#).unwrap(), "t.\"author_id\" IS NULL");
    for json in [r#"{"tags":"eq.red"}"#, r#"{"tags":{"is":null}}"#, r#"{"tags":5}"#, r#"{"tags":["red"]}"#] {
        let error = library.condition("books", json).unwrap_err();
        assert_eq!(error.code(), "42601", "{json}");
        assert!(error.to_string().contains("ask of a column of it: \"tags.column\"."), "{error}");
    }
}

#[test]
fn names_of_select_come_first_in_filter_and_embed() {
    let library = library();
    let sql = |json: &str| library.select("books", json).unwrap().statement.sql;
    // `tags` is another relation here.
    let read = sql(r#"{"select":"id,tags:author_id(name)","filter":{"tags.name":"eq.x"}}"#);
    assert!(read.contains(r#"WHERE EXISTS (SELECT 1 FROM "public"."people" AS t1 WHERE"#), "{read}");
    let read = sql(
        r#"{"select":"id,w:author_id(name,of:books!books_author_id_fkey(title))","filter":{"w.of.title":"eq.x"},"embed":{"w.of":{"order":"title","limit":2,"filter":{"author_id.born":{"gt":1}}}}}"#,
    );
    assert!(
        read.contains(r#" ORDER BY t6."title" LIMIT 2"#) || read.contains(r#""title" LIMIT 2"#),
        "{read}"
    );
    // schema.table.field
    let (one, two) = (
        library.condition("books", r#"{"shelves.number":1}"#).unwrap(),
        library.condition("books", r#"{"public.shelves.number":1}"#).unwrap(),
    );
    assert_eq!(one, two);
    // Quotes, and a column whose name holds a dot.
    let odd = library.condition("books", r#"{"\"o\"\"dd.table\".\"a.b\"":"eq.x"}"#).unwrap();
    assert!(odd.ends_with(r#"t1."a.b" OPERATOR(pg_catalog.=) $1)"#), "{odd}");
    let odd_plain = library.condition("books", r#"{"\"o\"\"dd.table\".a.b":"eq.x"}"#).unwrap();
    assert_eq!(odd, odd_plain);
}

#[test]
fn inner_leaves_out_what_has_no_row_left() {
    let sql = sql(
        "books",
        r#"{"select":"id,tags!inner(name)","embed":{"tags":{"filter":{"name":"eq.red"},"limit":1}},"count":"exact"}"#,
    );
    assert!(
        sql.contains(
            r#" WHERE EXISTS (SELECT 1 FROM "public"."books_tags" AS t2, "public"."tags" AS t1 WHERE "#
        ),
        "{sql}"
    );
    assert_eq!(sql.matches("\"name\" OPERATOR(pg_catalog.=) $").count(), 2, "{sql}");
    // The total counts the same rows.
    let read = library().select("books", r#"{"select":"id,tags!inner(name)","count":"exact"}"#).unwrap();
    let Some(fluxbase_query::Count::Exact(count)) = read.count else { panic!("no count") };
    assert!(count.sql.contains("EXISTS (SELECT 1 FROM \"public\".\"books_tags\""), "{}", count.sql);
}

#[test]
fn open_lists_are_bounded_and_told() {
    let library = library();
    let open = |table: &str, json: &str| library.select(table, json).unwrap().open_list;
    assert_eq!(open("books", r#"{"select":"tags(*)"}"#), 100);
    assert_eq!(open("books", r#"{"select":"author_id(*,books!author_id(*))"}"#), 100);
    assert_eq!(open("books", r#"{"select":"tags(*)","embed":{"tags":{"limit":5}}}"#), 0);
    assert_eq!(open("books", r#"{"select":"author_id(*)"}"#), 0);
    assert_eq!(open("books", r#"{"select":"details(*)"}"#), 0);
    let read = library.select("books", r#"{"select":"tags(*)","embed":{"tags":{"limit":5000}}}"#).unwrap();
    assert_eq!(read.notes, ["embed.tags.limit 5000 was cut to 1000, the most that one list holds."]);
    let read = library.select("books", r#"{"select":"tags(*)","embed":{"tags":{"limit":0}}}"#).unwrap();
    assert!(read.statement.sql.contains(" LIMIT 0)"), "{}", read.statement.sql);
}

#[test]
fn order_by_a_related_row() {
    let library = library();
    let read =
        library.select("books", r#"{"select":"id","order":"author_id(name).desc.nullslast,id"}"#).unwrap();
    assert!(
        read.statement.sql.contains(
            r#" ORDER BY (SELECT t1."name" FROM "public"."people" AS t1 WHERE t1."id" OPERATOR(pg_catalog.=) t."author_id") DESC NULLS LAST, t."id" LIMIT"#
        ),
        "{}",
        read.statement.sql
    );
    assert!(read.keyset.is_some());
    for (order, code) in [
        ("tags(name)", "42601"),
        ("nobody(name)", "42P01"),
        ("author_id(password)", "42703"),
        ("author_id(name", "42601"),
        ("author_id()", "42703"),
        ("author_id(info)", "00000"),
        ("author_id(info->x).asc", "00000"),
        ("people(name)", "42P09"),
        ("people!books_author_id_fkey(name)", "00000"),
        ("people!loans(name)", "42601"),
    ] {
        let json = format!("{{\"select\":\"id\",\"order\":{order:?}}}");
        let code_got = library.select("books", &json).map_or_else(|error| error.code(), |_| "00000");
        assert_eq!(code_got, code, "{order}");
    }
}

#[test]
fn embed_is_read_strictly() {
    let library = library();
    for (json, text) in [
        (
            r#"{"embed":{"tags":{}}}"#,
            r#"embed.tags: select has no relation "tags". select has no relation there; write one first"#,
        ),
        (
            r#"{"select":"tags(*)","embed":{"tag":{}}}"#,
            r#"embed.tag: select has no relation "tag". Did you mean "tags"? Relations of select: tags."#,
        ),
        (r#"{"select":"tags(*)","embed":[]}"#, "embed: must be an object, not a list."),
        (r#"{"select":"tags(*)","embed":{"tags":5}}"#, "embed.tags: must be an object, not a number."),
        (
            r#"{"select":"tags(*)","embed":{"tags":{"limt":5}}}"#,
            "embed.tags.limt: there is no such argument. Did you mean \"limit\"?",
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags":{"limit":-1}}}"#,
            "embed.tags.limit: must be 0 or more, not -1.",
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags":{"limit":"5"}}}"#,
            "embed.tags.limit: must be an integer, not a string.",
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags":{"order":5}}}"#,
            "embed.tags.order: must be a string or a list of strings, not a number.",
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags":{"order":"nme"}}}"#,
            "embed.tags.order: public.tags has no column \"nme\".",
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags":{"filter":{"nme":1}}}}"#,
            "embed.tags.filter.nme: public.tags has no column \"nme\".",
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags":{"filter":"x"}}}"#,
            "embed.tags.filter: must be an object, not a string.",
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags":{"limit":1,"limit":2}}}"#,
            "embed.tags: the key \"limit\" stands twice.",
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags":{},"\"tags\"":{"limit":1}}}"#,
            r#"embed."\"tags\"": this relation stands twice in embed."#,
        ),
        (
            r#"{"select":"tags(*)","embed":{"tags.books":{}}}"#,
            r#"embed."tags.books": select has no relation "books"."#,
        ),
    ] {
        let error = library.select("books", json).expect_err(json).to_string();
        assert!(error.starts_with(text), "{error}");
        assert!(error.ends_with("Nothing was read."), "{error}");
    }
}

#[test]
fn what_may_not_be_read_is_not_there() {
    let library = library();
    for json in [
        r#"{"select":"author_id(password)"}"#,
        r#"{"filter":{"author_id.password":"eq.x"}}"#,
        r#"{"order":"author_id(password)"}"#,
        r#"{"select":"author_id(name)","embed":{"author_id":{"filter":{"password":"eq.x"}}}}"#,
        r#"{"select":"author_id(name)","embed":{"author_id":{"order":"password"}}}"#,
        r#"{"select":"author_id(password.count())"}"#,
        r#"{"select":"author_id(mentor_id(password))"}"#,
        r#"{"filter":{"author_id.mentor_id.password":"eq.x"}}"#,
        r#"{"filter":{"or":[{"not":{"author_id.password":null}}]}}"#,
        r#"{"select":"secret"}"#,
        r#"{"select":"secret.count()"}"#,
        r#"{"filter":{"secret->a":1}}"#,
        r#"{"order":"secret"}"#,
    ] {
        assert_eq!(library.select("books", json).expect_err(json).code(), "42703", "{json}");
    }
    assert!(!sql("books", r#"{"select":"*,writer:author_id(*)"}"#).contains("password"));
}

#[test]
fn relations_are_bounded_in_number_and_depth() {
    let library = library();
    let nested = |depth: usize| {
        let open: String =
            (0..depth).map(|n| if n % 2 == 0 { "author_id(" } else { "x:books!author_id(" }).collect();
        let last = if depth.is_multiple_of(2) { "id" } else { "name" };
        format!("{{\"select\":\"{open}{last}{}\"}}", ")".repeat(depth))
    };
    assert!(library.select("books", &nested(8)).is_ok());
    assert_eq!(library.select("books", &nested(9)).unwrap_err().code(), "22023");
    let many = |number: usize| {
        let items: Vec<_> = (0..number).map(|n| format!("a{n}:author_id(name)")).collect();
        format!("{{\"select\":\"{}\"}}", items.join(","))
    };
    assert!(library.select("books", &many(50)).is_ok());
    assert_eq!(library.select("books", &many(51)).unwrap_err().code(), "22023");
    for json in [nested(100_000), many(100_000)] {
        assert!(library.select("books", &json).is_err());
    }
    let keys = "author_id.mentor_id.".to_owned() + &"mentor_id.".repeat(100_000);
    assert_eq!(library.condition("books", &format!("{{\"{keys}name\":1}}")).unwrap_err().code(), "42601");
}

#[test]
fn a_select_shows_something() {
    let library = library();
    for json in [r#"{"select":"tags!inner()"}"#, r#"{"select":"tags(),author_id()"}"#] {
        assert_eq!(
            library.select("books", json).unwrap_err().to_string(),
            "select: names only relations of which nothing is shown. Name a column as well: *,relation!inner(). Nothing was read."
        );
    }
}

/// Where a value stood, for the message if it does not fit its type.
#[test]
fn values_know_their_place() {
    let places = |json: &str| -> Vec<String> {
        let read = library().select("books", json).unwrap();
        read.statement.params.into_iter().map(|param| param.place).collect()
    };
    for (json, place) in [
        (r#"{"filter":{"id":"eq.x"}}"#, "filter.id"),
        (r#"{"filter":{"author_id.id":"eq.x"}}"#, "filter.author_id.id"),
        (r#"{"filter":{"or":[{"author_id.mentor_id.id":"eq.x"}]}}"#, "filter.author_id.mentor_id.id"),
        (r#"{"select":"tags(*)","embed":{"tags":{"filter":{"id":"eq.x"}}}}"#, "embed.tags.filter.id"),
        (r#"{"select":"w:author_id(*)","filter":{"w.id":"eq.x"}}"#, "filter.w.id"),
    ] {
        assert_eq!(places(json), [place], "{json}");
    }
}

/// Tables may have columns of any name, also of those that statements are made of.
#[test]
fn the_record_is_never_a_column() {
    let library = library();
    for (table, json) in [
        ("o\"dd.table", r#"{"select":"a:\"book id\",books(title)"}"#),
        ("books", r#"{"select":"id,\"o\"\"dd.table\"(_r)","order":"id"}"#),
    ] {
        let sql = library.select(table, json).unwrap().statement.sql;
        assert_eq!(sql.matches("row_to_json(_r.*)").count(), sql.matches("row_to_json(").count(), "{sql}");
    }
}
