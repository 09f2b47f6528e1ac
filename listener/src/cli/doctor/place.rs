//! The way to Postgres, and what is there: reachable or why not, extension, versions, what the login may do.

use std::io::ErrorKind;
use std::sync::Arc;

use tokio_postgres::Client;

use super::{Finding, failed};
use crate::config::Config;
use crate::connection::{Connection, Unreachable};
use crate::database::Target;

const WAYS: &str = "Give the database with --database-url postgres://user:password@host:5432/database, with FLUXBASE_DATABASE_URL, \
                    or with PGHOST, PGPORT, PGUSER, PGDATABASE and PGPASSWORD.";

/// A database that was reached.
pub(super) struct Place {
    pub(super) client: Client,
    /// The extension is there.
    pub(super) installed: bool,
    /// The login may execute `mcp.doctor`.
    pub(super) may_doctor: bool,
    /// The login may execute `mcp._serve`.
    pub(super) may_serve: bool,
    user: String,
}

/// All in one question, so that a login without any right can answer it, too.
const LOOK: &str = "
SELECT e.extversion::text, a.default_version::text, pg_catalog.current_database()::text, current_user::text,
       pg_catalog.pg_encoding_to_char(d.encoding)::text, coalesce(s.ssl, false), coalesce(s.version, '')::text,
       coalesce(pg_catalog.inet_client_addr() <<= '127.0.0.0/8' OR pg_catalog.inet_client_addr() = '::1', true),
       coalesce((SELECT pg_catalog.bool_or(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) FROM pg_catalog.pg_proc AS p
                  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'mcp' AND p.proname = 'doctor'), false),
       coalesce((SELECT pg_catalog.bool_or(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) FROM pg_catalog.pg_proc AS p
                  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'mcp' AND p.proname = '_serve'), false)
  FROM pg_catalog.pg_database AS d
       LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = 'fluxbase_mcp_ext'
       LEFT JOIN pg_catalog.pg_available_extensions AS a ON a.name = 'fluxbase_mcp_ext'
       LEFT JOIN pg_catalog.pg_stat_ssl AS s ON s.pid = pg_catalog.pg_backend_pid()
 WHERE d.datname = pg_catalog.current_database()";

/// Connects and looks around.
pub(super) async fn reach(url: Option<&str>, findings: &mut Vec<Finding>) -> Option<Place> {
    let target = match Target::find(url) {
        Ok(target) => Arc::new(target),
        Err(error) => {
            findings.push(Finding::new("error", "connection", error.to_string()).remedy(WAYS));
            return None;
        }
    };
    let client = match Connection::client(&target).await {
        Ok(client) => client,
        Err(error) => {
            let told = format!("cannot connect to Postgres at {target}: {error}");
            findings.push(Finding::new("error", "connection", told).remedy(remedy(&error, &target)));
            return None;
        }
    };
    match look(client, &target, findings).await {
        Ok(place) => Some(place),
        Err(error) => {
            findings.push(failed("connection", &error));
            None
        }
    }
}

/// What helps against a connection that does not come about.
fn remedy(error: &Unreachable, target: &Target) -> String {
    match error {
        Unreachable::Socket(error) => match error.kind() {
            ErrorKind::ConnectionRefused => "Nothing listens there. Start Postgres, or mend host and port; for connections from other machines \
                                             Postgres needs listen_addresses."
                .to_owned(),
            ErrorKind::TimedOut => "Nobody answers. A firewall between, or a wrong host?".to_owned(),
            ErrorKind::NotFound => "No server has its socket there. Start Postgres, or give its unix_socket_directories as the host.".to_owned(),
            ErrorKind::PermissionDenied => "This user may not enter the folder of the socket. Use TCP: a host such as 127.0.0.1.".to_owned(),
            _ => format!("Mend the host. {WAYS}"),
        },
        Unreachable::Postgres(_) | Unreachable::Failed(_) => match error.code() {
            Some("28P01") => "The password is wrong, or the role has none. For the listener's role: fluxbase init --new-password".to_owned(),
            Some("28000") => format!(
                "pg_hba.conf has no line for this, or the role may not log in. A line such as: host  all  {}  127.0.0.1/32  scram-sha-256; then SELECT pg_reload_conf();",
                target.config.get_user().unwrap_or("all")
            ),
            Some("3D000") => "There is no such database. CREATE DATABASE, or mend the name in the URL.".to_owned(),
            Some("42501") => format!(
                "GRANT CONNECT ON DATABASE \"{}\" TO \"{}\";",
                target.config.get_dbname().unwrap_or_default().replace('"', "\"\""),
                target.config.get_user().unwrap_or_default().replace('"', "\"\"")
            ),
            Some("53300") => "Postgres has no connection left. Raise max_connections, or lower listener.pool_size.".to_owned(),
            Some(code) if code.starts_with("57P") => "Postgres is starting or stopping. Try again in a moment.".to_owned(),
            Some(_) => WAYS.to_owned(),
            None => "Check password and TLS: sslmode=disable, prefer, require or verify-full in the URL, sslrootcert for the certificate \
                     authority."
                .to_owned(),
        },
        Unreachable::WrongKind => "target_session_attrs in the URL wants another kind of server (read-write: the primary).".to_owned(),
    }
}

