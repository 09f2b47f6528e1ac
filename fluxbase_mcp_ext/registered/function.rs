//! A registered function: what shape it has, and who may execute it.
//!
//! Both are asked of Postgres: the shape once for each version of the function, the privilege at each list and each call.

use std::collections::{HashMap, HashSet};

use fluxbase_query::show;
use fluxbase_register::Argument as Named;
use pgrx::{Spi, pg_sys};
use serde::Deserialize;

use crate::guard;

const FUNCTIONS: &str = include_str!("function.sql");
const TYPE: &str = include_str!("type.sql");

/// A function as the catalog describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Function {
    pub oid: u32,
    schema: String,
    pub(super) kind: char,
    pub(super) set: bool,
    /// Whether it may write.
    pub volatile: bool,
    pub(super) variadic: bool,
    returns: Returns,
    pub(super) arguments: Vec<Argument>,
    /// What comes out under a name: OUT, INOUT and TABLE arguments, else the fields of a row type.
    pub(super) results: Vec<Output>,
}

/// Something that comes out under a name.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) type_oid: u32,
    /// Its place among all arguments, from 0.
    pub(super) at: usize,
    /// As in `pg_proc.proargmodes`; `a` for a field.
    pub(super) mode: char,
}

#[derive(Clone, Debug, Deserialize)]
struct Returns {
    name: String,
    built_in: bool,
    pseudo: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Argument {
    pub(super) name: String,
    /// Its place among all arguments, from 0; those that only come out count.
    #[serde(default)]
    pub(super) at: usize,
    pub(super) type_oid: u32,
    pub(super) type_sql: String,
    pub(super) pseudo: bool,
    pub(super) array: bool,
    pub(super) base_name: String,
    pub(super) built_in: bool,
    pub(super) category: char,
    pub(super) labels: Vec<String>,
    pub(super) optional: bool,
}

/// How a function takes what a caller sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// All of it as one jsonb.
    Whole,
    /// All of it as one jsonb, and the context as another.
    WithContext,
    /// Each member as an argument of its name.
    Named,
}

/// The form of what a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// json or jsonb.
    Json,
    /// A text.
    Text,
    /// bytea.
    Bytes,
    /// Nothing.
    Void,
    /// Something else, which is turned into JSON.
    Other,
}

/// The functions with these oids, as far as there are.
pub fn describe(oids: &[u32]) -> HashMap<u32, Function> {
    if oids.is_empty() {
        return HashMap::new();
    }
    let oids: Vec<pg_sys::Oid> = oids.iter().map(|&oid| pg_sys::Oid::from(oid)).collect();
    lines(FUNCTIONS, oids)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("function.sql: {error}")))
        .map(|function: Function| (function.oid, function))
        .collect()
}

/// What a value of the type must look like, as an argument of that name.
pub fn argument(name: &str, type_oid: u32, optional: bool) -> Option<Argument> {
    let mut found: Argument = serde_json::from_str(lines(TYPE, vec![pg_sys::Oid::from(type_oid)]).first()?)
        .unwrap_or_else(|error| panic!("type.sql: {error}"));
    name.clone_into(&mut found.name);
    found.optional = optional;
    Some(found)
}

impl Argument {
    /// Its type as SQL writes it.
    pub fn type_sql(&self) -> String {
        self.type_sql.clone()
    }

    /// As the schema that is made of arguments takes it.
    pub fn named(&self) -> Named {
        Named {
            name: self.name.clone(),
            type_name: self.base_name.clone(),
            built_in: self.built_in,
            category: self.category,
            array: self.array,
            labels: self.labels.clone(),
            optional: self.optional,
        }
    }
}

