//! Reading rows: the arguments of `query_table` to statements.
//!
//! ```text
//! rows     SELECT row_to_json(_r.*) FROM (SELECT … FROM "s"."t" AS t WHERE … ORDER BY … LIMIT n+1 OFFSET m) AS _r
//! by key   SELECT (SELECT row_to_json(_r.*) FROM (SELECT …) AS _r), key, … FROM "s"."t" AS t WHERE … ORDER BY … LIMIT n+1
//! columns  SELECT … FROM "s"."t" AS t WHERE … ORDER BY … LIMIT n+1          the same, with the members of the object as columns
//! groups   SELECT row_to_json(_r.*) FROM (SELECT …, sum(…) … GROUP BY …) AS _r
//! nearest  SELECT CASE WHEN near enough THEN _c.r END FROM (SELECT (SELECT row_to_json …) AS r, t."e" <=> $1 AS d FROM … ORDER BY
//!          t."e" <=> $1 LIMIT n+1) AS _c ORDER BY _c.d
//! total    SELECT to_json(count(*)) FROM "s"."t" AS t WHERE …
//! ```
//!
//! `t."x"` is always the relation's column, even if the table has a column named t. This module does NOT run anything.

use std::fmt::Write;

use crate::arguments::Arguments;
use crate::catalog::Catalog;
use crate::cursor::{self, Keyset};
use crate::embed;
use crate::error::{Outcome, QueryError, show};
use crate::filter::Scope;
use crate::names::nearest;
use crate::nearby::{NearRead, Nearby};
use crate::order;
use crate::predicate::Predicate;
use crate::select::selected;
use crate::selection::{And, Selection};
use crate::statement::{Alias, Builder, Statement};
use crate::table::Table;
use crate::vector::Embedding;

/// The arguments of [`select()`]. `max_chars` is for whoever runs the statement.
pub const SELECT_ARGUMENTS: [&str; 11] = [
    "table",
    "select",
    "filter",
    "embed",
    "order",
    "limit",
    "offset",
    "cursor",
    "count",
    "max_chars",
    "vector_search",
];

/// Limits of [`select()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Rows when no limit is given, also of an embedded list. Default 100.
    pub default_limit: u64,
    /// The most rows, also of an embedded list; a higher limit is cut, with a note. Default 1000.
    pub max_limit: u64,
    /// Whether to ask for one row beyond the limit, to tell that there is more. Always done when a limit is cut. Default true.
    pub peek: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { default_limit: 100, max_limit: 1000, peek: true }
    }
}

/// What to run for a read.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// The rows.
    pub statement: Statement,
    /// How to find out the total, when it was asked for.
    pub count: Option<Count>,
    /// For the cursor after the last row that is shown. The statement has the sort keys behind the json column.
    pub keyset: Option<Keyset>,
    /// What the caller must be told besides the result: "limit 5000 was cut to 1000, the most that one answer holds."
    pub notes: Vec<String>,
    /// The limit that holds. The SQL says LIMIT `limit + 1` when [`Bounds::peek`] asks for it: a row beyond the limit means that there are more, and is not
    /// for the caller.
    pub limit: u64,
    /// The offset.
    pub offset: u64,
    /// The length at which an embedded list may have been cut without the call having asked for it; 0 when none may.
    pub open_list: u64,
    /// Whether each row is a group.
    pub grouped: bool,
    /// How many columns, the first ones, are the members of each row's object, with its names; 0: the first column is the object.
    pub outputs: usize,
    /// For `vector_search`: rows come by distance, and a row of NULL is a candidate that is not near enough.
    pub near: Option<NearRead>,
}

/// How the total is found out. Every statement yields one row of one json number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// Count them.
    Exact(Statement),
    /// Ask the planner how many rows it expects of this statement; do not run it.
    Planned(Statement),
    /// Count up to `threshold` + 1; if there are more, ask the planner.
    Estimated {
        /// Counts up to `threshold` + 1 rows.
        bounded: Statement,
        /// The bound.
        threshold: u64,
        /// As in [`Count::Planned`].
        planned: Statement,
    },
}

/// Reads rows. Arguments: [`SELECT_ARGUMENTS`]; the value of `table` is not looked at, `table` is what it resolved to.
///
/// # Errors
/// The first thing in the arguments that was not understood.
pub fn select<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    bounds: &Bounds,
) -> Result<Select, QueryError> {
    select_near(args, table, catalog, bounds, None)
}

/// [`select()`] where the text of `vector_search` was made into a vector.
///
/// # Errors
/// As for [`select()`].
pub fn select_near<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    bounds: &Bounds,
    embedding: Option<&Embedding>,
) -> Result<Select, QueryError> {
    read(args, table, catalog, bounds, embedding, false)
        .map_err(|error| error.with_outcome(Outcome::NothingRead))
}

