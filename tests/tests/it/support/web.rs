//! A web site in small: pages by path, which a test puts there and takes away, and what was asked for.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Status, a header with its value, and the body.
type Page = (u16, String, Vec<u8>);

/// A site.
pub struct Web {
    pub address: String,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// An empty one: everything is answered 404.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (pages, heard) = (Arc::<Mutex<HashMap<String, Page>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (of, told) = (Arc::clone(&pages), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut request, mut some) = (Vec::new(), [0; 4096]);
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut some).await {
                        Ok(count) if count > 0 => request.extend_from_slice(&some[..count]),
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                told.lock().push(path.clone());
                let page = of.lock().get(&path).cloned();
                let (status, header, body) = page.unwrap_or((404, "content-type: text/html".to_owned(), b"gone".to_vec()));
                let head =
                    format!("HTTP/1.1 {status} x\r\n{header}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
            }
        });
        Self { address, pages, heard }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Puts something there.
    pub fn put(&self, path: &str, status: u16, header: &str, body: impl Into<Vec<u8>>) {
        self.pages.lock().insert(path.to_owned(), (status, header.to_owned(), body.into()));
    }

    /// Puts a page there.
    pub fn page(&self, path: &str, body: &str) {
        self.put(path, 200, "content-type: text/html; charset=utf-8", format!("<html><body>{body}</body></html>"));
    }

    /// Takes a page away.
    pub fn remove(&self, path: &str) {
        self.pages.lock().remove(path);
    }

    /// What was asked for since the last time.
    pub fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock())
    }
}
