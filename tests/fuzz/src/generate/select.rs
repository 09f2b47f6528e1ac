//! Outputs, embedded relations, orders.

use fluxbase_query::{Table, reference};
use serde_json::{Map, Value, json};

use super::filter::What;
use super::{Generator, ODD_NAMES};

const CASTS: [&str; 25] = [
    "text",
    "varchar",
    "int2",
    "smallint",
    "int4",
    "integer",
    "int",
    "int8",
    "bigint",
    "float4",
    "real",
    "float8",
    "numeric",
    "decimal",
    "boolean",
    "bool",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "json",
    "jsonb",
];
const AGGREGATES: [&str; 5] = ["count", "sum", "avg", "min", "max"];
const ALIASES: [&str; 9] = ["a1", "b2", "SELECT", "ü", "_r", "t", "_w", "user", "count"];

/// What a select asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Picked<'w> {
    pub(super) text: String,
    pub(super) embeds: Vec<Embedded<'w>>,
    /// The outputs' names, when there is an aggregate.
    pub(super) groups: Option<Vec<String>>,
}

/// An embedded relation.
#[derive(Debug, Clone)]
pub(super) struct Embedded<'w> {
    pub(super) name: String,
    pub(super) table: &'w Table,
    pub(super) inner: Vec<Embedded<'w>>,
}

impl<'w> Generator<'w> {
    /// A select.
    pub(super) fn select(&mut self, table: &'w Table, depth: usize) -> Picked<'w> {
        let grouped = self.random.one_in(5);
        let mut picked = Picked::default();
        let (mut items, mut names) = (Vec::new(), Vec::new());
        for n in 0..self.random.below(4) + 1 {
            let chance = self.random.below(12);
            if grouped && (n == 0 || chance < 3) {
                let (item, name) = self.aggregate(table);
                items.push(item);
                names.push(name);
            } else if chance < 4 && depth < 3 && (depth == 0 || !self.random.one_in(3)) {
                if let Some(item) = self.relation(table, depth, &mut picked.embeds) {
                    items.push(item);
                }
            } else if chance == 4 && !grouped && n == 0 {
                items.push("*".to_owned());
            } else if let Some((item, name)) = self.output(table, n) {
                items.push(item);
                names.push(name);
            }
        }
        if self.odd() {
            items.push(self.random.pick(&ODD_NAMES).to_string());
        }
        picked.text = items.join(if self.random.one_in(5) { " , " } else { "," });
        picked.groups = grouped.then_some(names);
        picked
    }

    /// A field with what may stand around it.
    fn output(&mut self, table: &'w Table, n: usize) -> Option<(String, String)> {
        let field = self.field(table, true)?;
        let mut item = field.text;
        let mut name = match field.what {
            What::Column(column) => column.name.clone(),
            _ => item.clone(),
        };
        let castable = self.random.one_in(4) || self.odd();
        if castable {
            let fitting: &[&str] = match field.what {
                _ if self.random.one_in(5) => &CASTS,
                What::Column(column) => match column.category {
                    'N' => &["text", "int4", "numeric", "float8", "int8"],
                    'D' => &["text", "date", "timestamptz"],
                    'B' => &["text", "int4"],
                    'S' => &["text", "json", "int4"],
                    _ => &["text"],
                },
                _ => &["text", "int4", "numeric", "jsonb"],
            };
            item = format!("{item}::{}", self.random.pick(fitting));
        }
        if self.random.one_in(3) || name.contains("->") && self.random.one_in(2) {
            name =
                if self.random.one_in(3) { self.random.pick(&ALIASES).to_string() } else { format!("x{n}") };
            item = format!("{name}:{item}");
        }
        Some((item, name))
    }

    fn aggregate(&mut self, table: &'w Table) -> (String, String) {
        let function = self.random.word(&AGGREGATES);
        let mut item = match self.field(table, true) {
            Some(field) if !(function == "count" && self.random.one_in(2)) => {
                let cast = if self.random.one_in(6) { "::numeric" } else { "" };
                format!("{}{cast}.{function}()", field.text)
            }
            _ => "count()".to_owned(),
        };
        if self.random.one_in(6) {
            item.push_str("::");
            item.push_str(self.random.word(&["text", "int8", "float8"]));
        }
        let name = if self.random.one_in(2) {
            format!("agg{}", self.random.below(50))
        } else {
            return (item, function.to_owned());
        };
        (format!("{name}:{item}"), name)
    }

    fn relation(&mut self, table: &'w Table, depth: usize, embeds: &mut Vec<Embedded<'w>>) -> Option<String> {
        let relations = self.world.relations_of(table);
        if relations.is_empty() {
            return None;
        }
        let number = self.random.below(relations.len());
        let relation = &relations[number];
        let far = self.world.tables.iter().find(|table| table.oid == relation.oid)?;
        let text = match self.random.below(8) {
            0 => self.name(&relation.name),
            1 => self.name(&relation.constraint),
            2 => format!("{}!{}", self.name(&relation.name), self.name(&relation.constraint)),
            3 => format!("{}.{}", relation.schema, self.name(&relation.name)),
            _ => reference(relations, number),
        };
        // In the answer it has the name that was written, or the table's when that was written with its schema.
        let written = text.split('!').next().unwrap_or_default();
        let mut name = match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(inner) => inner.replace("\"\"", "\""),
            None => written.rsplit('.').next().unwrap_or_default().trim_matches('"').to_owned(),
        };
        let mut text = text;
        if self.random.one_in(3) || embeds.iter().any(|embed| embed.name == name) {
            name = format!("r{}{}", depth, embeds.len());
            text = format!("{name}:{text}");
        }
        if self.random.one_in(3) {
            text.push_str(self.random.word(&["!inner", "!left", "!inner"]));
        }
        let picked = if self.random.one_in(12) { Picked::default() } else { self.select(far, depth + 1) };
        let spread = if relation.to_one && self.random.one_in(3) || self.odd() { "..." } else { "" };
        embeds.push(Embedded { name, table: far, inner: picked.embeds });
        Some(format!("{spread}{text}({})", picked.text))
    }

