//! Logs: one line for each event, for persons or as JSON, on standard error.
//!
//! What is logged is chosen field by field where it happens. Nothing is bridged from the `log` crate: tokio-postgres
//! writes statement parameters through it, and notices of users' functions, which may hold rows.
//!
//! Invariants:
//! - No request waits for standard error: lines are gathered in memory, and a thread of their own writes them. Lines of
//!   requests may wait for [`PAUSE`], so that many go out with one write; all others go out at once.
//! - The memory is bounded. If nobody reads standard error, lines of requests are left out first, and the log says so.
//! - [`flush`] at the end of the process writes what is left.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::Level;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// How long the line of a request may wait for others. Below the 100 ms that a person notices.
const PAUSE: Duration = Duration::from_millis(50);
/// From this many bytes on, lines of requests are left out.
const BOUND: usize = 4 * 1024 * 1024;
/// From this many bytes on, all lines are left out.
const LAST_BOUND: usize = 2 * BOUND;
/// From this many bytes on they are written without a pause.
const MANY: usize = 512 * 1024;
/// Longest wait of [`flush`], should nobody read standard error.
const FLUSH: Duration = Duration::from_secs(2);

static LOG: OnceLock<Log> = OnceLock::new();
/// Whether lines of requests are wanted, at level info and at level debug: asked once, since the filter never changes.
static WANTED: OnceLock<(bool, bool)> = OnceLock::new();

/// Starts logging. `RUST_LOG` narrows or widens it; the default is `info`. A second call changes nothing.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    if LOG.set(Log::new(format)).is_err() {
        return;
    }
    // Without the thread, which only a system without threads refuses, lines are written where they arise.
    if std::thread::Builder::new().name("log".to_owned()).spawn(write_lines).is_ok()
        && let Some(log) = LOG.get()
    {
        log.lock().has_writer = true;
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Line).with_target(false);
    // Another subscriber is there when a test starts two listeners in one process.
    let _ = match format {
        LogFormat::Human => {
            let terminal = io::IsTerminal::is_terminal(&io::stderr());
            builder.with_ansi(terminal).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    // The target that these lines have for RUST_LOG.
    let _ = WANTED.set((
        tracing::enabled!(target: "listener::routes", Level::INFO),
        tracing::enabled!(target: "listener::routes", Level::DEBUG),
    ));
}

/// Writes what has been logged so far; to be called before the process ends.
pub fn flush() {
    let Some(log) = LOG.get() else { return };
    let deadline = Instant::now() + FLUSH;
    let mut state = log.lock();
    state.urgent = true;
    log.wake.notify_one();
    while state.writing || !state.lines.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || !state.has_writer {
            return;
        }
        (state, _) = log.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
    }
}

/// The line of one request. Its texts come from lists of this program or are hexadecimal: nothing in them is escaped.
pub(crate) struct Access<'a> {
    pub(crate) request: &'a str,
    pub(crate) method: &'static str,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    pub(crate) key: &'a str,
}

