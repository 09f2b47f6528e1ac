//! Filters and conditions.

use fluxbase_query::{Column, Table, reference};
use serde_json::{Map, Value, json};

use super::select::Embedded;
use super::{Generator, ODD_TEXTS};

/// Every operator.
pub(super) const OPERATORS: [&str; 27] = [
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "is",
    "isnot",
    "in",
    "nin",
    "isdistinct",
    "like",
    "ilike",
    "match",
    "imatch",
    "cs",
    "cd",
    "ov",
    "sl",
    "sr",
    "nxr",
    "nxl",
    "adj",
    "fts",
    "plfts",
    "phfts",
    "wfts",
];

/// A field as text, and the type of what comes out.
pub(super) struct Field<'w> {
    pub(super) text: String,
    pub(super) what: What<'w>,
}

/// The type of a field.
pub(super) enum What<'w> {
    Column(&'w Column),
    Json,
    Text,
}

impl<'w> Generator<'w> {
    /// A column or a path into one. `quoted`: as in `select` and `order`, where a bare odd name would be syntax.
    pub(super) fn field(&mut self, table: &'w Table, quoted: bool) -> Option<Field<'w>> {
        let column = self.readable(table)?;
        let has_parts = matches!(column.base_sql.as_str(), "json" | "jsonb")
            || column.element_oid != 0
            || column.is_composite;
        let bare = !quoted && self.random.one_in(2);
        if !(has_parts && self.random.one_in(2) || self.odd()) {
            let text = if bare { column.name.clone() } else { self.name(&column.name) };
            return Some(Field { text, what: What::Column(column) });
        }
        let mut text = self.name(&column.name);
        let steps = self.random.below(3) + 1;
        let as_text = self.random.one_in(2);
        for step in 0..steps {
            text.push_str(if as_text && step + 1 == steps { "->>" } else { "->" });
            text.push_str(self.random.word(&[
                "a", "b", "deep", "k", "0", "-1", "1", "\"a\"", "street", "number", "\"0\"", "n", "x1",
            ]));
        }
        Some(Field { text, what: if as_text { What::Text } else { What::Json } })
    }

    /// A filter object.
    pub(super) fn filter(&mut self, table: &'w Table, embeds: &[Embedded<'w>], depth: usize) -> Value {
        let mut filter = Map::new();
        for _ in 0..self.random.below(if depth == 0 { 3 } else { 2 }) + 1 {
            let (key, value) = match self.random.below(14) {
                0 | 1 if depth < 3 => {
                    let key = self.random.word(&["and", "or", "or", "not"]);
                    let value = if self.random.one_in(4) {
                        self.filter(table, embeds, depth + 1)
                    } else {
                        Value::Array(
                            (0..self.random.below(3) + 1)
                                .map(|_| self.filter(table, embeds, depth + 1))
                                .collect(),
                        )
                    };
                    (key.to_owned(), value)
                }
                2 | 3 => match self.related(table, embeds) {
                    Some((name, far, inner)) => {
                        if self.random.one_in(4) {
                            (
                                name,
                                self.random
                                    .pick(&[json!(null), json!("is.null"), json!("isnot.null")])
                                    .clone(),
                            )
                        } else {
                            // Deeper with more dots.
                            let (mut prefix, mut far, mut inner) = (name, far, inner);
                            if self.random.one_in(4)
                                && let Some((more, farther, innermost)) = self.related(far, &inner)
                            {
                                prefix = format!("{prefix}.{more}");
                                (far, inner) = (farther, innermost);
                            }
                            let _ = inner;
                            match self.field(far, true) {
                                Some(field) => {
                                    let value = self.condition(&field.what);
                                    (format!("{prefix}.{}", field.text), value)
                                }
                                None => continue,
                            }
                        }
                    }
                    None => continue,
                },
                _ => match self.field(table, false) {
                    Some(field) => {
                        let value = self.condition(&field.what);
                        (field.text, value)
                    }
                    None => continue,
                },
            };
            filter.insert(key, value);
        }
        if self.odd() {
            let key = self.any_column(table);
            let value = self.nonsense(2);
            filter.insert(key, value);
        }
        Value::Object(filter)
    }