    /// The argument `embed`.
    pub(super) fn embed(&mut self, embeds: &[Embedded<'w>]) -> Value {
        let mut all = Map::new();
        self.embed_into(embeds, "", &mut all);
        Value::Object(all)
    }

    fn embed_into(&mut self, embeds: &[Embedded<'w>], prefix: &str, all: &mut Map<String, Value>) {
        for embed in embeds {
            let path = format!("{prefix}{}", self.name(&embed.name));
            self.embed_into(&embed.inner, &format!("{path}."), all);
            if self.random.one_in(3) {
                continue;
            }
            let mut shape = Map::new();
            if self.random.one_in(2) {
                let filter = self.filter(embed.table, &embed.inner, 1);
                shape.insert("filter".into(), filter);
            }
            if self.random.one_in(2) {
                let order = self.order(embed.table, &Picked::default());
                shape.insert("order".into(), order);
            }
            if self.random.one_in(2) {
                shape.insert("limit".into(), json!(self.random.below(4)));
            }
            if self.random.one_in(5) {
                shape.insert("offset".into(), json!(self.random.below(3)));
            }
            self.spoil(&mut shape);
            all.insert(path, Value::Object(shape));
        }
    }

    /// The argument `order`.
    pub(super) fn order(&mut self, table: &'w Table, picked: &Picked<'w>) -> Value {
        let mut items = Vec::new();
        for _ in 0..self.random.below(3) + 1 {
            let what = match &picked.groups {
                Some(names) if !names.is_empty() && !self.odd() => {
                    let name = self.random.pick(names).clone();
                    self.name(&name)
                }
                _ => match self.single(table) {
                    Some((name, far)) if self.random.one_in(4) => match self.field(far, true) {
                        Some(field) => format!("{name}({})", field.text),
                        None => continue,
                    },
                    _ => match self.field(table, true) {
                        Some(field) => field.text,
                        None => continue,
                    },
                },
            };
            items.push(format!(
                "{what}{}{}",
                self.random.pick(&["", "", ".asc", ".desc", " desc"]),
                self.random.pick(&["", "", "", ".nullsfirst", ".nullslast", " NULLS LAST"])
            ));
        }
        let text = items.join(",");
        if items.len() > 1 && self.random.one_in(5) { json!(items) } else { json!(text) }
    }

    fn single(&mut self, table: &'w Table) -> Option<(String, &'w Table)> {
        let relations = self.world.relations_of(table);
        let ones: Vec<usize> = (0..relations.len()).filter(|n| relations[*n].to_one || self.odd()).collect();
        if ones.is_empty() {
            return None;
        }
        let number = *self.random.pick(&ones);
        let far = self.world.tables.iter().find(|table| table.oid == relations[number].oid)?;
        Some((reference(relations, number), far))
    }
}
