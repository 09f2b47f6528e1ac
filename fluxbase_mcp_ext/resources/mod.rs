//! The registry of resources.
//!
//! A built-in resource is one entry here and a function in one of the family files; registered ones come from `registered`.
//! Invariants: a resource shows only what a tool would show the same caller; a template matches whole path segments,
//! percent-decoded, never more than it names; the key of a stored object is the rest of its URI.

mod functions;
pub mod jobs;
pub mod rpc;
mod schema;
mod storage;

use fluxbase_credential::Scope;
use fluxbase_delegate::Id;
use fluxbase_protocol::ResourceEntry;

use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;
use crate::registered;

/// One resource, or a template of resources, built in or registered.
#[derive(Clone, Copy)]
pub struct Resource<'a> {
    /// Its URI; `{name}` stands for one path segment.
    pub uri: &'a str,
    /// Its name on the wire.
    pub name: &'a str,
    /// Its name for people.
    pub title: &'a str,
    /// What a model or a person reads before choosing it.
    pub description: &'a str,
    /// Media type of the text.
    pub mime_type: &'a str,
    /// A key needs one of these; none: every key may read it.
    pub scopes: &'a [Scope],
    /// Its content, made inside the guard.
    pub read: Read<'a>,
}

/// How a resource is read.
#[derive(Clone, Copy)]
pub enum Read<'a> {
    /// A function of ours; the strings are the template's segments in their order.
    BuiltIn(fn(&Request<'_>, &[String]) -> Result<String, Error>),
    /// One that says of itself what it is, or that there is none.
    Object(fn(&Request<'_>, &[String]) -> Result<Option<Contents>, Error>),
    /// A function of a DBA's.
    Registered(&'a registered::Resource),
}

/// What a resource holds.
pub enum Contents {
    /// One text, of the resource's own URI and media type.
    Text(String),
    /// JSON text of a list of contents.
    Raw(String),
    /// The delegate worker has it; the listener asks again.
    Pending(Id),
}

impl<'a> Resource<'a> {
    /// How the lists show it.
    pub fn entry(&self) -> ResourceEntry<'a> {
        ResourceEntry {
            uri: self.uri,
            name: self.name,
            title: self.title,
            description: self.description,
            mime_type: self.mime_type,
        }
    }

    /// Whether its URI has variables.
    pub fn is_template(&self) -> bool {
        self.uri.contains('{')
    }
}

/// Whether registered resources must not have this URI.
pub fn is_reserved(uri: &str) -> bool {
    uri.get(.."fluxbase:".len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case("fluxbase:"))
}

/// Every built-in resource, in the order of the lists.
pub static RESOURCES: &[Resource<'static>] = &[
    Resource {
        uri: "fluxbase://schema/tables",
        name: "schema_tables",
        title: "Database Schema",
        description: "The tables and views that you may use.",
        mime_type: "application/json",
        scopes: &[Scope::ReadSchema, Scope::ReadTables],
        read: Read::BuiltIn(schema::tables),
    },
    Resource {
        uri: "fluxbase://schema/tables/{schema}/{table}",
        name: "schema_table",
        title: "Table Details",
        description: "Columns, keys and relations of one table.",
        mime_type: "application/json",
        scopes: &[Scope::ReadSchema, Scope::ReadTables],
        read: Read::BuiltIn(schema::table),
    },
    Resource {
        uri: "fluxbase://functions",
        name: "functions",
        title: "Edge Functions",
        description: "The edge functions that you may invoke.",
        mime_type: "application/json",
        scopes: &[Scope::ExecuteFunctions],
        read: Read::BuiltIn(functions::all),
    },
    Resource {
        uri: "fluxbase://rpc",
        name: "rpc",
        title: "RPC Procedures",
        description: "The procedures that you may run, with their schemas.",
        mime_type: "application/json",
        scopes: &[Scope::ExecuteRpc],
        read: Read::BuiltIn(rpc::all),
    },
    Resource {
        uri: "fluxbase://rpc/{namespace}/{name}",
        name: "rpc_procedure",
        title: "RPC Procedure",
        description: "What one procedure takes and gives.",
        mime_type: "application/json",
        scopes: &[Scope::ExecuteRpc],
        read: Read::BuiltIn(rpc::one),
    },
    Resource {
        uri: "fluxbase://storage/buckets",
        name: "storage_buckets",
        title: "Storage Buckets",
        description: "The buckets of stored files that you may see.",
        mime_type: "application/json",
        scopes: &[Scope::ReadStorage],
        read: Read::BuiltIn(storage::buckets),
    },
    Resource {
        uri: "fluxbase://storage/{bucket}/{path}",
        name: "storage_object",
        title: "Stored Object",
        description: "One stored file, as text or blob.",
        mime_type: "",
        scopes: &[Scope::ReadStorage],
        read: Read::Object(storage::object),
    },
    Resource {
        uri: "fluxbase://jobs",
        name: "jobs",
        title: "Jobs",
        description: "The jobs that you may submit.",
        mime_type: "application/json",
        scopes: &[Scope::ExecuteJobs],
        read: Read::BuiltIn(jobs::all),
    },
    Resource {
        uri: "fluxbase://jobs/{namespace}/{name}",
        name: "job",
        title: "Job",
        description: "One job that you may submit, with the schema of its payload.",
        mime_type: "application/json",
        scopes: &[Scope::ExecuteJobs],
        read: Read::BuiltIn(jobs::one),
    },
];

/// The template of stored objects. Of this one alone the last name takes the rest of a URI: people write keys with their slashes.
pub const OBJECT: &str = "fluxbase://storage/{bucket}/{path}";

/// The built-in resource that `uri` names, with the segments that stand for the template's names.
pub fn built_in(uri: &str) -> Option<(&'static Resource<'static>, Vec<String>)> {
    RESOURCES.iter().find_map(|resource| Some((resource, captures(resource.uri, uri)?)))
}

fn captures(template: &str, uri: &str) -> Option<Vec<String>> {
    if template == OBJECT {
        let (bucket, key) = uri.strip_prefix("fluxbase://storage/")?.split_once('/')?;
        return [bucket, key].map(decoded).into_iter().collect();
    }
    let (mut asked, mut found) = (uri.split('/'), Vec::new());
    for part in template.split('/') {
        let segment = asked.next()?;
        if part.starts_with('{') {
            found.push(decoded(segment)?);
        } else if part != segment {
            return None;
        }
    }
    asked.next().is_none().then_some(found)
}

fn decoded(segment: &str) -> Option<String> {
    percent_decode(segment).filter(|text| !text.is_empty() && !text.contains('\0'))
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

/// `{"NAME": […], "count": n}` of JSON lines, at most `most` of them and as many as the bound of answers lets in; `note` says so when there are more.
pub(crate) fn listing(name: &str, lines: &[impl AsRef<str>], most: usize, note: &str) -> String {
    let (mut text, mut shown) = (format!(r#"{{"{name}":["#), 0);
    for line in lines.iter().take(most).map(AsRef::as_ref) {
        if shown > 0 {
            if text.len() + line.len() > gucs::max_result_chars() {
                break;
            }
            text.push(',');
        }
        text.push_str(line);
        shown += 1;
    }
    text.push_str(&format!(r#"],"count":{shown}"#));
    if shown < lines.len() {
        text.push_str(&format!(r#","note":"{note}""#));
    }
    text.push('}');
    text
}
