//! `fluxbase://functions`: the edge functions that the caller may invoke.

use crate::dispatch::Request;
use crate::error::Error;
use crate::tools::functions;

const MOST: i64 = 1000;

/// `{"functions": […], "count": n}`, and a note when there are more than are shown.
pub fn all(_: &Request<'_>, _: &[String]) -> Result<String, Error> {
    let found = functions::list(MOST + 1)?;
    Ok(super::listing(
        "functions",
        &found,
        MOST as usize,
        "There are more; invoke_function calls them by name, too.",
    ))
}
