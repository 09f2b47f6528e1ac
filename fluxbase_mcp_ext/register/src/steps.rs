//! How many steps a check can take at the most: a bound that is known before the check begins.
//!
//! A schema of a few lines can take more steps than there are atoms, by references that double (`allOf` of two references to
//! a schema with two references …), or by a recursion that goes down the same property twice. Nothing of that is an error in
//! JSON Schema, and while Rust code checks, Postgres cannot cancel it. So the steps are counted on the schema:
//!
//! - The schemas that look at one and the same value are followed first (`allOf`, `$ref`, `if` …), each as often as it is
//!   named. One that comes back to itself there would never end and is refused.
//! - Then the step down to a part of the value. For each depth: the steps for a value that nests so deep, along its worst path.
//!
//! The bound for a value is the number for its depth times its number of parts. In the same way the schemas are counted that are
//! open inside one another, since each takes its share of the stack, and a full stack ends the whole server.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

/// The most steps for one check: a few seconds at the worst.
const MAX_STEPS: u64 = 50_000_000;
/// The most schemas that may look at one value.
const MAX_AT_ONCE: u64 = 10_000;
/// The sum of that over all parts of a schema.
const MAX_CLOSURES: usize = 200_000;
/// The most schemas that are open inside one another.
const MAX_OPEN: u64 = 1_000;
/// The most schemas that references name: they are compiled inside one another.
const MAX_TARGETS: usize = 200;
/// How deep a message nests at the most; the depths for which steps are counted.
const DEPTHS: usize = 128;
/// A schema that cannot check even this many parts, nested this deep, is of no use.
const LEAST: (usize, u64) = (4, 100);

/// The bounds for values of each depth.
#[derive(Debug)]
pub(crate) struct Steps {
    by_depth: Vec<Bound>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bound {
    steps: u64,
    open: u64,
}

impl Bound {
    fn allows(self, parts: u64) -> bool {
        self.steps.saturating_mul(parts) <= MAX_STEPS && self.open <= MAX_OPEN
    }
}

impl Steps {
    /// Counts.
    ///
    /// # Errors
    /// The schema refers elsewhere, or takes too many steps, as a sentence.
    pub(crate) fn of(schema: &Value) -> Result<Steps, String> {
        let graph = Graph::of(schema)?;
        let by_depth = graph.count()?;
        if !by_depth[LEAST.0].allows(LEAST.1) {
            return Err(TOO_MANY.to_owned());
        }
        Ok(Steps { by_depth })
    }

    /// Whether the check of this value stays within the bound.
    pub(crate) fn allow(&self, value: &Value) -> bool {
        let (depth, parts) = extent(value);
        self.by_depth.get(depth).is_some_and(|bound| bound.allows(parts))
    }
}

const TOO_MANY: &str = "checking against it takes too many steps: its references multiply.";

/// Depth and number of parts.
fn extent(value: &Value) -> (usize, u64) {
    let parts: &mut dyn Iterator<Item = &Value> = match value {
        Value::Array(items) => &mut items.iter(),
        Value::Object(members) => &mut members.values(),
        _ => return (0, 1),
    };
    let (mut depth, mut count) = (0, 1);
    for part in parts {
        let (below, inside) = extent(part);
        depth = depth.max(below + 1);
        count += inside;
    }
    (depth, count)
}

/// Where a schema goes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'s> {
    /// Possibly any member of an object.
    AnyMember,
    /// One member of an object.
    Member(&'s str),
    /// Possibly any element of a list.
    AnyElement,
    /// One element of a list.
    Element(usize),
}

#[derive(Debug, Default)]
struct Node<'s> {
    own: u64,
    /// Schemas that look at the same value; one that is named twice stands here twice.
    same: Vec<usize>,
    below: Vec<(Part<'s>, usize)>,
}

/// Numbers of schemas and how often each is there.
type Closure = BTreeMap<usize, u64>;

struct Graph<'s> {
    root: &'s Value,
    anchors: BTreeMap<&'s str, Vec<&'s Value>>,
    numbers: HashMap<*const Value, usize>,
    schemas: Vec<&'s Value>,
    nodes: Vec<Node<'s>>,
    targets: usize,
}

