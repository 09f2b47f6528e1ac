//! What the query crate accepts, Postgres accepts: thousands of random plans about the tables of tests/fuzz/fixture.sql are prepared, explained
//! and run. The seed is fixed; FLUXBASE_FUZZ_SEED sets another, FLUXBASE_FUZZ_PLANS another number of plans.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::OnceLock;

use fluxbase_fuzz::catalog::{Answers, RELATIONS_SQL, ROW_TYPES_SQL, SCHEMA, TABLE_SQL, row_types};
use fluxbase_fuzz::check::skeleton;
use fluxbase_fuzz::generate::Generator;
use fluxbase_fuzz::mutate::mutate;
use fluxbase_fuzz::target::{Plan, run};
use fluxbase_fuzz::{FIXTURE, Kind, Random, World};
use fluxbase_query::quote_ident;
use fluxbase_tests::{Cluster, Database};
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::private::BytesMut;
use postgres::types::{Format, IsNull, Kind as TypeKind, ToSql, Type};
use serde_json::{Value, json};

/// Refusals of the parser that hang on types or on what there is in the catalog, not on the form of the SQL. All others fail the test.
const TYPES: [&str; 3] = [
    "42883", // there is no such operator or function for the type
    "42846", // there is no such cast
    "55000", // a view that cannot be changed
];

/// Failures while running that hang on values: data exceptions, constraints, the time bound, and what follows.
const VALUES: [&str; 9] = [
    "57014", // the time bound
    "0A000", // xml without libxml, LIKE on a nondeterministic collation
    "42704", // a text search configuration that does not exist, as a value of type regconfig
    "44000", // WITH CHECK OPTION
    "54000", // a limit of Postgres: a tsvector, a row
    "42P01", // a value of type regclass
    "42601", // a value of type tsquery, ltree, regclass
    "42602", // likewise
    "42P22", // no collation can be derived
];

/// The server with the fixture.
pub struct FuzzStage {
    /// Not the cluster of the other tests, whose log has every statement.
    pub cluster: Cluster,
    /// The database.
    pub database: Database,
}

/// The server with the fixture, started by whoever comes first.
pub fn fuzz_stage() -> &'static FuzzStage {
    static STAGE: OnceLock<FuzzStage> = OnceLock::new();
    STAGE.get_or_init(|| {
        let cluster = Cluster::start("log_statement = none\nlog_min_duration_statement = -1\njit = off");
        let database = Database::create(&cluster, "fuzz");
        let mut admin = database.admin();
        admin.batch_execute(FIXTURE).unwrap_or_else(|error| panic!("fixture.sql: {error:?}"));
        FuzzStage { cluster, database }
    })
}

/// The fixture as a role sees it, by the extension's own queries.
pub fn answers(client: &mut postgres::Client, role: &str) -> Answers {
    client.batch_execute(&format!("SET ROLE {role}; SET search_path = pg_catalog, pg_temp")).expect("a role");
    let names = "SELECT relname::text FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p', 'v', 'm') \
                 AND NOT relispartition ORDER BY relname";
    let names: Vec<String> =
        client.query(names, &[&SCHEMA]).expect("the catalog").iter().map(|row| row.get(0)).collect();
    let relations_sql = client.prepare_typed(RELATIONS_SQL, &[Type::OID]).expect("relations.sql");
    let json = |row: &postgres::Row| serde_json::from_str::<Value>(row.get(0)).expect("the query gives JSON");
    let mut answers = Answers::default();
    for name in names {
        // A table without a privilege is none.
        let Some(row) = client.query_opt(TABLE_SQL, &[&SCHEMA, &name]).expect("table.sql") else { continue };
        let table = json(&row);
        let oid = table["oid"].as_u64().expect("an oid") as u32;
        answers
            .relations
            .insert(oid, json(&client.query_one(&relations_sql, &[&oid]).expect("relations.sql")));
        answers.tables.push(table);
    }
    let types = client.prepare_typed(ROW_TYPES_SQL, &[Type::INT8_ARRAY]).expect("row_types.sql");
    let rows = client.query(&types, &[&row_types(&answers.tables)]).expect("row_types.sql");
    answers.types = rows.iter().map(json).collect();
    client.batch_execute("RESET ROLE; RESET search_path").expect("back");
    answers
}

