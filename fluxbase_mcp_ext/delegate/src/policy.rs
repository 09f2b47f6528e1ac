//! Which hosts may be called.
//!
//! Invariants: only http and https; no user or password in a URL; a host that is neither the configured runtime nor in the
//! list is refused. The runtime is recognised by scheme, host and port as they are written, not by what its name stands for, and
//! only it may lie in a private network: what an address may be is [`crate::address`]'s.

use reqwest::Url;

use crate::failure::Failure;

/// The runtime and the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    runtime: Option<Origin>,
    /// Others that the administrator configured by their URL.
    endpoints: Vec<Origin>,
    allowed: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

/// `host` with the port of the scheme, `host:port`, or `*.host` for every name below.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    below: bool,
    host: String,
    port: Option<u16>,
}

/// How far a host is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The configured runtime: whatever its address is.
    Runtime,
    /// A listed host: only addresses of the internet.
    Listed,
}

impl Origin {
    fn of(url: &Url) -> Option<Origin> {
        Some(Origin { scheme: url.scheme().to_owned(), host: host(url)?, port: url.port_or_known_default()? })
    }
}

/// The host of a URL in the form in which hosts are compared: lower case, without the dot of the root.
fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase())
}

/// The URL of a call or of the runtime.
///
/// # Errors
/// What is wrong with it; the text does not repeat it.
pub fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("the URL is not valid: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the URL's scheme is {:?}; http and https can be called", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL holds a user or a password; send a header instead".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the URL names no host".to_owned());
    }
    Ok(url)
}

impl Policy {
    /// The URL of the runtime, empty for none, and the comma list of hosts.
    ///
    /// # Errors
    /// Which of the two is wrong, and how it is written.
    pub fn new(runtime_url: &str, allowed_hosts: &str) -> Result<Policy, String> {
        let runtime_url = runtime_url.trim();
        let runtime = match runtime_url {
            "" => None,
            text => Origin::of(&parse(text).map_err(|error| format!("mcp.functions_url: {error}"))?),
        };
        let allowed = allowed_hosts
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(Pattern::parse)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Policy { runtime, endpoints: Vec::new(), allowed })
    }

    /// Also allows the URL of `setting`, empty for none, trusted as the runtime is.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn with_endpoint(mut self, setting: &str, url: &str) -> Result<Policy, String> {
        if !url.trim().is_empty() {
            let url = parse(url.trim()).map_err(|error| format!("{setting}: {error}"))?;
            self.endpoints.extend(Origin::of(&url));
        }
        Ok(self)
    }

    /// Whether the URL may be called, and how far its host is trusted.
    ///
    /// # Errors
    /// [`Failure::Host`].
    pub fn judge(&self, url: &Url) -> Result<Trust, Failure> {
        let Some(origin) = Origin::of(url) else {
            return Err(Failure::Malformed { reason: "the URL names no host".to_owned() });
        };
        if self.runtime.iter().chain(&self.endpoints).any(|trusted| *trusted == origin) {
            return Ok(Trust::Runtime);
        }
        let usual = if origin.scheme == "https" { 443 } else { 80 };
        let allows = |pattern: &Pattern| {
            let name = match pattern.below {
                true => origin.host.strip_suffix(&pattern.host).is_some_and(|rest| rest.ends_with('.')),
                false => origin.host == pattern.host,
            };
            name && origin.port == pattern.port.unwrap_or(usual)
        };
        if self.allowed.iter().any(allows) {
            return Ok(Trust::Listed);
        }
        let host =
            if origin.port == usual { origin.host } else { format!("{}:{}", origin.host, origin.port) };
        Err(Failure::Host { host })
    }
}

