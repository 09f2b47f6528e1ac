//! Rows that were made before, in the JSON forms of the contract.

use std::fmt::Write;

use crate::names::push_ident;
use crate::render;
use crate::statement::Builder;
use crate::table::Column;

/// The statement that turns each row of `source` into one JSON object, a member for each column under its name, which should be unique.
/// `source` is put into the text as it stands.
pub fn objects(source: &str, columns: &[Column]) -> String {
    if columns.is_empty() {
        return format!("SELECT '{{}}'::pg_catalog.json FROM {source} AS _s");
    }
    let mut builder = Builder::new(0);
    builder.sql.push_str("SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT ");
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            builder.sql.push_str(", ");
        }
        render::write(&mut builder, column, &format!("_s.c{index}"));
        builder.sql.push_str(" AS ");
        push_ident(&mut builder.sql, &column.name);
    }
    push_source(&mut builder.sql, source, columns.len());
    builder.sql.push_str(") AS _r");
    builder.sql
}

/// The statement that turns the one column of `source` into one JSON value for each row.
pub fn values(source: &str, column: &Column) -> String {
    let mut builder = Builder::new(0);
    builder.sql.push_str("SELECT coalesce(pg_catalog.to_json(");
    render::write(&mut builder, column, "_s.c0");
    builder.sql.push_str("), 'null'::pg_catalog.json)");
    push_source(&mut builder.sql, source, 1);
    builder.sql
}

fn push_source(sql: &mut String, source: &str, columns: usize) {
    let _ = write!(sql, " FROM {source} AS _s(");
    for index in 0..columns {
        let comma = if index > 0 { ", " } else { "" };
        let _ = write!(sql, "{comma}c{index}");
    }
    sql.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let column =
            Column { name: "a\" FROM x --".to_owned(), type_oid: 23, base_oid: 23, ..Column::default() };
        let sql = objects("_rows", std::slice::from_ref(&column));
        assert!(sql.contains("_s.c0 AS \"a\"\" FROM x --\" FROM _rows AS _s(c0)) AS _r"), "{sql}");
        assert!(values("_rows", &column).contains("to_json(_s.c0)"));
        assert_eq!(objects("_rows", &[]), "SELECT '{}'::pg_catalog.json FROM _rows AS _s");
    }

    #[test]
    fn large_numbers_are_strings() {
        let column = Column { name: "n".to_owned(), type_oid: 20, base_oid: 20, ..Column::default() };
        assert!(objects("_rows", &[column]).contains("9007199254740991"));
    }
}