/// A parameter as text, for whatever type.
#[derive(Debug)]
struct Text<'a>(Option<&'a str>);

impl ToSql for Text<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    postgres::types::to_sql_checked!();
}

fn type_of(oid: u32) -> Type {
    Type::from_oid(oid)
        .unwrap_or_else(|| Type::new("of the fixture".into(), oid, TypeKind::Simple, SCHEMA.into()))
}

/// How often, and an example, by the message without its names.
type Kinds = BTreeMap<String, (usize, String)>;

/// What Postgres said of the plans.
#[derive(Default)]
struct Report {
    /// By step and SQLSTATE.
    classes: BTreeMap<(&'static str, String), Kinds>,
    /// The first of each kind that may not be.
    failures: BTreeMap<String, String>,
}

impl Report {
    /// Notes an error; `fine` says whether it is of a class that may be.
    fn note(
        &mut self,
        step: &'static str,
        error: &postgres::Error,
        input: &str,
        sql: &str,
        fine: impl Fn(&str, &str) -> bool,
    ) {
        let (code, message) = match error.as_db_error() {
            Some(error) => (error.code().code().to_owned(), error.message().to_owned()),
            None => ("client".to_owned(), format!("{error:?}")),
        };
        let known = fine(&code, &message);
        let kind = skeleton(&message);
        let class = self.classes.entry((step, code.clone())).or_default();
        let example = || (0, format!("{message}\n      input: {input}\n      SQL: {sql}"));
        let seen = class.entry(kind.clone()).or_insert_with(example);
        seen.0 += 1;
        if !known {
            self.failures.entry(format!("{step} {code} {kind}")).or_insert_with(|| seen.1.clone());
        }
    }

    /// A line for each class; with FLUXBASE_FUZZ_REPORT all messages, each with an example.
    fn print(&self, head: &str) {
        let all = std::env::var_os("FLUXBASE_FUZZ_REPORT").is_some();
        // The handle itself: what a passing test prints by macro is not shown.
        let mut out = std::io::stdout().lock();
        _ = writeln!(out, "{head}");
        for ((step, code), messages) in &self.classes {
            let count: usize = messages.values().map(|(count, _)| count).sum();
            let (kind, _) =
                messages.iter().max_by_key(|(_, (count, _))| count).expect("a class has a message");
            _ = writeln!(out, "  {step:8} {code} {count:5}  {} kinds: {kind}", messages.len());
            for (count, example) in messages.values().filter(|_| all) {
                _ = writeln!(out, "    {count:4} {example}");
            }
        }
    }
}

/// Calls, as text, that the crate accepts.
struct Calls<'w> {
    world: &'w World,
    near: Generator<'w>,
    far: Generator<'w>,
    random: Random,
    last: String,
    made: usize,
}

