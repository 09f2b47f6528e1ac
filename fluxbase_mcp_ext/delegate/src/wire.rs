//! Reading and writing frames on a socket.

use std::io;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::failure::Failure;
use crate::frame::{self, Decoder, Kind};
use crate::message::Answer;

/// Bytes that are read at once.
const READ: usize = 8 * 1024;

/// Whoever asked is gone, or speaks another language.
pub(crate) struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Gone {
        Gone
    }
}

/// Why there is no request.
pub(crate) enum ReadError {
    Gone,
    Refused(Failure),
}

pub(crate) fn refused(reason: &str) -> ReadError {
    ReadError::Refused(Failure::Protocol { reason: reason.to_owned() })
}

/// Frames of one connection. What it has read lies on the heap, so that the many tasks stay small.
pub(crate) struct Frames<R> {
    reader: R,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(crate) fn new(reader: R) -> Frames<R> {
        Frames { reader, decoder: Decoder::default(), buffer: vec![0; READ] }
    }

    pub(crate) async fn next(&mut self) -> Result<frame::Frame, ReadError> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => return Err(refused(&error.to_string())),
            }
            match self.reader.read(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(ReadError::Gone),
                Ok(read) => self.decoder.feed(&self.buffer[..read]),
            }
        }
    }
}

/// Comes back when the other end closes, or sends what nobody asked for.
pub(crate) async fn closed(reader: &mut (impl AsyncRead + Unpin)) {
    let mut byte = [0; 1];
    _ = reader.read(&mut byte).await;
}

/// Reads and forgets until the other end closes.
pub(crate) async fn drain(reader: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = vec![0; READ];
    while reader.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

pub(crate) async fn write_frame(
    writer: &mut (impl AsyncWrite + Unpin),
    kind: Kind,
    payload: &[u8],
) -> Result<(), Gone> {
    writer.write_all(&frame::prelude(kind, payload.len())).await?;
    writer.write_all(payload).await?;
    Ok(())
}

pub(crate) async fn write_body(writer: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> Result<(), Gone> {
    for part in frame::bodies(body) {
        write_frame(writer, Kind::Body, part).await?;
    }
    Ok(())
}

pub(crate) async fn write_json(
    writer: &mut (impl AsyncWrite + Unpin),
    kind: Kind,
    value: &impl Serialize,
) -> Result<(), Gone> {
    let text = serde_json::to_vec(value).map_err(|_| Gone)?;
    write_frame(writer, kind, &text).await
}

pub(crate) async fn fail(writer: &mut (impl AsyncWrite + Unpin), failure: &Failure) -> Result<(), Gone> {
    write_json(writer, Kind::Failed, failure).await
}

pub(crate) async fn tell(writer: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> Result<(), Gone> {
    write_json(writer, Kind::Answer, answer).await
}