impl Access<'_> {
    /// Writes it in the form of all other lines, without their formatter, which costs more than the rest of a request.
    pub(crate) fn log(&self, level: Level) {
        let (Some(log), Some(&(info, debug))) = (LOG.get(), WANTED.get()) else { return };
        if !(if level == Level::DEBUG { debug } else { info }) {
            return;
        }
        let mut line = Vec::with_capacity(192);
        self.write(log.format, level, SystemTime::now(), &mut line);
        // What went wrong is to be seen at once.
        log.push(&line, self.status >= 400, BOUND);
    }

    fn write(&self, format: LogFormat, level: Level, now: SystemTime, line: &mut Vec<u8>) {
        let mut put = |text: &str| line.extend_from_slice(text.as_bytes());
        let (words, human) = match format {
            LogFormat::Human => {
                ([" request request=\"", "\" method=\"", "\" status=", " ms=", " key=\"", "\"\n"], true)
            }
            LogFormat::Json => (
                [
                    "\",\"message\":\"request\",\"request\":\"",
                    "\",\"method\":\"",
                    "\",\"status\":",
                    ",\"ms\":",
                    ",\"key\":\"",
                    "\"}\n",
                ],
                false,
            ),
        };
        put(if human { "" } else { "{\"timestamp\":\"" });
        let mut time = [0; 27];
        put(timestamp(now, &mut time));
        put(if human { " " } else { "\",\"level\":\"" });
        // As wide as the widest, as in the other lines.
        put(if human && level.as_str().len() == 4 { " " } else { "" });
        put(level.as_str());
        put(words[0]);
        put(self.request);
        put(words[1]);
        put(self.method);
        put(words[2]);
        let (mut status, mut whole) = ([0; 20], [0; 20]);
        put(decimal(self.status.into(), &mut status));
        put(words[3]);
        // Hundredths of a millisecond, rounded, without needless noughts but the first.
        let hundredths = (self.took.as_micros() as u64 + 5) / 10;
        put(decimal(hundredths / 100, &mut whole));
        let (tens, ones) = (hundredths / 10 % 10, hundredths % 10);
        let digits = [b'.', b'0' + tens as u8, b'0' + ones as u8];
        put(std::str::from_utf8(&digits[..if ones == 0 { 2 } else { 3 }]).unwrap_or_default());
        put(words[4]);
        put(self.key);
        put(words[5]);
    }
}

/// `2026-07-28T00:00:00.000000Z`.
fn timestamp(now: SystemTime, room: &mut [u8; 27]) -> &str {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // The civil calendar in eras of 400 years that begin on the 1st of March (Howard Hinnant, "chrono-compatible low-level
    // date algorithms").
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    room.copy_from_slice(b"0000-00-00T00:00:00.000000Z");
    let mut put = |at: usize, width: usize, mut value: u64| {
        for digit in room[at..at + width].iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, date);
    put(11, 2, second / 3_600);
    put(14, 2, second / 60 % 60);
    put(17, 2, second % 60);
    put(20, 6, since.subsec_micros().into());
    std::str::from_utf8(room).unwrap_or_default()
}

fn decimal(mut value: u64, room: &mut [u8; 20]) -> &str {
    let mut from = room.len();
    loop {
        from -= 1;
        room[from] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return std::str::from_utf8(&room[from..]).unwrap_or_default();
        }
    }
}

/// What tracing writes to: it gives a whole line at a time.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(log) = LOG.get() {
            log.push(line, true, LAST_BOUND);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines on their way to standard error.
struct Log {
    format: LogFormat,
    state: Mutex<State>,
    /// Tells the writer that there are lines.
    wake: Condvar,
    /// Tells [`flush`] that there are none any more.
    done: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// Lines that were left out since the last write.
    lost: u64,
    /// Lines are to be written without a pause.
    urgent: bool,
    /// Lines have been taken and are being written.
    writing: bool,
    has_writer: bool,
}

impl Log {
    fn new(format: LogFormat) -> Log {
        Log { format, state: Mutex::default(), wake: Condvar::new(), done: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8], urgent: bool, bound: usize) {
        let mut state = self.lock();
        if !state.has_writer {
            let _ = io::stderr().write_all(line);
            return;
        }
        if state.lines.len() + line.len() > bound {
            state.lost += 1;
            return;
        }
        let first = state.lines.is_empty();
        state.lines.extend_from_slice(line);
        let hurry = (urgent || state.lines.len() > MANY) && !state.urgent;
        state.urgent |= hurry;
        drop(state);
        if first || hurry {
            self.wake.notify_one();
        }
    }

