//! The arithmetic coder: decisions that are coded in fractions of a bit, by how likely they were so far (T.81, annex D), and
//! what scans make of them (T.81, F.1.4 and G.1.3).

use super::scan::Coded;
use super::segments::Conditioning;

/// An estimate of probability: the size of the interval of the less probable decision, the estimates that follow when the
/// less and the more probable one came, and whether the former also makes the two change places.
struct Estimate(u16, u8, u8, bool);

/// T.81, table D.3, and an estimate of one half that never changes.
#[rustfmt::skip]
const ESTIMATES: [Estimate; 114] = [
    Estimate(0x5A1D, 1, 1, true), Estimate(0x2586, 14, 2, false), Estimate(0x1114, 16, 3, false),
    Estimate(0x080B, 18, 4, false), Estimate(0x03D8, 20, 5, false), Estimate(0x01DA, 23, 6, false),
    Estimate(0x00E5, 25, 7, false), Estimate(0x006F, 28, 8, false), Estimate(0x0036, 30, 9, false),
    Estimate(0x001A, 33, 10, false), Estimate(0x000D, 35, 11, false), Estimate(0x0006, 9, 12, false),
    Estimate(0x0003, 10, 13, false), Estimate(0x0001, 12, 13, false), Estimate(0x5A7F, 15, 15, true),
    Estimate(0x3F25, 36, 16, false), Estimate(0x2CF2, 38, 17, false), Estimate(0x207C, 39, 18, false),
    Estimate(0x17B9, 40, 19, false), Estimate(0x1182, 42, 20, false), Estimate(0x0CEF, 43, 21, false),
    Estimate(0x09A1, 45, 22, false), Estimate(0x072F, 46, 23, false), Estimate(0x055C, 48, 24, false),
    Estimate(0x0406, 49, 25, false), Estimate(0x0303, 51, 26, false), Estimate(0x0240, 52, 27, false),
    Estimate(0x01B1, 54, 28, false), Estimate(0x0144, 56, 29, false), Estimate(0x00F5, 57, 30, false),
    Estimate(0x00B7, 59, 31, false), Estimate(0x008A, 60, 32, false), Estimate(0x0068, 62, 33, false),
    Estimate(0x004E, 63, 34, false), Estimate(0x003B, 32, 35, false), Estimate(0x002C, 33, 9, false),
    Estimate(0x5AE1, 37, 37, true), Estimate(0x484C, 64, 38, false), Estimate(0x3A0D, 65, 39, false),
    Estimate(0x2EF1, 67, 40, false), Estimate(0x261F, 68, 41, false), Estimate(0x1F33, 69, 42, false),
    Estimate(0x19A8, 70, 43, false), Estimate(0x1518, 72, 44, false), Estimate(0x1177, 73, 45, false),
    Estimate(0x0E74, 74, 46, false), Estimate(0x0BFB, 75, 47, false), Estimate(0x09F8, 77, 48, false),
    Estimate(0x0861, 78, 49, false), Estimate(0x0706, 79, 50, false), Estimate(0x05CD, 48, 51, false),
    Estimate(0x04DE, 50, 52, false), Estimate(0x040F, 50, 53, false), Estimate(0x0363, 51, 54, false),
    Estimate(0x02D4, 52, 55, false), Estimate(0x025C, 53, 56, false), Estimate(0x01F8, 54, 57, false),
    Estimate(0x01A4, 55, 58, false), Estimate(0x0160, 56, 59, false), Estimate(0x0125, 57, 60, false),
    Estimate(0x00F6, 58, 61, false), Estimate(0x00CB, 59, 62, false), Estimate(0x00AB, 61, 63, false),
    Estimate(0x008F, 61, 32, false), Estimate(0x5B12, 65, 65, true), Estimate(0x4D04, 80, 66, false),
    Estimate(0x412C, 81, 67, false), Estimate(0x37D8, 82, 68, false), Estimate(0x2FE8, 83, 69, false),
    Estimate(0x293C, 84, 70, false), Estimate(0x2379, 86, 71, false), Estimate(0x1EDF, 87, 72, false),
    Estimate(0x1AA9, 87, 73, false), Estimate(0x174E, 72, 74, false), Estimate(0x1424, 72, 75, false),
    Estimate(0x119C, 74, 76, false), Estimate(0x0F6B, 74, 77, false), Estimate(0x0D51, 75, 78, false),
    Estimate(0x0BB6, 77, 79, false), Estimate(0x0A40, 77, 48, false), Estimate(0x5832, 80, 81, true),
    Estimate(0x4D1C, 88, 82, false), Estimate(0x438E, 89, 83, false), Estimate(0x3BDD, 90, 84, false),
    Estimate(0x34EE, 91, 85, false), Estimate(0x2EAE, 92, 86, false), Estimate(0x299A, 93, 87, false),
    Estimate(0x2516, 86, 71, false), Estimate(0x5570, 88, 89, true), Estimate(0x4CA9, 95, 90, false),
    Estimate(0x44D9, 96, 91, false), Estimate(0x3E22, 97, 92, false), Estimate(0x3824, 99, 93, false),
    Estimate(0x32B4, 99, 94, false), Estimate(0x2E17, 93, 86, false), Estimate(0x56A8, 95, 96, true),
    Estimate(0x4F46, 101, 97, false), Estimate(0x47E5, 102, 98, false), Estimate(0x41CF, 103, 99, false),
    Estimate(0x3C3D, 104, 100, false), Estimate(0x375E, 99, 93, false), Estimate(0x5231, 105, 102, false),
    Estimate(0x4C0F, 106, 103, false), Estimate(0x4639, 107, 104, false), Estimate(0x415E, 103, 99, false),
    Estimate(0x5627, 105, 106, true), Estimate(0x50E7, 108, 107, false), Estimate(0x4B85, 109, 103, false),
    Estimate(0x5597, 110, 109, false), Estimate(0x504F, 111, 107, false), Estimate(0x5A10, 110, 111, true),
    Estimate(0x5522, 112, 109, false), Estimate(0x59EB, 112, 111, true), Estimate(0x5A1D, 113, 113, false),
];

