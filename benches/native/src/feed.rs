//! A feed of market data: at its own pace, with single messages and now and then a burst, or without
//! pause.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::thread;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

use crate::Result;

/// In a second there are so many messages, of which the first `BURST` come at once.
const A_SECOND: usize = 200;
const BURST: usize = 50;

/// Frames as they are sent, one after the other and then from the beginning.
pub struct Feed {
    frames: Vec<Vec<u8>>,
    /// How much faster than a real feed it is; without, it does not wait.
    speed: Option<u32>,
}

impl Feed {
    /// Read what `feed.py` has written.
    pub fn read(path: &Path, speed: Option<u32>) -> Result<Self> {
        let mut bytes = &fs::read(path)?[..];
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let mut cursor = Cursor::new(bytes);
            let (_, size) = FrameHeader::parse(&mut cursor)?.ok_or("a frame is cut off")?;
            let (frame, rest) = bytes.split_at(usize::try_from(cursor.position() + size)?);
            frames.push(frame.to_vec());
            bytes = rest;
        }
        Ok(Self { frames, speed })
    }

    /// Send as many messages as a ping with `feed COUNT` asks for.
    ///
    /// A ping, because whatever was negotiated, control frames are not compressed.
    pub async fn send(
        &self,
        mut ws: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    ) -> Result<()> {
        let mut frames = self.frames.iter().cycle();
        let events = u32::try_from(A_SECOND - BURST + 1)?;
        let interval = self.speed.map(|speed| Duration::from_secs(1) / (events * speed));
        while let Some(message) = ws.next().await {
            let Message::Ping(order) = message? else { continue };
            let Some(count) = order.strip_prefix(b"feed ") else { continue };
            let count: usize = str::from_utf8(count)?.parse()?;
            ws.flush().await?; // the pong
            let mut pace = interval.map(ticks);
            let out = ws.get_mut();
            for (number, frame) in (0..count).zip(&mut frames) {
                let position = number % A_SECOND;
                if let Some(pace) = &mut pace
                    && (position == 0 || position >= BURST)
                {
                    out.flush().await?;
                    pace.recv().await.ok_or("time stands still")?;
                }
                out.write_all(frame).await?;
            }
            out.flush().await?;
        }
        Ok(())
    }
}

/// Tick until the receiver is dropped; more finely than tokio's own timers, which know milliseconds.
fn ticks(interval: Duration) -> mpsc::Receiver<()> {
    let (ticks, ticked) = mpsc::channel(1);
    thread::spawn(move || {
        while ticks.blocking_send(()).is_ok() {
            thread::sleep(interval);
        }
    });
    ticked
}