    /// A relation's name for a filter, the table at its other end, and what `select` has embedded there.
    #[allow(clippy::type_complexity)]
    fn related<'e>(
        &mut self,
        table: &'w Table,
        embeds: &'e [Embedded<'w>],
    ) -> Option<(String, &'w Table, Vec<Embedded<'w>>)>
    where
        'w: 'e,
    {
        if !embeds.is_empty() && self.random.one_in(2) {
            let embed = self.random.pick(embeds);
            return Some((self.name(&embed.name.clone()), embed.table, embed.inner.clone()));
        }
        let relations = self.world.relations_of(table);
        if relations.is_empty() {
            return None;
        }
        let number = self.random.below(relations.len());
        let relation = &relations[number];
        let far = self.world.tables.iter().find(|table| table.oid == relation.oid)?;
        let name = match self.random.below(3) {
            0 => self.name(&relation.constraint),
            _ => reference(relations, number).split('!').next().unwrap_or_default().to_owned(),
        };
        Some((name, far, Vec::new()))
    }

    /// A condition on a field of that type.
    fn condition(&mut self, what: &What<'_>) -> Value {
        let (operators, category): (&[&str], char) = match what {
            What::Json => {
                (&["eq", "neq", "gt", "lte", "in", "is", "isdistinct", "cs", "cd", "like", "wfts"], 'U')
            }
            What::Text => {
                (&["eq", "neq", "gt", "in", "is", "like", "ilike", "match", "fts", "isdistinct"], 'S')
            }
            What::Column(column) => (
                match (column.category, column.base_sql.as_str()) {
                    ('A', _) => {
                        &["eq", "neq", "gt", "cs", "cd", "ov", "is", "isnot", "in", "like", "isdistinct"]
                    }
                    ('R', _) => &["eq", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj", "lt", "in"],
                    ('G', _) => {
                        &["eq", "sl", "sr", "nxr", "nxl", "cs", "cd", "ov", "is", "isdistinct", "lt", "in"]
                    }
                    ('S', _) => &[
                        "eq",
                        "neq",
                        "gt",
                        "like",
                        "ilike",
                        "match",
                        "imatch",
                        "in",
                        "nin",
                        "is",
                        "fts",
                        "plfts",
                        "phfts",
                        "wfts",
                        "isdistinct",
                    ],
                    (_, "json" | "jsonb") => {
                        &["eq", "neq", "gt", "in", "cs", "cd", "is", "like", "plfts", "isdistinct"]
                    }
                    (_, "tsvector") => &["fts", "plfts", "phfts", "wfts", "eq", "is"],
                    ('U', _) => {
                        &["eq", "neq", "lt", "in", "is", "cs", "cd", "ov", "sl", "isdistinct", "like"]
                    }
                    ('C', _) => &["eq", "neq", "lt", "is", "isnot", "in", "isdistinct"],
                    _ => &[
                        "eq",
                        "neq",
                        "gt",
                        "gte",
                        "lt",
                        "lte",
                        "in",
                        "nin",
                        "is",
                        "isnot",
                        "isdistinct",
                        "like",
                    ],
                },
                column.category,
            ),
        };
        let operator =
            if self.random.one_in(20) { self.random.word(&OPERATORS) } else { *self.random.pick(operators) };
        let patterns = matches!(operator, "like" | "ilike" | "match" | "imatch");
        let mut written = operator.to_owned();
        let mut quantified = false;
        if (patterns || matches!(operator, "eq" | "neq" | "gt" | "gte" | "lt" | "lte"))
            && self.random.one_in(6)
        {
            written.push_str(self.random.word(&["(any)", "(all)"]));
            quantified = true;
        } else if operator.ends_with("fts") && self.random.one_in(2) {
            written.push_str(self.random.word(&[
                "(english)",
                "(simple)",
                "(pg_catalog.german)",
                "(no such)",
            ]));
        }
        if self.random.one_in(8) {
            written.insert_str(0, "not.");
        }
        let is = matches!(operator, "is" | "isnot");
        let state =
            if category == 'B' { self.random.word(&["null", "true", "false", "unknown"]) } else { "null" };
        let listed = quantified || matches!(operator, "in" | "nin");
        if self.random.one_in(2) {
            let one = |this: &mut Self| {
                let text = match what {
                    _ if patterns => this.random.pick(&["%a%", "a_", "^a", "\\%", "x", "(", "["]).to_string(),
                    _ if operator.ends_with("fts") => {
                        this.random.pick(&["cat", "cat & dog", "\"a b\" -c", "!"]).to_string()
                    }
                    What::Column(column) => this.text_of(column),
                    What::Json => this.random.pick(&["1", "\"a\"", "{\"a\":1}", "[1]"]).to_string(),
                    What::Text => "text".to_owned(),
                };
                if listed { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) } else { text }
            };
            let value = if is {
                state.to_owned()
            } else if listed {
                let items: Vec<String> = (0..self.random.below(3) + 1).map(|_| one(self)).collect();
                format!("({})", items.join(","))
            } else {
                one(self)
            };
            return json!(format!("{written}.{value}"));
        }
        let one = |this: &mut Self| match what {
            _ if patterns || operator.ends_with("fts") => json!(*this.random.pick(&["%a%", "cat", "a|b"])),
            What::Column(column) => this.value(column),
            What::Json => this.random.pick(&[json!(1), json!("a"), json!({"a": [1]}), json!([1])]).clone(),
            What::Text => json!(*this.random.pick(&ODD_TEXTS[..4])),
        };
        let value = if is {
            match state {
                "null" => Value::Null,
                "true" => json!(true),
                other => json!(other),
            }
        } else if listed {
            Value::Array((0..self.random.below(4)).map(|_| one(self)).collect())
        } else {
            one(self)
        };
        match self.random.below(10) {
            // Without an operator: numbers, booleans and null.
            0 if !listed && (value.is_number() || value.is_boolean() || value.is_null()) => value,
            1 => json!({ "not": { written.trim_start_matches("not."): value } }),
            2 => json!({ written: value, "isnot": null }),
            _ => json!({ written: value }),
        }
    }
}
