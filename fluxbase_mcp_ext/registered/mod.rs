//! What a DBA registered: tools, resources and prompts that are SQL functions.
//!
//! Invariants:
//! - The rows are read as `mcp_owner` by fixed statements, and remembered until Postgres says that a table of them, or any function,
//!   changed. What is compiled of a row lives as long as row and function stay the same.
//! - Who may execute the function may see the entry; that is asked of Postgres at each list and at each call, as the caller.
//! - A function that is gone, or has become one that cannot be called, is not listed; a call says so.
//!
//! Scopes, allow-lists and the guard are the same as for what is built in: see `dispatch`.

pub mod check;
mod context;
pub mod function;
mod invoke;
pub mod notify;
mod procedure;
mod prompt;
mod resource;
mod tool;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use fluxbase_credential::Scope;
use pgrx::Spi;
use serde::Deserialize;

use crate::catalog;
use crate::error::Error;
use crate::guard::{self, Access, Actor};
use crate::tasks::Support;

pub use function::{Function, argument};
pub use invoke::{Argument, Work};
pub use procedure::{Given as Params, OF_CALLER, Procedure, procedures};
pub use prompt::{Given, Prompt};
pub use resource::Resource;
pub use tool::Tool;

const ROWS: &str = include_str!("rows.sql");

/// One registration, as registered/rows.sql gives it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Row {
    kind: String,
    #[serde(default)]
    tables: Vec<u32>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    scopes: Vec<String>,
    input_schema: Option<String>,
    output_schema: Option<String>,
    annotations: Option<serde_json::Map<String, serde_json::Value>>,
    uri: Option<String>,
    mime_type: Option<String>,
    complete: Option<String>,
    arguments: Option<String>,
    #[serde(default)]
    temp_tables: bool,
    task: Option<Support>,
    #[serde(default)]
    relations: Vec<u32>,
    #[serde(default)]
    namespace: String,
    tool: Option<String>,
    #[serde(default)]
    seconds: u32,
    #[serde(default)]
    logged: bool,
    #[serde(default)]
    signature: String,
    function: Option<u32>,
}

impl Row {
    fn scopes(&self) -> Vec<Scope> {
        self.scopes.iter().filter_map(|scope| scope.parse().ok()).collect()
    }
}

/// A function that an entry names, or why it cannot be called.
#[derive(Debug)]
struct Target {
    signature: String,
    function: Result<Function, String>,
}

impl Target {
    fn new(row: &Row, functions: &HashMap<u32, Function>) -> Target {
        let function = match row.function.and_then(|oid| functions.get(&oid)) {
            Some(function) => function.check().map(|()| function.clone()),
            None => Err("it does not exist any more.".to_owned()),
        };
        Target { signature: row.signature.clone(), function }
    }

    fn of(row: &Row, procedure: &Procedure) -> Target {
        Target { signature: row.signature.clone(), function: Ok(procedure.function.clone()) }
    }

    fn oid(&self) -> Option<u32> {
        self.function.as_ref().ok().map(|function| function.oid)
    }

    fn volatile(&self) -> bool {
        self.function.as_ref().is_ok_and(|function| function.volatile)
    }

    /// The function, if the current role may execute it.
    fn usable(&self, what: &str) -> Result<&Function, Error> {
        let function = self.function.as_ref().map_err(|why| {
            Error::refused(
                "42883",
                format!("{what} cannot be used: its function {}: {why} Nothing was run.", self.signature),
                "An administrator registers it anew or unregisters it.".to_owned(),
            )
        })?;
        if function::executable(vec![function.oid]).is_empty() {
            return Err(Error::refused(
                "42501",
                format!(
                    "permission denied: this key's role may not execute the function of {what}. Nothing was run."
                ),
                "An administrator grants EXECUTE on the function, and USAGE on its schema, to the role."
                    .to_owned(),
            ));
        }
        Ok(function)
    }
}

/// Everything that is registered.
#[derive(Debug, Default)]
pub struct All {
    pub tools: Vec<Rc<Tool>>,
    pub resources: Vec<Rc<Resource>>,
    pub prompts: Vec<Rc<Prompt>>,
    /// What `invoke_rpc` calls, by namespace and name.
    pub procedures: Vec<Arc<Procedure>>,
    /// The tables whose triggers may make temporary tables.
    with_temporary: HashSet<u32>,
}

/// Entries by the text of their row and function.
#[derive(Default)]
struct Compiled {
    all: Rc<All>,
    tools: HashMap<String, Rc<Tool>>,
    resources: HashMap<String, Rc<Resource>>,
    prompts: HashMap<String, Rc<Prompt>>,
    procedures: HashMap<String, Arc<Procedure>>,
}

thread_local! {
    static COMPILED: RefCell<Compiled> = RefCell::default();
    static KNOWN: Cell<bool> = const { Cell::new(false) };
    static TABLES: Cell<[u32; 5]> = const { Cell::new([0; 5]) };
}

/// Forgets the rows when `relation` is one of the tables that they are read from.
pub fn forget_if_read_from(relation: u32) {
    if TABLES.get().contains(&relation) {
        forget();
    }
}

/// Forgets the rows. What was compiled of them is used again where they turn out to be the same.
pub fn forget() {
    KNOWN.set(false);
}

/// Everything that is registered at this moment.
pub fn all() -> Rc<All> {
    catalog::refresh();
    if KNOWN.get() {
        return COMPILED.with_borrow(|known| Rc::clone(&known.all));
    }
    let before = COMPILED.take();
    let compiled = read(&before);
    let all = Rc::clone(&compiled.all);
    COMPILED.set(compiled);
    KNOWN.set(true);
    all
}