impl<'w> Calls<'w> {
    fn new(world: &'w World, seed: u64) -> Calls<'w> {
        Calls {
            world,
            near: Generator::new(world, seed).with_odds(120),
            far: Generator::new(world, seed ^ 1).with_odds(25),
            random: Random::new(seed ^ 7),
            last: String::new(),
            made: 0,
        }
    }

    fn next(&mut self) -> (String, Vec<Plan>) {
        loop {
            let kind = *self.random.pick(&[
                Kind::Query,
                Kind::Query,
                Kind::Query,
                Kind::Query,
                Kind::Query,
                Kind::Query,
                Kind::Cursor,
                Kind::Insert,
                Kind::Update,
                Kind::Delete,
                Kind::Batch,
            ]);
            let generator = if self.random.one_in(4) { &mut self.far } else { &mut self.near };
            let mut input = generator.input(kind);
            if self.random.one_in(5) {
                input = mutate(&mut self.random, &input, &self.last);
            }
            self.made += 1;
            let outcome = run(self.world, kind, &input).unwrap_or_else(|why| panic!("{why}\n{input}"));
            if !outcome.plans.is_empty() {
                self.last.clone_from(&input);
                return (input, outcome.plans);
            }
        }
    }
}

fn quoted(name: &str) -> String {
    format!("{}.{}", quote_ident(SCHEMA), quote_ident(name))
}

/// A number that the environment may set.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Prepares, explains and runs `count` accepted plans as `role`.
fn try_plans(role: &str, count: usize, seed: u64) -> Report {
    let stage = fuzz_stage();
    let mut client = stage.database.admin();
    let answers = answers(&mut client, role);
    let world = World::read(&answers).expect("the form of the answers");
    let undeletable: Vec<String> = answers
        .tables
        .iter()
        .filter(|table| !table["verbs"].as_array().is_some_and(|verbs| verbs.contains(&"delete".into())))
        .map(|table| format!("DELETE FROM {} AS t ", quoted(table["name"].as_str().unwrap_or_default())))
        .collect();
    client
        .batch_execute(&format!(
            "SET ROLE {role}; SET statement_timeout = '3s'; SET search_path = pg_catalog, pg_temp"
        ))
        .expect("set");
    let mut calls = Calls::new(&world, seed);
    let mut report = Report::default();
    let (mut plans, mut refused, mut ran, mut answered, mut rows) = (0, 0, 0, 0, 0_usize);
    while plans < count {
        let (input, accepted) = calls.next();
        for Plan { statement, reads, .. } in accepted {
            plans += 1;
            let sql = &statement.sql;
            // The privilege to delete is no column's, so the crate does not know of it.
            if undeletable.iter().any(|delete| sql.contains(delete)) {
                refused += 1;
                continue;
            }
            let types: Vec<Type> = statement.params.iter().map(|param| type_of(param.type_oid)).collect();
            let prepared = match client.prepare_typed(sql, &types) {
                Ok(prepared) => prepared,
                Err(error) => {
                    report.note("prepare", &error, &input, sql, |code, _| TYPES.contains(&code));
                    continue;
                }
            };
            // Privileges are checked before any value is read: with NULLs no value hides a lack of them. What only reads is planned
            // in a reading transaction, as it will run.
            let nulls: Vec<Text<'_>> = statement.params.iter().map(|_| Text(None)).collect();
            let explained = client.prepare_typed(&format!("EXPLAIN {sql}"), &types);
            let explained =
                explained.and_then(|explain| client.query_raw(&explain, &nulls)?.for_each(|_| Ok(())));
            if let Err(error) = explained {
                report.note("explain", &error, &input, sql, |code, message| {
                    code == "23502" && message.contains("domain") || may_fail(code, message, reads)
                });
            }
            let mut transaction = client.build_transaction().read_only(reads).start().expect("a transaction");
            ran += 1;
            let values: Vec<Text<'_>> =
                statement.params.iter().map(|param| Text(param.value.as_deref())).collect();
            let result = transaction.query_raw(&prepared, &values).and_then(|found| found.count());
            match result {
                Ok(found) => (answered, rows) = (answered + 1, rows + found),
                Err(error) => {
                    report.note("run", &error, &input, sql, |code, message| may_fail(code, message, reads));
                }
            }
            // A connection that was lost is the worst finding.
            if let Err(error) = transaction.rollback() {
                panic!("{error:?}\n  input: {input}\n  SQL: {sql}");
            }
        }
    }
    let made = calls.made;
    report.print(&format!(
        "plans as {role}: {made} calls, {plans} statements accepted, {refused} of them deletes without the privilege, {ran} run, {answered} of them without an error, {rows} rows"
    ));
    report
}

/// Whether an accepted plan may fail so while it runs.
fn may_fail(code: &str, message: &str, reads: bool) -> bool {
    match code {
        "42501" => !reads && message.contains("row-level security"),
        "21000" => !reads && message.contains("ON CONFLICT"),
        // The planner looks for the constraint, and for the operators of the parts of a row type or an array.
        "42P10" | "42809" => !reads,
        "42883" => message.starts_with("could not identify"),
        _ => code.starts_with("22") || !reads && code.starts_with("23") || VALUES.contains(&code),
    }
}

#[track_caller]
fn verdict(report: &Report) {
    let failures: Vec<String> =
        report.failures.iter().map(|(kind, example)| format!("{kind}\n      {example}")).collect();
    assert!(failures.is_empty(), "{} kinds of failures:\n{}", failures.len(), failures.join("\n"));
}

/// `catalog.json`, which the fuzzer without a Postgres goes by, has the tables and columns of the fixture. FLUXBASE_FUZZ_CATALOG=1 writes it anew.
#[test]
fn snapshot_is_the_fixture() {
    let stage = fuzz_stage();
    let live = answers(&mut stage.database.admin(), "fuzz_all");
    if std::env::var_os("FLUXBASE_FUZZ_CATALOG").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/catalog.json");
        std::fs::write(path, compact(&live)).expect("the file can be written");
    }
    let columns = |world: &World| -> Vec<String> {
        let names = world.tables.iter().flat_map(|table| {
            table.columns.iter().map(|column| format!("{} {} {}", table.name, column.name, column.type_sql))
        });
        names.collect()
    };
    let live = World::read(&live).expect("the form of the answers");
    assert_eq!(
        columns(&live),
        columns(&World::snapshot()),
        "write it anew: FLUXBASE_FUZZ_CATALOG=1 make test-e2e"
    );
}

