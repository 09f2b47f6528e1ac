//! Calling a registered function.
//!
//! Invariants:
//! - Just the registered function is called, by its oid: whatever else has its name, and whatever the search_path is, nothing is
//!   looked up. In SQL text a function beside it whose further arguments have defaults would make the call ambiguous.
//! - Values go through the input functions of their types. What a caller leaves out is the function's own default.
//!
//! Who may execute it was asked before: see `Target::usable`.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, CString};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fluxbase_query::{Param, Statement, show};
use pgrx::pg_sys;
use serde_json::Value;
use serde_json::value::RawValue;

pub use super::function::Argument;
use super::function::{Form, Function};
use crate::error::Error;
use crate::guard::Access;
use crate::statement::{self, Bounds};

/// The most that a function may answer, in bytes: it is held in memory several times.
const MAX_ANSWER: usize = 16_000_000;

impl Function {
    /// Calls it with texts of the types of its arguments; `None` is NULL, and so is the result.
    ///
    /// # Errors
    /// [`Error::Refused`] when the answer is too large. Errors of Postgres are raised, for the guard to catch.
    pub fn call(&self, values: Vec<(&str, String)>) -> Result<Option<String>, Error> {
        let given = values
            .into_iter()
            .map(|(place, value)| Some(Given { place: place.to_owned(), value: Some(value) }));
        self.invoke(given.collect())
    }

    /// Calls it as a job: with the payload, JSON text, if it takes an argument. The result as JSON text. A procedure is called as well; what
    /// it would commit is refused by Postgres.
    ///
    /// # Errors
    /// As for [`Function::call`].
    pub fn run_as_job(&self, payload: Option<&str>) -> Result<Option<String>, Error> {
        let argument = match (self.arguments.first(), payload) {
            (None, _) => None,
            // Without a payload the default of the function's own.
            (Some(argument), None) if argument.optional => None,
            (Some(_), payload) => {
                Some(Given { place: "payload".to_owned(), value: Some(payload.unwrap_or("null").to_owned()) })
            }
        };
        let answer = self.invoke(argument.map(Some).into_iter().collect())?;
        Ok(match self.form() {
            Form::Text | Form::Bytes => answer.map(|text| Value::String(text).to_string()),
            Form::Json | Form::Void | Form::Other => answer,
        })
    }

    /// Calls it with the members of an object as its arguments.
    ///
    /// # Errors
    /// [`Error::Refused`] for a member that it does not have or cannot take, and as for [`Function::call`].
    pub fn call_named(&self, members: &HashMap<String, &RawValue>) -> Result<Option<String>, Error> {
        if let Some(unknown) =
            members.keys().find(|name| !self.arguments.iter().any(|argument| argument.name == **name))
        {
            let known: Vec<&str> = self.arguments.iter().map(|argument| argument.name.as_str()).collect();
            return Err(mismatch(
                format!("arguments: there is no {}. Nothing was run.", show(unknown)),
                format!("Known are: {}.", known.join(", ")),
            ));
        }
        let given = self.arguments.iter().map(|argument| {
            let place = format!("arguments.{}", argument.name);
            match members.get(&argument.name) {
                Some(raw) => Ok(Some(Given { value: argument.text(raw.get(), &place)?, place })),
                None if argument.optional => Ok(None),
                // Its schema lets it be absent.
                None => Ok(Some(Given { value: None, place })),
            }
        });
        self.invoke(given.collect::<Result<_, Error>>()?)
    }

    fn invoke(&self, given: Vec<Option<Given>>) -> Result<Option<String>, Error> {
        // SAFETY: within a transaction, inside the guard; as many arguments as the function has.
        let answer = unsafe { self.evaluate(&given) };
        match answer {
            Some(text) if text.len() > MAX_ANSWER => Err(Error::refused(
                "54000",
                format!("the function answered more than {MAX_ANSWER} bytes. Nothing was changed."),
                "It should return less at once, such as a page with the place to go on.".to_owned(),
            )),
            answer => Ok(answer),
        }
    }

