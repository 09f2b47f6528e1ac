//! How an abstract question is written for each side.

use fluxbase_tests::random::Random;
use serde_json::{Map, Value, json};

use super::parts::{Embed, Item, Leaf, Node, Operand, Order, Question, Select};
use crate::postgrest::encode_part;

// ---- PostgREST ----

/// The pairs of a query string, not encoded, and relations that are embedded for the sake of a filter only.
#[derive(Default)]
struct Pairs {
    all: Vec<(String, String)>,
    helpers: Vec<String>,
}

impl Question {
    /// The filter alone, for an update or a delete.
    pub fn query_of_a_write(&self) -> String {
        let mut pairs = Pairs::default();
        pairs.filter(&self.filter, "");
        format!("{}?{}", encode_part(self.table.name), encoded(&pairs.all))
    }

    /// Path and query for PostgREST, encoded.
    pub fn query(&self) -> String {
        let mut pairs = Pairs::default();
        pairs.filter(&self.filter, "");
        let helpers = std::mem::take(&mut pairs.helpers);
        let mut select = vec![pairs.select(&self.select, "")];
        select.extend(helpers);
        let mut all = vec![("select".to_owned(), select.join(","))];
        all.extend(pairs.all);
        if !self.order.is_empty() {
            all.push(("order".to_owned(), order(&self.order)));
        }
        all.extend(self.limit.map(|limit| ("limit".to_owned(), limit.to_string())));
        all.extend(self.offset.map(|offset| ("offset".to_owned(), offset.to_string())));
        format!("{}?{}", encode_part(self.table.name), encoded(&all))
    }
}

fn encoded(pairs: &[(String, String)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode_part(name), encode_part(value)))
        .collect::<Vec<_>>()
        .join("&")
}

impl Pairs {
    /// The text of a selection; what shapes its embeds becomes pairs. `path` ends with a dot or is empty.
    fn select(&mut self, select: &Select, path: &str) -> String {
        let mut parts: Vec<String> = select.items.iter().map(item).collect();
        for embed in &select.embeds {
            let inside = format!("{path}{}.", embed.output());
            self.filter(&embed.filter, &inside);
            let helpers = std::mem::take(&mut self.helpers);
            let mut inner = vec![self.select(&embed.select, &inside)];
            inner.extend(helpers);
            if !embed.order.is_empty() {
                self.all.push((format!("{inside}order"), order(&embed.order)));
            }
            if let Some(limit) = embed.limit {
                self.all.push((format!("{inside}limit"), limit.to_string()));
            }
            parts.push(format!("{}({})", embed.head(), inner.join(",")));
        }
        parts.join(",")
    }

    fn filter(&mut self, nodes: &[Node], path: &str) {
        for node in nodes {
            match node {
                Node::Leaf(leaf) => {
                    self.all.push((format!("{path}{}", leaf.field), leaf.postgrest(|text| text.to_owned())));
                }
                Node::All(parts) => self.all.push((format!("{path}and"), group(parts))),
                Node::Any(parts) => self.all.push((format!("{path}or"), group(parts))),
                Node::Not(parts) => self.all.push((format!("{path}not.and"), group(parts))),
                Node::Related { relation, leaves, none } => {
                    let alias = format!("h{}", self.all.len());
                    self.helpers.push(format!("{alias}:{}()", relation.0));
                    for leaf in leaves {
                        self.all.push((
                            format!("{path}{alias}.{}", leaf.field),
                            leaf.postgrest(|text| text.to_owned()),
                        ));
                    }
                    self.all.push((
                        format!("{path}{alias}"),
                        if *none { "is.null" } else { "not.is.null" }.to_owned(),
                    ));
                }
            }
        }
    }
}

fn group(parts: &[Node]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Node::Leaf(leaf) => format!("{}.{}", leaf.field, leaf.postgrest(quoted)),
            Node::All(parts) => format!("and{}", group(parts)),
            Node::Any(parts) => format!("or{}", group(parts)),
            Node::Not(parts) => format!("not.and{}", group(parts)),
            Node::Related { .. } => unreachable!("only at the top"),
        })
        .collect();
    format!("({})", parts.join(","))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `{a,"b,c"}`
