//! The settings of the listener: `fluxbase.yaml` with the environment laid over it.
//!
//! The `mcp:` block is the user's, with its seven options and their documented defaults; `listener:` is ours and every
//! option in it has a default. All other sections of a Fluxbase file are ignored, so a whole one loads. Inside these
//! two sections an unknown option is an error: a misspelt `allowed_tools` must not open every tool.
//!
//! It does not hold the database connection: see [`crate::database`].

pub mod duration;
mod listen;
mod options;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

pub use listen::{Listen, TlsFiles};
use options::Section;

/// The file that is read when `--config` is not given, in the current directory, if it is there.
pub const DEFAULT_FILE: &str = "fluxbase.yaml";

const MCP_OPTIONS: [&str; 7] = [
    "enabled",
    "base_path",
    "session_timeout",
    "max_message_size",
    "rate_limit_per_min",
    "allowed_tools",
    "allowed_resources",
];

const LISTENER_OPTIONS: [&str; 23] = [
    "listen",
    "unix_socket_mode",
    "tls_certificate",
    "tls_key",
    "metrics",
    "cors_origins",
    "pool_size",
    "reserved_connections",
    "deadline",
    "statement_timeout",
    "queue_timeout",
    "header_timeout",
    "body_timeout",
    "max_connections",
    "max_streams",
    "allowed_origins",
    "allowed_hosts",
    "log",
    "access_log",
    "read_only",
    "replica_urls",
    "replica_max_lag",
    "read_your_writes",
];

/// Everything that `serve` can be told, except the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The `mcp:` block.
    pub mcp: Mcp,
    /// The `listener:` block.
    pub listener: Http,
}

/// The `mcp:` block of the user's document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mcp {
    /// Serve HTTP at all. Default false.
    pub enabled: bool,
    /// Path of the endpoint, without a trailing slash; empty for `/`. Default `/mcp`.
    pub base_path: String,
    /// How long what lives between two requests may live: an open stream of `subscriptions/listen`. Default 3600 s.
    pub session_timeout: Duration,
    /// Largest request body in bytes. Default 10485760.
    pub max_message_size: usize,
    /// Requests per minute per key, counted in Postgres; 0 switches the limit off. Default 100.
    pub rate_limit_per_min: u32,
    /// Tools that may be listed and called; empty allows all. Default empty.
    pub allowed_tools: Vec<String>,
    /// Resources that may be listed and read; empty allows all. Default empty.
    pub allowed_resources: Vec<String>,
}

/// The `listener:` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Addresses and Unix sockets to listen on. Default 127.0.0.1:8080 and [::1]:8080.
    pub listen: Vec<Listen>,
    /// Whether `listen` was written. A default address that the machine lacks (no IPv6) is skipped with a warning.
    pub listen_given: bool,
    /// Mode of the Unix sockets' files. Default 0660.
    pub unix_socket_mode: u32,
    /// The certificate for the addresses. Default none: plain HTTP. Unix sockets are always plain.
    pub tls: Option<TlsFiles>,
    /// Where to serve `/metrics`. Default nowhere.
    pub metrics: Option<Listen>,
    /// Origins whose pages may call the server from a browser (CORS), exactly as browsers write them. Default none.
    pub cors_origins: Vec<String>,
    /// Connections to Postgres for all calls. Default 4 × cores (docs/decisions/0026).
    pub pool_size: usize,
    /// Further connections that only short calls use. Default 2.
    pub reserved_connections: usize,
    /// Time for one call, from the moment it has a connection. Default 35 s.
    pub deadline: Duration,
    /// `statement_timeout` of the connections. Default 30 s.
    pub statement_timeout: Duration,
    /// Longest wait for a free connection before 503. Default 10 s.
    pub queue_timeout: Duration,
    /// Time for the head of a request, which includes the idle time of a kept connection. Default 30 s.
    pub header_timeout: Duration,
    /// Time for the body of a request, and how long a client may take nothing of its answer. Default 30 s.
    pub body_timeout: Duration,
    /// Client connections at the same time; more wait in the kernel's queue. Default 1024.
    pub max_connections: usize,
    /// Streams of `subscriptions/listen` at the same time, at most an eighth of them for one key. Default 256.
    pub max_streams: usize,
    /// Values of `Origin` that are accepted besides loopback and the host itself. Default none.
    pub allowed_origins: Vec<String>,
    /// Hosts, with or without port, that are accepted over loopback besides the loopback names; `*` for any.
    pub allowed_hosts: Vec<String>,
    /// Form of the log. Default human.
    pub log: LogFormat,
    /// One line for each request. Default true.
    pub access_log: bool,
    /// Only tools that read are listed and run. Default false.
    pub read_only: bool,
    /// Hot standbys that reading calls go to. Default none.
    pub replica_urls: Urls,
    /// A standby further behind is not asked. Default 5 s.
    pub replica_max_lag: Duration,
    /// A key's reads see what it wrote through this listener. Default true.
    pub read_your_writes: bool,
}