/// A column a line; without what is false, empty or zero, and what no plan needs.
fn compact(answers: &Answers) -> String {
    fn strip(value: &Value) -> Value {
        const NOT_NEEDED: [&str; 7] =
            ["type_shown", "default", "identity", "like", "verbs", "depends", "row_security"];
        match value {
            Value::Object(members) => {
                let empty = |value: &Value| {
                    matches!(value, Value::Null | Value::Bool(false))
                        || *value == json!([])
                        || *value == json!(0)
                };
                let kept = members
                    .iter()
                    .filter(|(name, value)| !empty(value) && !NOT_NEEDED.contains(&name.as_str()));
                kept.map(|(name, value)| (name.clone(), strip(value))).collect()
            }
            Value::Array(list) => list.iter().map(strip).collect(),
            other => other.clone(),
        }
    }
    let lines =
        |list: &[Value]| list.iter().map(|value| strip(value).to_string()).collect::<Vec<_>>().join(",\n  ");
    let tables: Vec<String> = answers
        .tables
        .iter()
        .map(|table| {
            let mut head = strip(table);
            let columns = head["columns"].take();
            let head = strip(&head).to_string();
            format!(
                "{},\"columns\":[\n  {}]}}",
                &head[..head.len() - 1],
                lines(columns.as_array().map_or(&[], Vec::as_slice))
            )
        })
        .collect();
    let relations: Vec<String> =
        answers.relations.iter().map(|(oid, keys)| format!("\"{oid}\":{}", strip(keys))).collect();
    format!(
        "{{\"tables\":[\n{}\n],\"types\":[\n  {}\n],\"relations\":{{\n{}\n}}}}\n",
        tables.join(",\n"),
        lines(&answers.types),
        relations.join(",\n")
    )
}

/// Proves that Postgres's parser takes every accepted plan as exactly one statement (the extended protocol refuses several), that it
/// plans and runs without internal errors, and that what it refuses hangs on types and values alone.
#[test]
fn accepted_plans_are_statements() {
    let count = number("FLUXBASE_FUZZ_PLANS", 5000) as usize;
    verdict(&try_plans("fuzz_all", count, number("FLUXBASE_FUZZ_SEED", 20_261_122)));
}

/// Proves that a role that may read and write some columns only never gets a plan that fails for want of a privilege.
#[test]
fn accepted_plans_are_permitted() {
    let count = number("FLUXBASE_FUZZ_PLANS", 5000) as usize * 2 / 5;
    verdict(&try_plans("fuzz_weak", count, number("FLUXBASE_FUZZ_SEED", 20_261_122) + 1));
}