impl<'s> Graph<'s> {
    fn of(root: &'s Value) -> Result<Graph<'s>, String> {
        let mut graph = Graph {
            root,
            anchors: BTreeMap::new(),
            numbers: HashMap::new(),
            schemas: Vec::new(),
            nodes: Vec::new(),
            targets: 0,
        };
        graph.find_anchors(root);
        graph.add(root);
        // Reading one finds more; one after the other, since a chain of references may be long.
        while let Some(&schema) = graph.schemas.get(graph.nodes.len()) {
            let node = match schema {
                Value::Object(members) => graph.read(schema, members)?,
                _ => Node { own: 1, ..Node::default() },
            };
            graph.nodes.push(node);
        }
        Ok(graph)
    }

    /// Anchors wherever they stand: one inside an `enum` is none, and counting it too only makes the bound larger.
    fn find_anchors(&mut self, value: &'s Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.find_anchors(item)),
            Value::Object(members) => {
                for key in ["$anchor", "$dynamicAnchor"] {
                    if let Some(Value::String(name)) = members.get(key) {
                        self.anchors.entry(name).or_default().push(value);
                    }
                }
                members.values().for_each(|member| self.find_anchors(member));
            }
            _ => {}
        }
    }

    /// The number of a schema; a new one will be read.
    fn add(&mut self, schema: &'s Value) -> usize {
        *self.numbers.entry(std::ptr::from_ref(schema)).or_insert_with(|| {
            self.schemas.push(schema);
            self.schemas.len() - 1
        })
    }

