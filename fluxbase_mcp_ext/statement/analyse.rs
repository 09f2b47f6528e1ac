//! What Postgres makes of a stored statement before it is run: one statement or not, the types of its parameters, what it touches.
//!
//! Invariants:
//! - What is found out is found in the trees that will be run, after views and rules were put in their place.
//! - The conditions that row-level security adds, and the defaults of columns that it leaves out, are not the statement's: what a policy
//!   reads does not count as read by it, and neither does the function of a default count as called.
//!
//! It does not decide what is allowed.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_void};

use pgrx::{pg_guard, pg_sys};

use super::items;
use crate::error::Error;

/// An analysed statement. It lives in the memory context in which it was made.
pub struct Analysed {
    /// What is to be run.
    pub queries: *mut pg_sys::List,
    /// The types of `$1`, `$2`, …, as far as the statement has them.
    pub types: Vec<u32>,
    /// Schema and name of every relation that it touches, also below views and in rules.
    pub relations: BTreeSet<(String, String)>,
    /// Schema and name of every function and operator's function that it calls.
    pub functions: BTreeSet<(String, String)>,
    /// Whether it only reads, as far as it can be seen.
    pub reads: bool,
    /// Names and types of what it returns.
    pub outputs: Vec<(String, u32)>,
}

#[derive(Default)]
struct Found {
    relations: BTreeSet<u32>,
    functions: BTreeSet<u32>,
    writes: bool,
}

/// What a statement writes, and to which columns.
struct Target {
    command: pg_sys::CmdType::Type,
    relation: pg_sys::Oid,
    columns: Vec<i16>,
}

impl Target {
    /// # Safety
    /// An analysed query.
    unsafe fn of(query: *mut pg_sys::Query) -> Target {
        // SAFETY: the result relation is an entry of the range table, counted from 1; 0 is none.
        unsafe {
            let at = usize::try_from((*query).resultRelation).unwrap_or(0);
            let entry = items::<pg_sys::RangeTblEntry>((*query).rtable).get(at.wrapping_sub(1));
            let targets = items::<pg_sys::TargetEntry>((*query).targetList);
            Target {
                command: (*query).commandType,
                relation: entry.map_or(pg_sys::InvalidOid, |&entry| (*entry).relid),
                columns: targets.iter().map(|&target| (*target).resno).collect(),
            }
        }
    }

    /// Takes out what the rewriter has put into the columns of the same table that the statement leaves out.
    ///
    /// # Safety
    /// A rewritten query.
    unsafe fn take_defaults(&self, tree: *mut pg_sys::Query) -> *mut pg_sys::List {
        // SAFETY: as in `of`.
        unsafe {
            let now = Target::of(tree);
            let writes = matches!(now.command, pg_sys::CmdType::CMD_INSERT | pg_sys::CmdType::CMD_UPDATE);
            let (mut kept, mut taken) = (std::ptr::null_mut(), std::ptr::null_mut());
            if !writes || now.command != self.command || now.relation != self.relation {
                return taken;
            }
            for &target in items::<pg_sys::TargetEntry>((*tree).targetList) {
                let list = if self.columns.contains(&(*target).resno) { &mut kept } else { &mut taken };
                *list = pg_sys::lappend(*list, target.cast());
            }
            (*tree).targetList = kept;
            taken
        }
    }
}

fn refused(message: &str, hint: &str) -> Error {
    Error::refused("42601", format!("{message} Nothing was run."), hint.to_owned())
}

/// Analyses `sql` as the current role. `types`: those of its parameters, 0 where Postgres shall say.
///
/// # Errors
/// [`Error::Refused`] for what is not one statement about rows. Errors of Postgres are raised.
pub fn analyse(sql: &str, types: &[u32]) -> Result<Analysed, Error> {
    const KINDS: &str = "It must be one SELECT, INSERT, UPDATE, DELETE or MERGE.";
    let text = CString::new(sql).map_err(|_| refused("the statement has the character NUL.", KINDS))?;
    // SAFETY: within a transaction; the trees are copied by nobody and live in the current memory context.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        // The trees point into the text.
        let text = pg_sys::pstrdup(text.as_ptr());
        let parsed = pg_sys::pg_parse_query(text);
        let [statement] = *items::<pg_sys::RawStmt>(parsed) else {
            return Err(refused("the text is not one statement.", KINDS));
        };
        let kind = (*(*statement).stmt).type_;
        use pg_sys::NodeTag::{T_DeleteStmt, T_InsertStmt, T_SelectStmt, T_UpdateStmt};
        let known = matches!(kind, T_SelectStmt | T_InsertStmt | T_UpdateStmt | T_DeleteStmt);
        #[cfg(not(feature = "pg14"))]
        let known = known || kind == pg_sys::NodeTag::T_MergeStmt;
        if !known {
            return Err(refused("this kind of statement cannot be stored.", KINDS));
        }
        let size = size_of::<pg_sys::Oid>() * types.len().max(1);
        let mut oids: *mut pg_sys::Oid = pg_sys::palloc0(size).cast();
        for (n, oid) in types.iter().enumerate() {
            oids.add(n).write(pg_sys::Oid::from(*oid));
        }
        let mut number = types.len() as i32;
        #[cfg(feature = "pg14")]
        let query = pg_sys::parse_analyze_varparams(statement, text, &mut oids, &mut number);
        #[cfg(not(feature = "pg14"))]
        let query =
            pg_sys::parse_analyze_varparams(statement, text, &mut oids, &mut number, std::ptr::null_mut());
        if (*query).commandType == pg_sys::CmdType::CMD_UTILITY {
            return Err(refused("SELECT INTO cannot be stored.", KINDS));
        }
        let types = (0..number as usize).map(|n| (*oids.add(n)).to_u32()).collect();
        let outputs = outputs(query);
        let mut found = Found::default();
        // Before the rewriter changes it: everything that it says itself.
        visit(pg_sys::copyObjectImpl(query.cast()).cast(), (&raw mut found).cast());
        let own = Target::of(query);
        let queries = pg_sys::pg_rewrite_query(query);
        for &query in items::<pg_sys::Query>(queries) {
            // A copy, since the conditions of policies are taken out of it.
            let tree = pg_sys::copyObjectImpl(query.cast());
            if (*tree.cast::<pg_sys::Query>()).commandType == pg_sys::CmdType::CMD_UTILITY {
                return Err(refused(
                    "a rule turns it into something that is no statement about rows.",
                    KINDS,
                ));
            }
            let tree = tree.cast::<pg_sys::Query>();
            let defaults = own.take_defaults(tree);
            visit(tree.cast(), (&raw mut found).cast());
            let mut of_defaults = Found::default();
            visit(defaults.cast(), (&raw mut of_defaults).cast());
            found.relations.append(&mut of_defaults.relations);
        }
        pg_sys::PopActiveSnapshot();
        let functions: BTreeSet<(String, String)> = found
            .functions
            .iter()
            .filter_map(|&oid| {
                let oid = pg_sys::Oid::from(oid);
                Some((schema(pg_sys::get_func_namespace(oid))?, owned(pg_sys::get_func_name(oid))?))
            })
            .collect();
        let writes = found.functions.iter().any(|&oid| may_write(pg_sys::Oid::from(oid)));
        let relations = found
            .relations
            .iter()
            .filter_map(|&oid| {
                let oid = pg_sys::Oid::from(oid);
                Some((schema(pg_sys::get_rel_namespace(oid))?, owned(pg_sys::get_rel_name(oid))?))
            })
            .collect();
        Ok(Analysed { queries, types, relations, functions, reads: !found.writes && !writes, outputs })
    }
}

