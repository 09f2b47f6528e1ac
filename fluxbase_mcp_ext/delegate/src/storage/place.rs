//! What `mcp.storage_url` says: where files are stored.
//!
//! Invariants: a URL holds no key, and an error about one never repeats what stands where a key could; whatever is not understood is an
//! error. Nothing is opened here.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;

/// Below the data directory of the server.
const USUAL: &str = "mcp_storage";

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Directory {
        path: PathBuf,
        /// Whether it is made when it is absent: only our own, since an absent one of the administrator's may be a disk that is not mounted.
        make: bool,
    },
    S3(Bucket),
}

/// A bucket of a server that speaks S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    /// What all keys begin with, without slashes at its ends; empty for nothing.
    pub prefix: String,
    pub region: String,
    /// `http://host:port` or `https://host`, without a path.
    pub endpoint: Url,
    /// Whether the bucket's name is a part of the host's name rather than of the path.
    pub in_host: bool,
}

const SCHEMES: &str = "write file:///path, or s3://bucket/prefix?region=eu-central-1&endpoint=https://s3.example.com, or nothing for a \
                       directory below the data directory";

impl Place {
    /// What the setting says; `region` is the one of the environment.
    ///
    /// # Errors
    /// What is wrong, and how it is written.
    pub fn parse(setting: &str, region: Option<String>) -> Result<Place, String> {
        let setting = setting.trim();
        if setting.is_empty() {
            return Ok(Place::Directory { path: USUAL.into(), make: true });
        }
        let url =
            Url::parse(setting).map_err(|error| format!("mcp.storage_url is no URL ({error}): {SCHEMES}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "mcp.storage_url holds a user or a password: keys belong into mcp.storage_credentials_file"
                    .to_owned(),
            );
        }
        if url.fragment().is_some() {
            return Err(format!("mcp.storage_url holds a #: {SCHEMES}"));
        }
        match url.scheme() {
            "file" => directory(&url),
            "s3" => bucket(&url, region).map(Place::S3),
            _ => Err(format!("mcp.storage_url has a scheme that is not known: {SCHEMES}")),
        }
    }
}

fn directory(url: &Url) -> Result<Place, String> {
    if url.query().is_some() {
        return Err("mcp.storage_url: a directory has no ?".to_owned());
    }
    let path = url
        .to_file_path()
        .ok()
        .filter(|path| path.parent().is_some() && !url.path().contains("%00"))
        .ok_or("mcp.storage_url: write file:// and an absolute path, as in file:///srv/files")?;
    Ok(Place::Directory { path, make: false })
}

fn bucket(url: &Url, region: Option<String>) -> Result<Bucket, String> {
    let name = url.host_str().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || name.len() > 255 || !name.chars().all(fits) || url.port().is_some() {
        return Err("mcp.storage_url: the name of the bucket follows s3://, as in s3://bucket".to_owned());
    }
    let prefix = url.path().trim_matches('/');
    let segment = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(fits);
    if !prefix.is_empty() && !prefix.split('/').all(segment) {
        return Err("mcp.storage_url: the prefix behind the bucket has letters, digits and . - _ between single slashes".to_owned());
    }
    let (mut endpoint, mut given_region, mut path_style) = (None, None, None);
    for (name, value) in url.query_pairs() {
        let twice = match &*name {
            "endpoint" => endpoint.replace(origin(&value)?).is_some(),
            "region" => given_region.replace(value.into_owned()).is_some(),
            "path_style" => match &*value {
                "true" => path_style.replace(true).is_some(),
                "false" => path_style.replace(false).is_some(),
                _ => return Err("mcp.storage_url: path_style is true or false".to_owned()),
            },
            // What it is is not repeated: it may be a key.
            _ => {
                return Err(
                    "mcp.storage_url: behind the ? stand region, endpoint and path_style; keys belong into \
                            mcp.storage_credentials_file"
                        .to_owned(),
                );
            }
        };
        if twice {
            return Err("mcp.storage_url: the same name stands behind the ? twice".to_owned());
        }
    }
    let region = match given_region.or(region).filter(|region| !region.is_empty()) {
        Some(region) if region.chars().all(fits) => region,
        Some(_) => return Err("mcp.storage_url: a region has letters, digits and . - _".to_owned()),
        // Servers of one's own do not ask for it.
        None if endpoint.is_some() => "us-east-1".to_owned(),
        None => {
            return Err(
                "mcp.storage_url: say where the bucket is, as in s3://bucket?region=eu-central-1".to_owned()
            );
        }
    };
    let mut endpoint = match endpoint {
        Some(endpoint) => endpoint,
        None => origin(&format!("https://s3.{region}.amazonaws.com"))?,
    };
    let in_host = path_style == Some(false);
    if in_host {
        let host = format!("{name}.{}", endpoint.host_str().unwrap_or_default());
        endpoint
            .set_host(Some(&host))
            .map_err(|_| "mcp.storage_url: this bucket cannot be a part of a host's name".to_owned())?;
    }
    Ok(Bucket { name: name.to_owned(), prefix: prefix.to_owned(), region, endpoint, in_host })
}

