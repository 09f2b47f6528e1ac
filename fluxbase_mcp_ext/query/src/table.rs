//! What the caller of this crate knows about a table: the catalog, seen with the privileges of one role.
//!
//! This module does NOT read the catalog. It trusts what it is given: `type_sql` is put into SQL text as it stands.

use std::sync::Arc;

use crate::error::{QueryError, place, show};
use crate::names::nearest;

/// A table, view, materialized view or foreign table with the columns on which the caller's role has a privilege.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Schema, unquoted.
    pub schema: String,
    /// Name, unquoted.
    pub name: String,
    /// `pg_class.relkind`: r, p, v, m, f.
    pub kind: char,
    /// In the order of the table, only those on which the caller has SELECT, INSERT or UPDATE.
    pub columns: Vec<Column>,
    /// The columns of the primary key, else of the first unique key whose columns are all NOT NULL; empty when there is none or
    /// the caller may not read all of it.
    pub key: Vec<String>,
    /// Row security filters this table for this role (`row_security_active`): planned numbers would tell of hidden rows.
    pub row_security: bool,
}

/// One column. `Default` gives an empty column without any privilege, so that tests name only what they need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Name, unquoted.
    pub name: String,
    /// `pg_attribute.atttypid`.
    pub type_oid: u32,
    /// `format_type(atttypid, NULL)`, schema-qualified and quoted by Postgres. Goes into SQL text as it stands.
    pub type_sql: String,
    /// `pg_attribute.atttypmod`, -1 for none.
    pub typmod: i32,
    /// The type below all domains; `type_oid` when it is no domain.
    pub base_oid: u32,
    /// `format_type` of the base type.
    pub base_sql: String,
    /// Schema of the base type, unquoted. The operators of a user-defined type (citext, vector) are taken from it. Empty:
    /// they are found by the search path.
    pub base_schema: String,
    /// `pg_type.typcategory` of the base type.
    pub category: char,
    /// The base type is a row type.
    pub is_composite: bool,
    /// The element's type below all domains, 0 unless the base type is a true array.
    pub element_oid: u32,
    /// `pg_type.typcategory` of the element, `'\0'` unless the base type is an array.
    pub element_category: char,
    /// The element is itself an array (through a domain), int2vector or oidvector: a list would not say where the one ends and
    /// the other begins.
    pub nested: bool,
    /// The base type, or the element, is made by a user or an extension and has a cast to json, which to_json would use.
    pub has_json_cast: bool,
    /// The fields of the base type if it is a row type, or of the element if that is one. Each is described as a column;
    /// privileges mean nothing there.
    pub fields: Arc<[Column]>,
    /// The array type over the base type (`pg_type.typarray`), 0 if there is none. `in` and `nin` need it.
    pub array_oid: u32,
    /// `pg_type.typdelim` of the element for an array, else of the base type: what parts elements in array text. `'\0'`
    /// means a comma.
    pub delimiter: char,
    /// NOT NULL.
    pub not_null: bool,
    /// Has a default or is an identity.
    pub has_default: bool,
    /// GENERATED ALWAYS AS (…) or AS IDENTITY: Postgres computes it, nobody writes it.
    pub generated: bool,
    /// Labels of an enum in their order, else empty.
    pub enum_labels: Vec<String>,
    /// What pgvector can compare it by; `None` for every other type.
    pub vector: Option<VectorType>,
    /// The caller may read it.
    pub select: bool,
    /// The caller may give it in an insert.
    pub insert: bool,
    /// The caller may change it.
    pub update: bool,
}

/// A type that pgvector has distances for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorType {
    /// Which.
    pub kind: VectorKind,
    /// The schema that pgvector, and so its operators, are in, unquoted.
    pub schema: String,
}

/// The types that pgvector has distances for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorKind {
    /// `vector`, four bytes a number.
    Vector,
    /// `halfvec`, two bytes a number.
    Halfvec,
    /// `sparsevec`, only what is not zero.
    Sparsevec,
    /// Postgres's own `bit`.
    Bit,
}

impl VectorKind {
    /// `pg_type.typname`.
    pub fn name(self) -> &'static str {
        match self {
            VectorKind::Vector => "vector",
            VectorKind::Halfvec => "halfvec",
            VectorKind::Sparsevec => "sparsevec",
            VectorKind::Bit => "bit",
        }
    }

    /// The kind of that `pg_type.typname`.
    pub fn of(name: &str) -> Option<VectorKind> {
        use VectorKind::*;
        [Vector, Halfvec, Sparsevec, Bit].into_iter().find(|kind| kind.name() == name)
    }
}

