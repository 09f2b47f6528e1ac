//! The two sides of `make bench-functions` that are not ours to measure: a runtime whose functions answer after a second, and callers that are
//! always under way. They are a program of their own, and as small as they can be, since they share the processors with what is measured.
//!
//! ```text
//! function_load runtime ADDRESS                      serves until it is killed; says "ready" when it listens
//! function_load call ADDRESS FILE CALLERS SECONDS EXPECTED…
//! ```
//!
//! `call` sends the bytes of FILE over CALLERS connections, each again as soon as it is answered: at least once, and until the time is over. An
//! answer must hold every EXPECTED text; the first that does not ends the program with code 1. It prints one line, `{"calls":N,"seconds":S}`.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// For a thread that only waits.
const STACK: usize = 64 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["runtime", address] => runtime(address),
        ["call", address, file, callers, seconds, expected @ ..] => {
            call(address, file, callers, seconds, expected)
        }
        _ => Err(io::Error::other("runtime ADDRESS, or call ADDRESS FILE CALLERS SECONDS EXPECTED…")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("function_load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn begin<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().stack_size(STACK).spawn(work)
}

fn runtime(address: &str) -> io::Result<()> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // The standard library's 128 are fewer than the callers: who finds no room tries again after a second, which would be the figure.
    socket.listen(1024)?;
    let listener = TcpListener::from(socket);
    println!("ready");
    for stream in listener.incoming() {
        let stream = stream?;
        begin(move || serve(&stream))?;
    }
    Ok(())
}

fn serve(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while message(&mut reader)?.is_some() {
        thread::sleep(Duration::from_secs(1));
        writer.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n\"slept\"",
        )?;
    }
    Ok(())
}

/// The body of the next message; `None` at the end of the connection.
fn message(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let (mut line, mut length, mut first) = (String::new(), 0, true);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return if first { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        first = false;
        match line.trim_end() {
            "" => break,
            header => {
                if let Some((name, value)) = header.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().map_err(io::Error::other)?;
                }
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(body))
}

fn call(address: &str, file: &str, callers: &str, seconds: &str, expected: &[&str]) -> io::Result<()> {
    let request = std::fs::read(file)?;
    let callers: usize = callers.parse().map_err(io::Error::other)?;
    let seconds =
        Duration::try_from_secs_f64(seconds.parse().map_err(io::Error::other)?).map_err(io::Error::other)?;
    let expected: Vec<String> = expected.iter().map(|&text| text.to_owned()).collect();
    let started = Instant::now();
    let threads: Vec<_> = (0..callers)
        .map(|_| {
            let (address, request, expected) = (address.to_owned(), request.clone(), expected.clone());
            begin(move || caller(&address, &request, started + seconds, &expected))
        })
        .collect::<io::Result<_>>()?;
    let mut calls = 0;
    for thread in threads {
        calls += thread.join().map_err(|_| io::Error::other("a caller panicked"))??;
    }
    println!("{{\"calls\":{calls},\"seconds\":{:.6}}}", started.elapsed().as_secs_f64());
    Ok(())
}

fn caller(address: &str, request: &[u8], until: Instant, expected: &[String]) -> io::Result<u64> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
    let mut calls = 0;
    while calls == 0 || Instant::now() < until {
        writer.write_all(request)?;
        let body = message(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let text = String::from_utf8_lossy(&body);
        if let Some(missing) = expected.iter().find(|one| !text.contains(one.as_str())) {
            return Err(io::Error::other(format!("{missing} is not in the answer {text}")));
        }
        calls += 1;
    }
    Ok(calls)
}
