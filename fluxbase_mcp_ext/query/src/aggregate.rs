//! What may be done to a field in `select`: a cast to a safe type, an aggregate.
//!
//! Both are closed lists. Casts go to built-in types by their own names; aggregates are Postgres's own, and those of a
//! user-defined type are taken from that type's schema. This module does NOT parse `select`.

use std::borrow::Cow;

use crate::error::{QueryError, show};
use crate::names::{nearest, push_ident};
use crate::table::{Column, oid};

/// A type that a value may be cast to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cast {
    /// What callers write.
    name: &'static str,
    /// The type in pg_catalog.
    type_name: &'static str,
    type_oid: u32,
    category: char,
}

const fn cast(name: &'static str, type_name: &'static str, type_oid: u32, category: char) -> Cast {
    Cast { name, type_name, type_oid, category }
}

static CASTS: [Cast; 25] = [
    cast("text", "text", oid::TEXT, 'S'),
    cast("varchar", "text", oid::TEXT, 'S'),
    cast("int2", "int2", oid::INT2, 'N'),
    cast("smallint", "int2", oid::INT2, 'N'),
    cast("int4", "int4", oid::INT4, 'N'),
    cast("integer", "int4", oid::INT4, 'N'),
    cast("int", "int4", oid::INT4, 'N'),
    cast("int8", "int8", oid::INT8, 'N'),
    cast("bigint", "int8", oid::INT8, 'N'),
    cast("float4", "float4", oid::FLOAT4, 'N'),
    cast("real", "float4", oid::FLOAT4, 'N'),
    cast("float8", "float8", oid::FLOAT8, 'N'),
    cast("numeric", "numeric", oid::NUMERIC, 'N'),
    cast("decimal", "numeric", oid::NUMERIC, 'N'),
    cast("boolean", "bool", oid::BOOL, 'B'),
    cast("bool", "bool", oid::BOOL, 'B'),
    cast("date", "date", 1082, 'D'),
    cast("time", "time", 1083, 'D'),
    cast("timetz", "timetz", 1266, 'D'),
    cast("timestamp", "timestamp", 1114, 'D'),
    cast("timestamptz", "timestamptz", 1184, 'D'),
    cast("interval", "interval", oid::INTERVAL, 'T'),
    cast("uuid", "uuid", oid::UUID, 'U'),
    cast("json", "json", oid::JSON, 'U'),
    cast("jsonb", "jsonb", oid::JSONB, 'U'),
];

impl Cast {
    /// The cast to the type of this name.
    pub(crate) fn parse(name: &str, item: &str, at: &str) -> Result<&'static Cast, QueryError> {
        let name = name.trim();
        let lower = name.to_ascii_lowercase();
        CASTS.iter().find(|cast| cast.name == lower).ok_or_else(|| {
            let names = CASTS.iter().map(|cast| cast.name);
            let habit = match lower.as_str() {
                "string" | "char" => Some("text"),
                "number" => Some("numeric"),
                "double" | "double precision" | "float" => Some("float8"),
                "datetime" => Some("timestamp"),
                _ => None,
            };
            let mut hint = habit
                .or_else(|| nearest(&lower, names.clone()))
                .map_or_else(String::new, |near| format!("Did you mean {near}? "));
            hint.push_str("Types: ");
            hint.push_str(&names.collect::<Vec<_>>().join(", "));
            hint.push('.');
            QueryError::argument(format!(
                "{at}: {} casts to {}, which is not offered.",
                show(item),
                show(name)
            ))
            .with_hint(hint)
        })
    }

    /// The facts of what comes out.
    pub(crate) fn facts(&self) -> Column {
        Column::of(self.name, self.type_oid, self.type_name, self.category)
    }

    /// Wraps `expression`.
    pub(crate) fn write(&self, expression: &str) -> String {
        format!("({expression})::pg_catalog.{}", self.type_name)
    }
}

/// An aggregate over a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

const FUNCTIONS: [Function; 5] =
    [Function::Count, Function::Sum, Function::Avg, Function::Min, Function::Max];

