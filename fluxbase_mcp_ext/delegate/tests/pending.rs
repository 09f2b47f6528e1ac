//! Submitted calls: whoever collects finds the reply until it is acknowledged, and nobody else does.

mod support;

use std::time::Duration;

use fluxbase_delegate::client::Said;
use fluxbase_delegate::message::Ended;
use fluxbase_delegate::{Answer, Call, Failure, Id, Limits, Request};
use support::{Web, Worker, get, id};

fn collect(id: Id, owner: &str) -> Request {
    Request::Collect { id, owner: owner.into() }
}

fn wait(token: &str, after: u64, timeout_ms: u64) -> Request {
    Request::Wait { token: token.into(), after, timeout_ms }
}

async fn ended(worker: &Worker, token: &str, after: u64) -> Vec<Ended> {
    match worker.answer(wait(token, after, 30_000)).await {
        Answer::Ended { ended, .. } => ended,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reply_stays_until_it_is_acknowledged() {
    let web = Web::start().await;
    let worker = Worker::start(&web.url("/"), "", Limits::default());
    worker.submit(id(1), "key", "listener", get(web.url("/unsized/1000"))).await.unwrap();
    for _ in 0..2 {
        assert_eq!(ended(&worker, "listener", 0).await, [Ended { id: id(1), number: 1 }]);
        let said = worker.ask(&collect(id(1), "key"), &[]).await.unwrap();
        assert!(matches!(&said, Said::Reply(reply) if reply.body.len() == 1000), "{said:?}");
    }
    for request in [collect(id(1), "another"), collect(id(2), "key")] {
        assert_eq!(worker.answer(request).await, Answer::Unknown);
    }
    worker.answer(Request::Acknowledge { id: id(1), owner: "another".into() }).await;
    assert!(matches!(worker.ask(&collect(id(1), "key"), &[]).await, Ok(Said::Reply(_))));
    for _ in 0..2 {
        assert_eq!(
            worker.answer(Request::Acknowledge { id: id(1), owner: "key".into() }).await,
            Answer::Done
        );
    }
    assert_eq!(worker.answer(collect(id(1), "key")).await, Answer::Unknown);
    worker.until_idle().await;
    assert_eq!(web.requests(), 1);
}

#[tokio::test]
async fn an_id_is_used_once() {
    let web = Web::start().await;
    let worker = Worker::start(&web.url("/"), "", Limits::default());
    worker.submit(id(1), "key", "t", get(web.url("/hang"))).await.unwrap();
    let failure = worker.submit(id(1), "other", "t", get(web.url("/hang"))).await.unwrap_err();
    assert!(matches!(failure, Failure::Protocol { .. }), "{failure}");
    web.until_open(1).await;
    assert_eq!(worker.answer(collect(id(1), "key")).await, Answer::Running);
}

#[tokio::test]
async fn all_waiters_of_a_token_are_told_and_no_others() {
    let web = Web::start().await;
    let worker = Worker::start(&web.url("/"), "", Limits::default());
    let (first, second) = (wait("a", 0, 30_000), wait("a", 0, 30_000));
    let other = wait("b", 0, 300);
    let waiting = async { tokio::join!(worker.answer(first), worker.answer(second), worker.answer(other)) };
    let submitting = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        worker.submit(id(1), "key", "a", get(web.url("/echo"))).await.unwrap();
    };
    let ((first, second, other), ()) = tokio::join!(waiting, submitting);
    for told in [first, second] {
        assert!(
            matches!(&told, Answer::Ended { ended, .. } if ended == &[Ended { id: id(1), number: 1 }]),
            "{told:?}"
        );
    }
    assert!(matches!(&other, Answer::Ended { ended, .. } if ended.is_empty()), "{other:?}");
}

#[tokio::test]
async fn a_failure_is_collected_like_a_reply() {
    let web = Web::start().await;
    let worker = Worker::start(&web.url("/"), "", Limits::default());
    let call = Call { timeout_ms: 50, ..get(web.url("/hang")) };
    worker.submit(id(1), "key", "t", call).await.unwrap();
    worker.submit(id(2), "key", "t", get("http://forbidden.example/")).await.unwrap();
    let mut after = 0;
    for _ in 0..2 {
        after = ended(&worker, "t", after).await.last().unwrap().number;
    }
    assert!(matches!(worker.ask(&collect(id(1), "key"), &[]).await, Ok(Said::Failed(Failure::Time { .. }))));
    assert!(matches!(worker.ask(&collect(id(2), "key"), &[]).await, Ok(Said::Failed(Failure::Host { .. }))));
}

#[tokio::test]
async fn cancelling_reaches_the_server_and_is_the_owners_alone() {
    let web = Web::start().await;
    let worker = Worker::start(&web.url("/"), "", Limits::default());
    worker.submit(id(1), "key", "t", get(web.url("/hang"))).await.unwrap();
    web.until_open(1).await;
    worker.answer(Request::Cancel { id: id(1), owner: "another".into() }).await;
    assert_eq!(worker.answer(collect(id(1), "key")).await, Answer::Running);
    worker.answer(Request::Cancel { id: id(1), owner: "key".into() }).await;
    web.until_open(0).await;
    assert_eq!(worker.answer(collect(id(1), "key")).await, Answer::Unknown);
    worker.until_idle().await;
}

#[tokio::test]
async fn what_is_kept_is_bounded_by_number_bytes_and_time() {
    let web = Web::start().await;
    let limits =
        Limits { max_pending: 2, max_bytes: 1 << 20, keep: Duration::from_millis(1500), ..Limits::default() };
    let worker = Worker::start(&web.url("/"), "", limits);
    // Both need more than half: the second one is kept when the first one has gone.
    for n in [1, 2] {
        let call = Call { max_response: 700_000, ..get(web.url("/unsized/600000")) };
        worker.submit(id(n), "key", "t", call).await.unwrap();
    }
    let failure = worker.submit(id(3), "key", "t", get(web.url("/echo"))).await.unwrap_err();
    assert_eq!(failure, Failure::Full { limit: 2 });
    // Whoever comes for it learns that it was not begun.
    let refused = ended(&worker, "t", 0).await;
    let said = worker.ask(&collect(id(3), "key"), &[]).await;
    assert_eq!(said, Ok(Said::Failed(Failure::Full { limit: 2 })));
    assert_eq!(worker.answer(collect(id(3), "another")).await, Answer::Unknown);
    worker.answer(Request::Acknowledge { id: id(3), owner: "key".into() }).await;
    assert_eq!(worker.answer(collect(id(3), "key")).await, Answer::Unknown);
    let first = match &refused[..] {
        [one] if one.id == id(3) => ended(&worker, "t", one.number).await,
        _ => refused.into_iter().filter(|one| one.id != id(3)).collect(),
    };
    assert_eq!(first.len(), 1);
    let status = worker.status().await;
    assert!(status.bytes <= status.max_bytes, "{status:?}");
    // Nobody collects: the time of the first one ends, and the second one takes its place.
    let second = ended(&worker, "t", first[0].number).await;
    assert_eq!(second.len(), 1);
    assert_eq!(worker.answer(collect(first[0].id, "key")).await, Answer::Unknown);
    worker.until_idle().await;
    assert_eq!(worker.status().await.pending, 0);
}

#[tokio::test]
async fn a_reply_for_which_there_is_no_memory_says_so() {
    let web = Web::start().await;
    let limits = Limits { max_bytes: 1 << 20, ..Limits::default() };
    let worker = Worker::start(&web.url("/"), "", limits);
    worker.submit(id(1), "key", "t", get(web.url("/bytes/1000000"))).await.unwrap();
    assert_eq!(ended(&worker, "t", 0).await.len(), 1);
    let call = Call { timeout_ms: 200, ..get(web.url("/bytes/1000000")) };
    worker.submit(id(2), "key", "t", call.clone()).await.unwrap();
    assert_eq!(ended(&worker, "t", 1).await.len(), 1);
    let said = worker.ask(&collect(id(2), "key"), &[]).await;
    assert_eq!(said, Ok(Said::Failed(Failure::Memory { limit: 1 << 20 })));
    assert_eq!(worker.call(call, &[]).await, Err(Failure::Memory { limit: 1 << 20 }));
}
