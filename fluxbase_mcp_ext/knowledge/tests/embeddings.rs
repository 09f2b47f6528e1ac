//! What an endpoint for vectors answers, and when it is asked again.

use std::time::Duration;

use fluxbase_knowledge::embeddings::{Wrong, literal, pause, read, request};

fn wrong(status: u16, body: &str) -> Wrong {
    read(status, None, body.as_bytes(), 2, 2).expect_err("nothing usable")
}

#[test]
fn a_request_names_the_model_and_all_texts() {
    let asked: serde_json::Value = serde_json::from_str(&request("m", &["a", "\"b\"\n"])).expect("JSON");
    assert_eq!(
        asked,
        serde_json::json!({"model": "m", "input": ["a", "\"b\"\n"], "encoding_format": "float"})
    );
}

#[test]
fn vectors_come_in_the_order_of_the_texts() {
    let body = br#"{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2.5]}],"model":"m"}"#;
    assert_eq!(read(200, None, body, 2, 2), Ok(vec![vec![1.0, 2.5], vec![3.0, 4.0]]));
    let body = br#"{"data":[{"embedding":[1,2]},{"embedding":[3,4]}]}"#;
    assert_eq!(read(200, None, body, 2, 2), Ok(vec![vec![1.0, 2.0], vec![3.0, 4.0]]));
}

#[test]
fn an_answer_is_taken_whole_or_not_at_all() {
    for (body, why) in [
        (r#"{"data":[{"embedding":[1,2]}]}"#, "the endpoint gave 1 vectors for 2 texts"),
        (
            r#"{"data":[{"embedding":[1,2]},{"embedding":[1,2,3]}]}"#,
            "the model makes vectors of 3 dimensions, and 2 are expected",
        ),
        (
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}"#,
            "the endpoint gave vectors that belong to no text",
        ),
        (
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":7,"embedding":[1,2]}]}"#,
            "the endpoint gave vectors that belong to no text",
        ),
        (
            r#"{"data":[{"embedding":[1,1e99]},{"embedding":[1,2]}]}"#,
            "the endpoint gave a vector that is not of numbers",
        ),
        (r#"{"data":"secret"}"#, "the endpoint answered with something else than vectors"),
    ] {
        assert_eq!(wrong(200, body), Wrong::Later(why.to_owned(), None), "{body}");
    }
}

#[test]
fn what_is_tried_again_and_what_is_not() {
    for status in [400, 413, 422] {
        assert!(matches!(wrong(status, "secret"), Wrong::Refused(why) if !why.contains("secret")));
    }
    for status in [302, 401, 403, 404, 408, 429, 500, 502, 503] {
        assert!(matches!(wrong(status, "secret"), Wrong::Later(why, None) if !why.contains("secret")));
    }
    let busy = |after| read(429, Some(after), b"", 1, 1).expect_err("busy");
    assert!(matches!(busy("7"), Wrong::Later(_, Some(wait)) if wait == Duration::from_secs(7)));
    assert!(matches!(busy("Fri, 31 Dec 1999 23:59:59 GMT"), Wrong::Later(_, None)));
}

#[test]
fn pauses_grow_to_a_minute_and_keep_what_was_asked_for() {
    let seconds = |failures, asked: Option<u64>| pause(failures, asked.map(Duration::from_secs)).as_secs();
    let grown: Vec<u64> = (0..9).map(|failures| seconds(failures, None)).collect();
    assert_eq!(grown, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!((seconds(1, Some(30)), seconds(7, Some(30)), seconds(1, Some(1 << 40))), (30, 60, 600));
}

#[test]
fn a_vector_is_written_without_loss() {
    assert_eq!(literal(&[1.0, -0.25, 1e-7]), "[1,-0.25,0.0000001]");
}
