//! What slows down guessing and floods: the cost of a hash, rate limits and locks.

use super::reader::Reader;
use crate::domain::limit::{Limit, Rate};

/// Cost of argon2id for new passwords; a stored hash of lower cost is replaced at the next login.
/// The defaults are OWASP's: <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>.
#[derive(Debug, Clone)]
pub struct HashCost {
    /// `PASSWORD_HASH_MEMORY_KIB`
    pub memory_kib: u32,
    /// `PASSWORD_HASH_ITERATIONS`
    pub iterations: u32,
    /// `PASSWORD_HASH_PARALLELISM`
    pub parallelism: u32,
}

impl HashCost {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            memory_kib: reader.number("PASSWORD_HASH_MEMORY_KIB", 8..=u32::MAX).unwrap_or(19 * 1024),
            iterations: reader.number("PASSWORD_HASH_ITERATIONS", 1..=u32::MAX).unwrap_or(2),
            parallelism: reader.number("PASSWORD_HASH_PARALLELISM", 1..=0x00FF_FFFF).unwrap_or(1),
        }
    }
}

/// What slows down those who guess and those who flood.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `LIMITS=off` turns rate limits and locks off. Only the local stack ever sets it.
    pub on: bool,
    /// `LIMIT_LOGIN_PER_IP` and the like, by the table in `domain::limit`: how often one client network may call a route, as
    /// `30/5m`; `off` where something in front of the API hides where requests come from, and limits them itself.
    rates: Vec<(Limit, Rate)>,
}

impl Limits {
    /// How often one client network may do what is limited; `None` without a limit.
    #[must_use]
    pub fn rate(&self, limit: Limit) -> Option<Rate> {
        self.rates.iter().find(|(known, _)| self.on && *known == limit).map(|(_, rate)| *rate)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            on: reader.switch("LIMITS"),
            rates: Limit::ALL.iter().filter_map(|limit| Some((*limit, rate(reader, *limit)?))).collect(),
        }
    }
}

fn rate(reader: &mut Reader<'_>, limit: Limit) -> Option<Rate> {
    let name = limit.variable();
    let text = reader.optional(name).unwrap_or_else(|| limit.default_rate().to_owned());
    if text == "off" {
        return None;
    }
    text.parse().map_err(|problem| reader.problems.push(format!("{name}: {problem}"))).ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{complete, read};
    use super::*;

    #[test]
    fn each_limit_has_a_variable_and_one_variable_disables_them_all() {
        let mut variables = complete();
        variables.insert("LIMIT_LOGIN_PER_IP", "5/1m");
        variables.insert("LIMIT_SEND_PER_IP", "off");
        let limits = read(&variables).unwrap().limits;
        assert_eq!(limits.rate(Limit::Login), "5/1m".parse().ok());
        assert_eq!(limits.rate(Limit::Send), None);
        assert_eq!(limits.rate(Limit::Register), Limit::Register.default_rate().parse().ok());
        variables.insert("LIMITS", "off");
        let limits = read(&variables).unwrap().limits;
        assert!(!limits.on);
        for limit in Limit::ALL {
            assert_eq!(limits.rate(*limit), None, "{limit}");
        }
    }
}
