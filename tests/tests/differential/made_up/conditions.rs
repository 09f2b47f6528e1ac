//! How conditions are made up: for each type the operators that it has.

use fluxbase_tests::random::Random;

use super::make::one_of;
use super::parts::{Leaf, Node, Operand};
use super::tables::Kind::{Array, Bool, Json, Number, Plain, Range, Search, Text};
use super::tables::{Relation, Table, table};

/// One to three conditions that all must hold, of up to `depth` levels.
pub fn filter(random: &mut Random, table: &'static Table, depth: usize) -> Vec<Node> {
    (0..1 + random.below(3)).map(|_| node(random, table, depth, true)).collect()
}

fn node(random: &mut Random, of: &'static Table, depth: usize, top: bool) -> Node {
    if depth == 0 || random.one_in(3) {
        return Node::Leaf(leaf(random, of));
    }
    // A related row can only be asked for where the relation is not asked for twice: PostgREST names it by an alias then.
    if top && random.one_in(5) && of.relations.iter().any(|relation| !relation.1.is_empty()) {
        let relations: Vec<Relation> =
            of.relations.iter().copied().filter(|relation| !relation.1.is_empty()).collect();
        let relation = *random.pick(&relations);
        let mut leaves: Vec<Leaf> =
            (0..1 + random.below(2)).map(|_| leaf(random, table(relation.2))).collect();
        // A key stands once in an object.
        leaves.dedup_by(|one, other| one.field == other.field);
        return Node::Related { relation, leaves, none: random.one_in(3) };
    }
    let parts = (0..1 + random.below(3)).map(|_| node(random, of, depth - 1, false)).collect();
    match random.below(5) {
        0 | 1 => Node::Any(parts),
        2 | 3 => Node::All(parts),
        _ => Node::Not(parts),
    }
}

/// One condition.
pub fn leaf(random: &mut Random, of: &'static Table) -> Leaf {
    let column = random.pick(of.columns);
    let value = |random: &mut Random| (*random.pick(column.2)).to_owned();
    let mut field = column.0.to_owned();
    let one =
        |random: &mut Random| Operand::One { text: value(random), json: matches!(column.1, Number | Json) };
    let list = |random: &mut Random| -> Vec<String> {
        let values: Vec<String> = (0..1 + random.below(3)).map(|_| value(random)).collect();
        // PostgREST takes a list of one empty text for the empty list.
        if values == [""] { vec!["alpha".to_owned()] } else { values }
    };
    if random.one_in(8) {
        let word =
            if column.1 == Bool { one_of(random, &["null", "true", "false", "unknown"]) } else { "null" };
        return Leaf { field, negated: random.one_in(2), op: "is", value: Operand::Word(word) };
    }
    let compare = ["eq", "neq", "gt", "gte", "lt", "lte"];
    let (op, value): (&'static str, Operand) = match column.1 {
        Number | Plain => match random.below(6) {
            0 => ("in", Operand::List(list(random))),
            1 => (
                one_of(random, &["eq", "gt", "gte", "lt", "lte"]),
                Operand::Quantified(one_of(random, &["any", "all"]), list(random)),
            ),
            2 => ("isdistinct", one(random)),
            _ => (one_of(random, &compare), one(random)),
        },
        Bool => (one_of(random, &["eq", "neq"]), one(random)),
        Text => {
            let pattern = |random: &mut Random| {
                (one_of(
                    random,
                    &["%a%", "B%", "b_ta", "%", "%\\%%", "%\\_%", "%,%", "%.%", "%\"%", "(%)", "%e%", "ne_"],
                ))
                .to_owned()
            };
            let regex = |random: &mut Random| {
                (*random.pick(&["^a", "a$", "[,.]", "^(b|g)", "\\(", "e.", "^$"])).to_owned()
            };
            match random.below(8) {
                0 | 1 => {
                    (one_of(random, &["like", "ilike"]), Operand::One { text: pattern(random), json: false })
                }
                2 => {
                    (one_of(random, &["match", "imatch"]), Operand::One { text: regex(random), json: false })
                }
                3 => (
                    one_of(random, &["like", "ilike"]),
                    Operand::Quantified(
                        one_of(random, &["any", "all"]),
                        (0..1 + random.below(3)).map(|_| pattern(random)).collect(),
                    ),
                ),
                4 => (
                    one_of(random, &["match", "imatch"]),
                    Operand::Quantified(
                        one_of(random, &["any", "all"]),
                        (0..1 + random.below(2)).map(|_| regex(random)).collect(),
                    ),
                ),
                5 => ("in", Operand::List(list(random))),
                6 => ("isdistinct", one(random)),
                _ => (one_of(random, &compare), one(random)),
            }
        }
        Array => (one_of(random, &["eq", "neq", "cs", "cd", "ov", "lt"]), one(random)),
        Range => {
            (one_of(random, &["eq", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj", "gt"]), one(random))
        }
        Json => match random.below(4) {
            0 => {
                field = format!("{}->k", column.0);
                (
                    one_of(random, &["eq", "gt", "lte", "neq"]),
                    Operand::One { text: (one_of(random, &["1", "2", "10", "1.0"])).to_owned(), json: true },
                )
            }
            1 => {
                field = format!("{}{}", column.0, one_of(random, &["->>k", "->o->>p", "->l->>1", "->>s"]));
                (
                    one_of(random, &["eq", "like", "gte"]),
                    Operand::One {
                        text: (one_of(random, &["1", "2", "true", "one", "t%"])).to_owned(),
                        json: false,
                    },
                )
            }
            _ => (one_of(random, &["cs", "cd", "eq"]), one(random)),
        },
        Search => {
            let config = *random.pick(&[None, Some("english"), Some("simple"), Some("german")]);
            let op = one_of(random, &["plfts", "phfts", "wfts", "fts"]);
            let words = value(random);
            (op, Operand::Search(config, if op == "fts" { words.replace(' ', " & ") } else { words }))
        }
    };
    Leaf { field, negated: random.one_in(5), op, value }
}
