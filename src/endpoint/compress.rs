//! Compressing messages that are sent (RFC 7692).

use super::Endpoint;
use crate::deflate::Deflater;

/// How the messages of a connection are compressed.
#[derive(Debug)]
pub struct Compression {
    /// What compresses.
    pub deflater: Deflater,
    /// Messages of fewer bytes are sent as they are.
    pub min_size: usize,
}

impl<M> Endpoint<M> {
    /// The payload of a compressed message, or `None` if it is to be sent as it is: with `wanted`, its
    /// size does not matter, without it none is compressed.
    pub fn compress(&mut self, payload: &[u8], wanted: Option<bool>) -> Option<Vec<u8>> {
        let compression = self.compression.as_mut()?;
        let large = payload.len() >= compression.min_size;
        if wanted.unwrap_or(large) { compression.deflater.deflate(payload) } else { None }
    }

    /// The message that [`compress`](Self::compress) has made was sent, or could not be: then none may
    /// refer to it.
    pub fn compressed(&mut self, plain: usize, compressed: usize, sent: bool) {
        if sent {
            self.counts.plain += plain as u64;
            self.counts.compressed += compressed as u64;
        } else {
            self.forget_compressed();
        }
    }

    /// Let what is sent next refer to nothing before it.
    pub(super) fn forget_compressed(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.deflater.forget();
        }
    }
}
