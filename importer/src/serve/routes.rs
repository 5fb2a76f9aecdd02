//! The paths of the service.

use super::answer::{self, Problem};
use super::catalogue::Catalogue;
use super::connections::{Connections, Report, Settings};
use super::metrics::Metrics;
use super::request::FeedRequest;
use crate::screen::escaped;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, MatchedPath, Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// The web page: one file, which loads nothing.
const PAGE: &str = include_str!("index.html");
const OPENAPI: &str = include_str!("openapi.json");
const MOST_BYTES: usize = 1_000_000;

const JSON: &str = "application/json";
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

struct Service {
    connections: Arc<Connections>,
    metrics: Metrics,
}

type Shared = State<Arc<Service>>;

pub fn router(connections: Arc<Connections>) -> Router {
    let service = Arc::new(Service { connections, metrics: Metrics::default() });
    Router::new()
        .route("/feed", post(page))
        .route("/items/{*key}", get(item))
        .route("/catalogue", get(catalogue))
        .route("/health", get(health))
        .route("/metrics", get(exposition))
        .route("/openapi.json", get(async || ([(header::CONTENT_TYPE, JSON)], OPENAPI)))
        .route("/", get(web_page))
        .fallback(async || refusal(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&service), account))
        .with_state(service)
}

/// Counts a request, and adds the headers of every response.
async fn account(State(service): Shared, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().replace("*", ""));
    let mut response = next.run(request).await;
    response.headers_mut().extend(HEADERS);
    service.metrics.count(route, response.status().as_u16(), began.elapsed());
    response
}

async fn page(State(service): Shared, body: Result<Bytes, axum::extract::rejection::BytesRejection>) -> Response {
    let Ok(body) = body else {
        let text = format!("body: expected a length of at most {MOST_BYTES} bytes");
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, &text);
    };
    with_connection(service, move |catalogue, file, settings| {
        let request = FeedRequest::parse(&body).map_err(Problem::Refused)?;
        let (limit, offset) = (request.limit, request.offset);
        let rows = answer::page(catalogue, request, settings)?;
        let next = offset + limit;
        let is_last = i64::try_from(rows.len()).unwrap_or(limit) < limit || next > i64::from(settings.max_offset);
        let next_offset = if is_last { Value::Null } else { json!(next) };
        Ok(json!({ "rows": rows, "next_offset": next_offset, "version": file.version }))
    })
    .await
}

async fn item(State(service): Shared, Path(key): Path<String>) -> Response {
    with_connection(service, move |catalogue, _, _| answer::item(catalogue, &key)).await
}

async fn catalogue(State(service): Shared) -> Response {
    with_connection(service, |catalogue, file, settings| {
        let mut about = catalogue.about()?.clone();
        about.insert("max_limit".to_owned(), json!(settings.max_limit));
        about.insert("max_offset".to_owned(), json!(settings.max_offset));
        about.insert("version".to_owned(), json!(file.version));
        Ok(Value::Object(about))
    })
    .await
}

/// Reports whether requests are answered, and whether from the current file.
async fn health(State(service): Shared) -> Response {
    with_connection(service, |catalogue, file, _| {
        catalogue.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let status = if file.fault.is_some() { "stale" } else { "ok" };
        Ok(json!({ "status": status, "fault": file.fault, "version": file.version }))
    })
    .await
}

async fn exposition(State(service): Shared) -> Response {
    let text = service.metrics.text(&service.connections.report());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn web_page() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, PAGE).into_response()
}

/// Runs the work with a connection, on a thread where it may wait for the disk.
async fn with_connection<W>(service: Arc<Service>, work: W) -> Response
where
    W: FnOnce(&Catalogue, &Report, &Settings) -> Result<Value, Problem> + Send + 'static,
{
    let Some(permit) = service.connections.permit().await else { return busy() };
    let connections = Arc::clone(&service.connections);
    let done = tokio::task::spawn_blocking(move || {
        let (lease, file) = connections.lease(permit)?;
        Some(work(lease.catalogue()?, &file, &connections.settings).map(|value| value.to_string()))
    });
    match done.await {
        Ok(Some(Ok(text))) => ([(header::CONTENT_TYPE, JSON)], text).into_response(),
        Ok(Some(Err(Problem::Refused(text)))) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &text),
        Ok(Some(Err(Problem::Missing(text)))) => refusal(StatusCode::NOT_FOUND, &text),
        Ok(Some(Err(Problem::Failed(failure)))) => {
            eprintln!("vecrank: {}", escaped(&failure.to_string()));
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal error; the log of the service has it")
        }
        Ok(None) => busy(),
        // The panic's message is on standard error.
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal error; the log of the service has it"),
    }
}

fn busy() -> Response {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "all connections are in use; try again");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn refusal(status: StatusCode, text: &str) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], json!({ "error": text }).to_string()).into_response()
}
