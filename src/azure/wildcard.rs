//! Patterns with `*`, as roles and flexible credentials have them.

/// Whether a pattern covers a text. `*` is any run of characters; `?` is any one character where `single` says so.
///
/// Greedy with one point to come back to: never exponential, whatever the pattern.
pub(crate) fn wildcard(pattern: &str, text: &str, single: bool) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == text[t] || (single && *c == '?') => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*a*", "bab", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*ä", "öä", true),
        ] {
            assert_eq!(wildcard(pattern, text, true), expected, "{pattern} {text}");
        }
        assert!(!wildcard("a?c", "abc", false));
    }

    #[test]
    fn a_long_pattern_of_stars_ends() {
        assert!(!wildcard(&format!("{}c", "a*".repeat(40)), &"a".repeat(4000), false));
    }
}
