//! What a database role brings along: its settings, and whether it is an admin.
//!
//! Invariants: descriptions are forgotten when Postgres says that a role or a membership changed; `ALTER ROLE … SET` sends no
//! such message, so a description is also read anew after five seconds. Only settings on the allow-list are taken over.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;

use pgrx::{Spi, pg_sys};

use super::Settings;
use crate::{catalog, guard, variables};

/// How long a description serves, in microseconds.
const FRESH: i64 = 5_000_000;

/// What is known of a role.
#[derive(Debug)]
pub struct Role {
    /// Pinned for every tool, then the role's own.
    pub settings: Settings,
    /// Whether it is superuser.
    pub superuser: bool,
    /// Whether it is a member of `mcp_admin`.
    pub admin: bool,
    read_at: i64,
}

thread_local! {
    static ROLES: RefCell<HashMap<pg_sys::Oid, Rc<Role>>> = RefCell::new(HashMap::new());
}

/// The current role.
pub fn current() -> pg_sys::Oid {
    variables::GetUserId()
}

/// The role of that name; `None` when there is none.
pub fn by_name(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a NUL-terminated name; looks in the system cache.
    let oid = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// Forgets every description.
pub fn forget() {
    ROLES.with_borrow_mut(HashMap::clear);
}

/// What the role brings along.
pub fn describe(role: pg_sys::Oid) -> Rc<Role> {
    catalog::refresh();
    let now = variables::GetCurrentStatementStartTimestamp();
    let known = ROLES.with_borrow(|roles| roles.get(&role).cloned());
    if let Some(known) = known.filter(|known| now - known.read_at < FRESH) {
        return known;
    }
    // SAFETY: both look in the system cache.
    let (superuser, admin) = unsafe {
        let admins = pg_sys::get_role_oid(c"mcp_admin".as_ptr(), true);
        let member = admins != pg_sys::InvalidOid && pg_sys::is_member_of_role(role, admins);
        (pg_sys::superuser_arg(role), member)
    };
    let described = Rc::new(Role { settings: settings_of(role), superuser, admin, read_at: now });
    ROLES.with_borrow_mut(|roles| roles.insert(role, described.clone()));
    described
}

/// Settings that make the JSON forms of values a contract: the same for every caller.
const OUTPUT: [(&str, &str); 10] = [
    ("row_security", "on"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
    // Not output: NULL in array text, which lists in data become.
    ("array_nulls", "on"),
    ("quote_all_identifiers", "off"),
];

/// The role's part of `ALTER ROLE … SET` that a tool runs with: how statements are planned and what policies may read. Timeouts
/// are the connection's business; output settings are pinned above.
pub fn may_be_set(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if let Some((class, _)) = name.split_once('.') {
        return !matches!(class, "mcp" | "request");
    }
    name.starts_with("enable_")
        || matches!(
            name.as_str(),
            "work_mem"
                | "hash_mem_multiplier"
                | "jit"
                | "plan_cache_mode"
                | "random_page_cost"
                | "seq_page_cost"
                | "effective_cache_size"
                | "effective_io_concurrency"
                | "max_parallel_workers_per_gather"
                | "default_text_search_config"
                | "constraint_exclusion"
                | "cursor_tuple_fraction"
                | "from_collapse_limit"
                | "join_collapse_limit"
                | "lock_timeout"
        )
}

/// `pg_db_role_setting` for this role in this database, weakest first: the database's, the role's, the role's in this database.
const SETTINGS: &str = "
SELECT s.setrole <> 0::pg_catalog.oid, c.entry
  FROM pg_catalog.pg_db_role_setting AS s
       CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c(entry, n)
 WHERE s.setrole IN (0::pg_catalog.oid, $1)
   AND s.setdatabase IN (0::pg_catalog.oid,
                         (SELECT d.oid FROM pg_catalog.pg_database AS d
                           WHERE d.datname = pg_catalog.current_database()))
 ORDER BY s.setrole <> 0::pg_catalog.oid, s.setdatabase <> 0::pg_catalog.oid, c.n";

fn settings_of(role: pg_sys::Oid) -> Settings {
    let mut path = String::from("\"$user\", public");
    let mut own: Vec<(String, String)> = Vec::new();
    let entries: Vec<(bool, String)> = guard::with_pinned_path(|| {
        Spi::connect(|client| {
            client.select(SETTINGS, None, &[role.into()]).map(|rows| {
                rows.filter_map(|row| Some((row.get::<bool>(1).ok()??, row.get::<String>(2).ok()??)))
                    .collect()
            })
        })
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading pg_db_role_setting: {error}"));
    for (of_role, entry) in entries {
        let Some((name, value)) = entry.split_once('=') else { continue };
        if name.eq_ignore_ascii_case("search_path") {
            value.clone_into(&mut path);
        } else if of_role && may_be_set(name) {
            own.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            own.push((name.to_owned(), value.to_owned()));
        }
    }
    // Named last, so that nothing in it can stand in front of what the path names.
    let path = if path.trim().is_empty() { "pg_temp".to_owned() } else { format!("{path}, pg_temp") };
    let pinned = OUTPUT.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    pinned
        .chain(std::iter::once(("search_path".to_owned(), path)))
        .filter_map(setting)
        // A setting that only superusers may make is left out rather than made for whoever holds a key.
        .chain(own.into_iter().filter_map(setting).filter(|(name, value)| guard::may_set(name, value, false)))
        .collect()
}

fn setting((name, value): (String, String)) -> Option<(CString, CString)> {
    Some((CString::new(name).ok()?, CString::new(value).ok()?))
}
