//! Entries of a log: lines put together that belong together, in bounded pieces.

use super::line::{self, Begins, Level};

/// The most bytes of one entry. A stack trace with the answer of a server has ten thousand.
pub(super) const LONGEST: usize = 32 * 1024;
/// The most lines of one entry.
const MOST_LINES: u64 = 400;
/// What two pieces of an entry that is too long share, so that nothing is cut at the seam.
const OVERLAP: usize = 2 * 1024;

/// An entry.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Its lines, without what a collector put before them.
    pub text: String,
    /// The first line, from 1.
    pub line: u64,
    /// The time that its first line gives.
    pub time: Option<String>,
    /// How loud it is.
    pub level: Level,
    /// How many bytes at its beginning were the end of the entry before it, which was too long.
    pub overlap: usize,
    lines: u64,
}

/// Puts lines together.
#[derive(Debug, Default)]
pub(super) struct Records {
    open: Option<Record>,
    line: u64,
    partial: bool,
}

impl Records {
    /// Takes one line; gives the entries that end with it.
    pub(super) fn push(&mut self, raw: &str) -> Vec<Record> {
        self.line += 1;
        let mut done = Vec::new();
        let read = line::read(raw);
        let joins = match (&self.open, read.begins) {
            (None, _) => false,
            (Some(_), _) if self.partial => true,
            (Some(open), Begins::Yes) => open.text.is_empty(),
            (Some(_), Begins::No | Begins::Perhaps) => true,
        };
        if !joins {
            done.extend(self.open.take());
        }
        let open = self.open.get_or_insert_with(|| Record {
            text: String::new(),
            line: self.line,
            time: None,
            level: Level::Unknown,
            overlap: 0,
            lines: 0,
        });
        if open.lines == 0 || open.text.is_empty() {
            open.time = read.time.or(open.time.take());
            open.level = read.level;
            open.line = self.line;
        } else if open.level == Level::Unknown {
            open.level = read.level;
        }
        if !open.text.is_empty() && !self.partial {
            open.text.push('\n');
        }
        open.text.push_str(&read.text);
        open.lines += 1;
        self.partial = read.partial;
        self.split(&mut done);
        done
    }

    /// Gives the last entry.
    pub(super) fn finish(&mut self) -> Option<Record> {
        self.open.take()
    }

    /// Cuts an entry that has become too long.
    fn split(&mut self, done: &mut Vec<Record>) {
        let Some(open) = &mut self.open else { return };
        if open.text.len() <= LONGEST && open.lines <= MOST_LINES {
            return;
        }
        let text = std::mem::take(&mut open.text);
        let mut start = 0;
        loop {
            let end = boundary(&text, (start + LONGEST).min(text.len()));
            let shared = boundary(&text, end.saturating_sub(OVERLAP)).max(start);
            done.push(Record { text: text[start..end].to_owned(), ..open.clone() });
            open.overlap = end - shared;
            open.line = self.line;
            open.lines = 1;
            start = shared;
            if text.len() - start <= LONGEST {
                text[start..].clone_into(&mut open.text);
                return;
            }
        }
    }
}

/// The nearest place at or before `at` where a character begins.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<String> {
        let mut records = Records::default();
        let mut all: Vec<Record> = text.lines().flat_map(|line| records.push(line)).collect();
        all.extend(records.finish());
        all.into_iter().map(|record| record.text).collect()
    }

    #[test]
    fn an_error_over_several_lines_is_one_entry() {
        let all = records(
            "2024-02-14T13:29:52Z INFO start\n2024-02-14T13:29:53Z ERROR DefaultAzureCredential authentication failed\nPOST https://login\n---\nRESPONSE 401\n{\n \"error\": 1\n}\n2024-02-14T13:29:54Z INFO end",
        );
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all[1].ends_with('}'));
    }

    #[test]
    fn partial_lines_of_a_container_runtime_are_joined_without_a_break() {
        let all = records("2024-02-14T13:29:52.7Z stderr P no client ID spec\n2024-02-14T13:29:52.7Z stderr F ified");
        assert_eq!(all, ["no client ID specified"]);
    }

    #[test]
    fn entries_are_bounded_and_nothing_is_lost_at_a_seam() {
        let line = "x".repeat(LONGEST * 3) + "NEEDLE" + &"y".repeat(LONGEST);
        let all = records(&line);
        assert!(all.iter().all(|text| text.len() <= LONGEST), "{:?}", all.iter().map(String::len).collect::<Vec<_>>());
        assert!(all.iter().any(|text| text.contains("NEEDLE")));
        let many = "plain line\n".repeat(5000);
        assert!(records(&many).len() >= 10);
    }
}
