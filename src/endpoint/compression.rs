//! Compressing messages that are sent (RFC 7692).

use crate::deflate::Deflater;

/// How the messages of a connection are compressed.
#[derive(Debug)]
pub struct Compression {
    /// What compresses.
    pub deflater: Deflater,
    /// Messages of fewer bytes are sent as they are.
    pub min_size: usize,
}
