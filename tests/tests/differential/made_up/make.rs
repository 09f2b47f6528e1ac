//! How questions are made up.

use fluxbase_tests::random::Random;

use super::conditions::{filter, leaf};
use super::parts::{Embed, Item, Node, Order, Question, Select};
use super::tables::Kind::{Array, Json, Number, Plain, Text};
use super::tables::{Relation, TABLES, Table, WRITTEN, table};

/// Mostly the table of many types.
fn some_table(random: &mut Random) -> &'static Table {
    if random.one_in(3) { random.pick(&TABLES[1..]) } else { &TABLES[0] }
}

impl Question {
    fn of(table: &'static Table) -> Question {
        Question {
            table,
            select: Select::default(),
            filter: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: None,
        }
    }

    pub fn with_filter(random: &mut Random) -> Question {
        let mut question = Question::of(some_table(random));
        question.select.items = question.table.key.iter().map(|key| Item::plain(key)).collect();
        question.filter = filter(random, question.table, 3);
        question
    }

    pub fn with_selection(random: &mut Random) -> Question {
        let mut question = Question::of(some_table(random));
        question.select = selection(random, question.table, 2, &mut 0);
        if random.one_in(3) {
            question.filter = filter(random, question.table, 1);
        }
        question.select.settle(&question.filter, &mut 0);
        question
    }

    pub fn with_order(random: &mut Random) -> Question {
        let mut question = Question::of(some_table(random));
        question.select = selection(random, question.table, 1, &mut 0);
        // Where the order of the rows counts, that of embedded rows does, too.
        for embed in &mut question.select.embeds {
            embed.order_all();
        }
        question.order = order(random, question.table);
        if let Some(Relation(relation, _, target, _)) =
            question.table.relations.iter().find(|one| one.3 && one.0 == one.2)
            && random.one_in(3)
            && !question.select.embeds.iter().any(|embed| embed.target.name == *target)
        {
            // PostgREST orders by what is embedded and selected only.
            let mut embed = Embed::plain(relation, table(target));
            let field = (one_of(random, &["id", "name", "word", "n", "label"])).to_owned();
            if table(target).columns.iter().any(|column| column.0 == field) {
                if field != "id" {
                    embed.select.items.push(Item::plain(&field));
                }
                question
                    .order
                    .insert(0, Order { relation: Some(relation), field, suffix: one_of(random, &SUFFIXES) });
            }
            question.select.embeds.push(embed);
        }
        if random.one_in(2) {
            question.filter = filter(random, question.table, 2);
        }
        let ordered_by: Vec<&str> = question.order.iter().filter_map(|order| order.relation).collect();
        question.filter.retain(
            |node| !matches!(node, Node::Related { relation, .. } if ordered_by.contains(&relation.2)),
        );
        question.select.settle(&question.filter, &mut 0);
        question.limit = (!random.one_in(3)).then(|| 1 + random.below(30) as u32);
        question.offset = random.one_in(3).then(|| random.below(40) as u32);
        question
    }

    /// The filter of an update or a delete.
    pub fn of_a_write(random: &mut Random) -> Question {
        let mut question = Question::of(&WRITTEN);
        question.filter = filter(random, question.table, 2);
        // PostgREST does not embed on writes before the rows are written.
        question.filter.retain(|node| !matches!(node, Node::Related { .. }));
        if question.filter.is_empty() {
            question.filter.push(Node::Leaf(leaf(random, question.table)));
        }
        question
    }

