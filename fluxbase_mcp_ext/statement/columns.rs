//! Writes the JSON object of a row from its columns, for statements of `fluxbase_query::select_columns`.
//!
//! Postgres's row_to_json makes a row of each row first, and asks the catalog about each of its types again; here that is done once for a
//! result. The forms are those of docs/types.md, which are Postgres's own wherever it is asked (dates, floats, jsonb); the others are held
//! against to_json by `tests/pg_regress/sql/row_forms.sql`.
//!
//! Invariants: how a value is read depends on the type that the result says it has, never on what was planned; a type that is not known
//! here is an error. What a row needs besides the answer is freed with the row.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::fmt::Write;

use fluxbase_protocol::push_string;
use pgrx::{PgSqlErrorCode, pg_sys, varlena};

use crate::error;

/// How the first columns of a result become one object.
pub(super) struct Columns {
    columns: Vec<Column>,
    /// Where memory for one row is taken from; made when the first row needs some.
    scratch: pg_sys::MemoryContext,
    /// The context of the execution, which frees the scratch.
    parent: pg_sys::MemoryContext,
}

struct Column {
    /// `{"name":` or `,"name":`.
    before: String,
    form: Form,
}

/// How a value is written.
enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    /// The type's text is a number, or in quotes if it is none.
    Float(pg_sys::FmgrInfo),
    Numeric(pg_sys::FmgrInfo),
    /// text, varchar, bpchar.
    Text,
    Uuid,
    /// date, timestamp, timestamptz.
    Time(pg_sys::Oid),
    Json,
    Jsonb(pg_sys::FmgrInfo),
}

unsafe extern "C-unwind" {
    // Not pgrx's wrappers, which prepare for an error of each call, ten times for ten rows. Both fail with broken rows only; then Postgres
    // jumps to whoever began the statement, over frames that hold nothing to be dropped.
    fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, attnum: c_int);
    // executor/spi.h: reads the descriptor.
    fn SPI_gettypeid(described: pg_sys::TupleDesc, number: c_int) -> pg_sys::Oid;
    fn JsonEncodeDateTime(
        buffer: *mut c_char,
        value: pg_sys::Datum,
        type_oid: pg_sys::Oid,
        zone: *const c_int,
    ) -> *mut c_char;
}

/// The largest integer that a double holds exactly with all its neighbours.
const EXACT: u64 = (1 << 53) - 1;

/// MAXDATELEN of utils/datetime.h.
const TIME_SIZE: usize = 128;

impl Columns {
    /// # Safety
    /// `described` describes the result, which has at least `count` columns; the current context lives until its last row.
    pub(super) unsafe fn of(described: pg_sys::TupleDesc, count: usize) -> Columns {
        // SAFETY: numbers from 1 to `count` are columns of the descriptor; SPI_fname returns a copy of the name.
        unsafe {
            let column = |number: i32| {
                let name = CStr::from_ptr(pg_sys::SPI_fname(described, number)).to_string_lossy();
                let mut before = String::with_capacity(name.len() + 4);
                before.push(if number == 1 { '{' } else { ',' });
                push_string(&mut before, &name);
                before.push(':');
                Column { before, form: Form::of(SPI_gettypeid(described, number)) }
            };
            Columns {
                columns: (1..=count as i32).map(column).collect(),
                scratch: std::ptr::null_mut(),
                parent: pg_sys::CurrentMemoryContext,
            }
        }
    }

    /// Appends the object of the row in `slot`.
    ///
    /// # Safety
    /// `slot` holds a row of the described result.
    pub(super) unsafe fn write(&mut self, out: &mut String, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: after slot_getsomeattrs_int the arrays hold as many values as there are columns, each of the type that its form was chosen by.
        unsafe {
            if usize::try_from((*slot).tts_nvalid).is_ok_and(|valid| valid < self.columns.len()) {
                slot_getsomeattrs_int(slot, self.columns.len() as c_int);
            }
            for n in 0..self.columns.len() {
                out.push_str(&self.columns[n].before);
                if *(*slot).tts_isnull.add(n) {
                    out.push_str("null");
                } else {
                    self.value(out, n, *(*slot).tts_values.add(n));
                }
            }
            out.push('}');
            if !self.scratch.is_null() {
                pg_sys::MemoryContextReset(self.scratch);
            }
        }
    }

    /// # Safety
    /// `value` is a value of the n-th column.
    unsafe fn value(&mut self, out: &mut String, n: usize, value: pg_sys::Datum) {
        // SAFETY: the form was chosen by the column's type, and reads a value of that type.
        unsafe {
            match &self.columns[n].form {
                Form::Bool => out.push_str(if value.value() != 0 { "true" } else { "false" }),
                Form::Int2 => push_integer(out, i64::from(value.value() as i16)),
                Form::Int4 => push_integer(out, i64::from(value.value() as i32)),
                Form::Int8 => {
                    let number = value.value() as i64;
                    if number.unsigned_abs() <= EXACT {
                        push_integer(out, number);
                    } else {
                        _ = write!(out, "\"{number}\"");
                    }
                }
                Form::Text => self.with_bytes(value, |bytes| push_string(out, text(bytes))),
                Form::Json => self.with_bytes(value, |bytes| out.push_str(text(bytes))),
                Form::Uuid => push_uuid(out, &*value.cast_mut_ptr::<[u8; 16]>()),
                Form::Time(type_oid) => {
                    let mut buffer = [0 as c_char; TIME_SIZE + 1];
                    JsonEncodeDateTime(buffer.as_mut_ptr(), value, *type_oid, std::ptr::null());
                    out.push('"');
                    out.push_str(text(CStr::from_ptr(buffer.as_ptr()).to_bytes()));
                    out.push('"');
                }
                Form::Float(_) | Form::Numeric(_) | Form::Jsonb(_) => self.call(out, n, value),
            }
        }
    }