fn read(before: &Compiled) -> Compiled {
    let (rows, functions) = guard::as_owner(|| {
        let rows: Vec<Row> = Spi::connect(|client| {
            let rows = client.select(ROWS, None, &[])?;
            rows.map(|row| row.get::<String>(1).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()
        })
        .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading registrations: {error}"))
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("registered/rows.sql: {error}")))
        .collect();
        let oids: Vec<u32> = rows.iter().filter_map(|row| row.function).collect();
        (rows, function::describe(&oids))
    });
    let mut now = Compiled::default();
    let mut all = All::default();
    for row in &rows {
        let function = row.function.and_then(|oid| functions.get(&oid));
        // Both are plain data, so their text tells whether anything changed.
        let version = format!("{row:?} {function:?}");
        match row.kind.as_str() {
            "tables" => TABLES.set(row.tables.as_slice().try_into().unwrap_or_default()),
            "temp_tables" => all.with_temporary.extend(&row.relations),
            "tool" => {
                let known = before.tools.get(&version).cloned();
                let tool = known.unwrap_or_else(|| Rc::new(Tool::new(row, Target::new(row, &functions))));
                all.tools.push(Rc::clone(&tool));
                now.tools.insert(version, tool);
            }
            "resource" => {
                let known = before.resources.get(&version).cloned();
                let Some(resource) =
                    known.or_else(|| Resource::new(row, Target::new(row, &functions)).map(Rc::new))
                else {
                    continue;
                };
                all.resources.push(Rc::clone(&resource));
                now.resources.insert(version, resource);
            }
            "procedure" => {
                let known = before.procedures.get(&version).cloned();
                let Some(procedure) = known
                    .or_else(|| function.and_then(|function| Procedure::new(row, function)).map(Arc::new))
                else {
                    continue;
                };
                if row.tool.is_some() {
                    let known = before.tools.get(&version).cloned();
                    let tool = known.unwrap_or_else(|| {
                        Rc::new(Tool::of_procedure(row, &procedure, Target::of(row, &procedure)))
                    });
                    all.tools.push(Rc::clone(&tool));
                    now.tools.insert(version.clone(), tool);
                }
                all.procedures.push(Arc::clone(&procedure));
                now.procedures.insert(version, procedure);
            }
            _ => {
                let known = before.prompts.get(&version).cloned();
                let prompt = known.unwrap_or_else(|| Rc::new(Prompt::new(row, Target::new(row, &functions))));
                all.prompts.push(Rc::clone(&prompt));
                now.prompts.insert(version, prompt);
            }
        }
    }
    now.all = Rc::new(all);
    now
}

/// Whether the triggers of a table may make temporary tables (`mcp.allow_temp_tables`).
pub fn triggers_may_make_temporary_tables(relation: u32) -> bool {
    all().with_temporary.contains(&relation)
}

/// The tool of that name.
pub fn tool(name: &str) -> Option<Rc<Tool>> {
    all().tools.iter().find(|tool| tool.name == name).cloned()
}

/// The variables of a URI: name and value.
pub type Variables = Vec<(String, String)>;

/// The resource that `uri` names, with the variables that make it.
pub fn resource(uri: &str) -> Option<(Rc<Resource>, Variables)> {
    let all = all();
    let matching = all.resources.iter().filter_map(|resource| Some((resource, resource.variables_of(uri)?)));
    // Of several templates the one that names most of the URI itself is meant.
    let (resource, variables) = matching.max_by_key(|(resource, _)| resource.fixed())?;
    Some((Rc::clone(resource), variables))
}

/// The prompt of that name.
pub fn prompt(name: &str) -> Option<Rc<Prompt>> {
    all().prompts.iter().find(|prompt| prompt.name == name).cloned()
}

/// What of all this a caller may see.
pub struct Visible {
    all: Rc<All>,
    functions: HashSet<u32>,
}

impl Visible {
    /// Asks Postgres, as the caller.
    pub fn to(actor: &Actor<'_>) -> Visible {
        let all = all();
        let targets = all.tools.iter().map(|tool| &tool.target);
        let targets = targets.chain(all.resources.iter().map(|resource| &resource.target));
        let targets = targets.chain(all.prompts.iter().map(|prompt| &prompt.target));
        let oids: Vec<u32> = targets.filter_map(Target::oid).collect();
        let functions = if oids.is_empty() {
            HashSet::new()
        } else {
            guard::run(actor, Access::Read, || Ok(function::executable(oids)), |_| false).unwrap_or_default()
        };
        Visible { all, functions }
    }

    fn has(&self, target: &Target) -> bool {
        target.oid().is_some_and(|oid| self.functions.contains(&oid))
    }

    /// Tools, by name.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        // One that was built in later than it was registered: what is built in comes first.
        let known = |tool: &&Tool| crate::tools::built_in(&tool.name).is_none();
        self.all
            .tools
            .iter()
            .map(|tool| &**tool)
            .filter(|tool| self.has(&tool.target) && tool.fault().is_none())
            .filter(known)
    }

    /// Resources and templates, by URI.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.all.resources.iter().map(|resource| &**resource).filter(|resource| self.has(&resource.target))
    }

    /// Prompts, by name.
    pub fn prompts(&self) -> impl Iterator<Item = &Prompt> {
        self.all.prompts.iter().map(|prompt| &**prompt).filter(|prompt| self.has(&prompt.target))
    }
}

/// The function answered what MCP does not know.
fn wrong_answer(what: &str, why: &str) -> Error {
    Error::refused(
        "22023",
        format!("the function of {what} gave an answer that cannot be passed on: {why} Nothing was changed."),
        "Whoever wrote the function mends it; docs/guide-extend.md has the forms.".to_owned(),
    )
}
