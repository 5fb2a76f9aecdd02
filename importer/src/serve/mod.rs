//! `vecrank serve`: feeds over HTTP, from one file that may be replaced at any time.

mod answer;
mod args;
mod catalogue;
mod connections;
mod metrics;
mod request;
mod routes;

use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::screen::escaped;
pub use args::ServeArgs;
use axum::serve::ListenerExt;
use connections::{Connections, Settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How long requests that have begun may take once the service is to end.
const DRAIN: Duration = Duration::from_secs(10);

pub fn run(args: &ServeArgs) -> Result<()> {
    let count = args.connections.map_or_else(default_connections, usize::from);
    let settings = Settings {
        database: args.database.clone(),
        table: args.table.clone(),
        embedding: args.embedding.clone(),
        connections: count,
        max_limit: args.max_limit,
        max_offset: args.max_offset,
    };
    let connections = Arc::new(Connections::new(settings)?);
    // A thread per connection, and some that take requests.
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(count).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("the service cannot start: {error}")))?;
    let served = runtime.block_on(serve(args, connections));
    runtime.shutdown_timeout(Duration::ZERO);
    served
}

fn default_connections() -> usize {
    std::thread::available_parallelism().map_or(2, |cpus| 2 * cpus.get())
}

async fn serve(args: &ServeArgs, connections: Arc<Connections>) -> Result<()> {
    let signalled = Arc::new(Notify::new());
    let for_handler = Arc::clone(&signalled);
    let _watch = interrupt::on_signal(move || for_handler.notify_one());
    let stopped = Arc::new(Notify::new());
    let waiting = Arc::clone(&stopped);
    let unbound = |error| Failure::new(format!("{}:{}: the address cannot be used: {error}", args.host, args.port));
    let listener = TcpListener::bind((args.host.as_str(), args.port)).await.map_err(unbound)?;
    let address = listener.local_addr().map_err(unbound)?;
    eprintln!("serving {} at http://{address}", escaped(&args.database.to_string_lossy()));
    // Answers are sent at once; that fails only on a connection that is gone.
    let listener = listener.tap_io(|stream: &mut TcpStream| drop(stream.set_nodelay(true)));
    let server = axum::serve(listener, routes::router(connections))
        .with_graceful_shutdown(async move { waiting.notified().await });
    tokio::select! {
        served = async { server.await } => served.map_err(|error| Failure::new(format!("the service ended: {error}"))),
        () = drained(&signalled, &stopped) => Ok(()),
    }
}

/// Returns after a signal, when the requests that had begun have ended or had their time.
async fn drained(signalled: &Notify, stopped: &Notify) {
    // A signal may have come before there was a handler.
    if interrupt::check().is_ok() {
        signalled.notified().await;
    }
    stopped.notify_one();
    tokio::time::sleep(DRAIN).await;
}
