//! Where Postgres is: `--database-url`, then `FLUXBASE_DATABASE_URL`, then the `PG*` variables, then libpq's defaults.
//!
//! What a URL leaves out comes from the `PG*` variables, as with libpq (but a host in a URL without a port means 5432). A [`Target`] never shows its password: its
//! `Display` is for logs and errors. It does not connect: see [`crate::connection`].

use std::fmt;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls::{self, Trust};

/// Everything that is needed to connect.
#[derive(Clone)]
pub struct Target {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
    /// Hot standbys of this server.
    pub(crate) standbys: Vec<Target>,
}

/// What is wrong with the description of the database. The password is never part of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadTarget(String);

impl Target {
    /// Finds the database from `url` (the value of `--database-url`) and the process environment.
    pub fn find(url: Option<&str>) -> Result<Target, BadTarget> {
        Target::from_parts(url, &|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The same with an environment of the caller's choice.
    pub fn from_parts(url: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Target, BadTarget> {
        let url = url.map(str::to_owned).or_else(|| env("FLUXBASE_DATABASE_URL"));
        let (text, mut ssl) = match &url {
            Some(url) => split_ssl(url)?,
            None => (String::new(), Ssl::default()),
        };
        let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
            // The error of the parser names the option, never its value.
            BadTarget(format!(
                "the database URL cannot be read: {}. Write postgres://user:password@host:5432/database",
                crate::connection::reason(&error)
            ))
        })?;
        fill(&mut config, env)?;
        ssl.mode = ssl.mode.or_else(|| env("PGSSLMODE"));
        ssl.root = ssl.root.or_else(|| env("PGSSLROOTCERT"));
        let (mode, trust) = ssl.decide()?;
        config.ssl_mode(mode);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_application_name().is_none() {
            config.application_name("fluxbase");
        }
        let tls = tls::connector(&trust).map_err(BadTarget)?;
        Ok(Target { config, tls, standbys: Vec::new() })
    }

    /// The same target with hot standbys. What a URL leaves out (user, password, database, TLS) is as in this one, so that a settings file
    /// can name standbys without a secret.
    pub fn with_standbys(mut self, urls: &[String]) -> Result<Target, BadTarget> {
        let standbys = urls.iter().enumerate().map(|(at, url)| {
            self.standby(url).map_err(|BadTarget(why)| {
                BadTarget(format!("listener.replica_urls, entry {}: {why}", at + 1))
            })
        });
        self.standbys = standbys.collect::<Result<_, _>>()?;
        Ok(self)
    }

    fn standby(&self, url: &str) -> Result<Target, BadTarget> {
        let (rest, ssl) = split_ssl(url)?;
        let is_url = rest.starts_with("postgres://") || rest.starts_with("postgresql://");
        let named: Config = rest
            .parse()
            .ok()
            .filter(|named: &Config| {
                is_url && !(named.get_hosts().is_empty() && named.get_hostaddrs().is_empty())
            })
            .ok_or_else(|| {
                BadTarget("it must be a URL with a host, such as postgres://standby:5432".to_owned())
            })?;
        let user = named.get_user().or(self.config.get_user()).map(str::to_owned);
        let database = self.config.get_dbname().map(str::to_owned);
        let mut standby = Target::from_parts(Some(url), &|name| match name {
            "PGUSER" => user.clone(),
            "PGDATABASE" => database.clone(),
            _ => None,
        })?;
        if named.get_password().is_none()
            && user.as_deref() == self.config.get_user()
            && let Some(password) = self.config.get_password()
        {
            standby.config.password(password);
        }
        if ssl.mode.is_none() && ssl.root.is_none() {
            standby.config.ssl_mode(self.config.get_ssl_mode());
            standby.tls = self.tls.clone();
        }
        if named.get_application_name().is_none()
            && let Some(name) = self.config.get_application_name()
        {
            standby.config.application_name(name);
        }
        Ok(standby)
    }

    /// The same target whose connections start with these settings. Options of the URL win over them.
    pub(crate) fn with_settings(mut self, settings: &[(&str, String)]) -> Target {
        // Postgres splits the options at spaces; a backslash keeps one (pg_split_opts).
        let escaped = |value: &str| value.replace('\\', "\\\\").replace(' ', "\\ ");
        let mut options: Vec<String> =
            settings.iter().map(|(name, value)| format!("-c {name}={}", escaped(value))).collect();
        options.extend(self.config.get_options().map(str::to_owned));
        self.config.options(options.join(" "));
        self.standbys = self.standbys.into_iter().map(|standby| standby.with_settings(settings)).collect();
        self
    }

    /// A connection string for another login role of the same database.
    pub(crate) fn url_for(&self, user: &str, password: Option<&str>, database: &str) -> String {
        let password = password.map(|text| format!(":{}", percent(text))).unwrap_or_default();
        let login = format!("{}{password}", percent(user));
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        match self.config.get_hosts().first() {
            Some(Host::Unix(path)) => format!(
                "postgres://{login}@/{}?host={}&port={port}",
                percent(database),
                percent(&path.to_string_lossy())
            ),
            Some(Host::Tcp(host)) => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                format!("postgres://{login}@{host}:{port}/{}", percent(database))
            }
            None => format!("postgres://{login}@localhost:{port}/{}", percent(database)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let comma = if at > 0 { ", " } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(path) => write!(f, "{comma}{}/.s.PGSQL.{port}", path.display())?,
            }
        }
        if let Some(database) = self.config.get_dbname() {
            write!(f, ", database {database}")?;
        }
        if let Some(user) = self.config.get_user() {
            write!(f, ", user {user}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// What the URL leaves out.
fn fill(config: &mut Config, env: &dyn Fn(&str) -> Option<String>) -> Result<(), BadTarget> {
    if config.get_ports().is_empty() {
        let port = match env("PGPORT") {
            Some(text) => text.parse().map_err(|_| {
                BadTarget(format!("PGPORT is \"{text}\". It must be a port number such as 5432"))
            })?,
            None => 5432,
        };
        config.port(port);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        match env("PGHOST") {
            Some(hosts) => hosts.split(',').for_each(|host| {
                config.host(host);
            }),
            None => {
                let port = config.get_ports()[0];
                let socket = ["/var/run/postgresql", "/tmp"]
                    .into_iter()
                    .find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists());
                config.host(socket.unwrap_or("localhost"));
            }
        }
    }
    if config.get_user().is_none() {
        let user = ["PGUSER", "USER", "LOGNAME"].into_iter().find_map(env);
        if let Some(user) = user {
            config.user(user);
        }
    }
    if config.get_password().is_none()
        && let Some(password) = env("PGPASSWORD")
    {
        config.password(password);
    }
    if config.get_dbname().is_none()
        && let Some(name) = env("PGDATABASE").or_else(|| config.get_user().map(str::to_owned))
    {
        config.dbname(name);
    }
    Ok(())
}

/// The options that the parser of tokio-postgres does not know, or knows with fewer values than libpq.
#[derive(Default)]
struct Ssl {
    mode: Option<String>,
    root: Option<String>,
}

impl Ssl {
    fn take(&mut self, option: &str, value: String) -> bool {
        match option {
            "sslmode" => self.mode = Some(value),
            "sslrootcert" => self.root = Some(value),
            _ => return false,
        }
        true
    }

    fn decide(self) -> Result<(SslMode, Trust), BadTarget> {
        let given = match self.root {
            Some(path) if path == "system" => Some(Trust::System),
            Some(path) => Some(Trust::File(path)),
            None => None,
        };
        match (self.mode.as_deref(), given) {
            (Some("disable"), _) => Ok((SslMode::Disable, Trust::Anyone)),
            (None | Some("prefer" | "allow"), _) => Ok((SslMode::Prefer, Trust::Anyone)),
            (Some("require"), given) => Ok((SslMode::Require, given.unwrap_or(Trust::Anyone))),
            (Some("verify-ca" | "verify-full"), given) => {
                Ok((SslMode::Require, given.unwrap_or(Trust::System)))
            }
            (Some(other), _) => Err(BadTarget(format!(
                "sslmode is \"{other}\". It must be disable, allow, prefer, require, verify-ca or verify-full"
            ))),
        }
    }
}

/// Takes the options of [`Ssl`] out of a URL or of a `name=value` list.
fn split_ssl(text: &str) -> Result<(String, Ssl), BadTarget> {
    let mut ssl = Ssl::default();
    if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
        let kept: Vec<&str> = text
            .split_whitespace()
            .filter(|word| {
                !word
                    .split_once('=')
                    .is_some_and(|(name, value)| ssl.take(name, value.trim_matches('\'').to_owned()))
            })
            .collect();
        // Quoted values may hold spaces: such a list is left alone.
        return Ok(if text.contains('\'') && ssl.mode.is_none() && ssl.root.is_none() {
            (text.to_owned(), ssl)
        } else {
            (kept.join(" "), ssl)
        });
    }
    let Some((base, query)) = text.split_once('?') else {
        return Ok((text.to_owned(), ssl));
    };
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = unpercent(value)
            .ok_or_else(|| BadTarget(format!("{name} in the database URL has a broken % escape")))?;
        if !ssl.take(name, value) {
            kept.push(pair);
        }
    }
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    Ok((format!("{base}{query}"), ssl))
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn unpercent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(url: Option<&str>, env: &[(&str, &str)]) -> Result<Target, BadTarget> {
        Target::from_parts(url, &|name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_flag_wins_over_the_environment_and_gaps_are_filled_from_pg_variables() {
        let env = [
            ("FLUXBASE_DATABASE_URL", "postgres://a@h1/d1"),
            ("PGPASSWORD", "s3cret"),
            ("PGPORT", "6000"),
            ("PGHOST", "h3"),
        ];
        let target = find(Some("postgres://b@h2/d2"), &env).unwrap();
        assert_eq!(target.to_string(), "h2:5432, database d2, user b");
        assert_eq!(target.config.get_password(), Some(b"s3cret".as_slice()));
        assert!(!format!("{target:?}").contains("s3cret"));
        assert_eq!(find(None, &env).unwrap().to_string(), "h1:5432, database d1, user a");
        assert_eq!(find(None, &env[1..]).unwrap().to_string(), "h3:6000");
        let socket = find(None, &[("PGHOST", "/tmp/x"), ("PGUSER", "u"), ("PGDATABASE", "d")]).unwrap();
        assert_eq!(socket.to_string(), "/tmp/x/.s.PGSQL.5432, database d, user u");
    }

    #[test]
    fn sslmode_has_all_values_of_libpq() {
        for (mode, expected) in [
            ("disable", SslMode::Disable),
            ("allow", SslMode::Prefer),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
        ] {
            let url = format!("postgres://a@h/d?sslmode={mode}&connect_timeout=3");
            let target = find(Some(&url), &[]).unwrap();
            assert_eq!(target.config.get_ssl_mode(), expected, "{mode}");
            assert_eq!(target.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
            let list = format!("host=h user=a dbname=d sslmode={mode}");
            assert_eq!(find(Some(&list), &[]).unwrap().config.get_ssl_mode(), expected, "{mode}");
        }
        let error = find(Some("postgres://a@h/d?sslmode=sometimes"), &[]).unwrap_err().to_string();
        assert!(error.contains("verify-full"), "{error}");
        let error = find(Some("postgres://a@h/d?sslmode=verify-full&sslrootcert=/nowhere"), &[]).unwrap_err();
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }

    #[test]
    fn a_broken_url_does_not_show_its_password() {
        let error = find(Some("postgres://u:hunter2@h:port/d"), &[]).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        let error = find(Some("postgres://u:hunter2@h/d?colour=1"), &[]).unwrap_err().to_string();
        assert!(error.contains("colour") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_standby_takes_what_it_does_not_name_from_its_primary() {
        let primary = "postgres://l:s3cret@p:5433/shop?sslmode=require&application_name=x";
        let standbys = |urls: &[&str]| {
            let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
            find(Some(primary), &[("PGPORT", "6000"), ("PGPASSWORD", "other")])?.with_standbys(&urls)
        };
        let target = standbys(&["postgres://a", "postgres://m@b:7000/d?sslmode=disable"]).unwrap();
        let [a, b] = target.standbys.as_slice() else { panic!("two") };
        assert_eq!(a.to_string(), "a:5432, database shop, user l");
        assert_eq!(a.config.get_password(), Some(b"s3cret".as_slice()));
        assert_eq!((a.config.get_ssl_mode(), a.config.get_application_name()), (SslMode::Require, Some("x")));
        assert_eq!(b.to_string(), "b:7000, database d, user m");
        assert_eq!(b.config.get_password(), None, "another user's password is not tried");
        assert_eq!(b.config.get_ssl_mode(), SslMode::Disable);
        let target = target.with_settings(&[("statement_timeout", "1".into())]);
        assert_eq!(target.standbys[1].config.get_options(), Some("-c statement_timeout=1"));
        for url in [
            "postgres:///d",
            "host=a",
            "a",
            "postgres://u:hunter2@h:port/d",
            "postgres://u:hunter2@h?sslmode=x",
        ] {
            let error = standbys(&["postgres://a", url]).unwrap_err().to_string();
            assert!(
                error.starts_with("listener.replica_urls, entry 2: ") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_listeners_url_is_quoted_and_read_back() {
        let target = find(Some("postgres://dba:x@[::1]:5433/shop"), &[]).unwrap();
        let url = target.url_for("fluxbase_listener", Some("p@:/ss"), "shop");
        let back = find(Some(&url), &[]).unwrap();
        assert_eq!(back.config.get_password(), Some(b"p@:/ss".as_slice()));
        assert_eq!(back.to_string(), "::1:5433, database shop, user fluxbase_listener");
        let socket = find(Some("postgres://dba@/shop?host=/tmp/a"), &[]).unwrap();
        let back = find(Some(&socket.url_for("l", None, "shop")), &[]).unwrap();
        assert_eq!(back.to_string(), "/tmp/a/.s.PGSQL.5432, database shop, user l");
    }

    #[test]
    fn settings_come_before_the_options_of_the_url() {
        let target = find(Some("postgres://a@h/d?options=-c%20work_mem%3D1MB"), &[]).unwrap();
        let target = target.with_settings(&[("statement_timeout", "30000".into())]);
        assert_eq!(target.config.get_options(), Some("-c statement_timeout=30000 -c work_mem=1MB"));
    }
}
