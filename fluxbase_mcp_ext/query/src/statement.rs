//! One SQL statement and its parameters, and the text in the making.
//!
//! This module does NOT know what is asked: `read` and `write` put statements together.

use std::collections::HashMap;
use std::fmt;

use crate::names::push_ident;
use crate::table::Table;

/// One SQL statement, ready to be prepared with the OIDs of its parameters.
///
/// With [`Statement::returns`] it yields one row for each record: a column of type json, or the columns that
/// [`crate::select_columns`] says, and for a read that can be paged by key the sort keys behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text, with $1 … for `params`. The same shape of call gives the same text.
    pub sql: String,
    /// The parameters, in the order of their numbers.
    pub params: Vec<Param>,
    /// Whether rows come back. If not, count the processed rows.
    pub returns: bool,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The type that it is prepared with. For `data` the column's own (a domain checks), in a filter the base type.
    pub type_oid: u32,
    /// For the input function; always -1. In `data` the assignment to the column applies the column's own, with an error
    /// where a value is too long, where the input function would do what a cast does.
    pub typmod: i32,
    /// Text for the input function; `None` is NULL. Without \0.
    pub value: Option<String>,
    /// Where it stood: "filter.id", "data.email". For the message if the input function fails.
    pub place: String,
}

/// The parameters of a statement, some of them with other values than those that it was planned with.
#[derive(Debug, Clone, Copy)]
pub struct Values<'k> {
    pub(crate) params: &'k [Param],
    /// For each parameter which of `values` it has; `None`, or none: its own.
    pub(crate) cut: &'k [Option<usize>],
    pub(crate) values: &'k [&'k str],
}

impl<'k> Values<'k> {
    /// Those that it was planned with.
    pub fn own(params: &'k [Param]) -> Values<'k> {
        Values { params, cut: &[], values: &[] }
    }

    /// The parameters, for their types and places.
    pub fn params(self) -> &'k [Param] {
        self.params
    }

    /// Each parameter with its value; `None` is NULL.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (&'k Param, Option<&'k str>)> {
        self.params.iter().enumerate().map(move |(n, param)| match self.cut.get(n) {
            Some(Some(of)) => (param, self.values.get(*of).copied()),
            _ => (param, param.value.as_deref()),
        })
    }
}

/// The name of a table within a statement: `t`, `t1`, `t2` …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alias(u32);

impl Alias {
    /// The table that the call names.
    pub(crate) const TOP: Alias = Alias(0);

    pub(crate) fn write(self, sql: &mut String) {
        sql.push('t');
        if self.0 > 0 {
            write_number(sql, self.0);
        }
    }
}

/// SQL text in the making.
pub(crate) struct Builder {
    pub(crate) sql: String,
    params: Vec<Param>,
    /// The numbers of those that [`Builder::bind_shared`] made, by type and value.
    shared: HashMap<(u32, String), usize>,
    aliases: u32,
    /// How many rows an embedded list has when the call says nothing.
    pub(crate) open_list: u64,
    /// Whether a table with active row security has been named.
    pub(crate) secured: bool,
    /// Whether outputs are left as they are where whoever runs the statement writes their JSON: see `render::write`.
    pub(crate) bare: bool,
    /// Where the filter that is being written stood: "filter", "filter.author", "embed.author.filter".
    pub(crate) at: String,
}

impl Builder {
    pub(crate) fn new(open_list: u64) -> Self {
        Builder {
            sql: String::with_capacity(512),
            params: Vec::with_capacity(8),
            shared: HashMap::new(),
            aliases: 0,
            open_list,
            secured: false,
            bare: false,
            at: "filter".to_owned(),
        }
    }

    /// A new alias.
    pub(crate) fn alias(&mut self) -> Alias {
        self.aliases += 1;
        Alias(self.aliases)
    }

    /// Runs `write` for a filter that stands at `at`.
    pub(crate) fn within(&mut self, at: String, write: impl FnOnce(&mut Builder)) {
        let outer = std::mem::replace(&mut self.at, at);
        write(self);
        self.at = outer;
    }

    /// Runs `write` with [`Builder::bare`] as given.
    pub(crate) fn baring<T>(&mut self, bare: bool, write: impl FnOnce(&mut Builder) -> T) -> T {
        let outer = std::mem::replace(&mut self.bare, bare);
        let value = write(self);
        self.bare = outer;
        value
    }

    /// What `write` appends, as a text of its own.
    pub(crate) fn fragment<T>(&mut self, write: impl FnOnce(&mut Builder) -> T) -> (T, String) {
        let outer = std::mem::take(&mut self.sql);
        let value = write(self);
        (value, std::mem::replace(&mut self.sql, outer))
    }

    /// Adds a parameter and appends its `$n`.
    pub(crate) fn bind(
        &mut self,
        type_oid: u32,
        value: impl Into<Option<String>>,
        place: impl FnOnce() -> String,
    ) {
        self.params.push(Param { type_oid, typmod: -1, value: value.into(), place: place() });
        self.push_param(self.params.len());
    }

    /// [`Builder::bind`], but an equal parameter that this made is used again: Postgres takes two expressions for the same (in
    /// GROUP BY) only when their parameters have the same number.
    pub(crate) fn bind_shared(&mut self, type_oid: u32, value: String, place: impl FnOnce() -> String) {
        match self.shared.get(&(type_oid, value.clone())) {
            Some(number) => self.push_param(*number),
            None => {
                self.bind(type_oid, value.clone(), place);
                self.shared.insert((type_oid, value), self.params.len());
            }
        }
    }

    fn push_param(&mut self, number: usize) {
        self.sql.push('$');
        write_number(&mut self.sql, number);
    }

    /// Appends `alias."column"`.
    pub(crate) fn column(&mut self, alias: Alias, name: &str) {
        crate::field::push_column(&mut self.sql, alias, name);
    }

    /// Appends `"schema"."table" AS alias`.
    pub(crate) fn relation(&mut self, table: &Table, alias: Alias) {
        self.secured |= table.row_security;
        push_ident(&mut self.sql, &table.schema);
        self.sql.push('.');
        push_ident(&mut self.sql, &table.name);
        self.sql.push_str(" AS ");
        alias.write(&mut self.sql);
    }

    pub(crate) fn params(&self) -> &[Param] {
        &self.params
    }

    pub(crate) fn statement(self, returns: bool) -> Statement {
        Statement { sql: self.sql, params: self.params, returns }
    }

    /// A statement with this text and the parameters so far.
    pub(crate) fn statement_of(&self, sql: String) -> Statement {
        Statement { sql, params: self.params.clone(), returns: true }
    }
}

fn write_number(sql: &mut String, number: impl fmt::Display) {
    // Writing to a String cannot fail.
    _ = fmt::Write::write_fmt(sql, format_args!("{number}"));
}
