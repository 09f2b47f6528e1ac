//! Large and deep calls: answered, on a small stack. `--nocapture` shows the times; a cost that grows with the square of the size would
//! make these tests last minutes.

mod support;

use fluxbase_query::{Arguments, NoRelations, Table};
use support::calls::{Verb, insert_, json_text, read, run};
use support::column;

/// A text that nests `open` … `close` around `inside`.
fn nest(open: &str, inside: &str, close: &str, depth: usize) -> String {
    format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
}

/// Megabytes and depths that a client may send: answered, on a small stack.
#[test]
fn depth_and_size_are_harmless() {
    const MANY: usize = 100_000;
    let deep = nest("[", "", "]", 2 * MANY);
    let calls = vec![
        deep.clone(),
        format!("{{\"filter\":{deep}}}"),
        format!("{{\"embed\":{deep}}}"),
        format!("{{\"select\":{deep}}}"),
        format!("{{\"filter\":{{\"tags\":{{\"cs\":{deep}}}}}}}"),
        format!("{{\"filter\":{{\"doc\":{{\"cs\":{deep}}}}}}}"),
        format!("{{\"filter\":{{\"or\":{deep}}}}}"),
        format!("{{\"filter\":{{\"id\":{{\"in\":{deep}}}}}}}"),
        format!("{{\"filter\":{}}}", nest("{\"not\":", "{\"id\":1}", "}", MANY)),
        format!("{{\"filter\":{}}}", nest("{\"or\":[", "{\"id\":1}", "]}", MANY)),
        format!("{{\"filter\":{{\"id\":{}}}}}", nest("{\"not\":", "{\"eq\":1}", "}", MANY)),
        format!("{{\"order\":{}}}", json_text(&"a.".repeat(5 * MANY))),
        format!("{{\"order\":{}}}", json_text(&".".repeat(10 * MANY))),
        format!("{{\"order\":{}}}", json_text(&"id,".repeat(3 * MANY))),
        format!("{{\"order\":{}}}", json_text(&nest("id(", "", ")", MANY))),
        format!("{{\"order\":{}}}", json_text(&format!("doc{}", "->a".repeat(MANY)))),
        format!("{{\"order\":{}}}", json_text(&format!("id{}", " desc".repeat(MANY)))),
        format!("{{\"select\":{}}}", json_text(&"a,".repeat(5 * MANY))),
        format!("{{\"select\":{}}}", json_text(&"*,".repeat(5 * MANY))),
        format!("{{\"select\":{}}}", json_text(&"\"".repeat(10 * MANY + 1))),
        format!("{{\"select\":{}}}", json_text(&nest("x(", "", ")", MANY))),
        format!("{{\"select\":{}}}", json_text(&nest("a:", "id", "", MANY))),
        format!("{{\"select\":{}}}", json_text(&nest("id::text", "", "", MANY))),
        format!("{{\"select\":{}}}", json_text(&format!("x{}(id)", "!y".repeat(MANY)))),
        format!("{{\"select\":{}}}", json_text(&nest("id.count()", "", "", MANY))),
        format!("{{\"select\":[{}]}}", vec!["\"a:id\""; MANY].join(",")),
        format!("{{\"filter\":{{{}:1}}}}", json_text(&"i".repeat(10 * MANY))),
        format!("{{\"filter\":{{{}:1}}}}", json_text(&"i.".repeat(5 * MANY))),
        format!("{{\"filter\":{{{}:1}}}}", json_text(&"\"i\".".repeat(MANY))),
        format!("{{\"filter\":{{{}:1}}}}", json_text(&format!("doc{}", "->a".repeat(MANY)))),
        format!("{{\"filter\":{{\"id\":{}}}}}", json_text(&format!("in.({})", "\\".repeat(10 * MANY)))),
        format!("{{\"filter\":{{\"id\":{}}}}}", json_text(&format!("in.({})", "1,".repeat(3 * MANY) + "1"))),
        format!("{{\"filter\":{{\"id\":{}}}}}", json_text(&"not.".repeat(MANY))),
        format!("{{\"filter\":{{\"id\":{}}}}}", json_text(&format!("eq({}).1", "(".repeat(MANY)))),
        format!("{{\"filter\":{{\"or\":[{}]}}}}", vec!["{\"id\":1}"; MANY].join(",")),
        format!(
            "{{\"filter\":{{{}}}}}",
            (0..MANY).map(|n| format!("\"doc->k{n}\":null")).collect::<Vec<_>>().join(",")
        ),
        format!("{{\"order\":\"id\",\"cursor\":{}}}", json_text(&"A".repeat(10 * MANY))),
        format!(
            "{{\"embed\":{{{}}}}}",
            (0..MANY).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")
        ),
    ];
    // A quarter of what Postgres leaves to one query by default.
    std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(move || {
            for json in calls {
                let began = std::time::Instant::now();
                run(&json, read, "Nothing was read.");
                run(&json.replacen("\"select\":", "\"data\":", 1), insert_, "Nothing was changed.");
                println!("{:?} for {}", began.elapsed(), &json[..json.floor_char_boundary(60)]);
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn as_many_as_are_allowed_are_answered() {
    let columns: Vec<_> =
        (0..1600).map(|n| column(&format!("c{n}"), support::JSONB, "jsonb", 'U', 3807)).collect();
    let wide = Table { schema: "s".to_owned(), name: "wide".to_owned(), columns, ..Table::default() };
    let path = |n: usize| format!("c{n}{}", (0..31).map(|step| format!("->k{n}x{step}")).collect::<String>());
    let list = |number: usize| (0..number).map(|n| format!("a{n}:{}", path(n))).collect::<Vec<_>>().join(",");
    let conditions = |number: usize| {
        (0..number).map(|n| format!("{}:{{\"eq\":1}}", json_text(&path(n)))).collect::<Vec<_>>().join(",")
    };
    let data = (0..40)
        .map(|row| {
            format!(
                "{{{}}}",
                (0..1600).map(|n| format!("\"c{}\":{row}", 1599 - n)).collect::<Vec<_>>().join(",")
            )
        })
        .collect::<Vec<_>>()
        .join(",");
    for (json, verb) in [
        (format!("{{\"select\":{}}}", json_text(&list(1600))), read as Verb),
        (
            format!(
                "{{\"select\":{},\"filter\":{{{}}}}}",
                json_text(&(list(1599) + ",count()")),
                conditions(1000)
            ),
            read,
        ),
        (format!("{{\"data\":[{data}]}}"), insert_),
    ] {
        let began = std::time::Instant::now();
        let statements = verb(&Arguments::parse(Some(&json)).unwrap(), &wide, &NoRelations).unwrap();
        let parameters = statements[0].0.params.len();
        println!("{} bytes, {parameters} parameters: {:?}", json.len(), began.elapsed());
        assert!(parameters > 1000, "{parameters}");
    }
}
