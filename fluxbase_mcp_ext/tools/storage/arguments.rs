//! The arguments of the storage tools.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fluxbase_query::{Arguments, QueryError, show};
use fluxbase_storage::{kind, name};

use crate::dispatch::Request;

/// Most bytes of one answer.
pub const MOST: u64 = 10 << 20;

/// Which object.
pub struct Named {
    pub bucket: String,
    pub key: String,
}

impl Named {
    pub fn read(request: &Request<'_>) -> Result<Named, QueryError> {
        let args = Arguments::parse(request.arguments)?;
        args.only(&["bucket", "key"])?;
        Named::of(&args)
    }

    fn of(args: &Arguments) -> Result<Named, QueryError> {
        let bucket = bucket(args)?;
        let Some(key) = args.str("key")? else {
            return Err(
                args.unfit("key", "is missing: write {\"bucket\":\"uploads\",\"key\":\"reports/2026.txt\"}")
            );
        };
        name::check(&key).map_err(|wrong| args.unfit("key", wrong.why()))?;
        Ok(Named { bucket, key })
    }
}

fn bucket(args: &Arguments) -> Result<String, QueryError> {
    match args.str("bucket")? {
        Some(bucket) if !bucket.is_empty() => Ok(bucket),
        _ => {
            let why = "is missing: write {\"bucket\":\"uploads\"}; the resource fluxbase://storage/buckets lists them";
            Err(args.unfit("bucket", why))
        }
    }
}

/// Arguments of `list_objects`.
pub struct Listing {
    pub bucket: String,
    pub prefix: String,
    pub delimiter: Option<String>,
    pub start_after: Option<String>,
    pub limit: usize,
}

impl Listing {
    pub fn read(request: &Request<'_>) -> Result<Listing, QueryError> {
        const MOST: i64 = 1000;
        let args = Arguments::parse(request.arguments)?;
        args.only(&["bucket", "prefix", "delimiter", "limit", "start_after"])?;
        let bucket = bucket(&args)?;
        let limit = args.int("limit")?.unwrap_or(100);
        if limit < 1 {
            return Err(args.unfit("limit", "must be at least 1"));
        }
        Ok(Listing {
            bucket,
            prefix: args.str("prefix")?.unwrap_or_default(),
            delimiter: args.str("delimiter")?,
            start_after: args.str("start_after")?.filter(|after| !after.is_empty()),
            limit: usize::try_from(limit.min(MOST)).unwrap_or(1),
        })
    }
}

/// Arguments of `download_object`.
pub struct Part {
    pub named: Named,
    /// Where the part begins, and how long it may be; `None` for the whole object.
    pub part: Option<(u64, u64)>,
}

impl Part {
    pub fn read(request: &Request<'_>) -> Result<Part, QueryError> {
        let args = Arguments::parse(request.arguments)?;
        args.only(&["bucket", "key", "offset", "length"])?;
        let named = Named::of(&args)?;
        let (offset, length) = (args.int("offset")?, args.int("length")?);
        let number = |name: &str, value: i64, least: i64| {
            u64::try_from(value)
                .ok()
                .filter(|_| value >= least)
                .ok_or_else(|| args.unfit(name, &format!("must be at least {least}")))
        };
        let part = match (offset, length) {
            (None, None) => None,
            (offset, length) => {
                let offset = number("offset", offset.unwrap_or(0), 0)?;
                let length = length.map_or(Ok(MOST), |length| number("length", length, 1))?;
                if length > MOST {
                    return Err(args
                        .unfit("length", &format!("must be at most {MOST}, the most bytes of one answer")));
                }
                Some((offset, length))
            }
        };
        Ok(Part { named, part })
    }
}

/// Arguments of `upload_object`.
pub struct Upload {
    pub named: Named,
    pub bytes: Vec<u8>,
    pub content_type: String,
    /// JSON text of an object.
    pub metadata: Option<String>,
    pub overwrite: bool,
}

impl Upload {
    pub fn read(request: &Request<'_>) -> Result<Upload, QueryError> {
        let args = Arguments::parse(request.arguments)?;
        args.only(&["bucket", "key", "content", "content_type", "encoding", "metadata", "overwrite"])?;
        let named = Named::of(&args)?;
        let Some(content) = args.str("content")? else {
            return Err(args.unfit("content", "is missing: write the text itself, \"\" for an empty object, or base64 with {\"encoding\":\"base64\"}"));
        };
        let bytes = match args.str("encoding")?.as_deref() {
            None | Some("text") => content.into_bytes(),
            Some("base64") => STANDARD.decode(content.as_bytes()).map_err(|error| {
                args.unfit(
                    "content",
                    &format!("is not base64 of the standard alphabet with padding ({error})"),
                )
            })?,
            Some(other) => {
                return Err(args.unfit("encoding", &format!("{} is none of text, base64", show(other))));
            }
        };
        let content_type = match args.str("content_type")?.filter(|given| !given.is_empty()) {
            Some(given) if kind::is_valid(&given) => given,
            Some(given) => {
                let why =
                    format!("{} is no media type such as \"text/plain\" or \"image/png\"", show(&given));
                return Err(args.unfit("content_type", &why));
            }
            None => kind::sniff(&named.key, &bytes).to_owned(),
        };
        let metadata = args.raw("metadata").map(|raw| raw.get().to_owned());
        if metadata.as_ref().is_some_and(|text| !text.starts_with('{')) {
            return Err(args.unfit("metadata", "must be an object, such as {\"project\":\"a\"}"));
        }
        let overwrite = args.bool("overwrite")?.unwrap_or(true);
        Ok(Upload { named, bytes, content_type, metadata, overwrite })
    }
}
