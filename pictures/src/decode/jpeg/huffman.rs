//! Huffman codes, as tables that are looked up by the next bits.

use super::bits::{Bits, extend};
use super::segments::HuffmanSpec;
use crate::Rejected;

/// Bits that one lookup sees. Longer codes, which are rare, are searched for.
const LOOKUP: u32 = 10;

/// Bits that a lookup of [`Ac::skip`] sees.
const SKIP_LOOKUP: u32 = 12;

/// Codes and the symbols that they encode.
pub(super) struct Codes {
    /// By the next bits: the length of the code, then its symbol; 0 for a code longer than that.
    lookup: Box<[u16; 1 << LOOKUP]>,
    /// Per length: the first code above those of this length, as if it had 16 bits; and what to add to the
    /// number of a code to get the place of its symbol.
    limits: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Codes {
    pub(super) fn new(spec: &HuffmanSpec) -> Result<Self, Rejected> {
        let mut codes =
            Self { lookup: Box::new([0; 1 << LOOKUP]), limits: [(0, 0); 17], symbols: spec.symbols.clone() };
        let mut code = 0_u32;
        let mut place = 0;
        for (length, &count) in (1_u32..).zip(&spec.counts) {
            codes.limits[length as usize].1 = place as i32 - code as i32;
            for _ in 0..count {
                let symbol = *spec.symbols.get(place).ok_or(Rejected::Damaged)?;
                if code >> length != 0 {
                    return Err(Rejected::Damaged);
                }
                if length <= LOOKUP {
                    let first = (code << (LOOKUP - length)) as usize;
                    let entries = codes.lookup.iter_mut().skip(first).take(1 << (LOOKUP - length));
                    entries.for_each(|entry| *entry = (length as u16) << 8 | u16::from(symbol));
                }
                code += 1;
                place += 1;
            }
            codes.limits[length as usize].0 = code << (16 - length);
            code <<= 1;
        }
        Ok(codes)
    }

    /// The next symbol. Needs 16 bits to be ready.
    #[inline]
    pub(super) fn symbol(&self, bits: &mut Bits) -> u8 {
        let entry = self.lookup[bits.peek(LOOKUP) & ((1 << LOOKUP) - 1)];
        if entry == 0 {
            return self.long_symbol(bits);
        }
        bits.consume(u32::from(entry >> 8));
        entry.to_le_bytes()[0]
    }

    #[cold]
    fn long_symbol(&self, bits: &mut Bits) -> u8 {
        let (length, symbol) = self.find(bits.peek(16) as u32);
        if length == 0 {
            bits.invalidate();
            // Some bits must be consumed, so that the caller reaches the end.
            bits.consume(16);
            return 0;
        }
        bits.consume(length);
        symbol
    }

    /// Length and symbol of the code that these 16 bits start with; length 0 for none.
    fn find(&self, next: u32) -> (u32, u8) {
        for (length, &(limit, offset)) in (1_u32..).zip(&self.limits[1..]) {
            if next < limit {
                let place = (next >> (16 - length)) as i32 + offset;
                let symbol = usize::try_from(place).ok().and_then(|place| self.symbols.get(place));
                return symbol.map_or((0, 0), |&symbol| (length, symbol));
            }
        }
        (0, 0)
    }
}

/// Codes of the differences of the lowest frequency: the symbol is the size of the difference in bits.
pub(super) struct Dc(Codes);

impl Dc {
    pub(super) fn new(spec: &HuffmanSpec) -> Result<Self, Rejected> {
        if spec.symbols.iter().any(|&size| size > 15) {
            return Err(Rejected::Damaged);
        }
        Codes::new(spec).map(Self)
    }

