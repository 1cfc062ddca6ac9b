//! When to stop: SIGTERM or Ctrl-C, told to everybody who asks.

use tokio::sync::watch;

/// Turns true once, when the process is to end.
pub type Closing = watch::Receiver<bool>;

/// Listens for the signals.
pub fn listen() -> std::io::Result<Closing> {
    let (tell, closing) = watch::channel(false);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("closing: no new work is taken, what is under way is finished");
        // Nobody may be listening any more, which is just as well.
        let _ = tell.send(true);
        std::future::pending::<()>().await;
    });
    Ok(closing)
}
