//! The listener ends.

use super::*;

/// Proves that SIGTERM lets what is in flight finish, takes no new connections, ends kept ones, and exits with 0.
#[test]
fn sigterm_finishes_what_is_in_flight() {
    let mut listener = start(&[]);
    let mut idle = listener.client(&stage().b);
    assert_eq!(idle.request("ping", json!({})).status, 200);
    let mut client = listener.client(&stage().a);
    client.send("tools/call", slow(2));
    wait_for_sleepers(&listener, 1);
    listener.terminate();
    eventually(Duration::from_secs(2), "it takes no new connections", || {
        Http::connect_from(fluxbase_tests::http::fresh_address(), listener.address).is_err().then_some(())
    });
    assert!(idle.http().closed_within(Duration::from_secs(2)).is_some(), "an idle connection is closed");
    let response = client.http().receive();
    assert_eq!(response.json()["result"]["isError"], json!(false), "{}", response.text());
    let status = listener.wait(Duration::from_secs(5)).expect("it ends");
    assert_eq!(status.code(), Some(0));
    assert_eq!(running(&listener), 0);
}

/// Proves that what does not finish in ten seconds is cancelled in Postgres before the process ends, so that no statement
/// runs on for nobody.
#[test]
fn sigterm_cancels_what_does_not_finish() {
    let mut listener = start(&[]);
    let mut client = listener.client(&stage().a);
    client.send("tools/call", slow(30));
    wait_for_sleepers(&listener, 1);
    let begun = Instant::now();
    listener.terminate();
    let status = listener.wait(Duration::from_secs(18)).expect("it ends");
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() > Duration::from_secs(8), "it gave the call its time");
    eventually(Duration::from_secs(2), "the statement is gone", || (running(&listener) == 0).then_some(()));
}

/// Proves that a listener whose port is taken says so and ends with 1.
#[test]
fn a_taken_port_is_told() {
    let taken = stage().listener.address.to_string();
    let output = fluxbase_tests::keys::cli(&stage().database.listener_url, &["serve", "--listen", &taken])
        .env("FLUXBASE_MCP_ENABLED", "true")
        .output()
        .expect("fluxbase starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&taken) && told.contains("--listen"), "{told}");
}
