//! A socket that is used past its transport, and the system's calls for that.
//!
//! Only Unix has one. Elsewhere there is no such socket, and everything goes through transports.

pub use platform::Socket;

#[cfg(unix)]
mod platform {
    use std::ffi::c_void;
    use std::io;

    /// The descriptor of a socket that a connection holds (`Flow::holder`), and that its transport does
    /// not close before it has told the connection. So it is open wherever it is used.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub struct Socket(i32);

    /// A peer that is gone is an error here, not a signal.
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    /// Elsewhere Python ignores the signal.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    const FLAGS: i32 = libc::MSG_DONTWAIT;

    impl Socket {
        /// The socket with this descriptor, which a closed one has not.
        pub fn of(descriptor: i32) -> Option<Self> {
            (descriptor >= 0).then_some(Self(descriptor))
        }

        /// Send what the socket takes without waiting; returns how many bytes that was. An error counts
        /// as none: the transport will meet it too, and knows what to do.
        #[inline]
        pub fn send(self, bytes: &[u8]) -> usize {
            let (pointer, length) = (bytes.as_ptr().cast::<c_void>(), bytes.len());
            // SAFETY: the pointer and length are those of a live slice.
            let sent = unsafe { libc::send(self.0, pointer, length, FLAGS) };
            usize::try_from(sent).unwrap_or(0)
        }

        /// Receive what the socket has, up to `missing` bytes to `start` and then the rest to `buffer`;
        /// 0 bytes are the end of what the peer sends.
        ///
        /// # Safety
        /// `missing` bytes may be written from `start` on.
        #[inline]
        pub unsafe fn receive(
            self,
            (start, missing): (*mut u8, usize),
            buffer: &mut [u8],
        ) -> io::Result<usize> {
            let mut parts = [
                libc::iovec { iov_base: start.cast(), iov_len: missing },
                libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() },
            ];
            // SAFETY: the socket does not block; the caller vouches for the first part, and the second
            // is a slice that may be written to.
            let received = unsafe {
                if missing == 0 {
                    let [_, all] = parts;
                    libc::recv(self.0, all.iov_base, all.iov_len, libc::MSG_DONTWAIT)
                } else {
                    libc::readv(self.0, parts.as_mut_ptr(), 2)
                }
            };
            usize::try_from(received).map_err(|_| io::Error::last_os_error())
        }

        /// Whether there is something to read now, an end or an error included.
        pub fn is_readable(self) -> bool {
            let mut byte = 0u8;
            // SAFETY: one byte may be written where the pointer points.
            let peeked = unsafe {
                let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
                libc::recv(self.0, (&raw mut byte).cast::<c_void>(), 1, flags)
            };
            peeked >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::io;

    /// There is none.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Socket {}

    impl Socket {
        pub fn of(_descriptor: i32) -> Option<Self> {
            None
        }

        pub fn send(self, _bytes: &[u8]) -> usize {
            match self {}
        }

        /// # Safety
        /// There is nothing to keep to.
        pub unsafe fn receive(
            self,
            _place: (*mut u8, usize),
            _buffer: &mut [u8],
        ) -> io::Result<usize> {
            match self {}
        }

        pub fn is_readable(self) -> bool {
            match self {}
        }
    }
}
