//! `cargo xtask generate`: everything in the repository that is made from the program itself.

use anyhow::{Context, Result, bail};
use kubectl_wi::cli::{Shell, script};
use kubectl_wi::report::schema::schemas;
use kubectl_wi::rules::{page, registry};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Folders that hold nothing but generated files: what is not made any more is removed.
const OWNED: &[&str] = &["docs/rules", "docs/schema", "completions"];

/// Writes all files, or with `check` only says which are not as they should be.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let files = files(root)?;
    let mut stale = Vec::new();
    for (path, text) in &files {
        let full = root.join(path);
        if std::fs::read_to_string(&full).is_ok_and(|old| old == *text) {
            continue;
        }
        stale.push(path.display().to_string());
        if !check {
            if let Some(folder) = full.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&full, text).with_context(|| format!("cannot write {}", full.display()))?;
        }
    }
    for folder in OWNED {
        for entry in std::fs::read_dir(root.join(folder)).into_iter().flatten() {
            let path = entry?.path();
            let relative = path.strip_prefix(root)?.to_owned();
            if !files.contains_key(&relative) {
                stale.push(relative.display().to_string());
                if !check {
                    std::fs::remove_file(&path)?;
                }
            }
        }
    }
    if check && !stale.is_empty() {
        bail!("not as the program makes them: {}\nrun: cargo xtask generate", stale.join(", "));
    }
    println!("{} generated files, {} {}", files.len(), stale.len(), if check { "stale" } else { "written" });
    Ok(())
}

fn files(root: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    let mut index = "# Rules\n\nWhat `kubectl wi inspect` looks for. Made by `cargo xtask generate` from the rules themselves.\n\n| code | name | level | link |\n|---|---|---|---|\n".to_owned();
    for info in registry::infos() {
        files.insert(PathBuf::from(format!("docs/rules/{}.md", info.code)), page::markdown(info));
        let link = info.link.title();
        writeln!(index, "| [{0}]({0}.md) | {1} | {2} | {link} |", info.code, info.name, info.level)?;
    }
    files.insert("docs/rules/README.md".into(), index);
    files.insert("docs/cli.md".into(), reference());
    // The session names a file by its path from here.
    std::env::set_current_dir(root)?;
    let session = crate::picture::session(&["inspect", "-f", "examples/velero-broken"])?;
    files.insert("docs/inspect.svg".into(), session);
    files.insert(".krew.yaml".into(), crate::krew::bot_template(root)?);
    for (name, schema) in schemas() {
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        files.insert(PathBuf::from(format!("docs/schema/{name}.json")), text);
    }
    for (shell, name) in Shell::FILES {
        files.insert(PathBuf::from(format!("completions/{name}")), String::from_utf8(script(shell))?);
    }
    Ok(files)
}

/// The help of every subcommand, as it is printed.
fn reference() -> String {
    let mut out = "# Command line\n\nThe help of every subcommand, as it is printed. Made by `cargo xtask generate`.\n"
        .to_owned();
    let mut command = kubectl_wi::cli::command().term_width(100);
    command.build();
    section(&mut out, &mut command, "kubectl wi");
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        if let Some(sub) = command.find_subcommand_mut(&name) {
            section(&mut out, sub, &format!("kubectl wi {name}"));
        }
    }
    out
}

fn section(out: &mut String, command: &mut clap::Command, title: &str) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(out, "\n## {title}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
}
