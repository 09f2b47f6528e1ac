//! `fluxbase://jobs`: the jobs that the caller may submit, and one of them.

use std::collections::BTreeSet;

use crate::dispatch::Request;
use crate::error::Error;
use crate::tools::jobs::table;

const MOST: i64 = 1000;

/// The template of one job, as the registry has it.
pub const ONE: &str = "fluxbase://jobs/{namespace}/{name}";

/// `{"jobs": […], "count": n}`, and a note when there are more than are shown.
pub fn all(_: &Request<'_>, _: &[String]) -> Result<String, Error> {
    table::there("Nothing was read.")?;
    let found = table::list(MOST + 1);
    Ok(super::listing("jobs", &found, MOST as usize, "There are more; submit_job takes them by name, too."))
}

/// One of them.
pub fn one(_: &Request<'_>, names: &[String]) -> Result<String, Error> {
    table::there("Nothing was read.")?;
    let [namespace, name] = names else { unreachable!("the template has two variables") };
    table::described(name, namespace).ok_or_else(|| {
        Error::refused(
            "42P01",
            format!("there is no job {namespace}/{name} that you may submit. Nothing was read."),
            "The resource fluxbase://jobs lists those that you may.".to_owned(),
        )
    })
}

/// What the variable of [`ONE`] may be; `None`: it has no such variable.
pub fn complete(argument: &str, namespace: Option<&str>) -> Option<BTreeSet<String>> {
    let part = match argument {
        "namespace" => |(namespace, _): (String, String)| namespace,
        "name" => |(_, name): (String, String)| name,
        _ => return None,
    };
    if table::there("").is_err() {
        return Some(BTreeSet::new());
    }
    let known = table::names(10_000).into_iter();
    Some(
        known
            .filter(|(of, _)| namespace.is_none_or(|wanted| argument == "namespace" || of == wanted))
            .map(part)
            .collect(),
    )
}