    /// Evaluates the expression that is the call, as Postgres does for a CHECK constraint.
    ///
    /// # Safety
    /// There is a transaction, and whoever catches an error ends its subtransaction, which frees everything and pops the snapshot.
    unsafe fn evaluate(&self, given: &[Option<Given>]) -> Option<String> {
        // SAFETY: nodes are made in the memory of this execution, which is freed after the answer was copied; the snapshot is
        // popped again.
        unsafe {
            // What this transaction did before is seen, and what the function does is seen by what comes after it.
            pg_sys::CommandCounterIncrement();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let state = pg_sys::CreateExecutorState();
            let outer = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);

            let list = self.list(given, |number| number);
            let call = self.expression(list);
            let returned = (*call).funcresulttype;
            let form = self.form();
            let (expression, of_type) = if form == Form::Other {
                let list = pg_sys::lappend(std::ptr::null_mut(), call.cast());
                let json = pg_sys::makeFuncExpr(
                    TO_JSON,
                    pg_sys::JSONOID,
                    list,
                    pg_sys::InvalidOid,
                    DEFAULT_COLLATION,
                    pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
                );
                (json, pg_sys::JSONOID)
            } else {
                (call, returned)
            };
            let prepared = pg_sys::ExecPrepareExpr(expression.cast(), state);
            let context = pg_sys::MakePerTupleExprContext(state);
            pg_sys::MemoryContextSwitchTo((*context).ecxt_per_tuple_memory);
            let mut null = false;
            let value = match (*prepared).evalfunc {
                // A call by pointer is none that pgrx guards by itself: an error would jump over our frames, the guard's too.
                Some(evaluate) => {
                    let null = &raw mut null;
                    pg_sys::ffi::pg_guard_ffi_boundary(|| evaluate(prepared, context, null))
                }
                None => unreachable!("a prepared expression has its function"),
            };
            let answer = match form {
                Form::Void => None,
                _ if null => None,
                Form::Bytes => {
                    let bytes = pg_sys::pg_detoast_datum_packed(value.cast_mut_ptr());
                    Some(STANDARD.encode(pgrx::varlena::varlena_to_byte_slice(bytes)))
                }
                Form::Json | Form::Text | Form::Other => {
                    let mut output = pg_sys::InvalidOid;
                    let mut varlena = false;
                    pg_sys::getTypeOutputInfo(of_type, &mut output, &mut varlena);
                    let text = pg_sys::OidOutputFunctionCall(output, value);
                    Some(CStr::from_ptr(text).to_string_lossy().into_owned())
                }
            };
            pg_sys::MemoryContextSwitchTo(outer);
            pg_sys::FreeExecutorState(state);
            pg_sys::PopActiveSnapshot();
            pg_sys::CommandCounterIncrement();
            answer
        }
    }
}

/// What is to be run: a query whose rows are wanted, or a CALL.
pub enum Work {
    /// Analysed and rewritten.
    Queries(*mut pg_sys::List),
    /// Of a procedure.
    Call(*mut pg_sys::CallStmt),
}

