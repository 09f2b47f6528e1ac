//! `fluxbase clientkeys` and `fluxbase servicekeys`: create, list, revoke, rotate.
//!
//! A key is made here. Postgres gets its id and the hash that it stores; the plain key is printed once and is nowhere
//! else. Which scopes exist and who may make a key for which role is decided by the SQL functions.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use fluxbase_credential::{Key, Kind};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::session::Session;
use super::{print, table};
use crate::config::{Config, duration};

const CREATE: &str = "SELECT id FROM mcp.create_key(kind => $1::text, name => $2::text, scopes => $3::text[], \
    role => $4::text, user_id => $5::text, claims => ($6::text)::jsonb, settings => ($7::text)::jsonb, \
    expires_at => coalesce(($8::text)::timestamptz, now() + make_interval(secs => $9::float8)), \
    rate_limit_per_min => $10::int4, key_id => $11::text, verifier => $12::bytea)";

const ROTATE: &str = "SELECT id FROM mcp.rotate_key(kind => $1::text, id_or_name => $2::text, \
    grace => make_interval(secs => $3::float8), key_id => $4::text, verifier => $5::bytea)";

const NAME: &str = "SELECT name FROM mcp.list_keys($1::text) WHERE key_id = $2::text";

const REVOKE: &str = "SELECT mcp.revoke_key($1::text, $2::text)";

const LIST: &str = "SELECT key_id, name, role, coalesce(user_id, '-'), array_to_string(scopes, ','), \
    coalesce(rate_limit_per_min::text, '-'), to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), \
    coalesce(to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), 'never'), status \
    FROM mcp.list_keys($1::text)";

const LIST_JSON: &str = "SELECT coalesce(json_agg(k), '[]')::text FROM mcp.list_keys($1::text) AS k";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Make a key and show it, once.
    Create(Create),
    /// Show the keys that there are. The keys themselves are not stored and cannot be shown.
    List {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a key. It holds for the next request.
    Revoke {
        /// The key's id, or its name if only one key has it.
        #[arg(value_name = "ID_OR_NAME")]
        key: String,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a new key with the rights of an old one, and end the old one.
    Rotate {
        /// The key's id, or its name if only one key has it.
        #[arg(value_name = "ID_OR_NAME")]
        key: String,
        /// Time during which the old key still works, such as 1h.
        #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration::parse)]
        grace: Duration,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// A name for people.
    #[arg(long)]
    name: String,
    /// What the key may do, separated by commas: read:tables, write:tables, execute:functions, execute:rpc,
    /// read:storage, write:storage, execute:jobs, read:vectors, read:schema. A service key without scopes has all.
    #[arg(long, value_delimiter = ',')]
    scopes: Vec<String>,
    /// The database role the key acts as. Default: authenticated, for service keys service_role.
    #[arg(long)]
    role: Option<String>,
    /// The user the key acts for: the claim sub, which auth.uid() reads.
    #[arg(long, value_name = "USER_ID")]
    user: Option<String>,
    /// Further claims as a JSON object, for auth.jwt().
    #[arg(long, value_name = "JSON", value_parser = object)]
    claims: Option<String>,
    /// A setting for the key's calls, such as app.tenant=acme. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// When the key ends: a time from now such as 30d or 12h, or an RFC 3339 moment.
    #[arg(long, value_name = "WHEN", value_parser = Expiry::parse)]
    expires: Option<Expiry>,
    /// Requests per minute; the lowest of this, the listener's and the database's limit holds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    rate_limit: Option<i32>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// Write JSON.
    #[arg(long)]
    json: bool,
    /// The endpoint to show in the example lines. Default: from the settings, else http://localhost:8080/mcp.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The settings that tell the endpoint. Default ./fluxbase.yaml, if there is one.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
}

/// The end of a key as it was written.
#[derive(Debug, Clone, PartialEq)]
enum Expiry {
    In(Duration),
    At(String),
}

impl Expiry {
    fn parse(text: &str) -> Result<Expiry, String> {
        if let Ok(time) = duration::parse(text) {
            return if time.is_zero() {
                Err("the key would end at once".to_owned())
            } else {
                Ok(Expiry::In(time))
            };
        }
        // The shape only: 2026-12-31T23:59:59Z. Postgres knows the calendar.
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let rest = shape.strip_prefix("0000-00-00").and_then(|rest| rest.strip_prefix(['T', 't', ' ']));
        let rest = rest.and_then(|rest| rest.strip_prefix("00:00:00"));
        let zone = rest.map(|rest| match rest.strip_prefix('.') {
            Some(fraction) => fraction.trim_start_matches('0'),
            None => rest,
        });
        match zone {
            Some("Z" | "z" | "+00:00" | "-00:00") => Ok(Expiry::At(text.to_owned())),
            _ => Err("write a time from now such as 30d or 12h, or a moment such as 2026-12-31T23:59:59Z"
                .to_owned()),
        }
    }
}

fn object(text: &str) -> Result<String, String> {
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            Err(format!("not a JSON object: {error}. Write for example '{{\"tenant\": \"acme\"}}'"))
        }
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, for example app.tenant=acme".to_owned()),
    }
}

