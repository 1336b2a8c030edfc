//! The supply of masking keys, one for each thread (RFC 6455 §5.3, §10.3).

use std::cell::RefCell;

use crate::mask::Key;

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(Keys::new()) };
}

/// The next masking key.
///
/// # Errors
/// When the operating system has no entropy to give.
#[inline]
pub fn draw() -> Result<Key, getrandom::Error> {
    KEYS.with_borrow_mut(Keys::draw)
}

/// Forget the keys in this thread's stock: the child of a fork must not mask with its parent's.
pub fn discard() {
    KEYS.with_borrow_mut(Keys::discard);
}

/// How many keys one call for entropy yields.
const BLOCK: usize = 256;

/// A supply of masking keys that no peer or script can predict (§10.3): operating-system entropy,
/// drawn in blocks because a system call for each frame would cost more than the frame.
pub struct Keys {
    block: [Key; BLOCK],
    next: usize,
}

impl Keys {
    /// An empty supply; the first key draws a block.
    #[must_use]
    pub const fn new() -> Self {
        Self { block: [[0; 4]; BLOCK], next: BLOCK }
    }

    /// Forget the keys in stock, so that a forked child does not use its parent's.
    pub fn discard(&mut self) {
        self.next = BLOCK;
    }

    /// The next key, never handed out before.
    ///
    /// # Errors
    /// When the operating system has no entropy to give.
    #[inline]
    pub fn draw(&mut self) -> Result<Key, getrandom::Error> {
        if self.next == BLOCK {
            getrandom::fill(self.block.as_flattened_mut())?;
            self.next = 0;
        }
        let key = self.block[self.next];
        self.next += 1;
        Ok(key)
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_do_not_repeat() -> Result<(), getrandom::Error> {
        let mut keys = Keys::new();
        let mut seen = HashSet::new();
        for _ in 0..4 * BLOCK {
            seen.insert(keys.draw()?);
        }
        // 1,024 draws from 2^32: two equal ones are likely once in 8,000 runs, three pairs never.
        assert!(seen.len() > 4 * BLOCK - 3);
        Ok(())
    }

    #[test]
    fn discarded_keys_are_not_used() -> Result<(), getrandom::Error> {
        let mut keys = Keys::new();
        keys.draw()?;
        let stock = keys.block;
        keys.discard();
        keys.draw()?;
        assert_ne!(stock, keys.block);
        Ok(())
    }
}
