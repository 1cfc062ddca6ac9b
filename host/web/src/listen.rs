//! Takes connections and ends them. The attacks that stop here: a client that sends its headers for ever (a deadline, and until they
//! are whole it is a socket and a timer that is looked at ever more seldom: ten thousand of them keep nobody waiting), one that
//! opens connections for ever (a cap: the next one waits in the kernel's queue; without descriptors those that ask nothing leave),
//! headers without end (a buffer's size).

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};

/// Bytes of a request's line and headers together.
const HEAD: usize = 64 << 10;

/// How long to rest when the system has no descriptors left.
const REST: Duration = Duration::from_millis(50);

/// Bytes in which the end of a head is looked for before anything is made ready for its request; whoever sent more has sent enough.
const LOOKED_AT: usize = 8 << 10;

/// After the first look that found no whole head, and at most, until the next one.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a port grants its clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Connections at once.
    pub connections: u32,
    /// How long the headers of a request may take, counted from the moment the connection is free for it. It is also how
    /// long a connection may lie idle between two requests.
    pub head: Duration,
    /// How long requests under way may take after closing time.
    pub drain: Duration,
}

impl Patience {
    /// For a port with `connections` at once.
    pub(crate) const fn with(connections: u32) -> Self {
        Self { connections, head: Duration::from_secs(5), drain: Duration::from_secs(4) }
    }
}

/// The other end of a connection: an extension of each of its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Waits until it is time to close. A sender that is gone means the same.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|now| *now).await;
}

/// Serves until `closing` turns true, then lets what is under way end.
pub(crate) async fn serve<A, F, B>(
    listener: TcpListener,
    patience: Patience,
    mut closing: watch::Receiver<bool>,
    answer: A,
) -> io::Result<()>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let places = Arc::new(Semaphore::new(patience.connections as usize));
    let crowded = Arc::new(Notify::new());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head).max_buf_size(HEAD);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            next = next => next?,
            () = closed(&mut closing) => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, address)) => (stream, Peer(address.ip())),
            Err(error) => {
                // One client that left early is nothing; no descriptors left is: whoever asks nothing leaves, for those
                // who wait at the door may have a message.
                if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                    tracing::warn!(%error, "a connection could not be taken");
                    crowded.notify_waiters();
                    tokio::time::sleep(REST).await;
                }
                continue;
            }
        };
        let (http, answer, closing, crowded) = (http.clone(), answer.clone(), closing.clone(), Arc::clone(&crowded));
        tokio::spawn(async move {
            if let Some(stream) = begun(stream, patience.head, (closing.clone(), &crowded)).await {
                // Made when it is needed: until then this task is small.
                Box::pin(connection(&http, (stream, peer), (closing, &crowded), answer)).await;
            }
            drop(place);
        });
    }
    drop(listener);
    // All places free again: everybody is served.
    if tokio::time::timeout(patience.drain, places.acquire_many(patience.connections)).await.is_err() {
        tracing::warn!("requests under way were cut at closing time");
    }
    Ok(())
}

/// Connections at once to a port with pages: an operator's browser, a scraper, a few scripts.
const PAGES: u32 = 256;

/// Serves a router, for a port with pages.
pub(crate) async fn serve_router(listener: TcpListener, router: Router, closing: watch::Receiver<bool>) -> io::Result<()> {
    let service = TowerToHyperService::new(router);
    serve(listener, Patience::with(PAGES), closing, move |request| {
        let answer = service.call(request);
        async move {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    })
    .await
}

/// Waits until the first head of a connection is there, and gives it back. `None` when the client left or took too long, or when it
/// is to leave.
async fn begun(
    stream: TcpStream,
    patience: Duration,
    (mut closing, crowded): (watch::Receiver<bool>, &Notify),
) -> Option<TcpStream> {
    let mut leave = pin!(async {
        tokio::select! {
            () = tokio::time::sleep(patience) => {}
            () = closed(&mut closing) => {}
            () = crowded.notified() => {}
        }
    });
    let whole = tokio::select! {
        whole = first_look(&stream) => whole.ok()?,
        () = leave.as_mut() => return None,
    };
    if whole {
        return Some(stream);
    }
    // Nobody watches it any more: what comes meanwhile wakes nobody.
    let stream = stream.into_std().ok()?;
    let whole = async {
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            match SEEN.with_borrow_mut(|bytes| stream.peek(bytes).map(|count| bytes.get(..count).is_some_and(is_whole))) {
                Ok(false) => pause = (10 * pause).min(LONGEST_PAUSE),
                Ok(true) => return true,
                Err(_gone) => return false,
            }
        }
    };
    let whole = tokio::select! {
        whole = whole => whole,
        () = leave => false,
    };
    if !whole {
        // Where something is left unread the client would be told of an error, not of an end.
        let _ = SEEN.with_borrow_mut(|bytes| (&stream).read(bytes));
        return None;
    }
    TcpStream::from_std(stream).ok()
}

thread_local! {
    /// Room for what came first.
    static SEEN: RefCell<Box<[u8]>> = RefCell::new(vec![0; LOOKED_AT].into());
}

/// Waits for what comes first, which stays unread; tells whether it is enough.
async fn first_look(stream: &TcpStream) -> io::Result<bool> {
    poll_fn(|context| {
        SEEN.with_borrow_mut(|bytes| {
            let mut seen = ReadBuf::new(bytes);
            let count = ready!(stream.poll_peek(context, &mut seen))?;
            Poll::Ready(if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(is_whole(seen.filled())) })
        })
    })
    .await
}

/// Whether what came first ends a head, or is such that it need not be asked.
fn is_whole(seen: &[u8]) -> bool {
    let ends = |end: &[u8]| seen.windows(end.len()).any(|part| part == end);
    // What is no HTTP (a hand that wants TLS) is told so at once.
    let strange = seen.first().is_some_and(|first| !first.is_ascii_graphic() && !first.is_ascii_whitespace());
    strange || seen.len() == LOOKED_AT || ends(b"\n\r\n") || ends(b"\n\n")
}

async fn connection<A, F, B>(
    http: &http1::Builder,
    (stream, peer): (TcpStream, Peer),
    (mut closing, crowded): (watch::Receiver<bool>, &Notify),
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Answers are small and whole; waiting for more bytes would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let answered = answer(request);
        async { Ok::<_, Infallible>(answered.await) }
    });
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = closed(&mut closing) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
        () = crowded.notified() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