impl Function {
    /// What runs it with these arguments: `SELECT` of all columns of just this function, or `CALL`.
    ///
    /// # Safety
    /// Within a transaction, inside the guard; the nodes live in the current memory context.
    pub(super) unsafe fn work(&self, given: &[Option<Given>]) -> Work {
        // SAFETY: nodes of Postgres's own makers; the range table is the parse state's, which lives as long.
        unsafe {
            if self.kind == 'p' {
                return Work::Call(self.call_statement(given));
            }
            let oid = pg_sys::Oid::from(self.oid);
            let call = self.expression(self.list(given, |number| number));
            (*call).funcretset = self.set;
            let state = pg_sys::make_parsestate(std::ptr::null_mut());
            let range = node::<pg_sys::RangeFunction>(pg_sys::NodeTag::T_RangeFunction);
            let one = |item: *mut std::ffi::c_void| pg_sys::lappend(std::ptr::null_mut(), item);
            let item = pg_sys::addRangeTableEntryForFunction(
                state,
                one(pg_sys::get_func_name(oid).cast()),
                one(call.cast()),
                one(std::ptr::null_mut()),
                range,
                false,
                true,
            );
            let (mut names, mut columns) = (std::ptr::null_mut(), std::ptr::null_mut());
            #[cfg(not(feature = "pg18"))]
            pg_sys::expandRTE((*item).p_rte, 1, 0, -1, false, &mut names, &mut columns);
            #[cfg(feature = "pg18")]
            pg_sys::expandRTE(
                (*item).p_rte,
                1,
                0,
                pg_sys::VarReturningType::VAR_RETURNING_DEFAULT,
                -1,
                false,
                &mut names,
                &mut columns,
            );
            let mut targets = std::ptr::null_mut();
            for (number, &column) in statement::items::<pg_sys::Expr>(columns).iter().enumerate() {
                let name = self.results.get(number).map_or("result", |output| output.name.as_str());
                let name = CString::new(name).unwrap_or_default();
                let target = pg_sys::makeTargetEntry(
                    column,
                    (number + 1) as i16,
                    pg_sys::pstrdup(name.as_ptr()),
                    false,
                );
                targets = pg_sys::lappend(targets, target.cast());
            }
            let reference = node::<pg_sys::RangeTblRef>(pg_sys::NodeTag::T_RangeTblRef);
            (*reference).rtindex = 1;
            let query = node::<pg_sys::Query>(pg_sys::NodeTag::T_Query);
            (*query).commandType = pg_sys::CmdType::CMD_SELECT;
            (*query).canSetTag = true;
            (*query).rtable = (*state).p_rtable;
            (*query).jointree = pg_sys::makeFromExpr(one(reference.cast()), std::ptr::null_mut());
            (*query).targetList = targets;
            (*query).stmt_location = -1;
            Work::Queries(one(query.cast()))
        }
    }

    /// # Safety
    /// As for [`Function::work`].
    unsafe fn expression(&self, list: *mut pg_sys::List) -> *mut pg_sys::FuncExpr {
        // SAFETY: a node of Postgres's own maker.
        unsafe {
            let oid = pg_sys::Oid::from(self.oid);
            let returned = pg_sys::get_func_rettype(oid);
            let call = pg_sys::makeFuncExpr(
                oid,
                returned,
                list,
                pg_sys::get_typcollation(returned),
                DEFAULT_COLLATION,
                pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
            );
            (*call).funcvariadic = self.variadic;
            call
        }
    }

    /// The arguments that were given, each by its number, so that Postgres fills the gaps between them with the defaults.
    ///
    /// # Safety
    /// As for [`Function::work`].
    unsafe fn list(&self, given: &[Option<Given>], number: impl Fn(usize) -> usize) -> *mut pg_sys::List {
        let mut list: *mut pg_sys::List = std::ptr::null_mut();
        for (index, (given, argument)) in given.iter().zip(&self.arguments).enumerate() {
            let Some(given) = given else { continue };
            // SAFETY: as required of our caller.
            unsafe {
                let value = argument.constant(given).cast();
                list = pg_sys::lappend(list, named(value, number(index)).cast());
            }
        }
        list
    }

