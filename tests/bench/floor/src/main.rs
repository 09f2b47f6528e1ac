//! The bare floor: HTTP in, one `SELECT bench.read10($1)`, its text out. Same hyper, same tokio-postgres, same number of
//! connections as the listener.
//!
//! It leaves out on purpose all that a server needs: keys, bounds, time limits, cancelling, logs. It reads the body
//! and ignores it, so that the load generator sends it the very requests that it sends the listener; the tenant comes from
//! the header `X-Tenant`.
//!
//! `bench_floor ADDRESS CONNECTIONS DATABASE-URL`

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_postgres::{Client, NoTls, Statement};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Slot = (Client, Statement);

struct Pool {
    places: Semaphore,
    idle: Mutex<Vec<Slot>>,
}

/// A connection for one call. hyper drops the call of a client that hangs up, so the way back is a drop, too.
struct Lease<'a>(&'a Pool, Option<Slot>);

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let (Some(slot), Ok(mut idle)) = (self.1.take(), self.0.idle.lock()) {
            idle.push(slot);
        }
    }
}

impl Pool {
    async fn call(&self, tenant: &str) -> Result<String, Failure> {
        // Declared first, so dropped last: the connection is back before its place is free.
        let _place = self.places.acquire().await?;
        let slot = self.idle.lock().map_err(|_| "poisoned")?.pop();
        let lease = Lease(self, slot);
        let (client, statement) = lease.1.as_ref().ok_or("no idle connection")?;
        Ok(client.query_one(statement, &[&tenant]).await?.try_get(0)?)
    }
}

async fn answer(pool: &Pool, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let tenant = head.headers.get("x-tenant").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let outcome = match body.collect().await {
        Ok(_) => pool.call(tenant).await,
        Err(error) => Err(error.into()),
    };
    let (status, text) = match outcome {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, url] = &arguments[..] else {
        return Err("usage: bench_floor ADDRESS CONNECTIONS DATABASE-URL".into());
    };
    let connections: usize = connections.parse()?;
    let mut idle = Vec::new();
    for _ in 0..connections {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let statement = client.prepare("SELECT bench.read10($1)").await?;
        idle.push((client, statement));
    }
    let pool = Arc::new(Pool { places: Semaphore::new(connections), idle: Mutex::new(idle) });
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = pool.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&pool, request));
            // A client that hangs up is no failure.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