/// What is known about a kind of decision: the number of an estimate, and the more probable decision.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Context {
    estimate: u8,
    probable: bool,
}

/// Both decisions are equally probable, for ever.
const EVEN: Context = Context { estimate: 113, probable: false };

/// Reads decisions (T.81, D.2).
pub(super) struct Decisions<'a> {
    data: &'a [u8],
    position: usize,
    /// The position of the code in the interval, in the upper 16 bits; bits to come below.
    code: u32,
    interval: u32,
    /// How many bits of the code are there before the next byte is needed.
    ready: u32,
    invalid: bool,
}

impl<'a> Coded<'a> for Decisions<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self::at(data, 0)
    }

    /// The coder may leave out zeros before a marker, so those are no sign of a fault. The end of the file is.
    fn overran(&self) -> bool {
        self.invalid
    }

    fn restart(&mut self) -> bool {
        let next = super::bits::after_restart(self.data, self.position);
        next.map(|position| *self = Self::at(self.data, position)).is_some()
    }

    fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Decisions<'a> {
    fn at(data: &'a [u8], position: usize) -> Self {
        let mut decisions = Self { data, position, code: 0, interval: 0x1_0000, ready: 0, invalid: false };
        for _ in 0..2 {
            decisions.byte_in();
            decisions.code <<= 8;
        }
        decisions
    }

    fn byte_in(&mut self) {
        let byte = match self.data.get(self.position..) {
            Some([0xFF, 0, ..]) => {
                self.position += 2;
                0xFF
            }
            Some([byte, ..]) if *byte != 0xFF => {
                self.position += 1;
                *byte
            }
            Some([0xFF, _, ..]) => 0,
            _ => {
                self.invalid = true;
                0
            }
        };
        self.code |= u32::from(byte) << 8;
    }

    /// The next decision of this kind.
    #[inline]
    fn next(&mut self, context: &mut Context) -> bool {
        let Estimate(improbable, after_improbable, after_probable, exchange) =
            &ESTIMATES[usize::from(context.estimate)];
        let improbable = u32::from(*improbable);
        self.interval -= improbable;
        // The interval of the less probable decision may be the larger one.
        let below = self.code >> 16 < self.interval;
        let probable = if below {
            if self.interval >= 0x8000 {
                return context.probable;
            }
            self.interval >= improbable
        } else {
            let larger = self.interval < improbable;
            self.code -= self.interval << 16;
            self.interval = improbable;
            larger
        };
        let decision = context.probable == probable;
        if probable {
            context.estimate = *after_probable;
        } else {
            context.probable ^= *exchange;
            context.estimate = *after_improbable;
        }
        self.renormalize();
        decision
    }

    fn renormalize(&mut self) {
        while self.interval < 0x8000 {
            if self.ready == 0 {
                self.byte_in();
                self.ready = 8;
            }
            self.interval <<= 1;
            self.code <<= 1;
            self.ready -= 1;
        }
    }

    /// Notes that a decision has no meaning.
    #[cold]
    pub(super) fn invalidate(&mut self) {
        self.invalid = true;
    }

    /// A decision that is as likely as the other.
    pub(super) fn even(&mut self) -> bool {
        let mut even = EVEN;
        self.next(&mut even)
    }

    /// The rest of a magnitude whose highest bit is known, with the context of that.
    fn lower_bits(&mut self, highest: i32, context: &mut Context) -> i32 {
        let mut value = highest;
        let mut bit = highest >> 1;
        while bit != 0 {
            if self.next(context) {
                value |= bit;
            }
            bit >>= 1;
        }
        value
    }

    /// From the bit `highest` up, doubled with each decision in favour; 0 and the data is invalid when it gets too large.
    /// Gives the context that it ended with as well.
    fn highest_bit(&mut self, mut highest: i32, contexts: &mut [Context], mut at: usize) -> (i32, usize) {
        while self.next(&mut contexts[at]) {
            highest <<= 1;
            if highest > 1 << 14 {
                self.invalid = true;
                return (0, at);
            }
            at += 1;
        }
        (highest, at)
    }
}