    /// As Postgres's own analysis of CALL makes it: what only comes out is passed as NULL and is no argument of the call.
    ///
    /// # Safety
    /// As for [`Function::work`].
    unsafe fn call_statement(&self, given: &[Option<Given>]) -> *mut pg_sys::CallStmt {
        // SAFETY: the row of pg_proc is held while it is looked at; it is there, or an error was raised before.
        unsafe {
            let oid = pg_sys::Oid::from(self.oid);
            let mut list = self.list(given, |index| self.arguments[index].at);
            for output in self.results.iter().filter(|output| output.mode == 'o') {
                let of_type = pg_sys::Oid::from(output.type_oid);
                let null = pg_sys::makeNullConst(of_type, -1, pg_sys::get_typcollation(of_type));
                list = pg_sys::lappend(list, named(null.cast(), output.at).cast());
            }
            let row =
                pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::PROCOID as i32, pg_sys::Datum::from(oid));
            if row.is_null() {
                pgrx::error!("the procedure does not exist any more");
            }
            let all = pg_sys::expand_function_arguments(list, true, pg_sys::get_func_rettype(oid), row);
            pg_sys::ReleaseSysCache(row);
            let (mut ins, mut outs) = (std::ptr::null_mut(), std::ptr::null_mut());
            for (at, &argument) in statement::items::<std::ffi::c_void>(all).iter().enumerate() {
                match self.results.iter().find(|output| output.at == at) {
                    Some(output) if output.mode == 'o' => outs = pg_sys::lappend(outs, argument),
                    Some(_) => {
                        ins = pg_sys::lappend(ins, argument);
                        outs = pg_sys::lappend(outs, pg_sys::copyObjectImpl(argument));
                    }
                    None => ins = pg_sys::lappend(ins, argument),
                }
            }
            let statement = node::<pg_sys::CallStmt>(pg_sys::NodeTag::T_CallStmt);
            (*statement).funcexpr = self.expression(ins);
            (*statement).outargs = outs;
            statement
        }
    }
}

/// An argument by its number.
///
/// # Safety
/// The node lives in the current memory context.
unsafe fn named(value: *mut pg_sys::Expr, number: usize) -> *mut pg_sys::NamedArgExpr {
    // SAFETY: a node of that tag.
    unsafe {
        let named = node::<pg_sys::NamedArgExpr>(pg_sys::NodeTag::T_NamedArgExpr);
        (*named).arg = value;
        (*named).name = c"".as_ptr().cast_mut();
        (*named).argnumber = number as i32;
        (*named).location = -1;
        named
    }
}

/// One argument of a call: text for its type's input function, and where it came from.
pub(super) struct Given {
    pub(super) place: String,
    pub(super) value: Option<String>,
}

/// `DEFAULT_COLLATION_OID` of pg_collation.dat.
const DEFAULT_COLLATION: pg_sys::Oid = pg_sys::Oid::from_u32(100);
/// `to_json(anyelement)` of pg_proc.dat.
const TO_JSON: pg_sys::Oid = pg_sys::Oid::from_u32(3176);

/// A zeroed node in the current memory context.
///
/// # Safety
/// `T` is the node that the tag says.
unsafe fn node<T>(tag: pg_sys::NodeTag) -> *mut T {
    // SAFETY: every node begins with its tag.
    unsafe {
        let node = pg_sys::palloc0(size_of::<T>());
        node.cast::<pg_sys::NodeTag>().write(tag);
        node.cast()
    }
}

fn mismatch(message: String, hint: impl Into<Option<String>>) -> Error {
    Error::refused("22023", message, hint)
}

impl Argument {
    /// The value as a constant of the argument's type. While it is read, its place is remembered for an error.
    ///
    /// # Safety
    /// The node lives in the current memory context.
    unsafe fn constant(&self, given: &Given) -> *mut pg_sys::Const {
        let of_type = pg_sys::Oid::from(self.type_oid);
        let value = given.value.as_ref().map(|text| CString::new(text.as_str()).unwrap_or_default());
        let pointer = value.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        statement::set_operation(Some(&given.place));
        // SAFETY: the input function copies the text. NULL goes through it as well: a domain may refuse it.
        let constant = unsafe {
            let (mut input, mut io_param) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(of_type, &mut input, &mut io_param);
            let datum = pg_sys::OidInputFunctionCall(input, pointer.cast_mut(), io_param, -1);
            pg_sys::makeConst(
                of_type,
                -1,
                pg_sys::get_typcollation(of_type),
                i32::from(pg_sys::get_typlen(of_type)),
                datum,
                value.is_none(),
                pg_sys::get_typbyval(of_type),
            )
        };
        statement::set_operation(None);
        constant
    }

