//! Settings for the time of a guard: set only where they differ, and undone with the guard's nest level.
//!
//! Looking a setting up by its name costs some 600 instructions, so those that every call pins are compared where Postgres keeps them.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};

use pgrx::pg_sys;

unsafe extern "C" {
    // utils/bytea.h, utils/pg_locale.h, utils/xml.h; not among pgrx's bindings.
    static bytea_output: c_int;
    static locale_monetary: *const c_char;
    static xmloption: c_int;
}

unsafe extern "C-unwind" {
    // pgtime.h. Not pgrx's wrapper, for the reason that is in `variables`: it returns a member, NULL for NULL.
    fn pg_get_timezone_name(zone: *mut pg_sys::pg_tz) -> *const c_char;
}

/// `BYTEA_OUTPUT_HEX`.
const HEX: c_int = 1;

/// Sets each setting that does not have its value already, with the rights of `context`.
///
/// # Safety
/// Must run inside a GUC nest level that will be closed.
pub(super) unsafe fn pin(settings: &[(CString, CString)], context: pg_sys::GucContext::Type) {
    for (name, value) in settings {
        if !has(name, value) {
            // SAFETY: as required of our caller.
            unsafe { set(name, value, context) };
        }
    }
}

/// [`pin`] for settings that are undone after each call, so that they never have their value already.
///
/// # Safety
/// As for [`pin`].
pub(super) unsafe fn pin_anew(settings: &[(CString, CString)], context: pg_sys::GucContext::Type) {
    for (name, value) in settings {
        // SAFETY: as required of our caller.
        unsafe { set(name, value, context) };
    }
}

/// # Safety
/// Must run inside a GUC nest level that will be closed.
pub(super) unsafe fn set(name: &CStr, value: &CStr, context: pg_sys::GucContext::Type) {
    // SAFETY: GUC_ACTION_SAVE undoes the setting with the nest level, as required of our caller.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            context,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// Whether a setting has that value.
fn has(name: &CStr, value: &CStr) -> bool {
    // SAFETY: reads variables of this backend, which has one thread; the texts are NUL-terminated and read before anything can change them.
    unsafe {
        match (name.to_bytes(), value.to_bytes()) {
            (b"search_path", _) => is(pg_sys::namespace_search_path, value),
            (b"TimeZone", _) => is(pg_get_timezone_name(pg_sys::session_timezone), value),
            (b"lc_monetary", _) => is(locale_monetary, value),
            (b"row_security", b"on") => pg_sys::row_security,
            (b"array_nulls", b"on") => pg_sys::Array_nulls,
            (b"quote_all_identifiers", b"off") => !pg_sys::quote_all_identifiers,
            (b"extra_float_digits", b"1") => pg_sys::extra_float_digits == 1,
            (b"DateStyle", b"ISO, MDY") => {
                pg_sys::DateStyle == pg_sys::USE_ISO_DATES as c_int
                    && pg_sys::DateOrder == pg_sys::DATEORDER_MDY as c_int
            }
            (b"IntervalStyle", b"postgres") => pg_sys::IntervalStyle == pg_sys::INTSTYLE_POSTGRES as c_int,
            (b"bytea_output", b"hex") => bytea_output == HEX,
            (b"xmloption", b"content") => xmloption == pg_sys::XmlOptionType::XMLOPTION_CONTENT as c_int,
            _ => is(pg_sys::GetConfigOption(name.as_ptr(), true, false), value),
        }
    }
}

/// # Safety
/// `text` is null or NUL-terminated.
unsafe fn is(text: *const c_char, value: &CStr) -> bool {
    // SAFETY: as required of our caller.
    !text.is_null() && unsafe { CStr::from_ptr(text) } == value
}