/// From a context for the highest bit to that for those below it.
const TO_LOWER_BITS: usize = 14;

/// What is known about the lowest frequencies of the components with the same table (T.81, table F.4).
pub(super) struct DcContexts([Context; 49]);

/// What is known about the other frequencies (T.81, table F.5).
pub(super) struct AcContexts([Context; 245]);

/// Where contexts of the highest bit of a difference begin.
const DC_HIGHEST: usize = 20;

impl DcContexts {
    /// The next difference of a component. `class` is how large the one before was, and follows it.
    pub(super) fn difference(
        &mut self,
        decisions: &mut Decisions,
        conditioning: Conditioning,
        class: &mut usize,
    ) -> i32 {
        let contexts = &mut self.0;
        let first = *class;
        if !decisions.next(&mut contexts[first]) {
            *class = 0;
            return 0;
        }
        let negative = decisions.next(&mut contexts[first + 1]);
        let (mut highest, mut at) = (0, first + 2 + usize::from(negative));
        if decisions.next(&mut contexts[at]) {
            (highest, at) = decisions.highest_bit(1, contexts, DC_HIGHEST);
        }
        *class = match highest {
            small if small < (1 << conditioning.lower) >> 1 => 0,
            large if large > (1 << conditioning.upper) >> 1 => 12,
            _ => 4,
        };
        if *class != 0 && negative {
            *class += 4;
        }
        let size = decisions.lower_bits(highest, &mut contexts[(at + TO_LOWER_BITS).min(48)]) + 1;
        if negative { -size } else { size }
    }
}

