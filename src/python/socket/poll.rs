//! Asking a socket again and again.

use std::hint;
use std::time::Instant;

use super::system::Socket;

/// Whether there is something to read, an end or an error included, before `deadline`.
pub fn becomes_readable(socket: Socket, deadline: Instant) -> bool {
    while Instant::now() < deadline {
        if socket.is_readable() {
            return true;
        }
        hint::spin_loop();
    }
    false
}
