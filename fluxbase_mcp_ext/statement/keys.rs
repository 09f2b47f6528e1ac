//! The order keys of a result: the columns after those of the object, of which only the last shown row's are ever read.
//!
//! Which row is the last is known when the next one does not come, and by then the executor has used its memory again. So the
//! values of each shown row are copied over those of the row before, into memory that is there already, and become text once, when
//! the result is complete and its snapshot still stands.
#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::pg_sys;

const WORD: usize = size_of::<u64>();

/// The keys of one row. Made only for a result that has some.
pub(super) struct Keys {
    /// How many columns stand before them.
    before: usize,
    columns: Vec<Column>,
    /// The values behind one another, each at the start of a word: no type asks for more alignment.
    words: Vec<u64>,
    /// Where in `words` each begins; `None` is NULL.
    starts: Vec<Option<usize>>,
}

struct Column {
    type_oid: pg_sys::Oid,
    /// As in pg_type: bytes, -1 for a varlena, -2 for a C string.
    length: i16,
    by_value: bool,
}

impl Keys {
    /// `None` when the result has no more than `before` columns.
    ///
    /// # Safety
    /// `columns` describes the result.
    pub(super) unsafe fn of(columns: pg_sys::TupleDesc, before: usize) -> Option<Keys> {
        // SAFETY: numbers from 1 to natts are columns of the descriptor; their types are looked up in the system cache.
        unsafe {
            let described = (before as i32 + 1..=(*columns).natts).map(|number| {
                let type_oid = pg_sys::SPI_gettypeid(columns, number);
                let (mut length, mut by_value) = (0, false);
                pg_sys::get_typlenbyval(type_oid, &mut length, &mut by_value);
                Column { type_oid, length, by_value }
            });
            let columns: Vec<Column> = described.collect();
            (!columns.is_empty()).then(|| Keys { before, columns, words: Vec::new(), starts: Vec::new() })
        }
    }

    /// Remembers the keys of the row in `slot` instead of those of the row before.
    ///
    /// # Safety
    /// `slot` holds a row of the described result.
    pub(super) unsafe fn remember(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        self.words.clear();
        self.starts.clear();
        // SAFETY: after slot_getsomeattrs_int the arrays hold as many values as the result has columns.
        unsafe {
            let all = self.before + self.columns.len();
            if usize::try_from((*slot).tts_nvalid).is_ok_and(|valid| valid < all) {
                pg_sys::slot_getsomeattrs_int(slot, all as i32);
            }
            for (n, column) in self.columns.iter().enumerate() {
                if *(*slot).tts_isnull.add(self.before + n) {
                    self.starts.push(None);
                    continue;
                }
                self.starts.push(Some(self.words.len()));
                let value = *(*slot).tts_values.add(self.before + n);
                if column.by_value {
                    self.words.push(value.value() as u64);
                } else {
                    copy(&mut self.words, value.cast_mut_ptr(), column.length);
                }
            }
        }
    }

    /// The remembered values as their types write them.
    pub(super) fn texts(&self) -> Vec<Option<String>> {
        let text = |(column, start): (&Column, &Option<usize>)| {
            let word = self.words.get((*start)?..)?;
            // SAFETY: `remember` put a value of this type there; the output function gives a NUL-terminated text.
            unsafe {
                let value = if column.by_value {
                    pg_sys::Datum::from(*word.first()?)
                } else {
                    pg_sys::Datum::from(word.as_ptr())
                };
                let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(column.type_oid, &mut output, &mut is_varlena);
                let text = pg_sys::OidOutputFunctionCall(output, value);
                Some(CStr::from_ptr(text).to_string_lossy().into_owned())
            }
        };
        self.columns.iter().zip(&self.starts).map(text).collect()
    }
}

/// Appends the value that `from` points to.
///
/// # Safety
/// `from` points to a value of a type with that `length`.
unsafe fn copy(words: &mut Vec<u64>, from: *mut u8, length: i16) {
    // SAFETY: the size is the value's own; a value that lies outside of the row (in a TOAST table or in a function's memory) is brought in
    // first, since what points to it may not live as long, and is freed when it was. The room is made before it is filled.
    unsafe {
        let mut value = from;
        let size = match length {
            -1 => {
                if pgrx::varlena::varatt_is_1b_e(from.cast()) {
                    value = pg_sys::pg_detoast_datum(from.cast()).cast();
                }
                pgrx::varlena::varsize_any(value.cast())
            }
            -2 => CStr::from_ptr(from.cast()).count_bytes() + 1,
            bytes => usize::try_from(bytes).unwrap_or_default(),
        };
        let start = words.len();
        words.resize(start + size.div_ceil(WORD), 0);
        std::ptr::copy_nonoverlapping(value, words.as_mut_ptr().add(start).cast(), size);
        if value != from {
            pg_sys::pfree(value.cast());
        }
    }
}