impl AcContexts {
    fn at(place: u32) -> usize {
        3 * (place as usize - 1)
    }

    /// Whether a block has no value from this place on.
    pub(super) fn ends(&mut self, decisions: &mut Decisions, place: u32) -> bool {
        decisions.next(&mut self.0[Self::at(place)])
    }

    /// Whether the value at a place that was zero before is not zero any more.
    pub(super) fn appears(&mut self, decisions: &mut Decisions, place: u32) -> bool {
        decisions.next(&mut self.0[Self::at(place) + 1])
    }

    /// Whether a value that is not zero gets a bit more.
    pub(super) fn grows(&mut self, decisions: &mut Decisions, place: u32) -> bool {
        decisions.next(&mut self.0[Self::at(place) + 2])
    }

    /// The next values from `first` to `last`, each given with its place.
    pub(super) fn values(
        &mut self,
        decisions: &mut Decisions,
        conditioning: Conditioning,
        (first, last): (u32, u32),
        mut put: impl FnMut(u32, i32),
    ) {
        let mut place = first;
        while place <= last && !self.ends(decisions, place) {
            while !self.appears(decisions, place) {
                place += 1;
                if place > last {
                    decisions.invalidate();
                    return;
                }
            }
            put(place, self.value(decisions, conditioning, place));
            place += 1;
        }
    }

    fn value(&mut self, decisions: &mut Decisions, conditioning: Conditioning, place: u32) -> i32 {
        let contexts = &mut self.0;
        let negative = decisions.even();
        let (mut highest, mut at) = (0, Self::at(place) + 2);
        if decisions.next(&mut contexts[at]) {
            highest = 1;
            if decisions.next(&mut contexts[at]) {
                let start = if place <= conditioning.low_places { 189 } else { 217 };
                (highest, at) = decisions.highest_bit(2, contexts, start);
            }
        }
        let size = if highest > 1 {
            decisions.lower_bits(highest, &mut contexts[(at + TO_LOWER_BITS).min(244)]) + 1
        } else {
            highest + 1
        };
        if negative { -size } else { size }
    }
}

impl Default for DcContexts {
    fn default() -> Self {
        Self([Context::default(); 49])
    }
}

impl Default for AcContexts {
    fn default() -> Self {
        Self([Context::default(); 245])
    }
}

/// The contexts of a scan: components with the same table share them.
#[derive(Default)]
pub(super) struct Contexts {
    pub(super) dc: [DcContexts; 4],
    pub(super) ac: [AcContexts; 4],
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data that T.81 tests a decoder with (K.4.1): 256 decisions of one kind.
    #[test]
    fn the_test_sequence_of_the_standard_is_decoded() {
        const CODED: &[u8] =
            b"\x65\x5B\x51\x44\xF7\x96\x9D\x51\x78\x55\xBF\xFF\x00\xFC\x51\x84\xC7\xCE\xF9\x39\x00\x28\
                               \x7D\x46\x70\x8E\xCB\xC0\xF6\xFF\xD9";
        const DECISIONS: [u8; 32] = [
            0x00, 0x02, 0x00, 0x51, 0x00, 0x00, 0x00, 0xC0, 0x03, 0x52, 0x87, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA, 0x82, 0xC0,
            0x20, 0x00, 0xFC, 0xD7, 0x9E, 0xF6, 0x74, 0xEA, 0xAB, 0xF7, 0x69, 0x7E, 0xE7, 0x4C,
        ];
        let mut decisions = Decisions::new(CODED);
        let mut context = Context::default();
        for (at, expected) in DECISIONS.into_iter().enumerate() {
            let byte = (0..8).fold(0, |byte, _| byte << 1 | u8::from(decisions.next(&mut context)));
            assert_eq!(byte, expected, "byte {at}");
        }
        assert!(!decisions.overran());
    }
}
