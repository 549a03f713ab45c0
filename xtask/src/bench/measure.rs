//! Runs a program and says what it cost: wall, processor time of user and system, and peak memory.
//!
//! The system tells peak memory only of all children of a process together. So each measured run has a process of its
//! own around it: this program, started again.

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run cost.
#[derive(Debug, Clone, Default)]
pub(super) struct Cost {
    /// Seconds from start to end.
    pub(super) wall: f64,
    /// Seconds of processor time, of user and system.
    pub(super) cpu: f64,
    /// Largest resident memory, in megabytes (10^6).
    pub(super) peak: f64,
    /// What it wrote to standard error.
    pub(super) said: String,
}

/// The median run of several, by processor time: other programs on the machine disturb it less than the wall clock.
pub(super) fn median(runs: usize, command: &[String]) -> Result<Cost> {
    let mut costs = (0..runs.max(1)).map(|_| once(command)).collect::<Result<Vec<_>>>()?;
    costs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    Ok(costs.swap_remove(costs.len() / 2))
}

fn once(command: &[String]) -> Result<Cost> {
    let output = Command::new(std::env::current_exe()?)
        .args(["bench", "--measure"])
        .args(command)
        .stdin(Stdio::null())
        .output()
        .context("cannot measure")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{} {}", command.join(" "), String::from_utf8_lossy(&output.stderr));
    let cost: Value = serde_json::from_str(&text)?;
    let number = |key: &str| cost[key].as_f64().unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Cost { wall: number("wall"), cpu: number("cpu"), peak: number("peak"), said })
}

/// The process around one run: prints its cost as JSON.
pub(super) fn around(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("nothing to measure")?;
    let start = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    let wall = start.elapsed().as_secs_f64();
    // Findings are 1, an incomplete report 3; both are results.
    ensure!(matches!(status.code(), Some(0 | 1 | 3)), "{program} ended with {status}");
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| -> Result<f64> {
        let (seconds, micros) = (u64::try_from(time.tv_sec())?, u64::try_from(time.tv_usec())?);
        Ok((Duration::from_secs(seconds) + Duration::from_micros(micros)).as_secs_f64())
    };
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let cost = json!({
        "wall": wall,
        "cpu": seconds(used.user_time())? + seconds(used.system_time())?,
        "peak": used.max_rss() * unit / 1_000_000,
    });
    println!("{cost}");
    Ok(())
}
