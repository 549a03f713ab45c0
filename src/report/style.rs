//! Colour and width: decided once at the edge, passed in everywhere, so that output is the same for the same input.

use owo_colors::{OwoColorize, Style as Paint};
use unicode_width::UnicodeWidthStr;

/// How text is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether colours are used.
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Style {
    /// Without colour, 80 columns: what a file or a pipe gets.
    pub const PLAIN: Self = Self { colour: false, width: 80 };

    fn paint(self, text: &str, paint: Paint) -> String {
        if self.colour { text.style(paint).to_string() } else { text.to_owned() }
    }

    /// Something broken.
    pub fn error(self, text: &str) -> String {
        self.paint(text, Paint::new().red().bold())
    }

    /// Something that works by luck.
    pub fn warning(self, text: &str) -> String {
        self.paint(text, Paint::new().yellow().bold())
    }

    /// Something worth knowing.
    pub fn info(self, text: &str) -> String {
        self.paint(text, Paint::new().cyan())
    }

    /// Something that is well.
    pub fn good(self, text: &str) -> String {
        self.paint(text, Paint::new().green())
    }

    /// A line that is gone.
    pub fn removed(self, text: &str) -> String {
        self.paint(text, Paint::new().red())
    }

    /// Something that matters less.
    pub fn dim(self, text: &str) -> String {
        self.paint(text, Paint::new().bright_black())
    }

    /// Something to read first.
    pub fn bold(self, text: &str) -> String {
        self.paint(text, Paint::new().bold())
    }

    /// A command to copy.
    pub fn command(self, text: &str) -> String {
        self.paint(text, Paint::new().bold().blue())
    }
}

/// Columns that a text takes in a terminal.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The text with blanks after it, up to a number of columns.
pub fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(columns(text))))
}

/// Breaks a text into lines of at most `width` columns, at blanks; a word that is longer keeps a line of its own,
/// because addresses and commands have to be copied whole.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// The text cut to a number of columns, with `...` where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if columns(&out) + 4 > width {
            break;
        }
        out.push(c);
    }
    out + "..."
}

/// Removes what would move the cursor or change colours: names and messages come from a cluster and may hold anything.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
