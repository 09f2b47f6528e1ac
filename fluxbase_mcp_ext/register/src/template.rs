//! URIs of resources, and templates of them: RFC 6570, level 1.
//!
//! `{name}` stands for one or more unreserved or percent-encoded characters, so never for a `/`. Matching takes time in proportion to
//! the URI: each variable takes the least that lets the text after it follow.

/// The longest URI or template, in bytes.
const MAX_URI: usize = 1024;
/// The longest URI that is compared with a template: a percent-encoded character takes three bytes and more.
const LONGEST: usize = 8 * MAX_URI;
/// The most variables of one template.
const MAX_VARIABLES: usize = 16;

/// A URI, or a template with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The text before the first variable.
    start: String,
    /// Each variable with the text after it; only after the last one it may be empty.
    variables: Vec<(String, String)>,
}

impl Template {
    /// Reads a URI or template.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Template, String> {
        if text.len() > MAX_URI {
            return Err(format!("it is longer than {MAX_URI} bytes."));
        }
        if let Some(bad) =
            text.chars().find(|c| c.is_whitespace() || c.is_control() || "\"<>\\^`|".contains(*c))
        {
            return Err(format!("{bad:?} cannot stand in a URI; percent-encode it."));
        }
        let scheme = text.split(':').next().filter(|scheme| scheme.len() < text.len()).unwrap_or_default();
        let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !valid {
            return Err("it must begin with a scheme, as in app://orders/{id}.".to_owned());
        }
        let mut rest = text;
        let mut pieces = Vec::new();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err("a { has no }.".to_owned());
            };
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!(
                    "{{{name}}}: a variable is named with letters, digits and _; operators such as {{+path}} are not served."
                ));
            }
            pieces.push((before, name));
            rest = after;
        }
        if pieces.iter().any(|(before, _)| before.contains('}')) || rest.contains('}') {
            return Err("a } has no {.".to_owned());
        }
        if pieces.len() > MAX_VARIABLES {
            return Err(format!("it has more than {MAX_VARIABLES} variables."));
        }
        if pieces.iter().skip(1).any(|(before, _)| before.is_empty()) {
            return Err("between two variables stands a text, such as /.".to_owned());
        }
        let mut variables: Vec<(String, String)> = Vec::new();
        for (index, (_, name)) in pieces.iter().enumerate() {
            if variables.iter().any(|(known, _)| known == name) {
                return Err(format!("the variable {{{name}}} stands twice."));
            }
            let after = pieces.get(index + 1).map_or(rest, |(before, _)| before);
            variables.push(((*name).to_owned(), after.to_owned()));
        }
        let start = pieces.first().map_or(rest, |(before, _)| before).to_owned();
        Ok(Template { start, variables })
    }

    /// Whether it has variables.
    pub fn is_template(&self) -> bool {
        !self.variables.is_empty()
    }

    /// The names of its variables, in their order.
    pub fn variables(&self) -> Vec<&str> {
        self.variables.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// How much of a URI it names itself: of two that match, the one that names more is meant.
    pub fn fixed(&self) -> usize {
        self.start.len() + self.variables.iter().map(|(_, after)| after.len()).sum::<usize>()
    }

    /// The variables that make this URI, percent-decoded; `None` when it is not one of the template's.
    pub fn variables_of(&self, uri: &str) -> Option<Vec<(&str, String)>> {
        if uri.len() > LONGEST {
            return None;
        }
        let mut rest = uri.strip_prefix(&*self.start)?;
        let mut found = Vec::with_capacity(self.variables.len());
        for (index, (name, after)) in self.variables.iter().enumerate() {
            let last = index + 1 == self.variables.len();
            let (value, next) = if last {
                (rest.strip_suffix(&**after)?, "")
            } else {
                // From the second character on: a variable is not empty.
                let second = rest.char_indices().nth(1).map(|(at, _)| at)?;
                let at = second + rest[second..].find(&**after)?;
                (&rest[..at], &rest[at + after.len()..])
            };
            let expanded = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
            if value.is_empty() || !value.chars().all(expanded) {
                return None;
            }
            found.push((name.as_str(), percent_decode(value).filter(|text| !text.contains('\0'))?));
            rest = next;
        }
        rest.is_empty().then_some(found)
    }
}

/// The text that a percent-encoded one stands for; `None` when it is none.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = tail.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}
