//! Whether a name reads as nothing but a name, so that an email may greet with it.

use unicode_normalization::char::is_combining_mark;

/// A greeting with a longer name is likelier to be a message than a name.
pub(super) const LONGEST_GREETED_NAME: usize = 50;
const MOST_WORDS: usize = 5;
const MOST_UNSPACED: usize = 5;
/// What may follow a name and a comma.
const SUFFIXES: &[&str] = &["Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV"];
/// Parts of names that begin with a small letter.
const PARTICLES: &[&str] = &[
    "af", "al", "av", "bin", "bint", "d", "da", "dal", "das", "de", "del", "della", "den", "der", "di", "do", "dos",
    "du", "e", "el", "ibn", "la", "le", "ten", "ter", "van", "von", "y", "zu",
];
/// Words that are common in messages in the language of the emails, but rare in names.
const OF_MESSAGES: &[&str] = &[
    "account",
    "action",
    "alert",
    "and",
    "answer",
    "are",
    "attention",
    "bank",
    "blocked",
    "call",
    "card",
    "claim",
    "click",
    "code",
    "confirm",
    "congratulations",
    "contact",
    "email",
    "expired",
    "failed",
    "for",
    "free",
    "from",
    "has",
    "have",
    "here",
    "invoice",
    "is",
    "it",
    "locked",
    "log",
    "login",
    "mail",
    "message",
    "money",
    "not",
    "now",
    "open",
    "password",
    "pay",
    "payment",
    "phone",
    "please",
    "prize",
    "refund",
    "reply",
    "security",
    "send",
    "support",
    "suspended",
    "team",
    "the",
    "this",
    "to",
    "transfer",
    "urgent",
    "verify",
    "visit",
    "warning",
    "was",
    "with",
    "won",
    "you",
    "your",
];

/// Whether a greeting may show this name. Anyone can register someone else's address under a name of their choice and have us
/// deliver it, so anything that could be an address, a number or a message is left out: "Hello," costs nothing. Breaking it up
/// with invisible characters would be weaker: its words would still be read, and email clients differ in what they turn into a
/// link.
///
/// A name is a few words of letters. In scripts with capitals each word except particles begins with one, and none is a word
/// that is common in messages.
pub(super) fn reads_as_a_name(name: &str) -> bool {
    // The one comma in a name is before what follows it, as in "John Smith, Jr."
    let name = match name.split_once(", ") {
        Some((name, suffix)) if SUFFIXES.contains(&suffix) => name,
        _ => name,
    };
    let words: Vec<&str> = name.split(' ').filter(|word| !word.is_empty()).collect();
    (1..=MOST_WORDS).contains(&words.len())
        && name.chars().count() <= LONGEST_GREETED_NAME
        && words.iter().all(|word| reads_as_part_of_a_name(word))
}

fn reads_as_part_of_a_name(word: &str) -> bool {
    // As in "Dr. No", but not as in "evil.example".
    let word = word.strip_suffix('.').unwrap_or(word);
    // "Jean-Luc", "O'Brien", "d'Arc", "al-Rashid".
    let parts: Vec<&str> = word.split(['-', '\'', '\u{2019}']).collect();
    let small_ones_are_particles =
        parts.iter().all(|part| !part.starts_with(char::is_lowercase) || PARTICLES.contains(part));
    let of_letters = parts.iter().all(|part| !part.is_empty() && part.chars().all(is_letter_of_a_name));
    let of_messages = parts.iter().any(|part| OF_MESSAGES.contains(&part.to_lowercase().as_str()));
    let unspaced = word.chars().filter(|letter| is_written_without_spaces(*letter)).count();
    of_letters && small_ones_are_particles && !of_messages && unspaced <= MOST_UNSPACED
}

fn is_letter_of_a_name(character: char) -> bool {
    match character {
        // Fullwidth letters, which browsers read as the ASCII ones.
        '\u{ff00}'..='\u{ff65}' => false,
        // Joiners that some scripts need, and the Japanese mark that repeats a letter.
        '\u{200c}' | '\u{200d}' | '\u{3005}' => true,
        _ => (character.is_alphabetic() || is_combining_mark(character)) && !character.is_numeric(),
    }
}

/// Chinese, Japanese and Korean, where a sentence has no spaces.
fn is_written_without_spaces(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_many_scripts_are_greeted() {
        let names = [
            "Ada",
            "Ada Lovelace",
            "Ada  Lovelace",
            "Seán O'Brien",
            "Seán O’Brien",
            "Anne-Marie St. John, Jr.",
            "प्रिया शर्मा",
            "佐々木 希",
            "محمد علی",
            "Nguyễn Thị Minh Khai",
            "Zoe\u{308}",
            "ZOË KÖRNER",
            "Jeanne d'Arc",
            "Ludwig van Beethoven",
            "Maria da Conceição dos Santos",
            "Haroun al-Rashid",
            "J. R. R. Tolkien",
            "Đỗ Nhật Nam",
            "אברהם כהן",
            "김민준",
            "Ελένη Παπαδοπούλου",
        ];
        for name in names {
            assert!(reads_as_a_name(name), "{name}");
        }
    }
}
