//! A short run of the fuzzer that is the same each time, and proof that its checks see what they are for.

use fluxbase_fuzz::generate::Generator;
use fluxbase_fuzz::mutate::mutate;
use fluxbase_fuzz::target::{KINDS, run};
use fluxbase_fuzz::{CORPUS, Kind, Random, World, check, inputs};
use fluxbase_query::{Param, Statement};

const SEED: u64 = 20_261_122;

/// Inputs of the corpus, made-up ones and changed ones: no panic, and all that must be true is.
#[test]
fn no_input_breaks_a_rule() {
    let strong = World::snapshot();
    let weak = strong.weakened();
    for (number, kind) in KINDS.into_iter().enumerate() {
        let seed = SEED + number as u64;
        let mut near = Generator::new(&strong, seed);
        let mut far = Generator::new(&strong, seed + 100).with_odds(8);
        let mut random = Random::new(seed);
        let (_, corpus) = CORPUS.iter().find(|(of, _)| *of == kind).expect("each kind has a corpus");
        let mut kept: Vec<String> = inputs(corpus).map(str::to_owned).collect();
        let known = kept.len();
        for round in 0..known + 600 {
            let input = match round {
                n if n < known => kept[n].clone(),
                n if n % 3 == 0 => near.input(kind),
                n if n % 3 == 1 => far.input(kind),
                _ => {
                    let (one, other) = (random.pick(&kept).clone(), random.pick(&kept).clone());
                    mutate(&mut random, &one, &other)
                }
            };
            for world in [&strong, &weak] {
                if let Err(why) = run(world, kind, &input) {
                    panic!("{}: {why}\n{input}", kind.name());
                }
            }
            if round >= known && round % 3 == 0 {
                kept.push(input);
            }
        }
    }
}

/// The generator writes what the crate accepts: else nothing is tried.
#[test]
fn most_made_up_calls_are_accepted() {
    let world = World::snapshot();
    for kind in KINDS {
        let mut generator = Generator::new(&world, SEED).with_odds(120);
        let accepted = (0..200).filter(|_| {
            let outcome = run(&world, kind, &generator.input(kind)).expect("no rule is broken");
            outcome.error.is_none()
        });
        let accepted = accepted.count();
        assert!(accepted > 70, "{}: {accepted} of 200", kind.name());
    }
}

/// The same seed gives the same inputs.
#[test]
fn seeds_repeat() {
    let world = World::snapshot();
    let calls = |seed| {
        let mut generator = Generator::new(&world, seed);
        let mut random = Random::new(seed);
        let inputs = KINDS.iter().cycle().take(70).map(|kind| {
            let input = generator.input(*kind);
            mutate(&mut random, &input, "{\"a\":1}")
        });
        inputs.collect::<Vec<_>>()
    };
    assert_eq!(calls(5), calls(5));
    assert_ne!(calls(5), calls(6));
}

/// Statements that the crate must never make are refused by the checks.
#[test]
fn checks_see_what_they_are_for() {
    let world = World::snapshot().weakened();
    let mut all =
        world.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let hidden = all.find(|(table, column)| !column.select && table.name != "heap");
    let (table, column) = hidden.expect("the weak role reads not all");
    let readable = table.columns.iter().find(|column| column.select).expect("it reads something");
    let from = format!("FROM \"fuzz\".\"{}\" AS t", table.name.replace('"', "\"\""));
    let quoted = |name: &str| name.replace('"', "\"\"");
    let param = || Param { type_oid: 25, typmod: -1, value: Some("x".into()), place: String::new() };
    let look = |sql: String, params: Vec<Param>, reads: bool| {
        check::statement(&world, &Statement { sql, params, returns: true }, reads, false)
    };
    let good = format!("SELECT t.\"{}\" {from} LIMIT 1", quoted(&readable.name));
    assert_eq!(look(good.clone(), Vec::new(), true), Ok(()));
    for (bad, params) in [
        (format!("SELECT t.\"{}\" {from}", quoted(&column.name)), vec![]),
        (format!("{good}; {good}"), vec![]),
        (format!("{good} -- x"), vec![]),
        (format!("{good} /* x */"), vec![]),
        (format!("{good} OFFSET pg_sleep(1)"), vec![]),
        (format!("{good} OFFSET (SELECT 'text')"), vec![]),
        ("SELECT t.\"rolpassword\" FROM \"pg_catalog\".\"pg_authid\" AS t".to_owned(), vec![]),
        ("SELECT 1 FROM \"fuzz\".\"payroll\" AS t".to_owned(), vec![]),
        (good.clone(), vec![param()]),
        (format!("{good} OFFSET $2"), vec![param()]),
        (format!("{good} )"), vec![]),
        (format!("SELECT ({good}"), vec![]),
        (format!("UPDATE {} SET x = 1", &from[5..]), vec![]),
    ] {
        assert!(look(bad.clone(), params, true).is_err(), "{bad}");
    }
    assert!(look(good.clone(), Vec::new(), false).is_err(), "a write that reads");
    assert!(look(format!("DELETE {from}"), Vec::new(), false).is_err(), "a delete without WHERE");
}

/// What the fuzzer has found once, by target. None of them breaks a rule any more.
#[test]
fn found_cases() {
    let strong = World::snapshot();
    let weak = strong.weakened();
    let found = [
        // Counted without a column that may be read.
        (Kind::Query, r#"{"table":"heap","select":"count()"}"#),
        (Kind::Envelope, r#"{"pdrams":"\ud800", "jsonrpc":"2.0", "ia":"a", "method":"initialize"}"#),
        // ON CONFLICT with columns that may not be read, and with one twice.
        (Kind::Insert, r#"{"table":"codes","data":{"code":"a"},"on_conflict":"code","returning":"none"}"#),
        (Kind::Insert, r#"{"table":"codes","data":{"lang":"a"},"on_conflict":"lang","returning":"none"}"#),
        (Kind::Insert, r#"{"table":"codes","data":{"label":"a"},"on_conflict":"label","returning":"none"}"#),
        (Kind::Insert, r#"{"table":"people","data":{"id":1},"on_conflict":"id,id"}"#),
        // EXCLUDED of columns that may be written and not read.
        (
            Kind::Insert,
            r#"{"table":"adults","data":{"born":null,"id":1},"on_conflict":"id","returning":"none"}"#,
        ),
    ];
    for (kind, input) in found {
        for world in [&strong, &weak] {
            run(world, kind, input).unwrap_or_else(|why| panic!("{why}\n{input}"));
        }
    }
}