    fn read(&mut self, schema: &'s Value, members: &'s Map<String, Value>) -> Result<Node<'s>, String> {
        let mut node = Node { own: 1, ..Node::default() };
        for (key, value) in members {
            match (key.as_str(), value) {
                ("$id", Value::String(_)) if !std::ptr::eq(schema, self.root) => {
                    return Err("\"$id\" may stand at its root only.".to_owned());
                }
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(target)) => {
                    for found in self.resolve(target)? {
                        let known = self.schemas.len();
                        node.same.push(self.add(found));
                        self.targets += self.schemas.len() - known;
                    }
                    if self.targets > MAX_TARGETS {
                        return Err(format!("its references name more than {MAX_TARGETS} schemas."));
                    }
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(items)) => {
                    for item in items {
                        node.same.push(self.add(item));
                    }
                }
                ("not" | "if" | "then" | "else", _) => node.same.push(self.add(value)),
                ("dependentSchemas" | "dependencies", Value::Object(map)) => {
                    for item in map.values() {
                        node.same.push(self.add(item));
                    }
                }
                ("properties", Value::Object(map)) => {
                    for (name, item) in map {
                        node.below.push((Part::Member(name), self.add(item)));
                    }
                }
                ("patternProperties", Value::Object(map)) => {
                    for item in map.values() {
                        node.own += 4;
                        node.below.push((Part::AnyMember, self.add(item)));
                    }
                }
                ("additionalProperties" | "propertyNames", _) => {
                    node.below.push((Part::AnyMember, self.add(value)));
                }
                // What has been looked at is found out by looking once more.
                ("unevaluatedProperties" | "unevaluatedItems", _) => {
                    let part = if key == "unevaluatedItems" { Part::AnyElement } else { Part::AnyMember };
                    node.below.push((part, self.add(value)));
                    node.own += 1;
                    for again in node.same.clone() {
                        node.same.push(again);
                    }
                }
                ("items" | "prefixItems", Value::Array(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        node.below.push((Part::Element(index), self.add(item)));
                    }
                }
                ("items" | "additionalItems" | "contains", _) => {
                    node.below.push((Part::AnyElement, self.add(value)));
                }
                ("enum", Value::Array(values)) => node.own += values.len() as u64,
                ("required", Value::Array(names)) => node.own += names.len() as u64 / 8,
                ("pattern", _) => node.own += 4,
                ("uniqueItems", Value::Bool(true)) => node.own += 16,
                _ => {}
            }
        }
        Ok(node)
    }

    /// What a reference names inside this schema. A dynamic one may mean any anchor of its name.
    fn resolve(&self, target: &str) -> Result<Vec<&'s Value>, String> {
        let elsewhere = || {
            Err(format!(
                "\"$ref\": \"{target}\" is not inside the schema. Only references that begin with # are followed, such as \"#/$defs/name\"."
            ))
        };
        let Some(fragment) = target.strip_prefix('#') else { return elsewhere() };
        if fragment.is_empty() {
            return Ok(vec![self.root]);
        }
        if fragment.starts_with('/') {
            let Some(pointer) = crate::template::percent_decode(fragment) else { return elsewhere() };
            return self.root.pointer(&pointer).map_or_else(elsewhere, |found| Ok(vec![found]));
        }
        self.anchors.get(fragment).map_or_else(elsewhere, |found| Ok(found.clone()))
    }

    /// The bounds by depth, for the root.
    fn count(&self) -> Result<Vec<Bound>, String> {
        let (closures, order) = self.closures()?;
        let mut below = vec![Bound::default(); self.nodes.len()];
        let mut by_depth = Vec::with_capacity(DEPTHS);
        for _ in 0..DEPTHS {
            let mut now = vec![Bound::default(); self.nodes.len()];
            for &number in &order {
                let node = &self.nodes[number];
                let same = node.same.iter().map(|&target| now[target].open);
                let open =
                    same.chain(node.below.iter().map(|&(_, target)| below[target].open)).max().unwrap_or(0);
                now[number] = Bound { steps: self.steps(&closures[number], &below), open: open + 1 };
            }
            by_depth.push(now[0]);
            below = now;
        }
        Ok(by_depth)
    }

    /// For each schema: the schemas that look at its value, itself included, and how often each does. And an order in which
    /// each comes after those that it names.
    fn closures(&self) -> Result<(Vec<Closure>, Vec<usize>), String> {
        let mut done: Vec<Option<Closure>> = vec![None; self.nodes.len()];
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut total = 0;
        for start in 0..self.nodes.len() {
            // Depth first without recursion: (schema, how many of its references have been followed).
            let mut path = vec![(start, 0)];
            while let Some(&mut (number, ref mut next)) = path.last_mut() {
                if done[number].is_some() {
                    path.pop();
                    continue;
                }
                if let Some(&target) = self.nodes[number].same.get(*next) {
                    *next += 1;
                    if path.iter().any(|&(open, _)| open == target) {
                        return Err(
                            "it refers to itself without going down into the value, which never ends."
                                .to_owned(),
                        );
                    }
                    path.push((target, 0));
                    continue;
                }
                let mut closure = BTreeMap::from([(number, 1_u64)]);
                for &target in &self.nodes[number].same {
                    for (&inner, &times) in done[target].iter().flatten() {
                        let sum = closure.entry(inner).or_insert(0);
                        *sum = sum.saturating_add(times);
                    }
                }
                total += closure.len();
                let at_once = closure.values().fold(0_u64, |sum, &times| sum.saturating_add(times));
                if at_once > MAX_AT_ONCE || total > MAX_CLOSURES {
                    return Err(TOO_MANY.to_owned());
                }
                order.push(number);
                done[number] = Some(closure);
                path.pop();
            }
        }
        Ok((done.into_iter().flatten().collect(), order))
    }

    fn steps(&self, closure: &Closure, below: &[Bound]) -> u64 {
        let mut own = 0_u64;
        let mut parts: BTreeMap<Part<'_>, u64> = BTreeMap::new();
        for (&number, &times) in closure {
            let node = &self.nodes[number];
            own = own.saturating_add(node.own.saturating_mul(times));
            for &(part, target) in &node.below {
                let sum = parts.entry(part).or_insert(0);
                *sum = sum.saturating_add(times.saturating_mul(below[target].steps));
            }
        }
        // A value is an object or a list, and one of its parts is on the worst path.
        let (mut members, mut elements) = ((0, 0), (0, 0));
        for (part, steps) in parts {
            match part {
                Part::AnyMember => members.0 = steps,
                Part::Member(_) => members.1 = steps.max(members.1),
                Part::AnyElement => elements.0 = steps,
                Part::Element(_) => elements.1 = steps.max(elements.1),
            }
        }
        let down = |(any, one): (u64, u64)| any.saturating_add(one);
        own.saturating_add(down(members).max(down(elements)))
    }
}
