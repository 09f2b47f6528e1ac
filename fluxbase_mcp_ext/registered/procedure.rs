//! A function that `mcp.expose_rpc` exposed to `invoke_rpc`.
//!
//! Invariants: as for registered functions (`invoke`): just that function is called, by its oid, if the current role may execute it. One
//! that it may not execute is as unknown as one that does not exist.

use std::collections::HashMap;
use std::sync::Arc;

use fluxbase_register::schema_of_arguments;
use serde_json::value::RawValue;

use super::function::{self, Function};
use super::invoke::{Given as Value, Work};
use super::{Row, all};
use crate::error::Error;

/// One function under one name.
#[derive(Debug)]
pub struct Procedure {
    pub namespace: String,
    pub name: String,
    pub description: String,
    /// How long a call may take.
    pub seconds: u32,
    /// Whether calls are recorded.
    pub logged: bool,
    /// Whether it may make temporary tables.
    pub temp_tables: bool,
    /// JSON Schema of what a caller gives.
    pub input_schema: String,
    pub(super) function: Function,
}

/// What a caller gives, and what is known of the caller: names of arguments that take it, with texts of their types.
pub struct Given<'a> {
    pub members: &'a HashMap<String, &'a RawValue>,
    pub caller: &'a [(&'static str, Option<String>)],
}

impl Procedure {
    /// `None` when the function cannot be called.
    pub(super) fn new(row: &Row, function: &Function) -> Option<Procedure> {
        function.check_procedure().ok()?;
        let mut arguments = function.named();
        arguments.retain(|argument| !is_of_caller(&argument.name));
        Some(Procedure {
            namespace: row.namespace.clone(),
            name: row.name.clone(),
            description: row.description.clone(),
            seconds: row.seconds,
            logged: row.logged,
            temp_tables: row.temp_tables,
            input_schema: schema_of_arguments(&arguments),
            function: function.clone(),
        })
    }

    /// `name`, or `namespace/name`.
    pub fn title(&self) -> String {
        match self.namespace.as_str() {
            "default" => self.name.clone(),
            namespace => format!("{namespace}/{}", self.name),
        }
    }

    /// Whether it cannot write.
    pub fn reads(&self) -> bool {
        !self.function.volatile && self.function.kind == 'f'
    }

    /// Whether it answers with a list.
    pub fn is_set(&self) -> bool {
        self.function.set
    }

    /// Whether its answer is one value, without a name.
    pub fn is_plain(&self) -> bool {
        self.function.results.is_empty()
    }

    /// Names and types of what comes out.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, u32)> {
        self.function.results.iter().map(|output| (output.name.as_str(), output.type_oid))
    }

    /// `(a, b?)`: how it is called.
    pub fn shape(&self) -> String {
        let shown = self
            .arguments()
            .map(|(name, optional)| if optional { format!("{name}?") } else { name.to_owned() });
        format!("({})", shown.collect::<Vec<_>>().join(", "))
    }

    /// What a caller gives: name, and whether it may be left out.
    pub fn arguments(&self) -> impl Iterator<Item = (&str, bool)> {
        let given = self.function.arguments.iter().filter(|argument| !is_of_caller(&argument.name));
        given.map(|argument| (argument.name.as_str(), argument.optional))
    }

    /// Whether it takes these members and needs no others.
    pub fn takes(&self, members: &HashMap<String, &RawValue>) -> bool {
        members.keys().all(|name| self.arguments().any(|(known, _)| known == name))
            && self.arguments().all(|(name, optional)| optional || members.contains_key(name))
    }

    /// How many of its arguments are left to their defaults.
    pub fn left_out(&self, members: &HashMap<String, &RawValue>) -> usize {
        self.arguments().filter(|(name, _)| !members.contains_key(*name)).count()
    }

    /// What calls it.
    ///
    /// # Errors
    /// For a value that an argument cannot take.
    pub fn work(&self, given: &Given<'_>) -> Result<Work, Error> {
        let values = self.function.arguments.iter().map(|argument| {
            let place = format!("params.{}", argument.name);
            if let Some((_, value)) = given.caller.iter().find(|(name, _)| *name == argument.name) {
                return Ok(Some(Value { place, value: value.clone() }));
            }
            match given.members.get(&argument.name) {
                Some(raw) => Ok(Some(Value { value: argument.text(raw.get(), &place)?, place })),
                None => Ok(None),
            }
        });
        let values = values.collect::<Result<Vec<_>, Error>>()?;
        #[allow(unsafe_code)]
        // SAFETY: called within the guard's transaction; the nodes live as long as the call.
        Ok(unsafe { self.function.work(&values) })
    }
}

/// Arguments that take what is known of the caller, and that nobody can give.
pub const OF_CALLER: [&str; 3] = ["caller_id", "caller_role", "caller_email"];

fn is_of_caller(name: &str) -> bool {
    OF_CALLER.contains(&name)
}

/// Every exposed function that the current role may execute, by namespace and name.
pub fn procedures() -> Vec<Arc<Procedure>> {
    let all = all();
    let executable = function::executable(all.procedures.iter().map(|known| known.function.oid).collect());
    all.procedures.iter().filter(|known| executable.contains(&known.function.oid)).cloned().collect()
}
