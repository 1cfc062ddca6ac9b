//! When to stop: SIGTERM or Ctrl-C, or the end of standard input, told to everybody who asks.

use tokio::sync::watch;

/// Turns true once, when the process is to end.
pub type Closing = watch::Receiver<bool>;

/// Listens for the signals.
pub fn listen() -> std::io::Result<Closing> {
    listen_with(std::future::pending())
}

/// Listens for the signals, and for the end of standard input.
pub fn listen_until_closed() -> std::io::Result<Closing> {
    listen_with(end_of_input()?)
}

/// The end of standard input.
pub fn end_of_input() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own: a read under way cannot be given up, and must not hold the runtime at its end.
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = ended.send(());
    })?;
    Ok(async {
        let _ = end.await;
    })
}

/// Listens for the signals, and for something else.
pub fn listen_with(other: impl Future<Output = ()> + Send + 'static) -> std::io::Result<Closing> {
    let (tell, closing) = watch::channel(false);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
            () = other => {}
        }
        tracing::info!("closing: no new work is taken, what is under way is finished");
        // Nobody may be listening any more, which is just as well.
        let _ = tell.send(true);
        std::future::pending::<()>().await;
    });
    Ok(closing)
}