/// Connection strings, which may hold passwords: `Debug` tells their number only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Urls(pub Vec<String>);

impl std::fmt::Debug for Urls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Urls({})", self.0.len())
    }
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object on each line.
    Json,
}

/// What is wrong with the settings, and what to write instead.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no YAML.
    #[error("{} is not valid YAML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A section is a list or a single value.
    #[error("{section}: is not a section. Write its options below it, indented, as option: value")]
    NotASection {
        /// The section.
        section: &'static str,
    },
    /// An option that does not exist.
    #[error("{place} is not an option.{} The options of {section} are {known}",
        nearest.map(|name| format!(" Did you mean {name}?")).unwrap_or_default())]
    UnknownOption {
        /// The section.
        section: &'static str,
        /// What was written: an option of the file, or an environment variable.
        place: String,
        /// The option that was probably meant.
        nearest: Option<&'static str>,
        /// All options of the section.
        known: String,
    },
    /// A value that does not fit its option.
    #[error("{place} is {value}. It must be {form}")]
    BadValue {
        /// The option, or the environment variable that set it.
        place: String,
        /// What was written.
        value: String,
        /// What it must look like.
        form: &'static str,
    },
}

#[derive(Default, Deserialize)]
struct File {
    mcp: Option<Value>,
    listener: Option<Value>,
}

/// A misspelt variable must not be ignored: without `FLUXBASE_MCP_ALLOWED_TOOLS` every tool is open.
fn check_environment(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    for name in names {
        for (section, prefix, known) in [
            ("mcp", "FLUXBASE_MCP_", &MCP_OPTIONS[..]),
            ("listener", "FLUXBASE_LISTENER_", &LISTENER_OPTIONS[..]),
        ] {
            if let Some(option) = name.strip_prefix(prefix) {
                options::check_known(section, &name, &option.to_lowercase(), known)?;
            }
        }
    }
    Ok(())
}

impl Config {
    /// Reads `path`, or [`DEFAULT_FILE`] if it exists, and lays the process environment over it.
    pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
        let text = match path {
            Some(path) => Some((path, read(path)?)),
            None if Path::new(DEFAULT_FILE).exists() => {
                let path = Path::new(DEFAULT_FILE);
                Some((path, read(path)?))
            }
            None => None,
        };
        let text = text.as_ref().map(|(path, text)| (*path, text.as_str()));
        check_environment(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
        Config::from_parts(text, &|name| std::env::var(name).ok())
    }

