//! What all questions share: a cluster with the two databases, a listener for each, and a PostgREST.

use std::sync::{Mutex, OnceLock};

use fluxbase_tests::random::secret;
use fluxbase_tests::{Client, Cluster, Era, Key, Listener, TENANT_A};

use crate::analyst;
use crate::postgrest::Postgrest;

/// The role on both sides.
pub const ROLE: &str = "authenticated";

/// The database of `fixture.sql`.
pub struct Stage {
    /// Kept alive; nothing else here owns the server.
    _cluster: Cluster,
    listener: Listener,
    key: Key,
    /// The other side.
    pub postgrest: Postgrest,
    /// The superuser's connection. Whoever holds it may write to the tables `w_…`.
    pub admin: Mutex<postgres::Client>,
    /// The real data set.
    pub analyst: analyst::Data,
}

/// The shared server, started by whoever comes first.
pub fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(Stage::start)
}

/// Sets up the extension in a database of the cluster and gives the listener's connection string.
pub fn with_extension(cluster: &Cluster, database: &str, sql: &str) -> String {
    cluster.create_database(database);
    let password = secret();
    let mut admin = cluster.admin(database);
    for sql in [
        "CREATE EXTENSION fluxbase_mcp_ext",
        "SELECT mcp.setup_roles()",
        "SELECT mcp.install()",
        sql,
        &format!("GRANT CONNECT ON DATABASE {database} TO {ROLE}"),
    ] {
        admin.batch_execute(sql).unwrap_or_else(|error| panic!("{error:?} in: {sql:.200}"));
    }
    // The role is one for the whole cluster, so each database has a listener's role of its own.
    let role = format!("listener_of_{database}");
    admin
        .query("SELECT mcp.setup_listener($1, $2)", &[&role, &password])
        .unwrap_or_else(|error| panic!("the listener's role: {error:?}"));
    cluster.url(&role, &password, database)
}

impl Stage {
    fn start() -> Stage {
        let cluster = Cluster::start("mcp.max_result_chars = 4000000");
        let url = with_extension(&cluster, "films", include_str!("fixture.sql"));
        let listener = Listener::start(&cluster, &url, &[]);
        let scopes = ["--scopes", "read:tables,write:tables,read:schema"];
        let key = fluxbase_tests::keys::create_key(
            &cluster.admin_url("films"),
            "clientkeys",
            &[&["--name", "differential", "--user", TENANT_A, "--role", ROLE], &scopes[..]].concat(),
        );
        let mut admin = cluster.admin("films");
        let postgrest = Postgrest::start(&cluster, "films", &mut admin);
        let analyst = analyst::Data::load(&cluster);
        Stage { _cluster: cluster, listener, key, postgrest, admin: Mutex::new(admin), analyst }
    }

    /// A client of the tools, in the newest era: its answers are structured.
    pub fn tools(&self) -> Client {
        self.listener.client(&self.key).era(Era::Modern)
    }
}
