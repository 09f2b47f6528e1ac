//! What is known of the tables of `fixture.sql` that made-up questions ask about.

/// What is known of a table.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [Column],
    /// Name, table, whether there is at most one.
    pub relations: &'static [(&'static str, &'static str, bool)],
    /// What makes an order total.
    pub key: &'static [&'static str],
}

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

pub static TABLES: [Table; 5] = [
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
            ("groups", "groups", true),
            ("marks", "marks", false),
            ("labels", "labels", false),
            ("sample_labels", "sample_labels", false),
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
        relations: &[("samples", "samples", false)],
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
        relations: &[("samples", "samples", true)],
        key: &["id"],
    },
    Table {
        name: "labels",
        columns: &[Column("id", Number, &["1", "2", "4"]), Column("word", Text, &["cheap", "dear", "rare"])],
        relations: &[("samples", "samples", false), ("sample_labels", "sample_labels", false)],
        key: &["id"],
    },
    Table {
        name: "sample_labels",
        columns: &[
            Column("sample_id", Number, &["1", "7", "30"]),
            Column("label_id", Number, &["1", "2", "4"]),
            Column("since", Plain, &["2024-01-01", "2024-01-05"]),
        ],
        relations: &[("samples", "samples", true), ("labels", "labels", true)],
        key: &["sample_id", "label_id"],
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
    relations: &[("w_kinds", "groups", true)],
    key: &["id"],
};

pub fn table(name: &str) -> &'static Table {
    TABLES.iter().find(|table| table.name == name).expect("a known table")
}
