//! The operators of a filter: their names, their SQL, and the types that they work on.
//!
//! ```text
//! written = [not.]name[(any) | (all) | (text search configuration)]
//! ```
//!
//! This module does NOT read values.

use crate::error::{QueryError, show};
use crate::names::{nearest, push_ident};
use crate::table::{Column, oid};

/// An operator with what may stand around it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written<'a> {
    pub(crate) negated: bool,
    pub(crate) operator: Operator,
    pub(crate) quantifier: Option<Quantifier>,
    /// Of a text search, as the caller wrote it.
    pub(crate) configuration: Option<&'a str>,
}

/// Whether one or all values of a list must fulfil an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Any,
    All,
}

impl Quantifier {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Quantifier::Any => "ANY",
            Quantifier::All => "ALL",
        }
    }
}

/// An operator by the name that callers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
    Like,
    Ilike,
    /// Regular expression, `~`.
    Match,
    /// Regular expression without regard to case, `~*`.
    Imatch,
    Is,
    IsNot,
    In,
    Nin,
    /// IS DISTINCT FROM.
    IsDistinct,
    /// Contains, `@>`.
    Cs,
    /// Contained in, `<@`.
    Cd,
    /// Overlaps, `&&`.
    Ov,
    /// Strictly left of, `<<`.
    Sl,
    /// Strictly right of, `>>`.
    Sr,
    /// Does not extend to the right of, `&<`.
    Nxr,
    /// Does not extend to the left of, `&>`.
    Nxl,
    /// Adjacent to, `-|-`.
    Adj,
    /// Text search: to_tsquery.
    Fts,
    /// plainto_tsquery.
    Plfts,
    /// phraseto_tsquery.
    Phfts,
    /// websearch_to_tsquery.
    Wfts,
}

use Operator::*;

/// Every operator, in the order in which messages list them.
const ALL: [Operator; 27] = [
    Eq, Neq, Gt, Gte, Lt, Lte, Like, Ilike, Match, Imatch, Is, IsNot, In, Nin, IsDistinct, Cs, Cd, Ov, Sl,
    Sr, Nxr, Nxl, Adj, Fts, Plfts, Phfts, Wfts,
];

/// What callers who know other systems write, and what they mean.
const HABITS: [(&str, Operator); 39] = [
    ("=", Eq),
    ("==", Eq),
    ("equals", Eq),
    ("!=", Neq),
    ("<>", Neq),
    ("ne", Neq),
    (">", Gt),
    (">=", Gte),
    ("ge", Gte),
    ("<", Lt),
    ("<=", Lte),
    ("le", Lte),
    ("not", IsNot),
    ("is_not", IsNot),
    ("not_in", Nin),
    ("notin", Nin),
    ("contains", Cs),
    ("contained", Cd),
    ("overlaps", Ov),
    ("~~", Like),
    ("between", Gte),
    ("~", Match),
    ("regex", Match),
    ("regexp", Match),
    ("~*", Imatch),
    ("iregex", Imatch),
    ("search", Wfts),
    ("textsearch", Wfts),
    ("isnull", Is),
    ("notnull", IsNot),
    ("is_distinct", IsDistinct),
    ("equal", Eq),
    ("not_eq", Neq),
    ("not_equal", Neq),
    ("greater", Gt),
    ("greater_than", Gt),
    ("less", Lt),
    ("less_than", Lt),
    ("starts_with", Like),
];

impl Operator {
    /// The operator of this exact name.
    pub(crate) fn parse(name: &str) -> Option<Operator> {
        ALL.into_iter().find(|operator| operator.name() == name)
    }

    /// Whether it may take (any) and (all).
    fn takes_quantifier(self) -> bool {
        matches!(self, Eq | Neq | Gt | Gte | Lt | Lte) || self.is_pattern()
    }

    /// Compares text with a pattern.
    pub(crate) fn is_pattern(self) -> bool {
        matches!(self, Like | Ilike | Match | Imatch)
    }

