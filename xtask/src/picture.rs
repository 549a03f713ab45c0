//! The picture of a terminal session in the README: what the program really prints, as SVG.

use anyhow::{Result, bail};
use kubectl_wi::cli::terminal::Terminal;
use kubectl_wi::cli::{PLUGIN, Surroundings, run};
use std::fmt::Write as _;

const COLUMNS: usize = 100;
const LINE: usize = 18;

/// Runs the program in this process, with colours, and draws what it printed.
pub(crate) fn session(arguments: &[&str]) -> Result<String> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal =
        Terminal { stdin: false, stdout: true, stderr: false, colour: true, force_colour: false, width: COLUMNS };
    let now = jiff::Timestamp::UNIX_EPOCH; // the example has no ages
    let directory = std::env::current_dir().ok();
    let mut around =
        Surroundings { now, directory, stdin: &mut std::io::empty(), stdout: &mut out, stderr: &mut err, terminal };
    let words = ["kubectl-wi"].into_iter().chain(arguments.iter().copied()).map(Into::into).collect();
    let code = run(words, &mut around);
    if !err.is_empty() || code > 1 {
        bail!("the session in the README fails: {}", String::from_utf8_lossy(&err));
    }
    Ok(draw(&format!("\x1b[1m$ kubectl {PLUGIN} {}\x1b[0m\n\n{}", arguments.join(" "), String::from_utf8(out)?)))
}

fn draw(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let (width, height) = (COLUMNS * 8 + 40, lines.len() * LINE + 40);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"A terminal session\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#14181f\"/>\n\
         <g font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,monospace\" font-size=\"13\" fill=\"#d5dae3\">\n"
    );
    for (at, line) in lines.iter().enumerate() {
        let _ = write!(svg, "<text x=\"20\" y=\"{}\" xml:space=\"preserve\">", 32 + at * LINE);
        spans(&mut svg, line);
        svg.push_str("</text>\n");
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// The escape sequences of a line as spans.
fn spans(svg: &mut String, line: &str) {
    let mut style = String::new();
    for (at, piece) in line.split("\x1b[").enumerate() {
        let text = match piece.split_once('m') {
            Some((codes, text)) if at > 0 => {
                for code in codes.split(';') {
                    style = match code {
                        "" | "0" | "39" | "22" => String::new(),
                        "1" => format!("{style} font-weight=\"bold\""),
                        other => match colour(other) {
                            Some(colour) => format!("{style} fill=\"{colour}\""),
                            None => style,
                        },
                    };
                }
                text
            }
            _ => piece,
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if style.is_empty() {
            svg.push_str(&text);
        } else if !text.is_empty() {
            let _ = write!(svg, "<tspan{style}>{text}</tspan>");
        }
    }
}

fn colour(code: &str) -> Option<&'static str> {
    Some(match code {
        "31" => "#ff6b68",
        "32" => "#7ec97e",
        "33" => "#e5c07b",
        "34" => "#6cb6ff",
        "36" => "#56c8d8",
        "90" => "#8b95a5",
        _ => return None,
    })
}
