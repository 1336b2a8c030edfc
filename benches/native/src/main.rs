//! The neutral server of the benchmarks and the native client that they compare with.
//!
//! `wsbench serve [CERT KEY]` listens on a free port of the loopback interface and prints it; with
//! a certificate and a key in PEM files it speaks TLS. A client of `/echo` gets its messages back,
//! a client of `/push/KIND/SIZE/COUNT` gets COUNT messages without pause.
//!
//! `wsbench echo URL SIZE COUNT` is the native client: COUNT round trips, one at a time.

use std::error::Error;
use std::sync::Arc;
use std::{env, fs};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(None).await,
        ["serve", certificate, key] => serve(Some(acceptor(certificate, key)?)).await,
        ["echo", url, size, count] => echo(url, size.parse()?, count.parse()?).await,
        _ => Err("usage: wsbench serve [CERT KEY] | echo URL SIZE COUNT".into()),
    }
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor> {
    let chain =
        CertificateDer::pem_slice_iter(&fs::read(certificate)?).collect::<std::result::Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(key)?)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(acceptor: Option<TlsAcceptor>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let acceptor = acceptor.clone();
                tokio::task::spawn_local(async move {
                    // A client that leaves early is none of the server's concern.
                    let _ = match acceptor {
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => answer(stream).await,
                            Err(error) => Err(error.into()),
                        },
                        None => answer(stream).await,
                    };
                });
            }
        })
        .await
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
    let mut path = String::new();
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    #[expect(clippy::result_large_err, reason = "tungstenite's callback type")]
    let remember = |request: &Request, response: Response| {
        request.uri().path().clone_into(&mut path);
        Ok(response)
    };
    let mut ws =
        tokio_tungstenite::accept_hdr_async_with_config(stream, remember, Some(config)).await?;
    if let ["push", kind, size, count] = path.split('/').skip(1).collect::<Vec<_>>()[..] {
        let message = payload(kind, size.parse()?)?;
        for _ in 0..count.parse::<u64>()? {
            ws.feed(message.clone()).await?;
        }
        ws.flush().await?;
    }
    while let Some(message) = ws.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            ws.send(message).await?;
        }
    }
    Ok(())
}

fn payload(kind: &str, size: usize) -> Result<Message> {
    Ok(match kind {
        "binary" => Message::binary(vec![b'x'; size]),
        "ascii" => Message::text("x".repeat(size)),
        "text" => Message::text("é".repeat(size / 2)),
        _ => return Err("KIND is binary, ascii or text".into()),
    })
}

async fn echo(url: &str, size: usize, count: u64) -> Result<()> {
    let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
    let stream = TcpStream::connect(address.ok_or("URL is ws://HOST:PORT/PATH")?).await?;
    stream.set_nodelay(true)?;
    let (mut ws, _) = tokio_tungstenite::client_async(url, stream).await?;
    let message = payload("binary", size)?;
    for _ in 0..count {
        ws.send(message.clone()).await?;
        ws.next().await.ok_or("server closed")??;
    }
    ws.close(None).await?;
    Ok(())
}
