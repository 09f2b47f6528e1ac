//! "Limits and Pagination" and "Counting".

use serde_json::{Value, json};

use crate::question::{call, questions, tool_rows};
use crate::stage::stage;

questions! {
    limit: "samples?select=id&order=id&limit=7" => { "table": "samples", "select": "id", "order": "id", "limit": 7 };
    limit_and_offset: "samples?select=id&order=id&limit=7&offset=20" =>
        { "table": "samples", "select": "id", "order": "id", "limit": 7, "offset": 20 };
    offset_alone: "samples?select=id&order=id&offset=60" => { "table": "samples", "select": "id", "order": "id", "offset": 60 };
    offset_beyond_the_end: "samples?select=id&order=id&limit=5&offset=1000" =>
        { "table": "samples", "select": "id", "order": "id", "limit": 5, "offset": 1000 };
    no_rows_wanted: "samples?select=id&limit=0" => { "table": "samples", "select": "id", "limit": 0 };
}

/// The header `Range: 5-9` is `limit` and `offset`.
#[test]
fn range_header() {
    let theirs = stage()
        .postgrest
        .ask("GET", "samples?select=id&order=id", &[("Range-Unit", "items"), ("Range", "5-9")], "")
        .rows()
        .expect("rows");
    let ours =
        tool_rows(&json!({ "table": "samples", "select": "id", "order": "id", "limit": 5, "offset": 5 }));
    assert_eq!(ours, Ok(theirs));
}

/// `Prefer: count=exact` is `count: "exact"`: the same number, and only of rows that the caller may see.
#[test]
fn exact_count() {
    for (query, filter) in [
        ("samples?select=id&limit=3", json!({})),
        ("samples?select=id&limit=3&flag=is.true", json!({ "flag": "is.true" })),
        ("samples?select=id&limit=3&n=gt.100", json!({ "n": "gt.100" })),
        (
            "samples?select=id&limit=3&or=(n.gt.3,n.is.null)",
            json!({ "or": [{ "n": "gt.3" }, { "n": null }] }),
        ),
    ] {
        let response = stage().postgrest.ask("GET", query, &[("Prefer", "count=exact")], "");
        let arguments =
            json!({ "table": "samples", "select": "id", "limit": 3, "filter": filter, "count": "exact" });
        let ours = call("query_table", &arguments).unwrap_or_else(|error| panic!("{arguments}: {error}"));
        assert_eq!(ours["total_count"].as_u64(), response.total(), "{query}: {ours}");
    }
}

/// The estimates are Postgres's on both sides where no row security is active, and refused here where it is.
#[test]
fn planned_and_estimated_count() {
    let response =
        stage().postgrest.ask("GET", "roles?select=film_id&limit=2", &[("Prefer", "count=planned")], "");
    let ours = call(
        "query_table",
        &json!({ "table": "roles", "select": "film_id", "limit": 2, "count": "planned" }),
    );
    assert_eq!(ours.expect("roles has no policies")["total_count"].as_u64(), response.total());
    let told = call("query_table", &json!({ "table": "roles", "limit": 2, "count": "estimated" }));
    assert!(told.expect("roles has no policies")["total_count"].is_u64());
    for count in ["planned", "estimated"] {
        let header = format!("count={count}");
        let theirs =
            stage().postgrest.ask("GET", "samples?limit=1&id=eq.11", &[("Prefer", &header)], "").total();
        let ours = call(
            "query_table",
            &json!({ "table": "samples", "limit": 1, "filter": { "id": 11 }, "count": count }),
        );
        assert!(theirs.is_some() && ours.is_err(), "an estimate tells of hidden rows: {theirs:?} {ours:?}");
    }
}

/// The pages of `next_cursor`, put together, are what PostgREST gives at once.
#[test]
fn pages_by_cursor_are_the_whole() {
    for (query, order) in [
        ("samples?select=id,n&order=n.desc.nullslast,id", "n.desc.nullslast"),
        ("samples?select=id,n&order=label,id", "label"),
        ("samples?select=id,n&order=data->>k.nullsfirst,on_day.desc,id", "data->>k.nullsfirst,on_day.desc"),
    ] {
        let theirs = stage().postgrest.ask("GET", query, &[], "").rows().expect("rows");
        let mut ours: Vec<Value> = Vec::new();
        let mut arguments = json!({ "table": "samples", "select": "id,n", "order": order, "limit": 9 });
        loop {
            let page = call("query_table", &arguments).unwrap_or_else(|error| panic!("{arguments}: {error}"));
            ours.extend(page["rows"].as_array().expect("rows").iter().cloned());
            if page["has_more"] == json!(false) {
                break;
            }
            arguments["cursor"] = page["next_cursor"].clone();
            assert!(arguments["cursor"].is_string() && ours.len() < 200, "{arguments}: {page}");
        }
        assert_eq!(ours, theirs, "{order}");
    }
}
