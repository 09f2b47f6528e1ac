//! Checks the token that Postgres signs for each call: a JSON Web Token (RFC 7519) with HMAC-SHA256 (HS256, RFC 7518).
//!
//! Only that one algorithm is known: what the token's head asks for (`none`, another key) changes nothing. A token is good for its time, not
//! for one call only: whoever may listen on the way to this runtime could repeat a call.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

/// The sender and the receiver that a token names.
const ISSUER: &str = "fluxbase_mcp_ext";
const AUDIENCE: &str = "functions";

/// How much the clocks of Postgres and of this machine may differ, in seconds.
const CLOCKS: i64 = 5;

/// Knows the secret.
pub(crate) struct Verifier(Hmac<Sha256>);

impl Verifier {
    /// `secret` as `mcp.functions_secret()` says it: its text.
    pub(crate) fn new(secret: &str) -> Verifier {
        // HMAC takes a key of any length.
        Verifier(<Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()).expect("any length"))
    }

    /// The claims of a token that is good for `function` at `now` (seconds since 1970).
    ///
    /// # Errors
    /// What is wrong with it. Nothing of the token is in it.
    pub(crate) fn check(
        &self,
        token: &str,
        function: &str,
        now: i64,
    ) -> Result<Map<String, Value>, &'static str> {
        let form = "the token is no JSON Web Token";
        let (signed, signature) = token.rsplit_once('.').ok_or(form)?;
        let (head, payload) = signed.split_once('.').ok_or(form)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| form)?;
        let mut mac = self.0.clone();
        mac.update(signed.as_bytes());
        // In a time that does not tell how much of it is right.
        mac.verify_slice(&signature).map_err(|_| "the token's signature is not of this runtime's secret")?;
        let head = object(head).ok_or(form)?;
        if head.get("alg") != Some(&Value::from("HS256")) || head.contains_key("crit") {
            return Err("the token's algorithm is not HS256");
        }
        let claims = object(payload).ok_or(form)?;
        let is = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
        if !is("iss", ISSUER) || !is("aud", AUDIENCE) {
            return Err("the token is not for functions (iss, aud)");
        }
        if !is("function", function) {
            return Err("the token is for another function");
        }
        match claims.get("exp").and_then(Value::as_i64) {
            Some(end) if now <= end.saturating_add(CLOCKS) => Ok(claims),
            Some(_) => Err("the token has expired"),
            None => Err("the token has no end (exp)"),
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "00112233445566778899aabbccddeeff";

    fn sign(secret: &str, head: &Value, claims: &Value) -> String {
        let signed = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn claims() -> Value {
        json!({ "iss": "fluxbase_mcp_ext", "aud": "functions", "function": "hello", "exp": 100, "sub": "ann" })
    }

    fn check(token: &str) -> Result<Map<String, Value>, &'static str> {
        Verifier::new(SECRET).check(token, "hello", 100)
    }

    fn head() -> Value {
        json!({ "alg": "HS256", "typ": "JWT" })
    }

    #[test]
    fn a_good_token_tells_its_claims() {
        let told = check(&sign(SECRET, &head(), &claims())).unwrap();
        assert_eq!(told["sub"], json!("ann"));
    }

    /// A token of the standard's own example, so that not both sides are ours (RFC 7515, appendix A.1).
    #[test]
    fn the_signature_is_the_standards() {
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let verifier = Verifier(<Hmac<Sha256> as Mac>::new_from_slice(&key).unwrap());
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(verifier.check(token, "x", 0), Err("the token is not for functions (iss, aud)"));
        assert!(verifier.check(&token.replace("dBj", "dBk"), "x", 0).unwrap_err().contains("signature"));
    }

    #[test]
    fn whatever_is_not_ours_is_refused() {
        let good = sign(SECRET, &head(), &claims());
        let unsigned = good.rsplit_once('.').unwrap().0;
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            sign(SECRET, &head(), &claims)
        };
        let mut endless = claims();
        endless.as_object_mut().unwrap().remove("exp");
        let none = json!({ "alg": "none" });
        for (why, token) in [
            ("no JSON Web Token", String::new()),
            ("no JSON Web Token", "a.b".to_owned()),
            ("signature", "..".to_owned()),
            ("signature", format!("{unsigned}.")),
            ("signature", sign("another secret", &head(), &claims())),
            ("signature", sign("", &head(), &claims())),
            ("no JSON Web Token", good[..good.len() - 1].to_owned()),
            ("signature", good[..good.len() - 3].to_owned()),
            ("signature", good.replacen("eyJ", "eyK", 1)),
            ("algorithm", sign(SECRET, &none, &claims())),
            ("signature", format!("{}.", sign(SECRET, &none, &claims()).rsplit_once('.').unwrap().0)),
            ("algorithm", sign(SECRET, &json!({ "alg": "HS512" }), &claims())),
            ("algorithm", sign(SECRET, &json!({ "alg": "HS256", "crit": ["b64"] }), &claims())),
            ("iss, aud", with("aud", json!("mcp"))),
            ("iss, aud", with("aud", json!(["functions", "x"]))),
            ("iss, aud", with("iss", json!("else"))),
            ("another function", with("function", json!("other"))),
            ("another function", with("function", json!("ns/hello"))),
            ("expired", with("exp", json!(94))),
            ("no end", with("exp", json!("101"))),
            ("no end", sign(SECRET, &head(), &endless)),
            ("no JSON Web Token", sign(SECRET, &head(), &json!("text"))),
        ] {
            let refused = check(&token).expect_err(&token);
            assert!(refused.contains(why), "{token}: {refused}, not {why}");
        }
        assert!(check(&with("exp", json!(95))).is_ok(), "clocks differ");
    }
}
