//! `docs/postgrest.md` names tests: all that it names exist, and every test of these modules is named.

use std::collections::BTreeSet;
use std::process::Command;

/// Whether a name of the page, which may have one `*`, means a test.
fn means(name: &str, test: &str) -> bool {
    name.split_once('*').map_or(name == test, |(start, end)| {
        test.len() >= start.len() + end.len() && test.starts_with(start) && test.ends_with(end)
    })
}

#[test]
fn names_tests_that_exist() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/postgrest.md"))
        .expect("the page");
    let list =
        Command::new(std::env::current_exe().expect("a path")).arg("--list").output().expect("it runs");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let tests: BTreeSet<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    // Every second piece between backticks is code.
    let named: BTreeSet<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.contains("::") && !code.contains(' '))
        .collect();
    let named: BTreeSet<&str> = named
        .into_iter()
        .filter(|name| tests.iter().any(|test| test.split("::").next() == name.split("::").next()))
        .collect();
    assert!(named.len() > 100, "the page names {} tests", named.len());
    let gone: Vec<&&str> = named.iter().filter(|name| !tests.iter().any(|test| means(name, test))).collect();
    assert!(gone.is_empty(), "the page names tests that are not there: {gone:?}");
    let missing: Vec<&&str> = tests
        .iter()
        .filter(|test| !test.starts_with("page::") && !named.iter().any(|name| means(name, test)))
        .collect();
    assert!(missing.is_empty(), "the page does not name: {missing:?}");
}
