//! The server: one thread, no compression of its own, no limits, no heartbeat.
//!
//! What a connection does depends on the path of its URL:
//!
//! - `/echo` sends every message back.
//! - `/burst` does the same, and writes the answers to all that it has read as one.
//! - `/push` keeps the first message; each text message after it is a number, and so many copies of
//!   the first are sent without pause.
//! - `/feed` and `/feed-deflated` send market data, the latter as frames that were compressed before;
//!   `/tickers` and `/books` send the small and the large messages of it without pause (see `feed`).
//! - `/sink` reads and discards binary messages and sends text messages back, so that a client can
//!   find out when everything before has arrived.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::Result;
use crate::feed::Feed;

/// Pushed messages are written in pieces of at least this size, each the same as the last.
const PUSHED_AT_ONCE: usize = 64 * 1024;

/// Small, as tungstenite clears it before each read, but large enough for large messages.
const READ_BUFFER: usize = 32 * 1024;

/// What is written without a flush between goes to the kernel together, records of TLS as well.
const WRITE_BUFFER: usize = 64 * 1024;

/// What all connections share.
struct Services {
    feed: Feed,
    deflated: Feed,
    tickers: Feed,
    books: Feed,
}

/// Print a port that speaks plain TCP and one that speaks TLS, both of the loopback interface, and
/// serve until killed.
///
/// `folder` has the certificate, its key, and the frames of the feeds.
pub async fn serve(folder: &Path, speed: u32) -> Result<()> {
    let services = Rc::new(Services {
        feed: Feed::read(&folder.join("feed.frames"), Some(speed))?,
        deflated: Feed::read(&folder.join("feed-deflated.frames"), Some(speed))?,
        tickers: Feed::read(&folder.join("tickers.frames"), None)?,
        books: Feed::read(&folder.join("books.frames"), None)?,
    });
    let certificate = fs::read(folder.join("certificate.pem"))?;
    let chain =
        CertificateDer::pem_slice_iter(&certificate).collect::<std::result::Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(folder.join("key.pem"))?)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let plain = TcpListener::bind("127.0.0.1:0").await?;
    let tls = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", plain.local_addr()?.port(), tls.local_addr()?.port());
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            loop {
                // A client that leaves early is none of the server's concern.
                tokio::select! {
                    accepted = plain.accept() => {
                        let (stream, _) = accepted?;
                        stream.set_nodelay(true)?;
                        let services = services.clone();
                        let stream = BufWriter::with_capacity(WRITE_BUFFER, stream);
                        spawn_local(async move { services.answer(stream).await.ok() });
                    }
                    accepted = tls.accept() => {
                        let (stream, _) = accepted?;
                        stream.set_nodelay(true)?;
                        let (services, acceptor) = (services.clone(), acceptor.clone());
                        spawn_local(async move { services.answer_tls(stream, acceptor).await });
                    }
                }
            }
        })
        .await
}

impl Services {
    async fn answer_tls(&self, stream: TcpStream, acceptor: TlsAcceptor) -> Option<()> {
        let stream = BufWriter::with_capacity(WRITE_BUFFER, stream);
        self.answer(acceptor.accept(stream).await.ok()?).await.ok()
    }

    async fn answer(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
        let mut path = String::new();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(None)
            .max_frame_size(None);
        #[expect(clippy::result_large_err, reason = "tungstenite's callback type")]
        let remember = |request: &Request, mut response: Response| {
            request.uri().path().clone_into(&mut path);
            if path == "/feed-deflated" {
                let deflate = HeaderValue::from_static("permessage-deflate");
                response.headers_mut().insert("Sec-WebSocket-Extensions", deflate);
            }
            Ok(response)
        };
        let ws =
            tokio_tungstenite::accept_hdr_async_with_config(stream, remember, Some(config)).await?;
        match path.as_str() {
            "/echo" => echo(ws).await,
            "/burst" => burst(ws).await,
            "/push" => push(ws).await,
            "/feed" => self.feed.send(ws).await,
            "/feed-deflated" => self.deflated.send(ws).await,
            "/tickers" => self.tickers.send(ws).await,
            "/books" => self.books.send(ws).await,
            "/sink" => discard(ws).await,
            _ => Err("the path names no service".into()),
        }
    }
}

async fn echo(mut ws: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) -> Result<()> {
    while let Some(message) = ws.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            ws.send(message).await?;
        }
    }
    Ok(())
}

async fn burst(mut ws: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) -> Result<()> {
    while let Some(message) = ws.next().await {
        let mut next = Some(message);
        while let Some(message) = next {
            let message = message?;
            if message.is_text() || message.is_binary() {
                ws.feed(message).await?;
            }
            next = ws.next().now_or_never().flatten();
        }
        ws.flush().await?;
    }
    Ok(())
}

async fn push(mut ws: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) -> Result<()> {
    let first = ws.next().await.ok_or("nothing to push")??;
    let kind = if first.is_text() { Data::Text } else { Data::Binary };
    let mut frame = Vec::new();
    Frame::message(first.into_data(), OpCode::Data(kind), true).format(&mut frame)?;
    let frames_at_once = PUSHED_AT_ONCE.div_ceil(frame.len());
    let piece = frame.repeat(frames_at_once);
    while let Some(message) = ws.next().await {
        let Message::Text(count) = message? else { continue };
        let count: usize = count.parse()?;
        let out = ws.get_mut();
        for _ in 0..count / frames_at_once {
            out.write_all(&piece).await?;
        }
        out.write_all(&piece[..count % frames_at_once * frame.len()]).await?;
        out.flush().await?;
    }
    Ok(())
}

async fn discard(mut ws: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) -> Result<()> {
    while let Some(message) = ws.next().await {
        let message = message?;
        if message.is_text() {
            ws.send(message).await?;
        }
    }
    Ok(())
}
