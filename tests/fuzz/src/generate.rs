//! Calls out of the grammar: mostly right, so that they become statements, and a little wrong.
//!
//! How wrong is one number: in one of `odds` places something that does not belong there is written instead.

mod filter;
mod select;
mod value;

use fluxbase_query::{Column, Table};
use serde_json::{Map, Value, json};

use crate::catalog::{SCHEMA, World};
use crate::random::Random;
use crate::target::Kind;

/// Names that are none, or that mean something elsewhere.
const ODD_NAMES: [&str; 22] = [
    "nmae",
    "",
    " ",
    "*",
    "count",
    "count()",
    "and",
    "or",
    "not",
    "a.b",
    "x->y",
    "\"",
    "\"\"",
    "secret",
    "hidden",
    "ctid",
    "tableoid",
    "xmin",
    "t",
    "_r",
    "people",
    "ﬃ\u{202e}",
];

/// Columns of the fixture's unique constraints.
const UNIQUE: [&str; 5] = ["email", "code", "lang,label", "title,author_id", "label"];

/// Texts that end or begin something in some language.
const ODD_TEXTS: [&str; 20] = [
    "",
    " ",
    "'",
    "\"",
    "\\",
    "--",
    "/*",
    ";",
    "$1",
    "${}",
    "%",
    "null",
    "NULL",
    "{}",
    "[1]",
    "(1,2)",
    "a,b",
    "\u{0}",
    "\n",
    "\u{feff}é🦀",
];

/// Writes calls.
#[derive(Debug)]
pub struct Generator<'w> {
    world: &'w World,
    /// The source of chance.
    pub random: Random,
    /// One place in so many is wrong.
    odds: usize,
}

impl<'w> Generator<'w> {
    /// A generator whose calls are those of its seed.
    pub fn new(world: &'w World, seed: u64) -> Generator<'w> {
        Generator { world, random: Random::new(seed), odds: 60 }
    }

    /// Makes one place in `odds` wrong.
    pub fn with_odds(mut self, odds: usize) -> Self {
        self.odds = odds.max(1);
        self
    }

    /// An input for a target.
    pub fn input(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Query => self.query().to_string(),
            Kind::Insert => self.insert().to_string(),
            Kind::Update => self.update().to_string(),
            Kind::Delete => self.delete().to_string(),
            Kind::Batch => self.batch().to_string(),
            Kind::Cursor => self.cursor(),
            Kind::TableName => self.table_name(),
            Kind::Stored => self.stored(),
            Kind::Envelope => self.envelope(),
            Kind::Key => self.key(),
            Kind::Frame => self.frame(),
        }
    }

    /// Whether this place is wrong.
    fn odd(&mut self) -> bool {
        let odds = self.odds;
        self.random.one_in(odds)
    }

