//! Search for accounts by prefixes of the email address and of each word of the name. Case, accents and Unicode form are ignored.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Invalid;
use super::email::EmailAddress;
use super::name::UserName;
use crate::clock::Timestamp;

/// Maximum number of indexed words of a name: each is an item of the table, and a rename writes the old and the new ones in one
/// transaction.
pub const MAX_WORDS: usize = 16;
/// Maximum length of a search text in characters.
pub const MAX_QUERY: usize = 254;
/// Indexed bytes of a word; the rest is not searchable.
const MAX_WORD: usize = 96;

/// The index entries of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexed {
    /// Sorted, each once.
    pub words: Vec<String>,
    /// The time of indexing: a paged listing skips accounts that were indexed again since it started, so that none appears twice.
    pub at: Timestamp,
}

impl Indexed {
    #[must_use]
    pub fn new(name: &UserName, at: Timestamp) -> Self {
        let mut words: Vec<String> = words(name.as_str()).take(MAX_WORDS).collect();
        words.sort_unstable();
        words.dedup();
        Self { words, at }
    }
}

/// A search text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The longest word first. Empty for a text without a letter or digit.
    words: Vec<String>,
    /// The prefix of an address; none for a text with a space.
    address: Option<String>,
}

impl Query {
    /// # Errors
    /// `required` when there is nothing to search for, `too_long` beyond [`MAX_QUERY`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.chars().count() > MAX_QUERY {
            return Err(Invalid::new("too_long", format!("A search can have at most {MAX_QUERY} characters.")));
        }
        // No name contains an `@`.
        let mut words: Vec<String> = if text.contains('@') { Vec::new() } else { words(text).collect() };
        words.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        words.dedup();
        words.truncate(MAX_WORDS);
        // Normalized like addresses. The domain is converted to A-labels if it is complete.
        let address = EmailAddress::parse(text)
            .map_or_else(|_| text.to_lowercase(), |address| address.normalized().as_str().to_owned());
        let address = Some(address).filter(|text| !text.is_empty() && !text.contains(char::is_whitespace));
        if words.is_empty() && address.is_none() {
            return Err(Invalid::new("required", "A search must contain at least one letter or digit."));
        }
        Ok(Self { words, address })
    }

    /// The word for the look-up among words of names.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }

    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The word of a name by which it is found: each word of the query begins one. Of several that the longest begins it is the
    /// first.
    #[must_use]
    pub fn found_by<'a>(&self, name: &'a [String]) -> Option<&'a str> {
        let begun_by = |prefix: &str| name.iter().find(|word| word.starts_with(prefix));
        let found = begun_by(self.word()?)?;
        self.words.iter().all(|word| begun_by(word).is_some()).then_some(found)
    }

    #[must_use]
    pub fn finds_address(&self, address: &str) -> bool {
        self.address().is_some_and(|prefix| address.starts_with(prefix))
    }
}

/// The words of a text, normalized so that accents, case and Unicode form make no difference.
fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    let words: Vec<String> = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word[..word.floor_char_boundary(MAX_WORD)].to_owned())
        .collect();
    words.into_iter()
}

/// Without marks, in lowercase, without apostrophes: O'Brien is one word.
fn fold(text: &str) -> String {
    let marked = |c: &char| is_combining_mark(*c) || matches!(c, '\'' | '\u{2019}' | '\u{2bc}' | '\u{2018}');
    let lower: String = text.nfkd().filter(|c| !marked(c)).flat_map(char::to_lowercase).collect();
    // Lowercasing may add marks, as for the dotted capital I.
    lower.nfkd().filter(|c| !marked(c)).flat_map(plain).collect()
}

/// ASCII equivalents of letters that Unicode does not decompose.
fn plain(c: char) -> impl Iterator<Item = char> {
    let written = match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ł' => "l",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        'ŋ' => "n",
        'ς' => "σ",
        _ => "",
    };
    let same = written.is_empty().then_some(c);
    written.chars().chain(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Vec<String> {
        Indexed::new(&UserName::parse(text).unwrap(), Timestamp::from_seconds(0)).words
    }

    #[test]
    fn a_name_is_found_whatever_its_accents_and_case() {
        for (text, query, found) in [
            ("Ångström", "angs", true),
            ("A\u{30a}ngstro\u{308}m", "ÅNGS", true),
            ("Łukasz Żółć", "lukasz zolc", true),
            ("Łukasz Żółć", "zo", true),
            ("Straße", "STRASSE", true),
            ("Søren Kierkegaard", "soren", true),
            ("İpek", "ipek", true),
            ("Σίσυφος", "σισυφοσ", true),
            ("O'Brien-Smith", "o'br", true),
            ("O\u{2019}Brien-Smith", "OBRIEN", true),
            ("O'Brien-Smith", "smi", true),
            ("O'Brien-Smith", "rien", false),
            ("王小明", "王小", true),
            ("ﬁona", "fio", true),
            ("Ada Lovelace", "love ad", true),
            ("Ada Lovelace", "ada byron", false),
            ("Ada Lovelace", "lovelacex", false),
        ] {
            let query = Query::parse(query).unwrap();
            assert_eq!(query.found_by(&name(text)).is_some(), found, "{text} by {query:?}");
        }
    }

    #[test]
    fn an_account_is_found_by_one_of_its_words_alone() {
        let words = name("Anna Andersson Berg Anna");
        assert_eq!(words, ["andersson", "anna", "berg"]);
        assert_eq!(Query::parse("an").unwrap().found_by(&words), Some("andersson"));
        assert_eq!(Query::parse("ber an").unwrap().found_by(&words), Some("berg"));
    }

    #[test]
    fn an_address_is_found_by_its_beginning() {
        let query = |text| Query::parse(text).unwrap();
        assert!(query("Ada.K").finds_address("ada.king@example.com"));
        assert!(query("ada.king@example.com").finds_address("ada.king@example.com"));
        assert!(query("Ada@Bücher.example").finds_address("ada@xn--bcher-kva.example"));
        assert_eq!(query("ada@").found_by(&name("Ada Lovelace")), None, "no name");
        assert!(!query("king").finds_address("ada.king@example.com"));
        assert!(!query("ada king").finds_address("ada king"));
        assert_eq!(query("+").word(), None);
    }

    #[test]
    fn there_is_something_to_search_for_and_not_too_much() {
        for (text, code) in [("", "required"), (" \t", "required"), ("! ?", "required"), (&"a".repeat(255), "too_long")]
        {
            assert_eq!(Query::parse(text).unwrap_err().code, code, "{text}");
        }
        assert_eq!(name(&"a b c d e f g h i j k l m n o p q r s t".to_uppercase()).len(), MAX_WORDS);
        assert_eq!(name(&"ä".repeat(100)), ["a".repeat(96)]);
    }
}