async fn look(
    client: Client,
    target: &Target,
    findings: &mut Vec<Finding>,
) -> Result<Place, tokio_postgres::Error> {
    let row = client.query_one(LOOK, &[]).await?;
    let installed: Option<String> = row.try_get(0)?;
    let available: Option<String> = row.try_get(1)?;
    let (database, user, encoding): (String, String, String) =
        (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    let (encrypted, version, near): (bool, String, bool) =
        (row.try_get(5)?, row.try_get(6)?, row.try_get(7)?);
    let way = if encrypted { version } else { "no TLS".to_owned() };
    let connected = format!("connected to {target} ({way})");
    findings.push(if encrypted || near {
        Finding::new("ok", "connection", connected)
    } else {
        Finding::new("warn", "connection", format!("{connected}: rows and keys can be read on the way"))
            .remedy("Add sslmode=verify-full and sslrootcert=... to the URL; Postgres needs ssl = on.")
    });
    match (&installed, &available) {
        (Some(installed), _) => findings.push(versions(installed, &database)),
        (None, Some(_)) => findings.push(
            Finding::new("error", "extension", format!("the extension fluxbase_mcp_ext is not in database {database}"))
                .remedy("As a superuser run: fluxbase init, or in SQL: CREATE EXTENSION fluxbase_mcp_ext;"),
        ),
        (None, None) => findings.push(
            Finding::new("error", "extension", "the extension fluxbase_mcp_ext is not installed in this Postgres").remedy(
                "On the database server run: make install PG_CONFIG=/path/to/pg_config, then as a superuser: fluxbase init",
            ),
        ),
    }
    if installed.is_none() && encoding != "UTF8" {
        findings.push(
            Finding::new(
                "error",
                "extension",
                format!("database {database} has the encoding {encoding}; the extension needs UTF8"),
            )
            .remedy("Move to a database made with: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0;"),
        );
    }
    let (may_doctor, may_serve) = (row.try_get(8)?, row.try_get(9)?);
    Ok(Place { client, installed: installed.is_some(), may_doctor, may_serve, user })
}

/// The numbers of a version; what follows them does not count.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split(['-', '+'])
        .next()
        .unwrap_or_default()
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

/// This program against the SQL objects in the database.
fn versions(installed: &str, database: &str) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    let told = format!("fluxbase is {own}, the extension in database {database} is {installed}");
    match numbers(own).cmp(&numbers(installed)) {
        std::cmp::Ordering::Equal => Finding::new("ok", "extension", told),
        std::cmp::Ordering::Greater => Finding::new("warn", "extension", told)
            .remedy("Install the new library (make install), restart Postgres, then: ALTER EXTENSION fluxbase_mcp_ext UPDATE;"),
        std::cmp::Ordering::Less => {
            Finding::new("warn", "extension", told).remedy(format!("Install fluxbase {installed} and restart fluxbase serve."))
        }
    }
}