    fn table(&mut self) -> &'w Table {
        // The table of all types is worth more than one in fifteen.
        if self.random.one_in(5)
            && let Some(table) = self.world.tables.iter().find(|table| table.name == "types")
        {
            return table;
        }
        self.random.pick(&self.world.tables)
    }

    /// As the argument `table` names it.
    fn named(&mut self, table: &Table) -> Value {
        if self.odd() {
            return self.nonsense(1);
        }
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let plain = table.name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let name = if plain && !self.random.one_in(8) { table.name.clone() } else { quoted(&table.name) };
        json!(if self.random.one_in(4) { format!("{SCHEMA}.{name}") } else { name })
    }

    /// The arguments of query_table.
    pub fn query(&mut self) -> Value {
        let table = self.table();
        let mut args = Map::new();
        args.insert("table".into(), self.named(table));
        let picked = if self.random.one_in(6) { select::Picked::default() } else { self.select(table, 0) };
        if !picked.text.is_empty() {
            let text = self.listed(&picked.text);
            args.insert("select".into(), text);
        }
        if !self.random.one_in(3) {
            let filter = self.filter(table, &picked.embeds, 0);
            args.insert("filter".into(), filter);
        }
        if !picked.embeds.is_empty() && !self.random.one_in(3) {
            let embed = self.embed(&picked.embeds);
            args.insert("embed".into(), embed);
        }
        if self.random.one_in(2) {
            let order = self.order(table, &picked);
            args.insert("order".into(), order);
        }
        if self.random.one_in(3) {
            args.insert("limit".into(), json!(self.random.below(12)));
        }
        if self.random.one_in(8) {
            args.insert("offset".into(), json!(self.random.below(5)));
        }
        if self.random.one_in(5) {
            let count = self.random.word(&["exact", "exact", "planned", "estimated"]);
            args.insert("count".into(), json!(count));
        }
        if self.random.one_in(12) {
            args.insert("max_chars".into(), json!(self.random.below(50_000)));
        }
        self.spoil(&mut args);
        Value::Object(args)
    }

    /// The arguments of insert_record.
    pub fn insert(&mut self) -> Value {
        let table = self.table();
        let mut args = Map::new();
        args.insert("table".into(), self.named(table));
        let columns = self.writable(table, |column| column.insert);
        let data = if self.random.one_in(3) {
            let same = self.random.one_in(2);
            let rows = (0..self.random.below(3) + 1).map(|_| {
                let some: Vec<&Column> =
                    columns.iter().copied().filter(|_| same || !self.random.one_in(4)).collect();
                self.row(&some)
            });
            Value::Array(rows.collect())
        } else {
            self.row(&columns)
        };
        args.insert("data".into(), data);
        if self.random.one_in(3) {
            let key = match self.random.below(6) {
                0 => String::new(),
                1 => "*".to_owned(),
                2 | 3 if self.random.one_in(2) => self.random.word(&UNIQUE).to_owned(),
                3 if !table.key.is_empty() => {
                    table.key.iter().map(|name| self.name(name)).collect::<Vec<_>>().join(",")
                }
                _ => (0..self.random.below(2) + 1)
                    .map(|_| self.any_column(table))
                    .collect::<Vec<_>>()
                    .join(","),
            };
            args.insert("on_conflict".into(), json!(key));
        }
        if self.random.one_in(4) {
            args.insert("resolution".into(), json!(self.random.word(&["merge", "ignore"])));
        }
        self.written(table, &mut args);
        Value::Object(args)
    }

    /// The arguments of update_record.
    pub fn update(&mut self) -> Value {
        let table = self.table();
        let mut args = Map::new();
        args.insert("table".into(), self.named(table));
        let columns = self.writable(table, |column| column.update);
        args.insert("data".into(), self.row(&columns));
        args.insert("filter".into(), self.filter(table, &[], 0));
        self.written(table, &mut args);
        Value::Object(args)
    }

    /// The arguments of delete_record.
    pub fn delete(&mut self) -> Value {
        let table = self.table();
        let mut args = Map::new();
        args.insert("table".into(), self.named(table));
        args.insert("filter".into(), self.filter(table, &[], 0));
        self.written(table, &mut args);
        Value::Object(args)
    }

    /// The arguments of write_batch.
    pub fn batch(&mut self) -> Value {
        let operations = (0..self.random.below(4) + 1).map(|_| {
            let (op, mut args) = match self.random.below(3) {
                0 => ("insert", self.insert()),
                1 => ("update", self.update()),
                _ => ("delete", self.delete()),
            };
            if let Some(args) = args.as_object_mut() {
                args.remove("dry_run");
                args.remove("max_chars");
                args.insert("op".into(), json!(op));
            }
            args
        });
        let mut args = Map::new();
        args.insert("operations".into(), Value::Array(operations.collect()));
        if self.random.one_in(3) {
            args.insert("dry_run".into(), json!(self.random.one_in(2)));
        }
        self.spoil(&mut args);
        Value::Object(args)
    }

    /// What all writes take.
    fn written(&mut self, table: &'w Table, args: &mut Map<String, Value>) {
        if self.random.one_in(2) {
            let returning = match self.random.below(4) {
                0 => json!("none"),
                _ => {
                    let picked = self.select(table, 0);
                    self.listed(&picked.text)
                }
            };
            args.insert("returning".into(), returning);
        }
        for name in ["expect", "max_affected"] {
            if self.random.one_in(8) {
                args.insert(name.into(), json!(self.random.below(5)));
            }
        }
        if self.random.one_in(8) {
            args.insert("dry_run".into(), json!(self.random.one_in(2)));
        }
        self.spoil(args);
    }

    /// The inside of a cursor.
    fn cursor(&mut self) -> String {
        if self.random.one_in(20) {
            return format!("!{}", self.random.pick(&ODD_TEXTS));
        }
        let values: Vec<Value> = (0..self.random.below(5))
            .map(|_| match self.random.below(4) {
                0 => Value::Null,
                1 => json!(self.random.below(100).to_string()),
                2 => json!("name"),
                _ if self.odd() => self.nonsense(1),
                _ => json!(self.random.word(&ODD_TEXTS)),
            })
            .collect();
        json!(["DIGEST", values]).to_string()
    }

    /// A table's name, or nearly.
    fn table_name(&mut self) -> String {
        let mut parts = Vec::new();
        for _ in 0..self.random.below(3) + 1 {
            let table = self.table();
            let name = match self.random.below(4) {
                0 => SCHEMA.to_owned(),
                1 => self.random.pick(&ODD_NAMES).to_string(),
                _ => table.name.clone(),
            };
            parts.push(match self.random.below(3) {
                0 => name,
                1 => format!("\"{name}\""),
                _ => format!("\"{}\"", name.replace('"', "\"\"")),
            });
        }
        parts.join(self.random.word(&[".", ".", ".", " . ", ""]))
    }

    /// A statement of pieces that look like parameters and are, and that look so and are not.
    fn stored(&mut self) -> String {
        const BEGINS: [&str; 4] = ["", "", "-- @fluxbase:name x\n", "/* @fluxbase:public\n*/ "];
        const PIECES: [&str; 23] = [
            "$name",
            "$b1",
            "$_x",
            "$größe",
            "'$name'",
            "'it''s $a'",
            r"E'\' $a'",
            "E'a'\n'\\' $b'",
            "\"$a\"",
            "-- $a '\n",
            "/* $a /* $b */ */",
            "$$ $a $$",
            "$q$ $a $b $q$",
            "U&'$a'",
            "a$b",
            "1$name",
            "::int",
            "SELECT",
            ", ",
            "(",
            ")",
            "\n",
            "WHERE x = ",
        ];
        const ODD: [&str; 8] = ["'", r"E'\'", "\"", "/*", "$$", "$1", "$q$", "\\"];
        let mut text = self.random.word(&BEGINS).to_owned();
        for _ in 0..self.random.below(12) + 1 {
            let piece = if self.odd() { self.random.word(&ODD) } else { self.random.word(&PIECES) };
            text.push_str(piece);
            text.push_str(self.random.word(&[" ", " ", "\n", ""]));
        }
        text
    }

    /// A message: its members in any order, now and then one of them wrong, missing or there twice.
    fn envelope(&mut self) -> String {
        const IDS: [&str; 6] = ["1", "0", "\"a\"", "\"\"", "9007199254740993", "-1"];
        const METHODS: [&str; 6] =
            ["tools/call", "tools/list", "ping", "initialize", "notifications/cancelled", "tasks/get"];
        const PARAMS: [&str; 6] = [
            "{}",
            r#"{"name":"query_table","arguments":{"table":"people"}}"#,
            r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
            r#"{"_meta":{"progressToken":1},"name":"x"}"#,
            r#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"a","version":"1"}}"#,
            r#"{"requestId":1}"#,
        ];
        const ODD: [&str; 8] = ["null", "[]", "1e400", "{\"a\":", "\"\\ud800\"", "true", "1.5", "\u{feff}"];
        let mut members = Vec::new();
        for (name, texts) in
            [("jsonrpc", &["\"2.0\""][..]), ("id", &IDS), ("method", &METHODS), ("params", &PARAMS)]
        {
            let wrong = self.odd();
            let text = if wrong { self.random.word(&ODD) } else { self.random.word(texts) };
            let text = if name == "method" && !wrong { format!("\"{text}\"") } else { text.to_owned() };
            members.push(format!("\"{name}\":{text}"));
            if self.odd() {
                members.push(format!("\"{name}\":{text}"));
            }
        }
        if self.odd() {
            members.remove(0);
        }
        let first = self.random.below(members.len());
        members.rotate_left(first);
        format!("{{{}}}", members.join(self.random.word(&[",", ", ", "\n,", ",\t"])))
    }

    /// A key of nobody's, or its credential; now and then with a letter exchanged.
    fn key(&mut self) -> String {
        let (_, known) =
            crate::CORPUS.iter().find(|(kind, _)| *kind == Kind::Key).unwrap_or(&crate::CORPUS[0]);
        let known: Vec<&str> = crate::inputs(known).filter(|key| key.len() > 60).collect();
        let mut key = self.random.word(&known).to_owned();
        if self.odd() {
            let at = self.random.below(key.len());
            key.replace_range(at..=at, self.random.word(&["0", "a", "_", "-", ":", "f", "é"]));
        }
        key
    }

    /// Frames, one behind the other; now and then one of an unknown kind, too long, or cut.
    fn frame(&mut self) -> String {
        const REQUESTS: [&str; 4] = [
            r#""status""#,
            r#"{"wait":{"token":"t","after":0,"timeout_ms":5}}"#,
            "{}",
            r#"{"cancel":{"id":"0","owner":"o"}}"#,
        ];
        let mut text = String::new();
        for _ in 0..self.random.below(3) + 1 {
            let kind = if self.odd() { self.random.below(256) } else { self.random.below(6) + 1 };
            let payload = self.random.word(&REQUESTS);
            let length = if self.odd() { self.random.below(1 << 22) } else { payload.len() };
            text.push(char::from(kind as u8));
            text.extend((length as u32).to_be_bytes().map(char::from));
            text.push_str(payload);
        }
        text
    }

    /// Columns to write: most of those that may be, few of wide tables.
    fn writable(&mut self, table: &'w Table, may: impl Fn(&Column) -> bool) -> Vec<&'w Column> {
        let odd = self.odd();
        let all: Vec<&Column> =
            table.columns.iter().filter(|column| odd || (may(column) && !column.generated)).collect();
        let keep = if all.len() > 8 { all.len() / 4 } else { 1 };
        let mut some: Vec<&Column> = all
            .iter()
            .copied()
            .filter(|_| if keep == 1 { !self.random.one_in(3) } else { self.random.one_in(keep) })
            .collect();
        if some.is_empty()
            && let Some(first) = all.first()
        {
            some.push(first);
        }
        some
    }

    fn row(&mut self, columns: &[&Column]) -> Value {
        let mut row = Map::new();
        for column in columns {
            let name =
                if self.odd() { self.random.pick(&ODD_NAMES).to_string() } else { column.name.clone() };
            let value = if self.random.one_in(8) { Value::Null } else { self.value(column) };
            row.insert(name, value);
        }
        Value::Object(row)
    }

    /// A text, or now and then the list of texts that means the same.
    fn listed(&mut self, text: &str) -> Value {
        if self.random.one_in(6) && !text.contains(['"', '(']) {
            Value::Array(text.split(',').map(|item| json!(item)).collect())
        } else {
            json!(text)
        }
    }

    /// Now and then an argument that is none, or one with something else in it.
    fn spoil(&mut self, args: &mut Map<String, Value>) {
        if self.odd() {
            let names: Vec<String> = args.keys().cloned().collect();
            let name = if names.is_empty() || self.random.one_in(3) {
                "selct".to_owned()
            } else {
                self.random.pick(&names).clone()
            };
            let value = self.nonsense(2);
            args.insert(name, value);
        }
    }

    /// A name as the grammars take it.
    fn name(&mut self, name: &str) -> String {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if plain && !self.random.one_in(10) || self.odd() {
            name.to_owned()
        } else {
            format!("\"{}\"", name.replace('"', "\"\""))
        }
    }

    /// Any column's name, seldom one that is none.
    fn any_column(&mut self, table: &Table) -> String {
        if table.columns.is_empty() || self.odd() {
            return self.random.pick(&ODD_NAMES).to_string();
        }
        let name = self.random.pick(&table.columns).name.clone();
        self.name(&name)
    }

    /// A column that may be read; `None` when there is none, seldom one that may not.
    fn readable(&mut self, table: &'w Table) -> Option<&'w Column> {
        if table.columns.is_empty() {
            return None;
        }
        let odd = self.odd();
        for _ in 0..20 {
            let column = self.random.pick(&table.columns);
            if column.select || odd {
                return Some(column);
            }
        }
        None
    }
}
