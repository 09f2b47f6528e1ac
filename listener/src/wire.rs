//! What is said on an open session: a call of one function, or a statement without parameters; and the answer.
//!
//! A call is Postgres's function call message (manual: Frontend/Backend Protocol, Message Flow, Function Call), which runs a function in a
//! transaction of its own without a portal, a plan and an executor around it, and which no client library of Rust speaks: see
//! docs/decisions/0025. Messages that are not peculiar to it are read and written by postgres-protocol.
//!
//! Whoever waits for the answer drives the socket, in its own task. Waiting may be given up and taken up again at any point: what was said
//! and heard so far is kept here, and an answer that nobody waited for is read away before the next one.
//!
//! Invariants:
//! - An answer is given after ReadyForQuery, so what it tells has been committed.
//! - Notices are read and dropped, since they may hold rows; all but those that a tool addresses to its client.
//! - Nothing that is sent or received is logged.
//!
//! It does not open, cancel or end a session: see [`crate::connection`].

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ErrorFields, Message};
use postgres_protocol::message::frontend;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, Sleep};

use crate::events::{Notices, notification};
use crate::lent::{Shared, borrow};

/// SQLSTATE of a notice whose text is a message for the client (`mcp.progress`, `mcp.log`). Any function can raise it.
const FOR_THE_CLIENT: &str = "MC001";
/// What a session's buffers hold at rest, in bytes. Larger ones are given back.
const AT_REST: usize = 16 * 1024;
/// At most so much room is made for a message before more of it has come, in bytes.
const AT_ONCE: usize = 16 * 1024 * 1024;
/// Values from this size on are given as they lie in what was read; smaller ones are copied, which is cheaper.
const LARGE: usize = 4096;

/// An open session.
pub(crate) struct Wire {
    stream: Shared,
    /// What is still to be sent.
    outbox: BytesMut,
    /// What was read and not looked at yet.
    inbox: BytesMut,
    /// How many times the server has yet to say that it is ready.
    owed: u32,
    /// What has come of the answer.
    answer: Answer,
    /// Nothing more can be said or heard.
    ended: bool,
    /// Kept over all calls: setting an alarm later is cheap, making one is not.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Who is to be told what a tool tells while it runs.
    pub(crate) notices: Option<Notices>,
}

/// The columns of a row, as text.
pub(crate) type Row = Vec<Option<String>>;

/// What a call or a statement gave.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What a function returned; nothing for NULL.
    pub(crate) value: Option<Bytes>,
    /// The rows of a statement.
    pub(crate) rows: Vec<Row>,
    /// The first error.
    error: Option<ServerError>,
}

/// An error of the server's. Never shown to callers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerError {
    /// SQLSTATE.
    pub(crate) code: String,
    pub(crate) message: String,
    /// The function in Postgres that raised it.
    pub(crate) routine: String,
    /// Whether it ended the session.
    pub(crate) fatal: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The server has rolled back.
    #[error("{} (SQLSTATE {})", .0.message, .0.code)]
    Server(ServerError),
    /// The session broke.
    #[error("{0}")]
    Socket(#[from] io::Error),
}

impl Failed {
    /// The SQLSTATE, of an error of the server's.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Failed::Server(error) => Some(&error.code),
            Failed::Socket(_) => None,
        }
    }
}

/// The time is over.
#[derive(Debug)]
pub(crate) struct Late;

impl Wire {
    /// Takes over a session on which nothing is going on.
    pub(crate) fn new(stream: Shared) -> Wire {
        Wire {
            stream,
            outbox: BytesMut::new(),
            inbox: BytesMut::new(),
            owed: 0,
            answer: Answer::default(),
            ended: false,
            alarm: None,
            notices: None,
        }
    }

    /// Says a call of a function by its OID, with texts as arguments, for a value in its binary form. Sent as soon as somebody waits for the answer.
    pub(crate) fn call(&mut self, function: u32, arguments: &[&str]) -> io::Result<()> {
        write_call(function, arguments, &mut self.outbox)?;
        self.owed += 1;
        Ok(())
    }

    /// Says a statement without parameters. Sent as soon as somebody waits for the answer.
    pub(crate) fn query(&mut self, sql: &str) -> io::Result<()> {
        frontend::query(sql, &mut self.outbox)?;
        self.owed += 1;
        Ok(())
    }

    /// Waits until the server is ready, for the answer to what was said last.
    pub(crate) async fn answer(&mut self) -> Result<Answer, Failed> {
        poll_fn(|cx| self.poll_answer(cx)).await
    }

