//! The options of one section: reading a value of each type, with an error that names the option and shows the form.
//!
//! A value comes from the file (YAML, as a JSON value) or from the environment (always a text), so every reader takes
//! both forms. An option that is not known is an error with the nearest name.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{ConfigError, duration};

/// One section of the file with the environment laid over it.
pub(super) struct Section {
    name: &'static str,
    values: Map<String, Value>,
    /// The prefix of the environment variables, for the errors: `FLUXBASE_MCP_`.
    prefix: &'static str,
    /// Options that came from the environment.
    from_env: Vec<&'static str>,
}

/// An option that is none of `known` is an error with the nearest name; `place` is what a person wrote.
pub(super) fn check_known(
    section: &'static str,
    place: &str,
    option: &str,
    known: &[&'static str],
) -> Result<(), ConfigError> {
    if known.contains(&option) {
        return Ok(());
    }
    Err(ConfigError::UnknownOption {
        section,
        place: place.to_owned(),
        nearest: nearest(option, known),
        known: known.join(", "),
    })
}

impl Section {
    /// `value` is the section as it stands in the file; absent and `null` mean empty.
    pub(super) fn new(
        name: &'static str,
        prefix: &'static str,
        known: &[&'static str],
        value: Option<Value>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Section, ConfigError> {
        let mut values = match value {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(ConfigError::NotASection { section: name }),
        };
        for option in values.keys() {
            check_known(name, &format!("{name}.{option}"), option, known)?;
        }
        let mut from_env = Vec::new();
        for option in known {
            if let Some(text) = env(&format!("{prefix}{}", option.to_uppercase())) {
                values.insert((*option).to_owned(), Value::String(text));
                from_env.push(*option);
            }
        }
        Ok(Section { name, values, prefix, from_env })
    }

    fn wrong(&self, option: &'static str, form: &'static str) -> ConfigError {
        let place = if self.from_env.contains(&option) {
            format!("{}{}", self.prefix, option.to_uppercase())
        } else {
            format!("{}.{option}", self.name)
        };
        let value = match self.values.get(option) {
            Some(Value::String(text)) => format!("\"{text}\""),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        ConfigError::BadValue { place, value, form }
    }

    fn get(&self, option: &str) -> Option<&Value> {
        self.values.get(option).filter(|value| !value.is_null())
    }

    pub(super) fn bool(&self, option: &'static str, default: bool) -> Result<bool, ConfigError> {
        match self.get(option) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" => Ok(false),
                _ => Err(self.wrong(option, "true or false")),
            },
            Some(_) => Err(self.wrong(option, "true or false")),
        }
    }

    /// A whole number of at least `least`.
    pub(super) fn number(
        &self,
        option: &'static str,
        least: u64,
        default: u64,
        form: &'static str,
    ) -> Result<u64, ConfigError> {
        let number = match self.get(option) {
            None => return Ok(default),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        number.filter(|n| *n >= least && *n <= i32::MAX as u64).ok_or_else(|| self.wrong(option, form))
    }

    pub(super) fn duration(&self, option: &'static str, default: Duration) -> Result<Duration, ConfigError> {
        const FORM: &str = "a length of time such as 30s, 10m or 1h";
        let text = match self.get(option) {
            None => return Ok(default),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            Some(_) => return Err(self.wrong(option, FORM)),
        };
        duration::parse(&text).map_err(|_| self.wrong(option, FORM))
    }

    /// Like [`Section::duration`], for lengths that make no sense as zero.
    pub(super) fn some_duration(
        &self,
        option: &'static str,
        default: Duration,
    ) -> Result<Duration, ConfigError> {
        let value = self.duration(option, default)?;
        if value.is_zero() {
            return Err(self.wrong(option, "a length of time above zero, such as 30s"));
        }
        Ok(value)
    }

    pub(super) fn text(&self, option: &'static str, default: &str) -> Result<String, ConfigError> {
        match self.get(option) {
            None => Ok(default.to_owned()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(self.wrong(option, "a text")),
        }
    }

    /// A list of texts; in the environment, and as one text in the file, separated by commas or spaces.
    pub(super) fn list(&self, option: &'static str) -> Result<Vec<String>, ConfigError> {
        const FORM: &str = "a list of texts, for example [a, b]";
        match self.get(option) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => {
                Ok(text.split([',', ' ']).filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| self.wrong(option, FORM)))
                .collect(),
            Some(_) => Err(self.wrong(option, FORM)),
        }
    }

    /// A list of texts that no error may show; in the environment, and as one text in the file, separated by white space.
    pub(super) fn secret_words(
        &self,
        option: &'static str,
        form: &'static str,
    ) -> Result<Vec<String>, ConfigError> {
        let words = match self.get(option) {
            None => Some(Vec::new()),
            Some(Value::String(text)) => Some(text.split_whitespace().map(str::to_owned).collect()),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        words.ok_or_else(|| match self.wrong(option, form) {
            ConfigError::BadValue { place, form, .. } => {
                ConfigError::BadValue { place, value: "not shown here".to_owned(), form }
            }
            other => other,
        })
    }

    /// An error about the value of `option` that only the caller can judge.
    pub(super) fn refuse(&self, option: &'static str, form: &'static str) -> ConfigError {
        self.wrong(option, form)
    }
}

/// The known name with the smallest edit distance, if it is near enough to be a slip.
pub(super) fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance; the texts are option names, so the quadratic table is small.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, r) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_and_leaves_strangers() {
        let known = ["enabled", "base_path", "rate_limit_per_min"];
        assert_eq!(nearest("enable", &known), Some("enabled"));
        assert_eq!(nearest("basepath", &known), Some("base_path"));
        assert_eq!(nearest("rate_limit_per_minute", &known), Some("rate_limit_per_min"));
        assert_eq!(nearest("zzz", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
