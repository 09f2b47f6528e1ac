//! Transactions that collide, and constraints that are checked late.

use super::*;

/// Proves that a serialization failure is tried again and then answered as if it had not been; that one that stays is told as
/// a conflict after three attempts; and that neither leaves anything behind.
#[test]
fn conflicts_are_tried_again() {
    let stage = stage();
    let mut admin = stage.database.admin();
    let mut client = stage.listener.client(&stage.a);
    let attempts = |admin: &mut postgres::Client| -> i64 {
        admin
            .query_one("SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM public.attempts", &[])
            .expect("read")
            .get(0)
    };
    let restart = |admin: &mut postgres::Client| {
        admin.batch_execute("ALTER SEQUENCE public.attempts RESTART").expect("restarted")
    };
    restart(&mut admin);
    let row = client.call("insert_record", json!({ "table": "flaky", "data": { "id": 1, "failures": 2 } }));
    assert_eq!(row.value(), json!({ "id": 1, "failures": 2 }));
    assert_eq!(attempts(&mut admin), 3, "it failed twice, and went through the third time");
    restart(&mut admin);
    let response = client
        .call("insert_record", json!({ "table": "flaky", "data": { "id": 2, "failures": 1000 } }))
        .response;
    assert_eq!((response.status, response.code()), (503, -32603), "{}", response.text());
    assert!(response.message().contains("Nothing was changed") && response.header("retry-after").is_some());
    assert_eq!(attempts(&mut admin), 3);
    let left: i64 =
        admin.query_one("SELECT count(*) FROM public.flaky WHERE id = 2", &[]).expect("counted").get(0);
    assert_eq!(left, 0);
}

/// Proves that of two assistants in a deadlock both are answered well: the victim is tried again.
#[test]
fn a_deadlock_is_resolved() {
    let stage = stage();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let update = |id: i32, key: &'static Key| {
            scope.spawn(move || {
                let mut client = stage.listener.client(key);
                client.call(
                    "update_record",
                    json!({ "table": "crossing", "filter": { "id": id }, "data": { "other": 3 - id } }),
                )
            })
        };
        let both = [update(1, &stage.a), update(2, &stage.b)];
        both.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for answer in answers {
        assert_eq!(answer.value()["updated"], json!(1));
    }
    let hits: i64 = stage
        .database
        .admin()
        .query_one("SELECT sum(hits)::int8 FROM public.crossing", &[])
        .expect("read")
        .get(0);
    assert_eq!(hits, 2, "each of them was done once");
    assert!(stage.cluster.log().contains("deadlock detected"), "there was one");
}

/// Proves that a violated constraint that is checked at COMMIT is never answered as done: the tool reports it, and the row is
/// not there; and that a trigger cannot put the check off again.
#[test]
fn deferred_constraints_are_checked_before_the_answer() {
    let stage = stage();
    let mut client = stage.listener.client(&stage.a);
    for (table, id) in [("children", 1), ("sneaky_children", 1)] {
        let answer =
            client.call("insert_record", json!({ "table": table, "data": { "id": id, "parent": 99 } }));
        assert!(!answer.is_ok(), "{table}: {}", answer.response.text());
        assert!(answer.status() == 200, "it is the tool's own error: {}", answer.response.text());
        let left: i64 = stage
            .database
            .admin()
            .query_one(&format!("SELECT count(*) FROM public.{table}"), &[])
            .expect("counted")
            .get(0);
        assert_eq!(left, 0, "{table}");
    }
    let error = client
        .call("insert_record", json!({ "table": "children", "data": { "id": 1, "parent": 99 } }))
        .error();
    assert!(error.contains("foreign key") && error.contains("23503"), "{error}");
    assert_eq!(
        client
            .call("insert_record", json!({ "table": "children", "data": { "id": 2, "parent": 1 } }))
            .value()["parent"],
        json!(1)
    );
}
