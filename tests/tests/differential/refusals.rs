//! What both sides refuse. Our error names what is wrong.

use serde_json::json;

use crate::question::{call, refusals};
use crate::stage::stage;

refusals! {
    unknown_table: "flims" => { "table": "flims" }, "films";
    unknown_column: "films?select=tilte" => { "table": "films", "select": "tilte" }, "title";
    unknown_column_in_a_filter: "films?tilte=eq.x" => { "table": "films", "filter": { "tilte": "eq.x" } }, "title";
    unknown_column_in_the_order: "films?order=tilte" => { "table": "films", "order": "tilte" }, "title";
    unknown_operator: "films?title=equals.x" => { "table": "films", "filter": { "title": "equals.x" } }, "equals";
    unknown_type: "films?select=title::nothing" => { "table": "films", "select": "title::nothing" }, "nothing";
    unknown_relation: "films?select=title,studios(name)" => { "table": "films", "select": "title,studios(name)" }, "studios";
    unrelated_table: "films?select=title,warehouses(label)" => { "table": "films", "select": "title,warehouses(label)" }, "warehouses";
    ambiguous_relation: "orders?select=name,addresses(name)" => { "table": "orders", "select": "name,addresses(name)" }, "billing";
    wrong_hint: "orders?select=name,addresses!nowhere(name)" => { "table": "orders", "select": "name,addresses!nowhere(name)" }, "billing";
    spread_of_many: "directors?select=id,...films(title)" => { "table": "directors", "select": "id,...films(title)" }, "films";
    order_by_many: "directors?select=id,films(year)&order=films(year)" =>
        { "table": "directors", "select": "id,films(year)", "order": "films(year)" }, "films";
    value_of_the_wrong_type: "films?year=eq.soon" => { "table": "films", "filter": { "year": "eq.soon" } }, "soon";
    is_with_another_word: "films?year=is.soon" => { "table": "films", "filter": { "year": "is.soon" } }, "is";
    is_true_of_a_number: "films?year=is.true" => { "table": "films", "filter": { "year": "is.true" } }, "year";
    containment_in_a_number: "films?year=cs.{1}" => { "table": "films", "filter": { "year": "cs.{1}" } }, "year";
    unknown_text_search_configuration: "films?words=fts(klingon).cat" => { "table": "films", "filter": { "words": "fts(klingon).cat" } }, "klingon";
    bad_text_search_query: "films?words=fts.fat cat" => { "table": "films", "filter": { "words": "fts.fat cat" } }, "tsquery";
    bad_regular_expression: "films?title=match.((" => { "table": "films", "filter": { "title": "match.((" } }, "regular expression";
    open_parenthesis: "films?select=title,directors(last_name" => { "table": "films", "select": "title,directors(last_name" }, "select";
    sum_of_text: "films?select=title.sum()" => { "table": "films", "select": "title.sum()" }, "title";
    unknown_aggregate: "films?select=year.median()" => { "table": "films", "select": "year.median()" }, "median";
    order_by_what_is_not_grouped: "films?select=genre,count()&order=year" => { "table": "films", "select": "genre,count()", "order": "year" }, "year";
    shape_of_what_is_not_embedded: "films?select=title&roles.character=eq.Chico" =>
        { "table": "films", "select": "title", "embed": { "roles": { "filter": { "character": "eq.Chico" } } } }, "roles";
    table_without_a_grant: "pg_class" => { "table": "pg_class" }, "unknown table";
}

/// PostgREST guesses one of the keys; a guess is not offered here.
#[test]
fn ambiguous_self_reference() {
    let error =
        call("query_table", &json!({ "table": "employees", "select": "last_name,employees(last_name)" }));
    let error = error.expect_err("there are two keys");
    assert!(error.contains("supervisor_id") && error.contains("mentor_id"), "{error}");
}

/// PostgREST reads these as if they were not there. An argument that is not understood is an error here, never ignored.
#[test]
fn what_postgrest_ignores() {
    for (query, arguments) in [
        ("films?select=id&offset=-1", json!({ "table": "films", "offset": -1 })),
        ("films?select=id&limit=many", json!({ "table": "films", "limit": "many" })),
    ] {
        assert!(stage().postgrest.ask("GET", query, &[], "").rows().is_ok(), "{query}");
        let error = call("query_table", &arguments);
        assert!(error.is_err(), "{arguments}: {error:?}");
    }
}
