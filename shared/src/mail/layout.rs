//! The two layouts of an email, text and HTML, and how both keep their lines short.

use minijinja::{AutoEscape, Environment, HtmlEscape, UndefinedBehavior, escape_formatter, syntax::SyntaxConfig};

const HTML: &str = include_str!("templates/layout.html");
const TEXT: &str = include_str!("templates/layout.txt");

/// RFC 5322 asks for lines of at most 78 characters; 72 leaves room to be quoted.
pub(super) const LINE_WIDTH: usize = 72;
/// It allows 998 octets per line; the markup around a paragraph of HTML needs less than the difference.
const LINE_OCTETS: usize = 700;

pub(super) fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // The engine escapes `/` too, which HTML does not need and which hides links from email
    // clients and filters that look for them in the source.
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() && *state.auto_escape() == AutoEscape::Html => {
            out.write_str(&HtmlEscape(text).to_string().replace("&#x2f;", "/")).map_err(minijinja::Error::from)
        }
        _ => escape_formatter(out, state, value),
    });
    environment.add_filter("wrap", wrap);
    environment.add_filter("fold", fold);
    environment.add_template("layout.html", HTML)?;
    environment.add_template("layout.txt", TEXT)?;
    Ok(environment)
}

/// Wraps a paragraph of text at `LINE_WIDTH` characters, never inside a word.
fn wrap(paragraph: &str) -> String {
    in_lines(paragraph, LINE_WIDTH, |word| word.chars().count())
}

/// Wraps a paragraph of HTML into lines that stay short enough after escaping. A line break counts as a space there.
fn fold(paragraph: &str) -> String {
    in_lines(paragraph, LINE_OCTETS, |word| HtmlEscape(word).to_string().len())
}

fn in_lines(paragraph: &str, longest: usize, width_of: impl Fn(&str) -> usize) -> String {
    let mut wrapped = String::with_capacity(paragraph.len());
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let width = width_of(word);
        if column > 0 && column + 1 + width > longest {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += width;
    }
    wrapped
}
