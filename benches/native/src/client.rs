//! The native client: what the round trips of the other clients are compared with.

use std::fmt::Write as _;
use std::io;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use nix::time::{ClockId, clock_gettime};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::Result;

/// Make round trips of `size` bytes over one connection, as standard input says.
///
/// A line `echo COUNT` is answered with the nanoseconds of CPU time that so many round trips took,
/// `timed_echo COUNT` with the nanoseconds that each of them took.
pub async fn echo(url: &str, size: usize) -> Result<()> {
    let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
    let stream = TcpStream::connect(address.ok_or("URL is ws://HOST:PORT/PATH")?).await?;
    stream.set_nodelay(true)?;
    // tungstenite clears its read buffer before each read: by default 128 KiB, which would be most
    // of what a small round trip costs.
    let config = WebSocketConfig::default()
        .read_buffer_size(size + 1024)
        .max_message_size(None)
        .max_frame_size(None);
    let (mut ws, _) =
        tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
    let message = Message::binary(vec![b'x'; size]);
    for line in io::stdin().lines() {
        let line = line?;
        let (action, count) = line.split_once(' ').ok_or("expected ACTION COUNT")?;
        let count: usize = count.parse()?;
        let mut answer = String::new();
        match action {
            "echo" => {
                let before = cpu_time()?;
                for _ in 0..count {
                    round_trip(&mut ws, &message).await?;
                }
                write!(answer, "{}", cpu_time()? - before)?;
            }
            "timed_echo" => {
                for _ in 0..count {
                    let before = Instant::now();
                    round_trip(&mut ws, &message).await?;
                    write!(answer, "{} ", before.elapsed().as_nanos())?;
                }
            }
            _ => return Err("ACTION is echo or timed_echo".into()),
        }
        println!("{answer}");
    }
    Ok(())
}

async fn round_trip(ws: &mut WebSocketStream<TcpStream>, message: &Message) -> Result<()> {
    ws.send(message.clone()).await?;
    ws.next().await.ok_or("server closed")??;
    Ok(())
}

/// This process's CPU time in nanoseconds.
fn cpu_time() -> Result<i64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
