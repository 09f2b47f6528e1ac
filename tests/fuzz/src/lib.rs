//! What callers send that almost makes sense, most of all calls of the query crate, and what must be true of every answer.
//!
//! ```text
//! generate  calls out of the grammar, about the tables of fixture.sql, mostly right
//! mutate    calls made worse: tokens and bytes moved, doubled, exchanged
//! target    runs one input; check says what must be true of each error and each statement
//! door      messages of JSON-RPC, keys, frames of the delegate worker, and what must be true of them
//! ```
//!
//! Three users: the program `fuzz` (`make fuzz`) without a Postgres, guided by coverage; `tests/seeded.rs`, a short run of the same
//! in `make test`; and the client-side tests, where a real Postgres prepares and runs what was accepted.

pub mod catalog;
pub mod check;
pub mod door;
pub mod generate;
pub mod mutate;
pub mod random;
pub mod target;

pub use catalog::World;
pub use random::Random;
pub use target::{Kind, Outcome};

/// The tables, for an empty database.
pub const FIXTURE: &str = include_str!("../fixture.sql");

/// The catalog of [`FIXTURE`] as `fuzz_all` sees it, read from a Postgres once. FLUXBASE_FUZZ_CATALOG=1 make test-e2e writes it anew.
pub const CATALOG: &str = include_str!("../catalog.json");

/// Inputs that are worth starting from, one a line, by the name of their target.
pub const CORPUS: [(Kind, &str); 11] = [
    (Kind::Query, include_str!("../corpus/query.txt")),
    (Kind::Insert, include_str!("../corpus/insert.txt")),
    (Kind::Update, include_str!("../corpus/update.txt")),
    (Kind::Delete, include_str!("../corpus/delete.txt")),
    (Kind::Batch, include_str!("../corpus/batch.txt")),
    (Kind::Cursor, include_str!("../corpus/cursor.txt")),
    (Kind::TableName, include_str!("../corpus/table_name.txt")),
    (Kind::Stored, include_str!("../corpus/stored.txt")),
    (Kind::Envelope, include_str!("../corpus/envelope.txt")),
    (Kind::Key, include_str!("../corpus/key.txt")),
    (Kind::Frame, include_str!("../corpus/frame.txt")),
];

/// The inputs of a corpus file.
pub fn inputs(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}
