//! What sign-ins cost in time, over all accounts: how many passwords are of which kind. Without it, the time of a sign-in would
//! tell which addresses have an account that came from another system: an address that no account has therefore takes the time of
//! one of these kinds, each as often as accounts have it, and the same address always the same.

use std::collections::BTreeMap;

use super::imported::PasswordKind;

/// Maximum number of kinds. Files have few; beyond this, costs that differ from row to row are not kinds of their own.
pub const KINDS: usize = 64;

/// The number of accounts per kind of password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Population(BTreeMap<PasswordKind, u64>);

impl Population {
    /// Keeps only positive counts.
    #[must_use]
    pub fn new(counts: impl IntoIterator<Item = (PasswordKind, i64)>) -> Self {
        let counts = counts.into_iter().filter_map(|(kind, count)| Some((kind, u64::try_from(count).ok()?)));
        Self(counts.filter(|(_, count)| *count > 0).collect())
    }

    /// Whether some passwords are not of this service's own kind.
    #[must_use]
    pub fn has_imported(&self) -> bool {
        self.0.keys().any(|kind| *kind != PasswordKind::Own)
    }

    #[must_use]
    pub fn counts(&self) -> &BTreeMap<PasswordKind, u64> {
        &self.0
    }

    /// The kind that an address without an account passes for. `drawn` is a MAC of the address: without its key it cannot be
    /// foretold.
    #[must_use]
    pub fn kind_for(&self, drawn: [u8; 8]) -> PasswordKind {
        let total: u64 = self.0.values().sum();
        // The draw as a share of the total, so that the kind of an address changes little when counts change.
        let share = (u128::from(u64::from_be_bytes(drawn)) * u128::from(total)) >> 64;
        let mut below = 0;
        for (kind, count) in &self.0 {
            below += u128::from(*count);
            if share < below {
                return kind.clone();
            }
        }
        PasswordKind::Own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> PasswordKind {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_pass_for_kinds_as_often_as_accounts_have_them() {
        let kinds = ["own", "foreign:bcrypt:12", "endpoint"].map(kind);
        let counts = [600, 300, 100];
        let population = Population::new(kinds.clone().into_iter().zip(counts));
        let mut drawn = BTreeMap::new();
        // All draws, evenly.
        for number in 0..10_000_u64 {
            let draw = number * (u64::MAX / 10_000);
            *drawn.entry(population.kind_for(draw.to_be_bytes())).or_insert(0_i64) += 1;
        }
        for (kind, count) in kinds.iter().zip(counts) {
            assert!((drawn[kind] - count * 10).abs() <= 1, "{kind}: {drawn:?}");
        }
        assert_eq!(population.kind_for([0xff; 8]), *population.counts().keys().next_back().unwrap());
    }

    #[test]
    fn without_imported_passwords_every_address_passes_for_our_own() {
        for population in [Population::default(), Population::new([(kind("own"), 5), (kind("endpoint"), -1)])] {
            assert!(!population.has_imported());
            assert_eq!(population.kind_for([0x80; 8]), PasswordKind::Own);
        }
    }
}