    /// The next difference.
    #[inline]
    pub(super) fn difference(&self, bits: &mut Bits) -> i32 {
        bits.ensure(32);
        let size = u32::from(self.0.symbol(bits)) & 15;
        bits.take_signed(size)
    }
}

/// Codes of the other frequencies: the symbol is a run of zeros before a value, and the value's size in bits.
pub(super) struct Ac {
    pub(super) codes: Codes,
    /// By the next bits, a code and its value together: the value, then the step to the next place, then
    /// the bits of both; 0 when they do not fit.
    values: Box<[u32; 1 << LOOKUP]>,
    /// By the next bits, as many codes and values as they hold: whether the block ends with them, the step
    /// over all, the bits of all; 0 when not even one code fits.
    skips: Box<[u16; 1 << SKIP_LOOKUP]>,
}

/// The step that leads out of every block.
const END: u32 = 64;

/// Set in an entry of `Ac::skips` that ends with the end of the block.
const ENDS: u16 = 1 << 15;

impl Ac {
    pub(super) fn new(spec: &HuffmanSpec) -> Result<Self, Rejected> {
        let codes = Codes::new(spec)?;
        let mut values = Box::new([0; 1 << LOOKUP]);
        for (next, entry) in (0_u32..).zip(values.iter_mut()) {
            *entry = Self::value_entry(&codes, next);
        }
        let mut skips = Box::new([0; 1 << SKIP_LOOKUP]);
        for (next, entry) in (0_u32..).zip(skips.iter_mut()) {
            *entry = Self::skip_entry(&codes, next);
        }
        Ok(Self { codes, values, skips })
    }

    fn value_entry(codes: &Codes, next: u32) -> u32 {
        let (length, symbol) = codes.find(next << (16 - LOOKUP));
        let (step, size) = step_and_size(symbol);
        if length == 0 || length + size > LOOKUP {
            return 0;
        }
        let bits = next >> (LOOKUP - length - size) & ((1 << size) - 1);
        let value = extend(bits as i32, size) as u32;
        value << 16 | step << 8 | (length + size)
    }

    fn skip_entry(codes: &Codes, next: u32) -> u16 {
        let (mut used, mut steps) = (0, 0);
        let mut ends = 0;
        loop {
            let left = SKIP_LOOKUP - used;
            let (length, symbol) = codes.find((next << (16 - left)) & 0xFFFF);
            let (step, size) = step_and_size(symbol);
            // The first value may be longer than what is seen: how long it is does not depend on it.
            if length == 0 || length > left || (used != 0 && length + size > left) || steps + step > 2 * END {
                break;
            }
            used += length + size;
            if step == END {
                ends = ENDS;
                break;
            }
            steps += step;
            if used >= SKIP_LOOKUP {
                break;
            }
        }
        ends | (steps << 5 | used) as u16
    }

    /// Reads the values of a block up to place `last`: each is given with its place, the end of the block
    /// and what is beyond it with a place above 63. Returns the place to go on from.
    #[inline]
    pub(super) fn values(&self, bits: &mut Bits, last: u32, mut put: impl FnMut(u32, i32)) -> u32 {
        let mut place = 1;
        while place <= last {
            bits.ensure(32);
            let entry = self.values[bits.peek(LOOKUP) & ((1 << LOOKUP) - 1)];
            if entry != 0 {
                bits.consume(entry & 0xFF);
                place += entry >> 8 & 0xFF;
                put(place - 1, entry.cast_signed() >> 16);
            } else {
                let (step, size) = step_and_size(self.codes.symbol(bits));
                let value = bits.take_signed(size);
                place += step;
                put(place - 1, value);
            }
        }
        place
    }

    /// Steps over what is left of a block, from `place` on.
    #[inline]
    pub(super) fn skip(&self, bits: &mut Bits, mut place: u32) {
        while place < END {
            bits.ensure(32);
            let entry = self.skips[bits.peek(SKIP_LOOKUP) & ((1 << SKIP_LOOKUP) - 1)];
            let beyond = place + u32::from(entry >> 5 & 0x3FF);
            // Codes that together reach the end of the block may belong to the next one.
            if entry == 0 || beyond >= END {
                let (step, size) = step_and_size(self.codes.symbol(bits));
                bits.consume(size);
                place += step;
                continue;
            }
            bits.consume(u32::from(entry & 31));
            place = beyond;
            if entry & ENDS != 0 {
                return;
            }
        }
    }
}

/// How many places a symbol goes on, and how many bits its value has (T.81, F.1.2.2.1).
#[inline]
fn step_and_size(symbol: u8) -> (u32, u32) {
    let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
    if size == 0 && run != 15 { (END, 0) } else { (run + 1, size) }
}