/// Whether a function may write: it is volatile and not one of Postgres's own, or one of those that sequences are changed by.
///
/// # Safety
/// The function exists.
unsafe fn may_write(function: pg_sys::Oid) -> bool {
    const SEQUENCES: [&str; 2] = ["nextval", "setval"];
    // SAFETY: as required of our caller.
    unsafe {
        let own = function.to_u32() < pg_sys::FirstNormalObjectId;
        let name = owned(pg_sys::get_func_name(function)).unwrap_or_default();
        pg_sys::func_volatile(function) == b'v' as std::ffi::c_char
            && (!own || SEQUENCES.contains(&name.as_str()))
    }
}

unsafe fn schema(oid: pg_sys::Oid) -> Option<String> {
    // SAFETY: a palloc'd name or NULL.
    unsafe { owned(pg_sys::get_namespace_name(oid)) }
}

/// # Safety
/// NULL or a NUL-terminated text.
unsafe fn owned(text: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: as required of our caller.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// # Safety
/// An analysed query.
unsafe fn outputs(query: *mut pg_sys::Query) -> Vec<(String, u32)> {
    // SAFETY: target lists hold target entries.
    unsafe {
        let select = (*query).commandType == pg_sys::CmdType::CMD_SELECT;
        let list = if select { (*query).targetList } else { (*query).returningList };
        let shown = items::<pg_sys::TargetEntry>(list).iter().copied().filter(|&entry| !(*entry).resjunk);
        shown
            .map(|entry| {
                let of_type = pg_sys::exprType((*entry).expr.cast());
                (owned((*entry).resname).unwrap_or_default(), of_type.to_u32())
            })
            .collect()
    }
}

/// Notes what a node touches, and everything below it.
#[pg_guard]
unsafe extern "C-unwind" fn visit(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    use pg_sys::NodeTag;
    if node.is_null() {
        return false;
    }
    // SAFETY: the context is the Found of `analyse`; a node is what its tag says.
    unsafe {
        let found = &mut *context.cast::<Found>();
        let function = match (*node).type_ {
            NodeTag::T_Query => {
                let query = node.cast::<pg_sys::Query>();
                if (*query).commandType != pg_sys::CmdType::CMD_SELECT
                    || (*query).hasModifyingCTE
                    || !(*query).rowMarks.is_null()
                {
                    found.writes = true;
                }
                for &entry in items::<pg_sys::RangeTblEntry>((*query).rtable) {
                    if (*entry).relid != pg_sys::InvalidOid {
                        found.relations.insert((*entry).relid.to_u32());
                    }
                    (*entry).securityQuals = std::ptr::null_mut();
                }
                (*query).withCheckOptions = std::ptr::null_mut();
                return pg_sys::query_tree_walker(query, Some(visit), context, 0);
            }
            NodeTag::T_FuncExpr => (*node.cast::<pg_sys::FuncExpr>()).funcid,
            NodeTag::T_Aggref => (*node.cast::<pg_sys::Aggref>()).aggfnoid,
            NodeTag::T_WindowFunc => (*node.cast::<pg_sys::WindowFunc>()).winfnoid,
            NodeTag::T_OpExpr | NodeTag::T_DistinctExpr | NodeTag::T_NullIfExpr => {
                pg_sys::get_opcode((*node.cast::<pg_sys::OpExpr>()).opno)
            }
            NodeTag::T_ScalarArrayOpExpr => {
                pg_sys::get_opcode((*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno)
            }
            NodeTag::T_NextValueExpr => {
                found.writes = true;
                pg_sys::InvalidOid
            }
            _ => pg_sys::InvalidOid,
        };
        if function != pg_sys::InvalidOid {
            found.functions.insert(function.to_u32());
        }
        pg_sys::expression_tree_walker(node, Some(visit), context)
    }
}
