//! What tells a function who calls it: a JSON Web Token (RFC 7519), signed with HMAC-SHA256 (HS256, RFC 7518).
//!
//! It names the caller, one execution and one function, and is good for a short time. It is no key: whoever is given it can call nothing
//! here with it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

/// The header, always the same.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Signs claims.
pub fn sign(secret: &[u8], claims: &Map<String, Value>) -> String {
    // An object without keys that are not text always has a JSON text.
    signed(secret, HEADER.as_bytes(), serde_json::to_string(claims).unwrap_or_default().as_bytes())
}

fn signed(secret: &[u8], header: &[u8], payload: &[u8]) -> String {
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut token);
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.1.
    #[test]
    fn it_is_what_the_standard_says() {
        let secret = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
        let payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
        assert_eq!(
            signed(&secret, header.as_bytes(), payload.as_bytes()),
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn the_secret_and_every_claim_count() {
        let claims = |sub: &str| Map::from_iter([("sub".to_owned(), Value::from(sub))]);
        let token = sign(b"secret", &claims("ann"));
        assert_eq!(token, sign(b"secret", &claims("ann")));
        assert_ne!(token, sign(b"secret", &claims("bob")));
        assert_ne!(token, sign(b"other", &claims("ann")));
    }
}