fn origin(text: &str) -> Result<Url, String> {
    let wrong = || {
        "mcp.storage_url: an endpoint is written as https://s3.example.com or http://127.0.0.1:9000, without a path".to_owned()
    };
    let url = crate::policy::parse(text).map_err(|_| wrong())?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if plain { Ok(url) } else { Err(wrong()) }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Directory { path, .. } => write!(f, "directory {}", path.display()),
            Place::S3(bucket) => write!(f, "{bucket}"),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        let endpoint = self.endpoint.as_str().trim_end_matches('/');
        write!(f, "s3://{}{slash}{} at {endpoint}", self.name, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(setting: &str) -> String {
        Place::parse(setting, None)
            .map_or_else(|error| panic!("{setting}: {error}"), |place| place.to_string())
    }

    #[test]
    fn directories() {
        assert_eq!(Place::parse(" ", None), Ok(Place::Directory { path: "mcp_storage".into(), make: true }));
        assert_eq!(
            Place::parse("file:///srv/a%20b", None),
            Ok(Place::Directory { path: "/srv/a b".into(), make: false })
        );
        for wrong in ["file:///", "file://host/srv", "file:///srv?x=1", "file:///srv#x", "file:///a%00b"] {
            let error = Place::parse(wrong, None).expect_err(wrong);
            assert!(error.starts_with("mcp.storage_url"), "{error}");
        }
    }

    #[test]
    fn buckets() {
        assert_eq!(place("s3://b?region=eu-central-1"), "s3://b at https://s3.eu-central-1.amazonaws.com");
        assert_eq!(
            place("s3://b/p/q/?region=eu-1&path_style=false"),
            "s3://b/p/q at https://b.s3.eu-1.amazonaws.com"
        );
        assert_eq!(
            place("s3://My_b.x/p?endpoint=http://127.0.0.1:9000/"),
            "s3://My_b.x/p at http://127.0.0.1:9000"
        );
        assert_eq!(place("s3://b?endpoint=https%3A%2F%2Fs3.example.com"), "s3://b at https://s3.example.com");
        let Ok(Place::S3(bucket)) = Place::parse("s3://b", Some("eu-9".into())) else { panic!() };
        assert_eq!((bucket.region.as_str(), bucket.in_host), ("eu-9", false));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_no_key_is_repeated() {
        for wrong in [
            "srv/files",
            "/srv/files",
            "http://hidden.example/",
            "s3://",
            "s3:bucket",
            "s3://b",
            "s3://b:9000?region=x",
            "s3://b!?region=x",
            "s3://hidden:hidden@b?region=x",
            "s3://b?region=x&secret=hidden",
            "s3://b?region=x&region=y",
            "s3://b?region=a/b",
            "s3://b?endpoint=ftp://x",
            "s3://b?endpoint=http://x/path",
            "s3://b?endpoint=http://u:hidden@x/",
            "s3://b?region=x&path_style=maybe",
            "s3://b/a//b?region=x",
            "s3://b/a%2Fb?region=x",
            "s3://127.0.0.1?region=x&path_style=false&endpoint=http://127.0.0.1:1",
        ] {
            let error = Place::parse(wrong, None).expect_err(wrong);
            assert!(error.starts_with("mcp.storage_url") && !error.contains("hidden"), "{wrong}: {error}");
        }
    }

    proptest! {
        #[test]
        fn noise_is_no_danger(text in "(s3://|file:///|b|region=x|[?&/%#@:.=]|\\PC){0,12}") {
            if let Ok(Place::S3(bucket)) = Place::parse(&text, None) {
                prop_assert!(!bucket.prefix.split('/').any(|part| part == ".."));
                prop_assert!(bucket.endpoint.path() == "/");
            }
        }
    }
}
