//! What a check computes, counted where this crate's tests run and nowhere else: so a test can say that two checks take
//! the same time without a clock.

#[cfg(not(test))]
pub(crate) use off::{blocks, call};
#[cfg(test)]
pub(crate) use on::{Work, blocks, call, of};

#[cfg(not(test))]
mod off {
    use crate::digest::Digest;

    #[inline]
    pub(crate) const fn blocks(_: Digest, _: usize) {}

    #[inline]
    pub(crate) const fn call(_: &'static str, _: &[usize]) {}
}

#[cfg(test)]
mod on {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use crate::digest::Digest;

    /// Blocks that a digest compressed, and calls of other primitives with the numbers that their time depends on.
    pub(crate) type Work = BTreeMap<(&'static str, Vec<usize>), usize>;

    thread_local! {
        static DONE: RefCell<Work> = RefCell::default();
    }

    /// A digest of so many bytes: as many blocks as they and the padding fill.
    pub(crate) fn blocks(digest: Digest, bytes: usize) {
        let padding = digest.block_len() / 8 + 1;
        add(digest.name(), &[], (bytes + padding).div_ceil(digest.block_len()));
    }

    /// A call of a primitive that another crate computes.
    pub(crate) fn call(name: &'static str, numbers: &[usize]) {
        add(name, numbers, 1);
    }

    fn add(name: &'static str, numbers: &[usize], count: usize) {
        DONE.with_borrow_mut(|done| *done.entry((name, numbers.to_vec())).or_default() += count);
    }

    /// What `check` computes on this thread.
    pub(crate) fn of<T>(check: impl FnOnce() -> T) -> Work {
        DONE.take();
        check();
        DONE.take()
    }
}