fn array_literal(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("{{{}}}", values.join(","))
}

impl Leaf {
    /// Operator and value; a single value in the way that its place needs.
    fn postgrest(&self, place: impl Fn(&str) -> String) -> String {
        let not = if self.negated { "not." } else { "" };
        let op = self.op;
        match &self.value {
            Operand::One { text, .. } => format!("{not}{op}.{}", place(text)),
            Operand::Word(word) => format!("{not}{op}.{word}"),
            Operand::List(values) => {
                let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                format!("{not}{op}.({})", values.join(","))
            }
            Operand::Quantified(which, values) => {
                format!("{not}{op}({which}).{}", place(&array_literal(values)))
            }
            Operand::Search(Some(config), words) => format!("{not}{op}({config}).{}", place(words)),
            Operand::Search(None, words) => format!("{not}{op}.{}", place(words)),
        }
    }
}

// ---- what both write alike ----

fn item(item: &Item) -> String {
    let alias = item.alias.as_ref().map(|alias| format!("{alias}:")).unwrap_or_default();
    let cast = item.cast.map(|cast| format!("::{cast}")).unwrap_or_default();
    match item.aggregate {
        Some(aggregate) if item.field.is_empty() => format!("{alias}{aggregate}()"),
        Some(aggregate) => format!("{alias}{}{cast}.{aggregate}()", item.field),
        None => format!("{alias}{}{cast}", item.field),
    }
}

fn order(order: &[Order]) -> String {
    let items: Vec<String> = order
        .iter()
        .map(|item| match item.relation {
            Some(relation) => format!("{relation}({}){}", item.field, item.suffix),
            None => format!("{}{}", item.field, item.suffix),
        })
        .collect();
    items.join(",")
}

impl Embed {
    /// Its name in the answer.
    fn output(&self) -> &str {
        if self.alias.is_empty() { self.name } else { &self.alias }
    }

    fn head(&self) -> String {
        let alias = if self.alias.is_empty() { String::new() } else { format!("{}:", self.alias) };
        let dots = if self.spread { "..." } else { "" };
        format!("{dots}{alias}{}{}", self.name, if self.inner { "!inner" } else { "" })
    }
}

// ---- the tool ----

impl Question {
    /// The arguments of `query_table`. Where there are several ways to say the same, chance decides.
    pub fn arguments(&self, random: &mut Random) -> Value {
        // A dot would divide schema and table.
        let table = if self.table.name.contains('.') {
            format!("\"{}\"", self.table.name)
        } else {
            self.table.name.to_owned()
        };
        let mut arguments = Map::new();
        arguments.insert("table".to_owned(), json!(table));
        let mut embed = Map::new();
        arguments.insert("select".to_owned(), json!(select(&self.select, "", &mut embed, random)));
        if !embed.is_empty() {
            arguments.insert("embed".to_owned(), Value::Object(embed));
        }
        if !self.filter.is_empty() {
            arguments.insert("filter".to_owned(), conjunction(&self.filter, random));
        }
        if !self.order.is_empty() {
            arguments.insert("order".to_owned(), json!(order(&self.order)));
        }
        // There is a default here, and none at PostgREST.
        arguments.insert("limit".to_owned(), json!(self.limit.unwrap_or(1000)));
        if let Some(offset) = self.offset {
            arguments.insert("offset".to_owned(), json!(offset));
        }
        Value::Object(arguments)
    }
}

