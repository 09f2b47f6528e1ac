//! The registry of resources.
//!
//! A resource is one entry here and a function in one of the family files. Invariants: a resource shows only what a tool would
//! show the same caller; a template matches whole path segments, percent-decoded, never more than it names.

mod schema;

use fluxbase_credential::Scope;
use fluxbase_protocol::ResourceEntry;

use crate::dispatch::Request;
use crate::error::Error;

/// One resource, or a template of resources.
pub struct Resource {
    /// Its URI; `{name}` stands for one path segment.
    pub uri: &'static str,
    /// Its name on the wire.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What a model or a person reads before choosing it.
    pub description: &'static str,
    /// Media type of the text.
    pub mime_type: &'static str,
    /// A key needs one of these.
    pub scopes: &'static [Scope],
    /// Its content, made inside the guard; the strings are the template's segments in their order.
    pub read: fn(&Request<'_>, &[String]) -> Result<String, Error>,
}

impl Resource {
    /// How the lists show it.
    pub fn entry(&'static self) -> ResourceEntry<'static> {
        ResourceEntry {
            uri: self.uri,
            name: self.name,
            title: self.title,
            description: self.description,
            mime_type: self.mime_type,
        }
    }

    fn is_template(&self) -> bool {
        self.uri.contains('{')
    }
}

static RESOURCES: &[Resource] = &[
    Resource {
        uri: "fluxbase://schema/tables",
        name: "schema_tables",
        title: "Database Schema",
        description: "The tables and views that you may use.",
        mime_type: "application/json",
        scopes: &[Scope::ReadSchema, Scope::ReadTables],
        read: schema::tables,
    },
    Resource {
        uri: "fluxbase://schema/tables/{schema}/{table}",
        name: "schema_table",
        title: "Table Details",
        description: "Columns, keys and relations of one table.",
        mime_type: "application/json",
        scopes: &[Scope::ReadSchema, Scope::ReadTables],
        read: schema::table,
    },
];

/// Resources with one URI each.
pub fn fixed() -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().filter(|resource| !resource.is_template())
}

/// Templates.
pub fn templates() -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().filter(|resource| resource.is_template())
}

/// The resource that `uri` names, with the segments that stand for the template's names.
pub fn find(uri: &str) -> Option<(&'static Resource, Vec<String>)> {
    RESOURCES.iter().find_map(|resource| Some((resource, captures(resource.uri, uri)?)))
}

fn captures(template: &str, uri: &str) -> Option<Vec<String>> {
    let (mut asked, mut found) = (uri.split('/'), Vec::new());
    for part in template.split('/') {
        let segment = asked.next()?;
        if part.starts_with('{') {
            found.push(percent_decode(segment).filter(|text| !text.is_empty() && !text.contains('\0'))?);
        } else if part != segment {
            return None;
        }
    }
    asked.next().is_none().then_some(found)
}

fn percent_decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}