    /// Waits for lines and takes them; `lines` comes back empty and lends its memory.
    fn take(&self, lines: &mut Vec<u8>) {
        let mut state = self.lock();
        if state.writing {
            state.writing = false;
            self.done.notify_all();
        }
        while state.lines.is_empty() {
            state.urgent = false;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let deadline = Instant::now() + PAUSE;
        while !state.urgent {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.lines, lines);
        state.writing = true;
        state.urgent = false;
        let lost = std::mem::take(&mut state.lost);
        drop(state);
        if lost > 0 {
            let mut room = [0; 27];
            let time = timestamp(SystemTime::now(), &mut room);
            let told = "lines of the log were left out: standard error was not read";
            let _ = match self.format {
                LogFormat::Human => writeln!(lines, "{time}  WARN {told} lines={lost}"),
                LogFormat::Json => writeln!(
                    lines,
                    r#"{{"timestamp":"{time}","level":"WARN","message":"{told}","lines":{lost}}}"#
                ),
            };
        }
    }
}

/// The writer's thread. It ends with the process.
fn write_lines() {
    let Some(log) = LOG.get() else { return };
    let mut lines = Vec::new();
    loop {
        log.take(&mut lines);
        // Standard error is gone: there is nobody to tell.
        let _ = io::stderr().write_all(&lines);
        lines.clear();
        // After a burst its memory is given back.
        lines.shrink_to(MANY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat, level: Level, micros: u64) -> String {
        let access = Access {
            request: "042ed8e8-00004b",
            method: "ping",
            status: 401,
            took: Duration::from_micros(micros),
            key: "-",
        };
        let mut line = Vec::new();
        access.write(format, level, UNIX_EPOCH + Duration::from_micros(1_795_358_079_180_370), &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn lines_of_requests_look_like_all_others() {
        assert_eq!(
            line(LogFormat::Human, Level::INFO, 4_594),
            "2026-11-22T14:34:39.180370Z  INFO request request=\"042ed8e8-00004b\" method=\"ping\" status=401 ms=4.59 key=\"-\"\n"
        );
        let json = line(LogFormat::Json, Level::DEBUG, 4_595);
        assert_eq!(
            json,
            "{\"timestamp\":\"2026-11-22T14:34:39.180370Z\",\"level\":\"DEBUG\",\"message\":\"request\",\"request\":\"042ed8e8-00004b\",\
             \"method\":\"ping\",\"status\":401,\"ms\":4.6,\"key\":\"-\"}\n"
        );
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["ms"], &json["status"]), (&4.6.into(), &401.into()));
        for (micros, ms) in [(0, "0.0"), (14, "0.01"), (95, "0.1"), (1_000_000, "1000.0")] {
            let line = line(LogFormat::Human, Level::INFO, micros);
            assert!(line.contains(&format!(" ms={ms} ")), "{line}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (second, date) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            let now = UNIX_EPOCH + Duration::from_secs(second);
            assert_eq!(timestamp(now, &mut [0; 27]), format!("{date}.000000Z"));
        }
    }

    #[test]
    fn nothing_waits_for_a_reader_and_what_is_lost_is_told() {
        let log = Log::new(LogFormat::Human);
        log.lock().has_writer = true;
        let text = [b'x'; 1024];
        (0..BOUND / 1024 + 3).for_each(|_| log.push(&text, false, BOUND));
        log.push(b"an error\n", true, LAST_BOUND);
        let mut lines = Vec::new();
        log.take(&mut lines);
        let end = String::from_utf8_lossy(&lines[BOUND..]).into_owned();
        assert!(end.starts_with("an error\n") && end.ends_with(" lines=3\n"), "{end}");
    }

    #[test]
    fn lines_of_requests_wait_for_others_and_errors_do_not() {
        let log = Log::new(LogFormat::Json);
        log.lock().has_writer = true;
        let (start, mut lines) = (Instant::now(), Vec::new());
        log.push(b"1\n", false, BOUND);
        log.take(&mut lines);
        assert!(start.elapsed() >= PAUSE && lines == b"1\n");
        lines.clear();
        let start = Instant::now();
        log.push(b"2\n", false, BOUND);
        log.push(b"3\n", true, LAST_BOUND);
        log.take(&mut lines);
        assert!(start.elapsed() < PAUSE && lines == b"2\n3\n");
    }
}
