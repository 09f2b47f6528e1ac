//! `cost CASE TIMES`: does what one call needs, so many times, and prints allocations and allocated bytes of one of them. run.sh counts the
//! instructions with valgrind and holds all three against baseline.txt. `cost` alone prints the names of the cases.

mod allocations;

use std::hint::black_box;

use fluxbase_protocol::{Headers, ServerInfo, Structured, ToolOutput, parse};
use fluxbase_query::{
    Arguments, Bounds, Column, Kept, NoRelations, Shape, Table, insert, select, select_columns,
};

const READ10: &str = r#"{"table":"users","select":"id,email,created_at","filter":{"tenant_id":"eq.00000000-0000-4000-8000-000000000064"},"order":"id","limit":10}"#;
const TEN_CONDITIONS: &str = r#"{"table":"users","filter":{"id":"gt.1","email":"ilike.a%","tenant_id":"in.(a,b,c)","created_at":{"gte":"2026-01-01","lt":"2027-01-01"},"or":[{"id":"eq.5"},{"email":"not.eq.x"},{"id":null},{"email":{"in":["a","b"]}}]}}"#;
const INSERT: &str = r#"{"table":"users","data":{"id":1,"email":"a@example.org","tenant_id":"00000000-0000-4000-8000-000000000064"}}"#;
const SERVER: ServerInfo = ServerInfo { name: "fluxbase_mcp_ext", version: "0.1.0", instructions: "" };

fn column(name: &str, type_oid: u32, sql: &str, category: char) -> Column {
    Column {
        name: name.to_owned(),
        type_oid,
        type_sql: sql.to_owned(),
        typmod: -1,
        base_oid: type_oid,
        base_sql: sql.to_owned(),
        base_schema: "pg_catalog".to_owned(),
        category,
        array_oid: 1000,
        not_null: true,
        select: true,
        insert: true,
        update: true,
        ..Column::default()
    }
}

fn users() -> Table {
    Table {
        oid: 16400,
        schema: "public".to_owned(),
        name: "users".to_owned(),
        kind: 'r',
        columns: vec![
            column("tenant_id", 2950, "uuid", 'U'),
            column("id", 20, "bigint", 'N'),
            column("email", 25, "text", 'S'),
            column("created_at", 1184, "timestamp with time zone", 'D'),
        ],
        key: vec!["id".to_owned()],
        row_security: true,
    }
}

fn ten_rows() -> String {
    let rows = (0..10).map(|n| {
        let id = 100_100 + n * 1000;
        format!(
            r#"{{"id":{id},"email":"user{id}@tenant100.example","created_at":"2026-03-11T19:45:10.5+00:00"}}"#
        )
    });
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}

/// One case: made once, done many times.
type Case = Box<dyn Fn() -> usize>;

fn case(name: &str) -> Option<Case> {
    let table = users();
    let args = |text: &str| Arguments::parse(Some(black_box(text))).expect("good arguments");
    Some(match name {
        "plan_read10" => Box::new(move || {
            select_columns(&args(READ10), &table, &NoRelations, &Bounds::default(), None)
                .expect("a plan")
                .outputs
        }),
        "plan_ten_conditions" => Box::new(move || {
            let plan = select(&args(TEN_CONDITIONS), &table, &NoRelations, &Bounds::default());
            plan.expect("a plan").statement.sql.len()
        }),
        "plan_insert" => {
            Box::new(move || insert(&args(INSERT), &table, &NoRelations).expect("a plan").statement.sql.len())
        }
        "shape_read10" => {
            let shape = Shape::of("16400", READ10).expect("a shape");
            let plan = select_columns(&args(READ10), &table, &NoRelations, &Bounds::default(), None);
            let kept = Kept::new(Some(&shape), plan.expect("a plan"));
            Box::new(move || {
                let shape = Shape::of("16400", black_box(READ10)).expect("a shape");
                kept.values(&shape.values()).iter().len() + shape.key().len()
            })
        }
        "message_read10" | "message_modern" | "answer_text" | "answer_structured" => protocol(name)?,
        _ => return None,
    })
}

fn protocol(name: &str) -> Option<Case> {
    let meta = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let modern = name == "message_modern";
    let message = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"query_table","arguments":{READ10}{}}}}}"#,
        if modern { meta } else { "" }
    );
    let version = match name {
        "message_modern" => vec!["2026-07-28".to_owned()],
        "answer_structured" => vec!["2025-11-25".to_owned()],
        _ => Vec::new(),
    };
    let headers = Headers {
        protocol_version: version,
        method: vec!["tools/call".to_owned()],
        name: vec!["query_table".to_owned()],
        ..Headers::default()
    };
    let read = move || {
        let incoming = parse(black_box(&message)).unwrap_or_else(|_| panic!("a message"));
        incoming.respond(Some(&headers), &SERVER).unwrap_or_else(|_| panic!("a call"))
    };
    if name.starts_with("message_") {
        return Some(Box::new(move || read().id.as_str().len()));
    }
    let call = read();
    let structured = match name {
        "answer_structured" => Structured::Wrapped {
            before: r#"{"rows":"#.to_owned(),
            after: r#","count":10,"has_more":true}"#.to_owned(),
        },
        _ => Structured::None,
    };
    let output = ToolOutput { text: ten_rows(), structured, notes: Vec::new() };
    Some(Box::new(move || call.tool_output(black_box(&output)).body.map_or(0, |body| body.len())))
}

const CASES: [&str; 8] = [
    "message_read10",
    "message_modern",
    "shape_read10",
    "plan_read10",
    "plan_ten_conditions",
    "plan_insert",
    "answer_text",
    "answer_structured",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, times] = &arguments[..] else {
        println!("{}", CASES.join("\n"));
        return;
    };
    let (Some(run), Ok(times)) = (case(name), times.parse::<u64>()) else {
        eprintln!("usage: cost CASE TIMES");
        std::process::exit(2);
    };
    let before = allocations::so_far();
    for _ in 0..times {
        black_box(run());
    }
    let after = allocations::so_far();
    let each = |after: u64, before: u64| (after - before) / times.max(1);
    println!("{} {}", each(after.0, before.0), each(after.1, before.1));
}
