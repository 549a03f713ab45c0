//! What the person is writing: the line so far, read against the command's own definition.

use clap::{Arg, ArgAction, Command};
use std::collections::BTreeMap;

/// The line up to the word that is being completed.
pub(super) struct Line<'a> {
    /// The subcommand, or the program itself where none was written yet.
    pub(super) command: &'a Command,
    /// The program, whose flags work everywhere.
    pub(super) program: &'a Command,
    /// Values of flags that were written before, by id.
    pub(super) values: BTreeMap<String, Vec<String>>,
    /// Other words that were written before, without the subcommand.
    pub(super) words: Vec<String>,
    /// What the last word is.
    pub(super) slot: Slot<'a>,
    /// The last word, as far as it is the value: after `=` of `--flag=value`.
    pub(super) typed: String,
}

/// What the last word is.
pub(super) enum Slot<'a> {
    /// The name of a subcommand.
    Subcommand,
    /// A flag's name.
    Flag,
    /// A flag's value.
    Value(&'a Arg),
    /// Another word of the subcommand.
    Word,
}

impl<'a> Line<'a> {
    /// Reads a line; the last word is the one that is being completed, empty where it was not begun.
    pub(super) fn read(program: &'a Command, words: &[String]) -> Self {
        let mut line = Self {
            command: program,
            program,
            values: BTreeMap::new(),
            words: Vec::new(),
            slot: Slot::Word,
            typed: String::new(),
        };
        let Some((last, before)) = words.split_last() else { return line };
        let (mut waiting, mut only_words): (Option<&'a Arg>, bool) = (None, false);
        for word in before {
            if let Some(arg) = waiting.take() {
                line.note(arg, word);
            } else if only_words || !word.starts_with('-') || word == "-" {
                line.word(word);
            } else if word == "--" {
                only_words = true;
            } else {
                waiting = line.flag(word);
            }
        }
        last.clone_into(&mut line.typed);
        line.slot = if let Some(arg) = waiting {
            Slot::Value(arg)
        } else if last.starts_with('-') && !only_words {
            match last.split_once('=').and_then(|(name, value)| Some((line.find(name)?, value))) {
                Some((arg, value)) if takes_value(arg) => {
                    value.clone_into(&mut line.typed);
                    Slot::Value(arg)
                }
                _ => Slot::Flag,
            }
        } else if std::ptr::eq(line.command, program) {
            Slot::Subcommand
        } else {
            Slot::Word
        };
        line
    }

    fn word(&mut self, word: &str) {
        if std::ptr::eq(self.command, self.program)
            && let Some(command) = self.program.find_subcommand(word)
        {
            self.command = command;
        } else {
            self.words.push(word.to_owned());
        }
    }

    /// Notes a flag; the argument comes back where its value is the next word.
    fn flag(&mut self, word: &str) -> Option<&'a Arg> {
        if let Some((name, value)) = word.split_once('=') {
            let arg = self.find(name)?;
            self.note(arg, value);
            return None;
        }
        if let Some(arg) = self.find(word) {
            if takes_value(arg) && !arg.is_require_equals_set() {
                return Some(arg);
            }
            self.note(arg, "true");
            return None;
        }
        // `-nvelero`: a short flag with its value in one word.
        let short = word.get(..2)?;
        let arg = self.find(short).filter(|arg| takes_value(arg))?;
        self.note(arg, word.get(2..)?);
        None
    }

    fn note(&mut self, arg: &Arg, value: &str) {
        self.values.entry(arg.get_id().to_string()).or_default().push(value.to_owned());
    }

    fn find(&self, name: &str) -> Option<&'a Arg> {
        self.args().find(|arg| {
            arg.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long))
                || arg.get_short().is_some_and(|short| {
                    name.strip_prefix('-').is_some_and(|rest| rest.len() == short.len_utf8() && rest.starts_with(short))
                })
        })
    }

    /// The flags and words that may be written here.
    pub(super) fn args(&self) -> impl Iterator<Item = &'a Arg> + use<'a> {
        let own = self.command.get_arguments();
        let global = (!std::ptr::eq(self.command, self.program))
            .then(|| self.program.get_arguments().filter(|arg| arg.is_global_set()));
        let known: Vec<&clap::Id> = self.command.get_arguments().map(Arg::get_id).collect();
        own.chain(global.into_iter().flatten().filter(move |arg| !known.contains(&arg.get_id())))
    }

    /// The last value of a flag that was written before.
    pub(super) fn value(&self, id: &str) -> Option<&str> {
        self.values.get(id)?.last().map(String::as_str)
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}
