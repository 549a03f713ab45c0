//! Whether the authority host can be reached from the pod: its name, a connection, TLS.
//!
//! With what busybox has. Its `wget` speaks TLS but does not check certificates, so a proxy that inspects TLS is not
//! seen here; the exchange from this machine says nothing about the pod's network, and the other way round.

use super::facts::ProbedNetwork;
use super::reader::{Inside, Ran};
use std::time::Duration;

/// How long each of the two programs may take.
const PATIENCE: Duration = Duration::from_secs(12);

/// Tries to reach a host; `None` where the container has no program that could, or where a proxy is set that an
/// application would go through.
pub async fn reach(inside: &Inside<'_>, host: &str, port: u16, proxied: bool) -> Option<ProbedNetwork> {
    if proxied || host.starts_with('-') || host.is_empty() {
        return None;
    }
    let mut seen = ProbedNetwork { host: host.to_owned(), port, ..ProbedNetwork::default() };
    let port_text = port.to_string();
    let tcp = inside.run(&["timeout", "8", "nc", "-w", "5", host, &port_text], PATIENCE).await;
    judge_tcp(&mut seen, &tcp)?;
    if seen.tcp == Some(true) {
        let url = format!("https://{host}:{port}/");
        let tls = inside.run(&["timeout", "8", "wget", "-q", "-T", "5", "-O", "/dev/null", &url], PATIENCE).await;
        judge_tls(&mut seen, &tls);
    }
    Some(seen)
}

/// What `nc` says; `None` where it is not there, or nobody knows.
fn judge_tcp(seen: &mut ProbedNetwork, ran: &Ran) -> Option<()> {
    let Ran::Ended { code, said, .. } = ran else { return None };
    let lower = said.to_lowercase();
    let not_resolved = ["bad address", "not known", "name resolution", "could not resolve", "unknown host", "lookup"];
    if not_resolved.iter().any(|words| lower.contains(words)) {
        (seen.name, seen.said) = (Some(false), Some(said.clone()));
        return Some(());
    }
    let refused = ["refused", "timed out", "unreachable", "no route", "reset"];
    if refused.iter().any(|words| lower.contains(words)) {
        (seen.name, seen.tcp, seen.said) = (Some(true), Some(false), Some(said.clone()));
        return Some(());
    }
    match code {
        0 => {
            (seen.name, seen.tcp) = (Some(true), Some(true));
            Some(())
        }
        // `timeout` ended it: it may have been connected and waiting for the other side, or not.
        _ => None,
    }
}

/// What `wget` says after a connection came about: an HTTP error is an answer, and proves TLS.
fn judge_tls(seen: &mut ProbedNetwork, ran: &Ran) {
    let Ran::Ended { code, said, .. } = ran else { return };
    let lower = said.to_lowercase();
    if *code == 0 || lower.contains("server returned error") || lower.contains("http/1") {
        seen.tls = Some(true);
    } else if ["tls", "ssl", "handshake", "alert", "reset", "eof"].iter().any(|words| lower.contains(words)) {
        (seen.tls, seen.said) = (Some(false), Some(said.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn ended(code: i32, said: &str) -> Ran {
        Ran::Ended { code, stdout: Zeroizing::default(), said: said.to_owned() }
    }

    fn tcp(ran: &Ran) -> Option<(Option<bool>, Option<bool>)> {
        let mut seen = ProbedNetwork::default();
        judge_tcp(&mut seen, ran).map(|()| (seen.name, seen.tcp))
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        assert_eq!(tcp(&ended(0, "")), Some((Some(true), Some(true))));
        assert_eq!(tcp(&ended(1, "nc: bad address 'login'")), Some((Some(false), None)));
        assert_eq!(
            tcp(&ended(1, "nc: can't connect to remote host (1.2.3.4): Connection refused")),
            Some((Some(true), Some(false)))
        );
        for ran in [ended(143, ""), ended(1, "nc: invalid option"), Ran::NoProgram] {
            assert_eq!(tcp(&ran), None);
        }
    }

    #[test]
    fn an_http_error_proves_tls() {
        let tls = |ran: &Ran| {
            let mut seen = ProbedNetwork::default();
            judge_tls(&mut seen, ran);
            seen.tls
        };
        assert_eq!(tls(&ended(1, "wget: server returned error: HTTP/1.1 403 Forbidden")), Some(true));
        assert_eq!(tls(&ended(1, "wget: TLS error from peer (alert code 40): handshake failure")), Some(false));
        assert_eq!(tls(&ended(1, "wget: not an http or ftp url")), None);
    }
}
