//! What must be true of a row, as a typed predicate, and how it becomes SQL.
//!
//! This module does NOT read text: see `filter` and `condition`.

use crate::error::place;
use crate::field::Field;
use crate::operator::{Operator, Quantifier};
use crate::relation::Way;
use crate::statement::{Alias, Builder};
use crate::table::{Column, oid};
use crate::value::list_literal;

/// What must be true of a row. Fields are resolved, values are text for an input function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Predicate<'t> {
    /// Every one of them; true when empty.
    All(Vec<Predicate<'t>>),
    /// At least one of them; false when empty.
    Any(Vec<Predicate<'t>>),
    Not(Box<Predicate<'t>>),
    /// field operator value.
    Compare {
        field: Field<'t>,
        operator: Operator,
        value: String,
    },
    /// The field's text fits a pattern.
    Pattern {
        field: Field<'t>,
        operator: Operator,
        pattern: String,
    },
    /// field operator ANY or ALL (values). Patterns compare the field's text.
    Quantified {
        field: Field<'t>,
        operator: Operator,
        quantifier: Quantifier,
        values: Vec<String>,
    },
    /// The field is one (`In`) or none (`Nin`) of the values.
    Among {
        field: Field<'t>,
        operator: Operator,
        values: Vec<String>,
    },
    /// IS or IS NOT.
    Is {
        field: Field<'t>,
        negated: bool,
        state: State,
    },
    /// field @@ query.
    Search {
        field: Field<'t>,
        operator: Operator,
        configuration: Option<String>,
        query: String,
    },
    /// A related row exists of which the predicate is true.
    Related {
        name: String,
        way: Way<'t>,
        inner: Box<Predicate<'t>>,
    },
}

/// What `is` can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Null,
    True,
    False,
    Unknown,
}

impl Predicate<'_> {
    /// Whether it is `truth` for every row, whatever is in it.
    pub(crate) fn is_always(&self, truth: bool) -> bool {
        match self {
            Predicate::All(all) if truth => all.iter().all(|part| part.is_always(true)),
            Predicate::All(all) => all.iter().any(|part| part.is_always(false)),
            Predicate::Any(any) if truth => any.iter().any(|part| part.is_always(true)),
            Predicate::Any(any) => any.iter().all(|part| part.is_always(false)),
            Predicate::Not(part) => part.is_always(!truth),
            Predicate::Among { operator, values, .. } => {
                values.is_empty() && (*operator == Operator::Nin) == truth
            }
            Predicate::Quantified { quantifier, values, .. } => {
                values.is_empty() && (*quantifier == Quantifier::All) == truth
            }
            // Whether a related row exists at all hangs on the data.
            Predicate::Related { inner, .. } => !truth && inner.is_always(false),
            _ => false,
        }
    }

    /// Appends the predicate, an expression that AND may join.
    pub(crate) fn write(&self, builder: &mut Builder, alias: Alias) {
        match self {
            Predicate::All(all) if all.is_empty() => builder.sql.push_str("true"),
            Predicate::All(all) => write_joined(builder, alias, all, " AND "),
            Predicate::Any(any) if any.is_empty() => builder.sql.push_str("false"),
            Predicate::Any(any) => {
                builder.sql.push('(');
                write_joined(builder, alias, any, " OR ");
                builder.sql.push(')');
            }
            Predicate::Not(part) => {
                builder.sql.push_str("NOT (");
                part.write(builder, alias);
                builder.sql.push(')');
            }
            Predicate::Compare { field, operator: Operator::IsDistinct, value } => {
                // IS DISTINCT FROM looks for an operator named = along the search path. The value is never null.
                builder.sql.push('(');
                field.write(builder, alias);
                builder.sql.push(' ');
                Operator::Eq.write(&mut builder.sql, field.facts());
                builder.sql.push(' ');
                bind(builder, field, field.facts().comparison_oid(), value.clone());
                builder.sql.push_str(") IS NOT TRUE");
            }
            Predicate::Compare { field, operator, value } => {
                field.write(builder, alias);
                builder.sql.push(' ');
                operator.write(&mut builder.sql, field.facts());
                builder.sql.push(' ');
                bind(builder, field, field.facts().comparison_oid(), value.clone());
            }
            Predicate::Pattern { field, operator, pattern } => {
                write_text(builder, alias, field, *operator);
                bind(builder, field, oid::TEXT, pattern.clone());
            }
            Predicate::Quantified { values, quantifier, .. } if values.is_empty() => {
                builder.sql.push_str(if *quantifier == Quantifier::Any { "false" } else { "true" });
            }
            Predicate::Quantified { field, operator, quantifier, values } => {
                let (array, literal) = if operator.is_pattern() {
                    write_text(builder, alias, field, *operator);
                    (oid::TEXT_ARRAY, list_literal(&Column::of_text(""), values))
                } else {
                    field.write(builder, alias);
                    builder.sql.push(' ');
                    operator.write(&mut builder.sql, field.facts());
                    builder.sql.push(' ');
                    (field.facts().comparison_array_oid(), list_literal(field.facts(), values))
                };
                builder.sql.push_str(quantifier.sql());
                builder.sql.push_str(" (");
                bind(builder, field, array, literal);
                builder.sql.push(')');
            }
            Predicate::Among { operator, values, .. } if values.is_empty() => {
                builder.sql.push_str(if *operator == Operator::In { "false" } else { "true" });
            }
            Predicate::Among { field, operator, values } => {
                field.write(builder, alias);
                builder.sql.push(' ');
                operator.write(&mut builder.sql, field.facts());
                builder.sql.push_str(if *operator == Operator::In { " ANY (" } else { " ALL (" });
                bind(
                    builder,
                    field,
                    field.facts().comparison_array_oid(),
                    list_literal(field.facts(), values),
                );
                builder.sql.push(')');
            }
            Predicate::Is { field, negated, state: State::Null } if field.facts().is_composite => {
                // IS NULL asks whether every field is null, and IS NOT NULL whether none is.
                field.write(builder, alias);
                builder.sql.push_str(if *negated {
                    " IS DISTINCT FROM NULL"
                } else {
                    " IS NOT DISTINCT FROM NULL"
                });
            }
            Predicate::Is { field, negated, state } => {
                field.write(builder, alias);
                builder.sql.push_str(if *negated { " IS NOT " } else { " IS " });
                builder.sql.push_str(match state {
                    State::Null => "NULL",
                    State::True => "TRUE",
                    State::False => "FALSE",
                    State::Unknown => "UNKNOWN",
                });
            }
            Predicate::Search { field, operator, configuration, query } => {
                write_search(builder, alias, field, *operator, configuration.as_deref(), query);
            }
            Predicate::Related { name, way, inner } => {
                builder.sql.push_str("EXISTS (SELECT 1 FROM ");
                let far = way.write_from(builder, alias);
                if !inner.is_always(true) {
                    builder.sql.push_str(" AND ");
                    builder.within(place(&builder.at, name), |builder| inner.write(builder, far));
                }
                builder.sql.push(')');
            }
        }
    }
}

