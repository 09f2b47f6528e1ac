//! What `mcp._serve` answers.
//!
//! A body is passed on as it came; nothing of it is looked at.

use bytes::Bytes;

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
    /// The answer in what the function returned; `None` when it has not the agreed form.
    pub(super) fn of(mut text: Bytes) -> Option<Answer> {
        let Head { status, retry_after, wrote, drop, from } = head(&text)?;
        let body = text.split_off(from);
        Some(Answer { status, body: (!body.is_empty()).then_some(body), retry_after, wrote, drop })
    }
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
        for (text, status, seconds, drop, body) in [
            ("200\n{}", 200, None, false, Some("{}")),
            ("202\n", 202, None, false, None),
            ("429 17\n{\n}", 429, Some(17), false, Some("{\n}")),
            ("200 drop\n drop", 200, None, true, Some(" drop")),
            ("429 17 drop\n", 429, Some(17), true, None),
        ] {
            let answer = Answer::of(text.into()).expect(text);
            assert_eq!((answer.status, answer.retry_after, answer.drop), (status, seconds, drop), "{text}");
            assert_eq!(answer.body.as_deref(), body.map(str::as_bytes), "{text}");
        }
        for (text, seconds, wrote) in [
            ("200 w\n{}", None, true),
            ("429 1 w\n{}", Some(1), true),
            ("200\n w", None, false),
            ("200 w drop\n", None, true),
        ] {
            let answer = Answer::of(text.into()).expect(text);
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
            assert_eq!(Answer::of(text.into()), None, "{text:?}");
        }
    }
}
