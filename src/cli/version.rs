//! `kubectl wi version`: what this is, and which releases of the identity webhook it knows.

use super::error::Failure;
use super::{Surroundings, output};
use crate::report::model::API_VERSION;
use crate::rules::registry;
use crate::webhook::WebhookVersion;
use serde::Serialize;

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to print it
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// The first release of each shape that pods get.
const GENERATIONS: [(&str, (u16, u16, u16)); 5] = [
    ("0.7 and older", (0, 7, 0)),
    ("0.8 to 1.4", (0, 8, 0)),
    ("1.5.0", (1, 5, 0)),
    ("1.5.1", (1, 5, 1)),
    ("1.6.0", (1, 6, 0)),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    api_version: &'static str,
    kind: &'static str,
    version: &'static str,
    platform: String,
    rules: usize,
    webhook_profiles: Vec<WebhookProfile>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookProfile {
    releases: &'static str,
    token_path: String,
}

/// Runs `version`.
pub fn run(args: &Args, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let profile = |(releases, (major, minor, patch)): (&'static str, (u16, u16, u16))| WebhookProfile {
        releases,
        token_path: {
            let profile = WebhookVersion::release(major, minor, patch).profile();
            format!("{}/{}", profile.mount_path, profile.token_path)
        },
    };
    let version = Version {
        api_version: API_VERSION,
        kind: "Version",
        version: env!("CARGO_PKG_VERSION"),
        platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        rules: registry::infos().count(),
        webhook_profiles: GENERATIONS.into_iter().map(profile).collect(),
    };
    match args.output {
        Format::Json => output::write_json(around.stdout, &version)?,
        Format::Text => {
            output::write_line(around.stdout, &format!("kubectl-wi {} ({})", version.version, version.platform))?;
            output::write_line(around.stdout, &format!("{} rules; identity webhook profiles:", version.rules))?;
            for profile in &version.webhook_profiles {
                let line = format!("  {:<14} token at {}", profile.releases, profile.token_path);
                output::write_line(around.stdout, &line)?;
            }
        }
    }
    Ok(0)
}
