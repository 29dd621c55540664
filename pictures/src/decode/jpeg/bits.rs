//! Reads the Huffman coded data of a scan bit by bit.

use super::scan::Coded;

/// Bits of coded data, up to the next marker. Past it there are zeros without end, so that nothing has to
/// be checked per bit; [`Coded::overran`] tells whether any of them was used.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
    /// The next bits, from the highest down. Below the `ready` ones may be more of the same data.
    window: u64,
    /// How many bits of the window count, zeros past the data included.
    ready: u32,
    /// How many zeros have been put in past the data.
    padding: u32,
    invalid: bool,
}

impl<'a> Coded<'a> for Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0, window: 0, ready: 0, padding: 0, invalid: false }
    }

    fn overran(&self) -> bool {
        self.invalid || self.padding > self.ready
    }

    fn restart(&mut self) -> bool {
        // Bytes that are left belong to this interval's padding.
        let next = after_restart(self.data, self.position);
        next.map(|position| *self = Self { position, ..Self::new(self.data) }).is_some()
    }

    fn position(&self) -> usize {
        self.position
    }
}

/// Where the data goes on behind the next marker, if that is one of a restart; fill bytes may precede it.
pub(super) fn after_restart(data: &[u8], position: usize) -> Option<usize> {
    let rest = data.get(position..).unwrap_or_default();
    let marker = rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF))?;
    matches!(rest[marker + 1], 0xD0..=0xD7).then_some(position + marker + 2)
}

impl Bits<'_> {
    /// Makes at least 56 bits ready.
    #[inline]
    pub(super) fn refill(&mut self) {
        if let Some(bytes) = self.data.get(self.position..).and_then(<[u8]>::first_chunk::<8>) {
            let next = u64::from_be_bytes(*bytes);
            if !has_ff(next) {
                self.window |= next >> self.ready;
                self.position += ((63 - self.ready) >> 3) as usize;
                self.ready |= 0b11_1000;
                return;
            }
        }
        self.refill_bytes();
    }

    /// The same, with at least `bits` (56 at most) ready already in most cases.
    #[inline]
    pub(super) fn ensure(&mut self, bits: u32) {
        if self.ready < bits {
            self.refill();
        }
    }

    #[cold]
    fn refill_bytes(&mut self) {
        while self.ready <= 55 {
            let byte = match self.data.get(self.position..) {
                Some([0xFF, 0, ..]) => {
                    self.position += 2;
                    0xFF
                }
                Some([byte, ..]) if *byte != 0xFF => {
                    self.position += 1;
                    *byte
                }
                _ => {
                    self.padding += 8;
                    0
                }
            };
            self.window |= u64::from(byte) << (56 - self.ready);
            self.ready += 8;
        }
    }

    /// The next bits without using them up; `count` is 1 to 56 and ready.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> usize {
        (self.window >> (64 - count)) as usize
    }

    /// Uses up bits that are ready.
    #[inline]
    pub(super) fn consume(&mut self, count: u32) {
        self.window <<= count;
        self.ready = self.ready.wrapping_sub(count);
    }

    /// Uses up any number of bits.
    #[inline]
    pub(super) fn skip(&mut self, mut count: u32) {
        while count > 0 {
            self.ensure(32);
            let some = count.min(32);
            self.consume(some);
            count -= some;
        }
    }

    /// The next `count` bits, 0 to 16, as a number.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> i32 {
        self.ensure(16);
        // Twice, because a shift by 64 is none.
        let value = (self.window >> 1 >> (63 - count)) as i32;
        self.consume(count);
        value
    }

    /// A number of `size` bits, 0 to 15, whose negative half is coded below the positive one (T.81, F.2.2.1).
    #[inline]
    pub(super) fn take_signed(&mut self, size: u32) -> i32 {
        let value = self.take(size);
        extend(value, size)
    }

    /// Notes that a code has no meaning.
    #[cold]
    pub(super) fn invalidate(&mut self) {
        self.invalid = true;
    }
}

/// See [`Bits::take_signed`].
#[inline]
pub(super) fn extend(value: i32, size: u32) -> i32 {
    if size != 0 && value >> (size - 1) == 0 { value - (1 << size) + 1 } else { value }
}

/// Whether a byte is 0xFF (a byte of the complement is zero).
#[inline]
fn has_ff(bytes: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let complement = !bytes;
    complement.wrapping_sub(ONES) & bytes & (ONES << 7) != 0
}
