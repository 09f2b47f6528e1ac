//! What `mcp._serve` answers, as it lies in what was read from the socket.
//!
//! A body is passed on as it came, without a copy when it is large; nothing of it is looked at.

use hyper::body::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// What `mcp._serve` answers: a line `STATUS [RETRY_AFTER] [w] [drop]`, then the body, if there is one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// JSON text; `None` for an empty body.
    pub(crate) body: Option<Bytes>,
    /// Seconds for `Retry-After`.
    pub(crate) retry_after: Option<u32>,
    /// Whether the call may have written. Postgres says so only when it is told that there are standbys.
    pub(crate) wrote: bool,
    /// Whether the call left something on the connection that the next must not meet.
    pub(crate) drop: bool,
}

impl Answer {
    /// The answer in a row; `None` when it has not the agreed form.
    pub(super) fn of(row: Row) -> Option<Answer> {
        read(Text(row))
    }
}

/// The single value of a row, as it lies in what was read from the socket.
struct Text(Row);

/// A text that is passed on as it is: Postgres has made sure that it is UTF-8.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(r#type: &Type) -> bool {
        *r#type == Type::TEXT
    }
}

impl AsRef<[u8]> for Text {
    /// Nothing for what is not a text, which no answer is.
    fn as_ref(&self) -> &[u8] {
        self.0.try_get(0).map_or(&[], |Raw(bytes)| bytes)
    }
}

/// Bodies from this size on are sent from where they were read; for smaller ones a copy is cheaper.
const LARGE: usize = 1024;

fn read(text: impl AsRef<[u8]> + Send + 'static) -> Option<Answer> {
    let bytes = text.as_ref();
    let Head { status, retry_after, wrote, drop, from } = head(bytes)?;
    let body = match bytes.len() - from {
        0 => None,
        1..LARGE => Some(Bytes::copy_from_slice(&bytes[from..])),
        _ => Some(Bytes::from_owner(text).slice(from..)),
    };
    Some(Answer { status, body, retry_after, wrote, drop })
}

/// The first line.
struct Head {
    status: u16,
    retry_after: Option<u32>,
    wrote: bool,
    drop: bool,
    /// Where the body begins.
    from: usize,
}

fn head(bytes: &[u8]) -> Option<Head> {
    let end = bytes.iter().take(32).position(|&byte| byte == b'\n')?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    let (line, drop) = line.strip_suffix(" drop").map_or((line, false), |line| (line, true));
    let (line, wrote) = line.strip_suffix(" w").map_or((line, false), |line| (line, true));
    let (status, seconds) = match line.split_once(' ') {
        Some((status, seconds)) => (status, Some(seconds.parse().ok()?)),
        None => (line, None),
    };
    Some(Head { status: status.parse().ok()?, retry_after: seconds, wrote, drop, from: end + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_agreed() {
        let large = format!("200\n{}", "x".repeat(LARGE));
        for (text, status, seconds, drop, body) in [
            ("200\n{}", 200, None, false, Some("{}")),
            ("202\n", 202, None, false, None),
            ("429 17\n{\n}", 429, Some(17), false, Some("{\n}")),
            ("200 drop\n drop", 200, None, true, Some(" drop")),
            ("429 17 drop\n", 429, Some(17), true, None),
            (large.as_str(), 200, None, false, Some(&large[4..])),
        ] {
            let answer = read(text.to_owned()).expect(text);
            assert_eq!((answer.status, answer.retry_after, answer.drop), (status, seconds, drop), "{text}");
            assert_eq!(answer.body.as_deref(), body.map(str::as_bytes), "{text}");
        }
        for (text, seconds, wrote) in [
            ("200 w\n{}", None, true),
            ("429 1 w\n{}", Some(1), true),
            ("200\n w", None, false),
            ("200 w drop\n", None, true),
        ] {
            let answer = read(text.to_owned()).expect(text);
            assert_eq!((answer.retry_after, answer.wrote), (seconds, wrote), "{text}");
        }
        for text in [
            "",
            "200",
            "200 ww\n",
            "w\n",
            "200 drop w\n",
            "\n{}",
            "ok\n",
            "200 \n",
            "200 x\n",
            "99999\n",
            "200 1 2\n",
            "{}\n",
            "200drop\n",
            "drop\n",
            " drop\n",
            "200 drop 1\n",
        ] {
            assert_eq!(read(text.to_owned()), None, "{text:?}");
        }
    }
}