    /// The same from a text and an environment of the caller's choice.
    pub fn from_parts(
        file: Option<(&Path, &str)>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let file = match file {
            Some((path, text)) if !text.trim().is_empty() => serde_saphyr::from_str::<Option<File>>(text)
                .map_err(|error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() })?
                .unwrap_or_default(),
            _ => File::default(),
        };
        let mcp = Section::new("mcp", "FLUXBASE_MCP_", &MCP_OPTIONS, file.mcp, env)?;
        // FLUXBASE_LOG is the short form, for containers.
        let short_log = env("FLUXBASE_LOG");
        let env = |name: &str| match name {
            "FLUXBASE_LISTENER_LOG" => env(name).or_else(|| short_log.clone()),
            _ => env(name),
        };
        let listener =
            Section::new("listener", "FLUXBASE_LISTENER_", &LISTENER_OPTIONS, file.listener, &env)?;
        Ok(Config { mcp: Mcp::from_section(&mcp)?, listener: Http::from_section(&listener)? })
    }

    /// The address that a person on this machine would use: `http://localhost:8080/mcp`.
    pub fn url(&self) -> String {
        let port = self.listener.listen.iter().find_map(|listen| match listen {
            Listen::Tcp(address) => Some(address.port()),
            Listen::Unix(_) => None,
        });
        let scheme = if self.listener.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}{}", port.unwrap_or(8080), self.mcp.base_path)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

impl Mcp {
    fn from_section(section: &Section) -> Result<Mcp, ConfigError> {
        let base_path = section.text("base_path", "/mcp")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        if !base_path.starts_with('/') || !base_path.chars().all(plain) || base_path.contains("//") {
            return Err(section
                .refuse("base_path", "a path such as /mcp: a slash, then letters, digits, - _ . ~ and /"));
        }
        Ok(Mcp {
            enabled: section.bool("enabled", false)?,
            base_path: base_path.trim_end_matches('/').to_owned(),
            session_timeout: section.some_duration("session_timeout", Duration::from_secs(3600))?,
            max_message_size: section.number(
                "max_message_size",
                1,
                10_485_760,
                "a number of bytes from 1 to 2147483647, such as 10485760",
            )? as usize,
            rate_limit_per_min: section.number(
                "rate_limit_per_min",
                0,
                100,
                "a number of requests, such as 100, or 0 for no limit",
            )? as u32,
            allowed_tools: section.list("allowed_tools")?,
            allowed_resources: section.list("allowed_resources")?,
        })
    }
}

impl Http {
    fn from_section(section: &Section) -> Result<Http, ConfigError> {
        const COUNT: &str = "a whole number of at least 1";
        let listen = section
            .list("listen")?
            .iter()
            .map(|text| text.parse().map_err(|_| section.refuse("listen", listen::FORM)))
            .collect::<Result<Vec<Listen>, _>>()?;
        let listen_given = !listen.is_empty();
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Http {
            listen: if listen_given { listen } else { default_addresses() },
            listen_given,
            unix_socket_mode: listen::socket_mode(section)?,
            tls: listen::tls(section)?,
            metrics: listen::metrics(section)?,
            cors_origins: listen::cors_origins(section)?,
            pool_size: section.number("pool_size", 1, 4 * cores as u64, COUNT)? as usize,
            reserved_connections: section.number("reserved_connections", 0, 2, "a whole number, 0 or more")?
                as usize,
            deadline: section.some_duration("deadline", Duration::from_secs(35))?,
            statement_timeout: section.some_duration("statement_timeout", Duration::from_secs(30))?,
            queue_timeout: section.some_duration("queue_timeout", Duration::from_secs(10))?,
            header_timeout: section.some_duration("header_timeout", Duration::from_secs(30))?,
            body_timeout: section.some_duration("body_timeout", Duration::from_secs(30))?,
            max_connections: section.number("max_connections", 1, 1024, COUNT)? as usize,
            max_streams: section.number("max_streams", 1, 256, COUNT)? as usize,
            allowed_origins: section.list("allowed_origins")?,
            allowed_hosts: section.list("allowed_hosts")?,
            log: match section.text("log", "human")?.as_str() {
                "human" => LogFormat::Human,
                "json" => LogFormat::Json,
                _ => return Err(section.refuse("log", "human or json")),
            },
            access_log: section.bool("access_log", true)?,
            read_only: section.bool("read_only", false)?,
            replica_urls: Urls(section.secret_words("replica_urls", "a list of URLs")?),
            replica_max_lag: section.some_duration("replica_max_lag", Duration::from_secs(5))?,
            read_your_writes: section.bool("read_your_writes", true)?,
        })
    }
}

