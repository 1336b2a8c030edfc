//! Memory that may not be there.

use std::collections::TryReserveError;

/// A copy of `bytes`.
///
/// # Errors
/// There is no memory for it.
pub fn copied(bytes: &[u8]) -> Result<Vec<u8>, TryReserveError> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}