/// Whether the library can be loaded and is that of the SQL objects, for logins that may not run `mcp.doctor`, which says it too.
pub(super) async fn library(place: &Place) -> Option<Finding> {
    let sql = "SELECT mcp.version()::text, extversion::text FROM pg_catalog.pg_extension WHERE extname = 'fluxbase_mcp_ext'";
    match place.client.query_one(sql, &[]).await.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?))) {
        Ok((library, installed)) => {
            let (library, installed): (String, String) = (library, installed);
            if numbers(&library) == numbers(&installed) {
                return None;
            }
            let told = format!("the library is version {library}, its SQL objects in this database are {installed}");
            Some(Finding::new("error", "extension", told).remedy(
                "Restart Postgres if the library is the older one, else: ALTER EXTENSION fluxbase_mcp_ext UPDATE;",
            ))
        }
        Err(error) => Some(failed("extension", &error).remedy(
            "If the library cannot be loaded, its file is gone: on the database server run make install PG_CONFIG=/path/to/pg_config",
        )),
    }
}

/// What it means that the login is no administrator.
pub(super) fn rights(place: &Place) -> Vec<Finding> {
    let user = &place.user;
    if place.may_serve {
        return vec![
            Finding::new("ok", "login", format!("{user} may call the listener's entry")),
            Finding::new("warn", "login", format!("{user} is a listener's login: the checks inside the database were left out"))
                .remedy("Run it again as superuser or member of mcp_admin: fluxbase doctor --database-url postgres://ADMIN@..."),
        ];
    }
    vec![
        Finding::new(
            "error",
            "login",
            format!("{user} may neither call the listener's entry nor run mcp.doctor"),
        )
        .remedy(
            "For a listener: SELECT mcp.setup_listener(); for an administrator: GRANT mcp_admin TO the role.",
        ),
    ]
}

/// Whether Postgres has room for the listener's connections.
pub(super) async fn connections(place: &mut Place, config: &Config) -> Option<Finding> {
    let sql = "SELECT pg_catalog.current_setting('max_connections')::int8 - pg_catalog.current_setting('superuser_reserved_connections')::int8";
    let room: i64 = match place.client.query_one(sql, &[]).await.and_then(|row| row.try_get(0)) {
        Ok(room) => room,
        Err(error) => return Some(failed("connections", &error)),
    };
    // One more for the health check, one to end what does not obey.
    let wanted = config.listener.pool_size + config.listener.reserved_connections + 2;
    (wanted as i64 > room).then(|| {
        Finding::new(
            "warn",
            "connections",
            format!("fluxbase serve may open {wanted} connections and Postgres has {room} for all"),
        )
        .remedy("Lower listener.pool_size, or raise max_connections and restart Postgres.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("0.10.0") > numbers("0.9.9") && numbers("1.0.0-beta.1") == numbers("1.0.0"));
        assert_eq!(versions(env!("CARGO_PKG_VERSION"), "d").level, "ok");
        assert!(versions("0.0.1", "d").remedy.unwrap().contains("ALTER EXTENSION"));
        assert!(versions("999.0.0", "d").remedy.unwrap().contains("Install fluxbase 999.0.0"));
    }

    #[tokio::test]
    async fn each_way_to_fail_has_its_remedy() {
        async fn tried(url: &str) -> Finding {
            let mut findings = Vec::new();
            assert!(reach(Some(url), &mut findings).await.is_none());
            findings.pop().unwrap()
        }
        for (url, finding, remedy) in [
            ("postgres://u:hunter2@127.0.0.1:1/d", "127.0.0.1:1", "Start Postgres"),
            ("postgres://u:hunter2@no-such-host.invalid/d", "no-such-host.invalid", "Mend the host"),
            ("postgres://u:hunter2@/d?host=/no/such/folder", "/no/such/folder", "unix_socket_directories"),
            ("postgres://u:hunter2@h:port/d", "cannot be read", "postgres://user:password@host"),
        ] {
            let found = tried(url).await;
            assert_eq!(found.level, "error", "{url}");
            assert!(found.finding.contains(finding), "{url}: {}", found.finding);
            assert!(
                found.remedy.as_deref().unwrap_or_default().contains(remedy),
                "{url}: {:?}",
                found.remedy
            );
            assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        }
    }
}