    /// The function that makes a text search's query.
    pub(crate) fn search_function(self) -> Option<&'static str> {
        match self {
            Fts => Some("to_tsquery"),
            Plfts => Some("plainto_tsquery"),
            Phfts => Some("phraseto_tsquery"),
            Wfts => Some("websearch_to_tsquery"),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Eq => "eq",
            Neq => "neq",
            Gt => "gt",
            Gte => "gte",
            Lt => "lt",
            Lte => "lte",
            Like => "like",
            Ilike => "ilike",
            Match => "match",
            Imatch => "imatch",
            Is => "is",
            IsNot => "isnot",
            In => "in",
            Nin => "nin",
            IsDistinct => "isdistinct",
            Cs => "cs",
            Cd => "cd",
            Ov => "ov",
            Sl => "sl",
            Sr => "sr",
            Nxr => "nxr",
            Nxl => "nxl",
            Adj => "adj",
            Fts => "fts",
            Plfts => "plfts",
            Phfts => "phfts",
            Wfts => "wfts",
        }
    }

    /// The name of the operator in SQL; `is`, `isnot` and `isdistinct` are syntax and have none.
    fn symbol(self) -> &'static str {
        match self {
            Eq | In => "=",
            Neq | Nin => "<>",
            Gt => ">",
            Gte => ">=",
            Lt => "<",
            Lte => "<=",
            Like => "~~",
            Ilike => "~~*",
            Cs => "@>",
            Cd => "<@",
            Ov => "&&",
            Match => "~",
            Imatch => "~*",
            Sl => "<<",
            Sr => ">>",
            Nxr => "&<",
            Nxl => "&>",
            Adj => "-|-",
            Fts | Plfts | Phfts | Wfts => "@@",
            Is => "IS",
            IsNot => "IS NOT",
            IsDistinct => "IS DISTINCT FROM",
        }
    }

    /// Writes the operator for this column.
    ///
    /// A plain name would be looked up along the search path, where others may have made an operator that fits better. A
    /// user-defined type has its operators in its own schema: there they are found whatever the search path is, and
    /// citext does not silently compare as text.
    pub(crate) fn write(self, sql: &mut String, column: &Column) {
        if !column.has_own_operators() {
            sql.push_str("OPERATOR(pg_catalog.");
        } else if column.base_schema.is_empty() {
            sql.push_str(self.symbol());
            return;
        } else {
            sql.push_str("OPERATOR(");
            push_ident(sql, &column.base_schema);
            sql.push('.');
        }
        sql.push_str(self.symbol());
        sql.push(')');
    }

    /// Refuses an operator that this column's type cannot have. What stays doubtful is left to Postgres.
    pub(crate) fn check(self, column: &Column, at: &str) -> Result<(), QueryError> {
        let kind = column.type_name();
        let name = self.name();
        let searches_json = self.search_function().is_some() && column.is_json();
        if matches!(column.base_oid, oid::JSON | oid::XML)
            && !(matches!(self, Is | IsNot) || self.is_pattern() || searches_json)
        {
            let what = if column.base_oid == oid::JSON { "json" } else { "xml" };
            let hint = if column.base_oid == oid::JSON {
                "Use is, isnot, like or ilike here, compare a part of it (column->key), or make the column jsonb."
            } else {
                "Use is, isnot, like or ilike here."
            };
            return Err(QueryError::operator(format!(
                "{at}: {name} does not work on the type {what}, which Postgres cannot compare."
            ))
            .with_hint(hint));
        }
        let builtin = column.base_oid < oid::FIRST_USER || column.category == 'E';
        let simple = builtin && matches!(column.category, 'S' | 'N' | 'B' | 'D' | 'T' | 'E');
        if matches!(self, Cs | Cd | Ov) && simple && !column.is_array() {
            return Err(QueryError::operator(format!(
                "{at}: {name} works on arrays, ranges{}; this column is {kind}.",
                if self == Ov { "" } else { " and jsonb" }
            ))
            .with_hint(if column.category == 'S' {
                "To find a part of a text use like or ilike, with % for anything."
            } else {
                "Use eq, in, gte or lt."
            }));
        }
        let ranges = matches!(column.category, 'R')
            || (column.category == 'G' && self != Adj)
            || column.has_own_operators();
        if matches!(self, Sl | Sr | Nxr | Nxl | Adj) && !ranges {
            return Err(QueryError::operator(format!(
                "{at}: {name} works on ranges; this column is {kind}."
            ))
            .with_hint("Use gt, gte, lt or lte."));
        }
        if self.search_function().is_some()
            && !(column.base_oid == oid::TSVECTOR || column.category == 'S' || column.is_json())
        {
            return Err(QueryError::operator(format!(
                "{at}: {name} searches tsvector, text and json columns; this column is {kind}."
            ))
            .with_hint("Use eq, or ilike on a text."));
        }
        // tsquery && tsquery is another tsquery.
        if self == Ov && column.base_oid == oid::TSQUERY {
            return Err(QueryError::operator(format!(
                "{at}: ov works on arrays and ranges, not on tsquery."
            ))
            .with_hint("Use cs (contains) or cd (contained in)."));
        }
        if self == Ov && column.base_oid == oid::JSONB {
            return Err(QueryError::operator(format!("{at}: ov works on arrays and ranges, not on jsonb."))
                .with_hint("Use cs (contains) or cd (contained in)."));
        }
        if self == IsDistinct && column.base_oid == oid::XML {
            return Err(QueryError::operator(format!("{at}: {name} does not work on the type xml.")));
        }
        if matches!(self, In | Nin) && column.comparison_array_oid() == 0 {
            return Err(QueryError::operator(format!(
                "{at}: {name} does not work on a column of type {kind}."
            ))
            .with_hint("Use eq or neq, or cs, cd and ov on an array."));
        }
        Ok(())
    }
}

