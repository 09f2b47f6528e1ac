//! The plans that are kept: by role and text of the statement, and by the place where one was found before.
//!
//! Invariants:
//! - A plan is kept for one role: a plan shared by two roles on a table with row security would be planned anew at each
//!   change of role. The number of kept plans is bounded; the one unused for longest goes first.
//! - A plan that was given up is found by nobody any more, and freed once no statement runs: it may be the statement that called us.
//!
//! It does not run them.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;

use fluxbase_query::Values;
use pgrx::pg_sys;

use crate::error::Error;
use crate::variables;

const KEPT_PLANS: usize = 256;
/// The longest statement whose plan is kept, in bytes: a longer one was written by a program and hardly comes again.
const KEPT_SQL: usize = 8192;

thread_local! {
    static PLANS: RefCell<Plans> = RefCell::new(Plans { kept: HashMap::new(), retired: Vec::new(), clock: 0, given_up: 0 });
}

struct Plans {
    kept: HashMap<(pg_sys::Oid, String), Kept>,
    /// Plans that are to be freed as soon as no statement runs.
    retired: Vec<pg_sys::SPIPlanPtr>,
    clock: u64,
    /// How often plans were given up.
    given_up: u64,
}

impl Plans {
    /// Gives plans up: they are freed later, and nobody may find them any more.
    fn retire(&mut self, plans: impl IntoIterator<Item = Kept>) {
        let before = self.retired.len();
        self.retired.extend(plans.into_iter().map(|kept| kept.plan));
        self.given_up += (self.retired.len() - before) as u64;
    }
}

struct Kept {
    plan: pg_sys::SPIPlanPtr,
    types: Vec<pg_sys::Oid>,
    used: Rc<Cell<u64>>,
}

/// Where the kept plan of one statement was found, so that it need not be looked up by its text. It is good for the role that it was
/// found by, as long as no plan at all has been given up since.
#[derive(Default)]
pub struct Found(RefCell<Option<FoundPlan>>);

struct FoundPlan {
    role: pg_sys::Oid,
    given_up: u64,
    plan: pg_sys::SPIPlanPtr,
    used: Rc<Cell<u64>>,
}

/// Gives up every kept plan: roles or memberships changed, and not every version of Postgres notices that a plan depends on
/// them (16.14 keeps the policies of a role that lost BYPASSRLS).
pub(crate) fn forget_plans() {
    PLANS.with_borrow_mut(|plans| {
        let kept = std::mem::take(&mut plans.kept);
        plans.retire(kept.into_values());
    });
}

/// Frees the plans that were given up.
///
/// # Safety
/// No statement of ours runs.
pub(super) unsafe fn free_retired() {
    for plan in PLANS.with_borrow_mut(|plans| std::mem::take(&mut plans.retired)) {
        // SAFETY: a plan that SPI_keepplan kept, freed once; none of them runs.
        unsafe { pg_sys::SPI_freeplan(plan) };
    }
}

/// The plan that was found there before, if it is still kept for the current role.
fn find(found: &Found) -> Option<pg_sys::SPIPlanPtr> {
    let found = found.0.borrow();
    let known = found.as_ref().filter(|known| known.role == variables::GetUserId())?;
    PLANS.with_borrow_mut(|plans| {
        (known.given_up == plans.given_up).then(|| {
            plans.clock += 1;
            known.used.set(plans.clock);
            known.plan
        })
    })
}

/// The kept plan of the statement for the current role, from its place if it was found before, and prepared now when there is none. A plan that is not kept is SPI's, which
/// frees it when the connection ends, also by an error.
///
/// # Safety
/// SPI must be connected.
pub(super) unsafe fn plan_for(
    sql: &str,
    values: Values<'_>,
    place: Option<&Found>,
) -> Result<pg_sys::SPIPlanPtr, Error> {
    if let Some(plan) = place.and_then(find) {
        return Ok(plan);
    }
    // SAFETY: SPI is connected; plans are kept in a memory context of the whole backend, and freed only here.
    unsafe {
        let mut types: Vec<pg_sys::Oid> =
            values.params().iter().map(|param| pg_sys::Oid::from(param.type_oid)).collect();
        if sql.len() > KEPT_SQL {
            return prepare(sql, &mut types);
        }
        let key = (variables::GetUserId(), sql.to_owned());
        let note = |plans: &Plans, plan, used: &Rc<Cell<u64>>| {
            if let Some(place) = place {
                let used = Rc::clone(used);
                place.0.replace(Some(FoundPlan { role: key.0, given_up: plans.given_up, plan, used }));
            }
        };
        let found = PLANS.with_borrow_mut(|plans| {
            plans.clock += 1;
            let clock = plans.clock;
            let kept = plans.kept.get(&key).filter(|kept| kept.types == types)?;
            kept.used.set(clock);
            note(plans, kept.plan, &kept.used);
            Some(kept.plan)
        });
        if let Some(plan) = found {
            return Ok(plan);
        }
        let plan = prepare(sql, &mut types)?;
        if pg_sys::SPI_keepplan(plan) != 0 {
            return Err(Error::internal("SPI_keepplan failed"));
        }
        PLANS.with_borrow_mut(|plans| {
            let used = Rc::new(Cell::new(plans.clock));
            let replaced = plans.kept.insert(key.clone(), Kept { plan, types, used: Rc::clone(&used) });
            let evicted = (plans.kept.len() > KEPT_PLANS)
                .then(|| {
                    plans.kept.iter().min_by_key(|(_, kept)| kept.used.get()).map(|(key, _)| key.clone())
                })
                .flatten()
                .and_then(|oldest| plans.kept.remove(&oldest));
            plans.retire([replaced, evicted].into_iter().flatten());
            note(plans, plan, &used);
        });
        Ok(plan)
    }
}

/// # Safety
/// SPI must be connected.
pub(super) unsafe fn prepare(sql: &str, types: &mut [pg_sys::Oid]) -> Result<pg_sys::SPIPlanPtr, Error> {
    let sql = CString::new(sql).map_err(|_| Error::internal("NUL in a statement"))?;
    // SAFETY: SPI is connected; it copies text and types.
    unsafe {
        let plan = pg_sys::SPI_prepare_cursor(
            sql.as_ptr(),
            types.len() as i32,
            types.as_mut_ptr(),
            pg_sys::CURSOR_OPT_PARALLEL_OK as i32,
        );
        if plan.is_null() {
            let code = pg_sys::SPI_result;
            return Err(Error::internal(&format!("SPI_prepare_cursor returned {code}")));
        }
        Ok(plan)
    }
}
