//! The visible part of typed text.

use icu_properties::CodePointSetData;
use icu_properties::props::{DefaultIgnorableCodePoint, Ideographic};
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// The text without invisible characters at its ends: spaces, and default-ignorable code points such as zero-width spaces,
/// direction marks and Hangul fillers. Those that belong to the last character stay, because they change how it looks: see
/// `belongs`.
#[must_use]
pub fn trim(text: &str) -> &str {
    let mut text = text.trim_start_matches(is_blank);
    while let Some(last) = text.chars().next_back().filter(|last| is_blank(*last)) {
        let rest = &text[..text.len() - last.len_utf8()];
        if belongs(last, rest) {
            break;
        }
        text = rest;
    }
    text
}

/// Whether any character is visible: a combining mark alone has nothing to combine with.
#[must_use]
pub fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !is_blank(c) && !c.is_control() && !is_combining_mark(c))
}

/// A blank character: spaces, default-ignorable code points (UAX 44), and the few symbols, letters or format characters with an
/// empty glyph. Control characters are not included: they are rejected.
#[must_use]
pub fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || matches!(
            c,
            // Braille pattern blank, interlinear annotations, Khitan filler, Egyptian blanks, musical null notehead.
            '\u{2800}' | '\u{fff9}'..='\u{fffb}' | '\u{16fe4}' | '\u{13441}' | '\u{13442}' | '\u{1d159}'
        )
}

/// Whether an invisible character at the end is part of the preceding one: a joiner after a virama, as in Malayalam names; a
/// variation selector on an ideograph, an emoji or a Mongolian letter; the tags of a flag.
fn belongs(last: char, rest: &str) -> bool {
    let Some(before) = rest.chars().next_back() else {
        return false;
    };
    match last {
        '\u{200c}' | '\u{200d}' => canonical_combining_class(before) == VIRAMA,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            CodePointSetData::new::<Ideographic>().contains(before)
                || (!before.is_alphabetic() && is_visible(rest) && !is_blank(before))
        }
        '\u{180b}'..='\u{180d}' | '\u{180f}' => matches!(before, '\u{1820}'..='\u{18aa}'),
        CANCEL_TAG => rest.trim_end_matches(|tag| ('\u{e0020}'..CANCEL_TAG).contains(&tag)).ends_with(BLACK_FLAG),
        _ => false,
    }
}

/// The canonical combining class of a virama, which removes the vowel of a consonant.
const VIRAMA: u8 = 9;
/// Flags of subdivisions are a black flag followed by tags, up to this one (UTS 51, annex C).
const CANCEL_TAG: char = '\u{e007f}';
const BLACK_FLAG: char = '\u{1f3f4}';

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reported by users of codebattle (issue 1316): names of nothing but a Hangul filler.
    const NOTHING: [char; 30] = [
        ' ',
        '\t',
        '\u{a0}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{1160}',
        '\u{17b4}',
        '\u{180b}',
        '\u{180e}',
        '\u{2000}',
        '\u{200b}',
        '\u{200d}',
        '\u{200f}',
        '\u{202e}',
        '\u{2060}',
        '\u{2064}',
        '\u{2066}',
        '\u{2800}',
        '\u{3000}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fffa}',
        '\u{13441}',
        '\u{1d159}',
        '\u{e0041}',
        '\u{e0100}',
    ];

    #[test]
    fn nothing_is_seen_of_blank_characters_alone_or_at_the_ends() {
        for blank in NOTHING {
            for text in [format!("{blank}"), format!("{blank}{blank}"), format!("{blank} \u{301}")] {
                assert!(!is_visible(&text), "{blank:?}");
            }
            assert_eq!(trim(&format!("{blank}{blank}")), "", "{blank:?}");
            assert_eq!(trim(&format!("{blank}Ada {blank}Lovelace{blank}{blank}")), format!("Ada {blank}Lovelace"));
        }
        assert!(!is_visible("\u{301}"), "a mark with nothing to combine with");
    }

    #[test]
    fn what_belongs_to_the_last_character_stays() {
        for text in [
            "അനില്\u{200d}",
            "辻\u{e0100}",
            "Ada ❤\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "ᠮᠣᠩᠭᠣᠯ\u{180b}",
            "👩\u{200d}💻",
            "می\u{200c}خواهم",
            "Ada!",
            "1",
        ] {
            assert_eq!(trim(&format!(" {text}\u{200b}")), text);
            assert!(is_visible(text), "{text}");
        }
        for (text, seen) in
            [("Ada\u{fe0f}", "Ada"), ("Ada\u{200d}", "Ada"), ("🏴\u{e0067}", "🏴"), ("a\u{e0067}\u{e007f}", "a")]
        {
            assert_eq!(trim(text), seen, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn trimming_is_idempotent_and_does_not_change_visibility(text in "\\PC{0,12}[\u{200b}\u{fe0f}\u{e007f} ]{0,3}") {
            let trimmed = trim(&text);
            prop_assert_eq!(trim(trimmed), trimmed);
            prop_assert_eq!(is_visible(trimmed), is_visible(&text));
        }
    }
}
