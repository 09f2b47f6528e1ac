//! Abstract questions: what they are made of.

use super::tables::{Relation, Table};

/// A question.
#[derive(Debug)]
pub struct Question {
    pub table: &'static Table,
    pub select: Select,
    pub filter: Vec<Node>,
    pub order: Vec<Order>,
    pub limit: Option<u32>,
    pub offset: Option<u32>,
}

/// What is selected of a table.
#[derive(Debug, Default)]
pub struct Select {
    pub items: Vec<Item>,
    pub embeds: Vec<Embed>,
}

/// One output: alias, column or path, cast before and after an aggregate.
#[derive(Debug)]
pub struct Item {
    pub alias: Option<String>,
    pub field: String,
    pub cast: Option<&'static str>,
    pub aggregate: Option<&'static str>,
}

/// An embedded relation.
#[derive(Debug)]
pub struct Embed {
    /// How it is written, with its hint.
    pub name: &'static str,
    pub target: &'static Table,
    pub alias: String,
    pub inner: bool,
    pub spread: bool,
    pub select: Select,
    pub filter: Vec<Node>,
    pub order: Vec<Order>,
    pub limit: Option<u32>,
}

/// A part of a filter.
#[derive(Debug)]
pub enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Vec<Node>),
    Leaf(Leaf),
    /// Some row of the relation fulfils all of the leaves; no row, when `none`.
    Related {
        relation: Relation,
        leaves: Vec<Leaf>,
        none: bool,
    },
}

/// A condition.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub field: String,
    pub negated: bool,
    pub op: &'static str,
    pub value: Operand,
}

/// What a field is compared with.
#[derive(Debug, Clone)]
pub enum Operand {
    /// One value by its text; whether the text is also the value as JSON.
    One { text: String, json: bool },
    /// A word: null, true, false, unknown.
    Word(&'static str),
    /// A list, for `in`.
    List(Vec<String>),
    /// A list for `any` or `all`.
    Quantified(&'static str, Vec<String>),
    /// Words to look for, with a configuration.
    Search(Option<&'static str>, String),
}

/// An item of the order.
#[derive(Debug)]
pub struct Order {
    pub relation: Option<&'static str>,
    pub field: String,
    pub suffix: &'static str,
}
