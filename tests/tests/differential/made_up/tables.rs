//! What is known of the tables of `fixture.sql` that made-up questions ask about.

/// What is known of a table.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [Column],
    pub relations: &'static [Relation],
    /// What makes an order total.
    pub key: &'static [&'static str],
}

/// A relation: how it is written in `select`, how in a filter of the tool (empty when it is not), the table, whether there is at most one.
#[derive(Debug, Clone, Copy)]
pub struct Relation(pub &'static str, pub &'static str, pub &'static str, pub bool);

/// A column: name, kind, values that occur or nearly so.
#[derive(Debug)]
pub struct Column(pub &'static str, pub Kind, pub &'static [&'static str]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
    Bool,
    /// Can be compared, and that is all.
    Plain,
    Array,
    Range,
    Json,
    Search,
}

use Kind::{Array, Bool, Json, Number, Plain, Range, Search, Text};

pub static TABLES: [Table; 16] = [
    Table {
        name: "samples",
        columns: &[
            Column("id", Number, &["1", "7", "20", "44", "79"]),
            Column("group_id", Number, &["1", "2", "4"]),
            Column("n", Number, &["-4", "-1", "0", "3", "7"]),
            Column("big", Number, &["9007199254740990", "9007199254740993", "9007199254740998"]),
            Column("price", Number, &["0.5", "9.47", "20", "30.35"]),
            Column("ratio", Number, &["0", "3.25", "5.125", "6"]),
            Column(
                "label",
                Text,
                &[
                    "alpha",
                    "Beta",
                    "beta",
                    "a,b",
                    "c.d",
                    "per%cent",
                    "under_score",
                    "q\"uote",
                    "(paren)",
                    "null",
                    "",
                    "Ünïcode",
                    "{x}",
                    "back\\slash",
                    "a b",
                ],
            ),
            Column("flag", Bool, &["true", "false"]),
            Column("on_day", Plain, &["2024-01-03", "2024-01-13", "2024-01-19"]),
            Column(
                "at",
                Plain,
                &["2024-01-01T07:30:00.5Z", "2024-01-07 21:00:11+00", "2024-01-10 12:00:00+05:30"],
            ),
            Column(
                "code",
                Plain,
                &["1679091c-5a88-0faf-6fb5-e6087eb1b2dc", "eccbc87e4b5ce2fe28308fd9f2a7baf3"],
            ),
            Column("mood", Plain, &["sad", "ok", "happy"]),
            Column("tags", Array, &["{}", "{a}", "{a,b}", "{\"x,y\"}", "{b,\"d e\"}"]),
            Column("nums", Array, &["{}", "{1}", "{2,3}", "{1,2}"]),
            Column("span", Range, &["[1,5)", "[5,9)", "empty", "(,4)", "[8,)", "[3,3]"]),
            Column(
                "data",
                Json,
                &["{}", "{\"k\":1}", "{\"k\":null}", "[1]", "[1,2]", "{\"k\":\"1\"}", "{\"o\":{\"p\":true}}"],
            ),
            Column("doc", Search, &["cat", "rat", "fat cat", "nothing", "runs"]),
        ],
        relations: &[
            Relation("groups", "groups", "groups", true),
            Relation("marks", "marks", "marks", false),
            Relation("labels", "labels", "labels", false),
            Relation("sample_labels", "sample_labels", "sample_labels", false),
        ],
        key: &["id"],
    },
    Table {
        name: "groups",
        columns: &[
            Column("id", Number, &["1", "3", "5"]),
            Column("name", Text, &["red", "green", "blue"]),
            Column("weight", Number, &["1.5", "2.25", "10"]),
        ],
        relations: &[Relation("samples", "samples", "samples", false)],
        key: &["id"],
    },
    Table {
        name: "marks",
        columns: &[
            Column("id", Number, &["1", "40", "90"]),
            Column("sample_id", Number, &["1", "7", "30"]),
            Column("kind", Text, &["new", "old", "odd"]),
            Column("score", Number, &["0", "4", "9"]),
        ],
        relations: &[Relation("samples", "samples", "samples", true)],
        key: &["id"],
    },
    Table {
        name: "labels",
        columns: &[Column("id", Number, &["1", "2", "4"]), Column("word", Text, &["cheap", "dear", "rare"])],
        relations: &[
            Relation("samples", "samples", "samples", false),
            Relation("sample_labels", "sample_labels", "sample_labels", false),
        ],
        key: &["id"],
    },
    Table {
        name: "sample_labels",
        columns: &[
            Column("sample_id", Number, &["1", "7", "30"]),
            Column("label_id", Number, &["1", "2", "4"]),
            Column("since", Plain, &["2024-01-01", "2024-01-05"]),
        ],
        relations: &[
            Relation("samples", "samples", "samples", true),
            Relation("labels", "labels", "labels", true),
        ],
        key: &["sample_id", "label_id"],
    },
    Table {
        name: "films",
        columns: &[
            Column("id", Number, &["1", "3", "9", "10", "12"]),
            Column("director_id", Number, &["1", "4", "5"]),
            Column(
                "title",
                Text,
                &["A Fat Cat", "Dust", "100% \"Quoted\" (really)", "under_score and back\\slash"],
            ),
            Column("year", Number, &["1978", "1995", "2011"]),
            Column("rating", Number, &["5.5", "6.4", "9.9"]),
            Column("genre", Plain, &["drama", "comedy", "horror"]),
            Column("tags", Array, &["{sea}", "{night,sea}", "{\"a,b\"}", "{\"c\\\"d\"}", "{secret}"]),
            Column(
                "extra",
                Json,
                &["{\"age\":25}", "{}", "{\"phones\":[{\"country\":\"43\"}]}", "[1]", "\"text\""],
            ),
            Column("words", Search, &["cat", "harbours", "fat cat", "secret"]),
        ],
        relations: &[
            Relation("directors", "directors", "directors", true),
            Relation("director_id", "director_id", "directors", true),
            Relation("roles", "roles", "roles", false),
            Relation("actors", "actors", "actors", false),
            Relation("actors!roles", "actors!roles", "actors", false),
        ],
        key: &["id"],
    },
    Table {
        name: "directors",
        columns: &[
            Column("id", Number, &["1", "3", "5"]),
            Column("last_name", Text, &["Kovacs", "Okafor", "Hand"]),
            Column("born", Plain, &["1951-03-04", "1970-07-07"]),
        ],
        relations: &[Relation("films", "films", "films", false)],
        key: &["id"],
    },
    Table {
        name: "actors",
        columns: &[
            Column("id", Number, &["1", "3", "4"]),
            Column("last_name", Text, &["Alcy", "Baker", "Ghost"]),
            Column("awards", Number, &["0", "2", "9"]),
        ],
        relations: &[Relation("films", "films", "films", false), Relation("roles", "roles", "roles", false)],
        key: &["id"],
    },
    Table {
        name: "roles",
        columns: &[
            Column("film_id", Number, &["1", "3", "9"]),
            Column("actor_id", Number, &["1", "2", "4"]),
            Column("character", Text, &["Chico", "Ghost", "Cat"]),
            Column("fee", Number, &["75.25", "50", "100"]),
        ],
        relations: &[Relation("films", "films", "films", true), Relation("actors", "actors", "actors", true)],
        key: &["film_id", "actor_id"],
    },
    Table {
        name: "orders",
        columns: &[
            Column("id", Number, &["1", "3", "6"]),
            Column("name", Text, &["One", "Two", "Six"]),
            Column("order_date", Plain, &["2023-01-01", "2023-01-02"]),
            Column("amount", Number, &["-5", "0.01", "20"]),
        ],
        relations: &[
            Relation("addresses!billing", "billing", "addresses", true),
            Relation("addresses!shipping_id", "shipping_id", "addresses", true),
            Relation("billing_id", "billing_id", "addresses", true),
        ],
        key: &["id"],
    },
    Table {
        name: "addresses",
        columns: &[Column("id", Number, &["1", "2", "3"]), Column("city", Text, &["Oslo", "Bergen", "Voss"])],
        relations: &[
            Relation("orders!billing", "billing", "orders", false),
            Relation("orders!shipping", "shipping", "orders", false),
        ],
        key: &["id"],
    },
    Table {
        name: "employees",
        columns: &[
            Column("id", Number, &["1", "2", "5"]),
            Column("last_name", Text, &["Chief", "Second", "Fifth"]),
            Column("supervisor_id", Number, &["1", "2", "5"]),
        ],
        relations: &[
            Relation("supervisor_id", "supervisor_id", "employees", true),
            Relation("employees!supervisor_id", "employees!supervisor_id", "employees", false),
        ],
        key: &["id"],
    },
    Table {
        name: "stock",
        columns: &[
            Column("sku", Text, &["a1", "a3", "a5"]),
            Column("country", Text, &["no", "se"]),
            Column("code", Number, &["1", "2"]),
            Column("pieces", Number, &["0", "5", "9"]),
        ],
        relations: &[Relation("warehouses", "warehouses", "warehouses", true)],
        key: &["sku"],
    },
    Table {
        name: "warehouses",
        columns: &[
            Column("country", Text, &["no", "se"]),
            Column("code", Number, &["1", "2"]),
            Column("label", Text, &["Bergen", "Empty"]),
        ],
        relations: &[Relation("stock", "stock", "stock", false)],
        key: &["country", "code"],
    },
    Table {
        name: "Odd Names",
        columns: &[
            Column("The Id", Number, &["1", "2", "3"]),
            Column("UPPER", Text, &["U1", "u1"]),
            Column("upper", Text, &["l1", "L1"]),
            Column("\"a.b\"", Number, &["10", "20"]),
            Column("größe", Number, &["170", "180"]),
            Column("\"x->y\"", Text, &["xy1", "xy2"]),
            Column("\"comma,name\"", Text, &["c1", "c2"]),
            Column("\"paren(s)\"", Text, &["p1", "p2"]),
            Column("\"colon:name\"", Text, &["col", "col2"]),
            Column("\"count\"", Number, &["11", "22"]),
        ],
        relations: &[Relation("\"odd.Children\"", "\"odd.Children\"", "odd.Children", false)],
        key: &["The Id"],
    },
    Table {
        name: "odd.Children",
        columns: &[
            Column("child id", Number, &["1", "3"]),
            Column("Parent Id", Number, &["1", "2"]),
            Column("Value", Text, &["first", "third"]),
        ],
        relations: &[
            Relation("Odd Names", "Odd Names", "Odd Names", true),
            Relation("Odd Names!Odd Key", "Odd Key", "Odd Names", true),
        ],
        key: &["child id"],
    },
];

/// What is written to.
pub static WRITTEN: Table = Table {
    name: "w_items",
    columns: &[
        Column("id", Number, &["1", "3", "4", "6"]),
        Column("name", Text, &["item 1", "item 4", "item 5"]),
        Column("qty", Number, &["10", "40", "45", "70"]),
        Column("note", Text, &["note 1", "note 2", "none"]),
        Column("kind", Text, &["x", "y"]),
        Column("tags", Array, &["{t1}", "{t2,t5}", "{}"]),
        Column("data", Json, &["{\"i\":1}", "{}", "{\"i\":6}"]),
    ],
    relations: &[Relation("w_kinds", "w_kinds", "groups", true)],
    key: &["id"],
};

pub fn table(name: &str) -> &'static Table {
    TABLES.iter().find(|table| table.name == name).expect("a known table")
}
