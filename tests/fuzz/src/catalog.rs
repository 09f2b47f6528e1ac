//! The catalog that plans are made with, read as the extension reads it: out of what `catalog/table.sql` and `catalog/relations.sql`
//! say. How foreign keys become relations is the extension's `catalog/relations.rs` once more, which needs pgrx and cannot be used here.

use std::collections::{BTreeMap, HashMap, HashSet};

use fluxbase_query::{
    Catalog, CatalogError, Column, Junction, Pair, Relation, Table, TableName, VectorKind, VectorType,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The extension's own query for one table: $1 schema, $2 name.
pub const TABLE_SQL: &str = include_str!("../../../fluxbase_mcp_ext/catalog/table.sql");
/// The extension's own query for the keys of the relations of one table: $1 oid.
pub const RELATIONS_SQL: &str = include_str!("../../../fluxbase_mcp_ext/catalog/relations.sql");
/// The extension's own query for row types: $1 their oids, as int8[].
pub const ROW_TYPES_SQL: &str = include_str!("../../../fluxbase_mcp_ext/catalog/row_types.sql");
/// The schema of the fixture.
pub const SCHEMA: &str = "fuzz";

/// Of this table the weak role of [`World::weakened`] reads nothing.
const UNREADABLE: &str = "heap";

/// What one role sees.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Its tables, by name.
    pub tables: Vec<Table>,
    relations: HashMap<u32, Vec<Relation>>,
}

/// The answers of the extension's queries.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answers {
    /// Of [`TABLE_SQL`], one for each table.
    pub tables: Vec<Value>,
    /// Of [`ROW_TYPES_SQL`] for the types that [`row_types`] says.
    pub types: Vec<Value>,
    /// Of [`RELATIONS_SQL`], by the table's oid.
    pub relations: BTreeMap<u32, Value>,
}

/// The row types that columns of these tables are made of.
pub fn row_types(tables: &[Value]) -> Vec<i64> {
    let columns = tables.iter().filter_map(|table| table["columns"].as_array()).flatten();
    columns.filter_map(|column| column["row"].as_i64()).collect()
}

impl World {
    /// Out of the answers of the extension's queries.
    ///
    /// # Errors
    /// They do not have the form that is known here.
    pub fn read(answers: &Answers) -> Result<World, serde_json::Error> {
        let types: Vec<RowType> = answers.types.iter().map(RowType::deserialize).collect::<Result<_, _>>()?;
        let tables: Vec<Table> = answers
            .tables
            .iter()
            .map(|value| TableRow::deserialize(value).map(|row| row.table(&types)))
            .collect::<Result<_, _>>()?;
        let relations = answers
            .relations
            .iter()
            .map(|(oid, value)| Ok((*oid, Found::deserialize(value)?.relations(*oid))))
            .collect::<Result<_, serde_json::Error>>()?;
        Ok(World { tables, relations })
    }

    /// The world of `catalog.json`.
    pub fn snapshot() -> World {
        let answers: Answers = serde_json::from_str(crate::CATALOG).expect("catalog.json is JSON");
        World::read(&answers).expect("catalog.json is what the queries give")
    }

    /// The same as a role sees it that lacks privileges here and there.
    pub fn weakened(&self) -> World {
        let mut weak = self.clone();
        let mut n = 0_usize;
        for table in &mut weak.tables {
            for column in &mut table.columns {
                n += 1;
                column.select = !n.is_multiple_of(3) && table.name != UNREADABLE;
                column.insert = !n.is_multiple_of(4);
                column.update = !n.is_multiple_of(5);
            }
            table.columns.retain(|column| column.select || column.insert || column.update);
            if table
                .key
                .iter()
                .any(|key| !table.columns.iter().any(|column| column.select && column.name == *key))
            {
                table.key.clear();
            }
            table.row_security = table.oid % 2 == 0;
        }
        let readable: HashSet<(String, String, String)> = weak
            .tables
            .iter()
            .flat_map(|table| {
                let names =
                    table.columns.iter().filter(|column| column.select).map(|column| column.name.clone());
                names.map(|name| (table.schema.clone(), table.name.clone(), name))
            })
            .collect();
        for (oid, relations) in &mut weak.relations {
            let Some(from) = self.tables.iter().find(|table| table.oid == *oid) else { continue };
            let may = |schema: &str, table: &str, column: &str| {
                readable.contains(&(schema.to_owned(), table.to_owned(), column.to_owned()))
            };
            relations.retain(|relation| {
                let far = |pair: &Pair| may(&relation.schema, &relation.name, &pair.far);
                let near = relation.pairs.iter().all(|pair| may(&from.schema, &from.name, &pair.near));
                near && match &relation.junction {
                    None => relation.pairs.iter().all(far),
                    Some(between) => {
                        relation.pairs.iter().all(|pair| may(&between.schema, &between.name, &pair.far))
                            && between
                                .pairs
                                .iter()
                                .all(|pair| may(&between.schema, &between.name, &pair.near))
                            && between.pairs.iter().all(far)
                    }
                }
            });
        }
        weak
    }

    /// The table that a caller names.
    pub fn find(&self, name: &TableName) -> Option<&Table> {
        let schema = name.schema.as_deref().unwrap_or(SCHEMA);
        self.tables.iter().find(|table| table.schema == schema && table.name == name.name)
    }

    /// The relations of a table.
    pub fn relations_of(&self, table: &Table) -> &[Relation] {
        self.relations.get(&table.oid).map_or(&[], Vec::as_slice)
    }
}

