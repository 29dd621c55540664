//! From the lowest frequencies of a block to as many samples: the inverse cosine transform.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

/// The row and column of each place in the order of the file (T.81, figure 5), as `8 * row + column`.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Where frequencies go that are not needed.
pub(super) const NOWHERE: u8 = 127;

/// Turns blocks into `size` by `size` samples.
pub(super) struct Inverse {
    /// 1 to 8.
    pub(super) size: usize,
    /// By place in the file: where a frequency goes, row by row of `size`, or [`NOWHERE`]. The upper half
    /// is for places that no block has, so that a place of 7 bits needs no check.
    pub(super) slots: [u8; 128],
    /// The last place in the file that is needed.
    pub(super) last: u32,
    /// The waves: by frequency, then sample.
    waves: [[f32; 8]; 8],
}

impl Inverse {
    pub(super) fn new(size: usize) -> Self {
        let mut slots = [NOWHERE; 128];
        let mut last = 0;
        for (place, &position) in (0..).zip(&ZIGZAG) {
            let (row, column) = (usize::from(position) / 8, usize::from(position) % 8);
            if row < size && column < size {
                slots[place as usize] = (row * size + column) as u8;
                last = place;
            }
        }
        let mut waves = [[0.0; 8]; 8];
        for (frequency, wave) in waves.iter_mut().enumerate().take(size) {
            // The scale of T.81, A.3.3; it is the same for every size, as a smaller one averages.
            let height = if frequency == 0 { FRAC_1_SQRT_2 / 2.0 } else { 0.5 };
            for (sample, value) in wave.iter_mut().enumerate().take(size) {
                *value = height * (((2 * sample + 1) * frequency) as f32 * PI / (2 * size) as f32).cos();
            }
        }
        Self { size, slots, last, waves }
    }

    /// How many frequencies a block has.
    pub(super) fn area(&self) -> usize {
        self.size * self.size
    }

    /// Writes a block of samples, `stride` apart from row to row. What does not fit is left out.
    #[inline]
    pub(super) fn samples(&self, frequencies: &[f32; 128], samples: &mut [u8], stride: usize) {
        match self.size {
            1 => samples[0] = to_sample(frequencies[0] / 8.0),
            2 => self.transform::<2>(frequencies, samples, stride),
            3 => self.transform::<3>(frequencies, samples, stride),
            4 => self.transform::<4>(frequencies, samples, stride),
            5 => self.transform::<5>(frequencies, samples, stride),
            6 => self.transform::<6>(frequencies, samples, stride),
            7 => self.transform::<7>(frequencies, samples, stride),
            _ => self.transform::<8>(frequencies, samples, stride),
        }
    }

    /// Rows first, then columns; every inner loop runs along a row, for the compiler to do at once.
    fn transform<const SIZE: usize>(&self, frequencies: &[f32; 128], samples: &mut [u8], stride: usize) {
        let mut rows = [[0.0; SIZE]; SIZE];
        for (row, frequencies) in rows.iter_mut().zip(frequencies.as_chunks::<SIZE>().0) {
            for (&frequency, wave) in frequencies.iter().zip(&self.waves) {
                add(row, frequency, wave);
            }
        }
        for (y, samples) in samples.chunks_mut(stride).enumerate().take(SIZE) {
            let mut sums = [0.0; SIZE];
            for (row, wave) in rows.iter().zip(&self.waves) {
                add(&mut sums, wave[y], row);
            }
            if let Some(samples) = samples.first_chunk_mut::<SIZE>() {
                *samples = sums.map(to_sample);
            }
        }
    }
}

#[inline]
fn add<const SIZE: usize>(sums: &mut [f32; SIZE], factor: f32, values: &[f32]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

/// Rounds, and moves the middle of the range from 0 to 128. Adding 2^23 leaves the whole part in the lowest
/// bits, which compiles to far less than a checked conversion.
#[inline]
fn to_sample(value: f32) -> u8 {
    const WHOLE: f32 = 8_388_608.0;
    ((value + 128.0).clamp(0.0, 255.0) + WHOLE).to_bits().to_le_bytes()[0]
}
