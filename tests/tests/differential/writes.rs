//! "Insert", "Update", "Upsert", "Delete" and the preferences of writes. Both sides start from the same tables; rows, numbers and what is
//! in the tables afterwards are compared. Rows 4 and 8 of `w_items` belong to another tenant.

use std::sync::PoisonError;

use serde_json::{Value, json};

use crate::question::{call, writes};
use crate::stage::stage;

writes! {
    // ---- insert ----
    insert: POST "w_items" ["return=representation"] { "name": "new", "qty": 5 } =>
        insert_record { "table": "w_items", "data": { "name": "new", "qty": 5 } };
    insert_defaults_only: POST "w_items" ["return=representation"] {} => insert_record { "table": "w_items", "data": {} }
        refused_here "an object without columns is more often a mistake";
    insert_null_for_a_default: POST "w_items" ["return=representation"] { "name": "n", "qty": null, "note": null } =>
        insert_record { "table": "w_items", "data": { "name": "n", "qty": null, "note": null } };
    insert_select: POST "w_items?select=name,many:qty::text,data->>i" ["return=representation"] { "name": "n", "data": { "i": [1] }, "tags": ["a", "b,c"] } =>
        insert_record { "table": "w_items", "data": { "name": "n", "data": { "i": [1] }, "tags": ["a", "b,c"] }, "returning": "name,many:qty::text,data->>i" };
    insert_embed: POST "w_items?select=name,w_kinds(label)" ["return=representation"] { "name": "n", "kind": "x" } =>
        insert_record { "table": "w_items", "data": { "name": "n", "kind": "x" }, "returning": "name,w_kinds(label)" };
    insert_minimal: POST "w_items" ["return=minimal"] [{ "name": "n" }, { "name": "m" }] =>
        insert_record { "table": "w_items", "data": [{ "name": "n" }, { "name": "m" }], "returning": "none" };
    bulk_insert: POST "w_items" ["return=representation"] [{ "name": "a", "qty": 1 }, { "name": "b", "qty": 2 }] =>
        insert_record { "table": "w_items", "data": [{ "name": "a", "qty": 1 }, { "name": "b", "qty": 2 }] };
    bulk_insert_with_default_values: POST "w_items?columns=name,qty,note" ["missing=default", "return=representation"] [{ "name": "a" }, { "qty": 15 }, { "name": "c", "note": null }] =>
        insert_record { "table": "w_items", "data": [{ "name": "a" }, { "qty": 15 }, { "name": "c", "note": null }] };
    bulk_insert_of_nothing: POST "w_items" ["return=representation"] [] => insert_record { "table": "w_items", "data": [] }
        refused_here "a list without rows is more often a mistake";
    bulk_insert_is_atomic: POST "w_items" ["return=representation"] [{ "name": "a", "qty": 1 }, { "name": "item 1", "qty": 2 }] =>
        insert_record { "table": "w_items", "data": [{ "name": "a", "qty": 1 }, { "name": "item 1", "qty": 2 }] } refused;
    insert_for_somebody_else: POST "w_items" ["return=representation"] { "name": "a", "owner": "00000000-0000-4000-8000-00000000000b" } =>
        insert_record { "table": "w_items", "data": { "name": "a", "owner": "00000000-0000-4000-8000-00000000000b" } } refused;
    insert_against_a_check: POST "w_items" [] { "name": "a", "qty": -1 } => insert_record { "table": "w_items", "data": { "name": "a", "qty": -1 } } refused;
    insert_against_a_key: POST "w_items" [] { "name": "a", "kind": "nowhere" } =>
        insert_record { "table": "w_items", "data": { "name": "a", "kind": "nowhere" } } refused;
    insert_of_an_unknown_column: POST "w_items" [] { "nmae": "a" } => insert_record { "table": "w_items", "data": { "nmae": "a" } } refused;
    insert_of_a_hidden_duplicate: POST "w_items" [] { "name": "item 4" } => insert_record { "table": "w_items", "data": { "name": "item 4" } } refused;

    // ---- upsert ----
    upsert: POST "w_kinds" ["resolution=merge-duplicates", "return=representation"] [{ "code": "x", "label": "changed" }, { "code": "z", "label": "new" }] =>
        insert_record { "table": "w_kinds", "data": [{ "code": "x", "label": "changed" }, { "code": "z", "label": "new" }], "on_conflict": "*" };
    upsert_on_a_unique_column: POST "w_items?on_conflict=name" ["resolution=merge-duplicates", "return=representation"] [{ "name": "item 1", "qty": 77 }, { "name": "new", "qty": 88 }] =>
        insert_record { "table": "w_items", "data": [{ "name": "item 1", "qty": 77 }, { "name": "new", "qty": 88 }], "on_conflict": "name" };
    upsert_on_two_columns: POST "w_pairs?on_conflict=a,b" ["resolution=merge-duplicates", "return=representation"] [{ "a": 1, "b": 1, "v": "merged" }, { "a": 9, "b": 9, "v": "new" }] =>
        insert_record { "table": "w_pairs", "data": [{ "a": 1, "b": 1, "v": "merged" }, { "a": 9, "b": 9, "v": "new" }], "on_conflict": "a,b", "resolution": "merge" };
    upsert_leaves_other_columns: POST "w_items?on_conflict=name" ["resolution=merge-duplicates", "return=representation"] { "name": "item 2", "qty": 0 } =>
        insert_record { "table": "w_items", "data": { "name": "item 2", "qty": 0 }, "on_conflict": "name" };
    upsert_ignore: POST "w_pairs" ["resolution=ignore-duplicates", "return=representation"] [{ "a": 1, "b": 1, "v": "no" }, { "a": 9, "b": 9, "v": "new" }] =>
        insert_record { "table": "w_pairs", "data": [{ "a": 1, "b": 1, "v": "no" }, { "a": 9, "b": 9, "v": "new" }], "on_conflict": "", "resolution": "ignore" };
    upsert_ignore_on_a_column: POST "w_items?on_conflict=name" ["resolution=ignore-duplicates", "return=representation"] [{ "name": "item 1", "qty": 1 }, { "name": "fresh", "qty": 2 }] =>
        insert_record { "table": "w_items", "data": [{ "name": "item 1", "qty": 1 }, { "name": "fresh", "qty": 2 }], "on_conflict": "name", "resolution": "ignore" };
    upsert_ignore_all: POST "w_pairs" ["resolution=ignore-duplicates", "return=representation"] { "a": 1, "b": 1, "v": "no" } =>
        insert_record { "table": "w_pairs", "data": { "a": 1, "b": 1, "v": "no" }, "on_conflict": "*", "resolution": "ignore" };
    upsert_of_keys_only: POST "w_pairs" ["resolution=merge-duplicates", "return=representation"] [{ "a": 1, "b": 1 }, { "a": 5, "b": 5 }] =>
        insert_record { "table": "w_pairs", "data": [{ "a": 1, "b": 1 }, { "a": 5, "b": 5 }], "on_conflict": "a,b" };
    upsert_with_default_values: POST "w_pairs?columns=a,b,v" ["resolution=merge-duplicates", "missing=default", "return=representation"] [{ "a": 7, "b": 7 }, { "a": 8, "b": 8, "v": "given" }] =>
        insert_record { "table": "w_pairs", "data": [{ "a": 7, "b": 7 }, { "a": 8, "b": 8, "v": "given" }], "on_conflict": "a,b" }
        refused_here "with merge, a row that is there would get defaults for what this one row leaves out";
    upsert_of_a_hidden_row: POST "w_items?on_conflict=name" ["resolution=merge-duplicates"] { "name": "item 4", "qty": 1 } =>
        insert_record { "table": "w_items", "data": { "name": "item 4", "qty": 1 }, "on_conflict": "name" } refused;
    upsert_twice_the_same_key: POST "w_pairs" ["resolution=merge-duplicates"] [{ "a": 1, "b": 1, "v": "p" }, { "a": 1, "b": 1, "v": "q" }] =>
        insert_record { "table": "w_pairs", "data": [{ "a": 1, "b": 1, "v": "p" }, { "a": 1, "b": 1, "v": "q" }], "on_conflict": "*" } refused;
    upsert_on_no_key: POST "w_items?on_conflict=note" ["resolution=merge-duplicates"] { "name": "n", "note": "note 1" } =>
        insert_record { "table": "w_items", "data": { "name": "n", "note": "note 1" }, "on_conflict": "note" } refused;
    put: PUT "w_kinds?code=eq.y" ["return=representation"] { "code": "y", "label": "put" } =>
        insert_record { "table": "w_kinds", "data": { "code": "y", "label": "put" }, "on_conflict": "code" };

    // ---- update ----
    update: PATCH "w_items?qty=lt.40" ["return=representation", "count=exact"] { "note": "low" } =>
        update_record { "table": "w_items", "filter": { "qty": "lt.40" }, "data": { "note": "low" } };
    update_all_of_ones_own: PATCH "w_items?id=gt.0" ["return=representation", "count=exact"] { "qty": 1 } =>
        update_record { "table": "w_items", "filter": { "id": "gt.0" }, "data": { "qty": 1 } };
    update_nothing: PATCH "w_items?id=eq.4" ["return=representation", "count=exact"] { "qty": 1 } =>
        update_record { "table": "w_items", "filter": { "id": 4 }, "data": { "qty": 1 } };
    update_to_null: PATCH "w_items?id=eq.1" ["return=representation"] { "note": null, "tags": null, "data": null } =>
        update_record { "table": "w_items", "filter": { "id": 1 }, "data": { "note": null, "tags": null, "data": null } };
    update_select: PATCH "w_items?name=in.(\"item 1\",\"item 2\")&select=id,w_kinds(label)" ["return=representation"] { "kind": "y" } =>
        update_record { "table": "w_items", "filter": { "name": { "in": ["item 1", "item 2"] } }, "data": { "kind": "y" }, "returning": "id,w_kinds(label)" };
    update_minimal: PATCH "w_items?qty=gte.40" ["return=minimal", "count=exact"] { "qty": 0 } =>
        update_record { "table": "w_items", "filter": { "qty": "gte.40" }, "data": { "qty": 0 }, "returning": "none" };
    update_by_a_group: PATCH "w_items?or=(qty.eq.10,note.is.null)" ["return=representation"] { "kind": "y" } =>
        update_record { "table": "w_items", "filter": { "or": [{ "qty": 10 }, { "note": null }] }, "data": { "kind": "y" } };
    update_json_and_arrays: PATCH "w_items?data->i=eq.2" ["return=representation"] { "data": { "deep": [{ "a": null }] }, "tags": ["x", null, "\"q\""] } =>
        update_record { "table": "w_items", "filter": { "data->i": "eq.2" }, "data": { "data": { "deep": [{ "a": null }] }, "tags": ["x", null, "\"q\""] } };
    update_gives_away: PATCH "w_items?id=eq.1" [] { "owner": "00000000-0000-4000-8000-00000000000b" } =>
        update_record { "table": "w_items", "filter": { "id": 1 }, "data": { "owner": "00000000-0000-4000-8000-00000000000b" } } refused;
    update_unknown_column: PATCH "w_items?id=eq.1" [] { "nmae": 1 } =>
        update_record { "table": "w_items", "filter": { "id": 1 }, "data": { "nmae": 1 } } refused;
    update_is_atomic: PATCH "w_items?id=in.(1,2)" [] { "name": "same" } =>
        update_record { "table": "w_items", "filter": { "id": { "in": [1, 2] } }, "data": { "name": "same" } } refused;

    // ---- delete ----
    delete: DELETE "w_items?qty=gt.40" ["return=representation", "count=exact"] null =>
        delete_record { "table": "w_items", "filter": { "qty": "gt.40" } };
    delete_select: DELETE "w_pairs?a=eq.1&select=b,v" ["return=representation"] null =>
        delete_record { "table": "w_pairs", "filter": { "a": 1 }, "returning": "b,v" };
    delete_minimal: DELETE "w_pairs?not.and=(a.eq.1,b.eq.1)" ["return=minimal", "count=exact"] null =>
        delete_record { "table": "w_pairs", "filter": { "not": { "a": 1, "b": 1 } }, "returning": "none" };
    delete_hidden: DELETE "w_items?id=eq.8" ["return=representation", "count=exact"] null =>
        delete_record { "table": "w_items", "filter": { "id": 8 } };
    delete_embed: DELETE "w_items?id=in.(1,2)&select=id,w_kinds(label)" ["return=representation"] null =>
        delete_record { "table": "w_items", "filter": { "id": { "in": [1, 2] } }, "returning": "id,w_kinds(label)" };
    delete_against_a_key: DELETE "w_kinds?code=eq.x" [] null => delete_record { "table": "w_kinds", "filter": { "code": "eq.x" } } refused;

    // ---- tx=rollback ----
    insert_rolled_back: POST "w_pairs" ["tx=rollback", "return=representation"] { "a": 9, "b": 9 } =>
        insert_record { "table": "w_pairs", "data": { "a": 9, "b": 9 }, "dry_run": true };
    update_rolled_back: PATCH "w_items?id=lt.4" ["tx=rollback", "return=representation", "count=exact"] { "qty": 3 } =>
        update_record { "table": "w_items", "filter": { "id": "lt.4" }, "data": { "qty": 3 }, "dry_run": true };
    delete_rolled_back: DELETE "w_pairs?a=eq.2" ["tx=rollback", "return=representation", "count=exact"] null =>
        delete_record { "table": "w_pairs", "filter": { "a": 2 }, "dry_run": true };
}

/// What PostgREST has from version 12.2 on: a bound on the rows touched; and here, the number that is expected. Beyond them nothing is done.
#[test]
fn limits_of_writes() {
    let stage = stage();
    let mut admin = stage.admin.lock().unwrap_or_else(PoisonError::into_inner);
    admin.batch_execute("SELECT public.fill_written_tables()").expect("filled");
    let mut left =
        || -> i64 { admin.query_one("SELECT count(*) FROM public.w_pairs", &[]).expect("counted").get(0) };
    let remove = |bound: Value| {
        let mut arguments = json!({ "table": "w_pairs", "filter": { "a": 1 }, "returning": "none" });
        arguments.as_object_mut().expect("an object").extend(bound.as_object().expect("an object").clone());
        call("delete_record", &arguments)
    };
    for bound in [json!({ "max_affected": 2 }), json!({ "expect": 2 }), json!({ "expect": 4 })] {
        let error = remove(bound.clone()).expect_err("three rows are touched");
        assert!(error.contains('3') && left() == 9, "{bound}: {error}");
    }
    assert_eq!(
        remove(json!({ "max_affected": 3, "expect": 3 })).map(|answer| answer["deleted"].clone()),
        Ok(json!(3))
    );
    assert_eq!(left(), 6);
}
