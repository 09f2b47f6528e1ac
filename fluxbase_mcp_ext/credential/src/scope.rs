//! The nine scopes of the user's document, and sets of them.
//!
//! Scopes are compared whole: there are no wildcards, and a name outside the nine is an error where it is written, never
//! at the moment it is needed.

use std::fmt;
use std::str::FromStr;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Scope {
    /// Query database tables.
    ReadTables,
    /// Insert, update and delete records.
    WriteTables,
    /// Invoke edge functions.
    ExecuteFunctions,
    /// Execute RPC procedures.
    ExecuteRpc,
    /// List and download files.
    ReadStorage,
    /// Upload and delete files.
    WriteStorage,
    /// Submit and monitor jobs.
    ExecuteJobs,
    /// Vector similarity search.
    ReadVectors,
    /// Read the database schema.
    ReadSchema,
}

impl Scope {
    /// Every scope, in the order of the user's document.
    pub const ALL: [Scope; 9] = [
        Scope::ReadTables,
        Scope::WriteTables,
        Scope::ExecuteFunctions,
        Scope::ExecuteRpc,
        Scope::ReadStorage,
        Scope::WriteStorage,
        Scope::ExecuteJobs,
        Scope::ReadVectors,
        Scope::ReadSchema,
    ];

    /// The spelling that people write, such as `read:tables`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::ReadTables => "read:tables",
            Scope::WriteTables => "write:tables",
            Scope::ExecuteFunctions => "execute:functions",
            Scope::ExecuteRpc => "execute:rpc",
            Scope::ReadStorage => "read:storage",
            Scope::WriteStorage => "write:storage",
            Scope::ExecuteJobs => "execute:jobs",
            Scope::ReadVectors => "read:vectors",
            Scope::ReadSchema => "read:schema",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scope name that is none of the nine. The message lists them all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope \"{name}\"; the scopes are {}", Scopes::ALL)]
pub struct UnknownScope {
    /// The name as it was written.
    pub name: String,
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Scope::ALL
            .into_iter()
            .find(|scope| scope.as_str() == name)
            .ok_or_else(|| UnknownScope { name: name.to_owned() })
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scopes(u16);

impl Scopes {
    /// No scope at all.
    pub const NONE: Scopes = Scopes(0);
    /// All nine.
    pub const ALL: Scopes = Scopes((1 << Scope::ALL.len()) - 1);

    /// Whether the set holds `scope`.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether the set holds at least one of `scopes`; true for an empty list, which asks for nothing.
    pub fn has_any(self, scopes: &[Scope]) -> bool {
        scopes.is_empty() || scopes.iter().any(|&scope| self.has(scope))
    }

    /// The scopes that are in both sets.
    pub const fn intersect(self, other: Scopes) -> Scopes {
        Scopes(self.0 & other.0)
    }

    /// The scopes of the set in the order of the document.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |&scope| self.has(scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Scopes(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_reads_back() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse::<Scope>(), Ok(scope));
        }
    }

    #[test]
    fn an_unknown_scope_is_answered_with_the_list() {
        let error = "read:*".parse::<Scope>().unwrap_err().to_string();
        assert!(error.contains("read:tables") && error.contains("read:schema"), "{error}");
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let set: Scopes = [Scope::ReadTables, Scope::ReadSchema].into_iter().collect();
        assert!(set.has(Scope::ReadSchema) && !set.has(Scope::WriteTables));
        assert!(set.has_any(&[Scope::WriteTables, Scope::ReadTables]));
        assert!(!set.has_any(&[Scope::WriteTables]));
        assert_eq!(Scopes::ALL.iter().count(), 9);
        assert_eq!(set.intersect(Scopes::NONE), Scopes::NONE);
    }
}
