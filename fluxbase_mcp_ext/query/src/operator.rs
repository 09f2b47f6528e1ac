//! The operators of a filter: their names, their SQL, and the columns that they work on.
//!
//! This module does NOT read values.

use crate::error::{QueryError, show};
use crate::names::{nearest, push_ident};
use crate::table::{Column, oid};

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
    Is,
    IsNot,
    In,
    Nin,
    /// Contains, `@>`.
    Cs,
    /// Contained in, `<@`.
    Cd,
    /// Overlaps, `&&`.
    Ov,
}

use Operator::*;

/// Every operator, in the order in which messages list them.
const ALL: [Operator; 15] = [Eq, Neq, Gt, Gte, Lt, Lte, Like, Ilike, Is, IsNot, In, Nin, Cs, Cd, Ov];

/// What callers who know other systems write, and what they mean.
const HABITS: [(&str, Operator); 21] = [
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
];

impl Operator {
    /// The operator of this exact name.
    pub(crate) fn parse(name: &str) -> Option<Operator> {
        ALL.into_iter().find(|operator| operator.name() == name)
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
            Is => "is",
            IsNot => "isnot",
            In => "in",
            Nin => "nin",
            Cs => "cs",
            Cd => "cd",
            Ov => "ov",
        }
    }

    /// The name of the operator in SQL; `is` and `isnot` are syntax and have none.
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
            Is => "IS",
            IsNot => "IS NOT",
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
        if matches!(column.base_oid, oid::JSON | oid::XML) && !matches!(self, Is | IsNot | Like | Ilike) {
            let what = if column.base_oid == oid::JSON { "json" } else { "xml" };
            let hint = if column.base_oid == oid::JSON {
                "Use is, isnot, like or ilike here, or make the column jsonb, which can be compared."
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
        if self == Ov && column.base_oid == oid::JSONB {
            return Err(QueryError::operator(format!("{at}: ov works on arrays and ranges, not on jsonb."))
                .with_hint("Use cs (contains) or cd (contained in)."));
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

/// What to write instead of a word that is no operator.
pub(crate) fn suggest(word: &str) -> String {
    let word = word.trim_start_matches('$').to_lowercase();
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
