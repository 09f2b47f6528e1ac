//! The same questions to PostgREST 12.0.2 and to the tools, on one cluster, as one role with one user: the rows must be equal.
//!
//! PostgREST is the real program out of a package that nobody here wrote. `docs/postgrest.md` lists the items of its
//! documentation with the names of these tests. Where the two differ by decision, a question says so with its reason and with the
//! rows that the tool gives instead; it fails when they stop to differ. [`analyst`] asks a real data set, against SQL by hand.

mod aggregates;
mod analyst;
mod columns;
mod compare;
mod embedding;
mod logic;
mod made_up;
mod names;
mod not_offered;
mod operators;
mod ordering;
mod page;
mod paging;
mod postgrest;
mod question;
mod refusals;
mod shaping;
mod stage;
mod writes;
