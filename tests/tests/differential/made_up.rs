//! Made-up questions: each is one abstract question, written for PostgREST and for the tool. The seed decides all of it and is printed
//! when a question fails; `FLUXBASE_DIFFERENTIAL_SEED` and `FLUXBASE_DIFFERENTIAL_COUNT` choose others.

mod conditions;
mod make;
mod parts;
mod tables;
mod write;

use fluxbase_tests::random::Random;
use serde_json::Value;

use crate::question::{Write, compare_responses, shown};
use crate::stage::stage;
use parts::Question;

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Asks `count` questions and collects what differs.
fn ask(salt: u64, make: impl Fn(&mut Random) -> Question) {
    let seed = variable("FLUXBASE_DIFFERENTIAL_SEED", 20_240_101);
    let count = variable("FLUXBASE_DIFFERENTIAL_COUNT", 300);
    let (mut failures, mut rows, mut refused) = (Vec::new(), 0, 0);
    for number in 0..count {
        let mut random = Random::new(seed.wrapping_mul(1_000_003) ^ (salt << 40) ^ number);
        let question = make(&mut random);
        let (query, arguments): (String, Value) = (question.query(), question.arguments(&mut random));
        let theirs = stage().postgrest.ask_encoded("GET", &query, &[], "").rows();
        if let Err(told) = &theirs {
            refused += 1;
            println!("PostgREST refuses: {query}\n  ▶ {told}");
        }
        match compare_responses(&query, &theirs, &arguments) {
            Ok(same) => rows += same.len(),
            Err(_) if theirs.is_err() => {}
            Err(difference) => failures.push(format!("question {number} of seed {seed}: {difference}")),
        }
    }
    let few: Vec<&String> = failures.iter().take(8).collect();
    assert!(failures.is_empty(), "{} of {count} differ, for example:\n{few:#?}", failures.len());
    // It loses a relation that is embedded under several names now and then.
    assert!(refused * 50 <= count, "PostgREST refused {refused} of {count}, see above");
    // A test that compares nothing with nothing would pass.
    assert!(rows as u64 > count, "only {rows} rows in {count} answers");
    println!("{count} questions, {rows} rows, seed {seed}");
}

/// Filters of up to three levels over every type.
#[test]
fn filters() {
    ask(1, Question::with_filter);
}

/// Columns, paths, casts, embedded relations in embedded relations with filters, orders and limits.
#[test]
fn selections() {
    ask(2, Question::with_selection);
}

/// Orders with limits and offsets, filters and embeds together.
#[test]
fn orders_and_pages() {
    ask(3, Question::with_order);
}

/// Aggregates with groups and filters.
#[test]
fn aggregates() {
    ask(4, Question::with_aggregates);
}

/// Updates and deletes by made-up filters: the same rows are touched.
#[test]
fn writes() {
    let seed = variable("FLUXBASE_DIFFERENTIAL_SEED", 20_240_101);
    let count = variable("FLUXBASE_DIFFERENTIAL_COUNT", 300) / 5;
    for number in 0..count {
        let mut random = Random::new(seed.wrapping_mul(1_000_003) ^ (5 << 40) ^ number);
        let question = Question::of_a_write(&mut random);
        let mut arguments = question.arguments(&mut random);
        let arguments_of_a_write = arguments.as_object_mut().expect("an object");
        arguments_of_a_write.retain(|name, _| name == "table" || name == "filter");
        arguments_of_a_write.insert("returning".to_owned(), Value::from("none"));
        let remove = random.one_in(2);
        let data = if remove { Value::Null } else { serde_json::json!({ "note": "touched", "tags": ["x"] }) };
        if !remove {
            arguments_of_a_write.insert("data".to_owned(), data.clone());
        }
        println!("question {number} of seed {seed}");
        Write {
            method: if remove { "DELETE" } else { "PATCH" },
            target: question.query_of_a_write(),
            prefer: &["return=minimal", "count=exact"],
            body: data,
            tool: if remove { "delete_record" } else { "update_record" },
            arguments,
            refused: &[],
        }
        .run();
    }
}

/// The other way round: the same question must not be equal to another question's answer all the time.
#[test]
fn the_comparison_can_fail() {
    let theirs = stage().postgrest.ask("GET", "samples?select=id&id=lt.5", &[], "").rows();
    let other = serde_json::json!({ "table": "samples", "select": "id", "filter": { "id": "lt.6" } });
    assert!(compare_responses("", &theirs, &other).is_err(), "{}", shown(&theirs));
}
