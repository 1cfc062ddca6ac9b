//! The broker's side of the socket. One thread does everything: the process stays small, and a kill closes its connections at
//! once, before a provider's answer can go into a socket that nobody reads.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream as Socket;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::frames::{Incoming, Outgoing};
use super::{MAX_REASON, READY, REFUSED};
use crate::ask::{Ask, Reply};
use crate::service::Service;
use crate::{Broker, Way};

/// How long what is under way may take when the engine's process is gone. No request takes longer.
const FINISH: Duration = Duration::from_secs(30);

/// Tells the engine's process why there is no broker.
///
/// # Errors
/// It is gone.
pub fn refuse(mut socket: Socket, why: &str) -> io::Result<()> {
    socket.write_all(&[REFUSED])?;
    socket.write_all(why.as_bytes().get(..MAX_REASON).unwrap_or(why.as_bytes()))
}

/// Answers until the engine's process is gone; then finishes what is under way. `close` is passed on as
/// the wish that the engine closes.
///
/// # Errors
/// The socket failed, or what came over it is none of ours.
pub async fn serve(broker: Broker, mut socket: Socket, close: impl Future<Output = ()>) -> io::Result<()> {
    let Way::Here(service, _) = broker.0 else { return Err(io::Error::other("this broker is a client itself")) };
    // Before the first question: a successor must see that there is somebody to wait for.
    service.answers.as_ref().inspect(|answers| answers.open());
    socket.write_all(&[READY])?;
    socket.set_nonblocking(true)?;
    let (incoming, out) = UnixStream::from_std(socket)?.into_split();
    let outgoing = Arc::new(Outgoing::default());
    let writer = Arc::clone(&outgoing);
    let writing = tokio::spawn(async move { writer.write(out).await });
    let passing_on = async {
        close.await;
        outgoing.push(0, &Reply::Done);
        std::future::pending::<()>().await;
    };
    let mut under_way = JoinSet::new();
    let read = tokio::select! {
        read = listen(Incoming::new(incoming), &service, &outgoing, &mut under_way) => read,
        () = passing_on => Ok(()),
    };
    let finished = async { while under_way.join_next().await.is_some() {} };
    if tokio::time::timeout(FINISH, finished).await.is_err() {
        tracing::warn!(left = under_way.len(), "ends with requests under way");
    }
    // Nobody may be reading any more.
    outgoing.close();
    let _ = writing.await;
    read
}

async fn listen(
    mut incoming: Incoming,
    service: &Arc<Service>,
    outgoing: &Arc<Outgoing>,
    under_way: &mut JoinSet<()>,
) -> io::Result<()> {
    while let Some((number, question)) = incoming.next().await? {
        under_way.spawn(answer(Arc::clone(service), Arc::clone(outgoing), number, question));
        while under_way.try_join_next().is_some() {}
    }
    Ok(())
}

async fn answer(service: Arc<Service>, outgoing: Arc<Outgoing>, number: u64, question: Bytes) {
    let reply = match postcard::from_bytes::<Ask<'_>>(&question) {
        Ok(ask) => service.answer(ask).await,
        Err(error) => {
            tracing::error!(%error, "a question cannot be read");
            Reply::Done
        }
    };
    if number != 0 {
        outgoing.push(number, &reply);
    }
}