/// [`select_near`], but whoever runs the statement writes the objects: that saves Postgres making a row of each row, and looking its
/// types up again for each. The members are columns ([`Select::outputs`]) of the types in [`BARE`], or of domains over them, whose JSON form
/// docs/types.md tells; json and jsonb are written as they are. A `vector_search` has its rows as objects.
///
/// # Errors
/// As for [`select()`].
pub fn select_columns<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    bounds: &Bounds,
    embedding: Option<&Embedding>,
) -> Result<Select, QueryError> {
    read(args, table, catalog, bounds, embedding, true)
        .map_err(|error| error.with_outcome(Outcome::NothingRead))
}

/// Postgres's bound is 1,664 entries of a target list.
pub(crate) const MOST_COLUMNS: usize = 1500;

fn read<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    bounds: &Bounds,
    embedding: Option<&Embedding>,
    columns: bool,
) -> Result<Select, QueryError> {
    args.only(&SELECT_ARGUMENTS)?;
    let nearby = Nearby::read(args, table, embedding)?;
    let mut notes = Vec::new();
    let mut selection = selected(args, table, catalog)?;
    embed::shape(args, &mut selection, catalog, bounds.max_limit, &mut notes)?;
    let scope = Scope { table, catalog, embeds: &selection.embeds };
    let predicate = args.raw("filter").map(|raw| Predicate::parse(raw, scope, "filter")).transpose()?;
    let texts = args.texts("order")?.unwrap_or_default();
    let mut keys = order::keys(&texts, scope, &selection, "order")?;
    let offset = bounded(args, "offset")?.unwrap_or(0);
    let limit = match bounded(args, "limit")? {
        None => bounds.default_limit.min(bounds.max_limit),
        Some(limit) if limit > bounds.max_limit => {
            let max = bounds.max_limit;
            notes.push(format!("limit {limit} was cut to {max}, the most that one answer holds."));
            max
        }
        Some(limit) => limit,
    };
    let peek = bounds.peek || !notes.is_empty();
    let grouped = selection.is_grouped();
    if grouped {
        selection.check_spread_shapes()?;
    }
    if let Some(nearby) = &nearby {
        nearby.check(args, &selection, grouped)?;
    }
    let pages = !keys.is_empty() && !grouped && cursor::total_order(&mut keys, table);
    let given = args.str("cursor")?;
    if given.is_some() {
        check_cursor(pages, &keys, grouped, offset, table)?;
    }

    let top = Alias::TOP;
    let mut builder = Builder::new(bounds.default_limit.min(bounds.max_limit));
    // First what the question is, so that nothing of it hangs on what is shown.
    let (source, from) = builder.fragment(|b| {
        b.relation(table, top);
        selection.write_joins(b, top)
    });
    let mut and = And::first();
    let ((), mut conditions) =
        builder.fragment(|b| write_conditions(b, predicate.as_ref(), &selection, &mut and));
    let secured = builder.secured;
    let ((), order) = builder.fragment(|b| order::write(b, &keys, &source, &selection));
    if let Some(nearby) = nearby {
        let rows = limit.saturating_add(u64::from(peek));
        let ((), outputs) = builder.fragment(|b| selection.write_outputs(b, &source));
        let near = nearby.finish(
            &mut builder,
            &outputs,
            &format!("{from}{conditions}"),
            !conditions.is_empty(),
            rows,
            offset,
        );
        let statement = builder.statement_of(near.0);
        let open_list = if selection.has_open_list() { builder.open_list } else { 0 };
        let near = Some(near.1);
        return Ok(Select {
            statement,
            count: None,
            keyset: None,
            notes,
            limit,
            offset,
            open_list,
            outputs: 0,
            grouped,
            near,
        });
    }
    let count = match count_way(args, secured, table)? {
        None => None,
        Some(way) => {
            let ((), groups) = builder.fragment(|b| selection.write_groups(b, &source));
            // Without groups an aggregate is one row, whatever is in the table.
            let one = if grouped && groups.is_empty() { "pg_catalog.count(*)" } else { "1" };
            let rows = format!("SELECT {one} FROM {from}{conditions}{groups}");
            Some(count(&way, &builder, rows, bounds.max_limit))
        }
    };
    let keyset =
        pages.then(|| Keyset::new(table, &format!("{conditions}{order}"), builder.params(), keys.len()));
    let sorted: Vec<_> = match pages {
        true => keys.iter().map(|key| (key, key.sql(&mut builder, &source, &selection))).collect(),
        false => Vec::new(),
    };
    // A blank cursor asks for the first page.
    let given = given.filter(|given| !given.trim().is_empty());
    if let (Some(keyset), Some(given)) = (&keyset, &given) {
        let values = keyset.read(given)?;
        let ((), after) = builder.fragment(|b| {
            and.next(b);
            cursor::write_after(b, &sorted, &values);
        });
        conditions.push_str(&after);
    }

    let outputs = selection.outputs.len();
    let columns = columns && outputs > 0 && outputs + sorted.len() <= MOST_COLUMNS;
    let whole = !columns && !pages;
    builder.sql.push_str(match (columns, pages) {
        (true, _) => "SELECT ",
        (false, true) => "SELECT (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT ",
        (false, false) => "SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT ",
    });
    builder.baring(columns, |b| selection.write_outputs(b, &source));
    if !columns && pages {
        builder.sql.push_str(") AS _r)");
    }
    for (_, key) in &sorted {
        builder.sql.push_str(", ");
        builder.sql.push_str(key);
    }
    builder.sql.push_str(" FROM ");
    builder.sql.push_str(&from);
    builder.sql.push_str(&conditions);
    selection.write_groups(&mut builder, &source);
    builder.sql.push_str(&order);
    // Writing to a String cannot fail.
    _ = write!(builder.sql, " LIMIT {}", limit.saturating_add(u64::from(peek)));
    if offset > 0 {
        _ = write!(builder.sql, " OFFSET {offset}");
    }
    if whole {
        builder.sql.push_str(") AS _r");
    }
    let open_list = if selection.has_open_list() { builder.open_list } else { 0 };
    Ok(Select {
        statement: builder.statement(true),
        count,
        keyset,
        notes,
        limit,
        offset,
        open_list,
        grouped,
        outputs: if columns { outputs } else { 0 },
        near: None,
    })
}