fn lines(sql: &str, oids: Vec<pg_sys::Oid>) -> Vec<String> {
    guard::with_pinned_path(|| {
        Spi::connect(|client| {
            let rows = client.select(sql, None, &[oids.into()])?;
            rows.map(|row| row.get::<String>(1).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()
        })
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading pg_proc: {error}"))
}

/// Those of the functions that the current role may execute, and whose schema it may use.
pub fn executable(oids: Vec<u32>) -> HashSet<u32> {
    const EXECUTABLE: &str = "
SELECT p.oid::pg_catalog.int8::pg_catalog.text
  FROM pg_catalog.pg_proc AS p
 WHERE p.oid = ANY ($1) AND has_schema_privilege(p.pronamespace, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')";
    if oids.is_empty() {
        return HashSet::new();
    }
    let oids: Vec<pg_sys::Oid> = oids.into_iter().map(pg_sys::Oid::from).collect();
    lines(EXECUTABLE, oids).iter().filter_map(|line| line.parse().ok()).collect()
}

impl Function {
    /// Refuses what no registration can call.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn check(&self) -> Result<(), String> {
        if self.kind != 'f' {
            let kind = match self.kind {
                'p' => "a procedure",
                'a' => "an aggregate",
                _ => "a window function",
            };
            return Err(format!("it is {kind}; register a function."));
        }
        if self.set {
            return Err(
                "it returns a set of rows; return one value, such as jsonb_agg of the rows.".to_owned()
            );
        }
        self.check_types()
    }

    /// Refuses what `invoke_rpc` cannot call.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn check_procedure(&self) -> Result<(), String> {
        match self.kind {
            'f' | 'p' => {}
            'a' => return Err("it is an aggregate; expose a function that uses it.".to_owned()),
            _ => return Err("it is a window function; expose a function that uses it.".to_owned()),
        }
        if self.arguments.iter().any(|argument| argument.name.is_empty()) {
            return Err("its arguments must have names: callers name what they send.".to_owned());
        }
        if self.kind == 'f' && self.results.is_empty() && self.returns.name == "record" {
            return Err(
                "it returns record without columns; declare them with OUT or RETURNS TABLE.".to_owned()
            );
        }
        self.check_types()
    }

    fn check_types(&self) -> Result<(), String> {
        if self.schema.starts_with("pg_temp") {
            return Err("it is temporary, so no other session has it.".to_owned());
        }
        if self.returns.pseudo && !matches!(self.returns.name.as_str(), "void" | "record") {
            return Err(format!("it returns {}, which has no form outside of SQL.", self.returns.name));
        }
        match self.arguments.iter().find(|argument| argument.pseudo) {
            Some(argument) => Err(format!(
                "its argument {} has the type {}, which nobody can send.",
                show(&argument.name),
                argument.type_sql
            )),
            None => Ok(()),
        }
    }

    fn is_jsonb(&self, index: usize) -> bool {
        self.arguments.get(index).is_some_and(|argument| argument.type_oid == pg_sys::JSONBOID.to_u32())
    }

    /// How it takes the arguments of a tool.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn style(&self) -> Result<Style, String> {
        match self.arguments.len() {
            1 if self.is_jsonb(0) => return Ok(Style::Whole),
            2 if self.is_jsonb(0) && self.is_jsonb(1) => return Ok(Style::WithContext),
            _ => {}
        }
        if self.arguments.iter().any(|argument| argument.name.is_empty()) {
            return Err("its arguments must have names, or be one of type jsonb (all arguments), or two (all arguments, the context).".to_owned());
        }
        Ok(Style::Named)
    }

    /// Whether it takes the arguments of a prompt: jsonb, or jsonb and jsonb.
    pub fn takes_json(&self) -> Option<Style> {
        self.style().ok().filter(|&style| style != Style::Named)
    }

    /// Whether it takes the URI of a resource; true with its variables too, as jsonb.
    pub fn takes_uri(&self) -> Option<bool> {
        let first = self.arguments.first()?;
        let text = first.type_oid == pg_sys::TEXTOID.to_u32();
        match self.arguments.len() {
            1 if text => Some(false),
            2 if text && self.is_jsonb(1) => Some(true),
            _ => None,
        }
    }

    /// The form of its answer.
    pub fn form(&self) -> Form {
        match self.returns.name.as_str() {
            _ if !self.returns.built_in => Form::Other,
            "json" | "jsonb" => Form::Json,
            "text" | "varchar" | "bpchar" | "name" => Form::Text,
            "bytea" => Form::Bytes,
            "void" => Form::Void,
            _ => Form::Other,
        }
    }

    /// Whether an answer can be an object: JSON, or a row.
    pub fn may_return_object(&self) -> bool {
        match self.form() {
            Form::Json => true,
            Form::Text | Form::Bytes | Form::Void => false,
            Form::Other => !self.returns.built_in || self.returns.name == "record",
        }
    }

    /// Its arguments, for the schema that is made of them.
    pub fn named(&self) -> Vec<Named> {
        self.arguments.iter().map(Argument::named).collect()
    }
}
