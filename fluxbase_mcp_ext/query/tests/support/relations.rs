//! A catalog with relations: people who write, edit, read and like books that stand on shelves.
//!
//! Two keys to one table (author, editor), two junctions between the same tables (loans, likes), a junction that needs no hint
//! (tags), a one-to-one key (details), keys of a table to itself (mentor to many, spouse to one, shelves by two columns), a
//! junction of a table with itself (follows), and a table whose name needs quotes. Relations are made of the keys in the
//! way and the order that the extension makes them.

use std::collections::HashMap;

use fluxbase_query::{
    Arguments, Bounds, Catalog, CatalogError, Column, Junction, Pair, QueryError, Relation, Select, Table,
    Write,
};

use super::{INT4, INT8, JSONB, NUMERIC, TEXT, array, column};

pub struct Library {
    tables: Vec<Table>,
    relations: HashMap<u32, Vec<Relation>>,
}

impl Catalog for Library {
    fn relations(&self, table: &Table) -> Result<&[Relation], CatalogError> {
        Ok(self.relations.get(&table.oid).map_or(&[], Vec::as_slice))
    }

    fn table(&self, oid: u32) -> Result<Option<&Table>, CatalogError> {
        Ok(self.tables.iter().find(|table| table.oid == oid))
    }
}