fn write_joined(builder: &mut Builder, alias: Alias, parts: &[Predicate<'_>], word: &str) {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            builder.sql.push_str(word);
        }
        // AND binds closer than OR.
        let several = word == " OR " && matches!(part, Predicate::All(all) if all.len() > 1);
        if several {
            builder.sql.push('(');
        }
        part.write(builder, alias);
        if several {
            builder.sql.push(')');
        }
    }
}

fn bind(builder: &mut Builder, field: &Field<'_>, type_oid: u32, value: String) {
    let at = place(&builder.at, &field.facts().name);
    builder.bind(type_oid, value, || at);
}

/// Appends the field as text and the operator.
fn write_text(builder: &mut Builder, alias: Alias, field: &Field<'_>, operator: Operator) {
    field.write(builder, alias);
    if field.facts().category == 'S' {
        builder.sql.push(' ');
        operator.write(&mut builder.sql, field.facts());
    } else {
        builder.sql.push_str("::pg_catalog.text ");
        operator.write(&mut builder.sql, &Column::default());
    }
    builder.sql.push(' ');
}

fn write_search(
    builder: &mut Builder,
    alias: Alias,
    field: &Field<'_>,
    operator: Operator,
    configuration: Option<&str>,
    query: &str,
) {
    let configured = |builder: &mut Builder| {
        if let Some(configuration) = configuration {
            bind(builder, field, oid::REGCONFIG, configuration.to_owned());
            builder.sql.push_str(", ");
        }
    };
    if field.facts().base_oid == oid::TSVECTOR {
        field.write(builder, alias);
    } else {
        builder.sql.push_str("pg_catalog.to_tsvector(");
        configured(builder);
        field.write(builder, alias);
        if field.facts().category == 'S' {
            builder.sql.push_str("::pg_catalog.text");
        }
        builder.sql.push(')');
    }
    builder.sql.push_str(" OPERATOR(pg_catalog.@@) pg_catalog.");
    builder.sql.push_str(operator.search_function().unwrap_or_default());
    builder.sql.push('(');
    configured(builder);
    bind(builder, field, oid::TEXT, query.to_owned());
    builder.sql.push(')');
}
