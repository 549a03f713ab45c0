//! Control characters taken out.

use std::borrow::Cow;

/// Takes out escape sequences (colours, titles, links), control characters other than line breaks, and characters that
/// are not seen or that turn the direction of writing. Tabs become blanks. What comes out can be printed anywhere.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|char| is_control(char) || is_invisible(char)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_sequence(&mut chars),
            '\t' | '\u{b}' | '\u{c}' => out.push(' '),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            _ if is_control(char) || is_invisible(char) => {}
            _ => out.push(char),
        }
    }
    Cow::Owned(out)
}

fn is_control(char: char) -> bool {
    char != '\n' && char.is_control()
}

fn is_invisible(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After ESC: a control sequence, a string that ends with BEL or ESC \, or a single character.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.next() {
        Some('[') => skip_sequence(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => {
            // A string without an end must not swallow the rest of a log.
            for _ in 0..256 {
                match chars.peek() {
                    Some('\u{7}') => {
                        chars.next();
                        return;
                    }
                    Some('\u{1b}') => {
                        chars.next();
                        chars.next_if_eq(&'\\');
                        return;
                    }
                    Some('\n') | None => return,
                    Some(_) => {
                        chars.next();
                    }
                }
            }
        }
        Some('(' | ')' | '*' | '+' | '#') => {
            chars.next();
        }
        _ => {}
    }
}

/// The parameters of a control sequence and its final character.
fn skip_sequence(chars: &mut Chars<'_>) {
    for _ in 0..64 {
        match chars.next_if(|char| matches!(char, ' '..='~')) {
            Some('@'..='~') | None => return,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_out_what_moves_a_cursor() {
        assert_eq!(clean("\u{1b}[31mERR\u{1b}[0m\tx\r\ny\rz"), "ERR x\ny\nz");
        assert_eq!(clean("\u{1b}]8;;https://x\u{7}link\u{1b}]8;;\u{1b}\\ \u{202e}abc\u{200b}"), "link abc");
        assert_eq!(clean("a\0b\u{7}c\u{9b}1mD"), "abcD");
        assert!(matches!(clean("plain\ntext"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_broken_sequence_does_not_swallow_the_line_after_it() {
        assert_eq!(clean("\u{1b}]never ends\nnext"), "\nnext");
        assert_eq!(clean("\u{1b}["), "");
    }
}