impl<'a> Written<'a> {
    /// The operator as messages show it: `eq(any)`, without negation.
    pub(crate) fn name(&self) -> String {
        let name = self.operator.name();
        match self.quantifier {
            None => name.to_owned(),
            Some(Quantifier::Any) => format!("{name}(any)"),
            Some(Quantifier::All) => format!("{name}(all)"),
        }
    }

    /// The operator alone.
    pub(crate) fn plain(operator: Operator) -> Written<'static> {
        Written { negated: false, operator, quantifier: None, configuration: None }
    }

    /// The operator at the begin of `text`, and the rest. `None` when it begins with no operator.
    ///
    /// Errors: (any) or (all) with an operator that takes none.
    pub(crate) fn read(text: &'a str, at: &str) -> Result<Option<(Written<'a>, &'a str)>, QueryError> {
        let (negated, body) = match text.strip_prefix("not.") {
            Some(body) => (true, body),
            None => (false, text),
        };
        let end = body.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(body.len());
        let (name, rest) = body.split_at(end);
        let Some(operator) = Operator::parse(name) else { return Ok(None) };
        let mut written = Written { negated, operator, quantifier: None, configuration: None };
        let Some(inside) = rest.strip_prefix('(') else { return Ok(Some((written, rest))) };
        let Some((inside, rest)) = inside.split_once(')') else { return Ok(None) };
        match inside.trim() {
            configuration if operator.search_function().is_some() && !configuration.is_empty() => {
                written.configuration = Some(configuration);
            }
            "any" if operator.takes_quantifier() => written.quantifier = Some(Quantifier::Any),
            "all" if operator.takes_quantifier() => written.quantifier = Some(Quantifier::All),
            _ => {
                return Err(QueryError::operator(format!("{at}: {name} does not take {}.", show(&format!("({})", inside.trim()))))
                    .with_hint(
                        "(any) and (all) go with eq, neq, gt, gte, lt, lte, like, ilike, match and imatch; a text search \
                         takes its configuration: fts(english).",
                    ));
            }
        }
        Ok(Some((written, rest)))
    }
}

/// What to write instead of a word that is no operator.
pub(crate) fn suggest(word: &str) -> String {
    let word = word.trim_start_matches('$').to_lowercase();
    let word = word.strip_prefix("not.").unwrap_or(&word).to_owned();
    let mut hint = match word.as_str() {
        "between" => "Did you mean gte and lt? ".to_owned(),
        _ => HABITS
            .iter()
            .find(|(habit, _)| *habit == word)
            .map(|(_, operator)| operator.name())
            .or_else(|| nearest(&word, ALL.into_iter().map(Operator::name)))
            .map_or_else(String::new, |name| format!("Did you mean {name}? ")),
    };
    hint.push_str("Operators: ");
    for (index, operator) in ALL.into_iter().enumerate() {
        if index > 0 {
            hint.push_str(", ");
        }
        hint.push_str(operator.name());
    }
    hint.push('.');
    hint
}

/// The error for a word that is no operator.
pub(crate) fn unknown(at: &str, word: &str) -> QueryError {
    QueryError::operator(format!("{at}: {} is not an operator.", show(word))).with_hint(suggest(word))
}
