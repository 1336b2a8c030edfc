//! Sending past the transport: while a plain TCP transport has nothing queued, a frame can go from
//! the buffer it is built in straight to the socket, as the transport would do after some 500
//! instructions of its own. What the socket does not take is the transport's to queue.

use std::cell::RefCell;
use std::ffi::c_void;

/// Larger frames are built in a `bytes` object of their own, so that this buffer stays small.
const LARGEST: usize = 64 * 1024;

thread_local! {
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Build a frame of `size` bytes with `build`, if it is small enough, and give it to `use_frame`.
pub fn with_frame<T>(
    size: usize,
    build: impl FnOnce(&mut [u8]),
    use_frame: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    if size > LARGEST {
        return None;
    }
    FRAME.with_borrow_mut(|buffer| {
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        build(&mut buffer[..size]);
        Some(use_frame(&buffer[..size]))
    })
}

/// A peer that is gone is an error here, not a signal.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
/// Elsewhere Python ignores the signal.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const FLAGS: i32 = libc::MSG_DONTWAIT;

/// Send what the socket takes without waiting; returns how many bytes that was. An error counts as
/// none: the transport will meet it too, and knows what to do.
pub fn send(socket: i32, bytes: &[u8]) -> usize {
    // SAFETY: the pointer and length are those of a live slice. The descriptor is the transport's,
    // which is open: a transport tells its protocol that it is lost before it closes it.
    let sent = unsafe { libc::send(socket, bytes.as_ptr().cast::<c_void>(), bytes.len(), FLAGS) };
    usize::try_from(sent).unwrap_or(0)
}
