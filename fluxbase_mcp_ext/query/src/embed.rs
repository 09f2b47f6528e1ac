//! The argument `embed`: which rows of an embedded relation, in which order, how many.
//!
//! ```text
//! embed = { name: {"filter": …, "order": …, "limit": n, "offset": n}, … }
//! name  = the relation's name in the answer; a relation within a relation with a dot: "author.books"
//! ```
//!
//! It shapes the embedded rows only. With `!inner` in `select`, rows whose relation has no row left are left out.

use crate::arguments::Arguments;
use crate::catalog::Catalog;
use crate::error::{Fault, QueryError, place, show};
use crate::filter::Scope;
use crate::json::{Json, members};
use crate::names::{nearest, split_items, unquote, written};
use crate::order;
use crate::predicate::Predicate;
use crate::selection::{Embed, Selection, Shape};

const PARTS: [&str; 4] = ["filter", "order", "limit", "offset"];

/// Puts what `embed` asks for into the selection. `max` is the most rows that an embedded list may have; a higher limit is cut
/// with a note.
pub(crate) fn shape<'t>(
    args: &Arguments,
    selection: &mut Selection<'t>,
    catalog: &'t dyn Catalog,
    max: u64,
    notes: &mut Vec<String>,
) -> Result<(), QueryError> {
    let Some(raw) = args.raw("embed") else { return Ok(()) };
    let json = Json::read(raw, "embed")?;
    let Json::Object(object) = json else {
        return Err(QueryError::argument(format!("embed: must be an object, not {}.", json.kind()))
            .with_hint("Write {\"embed\":{\"author\":{\"order\":\"name\",\"limit\":3}}}."));
    };
    let mut shaped: Vec<*const Embed<'_>> = Vec::new();
    for (name, raw) in members(object, "embed")? {
        let at = place("embed", &name);
        let embed = find(selection, &name, &at)?;
        // Another spelling of the same name.
        if shaped.contains(&&raw const *embed) {
            let message = format!("{at}: this relation stands twice in embed.");
            return Err(QueryError::DuplicateKey(Fault::new(message)).with_hint("Give each relation once."));
        }
        shaped.push(&raw const *embed);
        let json = Json::read(raw, &at)?;
        let Json::Object(object) = json else {
            return Err(QueryError::argument(format!("{at}: must be an object, not {}.", json.kind()))
                .with_hint("Write {\"filter\":{…},\"order\":\"…\",\"limit\":3,\"offset\":0}, each part if you need it."));
        };
        // The parts are arguments like those of the call itself.
        let parts = Arguments::parse_at(object.get(), &at)?;
        parts.only_at(&at, &PARTS)?;
        let scope = Scope { table: embed.way.table, catalog, embeds: &embed.selection.embeds };
        let filter =
            parts.raw("filter").map(|raw| Predicate::parse(raw, scope, &place(&at, "filter"))).transpose()?;
        let texts = parts.texts("order").map_err(|error| error.within(&at))?.unwrap_or_default();
        let keys = order::keys(&texts, scope, &embed.selection, &place(&at, "order"))?;
        let number = |part: &str| match parts.int(part).map_err(|error| error.within(&at))? {
            Some(value) if value < 0 => {
                Err(QueryError::argument(format!("{at}.{part}: must be 0 or more, not {value}.")))
            }
            value => Ok(value.map(i64::unsigned_abs)),
        };
        let limit = number("limit")?;
        if let Some(limit) = limit.filter(|limit| *limit > max) {
            notes.push(format!("{at}.limit {limit} was cut to {max}, the most that one list holds."));
        }
        embed.shape = Shape {
            filter,
            keys,
            limit: limit.map(|limit| limit.min(max)),
            offset: number("offset")?.unwrap_or(0),
        };
    }
    Ok(())
}

/// The relation that a name in the answer means, level by level.
fn find<'s, 't>(
    selection: &'s mut Selection<'t>,
    path: &str,
    at: &str,
) -> Result<&'s mut Embed<'t>, QueryError> {
    let steps: Vec<String> = match split_items(path, '.') {
        Some(steps) => {
            steps.into_iter().map(|step| unquote(step).map_or(step.to_owned(), |s| s.into_owned())).collect()
        }
        None => vec![path.to_owned()],
    };
    let mut embeds = &mut selection.embeds;
    let mut steps = steps.into_iter().peekable();
    while let Some(step) = steps.next() {
        // The table's name may hold a dot itself; then it stands in quotes, and is one step.
        let Some(number) = embeds.iter().position(|embed| embed.name == step) else {
            let names = embeds.iter().map(|embed| embed.name.as_str());
            let mut hint = nearest(&step, names.clone())
                .map_or_else(String::new, |near| format!("Did you mean {}? ", show(near)));
            let names: Vec<&str> = names.collect();
            hint.push_str(&match names[..] {
                [] => "select has no relation there; write one first: select=\"*,relation(*)\".".to_owned(),
                _ => format!(
                    "Relations of select: {}.",
                    names.iter().map(|name| written(name)).collect::<Vec<_>>().join(", ")
                ),
            });
            return Err(QueryError::argument(format!("{at}: select has no relation {}.", show(&step)))
                .with_hint(hint));
        };
        let embed = &mut embeds[number];
        if steps.peek().is_none() {
            return Ok(embed);
        }
        embeds = &mut embed.selection.embeds;
    }
    Err(QueryError::argument(format!("{at}: names no relation.")))
}