/// Loopback in both families, since `localhost` may mean either.
fn default_addresses() -> Vec<Listen> {
    let loopback =
        [SocketAddr::from(([127, 0, 0, 1], 8080)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 8080))];
    loopback.map(Listen::Tcp).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        load_with(text, &[])
    }

    fn load_with(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_parts(Some((Path::new("fluxbase.yaml"), text)), &|name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_documented_file_gives_the_documented_values() {
        let config = load(
            "mcp:\n  enabled: true\n  base_path: /mcp\n  session_timeout: 3600s\n  max_message_size: 10485760  # 10MB\n  \
             rate_limit_per_min: 100\n  allowed_tools: []      # Empty = all tools enabled\n  allowed_resources: []\n",
        )
        .unwrap();
        let defaults = load("").unwrap();
        assert!(config.mcp.enabled && !defaults.mcp.enabled);
        assert_eq!(Mcp { enabled: false, ..config.mcp }, defaults.mcp);
        assert_eq!(defaults.mcp.base_path, "/mcp");
        assert_eq!(defaults.mcp.session_timeout, Duration::from_secs(3600));
        assert_eq!(defaults.mcp.max_message_size, 10_485_760);
        assert_eq!(defaults.mcp.rate_limit_per_min, 100);
        assert_eq!(defaults.listener.listen, default_addresses());
        assert_eq!(defaults.url(), "http://localhost:8080/mcp");
    }

    #[test]
    fn other_sections_are_ignored() {
        let config =
            load("database:\n  host: x\n  1: [a, {b: c}]\nserver: {port: 1}\nmcp: {enabled: true}\n")
                .unwrap();
        assert!(config.mcp.enabled);
        for text in ["", "# only a comment\n", "mcp:\n", "mcp: null\nlistener: ~\n"] {
            assert!(!load(text).unwrap().mcp.enabled, "{text:?}");
        }
    }

    #[test]
    fn an_unknown_option_is_an_error_with_the_nearest_name() {
        let error = load("mcp:\n  allowed_tool: [a]\n").unwrap_err().to_string();
        assert!(error.contains("mcp.allowed_tool is not an option. Did you mean allowed_tools?"), "{error}");
        let error = load("listener:\n  colour: blue\n").unwrap_err().to_string();
        assert!(error.contains("listener.colour is not an option. The options"), "{error}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let env = [
            ("FLUXBASE_MCP_ENABLED", "true"),
            ("FLUXBASE_MCP_ALLOWED_TOOLS", "query_table, list_tables"),
            ("FLUXBASE_MCP_BASE_PATH", "/a/b/"),
            ("FLUXBASE_LISTENER_LISTEN", "127.0.0.1:9000"),
            ("FLUXBASE_LOG", "json"),
        ];
        let config = load_with("mcp: {enabled: false, base_path: /x}", &env).unwrap();
        assert!(config.mcp.enabled);
        assert_eq!(config.mcp.allowed_tools, ["query_table", "list_tables"]);
        assert_eq!(config.mcp.base_path, "/a/b");
        assert_eq!(config.listener.log, LogFormat::Json);
        assert_eq!(config.url(), "http://localhost:9000/a/b");
    }

    #[test]
    fn a_bad_value_names_its_place_and_the_form() {
        for (text, part) in [
            ("mcp: {enabled: maybe}", "mcp.enabled is \"maybe\". It must be true or false"),
            ("mcp: {base_path: mcp}", "mcp.base_path is \"mcp\""),
            ("mcp: {max_message_size: -1}", "mcp.max_message_size is -1"),
            ("mcp: {session_timeout: soon}", "such as 30s"),
            ("mcp: {allowed_tools: [1]}", "a list of texts"),
            ("mcp: [1]", "mcp: is not a section"),
            ("listener: {deadline: 0}", "above zero"),
            ("listener: {listen: [here]}", "addresses with port"),
            ("listener: {log: xml}", "human or json"),
            ("listener: {listen: [\"unix:x\"]}", "unix:/run/fluxbase/mcp.sock"),
            ("listener: {tls_key: a.pem}", "together with tls_certificate"),
            ("listener: {tls_certificate: a.pem}", "together with tls_key"),
            ("listener: {unix_socket_mode: 0660}", "in quotes"),
            ("listener: {unix_socket_mode: '0460'}", "from \"0600\""),
            ("listener: {unix_socket_mode: '1660'}", "from \"0600\""),
            ("listener: {metrics: 9464}", "a text"),
            ("listener: {metrics: '9464'}", "127.0.0.1:9464"),
            ("listener: {cors_origins: ['*']}", "no *"),
            ("listener: {cors_origins: ['https://app.example/']}", "no path"),
            ("mcp: {enabled: true", "not valid YAML"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = load_with("", &[("FLUXBASE_MCP_ENABLED", "ja")]).unwrap_err().to_string();
        assert!(error.starts_with("FLUXBASE_MCP_ENABLED is \"ja\""), "{error}");
    }

    #[test]
    fn urls_of_standbys_are_not_shown() {
        let config =
            load("listener: {replica_urls: ['postgres://u:hunter2@a,b/d', 'postgres://c']}").unwrap();
        assert_eq!(config.listener.replica_urls.0, ["postgres://u:hunter2@a,b/d", "postgres://c"]);
        assert!(!format!("{config:?}").contains("hunter2"));
        let env = [("FLUXBASE_LISTENER_REPLICA_URLS", " postgres://u:hunter2@a,b/d\n postgres://c ")];
        assert_eq!(load_with("", &env).unwrap(), config);
        for text in ["listener: {replica_urls: {a: hunter2}}", "listener: {replica_urls: [[hunter2]]}"] {
            let error = load(text).unwrap_err().to_string();
            assert_eq!(error, "listener.replica_urls is not shown here. It must be a list of URLs");
        }
    }

    #[test]
    fn rate_limit_zero_and_root_path_are_allowed() {
        let config = load("mcp: {rate_limit_per_min: 0, base_path: /}").unwrap();
        assert_eq!((config.mcp.rate_limit_per_min, config.mcp.base_path.as_str()), (0, ""));
    }

    #[test]
    fn sockets_certificate_and_metrics() {
        let config = load(
            "listener:\n  listen: ['unix:/run/m.sock', '0.0.0.0:8443']\n  unix_socket_mode: '0600'\n  tls_certificate: c.pem\n  \
             tls_key: k.pem\n  metrics: 127.0.0.1:9464\n  cors_origins: ['https://app.example']\n",
        )
        .unwrap();
        let http = &config.listener;
        assert_eq!(http.listen[0], Listen::Unix("/run/m.sock".into()));
        assert_eq!((http.unix_socket_mode, load("").unwrap().listener.unix_socket_mode), (0o600, 0o660));
        assert_eq!(http.tls, Some(TlsFiles { certificate: "c.pem".into(), key: "k.pem".into() }));
        assert_eq!(http.metrics, Some("127.0.0.1:9464".parse().unwrap()));
        assert_eq!(http.cors_origins, ["https://app.example"]);
        assert_eq!(config.url(), "https://localhost:8443/mcp");
        let env = [
            ("FLUXBASE_LISTENER_LISTEN", "unix:/a,127.0.0.1:9"),
            ("FLUXBASE_LISTENER_UNIX_SOCKET_MODE", "0666"),
        ];
        let http = load_with("", &env).unwrap().listener;
        assert_eq!((http.listen.len(), http.unix_socket_mode), (2, 0o666));
    }

    #[test]
    fn a_misspelt_variable_is_an_error() {
        let check = |name: &str| check_environment(std::iter::once(name.to_owned()));
        assert!(check("FLUXBASE_MCP_ALLOWED_TOOLS").is_ok() && check("FLUXBASE_DATABASE_URL").is_ok());
        let error = check("FLUXBASE_MCP_ALLOWED_TOOL").unwrap_err().to_string();
        assert!(error.contains("allowed_tools"), "{error}");
    }
}
