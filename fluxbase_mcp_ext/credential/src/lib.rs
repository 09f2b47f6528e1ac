//! Keys and scopes, without Postgres: what the listener, the extension and the command line agree on.
//!
//! Invariants:
//! - The secret of a key is shown by [`Key::reveal`] and by nothing else: `Debug` and the errors never contain it.
//! - What travels to Postgres is `h1 = SHA-256(secret)`; what is stored is `SHA-256(h1)`. A dump of the key table can
//!   therefore not be replayed, and neither can a server log that lacks the parameter.
//! - Comparison of verifiers takes the same time for every input of the right length.
//!
//! It does not know which keys exist, whom they stand for or whether they have expired: see `identity` in the extension.

mod key;
mod scope;

pub use key::{Credential, Key, KeyError, Kind, WIRE_LEN, verifier_of_h1};
pub use scope::{Scope, Scopes, UnknownScope};
