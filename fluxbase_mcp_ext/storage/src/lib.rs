//! Stored objects, as far as that needs no Postgres: which names they may have, what type their bytes are, how a list is put into folders,
//! where a part of a text ends.
//!
//! | Module | Does |
//! |---|---|
//! | [`name`] | Keys of objects, and their URIs. |
//! | [`kind`] | Media types: given, or told from the bytes; which of them are text. |
//! | [`page`] | A page of a list, with a delimiter. |
//! | [`part`] | Parts of an object, without cutting characters in two. |
//!
//! Invariants: a key is compared byte by byte, never normalised and never folded; nothing here reads or writes anything. It does not know
//! who may see what: Postgres does.

pub mod kind;
pub mod name;
pub mod page;
pub mod part;