/// A foreign key: name, table, its columns, the other table, its columns, whether the columns are unique.
struct Key(&'static str, &'static str, &'static str, &'static str, &'static str, bool);

const KEYS: [Key; 17] = [
    Key("books_author_id_fkey", "books", "author_id", "people", "id", false),
    Key("books_editor_id_fkey", "books", "editor_id", "people", "id", false),
    Key("books_shelf_fkey", "books", "hall,shelf", "shelves", "hall,number", false),
    Key("details_book_id_fkey", "details", "book_id", "books", "id", true),
    Key("people_mentor_id_fkey", "people", "mentor_id", "people", "id", false),
    Key("people_spouse_id_fkey", "people", "spouse_id", "people", "id", true),
    Key("people_country_fkey", "people", "country", "countries", "code", false),
    Key("shelves_above_fkey", "shelves", "hall,above", "shelves", "hall,number", false),
    Key("books_tags_book_id_fkey", "books_tags", "book_id", "books", "id", false),
    Key("books_tags_tag_id_fkey", "books_tags", "tag_id", "tags", "id", false),
    Key("loans_book_id_fkey", "loans", "book_id", "books", "id", false),
    Key("loans_person_id_fkey", "loans", "person_id", "people", "id", false),
    Key("likes_book_id_fkey", "likes", "book_id", "books", "id", false),
    Key("likes_person_id_fkey", "likes", "person_id", "people", "id", false),
    Key("follows_follower_id_fkey", "follows", "follower_id", "people", "id", false),
    Key("follows_followed_id_fkey", "follows", "followed_id", "people", "id", false),
    Key("odd_book_fkey", "o\"dd.table", "book id", "books", "id", false),
];

/// Tables whose rows pair those of two others.
const JUNCTIONS: [&str; 4] = ["books_tags", "loans", "likes", "follows"];

impl Key {
    fn pairs(&self, back: bool) -> Vec<Pair> {
        self.2
            .split(',')
            .zip(self.4.split(','))
            .map(|(own, other)| {
                let (near, far) = if back { (other, own) } else { (own, other) };
                let operator = "OPERATOR(pg_catalog.=)".to_owned();
                Pair { near: near.to_owned(), far: far.to_owned(), operator, near_is_referenced: back }
            })
            .collect()
    }
}

fn int8(name: &str) -> Column {
    column(name, INT8, "bigint", 'N', 1016)
}

fn int4(name: &str) -> Column {
    column(name, INT4, "integer", 'N', 1007)
}

fn text(name: &str) -> Column {
    column(name, TEXT, "text", 'S', 1009)
}

fn key(column: Column) -> Column {
    Column { not_null: true, ..column }
}

fn tables() -> Vec<Table> {
    let table = |oid: u32, name: &str, key: &[&str], columns: Vec<Column>| Table {
        oid,
        schema: if name == "o\"dd.table" { "my.schema" } else { "public" }.to_owned(),
        name: name.to_owned(),
        kind: 'r',
        columns,
        key: key.iter().map(|&name| name.to_owned()).collect(),
        ..Table::default()
    };
    let pair = |oid: u32, name: &str, one: &str, two: &str| {
        table(oid, name, &[one, two], vec![key(int8(one)), key(int8(two))])
    };
    vec![
        table(
            17000,
            "books",
            &["id"],
            vec![
                key(int4("id")),
                key(text("title")),
                text("genre"),
                column("price", NUMERIC, "numeric", 'N', 1231),
                int4("pages"),
                column("info", JSONB, "jsonb", 'U', 3807),
                array("words", 1009, "text[]", TEXT, 'S'),
                int8("author_id"),
                int8("editor_id"),
                text("hall"),
                int4("shelf"),
                Column { select: false, ..text("secret") },
            ],
        ),
        table(
            17001,
            "people",
            &["id"],
            vec![
                key(int8("id")),
                key(text("name")),
                int4("born"),
                text("country"),
                int8("mentor_id"),
                int8("spouse_id"),
                column("info", JSONB, "jsonb", 'U', 3807),
                Column { select: false, ..text("password") },
            ],
        ),
        table(17002, "details", &["book_id"], vec![key(int4("book_id")), text("isbn"), text("blurb")]),
        table(
            17003,
            "shelves",
            &["hall", "number"],
            vec![key(text("hall")), key(int4("number")), int4("above")],
        ),
        table(17004, "countries", &["code"], vec![key(text("code")), text("name")]),
        table(17005, "tags", &["id"], vec![key(int8("id")), text("name")]),
        pair(17006, "books_tags", "book_id", "tag_id"),
        pair(17007, "loans", "book_id", "person_id"),
        pair(17008, "likes", "book_id", "person_id"),
        pair(17009, "follows", "follower_id", "followed_id"),
        table(17010, "o\"dd.table", &[], vec![int4("book id"), text("a.b"), text("_r")]),
    ]
}

pub fn library() -> Library {
    let tables = tables();
    let find = |name: &str| tables.iter().find(|table| table.name == name).unwrap();
    let to = |name: &str, key: &Key, to_one: bool, pairs: Vec<Pair>, junction: Option<Junction>| {
        let table = find(name);
        Relation {
            oid: table.oid,
            schema: table.schema.clone(),
            name: table.name.clone(),
            to_one,
            constraint: key.0.to_owned(),
            pairs,
            junction,
        }
    };
    let mut relations = HashMap::new();
    for table in &tables {
        let mut all = Vec::new();
        for key in &KEYS {
            if key.1 == table.name {
                all.push(to(key.3, key, true, key.pairs(false), None));
            }
            if key.3 == table.name {
                all.push(to(key.1, key, key.5, key.pairs(true), None));
            }
        }
        for (near, far) in KEYS.iter().flat_map(|near| KEYS.iter().map(move |far| (near, far))) {
            if near.1 == far.1 && near.0 != far.0 && near.3 == table.name && JUNCTIONS.contains(&near.1) {
                let between = find(near.1);
                let junction = Junction {
                    schema: between.schema.clone(),
                    name: between.name.clone(),
                    constraint: far.0.to_owned(),
                    pairs: far.pairs(false),
                    row_security: between.row_security,
                };
                all.push(to(far.3, near, false, near.pairs(true), Some(junction)));
            }
        }
        all.sort_by_key(|relation| {
            let second = relation.junction.as_ref().map(|junction| junction.constraint.clone());
            let near_is_referenced = relation.pairs[0].near_is_referenced;
            let names = (relation.schema.clone(), relation.name.clone(), relation.constraint.clone());
            (relation.junction.is_some(), !relation.to_one, near_is_referenced, names, second)
        });
        relations.insert(table.oid, all);
    }
    Library { tables, relations }
}

impl Library {
    pub fn named(&self, name: &str) -> &Table {
        self.tables.iter().find(|table| table.name == name).unwrap()
    }

    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Turns on row security for a table.
    pub fn secure(&mut self, name: &str) {
        for table in self.tables.iter_mut().filter(|table| table.name == name) {
            table.row_security = true;
        }
        let junctions =
            self.relations.values_mut().flatten().filter_map(|relation| relation.junction.as_mut());
        for junction in junctions.filter(|junction| junction.name == name) {
            junction.row_security = true;
        }
    }

    pub fn of(&self, table: &str) -> &[Relation] {
        &self.relations[&self.named(table).oid]
    }

    /// A read of one of the tables.
    pub fn select(&self, table: &str, json: &str) -> Result<Select, QueryError> {
        fluxbase_query::select(&Arguments::parse(Some(json))?, self.named(table), self, &Bounds::default())
    }

    /// A write to one of the tables.
    pub fn write(&self, verb: &str, table: &str, json: &str) -> Result<Write, QueryError> {
        fluxbase_query::Verb::parse(verb)?.plan(&Arguments::parse(Some(json))?, self.named(table), self)
    }

    /// What stands between WHERE and LIMIT when `table` is read with this filter.
    pub fn condition(&self, table: &str, filter: &str) -> Result<String, QueryError> {
        let column = &self.named(table).columns[0].name;
        let json = format!("{{\"select\":[{column:?}],\"filter\":{filter}}}");
        Ok(super::condition(&self.select(table, &json)?.statement.sql).to_owned())
    }
}