    pub fn with_aggregates(random: &mut Random) -> Question {
        let mut question = Question::of(some_table(random));
        question.select = grouped(random, question.table);
        // A related row as a group, or its columns as groups or to be aggregated.
        if let Some(Relation(relation, _, target, _)) =
            question.table.relations.iter().find(|one| one.3 && one.0 == one.2)
            && random.one_in(3)
        {
            let mut embed = Embed::plain(relation, table(target));
            embed.spread = random.one_in(2);
            let mut item = Item::plain(random.pick(&table(target).columns[..2]).0);
            item.alias = Some("related".to_owned());
            item.aggregate =
                (embed.spread && random.one_in(2)).then(|| one_of(random, &["min", "max", "count"]));
            embed.select.items = vec![item];
            question.select.embeds.push(embed);
        }
        if random.one_in(2) {
            question.filter = filter(random, question.table, 2);
            // PostgREST embeds for the sake of such a condition, and takes what is embedded for a group.
            question.filter.retain(|node| !matches!(node, Node::Related { .. }));
        }
        question
    }
}

/// Groups and aggregates of a table.
fn grouped(random: &mut Random, of: &'static Table) -> Select {
    let mut select = Select::default();
    for number in 0..random.below(3) {
        select.items.push(Item { alias: Some(format!("g{number}")), ..item(random, of, number) });
    }
    for number in 0..1 + random.below(3) {
        let column = random.pick(of.columns);
        let aggregate = match column.1 {
            Number => one_of(random, &["sum", "avg", "min", "max", "count"]),
            Text => one_of(random, &["min", "max", "count"]),
            Plain if column.0 != "code" => one_of(random, &["min", "max", "count"]),
            _ => "count",
        };
        let alias = Some(format!("a{number}"));
        select.items.push(Item { alias, aggregate: Some(aggregate), ..Item::plain(column.0) });
    }
    if random.one_in(3) {
        select.items.push(Item {
            alias: Some("rows".to_owned()),
            aggregate: Some("count"),
            ..Item::plain("")
        });
    }
    select
}