    /// The same until a deadline, also when a flood of notices uses up tokio's budget. An answer that comes with the deadline wins. When it has
    /// passed, the answer can be waited for anew.
    pub(crate) async fn answer_until(&mut self, deadline: Instant) -> Result<Result<Answer, Failed>, Late> {
        match &mut self.alarm {
            Some(alarm) => alarm.as_mut().reset(deadline),
            None => self.alarm = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
        poll_fn(|cx| {
            if let Poll::Ready(answer) = self.poll_answer(cx) {
                return Poll::Ready(Ok(answer));
            }
            match &mut self.alarm {
                Some(alarm) => pin!(tokio::task::unconstrained(alarm.as_mut())).poll(cx).map(|()| Err(Late)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Whether it has ended. Reads what the server has said unasked, without waiting.
    pub(crate) fn is_ended(&mut self) -> bool {
        // Nobody is to be woken: whoever uses the session next says so by waiting for an answer.
        let cx = &mut Context::from_waker(Waker::noop());
        while !self.ended && self.owed == 0 {
            let heard = match self.next() {
                Ok(Some(message)) => self.hear(message).map(|_| true),
                Ok(None) => match self.fill(cx) {
                    Poll::Ready(read) => read.map(|()| true),
                    Poll::Pending => Ok(false),
                },
                Err(error) => Err(error),
            };
            // An error without a question ends the session.
            self.ended = heard.is_err() || self.answer.error.is_some();
            if matches!(heard, Ok(false)) {
                break;
            }
        }
        self.ended
    }

    /// Whether it is known to have ended. Looks at nothing.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether a part of what was said has not been sent, so that the server has not begun with it.
    pub(crate) fn is_half_said(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Leaves the session to somebody else, who ends it.
    pub(crate) fn leave(mut self) {
        self.ended = true;
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, Failed>> {
        let outcome = ready!(self.poll_ready(cx));
        if self.outbox.is_empty() && self.outbox.capacity() > AT_REST {
            self.outbox = BytesMut::new();
        }
        let mut answer = std::mem::take(&mut self.answer);
        let error = answer.error.take().map(Failed::Server);
        Poll::Ready(match (error, outcome) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(Failed::Socket(error)),
            (None, Ok(())) => Ok(answer),
        })
    }

    /// Sends and reads until the server is ready for the next statement, or nothing can be said any more.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        let moved = loop {
            match self.next() {
                Ok(Some(message)) => match self.hear(message) {
                    Ok(false) if self.answer.error.as_ref().is_some_and(|error| error.fatal) => {
                        break Ok(true);
                    }
                    Ok(false) => {}
                    Ok(true) => {
                        self.owed = self.owed.saturating_sub(1);
                        if self.owed == 0 {
                            return Poll::Ready(Ok(()));
                        }
                        // That was the answer to something that nobody waits for any more.
                        self.answer = Answer::default();
                    }
                    Err(error) => break Err(error),
                },
                Ok(None) => {
                    if let Poll::Ready(Err(error)) = self.send(cx) {
                        break Err(error);
                    }
                    match ready!(self.fill(cx)) {
                        Ok(()) => {}
                        Err(error) => break Err(error),
                    }
                }
                Err(error) => break Err(error),
            }
        };
        self.ended = true;
        Poll::Ready(moved.map(drop))
    }

    /// Sends what is to be sent, as much as the socket takes.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outbox.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut stream = borrow(&self.stream);
        while !self.outbox.is_empty() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &self.outbox))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.outbox.advance(sent),
            }
        }
        Pin::new(&mut *stream).poll_flush(cx)
    }

