//! `fluxbase://storage/buckets`, and `fluxbase://storage/{bucket}/{path}`: the content of `download_object`.

use crate::dispatch::Request;
use crate::error::Error;
use crate::resources::Contents;
use crate::tools::storage;

/// The buckets that the caller may see.
pub fn buckets(_: &Request<'_>, _: &[String]) -> Result<String, Error> {
    storage::buckets()
}

/// One object.
pub fn object(request: &Request<'_>, parts: &[String]) -> Result<Option<Contents>, Error> {
    let [bucket, key] = parts else { return Err(Error::internal("the template has two names")) };
    storage::resource(request, bucket, key)
}
