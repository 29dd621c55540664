//! Passwords that are rejected because attackers try them first (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5, 6.2.4 and 6.2.12):
//! 475,794 of at least eight characters, the most common of ten million from public breaches.
//!
//! `shared/breached/build` builds the file from packages pinned by checksum, and documents its format. It is read in place in
//! the binary, so it costs a cold start nothing. The false positive rate is 1 in 9,027.

use aws_lc_rs::digest;

static FILTER: &[u8] = include_bytes!("../../breached/breached.bin");

const OFFSETS: usize = 65_537;

/// Whether a password, in NFKC and lower case, is in the list.
#[must_use]
pub fn contains(folded: &str) -> bool {
    let hash = digest::digest(&digest::SHA256, folded.as_bytes());
    let &[a, b, c, d, ..] = hash.as_ref() else { return false };
    let (bucket, wanted) = (usize::from(u16::from_be_bytes([a, b])), u16::from_be_bytes([c, d]));
    let (offsets, entries) = (FILTER.as_chunks::<4>().0, FILTER[OFFSETS * 4..].as_chunks::<2>().0);
    let offset = |bucket: usize| u32::from_le_bytes(offsets[bucket]) as usize;
    entries[offset(bucket)..offset(bucket + 1)]
        .binary_search_by_key(&wanted, |entry| u16::from_le_bytes(*entry))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_in_order() {
        let offsets: Vec<u32> =
            FILTER[..OFFSETS * 4].as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        assert!(offsets.is_sorted());
        assert_eq!(FILTER.len(), OFFSETS * 4 + offsets[OFFSETS - 1] as usize * 2);
        assert!(FILTER.len() <= 2_000_000, "a function carries at most two megabytes of it");
    }

    #[test]
    fn common_passwords_are_in_it_and_others_hardly_ever() {
        for password in ["password", "12345678", "qwertyuiop", "trustno1", "iloveyou1", "wykliuk123"] {
            assert!(contains(password), "{password}");
        }
        for password in ["correct horse battery", "quiet-lantern-harbour", ""] {
            assert!(!contains(password), "{password}");
        }
        let wrongly = (0..100_000).filter(|n| contains(&format!("a good password, number {n}"))).count();
        assert!(wrongly < 30, "{wrongly} of 100,000 where 11 are expected");
    }
}