/// OIDs of built-in types; they never change between Postgres versions.
pub(crate) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT2VECTOR: u32 = 22;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const OIDVECTOR: u32 = 30;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const XML: u32 = 142;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const MONEY: u32 = 790;
    pub(crate) const TEXT_ARRAY: u32 = 1009;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const INTERVAL: u32 = 1186;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const UUID: u32 = 2950;
    pub(crate) const TSVECTOR: u32 = 3614;
    pub(crate) const TSQUERY: u32 = 3615;
    pub(crate) const REGCONFIG: u32 = 3734;
    pub(crate) const JSONB: u32 = 3802;
    pub(crate) const JSONB_ARRAY: u32 = 3807;
    /// From here on types are made by users and extensions (FirstNormalObjectId).
    pub(crate) const FIRST_USER: u32 = 16384;
}

impl Column {
    /// The facts of an expression of type text that is shown as `name`.
    pub(crate) fn of_text(name: &str) -> Column {
        Column { array_oid: oid::TEXT_ARRAY, ..Column::of(name, oid::TEXT, "text", 'S') }
    }

    /// The facts of an expression of type jsonb.
    pub(crate) fn of_jsonb(name: &str) -> Column {
        Column { array_oid: oid::JSONB_ARRAY, ..Column::of(name, oid::JSONB, "jsonb", 'U') }
    }

    /// The facts of an expression of a built-in type that is no array.
    pub(crate) fn of(name: &str, type_oid: u32, type_sql: &str, category: char) -> Column {
        Column {
            name: name.to_owned(),
            type_oid,
            type_sql: type_sql.to_owned(),
            typmod: -1,
            base_oid: type_oid,
            base_sql: type_sql.to_owned(),
            base_schema: "pg_catalog".to_owned(),
            category,
            delimiter: ',',
            select: true,
            ..Column::default()
        }
    }
    pub(crate) fn is_array(&self) -> bool {
        self.element_oid != 0
    }

    /// An array of a row type.
    pub(crate) fn holds_rows(&self) -> bool {
        self.is_array() && self.element_category == 'C'
    }

    /// The facts of an element of an array of a row type.
    pub(crate) fn row(&self) -> Column {
        Column {
            base_oid: self.element_oid,
            category: 'C',
            is_composite: true,
            fields: Arc::clone(&self.fields),
            ..Column::default()
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        matches!(self.base_oid, oid::JSON | oid::JSONB)
    }

    /// Made by a user or an extension, and not of a kind (enum, range, array, row) whose operators are Postgres's own.
    pub(crate) fn has_own_operators(&self) -> bool {
        self.base_oid >= oid::FIRST_USER
            && !self.is_array()
            && !self.is_composite
            && !matches!(self.category, 'E' | 'R')
    }

    /// The type of a parameter that is compared with this column. varchar has no operators of its own, and `name` would cut
    /// a longer value silently; both compare with text.
    pub(crate) fn comparison_oid(&self) -> u32 {
        match self.base_oid {
            oid::VARCHAR | oid::NAME => oid::TEXT,
            base => base,
        }
    }

    /// The array type of [`Column::comparison_oid`], 0 if there is none.
    pub(crate) fn comparison_array_oid(&self) -> u32 {
        match self.base_oid {
            oid::VARCHAR | oid::NAME => oid::TEXT_ARRAY,
            _ => self.array_oid,
        }
    }

    /// The type's name for messages.
    pub(crate) fn type_name(&self) -> &str {
        if self.type_sql.is_empty() { "its type" } else { &self.type_sql }
    }
}

/// How many columns a hint lists at most.
const LISTED: usize = 12;

impl Table {
    /// `public.users`, for messages.
    pub(crate) fn shown(&self) -> String {
        format!("{}.{}", place("", &self.schema), place("", &self.name))
    }

    /// The column that the caller may read under this exact name.
    pub(crate) fn readable(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.select && column.name == name)
    }

    /// The error for a name that is none of `candidates`: the nearest name and a list of what there is.
    pub(crate) fn unknown_column<'a>(
        &self,
        place: &str,
        name: &str,
        candidates: impl Iterator<Item = &'a Column> + Clone,
    ) -> QueryError {
        let mut hint = String::new();
        if let Some(near) = nearest(name, candidates.clone().map(|column| column.name.as_str())) {
            hint.push_str(&format!("Did you mean {}? ", show(near)));
        }
        let total = candidates.clone().count();
        if total == 0 {
            hint.push_str("There is no column that you may use here.");
        } else {
            hint.push_str("Columns: ");
            for (index, column) in candidates.take(LISTED).enumerate() {
                if index > 0 {
                    hint.push_str(", ");
                }
                hint.push_str(&crate::error::place("", &column.name));
            }
            if total > LISTED {
                hint.push_str(&format!(", … and {} more", total - LISTED));
            }
            hint.push('.');
        }
        QueryError::UnknownColumn(crate::Fault::new(format!(
            "{place}: {} has no column {}.",
            self.shown(),
            show(name)
        )))
        .with_hint(hint)
    }

    /// [`Table::unknown_column`] among the columns that the caller may read.
    pub(crate) fn unknown_readable(&self, place: &str, name: &str) -> QueryError {
        self.unknown_column(place, name, self.columns.iter().filter(|column| column.select))
    }
}
