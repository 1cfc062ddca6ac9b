//! The engine's side of the socket.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixStream as Socket;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pointsman_core::failure::{Class, Failure};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, oneshot, watch};

use super::frames::{Incoming, Outgoing};
use super::{MAX_REASON, READY};
use crate::ask::{Ask, Reply};
use crate::{Broker, EgressError, Way};

/// Questions under way at once; what comes beyond waits. Sends wait for providers, so they have places of their own.
const PLACES: usize = 1_024;
/// Bytes of a webhook for one place: 4 MiB are under way at most.
const PLACE: usize = 4 << 10;

/// Asks the broker's process.
#[derive(Debug)]
pub struct Client {
    outgoing: Outgoing,
    asked: Mutex<Asked>,
    sends: Semaphore,
    others: Semaphore,
}

/// The questions that wait for an answer.
#[derive(Debug, Default)]
struct Asked {
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<Bytes>>,
    ended: bool,
}

/// A question that waits; nobody does any more when this is dropped.
struct Waiting<'a> {
    client: &'a Client,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.client.asked.lock().waiting.remove(&self.number);
    }
}

impl Client {
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Reply, EgressError> {
        let (places, count) = match &ask {
            Ask::Send { .. } | Ask::Recall(_) => (&self.sends, 1),
            Ask::Verify { body, .. } => (&self.others, (body.len() / PLACE).min(PLACES - 1) + 1),
            _ => (&self.others, 1),
        };
        // They are never closed, and there are never more than PLACES.
        let _place = places.acquire_many(u32::try_from(count).unwrap_or(1)).await;
        let Some((waiting, answer)) = self.wait() else { return Err(gone()) };
        if !self.outgoing.push(waiting.number, &ask) {
            return Err(Failure::limit("broker_frame", "a request to the broker has at most 8 MiB; send less").into());
        }
        let Ok(answer) = answer.await else {
            return Err(EgressError::Lost("the broker's process ended before it answered".to_owned()));
        };
        postcard::from_bytes(&answer).map_err(|_| EgressError::Lost("the broker's answer cannot be read".to_owned()))
    }

    fn wait(&self) -> Option<(Waiting<'_>, oneshot::Receiver<Bytes>)> {
        let (answer, heard) = oneshot::channel();
        let mut asked = self.asked.lock();
        if asked.ended {
            return None;
        }
        asked.last += 1;
        let number = asked.last;
        asked.waiting.insert(number, answer);
        Some((Waiting { client: self, number }, heard))
    }

    /// Says something that has no answer.
    pub(crate) fn tell(&self, ask: &Ask<'_>) {
        self.outgoing.push(0, ask);
    }

    async fn listen(&self, mut incoming: Incoming, told: &watch::Sender<bool>) -> io::Result<()> {
        while let Some((number, answer)) = incoming.next().await? {
            if number == 0 {
                told.send_replace(true);
                continue;
            }
            let waiting = self.asked.lock().waiting.remove(&number);
            // Whoever asked may have stopped waiting.
            waiting.map(|waiting| waiting.send(answer));
        }
        Ok(())
    }
}

fn gone() -> EgressError {
    EgressError::NotSent(Failure::new(Class::Transient, "broker.gone", "the broker's process has ended, and so does this host"))
}

/// The engine's hold on its broker.
#[derive(Debug)]
pub struct Connection {
    client: Arc<Client>,
    ended: watch::Receiver<bool>,
    closing: watch::Receiver<bool>,
}

impl Connection {
    /// Waits until the broker's process has ended.
    pub async fn ended(&self) {
        // Its other end is dropped together with the socket.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Waits until the broker says that the host is to close.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.clone();
        async move {
            if closing.wait_for(|closing| *closing).await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// Closes the socket, and waits until the broker's process has ended, at most this long: it finishes what is under way.
    pub async fn close(self, at_most: Duration) {
        self.client.outgoing.close();
        let _ = tokio::time::timeout(at_most, self.ended()).await;
    }
}

/// Meets the broker at the other end of a socket.
///
/// # Errors
/// `broker.refused`: it told why it cannot start. `broker.gone`: it ended without a word.
pub async fn connect(socket: Socket) -> Result<(Broker, Connection), Failure> {
    let failed = |error: io::Error| {
        Failure::new(Class::Permanent, "broker.gone", format!("the broker's process did not start ({error}); its log says why"))
    };
    socket.set_nonblocking(true).map_err(failed)?;
    let mut socket = UnixStream::from_std(socket).map_err(failed)?;
    greeting(&mut socket).await.map_err(failed)??;
    let (incoming, outgoing) = socket.into_split();
    let (sends, others) = (Semaphore::new(PLACES), Semaphore::new(PLACES));
    let client = Arc::new(Client { outgoing: Outgoing::default(), asked: Mutex::default(), sends, others });
    let ((tell_end, ended), (tell_close, closing)) = (watch::channel(false), watch::channel(false));
    let writer = Arc::clone(&client);
    tokio::spawn(async move { writer.outgoing.write(outgoing).await });
    let reader = Arc::clone(&client);
    tokio::spawn(async move {
        if let Err(error) = reader.listen(Incoming::new(incoming), &tell_close).await {
            tracing::error!(%error, "the broker's process cannot be understood");
        }
        let mut asked = reader.asked.lock();
        asked.ended = true;
        asked.waiting.clear();
        tell_end.send_replace(true);
    });
    Ok((Broker(Way::There(Arc::clone(&client))), Connection { client, ended, closing }))
}

async fn greeting(socket: &mut UnixStream) -> io::Result<Result<(), Failure>> {
    if socket.read_u8().await? == READY {
        return Ok(Ok(()));
    }
    let mut why = String::new();
    socket.take(MAX_REASON as u64).read_to_string(&mut why).await?;
    Ok(Err(Failure::new(Class::Permanent, "broker.refused", why)))
}