    /// JSON text as text for the type's input function; `None` is NULL.
    pub fn text(&self, json: &str, place: &str) -> Result<Option<String>, Error> {
        if json.contains("\\u0000") && has_nul(json) {
            return Err(mismatch(
                format!("{place}: Postgres cannot hold the character \\u0000. Nothing was run."),
                "Leave it out.".to_owned(),
            ));
        }
        if json == "null" {
            return Ok(None);
        }
        if self.array || (self.category == 'C' && !json.starts_with('"')) {
            return self.compound(json, place);
        }
        self.scalar(json, place).map(Some)
    }

    /// Postgres knows best how lists and objects become arrays and rows.
    fn compound(&self, json: &str, place: &str) -> Result<Option<String>, Error> {
        let sql = format!(
            "SELECT (r.v)::pg_catalog.text FROM pg_catalog.jsonb_to_record($1) AS r(v {})",
            self.type_sql
        );
        let value = Some(format!("{{\"v\":{json}}}"));
        let param = Param { type_oid: pg_sys::JSONBOID.to_u32(), typmod: -1, value, place: place.to_owned() };
        statement::set_operation(Some(place));
        let bounds = Bounds { max_rows: 1, max_chars: usize::MAX, free_rows: 0 };
        let rows =
            statement::run(&Statement { sql, params: vec![param], returns: true }, Access::Read, bounds)?;
        statement::set_operation(None);
        Ok((rows.shown > 0).then_some(rows.text))
    }

    /// The text for the type's input function.
    fn scalar(&self, text: &str, place: &str) -> Result<String, Error> {
        let json = self.built_in && matches!(self.base_name.as_str(), "json" | "jsonb");
        if json || (!self.built_in && self.category == 'U' && text.starts_with(['[', '{'])) {
            return Ok(text.to_owned());
        }
        if text.starts_with(['[', '{']) {
            return Err(mismatch(
                format!(
                    "{place}: a list or an object does not fit the type {}. Nothing was run.",
                    self.type_sql
                ),
                None,
            ));
        }
        if !text.starts_with('"') {
            return Ok(self.whole_number(text).unwrap_or_else(|| text.to_owned()));
        }
        let Ok(Value::String(string)) = serde_json::from_str(text) else {
            return Err(mismatch(format!("{place}: this is not valid JSON text. Nothing was run."), None));
        };
        if !(self.built_in && self.base_name == "bytea") || string.starts_with("\\x") {
            return Ok(string);
        }
        let bytes = STANDARD.decode(&string).map_err(|_| {
            mismatch(
                format!("{place}: this is not base64. Nothing was run."),
                "Bytes are written in base64, such as aGVsbG8=.".to_owned(),
            )
        })?;
        Ok(format!("\\x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
    }
}

impl Argument {
    /// 5.0 and 1e2 are whole numbers in JSON, and not for the input functions of the integer types.
    fn whole_number(&self, text: &str) -> Option<String> {
        let integer = self.built_in && matches!(self.base_name.as_str(), "int2" | "int4" | "int8" | "oid");
        if !integer || !text.contains(['.', 'e', 'E']) {
            return None;
        }
        let value: f64 = text.parse().ok()?;
        (value.fract() == 0.0 && value.abs() < 9e15).then(|| format!("{value:.0}"))
    }
}

/// Whether a JSON text holds an escaped NUL; `\\u0000` is a backslash and four zeros.
fn has_nul(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
        } else if bytes[at + 1..].starts_with(b"u0000") {
            return true;
        } else {
            at += 2;
        }
    }
    false
}