pub(super) async fn run(kind: Kind, action: Action, url: Option<&str>) -> Result<ExitCode, Failure> {
    match action {
        Action::Create(create) => create.run(kind, url).await?,
        Action::List { json } => list(kind, json, url).await?,
        Action::Revoke { key, json } => {
            let row = Session::open(url).await?.client().query_one(REVOKE, &[&kind.as_str(), &key]).await?;
            let id: String = row.try_get(0)?;
            print(&if json {
                json!({ "revoked": id }).to_string()
            } else {
                format!("Revoked {} key {id}. It holds for the next request.", kind.as_str())
            });
        }
        Action::Rotate { key: old, grace, output } => {
            let endpoint = output.endpoint()?;
            let mut session = Session::open(url).await?;
            let key = generate(kind)?;
            let verifier = key.verifier();
            session
                .client()
                .query_one(
                    ROTATE,
                    &[&kind.as_str(), &old, &grace.as_secs_f64(), &key.id(), &verifier.as_slice()],
                )
                .await?;
            let name: String =
                session.client().query_one(NAME, &[&kind.as_str(), &key.id()]).await?.try_get(0)?;
            let end = match grace {
                Duration::ZERO => "The old key has ended.".to_owned(),
                grace => format!("The old key still works for {} s.", grace.as_secs_f64()),
            };
            show(&key, &name, &end, &endpoint, output.json);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Create {
    async fn run(self, kind: Kind, url: Option<&str>) -> Result<(), Failure> {
        let endpoint = self.output.endpoint()?;
        let scopes: Vec<&str> =
            self.scopes.iter().map(|scope| scope.trim()).filter(|scope| !scope.is_empty()).collect();
        let mut settings = Map::new();
        for (name, value) in &self.settings {
            if settings.insert(name.clone(), value.clone().into()).is_some() {
                return Err(Failure::new(format!("--set {name} stands there twice")));
            }
        }
        let (at, within) = match &self.expires {
            None => (None, None),
            Some(Expiry::At(at)) => (Some(at.as_str()), None),
            Some(Expiry::In(time)) => (None, Some(time.as_secs_f64())),
        };
        let mut session = Session::open(url).await?;
        let key = generate(kind)?;
        let verifier = key.verifier();
        session
            .client()
            .query_one(
                CREATE,
                &[
                    &kind.as_str(),
                    &self.name,
                    &scopes,
                    &self.role,
                    &self.user,
                    &self.claims.as_deref().unwrap_or("{}"),
                    &Value::from(settings).to_string(),
                    &at,
                    &within,
                    &self.rate_limit,
                    &key.id(),
                    &verifier.as_slice(),
                ],
            )
            .await?;
        show(&key, &self.name, "", &endpoint, self.output.json);
        Ok(())
    }
}

impl Output {
    /// Found before a key is made: a key must not be lost because a settings file is broken.
    fn endpoint(&self) -> Result<String, Failure> {
        match &self.url {
            Some(url) => Ok(url.clone()),
            None => Ok(Config::load(self.config.as_deref())
                .map_err(|error| {
                    Failure::new(error.to_string()).hint("Or give the endpoint with --url. No key was made.")
                })?
                .url()),
        }
    }
}

fn generate(kind: Kind) -> Result<Key, Failure> {
    Key::generate(kind)
        .map_err(|error| Failure::new(format!("this machine has no random numbers to give: {error}")))
}

async fn list(kind: Kind, json: bool, url: Option<&str>) -> Result<(), Failure> {
    let mut session = Session::open(url).await?;
    if json {
        let row = session.client().query_one(LIST_JSON, &[&kind.as_str()]).await?;
        print(row.try_get(0)?);
        return Ok(());
    }
    let rows = session.client().query(LIST, &[&kind.as_str()]).await?;
    if rows.is_empty() {
        print(&format!(
            "There are no {0} keys. Make one with: fluxbase {0}keys create --name NAME",
            kind.as_str()
        ));
        return Ok(());
    }
    let rows = rows
        .iter()
        .map(|row| {
            (0..9).map(|at| row.try_get::<_, Option<String>>(at).map(Option::unwrap_or_default)).collect()
        })
        .collect::<Result<Vec<Vec<String>>, _>>()?;
    let head =
        ["ID", "NAME", "ROLE", "USER", "SCOPES", "PER MINUTE", "CREATED (UTC)", "EXPIRES (UTC)", "STATUS"];
    print(&table::render(&head, &rows));
    Ok(())
}

/// Prints a new key: the only moment at which it can be seen.
fn show(key: &Key, name: &str, note: &str, endpoint: &str, json: bool) {
    let plain = key.reveal();
    if json {
        print(
            &json!({ "kind": key.kind().as_str(), "id": key.id(), "name": name, "key": plain, "url": endpoint })
                .to_string(),
        );
        return;
    }
    let header = match key.kind() {
        Kind::Client => "X-Client-Key",
        Kind::Service => "X-Service-Key",
    };
    let title = match key.kind() {
        Kind::Client => "Client key",
        Kind::Service => "Service key",
    };
    let note = if note.is_empty() { String::new() } else { format!("{note}\n") };
    print(&format!(
        "{title} for \"{name}\" (id {id}):\n\n  {plain}\n\n\
         It is shown only now and stored nowhere. Keep it like a password.\n{note}\n\
         Try it:\n  curl -X POST {endpoint} \\\n    -H \"Content-Type: application/json\" \\\n    \
         -H \"{header}: {plain}\" \\\n    -d '{{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"id\":1}}'\n\n\
         Add it to Claude Code:\n  claude mcp add --transport http fluxbase {endpoint} --header \"{header}: {plain}\"\n",
        name = table::plain(name),
        id = key.id(),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_from_now_or_a_moment() {
        assert_eq!(Expiry::parse("30d"), Ok(Expiry::In(Duration::from_secs(30 * 86_400))));
        for moment in ["2026-12-31T23:59:59Z", "2026-12-31T23:59:59.123+02:00", "2026-12-31 00:00:00-05:30"] {
            assert_eq!(Expiry::parse(moment), Ok(Expiry::At(moment.to_owned())), "{moment}");
        }
        for wrong in ["0", "", "tomorrow", "2026-12-31", "2026-12-31T23:59:59", "31.12.2026", "30 days"] {
            assert!(Expiry::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_and_claims() {
        assert_eq!(setting("app.tenant=a=b"), Ok(("app.tenant".to_owned(), "a=b".to_owned())));
        assert!(setting("app.tenant").is_err() && setting("=x").is_err());
        assert!(object(r#"{"a":1}"#).is_ok());
        assert!(object("[1]").is_err() && object("{").is_err());
    }
}
