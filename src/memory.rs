//! Memory that may not be there.

use std::collections::TryReserveError;

/// What most never need: it takes memory when it is first wanted.
#[derive(Debug)]
pub struct Rare<T>(Option<Box<[T; 1]>>);

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Default> Rare<T> {
    /// It, if it was ever wanted.
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|one| &one[0])
    }

    /// The same, to be changed.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut().map(|one| &mut one[0])
    }

    /// It, from now on.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn wanted(&mut self) -> Result<&mut T, TryReserveError> {
        if self.0.is_none() {
            // `Box::new` would abort. A vector can fail, but only an array comes out of one as a thin box.
            let mut one = Vec::new();
            one.try_reserve_exact(1)?;
            one.push(T::default());
            self.0 = one.into_boxed_slice().try_into().ok();
        }
        Ok(&mut self.0.get_or_insert_with(Default::default)[0])
    }
}

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
