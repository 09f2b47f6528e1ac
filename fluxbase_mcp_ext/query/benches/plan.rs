//! From the text of a call's arguments to the SQL: what each call costs before Postgres sees it.
//!
//! `cargo bench -p fluxbase_query`. The target of the issue: less than 10 µs for a filter of ten conditions.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fluxbase_query::{Arguments, Bounds, insert, select};
use support::relations::{Library, library};

const TEN_ROWS: &str = r#"{"table":"books","limit":10}"#;
const TEN_CONDITIONS: &str = r#"{"table":"books","filter":{"id":"gt.1","title":"ilike.a%","genre":"in.(a,b,c)","price":{"gte":1.5,"lt":20},"pages":"not.eq.5","author_id":7,"editor_id":null,"hall":"eq.a","shelf":{"in":[1,2,3]}}}"#;
const GROUPS: &str = r#"{"table":"books","filter":{"or":[{"id":"gt.1","title":"ilike.a%"},{"not":{"genre":"in.(a,b,c)","price":{"gte":1.5,"lt":20}}},{"and":[{"pages":"not.eq.5"},{"author_id":7}]}],"info->a->>b":"eq.x","author_id.name":"eq.x"}}"#;
const EMBEDDED: &str = r#"{"table":"books","select":"id,title,author_id(name,country(name)),tags(name),people!loans(name)","order":"title,id","limit":10}"#;
const PAGED: &str = r#"{"table":"books","filter":{"genre":"eq.a"},"order":"title,price.desc","limit":10}"#;

fn read(library: &Library, json: &str) -> usize {
    let args = Arguments::parse(Some(json)).unwrap();
    select(&args, library.named("books"), library, &Bounds::default()).unwrap().statement.sql.len()
}

fn benches(c: &mut Criterion) {
    let library = library();
    for (name, json) in [
        ("ten rows", TEN_ROWS),
        ("ten conditions", TEN_CONDITIONS),
        ("groups and relations", GROUPS),
        ("embedded rows", EMBEDDED),
        ("a page by key", PAGED),
    ] {
        c.bench_function(name, |b| b.iter(|| read(&library, black_box(json))));
    }
    let rows: Vec<_> = (0..100)
        .map(|n| {
            format!(r#"{{"id":{n},"title":"book {n}","price":{n}.50,"words":["a","b"],"info":{{"n":{n}}}}}"#)
        })
        .collect();
    let json = format!(r#"{{"table":"books","data":[{}],"returning":"id"}}"#, rows.join(","));
    c.bench_function("a hundred new rows", |b| {
        b.iter(|| {
            let args = Arguments::parse(Some(black_box(&json))).unwrap();
            insert(&args, library.named("books"), &library).unwrap().statement.sql.len()
        });
    });
}

criterion_group!(plan, benches);
criterion_main!(plan);
