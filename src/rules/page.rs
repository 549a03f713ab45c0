//! The page of a rule: what `explain` prints, and what stands in `docs/rules/`.

use super::RuleInfo;
use crate::model::finding::FixKind;
use crate::report::style::Style;
use serde::Serialize;

/// The headings of a page, in order. Every rule has all of them.
pub const HEADINGS: [&str; 6] = ["What it does", "Why it breaks", "How it is known", "Fix", "Fix safety", "References"];

/// Where the page of a rule can be read.
pub fn url(code: &str) -> String {
    format!("{}/blob/main/docs/rules/{code}.md", env!("CARGO_PKG_REPOSITORY"))
}

/// The rule as data, for `explain -o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RulePage {
    /// Such as `WI101`.
    pub code: &'static str,
    /// Such as `pod-label-missing`.
    pub name: &'static str,
    /// Its usual level.
    pub level: String,
    /// The link of the chain that it judges.
    pub link: crate::model::finding::Link,
    /// Where its answer can come from.
    pub needs: Vec<String>,
    /// What its fix touches.
    pub fix: Option<FixKind>,
    /// The page in Markdown.
    pub page: String,
    /// Where it can be read.
    pub docs: String,
}

impl RulePage {
    /// The page of a rule.
    pub fn of(info: &RuleInfo) -> Self {
        Self {
            code: info.code,
            name: info.name,
            level: info.level.to_string(),
            link: info.link,
            needs: info.needs.iter().map(ToString::to_string).collect(),
            fix: info.fix,
            page: body(info),
            docs: url(info.code),
        }
    }
}

/// The text below the title: the rule's own documentation, without the blank that each line of a comment starts with.
fn body(info: &RuleInfo) -> String {
    let lines: Vec<&str> = info.page.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// The whole page in Markdown.
pub fn markdown(info: &RuleInfo) -> String {
    let needs: Vec<String> = info.needs.iter().map(ToString::to_string).collect();
    let fix = match info.fix {
        Some(FixKind::Metadata) => "metadata (nothing restarts)",
        Some(FixKind::Restart) => "restart (pods restart)",
        Some(FixKind::Access) => "access (grants access in Azure)",
        Some(FixKind::Manual) => "manual (a command or value to copy)",
        None => "none",
    };
    format!(
        "# {} ({})\n\n**Level**: {} · **Link**: {} · **Needs**: {} · **Fix**: {fix}\n\n{}\n",
        info.name,
        info.code,
        info.level,
        info.link.title(),
        needs.join(" or "),
        body(info)
    )
}

/// The page for a terminal.
pub fn text(info: &RuleInfo, style: Style) -> String {
    plain(&markdown(info), style)
}

/// A page in Markdown for a terminal: headings stand out, and code loses its back-ticks where colour shows it.
pub fn plain(markdown: &str, style: Style) -> String {
    let mut out = String::new();
    for line in markdown.lines() {
        let bare = line.trim_start_matches('#').trim_start();
        let bare = bare.replace("**", "").replace('`', "");
        let heading = line.starts_with('#');
        out.push_str(&if heading { style.bold(&bare) } else { bare });
        out.push('\n');
    }
    out
}
