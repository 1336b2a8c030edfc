//! Bytes, from the socket to where they belong.

use std::io;
use std::ptr;

use super::gathering::Gathering;
use super::system::Socket;

/// Bytes that may be read past the end of a large message.
const AFTER_LARGE: usize = 16 * 1024;

/// Receive once: the rest of a large message under way to its place, and what follows it to `buffer`.
/// Returns how many bytes are at either place.
///
/// # Errors
/// As the system says, which may be that there is nothing to read.
pub fn receive(
    socket: Socket,
    gathering: Option<&mut Gathering>,
    buffer: &mut [u8],
) -> io::Result<(usize, usize)> {
    let Some(gathering) = gathering else {
        // SAFETY: there is no other place.
        let received = unsafe { socket.receive((ptr::null_mut(), 0), buffer)? };
        return Ok((0, received));
    };
    let place = gathering.rest();
    // What follows a large message may be another one, for which the buffer is a detour.
    let after = buffer.len().min(AFTER_LARGE);
    let after = &mut buffer[..after];
    // SAFETY: a large message knows where the rest of it goes.
    let received = unsafe { socket.receive(place, after)? };
    let placed = received.min(place.1);
    // SAFETY: they were received a moment ago.
    unsafe { gathering.written(placed) };
    Ok((placed, received - placed))
}
