//! The text of a stored statement, as far as it needs no Postgres: the annotations in its leading comments, and its `$name`
//! parameters.
//!
//! Invariants:
//! - A text is divided as Postgres's lexer divides it (`scan.l`, with `standard_conforming_strings` on): what stands in a string, a
//!   quoted name, a comment or a dollar quote is no parameter, and a parameter is nothing else.
//! - A value never becomes part of the text. A parameter becomes `$1`, `$2`, …, one number for each name.
//! - An annotation that is not understood is an error.
//!
//! It does not parse SQL: whether there is one statement, what it reads, and the types are for Postgres to say.

mod annotations;
mod parameters;

pub use annotations::{Annotations, Field, annotations};
pub use parameters::{Parameters, parameters};