impl Catalog for World {
    fn relations(&self, table: &Table) -> Result<&[Relation], CatalogError> {
        Ok(self.relations_of(table))
    }

    fn table(&self, oid: u32) -> Result<Option<&Table>, CatalogError> {
        Ok(self.tables.iter().find(|table| table.oid == oid))
    }
}

#[derive(Deserialize)]
struct TableRow {
    oid: u32,
    schema: String,
    name: String,
    kind: char,
    #[serde(default)]
    filtered: bool,
    #[serde(default)]
    key: Vec<String>,
    columns: Vec<ColumnRow>,
}

/// A column, or a field of a row type. What the snapshot leaves out is false, empty or zero.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ColumnRow {
    name: String,
    type_oid: u32,
    type_sql: String,
    typmod: i32,
    base_oid: u32,
    base_sql: String,
    base_schema: String,
    delimiter: char,
    array_oid: u32,
    category: char,
    is_composite: bool,
    element_oid: u32,
    element_category: char,
    nested: bool,
    has_json_cast: bool,
    row: Option<u32>,
    not_null: bool,
    has_default: bool,
    generated: bool,
    enum_labels: Vec<String>,
    select: bool,
    insert: bool,
    update: bool,
}

#[derive(Deserialize)]
struct RowType {
    oid: u32,
    #[serde(default)]
    fields: Vec<ColumnRow>,
}

impl TableRow {
    fn table(self, types: &[RowType]) -> Table {
        Table {
            oid: self.oid,
            schema: self.schema,
            name: self.name,
            kind: self.kind,
            columns: self.columns.iter().map(|column| column.column(types)).collect(),
            key: self.key,
            row_security: self.filtered,
        }
    }
}

impl ColumnRow {
    fn column(&self, types: &[RowType]) -> Column {
        let row = self.row.and_then(|oid| types.iter().find(|row| row.oid == oid));
        Column {
            name: self.name.clone(),
            type_oid: self.type_oid,
            type_sql: self.type_sql.clone(),
            typmod: self.typmod,
            base_oid: self.base_oid,
            base_sql: self.base_sql.clone(),
            base_schema: self.base_schema.clone(),
            delimiter: self.delimiter,
            array_oid: self.array_oid,
            category: self.category,
            is_composite: self.is_composite,
            element_oid: self.element_oid,
            element_category: self.element_category,
            nested: self.nested,
            has_json_cast: self.has_json_cast,
            fields: row.map_or(&[][..], |row| &row.fields).iter().map(|field| field.column(types)).collect(),
            not_null: self.not_null,
            has_default: self.has_default,
            generated: self.generated,
            enum_labels: self.enum_labels.clone(),
            vector: self
                .base_sql
                .strip_prefix("ext.")
                .and_then(VectorKind::of)
                .map(|kind| VectorType { kind, schema: "ext".to_owned() }),
            select: self.select,
            insert: self.insert,
            update: self.update,
        }
    }
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    keys: Vec<Key>,
    #[serde(default)]
    unique: Vec<(u32, HashSet<String>)>,
}

#[derive(Deserialize)]
struct Key {
    name: String,
    own: End,
    other: End,
    columns: Vec<(String, String, String)>,
    #[serde(default)]
    is_unique: bool,
    #[serde(default)]
    filtered: bool,
}

#[derive(Deserialize)]
struct End {
    oid: u32,
    schema: String,
    name: String,
}

impl Key {
    fn pairs(&self, back: bool) -> Vec<Pair> {
        let pair = |(own, other, operator): &(String, String, String)| {
            let (near, far) = if back { (other, own) } else { (own, other) };
            Pair {
                near: near.clone(),
                far: far.clone(),
                operator: operator.clone(),
                near_is_referenced: back,
            }
        };
        self.columns.iter().map(pair).collect()
    }

    fn is_within(&self, columns: &HashSet<String>) -> bool {
        self.columns.iter().all(|(own, _, _)| columns.contains(own))
    }
}

impl Found {
    fn relations(&self, oid: u32) -> Vec<Relation> {
        let to = |end: &End, key: &Key, to_one: bool, back: bool, junction: Option<Junction>| Relation {
            oid: end.oid,
            schema: end.schema.clone(),
            name: end.name.clone(),
            to_one,
            constraint: key.name.clone(),
            pairs: key.pairs(back),
            junction,
        };
        let mut all = Vec::new();
        for key in &self.keys {
            if key.own.oid == oid {
                all.push(to(&key.other, key, true, false, None));
            }
            if key.other.oid == oid {
                all.push(to(&key.own, key, key.is_unique, true, None));
            }
        }
        for keys in self.keys.chunk_by(|one, next| one.own.oid == next.own.oid) {
            let between = keys[0].own.oid;
            for (near, far) in keys.iter().flat_map(|near| keys.iter().map(move |far| (near, far))) {
                let unique = || {
                    self.unique.iter().any(|(table, columns)| {
                        *table == between && near.is_within(columns) && far.is_within(columns)
                    })
                };
                if between != oid
                    && near.other.oid == oid
                    && far.name != near.name
                    && far.other.oid != between
                    && unique()
                {
                    let junction = Junction {
                        schema: far.own.schema.clone(),
                        name: far.own.name.clone(),
                        constraint: far.name.clone(),
                        pairs: far.pairs(false),
                        row_security: far.filtered,
                    };
                    all.push(to(&far.other, near, false, true, Some(junction)));
                }
            }
        }
        all
    }
}
