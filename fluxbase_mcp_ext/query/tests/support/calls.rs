//! Calls of every kind, each checked: an understood one by its SQL, a refused one by its message.

use fluxbase_query::{
    Arguments, Bounds, Catalog, Count, NoRelations, QueryError, Statement, Table, delete, insert, select,
    select_columns, update,
};

use super::tokens::check_text;
use super::users;

pub fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Every statement that a call leads to, those of the count with false.
pub type Verb = fn(&Arguments, &Table, &dyn Catalog) -> Result<Vec<(Statement, bool)>, QueryError>;

pub fn read(
    args: &Arguments,
    table: &Table,
    catalog: &dyn Catalog,
) -> Result<Vec<(Statement, bool)>, QueryError> {
    let read = select(args, table, catalog, &Bounds::default())?;
    let counted = match read.count {
        None => vec![],
        Some(Count::Exact(one) | Count::Planned(one)) => vec![one],
        Some(Count::Estimated { bounded, planned, .. }) => vec![bounded, planned],
    };
    let counted = counted.into_iter().map(|statement| (statement, false));
    // The same with the members as columns.
    let columns = select_columns(args, table, catalog, &Bounds::default(), None)?.statement;
    Ok([(read.statement, true), (columns, true)].into_iter().chain(counted).collect())
}

pub fn insert_(
    args: &Arguments,
    table: &Table,
    catalog: &dyn Catalog,
) -> Result<Vec<(Statement, bool)>, QueryError> {
    insert(args, table, catalog).map(|write| vec![(write.statement, true)])
}

pub fn update_(
    args: &Arguments,
    table: &Table,
    catalog: &dyn Catalog,
) -> Result<Vec<(Statement, bool)>, QueryError> {
    update(args, table, catalog).map(|write| vec![(write.statement, true)])
}

pub fn delete_(
    args: &Arguments,
    table: &Table,
    catalog: &dyn Catalog,
) -> Result<Vec<(Statement, bool)>, QueryError> {
    delete(args, table, catalog).map(|write| vec![(write.statement, true)])
}

pub fn run(json: &str, verb: Verb, outcome: &str) {
    run_on(json, verb, outcome, &[users()], "users", &NoRelations);
}

/// Says whether the call was understood.
pub fn run_on(
    json: &str,
    verb: Verb,
    outcome: &str,
    tables: &[Table],
    name: &str,
    catalog: &dyn Catalog,
) -> bool {
    let table = tables.iter().find(|table| table.name == name).unwrap();
    let Ok(args) = Arguments::parse(Some(json)) else { return false };
    match verb(&args, table, catalog) {
        Ok(statements) => {
            for (statement, all_used) in &statements {
                check_text(statement, tables, *all_used);
            }
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.ends_with(outcome), "{text}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.len() < 4000, "{text}");
            assert_eq!(text, format!("{} {}", error.message(), error.hint().unwrap()));
            assert_eq!(error.code().len(), 5);
            assert_ne!(error.code(), "XX000", "{text}");
            false
        }
    }
}