    /// Reads what there is.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.inbox.is_empty() && self.inbox.capacity() > AT_REST {
            self.inbox = BytesMut::new();
        }
        // All of a message whose length is known; else what an ordinary answer needs.
        let wanted =
            announced(&self.inbox).map_or(AT_REST / 2, |length| length.saturating_sub(self.inbox.len()));
        self.inbox.reserve(wanted.clamp(1, AT_ONCE));
        let stream = &mut *borrow(&self.stream);
        match ready!(pin!({ stream }.read_buf(&mut self.inbox)).poll(cx))? {
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// The next message, if all of it has been read.
    fn next(&mut self) -> io::Result<Option<Heard>> {
        if self.inbox.first() != Some(&FUNCTION_CALL_RESPONSE) {
            return Ok(Message::parse(&mut self.inbox)?.map(Heard::Other));
        }
        read_value(&mut self.inbox)
    }

    /// Takes in a message. True when the server says that it is ready.
    fn hear(&mut self, message: Heard) -> io::Result<bool> {
        match message {
            Heard::Value(value) => self.answer.value = value,
            Heard::Other(Message::ReadyForQuery(_)) => return Ok(true),
            Heard::Other(Message::DataRow(row)) => {
                let (buffer, mut ranges) = (row.buffer(), row.ranges());
                let mut columns = Row::new();
                while let Some(range) = ranges.next()? {
                    let text = range.map(|range| String::from_utf8_lossy(&buffer[range]).into_owned());
                    columns.push(text);
                }
                self.answer.rows.push(columns);
            }
            Heard::Other(Message::ErrorResponse(body)) => {
                let error = server_error(body.fields())?;
                self.answer.error.get_or_insert(error);
            }
            Heard::Other(Message::NoticeResponse(body)) => {
                if let Some(notices) = &self.notices {
                    let notice = server_error(body.fields())?;
                    // A client that does not keep up misses some; each tells the whole state.
                    if notice.code == FOR_THE_CLIENT
                        && let Some(message) = notification(&notice.message)
                    {
                        _ = notices.try_send(message);
                    }
                }
            }
            // Settings that changed, and what frames the rows of a statement.
            Heard::Other(_) => {}
        }
        Ok(false)
    }
}

impl Drop for Wire {
    /// Tells the server goodbye, as far as the socket takes it at once, so that it does not log a client that vanished.
    fn drop(&mut self) {
        if !self.ended && self.outbox.is_empty() {
            frontend::terminate(&mut self.outbox);
            _ = self.send(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// A message of the server's.
enum Heard {
    Value(Option<Bytes>),
    Other(Message),
}

const FUNCTION_CALL: u8 = b'F';
const FUNCTION_CALL_RESPONSE: u8 = b'V';
const BINARY: u16 = 1;
/// Tag and length.
const HEAD: usize = 5;

fn write_call(function: u32, arguments: &[&str], out: &mut BytesMut) -> io::Result<()> {
    let too_large = |_| io::Error::new(io::ErrorKind::InvalidInput, "a message of more than 2 GB");
    let lengths: usize = arguments.iter().map(|argument| 4 + argument.len()).sum();
    // Everything but the tag: length, function, one format for all arguments, number of arguments, arguments, format of the value.
    let length = i32::try_from(4 + 4 + 2 + 2 + 2 + lengths + 2).map_err(too_large)?;
    let count = u16::try_from(arguments.len()).map_err(too_large)?;
    out.reserve(1 + length as usize);
    out.put_u8(FUNCTION_CALL);
    out.put_i32(length);
    out.put_u32(function);
    out.put_u16(1);
    out.put_u16(BINARY);
    out.put_u16(count);
    for argument in arguments {
        // Shorter than the whole, which fits.
        out.put_i32(argument.len() as i32);
        out.put_slice(argument.as_bytes());
    }
    out.put_u16(BINARY);
    Ok(())
}

/// The length of the message at the beginning, with its tag; `None` as long as it has not been read, or when it is none.
fn announced(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(1..HEAD)?.try_into().map(u32::from_be_bytes).ok()?;
    (4..=i32::MAX as u32).contains(&length).then_some(1 + length as usize)
}

/// The value of a function, if all of it has been read.
fn read_value(inbox: &mut BytesMut) -> io::Result<Option<Heard>> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "a function's value is malformed");
    if inbox.len() < HEAD {
        return Ok(None);
    }
    let whole = announced(inbox).ok_or_else(malformed)?;
    if inbox.len() < whole {
        return Ok(None);
    }
    let mut message = &inbox[HEAD..whole];
    let length = message.try_get_i32().map_err(|_| malformed())?;
    let value = match usize::try_from(length) {
        Err(_) => None,
        Ok(length) if length != message.len() => return Err(malformed()),
        Ok(length) if length < LARGE => Some(Bytes::copy_from_slice(message)),
        Ok(_) => {
            let mut message = inbox.split_to(whole);
            message.advance(HEAD + 4);
            return Ok(Some(Heard::Value(Some(message.freeze()))));
        }
    };
    inbox.advance(whole);
    Ok(Some(Heard::Value(value)))
}

fn server_error(mut fields: ErrorFields<'_>) -> io::Result<ServerError> {
    let mut error = ServerError::default();
    while let Some(field) = fields.next()? {
        let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => error.code = text(),
            b'M' => error.message = text(),
            b'R' => error.routine = text(),
            // The severity, not translated.
            b'V' => error.fatal = matches!(field.value_bytes(), b"FATAL" | b"PANIC"),
            _ => {}
        }
    }
    Ok(error)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::io::{AsyncWriteExt, DuplexStream};
    use tokio::sync::mpsc;

    use super::*;

    const READY: &[u8] = b"Z\0\0\0\x05I";

    fn pair() -> (Wire, DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 20);
        (Wire::new(Arc::new(Mutex::new(near))), far)
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        out.extend((body.len() as u32 + 4).to_be_bytes());
        out.extend(body);
        out
    }