fn select(of: &Select, path: &str, shapes: &mut Map<String, Value>, random: &mut Random) -> String {
    let mut parts: Vec<String> = of.items.iter().map(item).collect();
    for embed in &of.embeds {
        let here = format!("{path}{}", embed.output());
        let mut shape = Map::new();
        if !embed.filter.is_empty() {
            shape.insert("filter".to_owned(), conjunction(&embed.filter, random));
        }
        if !embed.order.is_empty() {
            shape.insert("order".to_owned(), json!(order(&embed.order)));
        }
        if let Some(limit) = embed.limit {
            shape.insert("limit".to_owned(), json!(limit));
        }
        if !shape.is_empty() {
            shapes.insert(here.clone(), Value::Object(shape));
        }
        parts.push(format!(
            "{}({})",
            embed.head(),
            select(&embed.select, &format!("{here}."), shapes, random)
        ));
    }
    parts.join(",")
}

/// All of the nodes: in one object when no key would stand twice, else below `and`.
fn conjunction(nodes: &[Node], random: &mut Random) -> Value {
    let parts: Vec<Value> = nodes.iter().map(|node| object(node, random)).collect();
    // Keys of one relation in one object speak of one row, so two questions about a relation do not share an object.
    let name = |key: &String| key.split_once('.').map_or(key.clone(), |(relation, _)| relation.to_owned());
    let mut merged = Map::new();
    for part in parts.iter().filter_map(Value::as_object) {
        let taken: Vec<String> = merged.keys().map(name).collect();
        if random.one_in(6) || part.keys().any(|key| taken.contains(&name(key))) {
            return json!({ "and": parts });
        }
        merged.extend(part.clone());
    }
    Value::Object(merged)
}

fn object(node: &Node, random: &mut Random) -> Value {
    let list = |parts: &[Node], random: &mut Random| {
        parts.iter().map(|part| object(part, random)).collect::<Vec<_>>()
    };
    match node {
        Node::Leaf(leaf) => json!({ &leaf.field: leaf.condition(random) }),
        Node::All(parts) => json!({ "and": list(parts, random) }),
        Node::Any(parts) => json!({ "or": list(parts, random) }),
        Node::Not(parts) => json!({ "not": conjunction(parts, random) }),
        Node::Related { relation, leaves, none } => {
            let all: Map<String, Value> = leaves
                .iter()
                .map(|leaf| (format!("{}.{}", relation.1, leaf.field), leaf.condition(random)))
                .collect();
            if *none { json!({ "not": all }) } else { Value::Object(all) }
        }
    }
}

impl Leaf {
    fn condition(&self, random: &mut Random) -> Value {
        match (&self.value, random.below(3)) {
            // As a text it would be taken for SQL's null, and refused.
            (Operand::One { text, .. }, _) if text == "null" => self.by_object(),
            (Operand::One { text, json: true }, 0)
                if self.op == "eq" && !self.negated && parsed(text).is_number() =>
            {
                parsed(text)
            }
            (Operand::Word("null"), 0) if !self.negated => Value::Null,
            (Operand::Word(word), 0) if self.negated => json!(format!("isnot.{word}")),
            (_, 1) => self.by_object(),
            _ => self.by_text(),
        }
    }

    fn by_text(&self) -> Value {
        let not = if self.negated { "not." } else { "" };
        let list = |values: &[String]| values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(",");
        json!(match &self.value {
            Operand::Quantified(which, values) => format!("{not}{}({which}).({})", self.op, list(values)),
            _ => self.postgrest(|text| text.to_owned()),
        })
    }

    fn by_object(&self) -> Value {
        let not = if self.negated { "not." } else { "" };
        let op = self.op;
        match &self.value {
            Operand::One { text, json: true } => json!({ format!("{not}{op}"): parsed(text) }),
            Operand::One { text, .. } => json!({ format!("{not}{op}"): text }),
            Operand::Word(word) => {
                let value: Value = serde_json::from_str(word).unwrap_or_else(|_| json!(word));
                json!({ format!("{not}{op}"): value })
            }
            Operand::List(values) => json!({ format!("{not}{op}"): values }),
            Operand::Quantified(which, values) => json!({ format!("{not}{op}({which})"): values }),
            Operand::Search(Some(config), words) => json!({ format!("{not}{op}({config})"): words }),
            Operand::Search(None, words) => json!({ format!("{not}{op}"): words }),
        }
    }
}

/// A text that is JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}