    /// Appends what the type's output function makes of the value.
    ///
    /// # Safety
    /// As for [`Columns::value`]; the column has such a function.
    unsafe fn call(&mut self, out: &mut String, n: usize, value: pg_sys::Datum) {
        // SAFETY: an output function gives a NUL-terminated text in the current context, which is the row's.
        unsafe {
            let outer = self.enter();
            let (is_document, exact, function) = match &mut self.columns[n].form {
                Form::Jsonb(function) => (true, false, function),
                Form::Float(function) => (false, true, function),
                Form::Numeric(function) => (false, false, function),
                _ => unreachable!("only forms with an output function come here"),
            };
            let written = text(CStr::from_ptr(pg_sys::OutputFunctionCall(function, value)).to_bytes());
            pg_sys::MemoryContextSwitchTo(outer);
            if is_document || (is_number(written) && (exact || is_exact(written))) {
                out.push_str(written);
            } else {
                push_string(out, written);
            }
        }
    }

    /// Calls `read` with the content of a varlena, brought in first when it lies elsewhere or is compressed.
    ///
    /// # Safety
    /// `value` is a varlena.
    unsafe fn with_bytes(&mut self, value: pg_sys::Datum, read: impl FnOnce(&[u8])) {
        // SAFETY: a varlena that is neither compressed nor elsewhere can be read where it is.
        unsafe {
            let mut pointer: *mut pg_sys::varlena = value.cast_mut_ptr();
            if varlena::varatt_is_1b_e(pointer) || varlena::varatt_is_4b_c(pointer) {
                let outer = self.enter();
                pointer = pg_sys::pg_detoast_datum_packed(pointer);
                pg_sys::MemoryContextSwitchTo(outer);
            }
            read(varlena::varlena_to_byte_slice(pointer));
        }
    }

    /// Makes the row's memory the current one, and returns the one before.
    unsafe fn enter(&mut self) -> pg_sys::MemoryContext {
        // SAFETY: the scratch is a child of the execution's context, so it lives until the last row.
        unsafe {
            if self.scratch.is_null() {
                self.scratch = pg_sys::AllocSetContextCreateInternal(
                    self.parent,
                    c"fluxbase row".as_ptr(),
                    pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
                );
            }
            pg_sys::MemoryContextSwitchTo(self.scratch)
        }
    }
}

impl Form {
    /// # Safety
    /// Called in the context of the execution, in which the functions' own memory lies.
    unsafe fn of(type_oid: pg_sys::Oid) -> Form {
        // SAFETY: looks types and functions up in the system cache.
        unsafe {
            let base = if fluxbase_query::BARE.contains(&type_oid.to_u32()) {
                type_oid
            } else {
                let mut typmod = -1;
                pg_sys::getBaseTypeAndTypmod(type_oid, &mut typmod)
            };
            let output = || {
                let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(base, &mut function, &mut is_varlena);
                let mut known = pg_sys::FmgrInfo::default();
                pg_sys::fmgr_info(function, &mut known);
                known
            };
            match base {
                pg_sys::BOOLOID => Form::Bool,
                pg_sys::INT2OID => Form::Int2,
                pg_sys::INT4OID => Form::Int4,
                pg_sys::INT8OID => Form::Int8,
                pg_sys::FLOAT4OID | pg_sys::FLOAT8OID => Form::Float(output()),
                pg_sys::NUMERICOID => Form::Numeric(output()),
                pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Form::Text,
                pg_sys::UUIDOID => Form::Uuid,
                pg_sys::DATEOID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => Form::Time(base),
                pg_sys::JSONOID => Form::Json,
                pg_sys::JSONBOID => Form::Jsonb(output()),
                other => error::raise(
                    PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
                    format!("a column of the type {} came bare", other.to_u32()),
                    None,
                ),
            }
        }
    }
}

/// Text of Postgres, whose encoding is UTF8.
fn text(bytes: &[u8]) -> &str {
    // SAFETY: text of a database whose encoding is UTF8 was checked when it came in.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

/// Whether the text of a float or numeric is a JSON number: NaN and the infinities end with a letter.
fn is_number(text: &str) -> bool {
    text.ends_with(|last: char| last.is_ascii_digit())
}

/// Whether a double holds the number with all its digits: at most 15, leading zeros not counted; beyond 300 characters it may be too small.
fn is_exact(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    digits <= 15 && text.len() <= 300
}

/// Appends the number in decimal digits.
pub fn push_integer(out: &mut String, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push('-');
    }
    out.push_str(text(&digits[at..]));
}

fn push_uuid(out: &mut String, bytes: &[u8; 16]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut written = [b'-'; 38];
    (written[0], written[37]) = (b'"', b'"');
    let mut at = 1;
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            at += 1;
        }
        written[at] = DIGITS[usize::from(byte >> 4)];
        written[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    out.push_str(text(&written));
}