fn write_conditions(
    builder: &mut Builder,
    predicate: Option<&Predicate<'_>>,
    selection: &Selection<'_>,
    and: &mut And,
) {
    if let Some(predicate) = predicate.filter(|predicate| !predicate.is_always(true)) {
        and.next(builder);
        predicate.write(builder, Alias::TOP);
    }
    selection.write_inner(builder, Alias::TOP, and);
}

/// A cursor was given: refuse it where there can be none.
fn check_cursor(
    pages: bool,
    keys: &[order::Key<'_>],
    grouped: bool,
    offset: u64,
    table: &Table,
) -> Result<(), QueryError> {
    if offset > 0 {
        return Err(QueryError::argument("cursor: cannot be given together with offset.")
            .with_hint("A cursor says by itself where to go on; leave offset out."));
    }
    if pages {
        return Ok(());
    }
    let (why, hint) = if grouped {
        ("groups have no cursor".to_owned(), "Page them with offset.".to_owned())
    } else if keys.is_empty() {
        (
            "this call has no order, so it has no place to go on from".to_owned(),
            "Give the order of the call that the cursor is from.".to_owned(),
        )
    } else {
        (format!("{} has no primary key that you may read", table.shown()), "Page with offset.".to_owned())
    };
    Err(QueryError::argument(format!("cursor: {why}.")).with_hint(hint))
}

/// The way to count that was asked for, if any.
fn count_way(args: &Arguments, secured: bool, table: &Table) -> Result<Option<String>, QueryError> {
    const WAYS: [&str; 3] = ["exact", "planned", "estimated"];
    let Some(way) = args.str("count")? else { return Ok(None) };
    if !WAYS.contains(&way.as_str()) {
        let near =
            nearest(&way, WAYS.into_iter()).map_or_else(String::new, |near| format!("Did you mean {near}? "));
        return Err(QueryError::argument(format!("count: {} is no way to count.", show(&way)))
            .with_hint(format!("{near}Write exact, planned or estimated.")));
    }
    if way != "exact" && secured {
        return Err(QueryError::privilege(format!(
            "count: {way} is not given where row-level security hides rows ({}, or a table that it is joined with or made of): it \
             would tell of rows that you may not see.",
            table.shown()
        ))
        .with_hint("Write exact."));
    }
    Ok(Some(way))
}

/// How to count what `rows` selects.
fn count(way: &str, builder: &Builder, rows: String, threshold: u64) -> Count {
    let counted = |rows: &str| {
        builder.statement_of(format!("SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM ({rows}) AS _c"))
    };
    match way {
        "exact" => Count::Exact(counted(&rows)),
        "planned" => Count::Planned(builder.statement_of(rows)),
        _ => Count::Estimated {
            bounded: counted(&format!("{rows} LIMIT {}", threshold.saturating_add(1))),
            threshold,
            planned: builder.statement_of(rows),
        },
    }
}

fn bounded(args: &Arguments, name: &str) -> Result<Option<u64>, QueryError> {
    match args.int(name)? {
        None => Ok(None),
        Some(value) if value < 0 => {
            Err(QueryError::argument(format!("{name}: must be 0 or more, not {value}."))
                .with_hint(format!("Write {{\"{name}\":10}}, or leave it out.")))
        }
        Some(value) => Ok(Some(value.unsigned_abs())),
    }
}
