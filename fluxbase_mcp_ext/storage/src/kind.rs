//! Media types.
//!
//! A type that is given is kept. Without one, the bytes decide: signatures of well-known formats first; then, if the bytes are UTF-8 text, the
//! end of the key says which kind of text; anything else is `application/octet-stream`. So what is no text is never called text.

/// Bytes of unknown type.
pub const UNKNOWN: &str = "application/octet-stream";

/// Types of images that clients show.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// What the end of a key means for bytes that are text.
const ENDS: [(&str, &str); 21] = [
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("js", "application/javascript"),
    ("json", "application/json"),
    ("jsonl", "application/jsonl"),
    ("markdown", "text/markdown"),
    ("md", "text/markdown"),
    ("mjs", "application/javascript"),
    ("ndjson", "application/x-ndjson"),
    ("sql", "application/sql"),
    ("svg", "image/svg+xml"),
    ("toml", "application/toml"),
    ("ts", "application/typescript"),
    ("tsv", "text/tab-separated-values"),
    ("xhtml", "application/xhtml+xml"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

/// Types that are text although they are not called so.
const TEXT: [&str; 12] = [
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/sql",
    "application/toml",
    "application/typescript",
    "application/x-ndjson",
    "application/x-sh",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
];

/// `type/subtype` without parameters, in lower case.
pub fn bare(kind: &str) -> String {
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether `kind` has the form of a media type, with or without parameters (RFC 9110, section 8.3.1), and no more than 255 bytes.
pub fn is_valid(kind: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let bare = kind.split(';').next().unwrap_or_default().trim_end();
    kind.len() <= 255
        && kind.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && bare.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub))
}

/// Whether objects of that type are shown as text, when they are UTF-8.
pub fn is_text(kind: &str) -> bool {
    let bare = bare(kind);
    bare.starts_with("text/")
        || TEXT.contains(&bare.as_str())
        || bare.ends_with("+json")
        || bare.ends_with("+xml")
}

/// Whether objects of that type are shown as images.
pub fn is_image(kind: &str) -> bool {
    IMAGES.contains(&bare(kind).as_str())
}

/// The type of bytes that nobody gave one.
pub fn sniff(key: &str, bytes: &[u8]) -> &'static str {
    let text = std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
    match infer::get(bytes).map(|found| found.mime_type()) {
        // These signatures are text themselves: the key tells more.
        Some(found) if !text => found,
        found => {
            let end = super::name::last(key).rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
            let by_name =
                end.and_then(|end| ENDS.iter().find(|(known, _)| *known == end).map(|(_, kind)| *kind));
            match (text, by_name) {
                (true, Some(kind)) => kind,
                (true, None) => found.unwrap_or("text/plain"),
                (false, _) => UNKNOWN,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn bytes_tell_their_type() {
        for (key, bytes, kind) in [
            ("a.txt", PNG, "image/png"),
            ("a", b"\xff\xd8\xff\xe0".as_slice(), "image/jpeg"),
            ("a.json", b"{}", "application/json"),
            ("A.JSON", b"{}", "application/json"),
            ("dir.json/a", b"{}", "text/plain"),
            ("a.md", "\u{e4}".as_bytes(), "text/markdown"),
            ("a", b"", "text/plain"),
            ("a.png", b"no image", "text/plain"),
            ("a.json", b"\xff\xfe{}", UNKNOWN),
            ("a.html", b"<p>", "text/html"),
            ("a", b"a\0b", UNKNOWN),
            ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ] {
            assert_eq!(sniff(key, bytes), kind, "{key} {bytes:?}");
        }
    }

    #[test]
    fn types_are_tokens_with_a_slash() {
        for good in ["text/plain", "text/plain; charset=utf-8", "application/vnd.a+json", "x/y"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "",
            "text",
            "/plain",
            "text/",
            "te xt/plain",
            "text/plain\r\nX: y",
            "t\u{e4}xt/plain",
            &"x/y".repeat(100),
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn text_is_what_people_read() {
        for kind in [
            "text/plain",
            "Text/HTML; charset=utf-8",
            "application/json",
            "image/svg+xml",
            "application/x-yaml",
        ] {
            assert!(is_text(kind), "{kind}");
        }
        for kind in ["image/png", UNKNOWN, "", "application/jsonp"] {
            assert!(!is_text(kind), "{kind}");
        }
        assert!(is_image("IMAGE/PNG") && !is_image("image/svg+xml") && !is_image("image/tiff"));
    }
}
