//! `fluxbase://functions`: the edge functions that the caller may invoke.

use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;
use crate::tools::functions;

const MOST: i64 = 1000;

/// `{"functions": […], "count": n}`, and a note when there are more than are shown.
pub fn all(_: &Request<'_>, _: &[String]) -> Result<String, Error> {
    let found = functions::list(MOST + 1)?;
    let (mut text, mut shown) = (String::from(r#"{"functions":["#), 0);
    for line in found.iter().take(MOST as usize) {
        if shown > 0 {
            if text.len() + line.len() > gucs::max_result_chars() {
                break;
            }
            text.push(',');
        }
        text.push_str(line);
        shown += 1;
    }
    text.push_str(&format!(r#"],"count":{shown}"#));
    if shown < found.len() {
        text.push_str(r#","note":"There are more; invoke_function calls them by name, too.""#);
    }
    text.push('}');
    Ok(text)
}