    fn value(text: &str) -> Vec<u8> {
        message(b'V', &[&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat())
    }

    fn error(tag: u8, severity: &str, code: &str, text: &str) -> Vec<u8> {
        message(tag, format!("S…\0V{severity}\0C{code}\0M{text}\0Rsomewhere\0\0").as_bytes())
    }

    async fn soon<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), future).await.expect("it hangs")
    }

    #[test]
    fn a_call_has_the_form_of_the_manual() {
        let mut out = BytesMut::new();
        write_call(0x0102_0304, &["a", ""], &mut out).unwrap();
        assert_eq!(
            &out[..],
            b"F\0\0\0\x19\x01\x02\x03\x04\0\x01\0\x01\0\x02\0\0\0\x01a\0\0\0\0\0\x01",
            "length, function, one format, binary, two arguments, format of the value"
        );
        assert_eq!(out.len(), 1 + 0x19, "the length is that of all but the tag");
    }

    #[tokio::test]
    async fn a_value_comes_whole_however_it_is_cut() {
        for text in ["", "200\n{}", &"x".repeat(LARGE), &"y".repeat(300_000)] {
            for cut in [1, 7, 4096] {
                let (mut wire, mut far) = pair();
                wire.call(1, &["m"]).unwrap();
                let bytes = [value(text), READY.to_vec()].concat();
                let cut = if text.len() > LARGE { 4096 } else { cut };
                let server = tokio::spawn(async move {
                    for part in bytes.chunks(cut) {
                        far.write_all(part).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    far
                });
                let answer = soon(wire.answer()).await.unwrap();
                assert_eq!(answer.value.as_deref(), Some(text.as_bytes()));
                let _far = server.await.unwrap();
                assert!(!wire.is_ended());
                assert!(wire.inbox.capacity() <= AT_REST, "what a large answer needed is given back");
            }
        }
    }

    #[tokio::test]
    async fn null_and_broken_values() {
        for (body, expected) in
            [(&b"\xff\xff\xff\xff"[..], Some(None)), (b"\0\0\0\x05abc", None), (b"\0\0", None), (b"", None)]
        {
            let (mut wire, mut far) = pair();
            wire.call(1, &[]).unwrap();
            far.write_all(&[message(b'V', body), READY.to_vec()].concat()).await.unwrap();
            let answer = soon(wire.answer()).await;
            match expected {
                Some(value) => assert_eq!(answer.unwrap().value, value),
                None => assert!(matches!(answer, Err(Failed::Socket(_))) && wire.has_ended(), "{body:?}"),
            }
        }
    }

    #[tokio::test]
    async fn rows_are_texts() {
        let (mut wire, mut far) = pair();
        wire.query("SELECT 1").unwrap();
        let row = message(b'D', b"\0\x02\0\0\0\x02on\xff\xff\xff\xff");
        far.write_all(&[row, message(b'C', b"SELECT 1\0"), READY.to_vec()].concat()).await.unwrap();
        let answer = soon(wire.answer()).await.unwrap();
        assert_eq!(answer.rows, [[Some("on".to_owned()), None]]);
    }

    #[tokio::test]
    async fn an_error_is_told_once_the_server_is_ready_and_the_session_goes_on() {
        let (mut wire, mut far) = pair();
        wire.call(1, &["m"]).unwrap();
        far.write_all(&error(b'E', "ERROR", "40001", "once more")).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(20), wire.answer()).await;
        assert!(early.is_err(), "the transaction has not ended yet");
        far.write_all(READY).await.unwrap();
        let told = soon(wire.answer()).await.unwrap_err();
        assert_eq!((told.code(), told.to_string().as_str()), (Some("40001"), "once more (SQLSTATE 40001)"));
        wire.call(1, &["m"]).unwrap();
        far.write_all(&[value("200\n"), READY.to_vec()].concat()).await.unwrap();
        assert_eq!(soon(wire.answer()).await.unwrap().value.as_deref(), Some(&b"200\n"[..]));
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waited_for_is_not_taken_for_the_next() {
        let (mut wire, mut far) = pair();
        wire.call(1, &["m"]).unwrap();
        assert!(wire.answer_until(Instant::now() + Duration::from_millis(5)).await.is_err());
        far.write_all(&value("200\nhers")).await.unwrap();
        assert!(wire.answer_until(Instant::now() + Duration::from_millis(5)).await.is_err());
        wire.query("").unwrap();
        far.write_all(&[READY, &message(b'I', b""), READY].concat()).await.unwrap();
        let answer = soon(wire.answer()).await.unwrap();
        assert_eq!(answer.value, None);
    }

    #[tokio::test]
    async fn an_answer_can_be_waited_for_anew() {
        let (mut wire, mut far) = pair();
        wire.call(1, &["m"]).unwrap();
        far.write_all(&value("200\nlate")).await.unwrap();
        assert!(wire.answer_until(Instant::now() + Duration::from_millis(5)).await.is_err());
        far.write_all(READY).await.unwrap();
        let answer = wire.answer_until(Instant::now() + Duration::from_secs(20)).await.unwrap().unwrap();
        assert_eq!(answer.value.as_deref(), Some(&b"200\nlate"[..]));
    }

    #[tokio::test]
    async fn what_ends_a_session() {
        // A fatal error is told as itself, without waiting for more; without one it is the socket's.
        let (mut wire, mut far) = pair();
        wire.call(1, &["m"]).unwrap();
        far.write_all(&error(b'E', "FATAL", "57P01", "terminated")).await.unwrap();
        assert_eq!(soon(wire.answer()).await.unwrap_err().code(), Some("57P01"));
        assert!(wire.has_ended());
        let (mut wire, far) = pair();
        wire.call(1, &["m"]).unwrap();
        drop(far);
        assert!(matches!(soon(wire.answer()).await, Err(Failed::Socket(_))));
        assert!(wire.has_ended());
        assert!(matches!(soon(wire.answer()).await, Err(Failed::Socket(_))), "it stays so");
        // Nobody has asked: a notice and a changed setting do not end it, an error does, and so does the end.
        let (mut wire, mut far) = pair();
        let setting = message(b'S', b"TimeZone\0UTC\0");
        far.write_all(&[error(b'N', "WARNING", "01000", "x"), setting].concat()).await.unwrap();
        assert!(!wire.is_ended());
        far.write_all(&error(b'E', "FATAL", "57P01", "terminated")).await.unwrap();
        assert!(wire.is_ended());
        let (mut wire, far) = pair();
        drop(far);
        assert!(wire.is_ended());
    }

    #[tokio::test]
    async fn notices_for_the_client_are_passed_on_and_no_others() {
        let (mut wire, mut far) = pair();
        let (sender, mut told) = mpsc::channel(4);
        wire.notices = Some(sender);
        wire.call(1, &["m"]).unwrap();
        let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
        let bytes = [
            error(b'N', "NOTICE", "00000", progress),
            error(b'N', "NOTICE", FOR_THE_CLIENT, progress),
            error(b'N', "NOTICE", FOR_THE_CLIENT, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            value("200\n"),
            READY.to_vec(),
        ];
        far.write_all(&bytes.concat()).await.unwrap();
        soon(wire.answer()).await.unwrap();
        assert!(told.try_recv().is_ok());
        assert!(told.try_recv().is_err());
    }

    #[tokio::test]
    async fn what_the_socket_does_not_take_is_known_to_be_unsaid() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut wire = Wire::new(Arc::new(Mutex::new(near)));
        wire.call(1, &["a"]).unwrap();
        assert!(wire.is_half_said(), "nothing is sent before somebody waits");
        assert!(wire.answer_until(Instant::now() + Duration::from_millis(5)).await.is_err());
        assert!(!wire.is_half_said());
        let mut sent = vec![0; 1 + 24 - 3];
        far.read_exact(&mut sent).await.unwrap();
        wire.call(1, &[&"a".repeat(1000)]).unwrap();
        assert!(wire.answer_until(Instant::now() + Duration::from_millis(5)).await.is_err());
        assert!(wire.is_half_said());
    }

    #[tokio::test]
    async fn goodbye_is_said_when_nothing_is_going_on() {
        let (wire, mut far) = pair();
        drop(wire);
        let mut said = Vec::new();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"X\0\0\0\x04");
        let (wire, mut far) = pair();
        wire.leave();
        let mut said = Vec::new();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"", "whoever it was left to says it");
    }
}
