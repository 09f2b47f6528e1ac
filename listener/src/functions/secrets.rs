//! Secrets of functions, as `functions.secrets` has them: read by this runtime, handed to the processes that they are for.
//!
//! Invariants:
//! - A function gets those of its own namespace and those of all, as `FLUXBASE_SECRET_NAME`; its namespace's wins. Nobody else gets any.
//! - No value reaches a log or an error: nothing here can be shown.
//! - While Postgres is away the functions keep what was read last.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::Client;

use crate::connection::{Connection, reason};
use crate::database::Target;

/// How often they are read.
const LOOK: Duration = Duration::from_secs(5);
/// Time for reading them.
const PATIENCE: Duration = Duration::from_secs(30);
const READ: &str = "SELECT s.namespace, s.name, s.value FROM functions.secrets AS s";

/// Variables by their names.
pub(super) type Variables = BTreeMap<String, String>;

/// What was read last.
#[derive(Default)]
pub(crate) struct Secrets {
    /// By namespace; none: for all.
    all: RwLock<BTreeMap<Option<String>, Variables>>,
}

impl Secrets {
    /// The variables of a function: `hello` is one of the namespace `default`.
    pub(super) fn of(&self, title: &str) -> Variables {
        let namespace = title.split_once('/').map_or("default", |(namespace, _)| namespace);
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let mut variables = all.get(&None).cloned().unwrap_or_default();
        variables.extend(all.get(&Some(namespace.to_owned())).cloned().unwrap_or_default());
        variables
    }

    fn set(&self, rows: impl IntoIterator<Item = (Option<String>, String, String)>) {
        let mut all: BTreeMap<_, Variables> = BTreeMap::new();
        for (namespace, name, value) in rows {
            all.entry(namespace).or_default().insert(format!("FLUXBASE_SECRET_{name}"), value);
        }
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.read().unwrap_or_else(PoisonError::into_inner).values().map(BTreeMap::len).sum()
    }

    async fn read(&self, client: &Client) -> Result<(), String> {
        let rows = tokio::time::timeout(PATIENCE, client.query(READ, &[])).await;
        let rows = rows.map_err(|_| "no answer".to_owned())?.map_err(|error| reason(&error))?;
        let row = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let rows: Result<Vec<_>, tokio_postgres::Error> = rows.iter().map(row).collect();
        self.set(rows.map_err(|error| reason(&error))?);
        Ok(())
    }
}

/// Where they are read.
pub(crate) struct Source {
    target: Arc<Target>,
    client: Option<Client>,
    secrets: Arc<Secrets>,
}

impl Source {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub(crate) async fn open(target: Target) -> Result<Source, String> {
        let mut source = Source { target: Arc::new(target), client: None, secrets: Arc::default() };
        source.look().await?;
        Ok(source)
    }

    /// What has been read.
    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        self.secrets.clone()
    }

    /// Whether the login role could do everything.
    pub(crate) async fn is_superuser(&self) -> bool {
        let Some(client) = &self.client else { return false };
        let row = client.query_one("SELECT pg_catalog.current_setting('is_superuser')", &[]).await;
        row.and_then(|row| row.try_get::<_, String>(0)).is_ok_and(|value| value == "on")
    }

    async fn look(&mut self) -> Result<(), String> {
        let client = match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => {
                let client = tokio::time::timeout(PATIENCE, Connection::client(&self.target)).await;
                client.map_err(|_| "no connection".to_owned())?.map_err(|error| error.to_string())?
            }
        };
        self.secrets.read(&client).await?;
        self.client = Some(client);
        Ok(())
    }

    /// Reads them again and again, for ever.
    pub(crate) async fn watch(mut self) {
        let mut well = true;
        loop {
            sleep(LOOK).await;
            match self.look().await {
                Ok(()) => well = true,
                Err(why) => {
                    if well {
                        tracing::warn!(
                            reason = why,
                            "cannot read the secrets: functions keep those that were read last"
                        );
                    }
                    well = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_gets_those_of_its_namespace_and_of_all() {
        let secrets = Secrets::default();
        let row = |namespace: Option<&str>, name: &str, value: &str| {
            (namespace.map(str::to_owned), name.to_owned(), value.to_owned())
        };
        secrets.set([
            row(None, "A", "everybody's"),
            row(None, "B", "everybody's"),
            row(Some("team"), "B", "team's"),
            row(Some("default"), "C", "default's"),
            row(Some("tea"), "D", "tea's"),
        ]);
        let of = |title: &str| {
            let variables = secrets.of(title).into_iter();
            variables.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(of("team/x"), ["FLUXBASE_SECRET_A=everybody's", "FLUXBASE_SECRET_B=team's"]);
        assert_eq!(
            of("x"),
            ["FLUXBASE_SECRET_A=everybody's", "FLUXBASE_SECRET_B=everybody's", "FLUXBASE_SECRET_C=default's"]
        );
        assert_eq!(of("other/team"), ["FLUXBASE_SECRET_A=everybody's", "FLUXBASE_SECRET_B=everybody's"]);
        secrets.set([]);
        assert_eq!(of("team/x"), [""; 0]);
    }
}
