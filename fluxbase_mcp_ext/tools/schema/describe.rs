//! The description of one table, cut to the bound.
//!
//! A page with offset 0 tells everything about the table and as many of its columns and relations as fit. A page with an offset
//! goes on with columns, and past the last column with relations: so each of them can be reached. Keys and checks that
//! do not fit are counted; the relations name every key again.

use std::collections::{HashMap, HashSet};

use fluxbase_query::{Relation, TableName, quote_ident, reference};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::samples;
use crate::catalog::{self, Described};
use crate::error::Error;
use crate::gucs;
use crate::identity::Identity;

/// Characters kept free for what follows the lists.
const ROOM_FOR_END: usize = 400;
/// Labels of an enum that are shown at the most, if they are not too long for that.
const LABELS: usize = 100;

/// One table as JSON, from its column `offset` on.
///
/// # Errors
/// When the caller may use no table of that name.
pub fn describe_table(identity: &Identity, name: &TableName, offset: usize) -> Result<String, Error> {
    let described = catalog::table(identity, name)?;
    let relations = catalog::relations(identity, described.table.oid)?;
    let about = catalog::about(described.table.oid)?;
    let about: About<'_> = serde_json::from_str(&about)
        .map_err(|error| Error::internal(&format!("catalog/about.sql: {error}")))?;
    let max = gucs::max_result_chars();
    let page =
        Page { described: &described, relations: &relations, about: &about, longest: (max / 40).min(1000) };
    let mut text = page.head(offset);
    let end = if offset == 0 { page.end() } else { String::new() };
    let room = max.saturating_sub(chars(&text) + chars(&end) + ROOM_FOR_END);
    let columns = described.table.columns.len();
    let from_column = offset.min(columns);
    let from_relation = offset - from_column;
    let mut lists = if offset == 0 { page.small_lists() } else { Vec::new() };
    lists.insert(0, page.columns(from_column));
    lists.push(page.relations(from_relation.min(relations.len()), room));
    cut(&mut lists, room, offset);
    for list in &lists {
        text.push_str(&format!(r#","{}":[{}]"#, list.name, list.items[..list.shown].join(",")));
    }
    text.push_str(&end);
    text.push_str(&left_out(&lists, offset, columns, max));
    text.push('}');
    Ok(text)
}

/// What about.sql gives.
#[derive(Deserialize)]
struct About<'a> {
    comment: Option<String>,
    comments: HashMap<String, String>,
    row_estimate: Option<i64>,
    #[serde(borrow)]
    primary_key: Option<&'a RawValue>,
    #[serde(borrow)]
    unique: Vec<&'a RawValue>,
    checks: Vec<Check>,
}

#[derive(Deserialize, Serialize)]
struct Check {
    name: String,
    check: String,
}

/// One list of the answer.
struct List {
    name: &'static str,
    /// Rendered, from where the page begins.
    items: Vec<String>,
    /// How many there are from there on; items that cannot fit are not rendered.
    total: usize,
    /// How many of `items` are shown.
    shown: usize,
}

impl List {
    fn new(name: &'static str, items: Vec<String>) -> List {
        List { name, total: items.len(), shown: items.len(), items }
    }

    fn size(&self) -> usize {
        self.items.iter().map(|item| chars(item) + 1).sum()
    }

    /// Shows what fits into `room`, and says how much of it is taken.
    fn fit(&mut self, room: usize, at_least: usize) -> usize {
        let mut taken = 0;
        self.shown = 0;
        for item in &self.items {
            let size = chars(item) + 1;
            if taken + size > room && self.shown >= at_least {
                break;
            }
            taken += size;
            self.shown += 1;
        }
        taken
    }
}

/// Chooses what is shown: everything when it fits; else the small lists get a small share each, relations get a quarter, columns
/// get the rest, and what they leave goes to relations.
fn cut(lists: &mut [List], room: usize, offset: usize) {
    if lists.iter().all(|list| list.items.len() == list.total)
        && lists.iter().map(List::size).sum::<usize>() <= room
    {
        return;
    }
    let [columns, small @ .., relations] = lists else { return };
    let mut left = room;
    for list in small {
        left = left.saturating_sub(list.fit(room / 12, 0));
    }
    let reserved = if offset == 0 { relations.size().min(room / 4) } else { 0 };
    left = left.saturating_sub(columns.fit(left.saturating_sub(reserved), 1));
    if columns.shown < columns.total && offset > 0 {
        // One thing after the other: relations begin on the page where columns end.
        relations.shown = 0;
    } else {
        relations.fit(left, usize::from(columns.total == 0));
    }
}

/// `,"left_out":{…},"next":{…},"note":"…"`, or nothing.
fn left_out(lists: &[List], offset: usize, columns: usize, max: usize) -> String {
    let cut: Vec<&List> = lists.iter().filter(|list| list.shown < list.total).collect();
    if cut.is_empty() {
        return String::new();
    }
    let counts: Vec<String> =
        cut.iter().map(|list| format!(r#""{}":{}"#, list.name, list.total - list.shown)).collect();
    let mut text = format!(r#","left_out":{{{}}}"#, counts.join(","));
    let next = match (lists.first(), lists.last()) {
        (Some(list), _) if list.shown < list.total => Some(offset + list.shown),
        (_, Some(list)) if list.shown < list.total => Some(offset.max(columns) + list.shown),
        _ => None,
    };
    match next {
        Some(next) => text.push_str(&format!(
            r#","next":{{"offset":{next}}},"note":"Cut at {max} characters. describe_table with this offset goes on: with columns, and past the last column with relations.""#
        )),
        None => text.push_str(&format!(r#","note":"Cut at {max} characters.""#)),
    }
    text
}

/// The parts of an answer.
struct Page<'a> {
    described: &'a Described,
    relations: &'a [Relation],
    about: &'a About<'a>,
    /// The most characters of one comment or expression.
    longest: usize,
}

#[derive(Serialize)]
struct Names<'a> {
    schema: &'a str,
    name: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct Head<'a> {
    #[serde(flatten)]
    names: Names<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    row_security: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_estimate: Option<i64>,
    you_may: &'a [String],
    primary_key: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct ColumnShown<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    type_shown: &'a str,
    nullable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    generated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    identity: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    values: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    values_left_out: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    /// Present only when the caller may do less with the column than with the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    you_may: Option<Vec<&'static str>>,
}

#[derive(Serialize)]
struct ForeignKeyShown<'a> {
    columns: Vec<&'a str>,
    references: End<'a>,
}

#[derive(Serialize)]
struct End<'a> {
    schema: &'a str,
    table: &'a str,
    columns: Vec<&'a str>,
}

#[derive(Serialize)]
struct ReferencedByShown<'a> {
    schema: &'a str,
    table: &'a str,
    columns: Vec<&'a str>,
    to: Vec<&'a str>,
}

#[derive(Serialize)]
struct RelationShown<'a> {
    /// What to write in `select`.
    select: String,
    to: &'static str,
    schema: &'a str,
    table: &'a str,
    /// Own column by column of the other table; absent with a junction.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_object")]
    on: Vec<(&'a str, &'a str)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    through: Option<String>,
}

