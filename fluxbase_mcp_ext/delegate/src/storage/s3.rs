//! The client of an S3 server: `object_store`'s protocol over our own HTTP client.
//!
//! Invariants: only the configured endpoint is ever called, wherever an answer leads to, and keys come from [`Credentials`] alone, so no
//! metadata service is asked for any; no error holds a part of a key.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::{Client, Url};

use super::credentials::Credentials;
use super::place::Bucket;
use crate::outgoing::{self, Authorities};

/// Sets the client up; nothing is sent.
///
/// # Errors
/// A text for the log.
pub fn open(
    bucket: &Bucket,
    credentials: &Credentials,
    authorities: &Authorities,
) -> Result<AmazonS3, String> {
    let connector =
        Connector { client: outgoing::unguarded(authorities)?, endpoint: bucket.endpoint.clone() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_endpoint(bucket.endpoint.as_str().trim_end_matches('/'))
        .with_virtual_hosted_style_request(bucket.in_host)
        .with_allow_http(bucket.endpoint.scheme() == "http")
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_access_key_id(&credentials.key_id)
        .with_secret_access_key(&credentials.secret)
        .with_retry(RETRY)
        .with_http_connector(connector);
    if let Some(token) = &credentials.token {
        builder = builder.with_token(token);
    }
    builder.build().map_err(|error| credentials.scrub(&format!("S3 cannot be set up: {error}")))
}

/// Briefly: whoever waits has a time of his own, and is better told.
const RETRY: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 2.0,
    },
    max_retries: 2,
    retry_timeout: Duration::from_secs(10),
};

#[derive(Clone, Debug)]
struct Connector {
    client: Client,
    endpoint: Url,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("the URL is not valid")]
    Malformed,
    #[error("it is not the configured endpoint")]
    Elsewhere,
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let unsent = |why| HttpError::new(HttpErrorKind::Unknown, why);
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| unsent(Unsent::Malformed))?;
        if url.origin() != self.endpoint.origin() {
            return Err(unsent(Unsent::Elsewhere));
        }
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let response = self.client.execute(request).await.map_err(told)?;
        let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(told))))
    }
}

/// What kind of error it is decides whether it is tried again.
fn told(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_decode() {
        HttpErrorKind::Decode
    } else {
        HttpErrorKind::Interrupted
    };
    HttpError::new(kind, error.without_url())
}