impl Function {
    pub(crate) fn parse(name: &str) -> Option<Function> {
        FUNCTIONS.into_iter().find(|function| function.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Function::Count => "count",
            Function::Sum => "sum",
            Function::Avg => "avg",
            Function::Min => "min",
            Function::Max => "max",
        }
    }

    /// The facts of what comes out for a field of this type.
    ///
    /// Errors: a type that has no such aggregate (42883).
    pub(crate) fn facts<'c>(self, field: &'c Column, at: &str) -> Result<Cow<'c, Column>, QueryError> {
        let numeric = || Cow::Owned(Column::of("numeric", oid::NUMERIC, "numeric", 'N'));
        let own = field.has_own_operators();
        Ok(match (self, field.base_oid) {
            (Function::Count, _) => Cow::Owned(count_facts()),
            (Function::Sum, oid::INT2 | oid::INT4) => Cow::Owned(count_facts()),
            (Function::Sum, oid::INT8 | oid::NUMERIC) => numeric(),
            (Function::Avg, oid::FLOAT4) => Cow::Owned(Column::of("float8", oid::FLOAT8, "float8", 'N')),
            (Function::Avg, base) if is_exact(base) => {
                Cow::Owned(Column::of("float8", oid::FLOAT8, "float8", 'N'))
            }
            (Function::Sum, oid::FLOAT4 | oid::FLOAT8 | oid::INTERVAL | oid::MONEY)
            | (Function::Avg, oid::FLOAT8 | oid::INTERVAL) => Cow::Borrowed(field),
            (Function::Sum | Function::Avg, _) if own => Cow::Borrowed(field),
            // Postgres 18 has them for rows, but what comes out has lost its fields' names.
            (Function::Min | Function::Max, _) if field.is_composite => {
                return Err(self.unfit(field, at, "Numbers, texts, dates, times and enums have one."));
            }
            (Function::Min | Function::Max, oid::BOOL | oid::JSON | oid::JSONB | oid::XML) => {
                return Err(self.unfit(field, at, "Numbers, texts, dates, times and enums have one."));
            }
            (Function::Min | Function::Max, _) => Cow::Borrowed(field),
            (Function::Sum | Function::Avg, _) => {
                return Err(self.unfit(
                    field,
                    at,
                    "Numbers and intervals have one; count() counts anything.",
                ));
            }
        })
    }

    /// The type that the result is cast to when the call names none. A mean of exact numbers has sixteen decimals or more, which JSON
    /// could carry only as a text.
    pub(crate) fn own_cast(self, field: &Column) -> Option<&'static Cast> {
        (self == Function::Avg && is_exact(field.base_oid))
            .then(|| CASTS.iter().find(|cast| cast.name == "float8"))
            .flatten()
    }

    fn unfit(self, field: &Column, at: &str, hint: &str) -> QueryError {
        let hint = if field.is_json() && field.name.contains("->") {
            format!("Cast it first: {}.", show(&format!("{}::numeric.{}()", field.name, self.name())))
        } else {
            hint.to_owned()
        };
        QueryError::operator(format!(
            "{at}: {} has the type {}, which has no {}.",
            show(&field.name),
            field.type_name(),
            self.name()
        ))
        .with_hint(hint)
    }

    /// The call over `expression`, whose type `field` tells.
    pub(crate) fn write(self, field: &Column, expression: &str) -> String {
        let mut sql = String::with_capacity(expression.len() + 24);
        if !field.has_own_operators() || self == Function::Count {
            sql.push_str("pg_catalog.");
        } else if !field.base_schema.is_empty() {
            push_ident(&mut sql, &field.base_schema);
            sql.push('.');
        }
        sql.push_str(self.name());
        sql.push('(');
        sql.push_str(expression);
        sql.push(')');
        sql
    }
}

fn is_exact(base: u32) -> bool {
    matches!(base, oid::INT2 | oid::INT4 | oid::INT8 | oid::NUMERIC)
}

/// bigint, what count() gives.
pub(crate) fn count_facts() -> Column {
    Column::of("count", oid::INT8, "bigint", 'N')
}
