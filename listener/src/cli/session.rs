//! One connection for one command.

use std::sync::Arc;

use tokio_postgres::Client;

use super::failure::Failure;
use crate::connection::Connection;
use crate::database::Target;

pub(super) struct Session {
    pub(super) target: Arc<Target>,
    client: Client,
}

impl Session {
    /// Connects. `url` is the value of `--database-url`.
    pub(super) async fn open(url: Option<&str>) -> Result<Session, Failure> {
        const WAYS: &str = "Give the database with --database-url postgres://user:password@host:5432/database, with \
                            FLUXBASE_DATABASE_URL, or with PGHOST, PGPORT, PGUSER, PGDATABASE and PGPASSWORD.";
        let target = Arc::new(Target::find(url).map_err(|error| Failure::new(error.to_string()).hint(WAYS))?);
        match Connection::client(&target).await {
            Ok(client) => Ok(Session { target, client }),
            Err(error) => {
                Err(Failure::new(format!("cannot connect to Postgres at {target}: {error}")).hint(WAYS))
            }
        }
    }

    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}
