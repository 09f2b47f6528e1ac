//! Plans of reads, kept for calls of the same shape.
//!
//! Invariants:
//! - A plan is found again only by the same role with the same rights over schemas, the same form of answer and the same settings: all of
//!   them are part of its key.
//! - Every message of Postgres that a relation, a role, a schema or a type changed drops all of them: [`forget`] is called where
//!   descriptions of tables are dropped. A plan of a table that was found beyond `public` without its schema is not kept, since a table
//!   made there later would be meant.
//! - The number is bounded; the one unused for longest goes.
//!
//! What a shape is, and why calls of one shape have one plan, is in `fluxbase_query::Shape`. What is kept here is our plan; Postgres's own is kept
//! by `statement`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use fluxbase_query::{Kept, Shape};

use crate::catalog::Described;
use crate::dispatch::Request;
use crate::statement::{Found, push_integer};
use crate::{gucs, identity};

const MOST: usize = 256;

/// A read, ready to run.
pub struct Planned {
    /// The statement and what belongs to it.
    pub kept: Kept,
    /// The table.
    pub described: Rc<Described>,
    /// The bound of the answer in characters.
    pub max_chars: usize,
    /// Whether the call says how many rows it wants.
    pub asked: bool,
    /// Whether the call pages by a cursor.
    pub pages: bool,
    /// Where Postgres's plan of the statement is.
    pub found: Found,
}

thread_local! {
    static PLANNED: RefCell<All> = RefCell::new(All { known: HashMap::new(), clock: 0 });
}

struct All {
    known: HashMap<String, (Rc<Planned>, u64)>,
    clock: u64,
}

/// The shape of a call's arguments, for this caller.
pub fn shape<'a>(request: &Request<'a>) -> Option<Shape<'a>> {
    let mut who = String::with_capacity(96);
    for number in [
        i64::from(identity::current_role().to_u32()),
        i64::from(request.identity.admin),
        i64::from(request.structured),
        gucs::max_rows() as i64,
        gucs::max_result_chars() as i64,
    ] {
        push_integer(&mut who, number);
        who.push(' ');
    }
    for setting in [gucs::search_schemas(), gucs::hidden_schemas()] {
        who.push('\u{1}');
        who.push_str(&setting);
    }
    who.push('\u{1}');
    Shape::of(&who, request.arguments?)
}

/// The plan for calls of this shape.
pub fn find(shape: &Shape<'_>) -> Option<Rc<Planned>> {
    PLANNED.with_borrow_mut(|all| {
        all.clock += 1;
        let (planned, used) = all.known.get_mut(shape.key())?;
        *used = all.clock;
        Some(Rc::clone(planned))
    })
}

/// Keeps a plan.
pub fn remember(shape: &Shape<'_>, planned: &Rc<Planned>) {
    PLANNED.with_borrow_mut(|all| {
        if all.known.len() >= MOST
            && let Some(oldest) =
                all.known.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone())
        {
            all.known.remove(&oldest);
        }
        all.known.insert(shape.key().to_owned(), (Rc::clone(planned), all.clock));
    });
}

/// Drops all plans.
pub fn forget() {
    PLANNED.with_borrow_mut(|all| all.known.clear());
}