impl Pattern {
    fn parse(entry: &str) -> Result<Pattern, String> {
        let wrong = || {
            format!(
                "mcp.functions_allowed_hosts: {entry:?} is no host. Write api.example.com, api.example.com:8443 or \
                 *.example.com, without a scheme and a path, with commas between them."
            )
        };
        let (below, name) = match entry.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, entry),
        };
        // As URLs are read, so that both sides have the same form (punycode, addresses, case).
        let url = Url::parse(&format!("http://{name}/")).map_err(|_| wrong())?;
        let plain = url.username().is_empty() && url.password().is_none() && url.path() == "/";
        if !plain
            || url.query().is_some()
            || url.fragment().is_some()
            || name.contains(['/', '*', '@', '?', '#'])
        {
            return Err(wrong());
        }
        let host = host(&url).filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        // The URL leaves out the port that its scheme has anyway; here it was written.
        let written = name.rsplit_once(':').filter(|_| !name.ends_with(']')).map(|(_, port)| port.parse());
        let port = match written {
            None => None,
            Some(Ok(port)) => Some(port),
            Some(Err(_)) => return Err(wrong()),
        };
        Ok(Pattern { below, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: &Policy, url: &str) -> Option<Trust> {
        policy.judge(&parse(url).unwrap()).ok()
    }

    #[test]
    fn the_runtime_is_one_origin() {
        let policy = Policy::new("http://localhost:8000/functions/", "").unwrap();
        for url in ["http://localhost:8000/", "http://LOCALHOST:8000/x", "http://localhost.:8000/x"] {
            assert_eq!(judge(&policy, url), Some(Trust::Runtime), "{url}");
        }
        for url in [
            "https://localhost:8000/",
            "http://localhost/",
            "http://localhost:8001/",
            "http://127.0.0.1:8000/",
            "http://localhost.evil.example:8000/",
            "http://xlocalhost:8000/",
            "http://[::1]:8000/",
        ] {
            assert_eq!(judge(&policy, url), None, "{url}");
        }
    }

    #[test]
    fn the_list_is_read_as_urls_are() {
        let policy =
            Policy::new("", "api.example.com, *.Example.org ,other.example:8443, 8.8.8.8, [2001:4860::1]:99, b\u{fc}cher.example").unwrap();
        for url in [
            "http://api.example.com/",
            "https://API.example.com/x?y",
            "https://a.example.org/",
            "https://a.b.example.org",
            "https://other.example:8443",
            "http://8.8.8.8/",
            "http://0x08.0x08.0x08.0x08/",
            "http://134744072/",
            "http://[2001:4860::1]:99/",
            "https://b\u{fc}cher.example/",
            "https://xn--bcher-kva.example/",
        ] {
            assert_eq!(judge(&policy, url), Some(Trust::Listed), "{url}");
        }
        for url in [
            "http://api.example.com:8080/",
            "http://api.example.com:443/",
            "https://example.org/",
            "https://xexample.org/",
            "https://other.example/",
            "http://[2001:4860::1]/",
            "https://evil.example/api.example.com",
            "https://api.example.com.evil.example/",
        ] {
            assert_eq!(judge(&policy, url), None, "{url}");
        }
    }

    #[test]
    fn an_endpoint_is_trusted_by_scheme_host_and_port() {
        let policy =
            Policy::new("", "").and_then(|policy| policy.with_endpoint("mcp.x", " http://127.0.0.1:81/v1 "));
        let policy = policy.expect("a URL");
        assert_eq!(judge(&policy, "http://127.0.0.1:81/v1/embeddings"), Some(Trust::Runtime));
        for url in ["http://127.0.0.1/", "https://127.0.0.1:81/", "http://localhost:81/"] {
            assert_eq!(judge(&policy, url), None, "{url}");
        }
        assert_eq!(Policy::default().with_endpoint("mcp.x", ""), Ok(Policy::default()));
        let error =
            Policy::default().with_endpoint("mcp.x", "http://u:secret@a.example/").expect_err("a password");
        assert!(error.starts_with("mcp.x: ") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for entry in [
            "http://a.example",
            "a.example/x",
            "*",
            "a*.example",
            "user@a.example",
            "a.example:http",
            "a b",
            "a?b",
            "a#b",
            "*.",
            "a.example:",
        ] {
            let error = Policy::new("", entry).expect_err(entry);
            assert!(error.contains("mcp.functions_allowed_hosts"), "{error}");
        }
        for url in [
            "ftp://a.example/",
            "file:///etc/passwd",
            "localhost:8000",
            "http://",
            "http://u:p@a.example/",
            "x",
        ] {
            let error = Policy::new(url, "").expect_err(url);
            assert!(error.starts_with("mcp.functions_url: "), "{error}");
            assert!(!error.contains("u:p"), "{error}");
        }
    }
}