fn as_object<S: Serializer>(pairs: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

impl Page<'_> {
    /// The answer up to its first list.
    fn head(&self, offset: usize) -> String {
        let table = &self.described.table;
        let names = Names { schema: &table.schema, name: &table.name, kind: kind(table.kind) };
        let text = if offset == 0 {
            json(&Head {
                names,
                comment: self.about.comment.as_deref().map(|text| shortened(text, self.longest)),
                row_security: self.described.about.row_security,
                row_estimate: self.about.row_estimate,
                you_may: &self.described.about.verbs,
                primary_key: self.about.primary_key,
            })
        } else {
            json(&names)
        };
        text.strip_suffix('}').unwrap_or_default().to_owned()
    }

    /// What comes after the lists.
    fn end(&self) -> String {
        format!(r#","sample_filters":{}"#, json(&samples::filters(self.described)))
    }

    fn columns(&self, from: usize) -> List {
        let verbs = &self.described.about.verbs;
        let columns = self.described.table.columns.iter().zip(&self.described.about.columns).skip(from);
        let items = columns.map(|(column, about)| {
            let may: Vec<&'static str> =
                [("select", column.select), ("insert", column.insert), ("update", column.update)]
                    .into_iter()
                    .filter_map(|(verb, allowed)| allowed.then_some(verb))
                    .collect();
            let less = verbs.iter().any(|verb| verb != "delete" && !may.contains(&verb.as_str()));
            let labels = self.labels(&column.enum_labels);
            json(&ColumnShown {
                name: &column.name,
                type_shown: &about.type_shown,
                nullable: !column.not_null,
                default: about.default.as_deref().map(|text| shortened(text, self.longest)),
                generated: column.generated,
                identity: about.identity,
                values: &column.enum_labels[..labels],
                values_left_out: Some(column.enum_labels.len() - labels).filter(|left_out| *left_out > 0),
                comment: self.about.comments.get(&column.name).map(|text| shortened(text, self.longest)),
                you_may: less.then_some(may),
            })
        });
        List::new("columns", items.collect())
    }

    /// How many labels of an enum are shown.
    fn labels(&self, all: &[String]) -> usize {
        let mut size = 0;
        let fits = |label: &&String| {
            size += chars(label) + 3;
            size <= 5 * self.longest
        };
        all.iter().take(LABELS).take_while(fits).count()
    }

    /// Keys and checks.
    fn small_lists(&self) -> Vec<List> {
        let direct = || self.relations.iter().filter(|relation| relation.junction.is_none());
        let is_own = |relation: &Relation| relation.pairs.iter().all(|pair| !pair.near_is_referenced);
        let unique = self.about.unique.iter().map(|columns| columns.get().to_owned()).collect();
        let foreign_keys = direct().filter(|relation| is_own(relation)).map(|relation| {
            json(&ForeignKeyShown {
                columns: near(relation),
                references: End { schema: &relation.schema, table: &relation.name, columns: far(relation) },
            })
        });
        let referenced_by = direct().filter(|relation| !is_own(relation)).map(|relation| {
            json(&ReferencedByShown {
                schema: &relation.schema,
                table: &relation.name,
                columns: far(relation),
                to: near(relation),
            })
        });
        let checks = self.about.checks.iter().map(|check| {
            json(&Check { name: check.name.clone(), check: shortened(&check.check, self.longest) })
        });
        vec![
            List::new("unique", unique),
            List::new("foreign_keys", foreign_keys.collect()),
            List::new("referenced_by", referenced_by.collect()),
            List::new("checks", checks.collect()),
        ]
    }

    /// Relations with what to write for them, no more than `room` can hold: to find a text that means only one of
    /// thousands takes a look at all of them.
    fn relations(&self, from: usize, room: usize) -> List {
        let mut items = Vec::new();
        let mut names: HashSet<String> =
            self.described.table.columns.iter().map(|column| column.name.clone()).collect();
        let mut size = 0;
        for index in from..self.relations.len() {
            let relation = &self.relations[index];
            let item = json(&RelationShown {
                select: selection(self.relations, index, &mut names),
                to: if relation.to_one { "one" } else { "many" },
                schema: &relation.schema,
                table: &relation.name,
                on: match relation.junction {
                    None => near(relation).into_iter().zip(far(relation)).collect(),
                    Some(_) => Vec::new(),
                },
                through: relation
                    .junction
                    .as_ref()
                    .map(|between| format!("{}.{}", between.schema, between.name)),
            });
            size += chars(&item) + 1;
            items.push(item);
            if size > room {
                break;
            }
        }
        List { name: "relations", shown: items.len(), total: self.relations.len() - from, items }
    }
}

/// `people(*)`: the shortest text that means this relation, with an alias when its name in the answer would be that of a
/// column or of another relation. `names` are those that are taken.
fn selection(relations: &[Relation], index: usize, names: &mut HashSet<String>) -> String {
    let relation = &relations[index];
    let text = reference(relations, index);
    let hinted = text != relation.name && text != quote_ident(&relation.name);
    if !hinted && names.insert(relation.name.clone()) {
        return format!("{text}(*)");
    }
    let alias = match (&relation.pairs[..], &relation.junction) {
        ([pair], None) if !pair.near_is_referenced => match pair.near.strip_suffix("_id") {
            Some(stem) => stem.to_owned(),
            None => format!("{}_{}", pair.near, relation.name),
        },
        ([pair], _) => format!("{}_by_{}", relation.name, pair.far),
        _ => format!("{}_by_{}", relation.name, relation.constraint),
    };
    let alias: String = alias
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .take(56)
        .collect();
    let alias = std::iter::once(alias.clone())
        .chain((2..).map(|number| format!("{alias}_{number}")))
        .find(|alias| names.insert(alias.clone()))
        .unwrap_or(alias);
    format!("{alias}:{text}(*)")
}

fn near(relation: &Relation) -> Vec<&str> {
    relation.pairs.iter().map(|pair| pair.near.as_str()).collect()
}

fn far(relation: &Relation) -> Vec<&str> {
    relation.pairs.iter().map(|pair| pair.far.as_str()).collect()
}

/// The text, or its beginning with `…`.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

fn json(value: &impl Serialize) -> String {
    // Strings, numbers and maps with string keys: there is nothing that could fail.
    serde_json::to_string(value).unwrap_or_default()
}

fn kind(relkind: char) -> &'static str {
    match relkind {
        'v' => "view",
        'm' => "materialized view",
        'f' => "foreign table",
        _ => "table",
    }
}
