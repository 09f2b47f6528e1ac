//! One record, and its bytes: a head of fixed size, then six texts, each with its length.

use std::net::IpAddr;

/// What became of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// It was answered, and what it did stays.
    #[default]
    Ok = 0,
    /// It was answered, and what it did was undone: a dry run, or the client is asked something first.
    Undone = 1,
    /// The delegate worker goes on with it: a second record tells its end.
    Begun = 2,
    /// An error.
    Error = 3,
    /// A scope, a privilege or the operator's lists forbid it.
    Denied = 4,
    /// The whole transaction was rolled back.
    Aborted = 5,
    /// No key, or one that is not accepted.
    Unauthenticated = 6,
    /// Too many requests.
    Limited = 7,
    /// Records that found no room.
    Lost = 8,
}

impl Outcome {
    const ALL: [Outcome; 9] = [
        Outcome::Ok,
        Outcome::Undone,
        Outcome::Begun,
        Outcome::Error,
        Outcome::Denied,
        Outcome::Aborted,
        Outcome::Unauthenticated,
        Outcome::Limited,
        Outcome::Lost,
    ];

    /// The word in `mcp.audit_log.outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Undone => "undone",
            Outcome::Begun => "begun",
            Outcome::Error => "error",
            Outcome::Denied => "denied",
            Outcome::Aborted => "aborted",
            Outcome::Unauthenticated => "unauthenticated",
            Outcome::Limited => "limited",
            Outcome::Lost => "lost",
        }
    }
}

/// By which way a call came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// `mcp.handle(jsonb)`.
    #[default]
    Sql = 0,
    /// The listener, over HTTP.
    Http = 1,
    /// The listener, on standard input and output, or whoever else has a credential.
    Stdio = 2,
    /// From within another call.
    Nested = 3,
    /// The audit itself.
    Audit = 4,
}

impl Source {
    const ALL: [Source; 5] = [Source::Sql, Source::Http, Source::Stdio, Source::Nested, Source::Audit];

    /// The word in `mcp.audit_log.source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Sql => "sql",
            Source::Http => "http",
            Source::Stdio => "stdio",
            Source::Nested => "nested",
            Source::Audit => "audit",
        }
    }
}

/// One record. Texts that are empty are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// When the call began, in microseconds.
    pub at: i64,
    /// How long it took, in microseconds.
    pub duration: i64,
    /// The server process.
    pub pid: i32,
    /// The database role that it ran as, by oid; 0: none.
    pub role: u32,
    /// The role that the session logged in as, by oid; 0: none.
    pub login: u32,
    /// How many events this is.
    pub times: u32,
    /// Rows that were returned or changed; `None` where there are no rows to speak of.
    pub rows: Option<u64>,
    pub source: Source,
    pub outcome: Outcome,
    /// HTTP status; 0: none.
    pub status: u16,
    /// Of a JSON-RPC error; 0: none.
    pub rpc_code: i32,
    /// SQLSTATE; zeros: none.
    pub sqlstate: [u8; 5],
    pub address: Option<IpAddr>,
    pub key_id: &'a str,
    pub method: &'a str,
    /// Tool or prompt.
    pub tool: &'a str,
    pub object: &'a str,
    pub note: &'a str,
    pub arguments: &'a str,
}

/// Bytes before the texts, with the length of the whole.
pub const HEAD: usize = 4 + 8 + 8 + 4 + 4 + 4 + 4 + 8 + 1 + 1 + 2 + 4 + 5 + 17;
/// Where the outcome stands in the bytes, and the SQLSTATE.
const OUTCOME: usize = 4 + 8 + 8 + 4 + 4 + 4 + 4 + 8 + 1;
const SQLSTATE: usize = OUTCOME + 1 + 2 + 4;
/// Most bytes of each text but the arguments.
pub const TEXT: usize = 400;
/// Most bytes of the arguments.
pub const ARGUMENTS: usize = 4000;
/// Most bytes of a record.
pub const MOST: usize = HEAD + 6 * 2 + 5 * TEXT + ARGUMENTS;

