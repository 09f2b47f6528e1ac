//! What knowledge bases need without Postgres: documents to chunks ([`Chunking`]), and what is said to an endpoint that makes vectors
//! of many texts, what it answers, and when it is asked again ([`embeddings`]).
//!
//! Nothing here reads a table, opens a connection or knows whose a text is.

mod chunk;
pub mod embeddings;

pub use chunk::{Chunk, Chunking, MOST_SIZE, Strategy, Unusable};
