//! The database that tests work on: the extension, its roles, tables of two tenants, and tables that misbehave.

use crate::cluster::Cluster;
use crate::keys::{Key, create_key};
use crate::random::secret;

/// The user of the first tenant.
pub const TENANT_A: &str = "00000000-0000-4000-8000-00000000000a";
/// The user of the second tenant.
pub const TENANT_B: &str = "00000000-0000-4000-8000-00000000000b";

/// A database that is set up.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The superuser's connection.
    pub admin_url: String,
    /// The listener's connection.
    pub listener_url: String,
    /// The listener's password.
    pub listener_password: String,
}

impl Database {
    /// Makes the database, the extension and the tables of `fixture.sql` in a cluster that has no listener role yet.
    pub fn create(cluster: &Cluster, name: &str) -> Database {
        cluster.create_database(name);
        let password = secret();
        let mut admin = cluster.admin(name);
        admin.batch_execute("CREATE EXTENSION fluxbase_mcp_ext").expect("the extension can be created");
        for sql in ["SELECT mcp.setup_roles()", "SELECT mcp.install()"] {
            admin.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        admin.query("SELECT mcp.setup_listener(password => $1)", &[&password]).expect("the listener's role");
        admin
            .batch_execute(include_str!("fixture.sql"))
            .unwrap_or_else(|error| panic!("fixture.sql: {error}"));
        Database {
            name: name.to_owned(),
            admin_url: cluster.admin_url(name),
            listener_url: cluster.url("fluxbase_listener", &password, name),
            listener_password: password,
        }
    }

    /// Another database `second` in a cluster that is set up: the extension and what it installs, no tables.
    pub fn create_second(cluster: &Cluster) -> Database {
        let name = "second";
        cluster.create_database(name);
        cluster
            .admin(name)
            .batch_execute("CREATE EXTENSION fluxbase_mcp_ext; SELECT mcp.install('{auth,jobs}')")
            .expect("the extension can be created");
        Database {
            name: name.to_owned(),
            admin_url: cluster.admin_url(name),
            listener_url: String::new(),
            listener_password: String::new(),
        }
    }

    /// A client key of a user who may read and write tables and read the schema.
    pub fn tenant_key(&self, name: &str, user: &str) -> Key {
        self.client_key(&["--name", name, "--user", user, "--scopes", "read:tables,write:tables,read:schema"])
    }

    /// A client key by the command line's arguments.
    pub fn client_key(&self, arguments: &[&str]) -> Key {
        create_key(&self.admin_url, "clientkeys", arguments)
    }

    /// A service key.
    pub fn service_key(&self, name: &str) -> Key {
        create_key(&self.admin_url, "servicekeys", &["--name", name])
    }

    /// A connection as superuser.
    pub fn admin(&self) -> postgres::Client {
        crate::cluster::connect(&self.admin_url).expect("the superuser may log in")
    }
}