/// The beginning of a text, without cutting a character in two.
fn clipped(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Record<'_> {
    /// Appends the bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let texts = [
            clipped(self.key_id, TEXT),
            clipped(self.method, TEXT),
            clipped(self.tool, TEXT),
            clipped(self.object, TEXT),
            clipped(self.note, TEXT),
            clipped(self.arguments, ARGUMENTS),
        ];
        let size = HEAD + texts.iter().map(|text| text.len() + 2).sum::<usize>();
        out.reserve(size);
        let mut head = [0; HEAD];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            head[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&(size as u32).to_le_bytes());
        put(&self.at.to_le_bytes());
        put(&self.duration.to_le_bytes());
        put(&self.pid.to_le_bytes());
        put(&self.role.to_le_bytes());
        put(&self.login.to_le_bytes());
        put(&self.times.to_le_bytes());
        put(&self.rows.map_or(-1, |rows| i64::try_from(rows).unwrap_or(i64::MAX)).to_le_bytes());
        put(&[self.source as u8, self.outcome as u8]);
        put(&self.status.to_le_bytes());
        put(&self.rpc_code.to_le_bytes());
        put(&self.sqlstate);
        put(&address(self.address));
        out.extend_from_slice(&head);
        for text in texts {
            out.extend_from_slice(&(text.len() as u16).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Family and bytes of an address.
pub fn address(address: Option<IpAddr>) -> [u8; 17] {
    let mut bytes = [0; 17];
    match address {
        None => {}
        Some(IpAddr::V4(v4)) => {
            bytes[0] = 4;
            bytes[1..5].copy_from_slice(&v4.octets());
        }
        Some(IpAddr::V6(v6)) => {
            bytes[0] = 6;
            bytes[1..].copy_from_slice(&v6.octets());
        }
    }
    bytes
}

/// The reverse of [`address`].
pub fn address_of(bytes: [u8; 17]) -> Option<IpAddr> {
    let [family, rest @ ..] = bytes;
    match family {
        4 => Some(IpAddr::from([rest[0], rest[1], rest[2], rest[3]])),
        6 => Some(IpAddr::from(rest)),
        _ => None,
    }
}

/// Changes every record in `bytes` that says that all went well: its transaction was rolled back after it had ended.
pub fn abort(bytes: &mut [u8], sqlstate: [u8; 5]) {
    let mut rest = bytes;
    while let Some(size) = size_of(rest) {
        let (one, after) = rest.split_at_mut(size);
        if matches!(one[OUTCOME], 0..=2) {
            one[OUTCOME] = Outcome::Aborted as u8;
            one[SQLSTATE..SQLSTATE + 5].copy_from_slice(&sqlstate);
        }
        rest = after;
    }
}

/// The size of the first record; `None` when no whole one is there.
pub fn size_of(bytes: &[u8]) -> Option<usize> {
    let size = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
    (HEAD..=MOST).contains(&size).then_some(size).filter(|&size| size <= bytes.len())
}

/// Records one after the other. What is no record ends it.
pub struct Records<'a>(pub &'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let size = size_of(self.0)?;
        let (one, rest) = self.0.split_at(size);
        self.0 = rest;
        let mut reader = Reader(&one[4..]);
        let mut record = Record {
            at: i64::from_le_bytes(reader.take()?),
            duration: i64::from_le_bytes(reader.take()?),
            pid: i32::from_le_bytes(reader.take()?),
            role: u32::from_le_bytes(reader.take()?),
            login: u32::from_le_bytes(reader.take()?),
            times: u32::from_le_bytes(reader.take()?),
            rows: u64::try_from(i64::from_le_bytes(reader.take()?)).ok(),
            source: *Source::ALL.get(usize::from(reader.take::<1>()?[0]))?,
            outcome: *Outcome::ALL.get(usize::from(reader.take::<1>()?[0]))?,
            status: u16::from_le_bytes(reader.take()?),
            rpc_code: i32::from_le_bytes(reader.take()?),
            sqlstate: reader.take()?,
            address: address_of(reader.take()?),
            ..Record::default()
        };
        for text in [
            &mut record.key_id,
            &mut record.method,
            &mut record.tool,
            &mut record.object,
            &mut record.note,
            &mut record.arguments,
        ] {
            *text = reader.text()?;
        }
        Some(record)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(bytes).ok()
    }
}
