//! Where to listen, and with which files: the options of `listener:` that are not plain numbers and lists.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::ConfigError;
use super::options::Section;

/// An address, or the file of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:8080`, `[::1]:8080`; `localhost:8080` means the first.
    Tcp(SocketAddr),
    /// `unix:/run/fluxbase/mcp.sock`, an absolute path.
    Unix(PathBuf),
}

impl Listen {
    /// Whether it is an address of IPv6.
    pub(crate) fn is_ipv6(&self) -> bool {
        matches!(self, Listen::Tcp(address) if address.is_ipv6())
    }
}

/// What both forms look like, for errors.
pub(super) const FORM: &str = "a list of addresses with port, such as [\"127.0.0.1:8080\"], or of sockets, such as [\"unix:/run/fluxbase/mcp.sock\"]";

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            if !path.is_absolute() || path.file_name().is_none() {
                return Err("a Unix socket is written as unix:/an/absolute/path".to_owned());
            }
            return Ok(Listen::Unix(path));
        }
        text.replace("localhost:", "127.0.0.1:")
            .parse()
            .map(Listen::Tcp)
            .map_err(|_| "write an address with port (127.0.0.1:8080) or unix:/path".to_owned())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The PEM files of the listener's own certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then the ones that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// `tls_certificate` and `tls_key`: both or none.
pub(super) fn tls(section: &Section) -> Result<Option<TlsFiles>, ConfigError> {
    let (certificate, key) = (section.text("tls_certificate", "")?, section.text("tls_key", "")?);
    match (certificate.is_empty(), key.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(TlsFiles { certificate: certificate.into(), key: key.into() })),
        (false, true) => {
            Err(section.refuse("tls_certificate", "given together with tls_key, the file of its private key"))
        }
        (true, false) => {
            Err(section.refuse("tls_key", "given together with tls_certificate, the file of its certificate"))
        }
    }
}

/// `unix_socket_mode`: three octal digits in quotes, since YAML readers disagree about the value of 0660.
pub(super) fn socket_mode(section: &Section) -> Result<u32, ConfigError> {
    const FORM: &str = "an octal mode in quotes, from \"0600\" to \"0777\", such as \"0660\"";
    let text =
        section.text("unix_socket_mode", "0660").map_err(|_| section.refuse("unix_socket_mode", FORM))?;
    let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| mode & !0o777 == 0 && mode & 0o600 == 0o600);
    mode.ok_or_else(|| section.refuse("unix_socket_mode", FORM))
}

/// `metrics`: where to serve `/metrics`; absent or empty for nowhere.
pub(super) fn metrics(section: &Section) -> Result<Option<Listen>, ConfigError> {
    const FORM: &str =
        "one address with port, such as 127.0.0.1:9464, or a socket, such as unix:/run/fluxbase/metrics.sock";
    match section.text("metrics", "")?.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| section.refuse("metrics", FORM)),
    }
}

/// `cors_origins`: origins as browsers write them. `*` is none: the pages of all the world would be let in.
pub(super) fn cors_origins(section: &Section) -> Result<Vec<String>, ConfigError> {
    const FORM: &str = "a list of origins as browsers write them: scheme, host in small letters, port unless it is the usual one, \
                        no path and no *, such as [\"https://app.example\"]";
    let origins = section.list("cors_origins")?;
    if origins.iter().all(|origin| is_origin(origin)) {
        Ok(origins)
    } else {
        Err(section.refuse("cors_origins", FORM))
    }
}

/// Whether a browser could send this `Origin` (RFC 6454, section 6.1).
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]_".contains(c);
    let usual = (scheme == "http" && host.ends_with(":80")) || (scheme == "https" && host.ends_with(":443"));
    !scheme.is_empty()
        && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
        && !host.is_empty()
        && host.chars().all(plain)
        && !usual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_sockets() {
        for (text, shown) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("[::1]:80", "[::1]:80"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), shown);
        }
        for text in ["", "8080", "unix:", "unix:relative", "unix:/", "example.com:80", "/run/a.sock"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn origins_are_what_browsers_send() {
        for good in
            ["https://app.example", "http://localhost:5173", "http://[::1]:3000", "vscode-webview://1a2b"]
        {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "*",
            "null",
            "app.example",
            "https://app.example/",
            "https://APP.example",
            "https://app.example:443",
            "http://app.example:80",
            "https://*.example",
            "https://",
            "://x",
            "https://a b",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