/// One of some texts.
pub fn one_of(random: &mut Random, all: &[&'static str]) -> &'static str {
    all[random.below(all.len())]
}

const SUFFIXES: [&str; 7] =
    ["", ".asc", ".desc", ".asc.nullsfirst", ".desc.nullslast", ".nullsfirst", ".nullslast"];

impl Item {
    fn plain(field: &str) -> Item {
        Item { alias: None, field: field.to_owned(), cast: None, aggregate: None }
    }

    /// Before a parenthesis PostgREST takes an index for a key.
    fn cast_a_last_index(&mut self) {
        if self.field.ends_with(|last: char| last.is_ascii_digit()) {
            self.cast = Some("text");
        }
    }
}

impl Select {
    /// PostgREST finds the first embed of a name, whether or not it has an alias: what is there twice, or is asked for by the
    /// filter, too, gets an alias.
    fn settle(&mut self, filter: &[Node], counter: &mut usize) {
        let asked: Vec<&str> = filter
            .iter()
            .filter_map(
                |node| if let Node::Related { relation, .. } = node { Some(relation.2) } else { None },
            )
            .collect();
        let names: Vec<&str> = self.embeds.iter().map(|embed| embed.target.name).collect();
        for embed in &mut self.embeds {
            let times = names.iter().chain(&asked).filter(|name| **name == embed.target.name).count();
            if embed.alias.is_empty() && times > 1 {
                embed.spread = false;
                *counter += 1;
                embed.alias = format!("s{counter}");
            }
            if embed.spread || embed.select.items.iter().any(|item| item.aggregate.is_some()) {
                // PostgREST cannot embed for the sake of a filter in such an embed.
                embed.filter.retain(|node| !matches!(node, Node::Related { .. }));
            }
            embed.select.settle(&embed.filter, counter);
        }
    }
}

impl Embed {
    fn plain(name: &'static str, target: &'static Table) -> Embed {
        let items = target.key.iter().map(|key| Item::plain(key)).collect();
        Embed {
            name,
            target,
            alias: String::new(),
            inner: false,
            spread: false,
            select: Select { items, embeds: Vec::new() },
            filter: Vec::new(),
            order: Vec::new(),
            limit: None,
        }
    }

    fn order_all(&mut self) {
        if self.spread || self.select.items.iter().any(|item| item.aggregate.is_some()) {
            return;
        }
        let target = self.target;
        for key in target.key {
            if !self.order.iter().any(|order| order.field == *key) {
                self.order.push(Order { relation: None, field: (*key).to_owned(), suffix: "" });
            }
        }
        for embed in &mut self.select.embeds {
            embed.order_all();
        }
    }
}

fn order(random: &mut Random, table: &'static Table) -> Vec<Order> {
    let mut all: Vec<Order> = Vec::new();
    for _ in 0..random.below(3) {
        let column = random.pick(table.columns);
        let field = if column.1 == Json { format!("{}->>k", column.0) } else { column.0.to_owned() };
        if !all.iter().any(|order| order.field == field) {
            all.push(Order { relation: None, field, suffix: one_of(random, &SUFFIXES) });
        }
    }
    for key in table.key {
        if !all.iter().any(|order| order.field == *key) {
            all.push(Order {
                relation: None,
                field: (*key).to_owned(),
                suffix: one_of(random, &["", ".desc"]),
            });
        }
    }
    all
}

fn item(random: &mut Random, table: &'static Table, number: usize) -> Item {
    let column = random.pick(table.columns);
    let mut item = Item::plain(column.0);
    match column.1 {
        Json if random.one_in(2) => {
            let path = one_of(random, &["->k", "->>k", "->o->>p", "->l->1", "->-1", "->0"]);
            item.field = format!("{}{path}", column.0);
            item.alias = Some(format!("j{number}"));
            item.cast_a_last_index();
        }
        Array if random.one_in(3) => {
            item.field = format!("{}->{}", column.0, one_of(random, &["0", "1", "-1"]));
            item.alias = Some(format!("e{number}"));
            item.cast_a_last_index();
        }
        _ => {}
    }
    if random.one_in(5) {
        item.cast = Some("text");
    }
    if random.one_in(4) {
        item.alias = Some(format!("c{number}"));
    }
    item
}

fn selection(random: &mut Random, of: &'static Table, depth: usize, counter: &mut usize) -> Select {
    let mut select =
        Select { items: of.key.iter().map(|key| Item::plain(key)).collect(), embeds: Vec::new() };
    for _ in 0..random.below(4) {
        *counter += 1;
        let item = item(random, of, *counter);
        let name = item.alias.clone().unwrap_or_else(|| item.field.clone());
        if !select.items.iter().any(|other| other.alias.as_ref().unwrap_or(&other.field) == &name) {
            select.items.push(item);
        }
    }
    if depth == 0 {
        return select;
    }
    for _ in 0..random.below(3) {
        let Relation(name, _, target, one) = *random.pick(of.relations);
        *counter += 1;
        let aliased = random.one_in(2)
            || name.contains('!')
            || of.columns.iter().any(|column| column.0 == name)
            || select.embeds.iter().any(|embed| embed.target.name == target);
        let mut embed = Embed::plain(name, table(target));
        embed.alias = if aliased { format!("r{counter}") } else { String::new() };
        embed.inner = random.one_in(5);
        embed.select = selection(random, table(target), depth - 1, counter);
        if random.one_in(3) {
            embed.filter = filter(random, table(target), 1);
        }
        if one && !aliased && random.one_in(3) {
            embed.spread = true;
            embed.select = Select { items: Vec::new(), embeds: Vec::new() };
            for _ in 0..1 + random.below(2) {
                *counter += 1;
                let alias = Some(format!("t{counter}"));
                embed.select.items.push(Item { alias, ..Item::plain(random.pick(table(target).columns).0) });
            }
        } else if !one && random.one_in(5) {
            embed.inner = false;
            embed.select = grouped(random, table(target));
        } else if !one && random.one_in(3) {
            embed.order = order(random, table(target));
            embed.limit = random.one_in(2).then(|| u32::from(embed.inner) + random.below(4) as u32);
        }
        select.embeds.push(embed);
    }
    select
}
