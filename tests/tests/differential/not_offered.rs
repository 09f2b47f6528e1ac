//! What PostgREST has and the tools have not, by decision; [postgrest.md](../../../docs/postgrest.md) has the reasons in full.

use serde_json::json;

use crate::question::{call, not_offered};
use crate::stage::stage;

not_offered! {
    computed_fields "A function is not a column: running one is what execute:rpc is for.":
        "directors?select=id,full_name" => { "table": "directors", "select": "id,full_name" }, "full_name";
    computed_relationships "Relations are keys: a function may do anything.":
        "directors?select=id,first_film(title)" => { "table": "directors", "select": "id,first_film(title)" }, "first_film";
    relations_of_views "Keys are those of the catalog; a view has none.":
        "long_films?select=title,roles(character)" => { "table": "long_films", "select": "title,roles(character)" }, "roles";
    casts_to_other_types "Casts run code of the type; the list is closed.":
        "films?select=title::name" => { "table": "films", "select": "title::name" }, "name";
    system_columns "They tell of other rows' writes.": "films?select=ctid,id" => { "table": "films", "select": "ctid,id" }, "ctid";
    two_outputs_of_one_name "One of them would be lost in most readers.":
        "films?select=title,title" => { "table": "films", "select": "title,title" }, "title";
    count_without_parentheses "It is a column's name here.": "films?select=count" => { "table": "films", "select": "count" }, "count";
    comparison_with_the_word_null "A model that writes it means is.null.":
        "samples?select=id&label=eq.null" => { "table": "samples", "select": "id", "filter": { "label": "eq.null" } }, "is.null";
}

/// Functions are not tables.
#[test]
fn functions_as_tables() {
    let theirs = stage().postgrest.ask("GET", "rpc/films_since?since=2010&select=title", &[], "").rows();
    assert!(theirs.is_ok_and(|rows| !rows.is_empty()));
    assert!(call("query_table", &json!({ "table": "films_since" })).is_err());
}

/// Other media types of PostgREST: answers are JSON here.
#[test]
fn media_types() {
    let stage = stage();
    let csv = stage.postgrest.ask("GET", "films?select=id&limit=1&order=id", &[("Accept", "text/csv")], "");
    assert_eq!(csv.body.trim(), "id\n1");
    let one = stage.postgrest.ask(
        "GET",
        "films?select=id&id=eq.1",
        &[("Accept", "application/vnd.pgrst.object+json")],
        "",
    );
    assert_eq!(one.body, r#"{"id":1}"#);
    for more in [json!({ "format": "csv" }), json!({ "single": true }), json!({ "accept": "text/csv" })] {
        let mut arguments = json!({ "table": "films", "select": "id" });
        arguments.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let error =
            call("query_table", &arguments).expect_err("an argument that is not known is never ignored");
        assert!(error.contains("there is no such argument"), "{error}");
    }
}

/// Limited updates and deletes: which rows are touched must be said by the filter; `max_affected` bounds how many.
#[test]
fn limited_writes() {
    for tool in ["update_record", "delete_record"] {
        let mut arguments =
            json!({ "table": "w_pairs", "filter": { "a": "gt.0" }, "limit": 1, "order": "a" });
        if tool == "update_record" {
            arguments["data"] = json!({ "v": "x" });
        }
        let error = call(tool, &arguments).expect_err("limit is not an argument of a write");
        assert!(error.contains("there is no such argument"), "{error}");
    }
}
