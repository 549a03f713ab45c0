//! When a request is sent again: reads only, a few times, never for long.
//!
//! kube 5.0.0 repeats every request, writes included, up to 15 times, and waits as long as `Retry-After` says. Here a
//! write is sent once, whatever comes back; an answer that was lost on the way may have changed something.

use super::error::Error;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

const RETRIES: u32 = 3;
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// A server may ask for more patience than our own backoff has, but not for more than this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5);

/// An attempt that failed, and whether another one makes sense.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: Box<Error>,
    pub(super) again: Again,
    /// With 410, the token with which a list can be read on.
    pub(super) fresh_continue: Option<String>,
}

impl Fault {
    /// One that is not worth another attempt.
    pub(super) fn final_of(error: Error) -> Self {
        Self { error: Box::new(error), again: Again::No, fresh_continue: None }
    }
}

/// Whether to repeat a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It would fail again.
    No,
    /// No connection came about: once, for an API server that is being restarted.
    Once,
    /// The server is overloaded or the connection broke: a few times, not before that much time has passed.
    After(Option<Duration>),
}

impl Again {
    /// What status and headers say.
    pub(super) fn of_answer(code: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        match code {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                Self::After(retry_after(headers, now))
            }
            _ => Self::No,
        }
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); a date that is past is no delay.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// Counts the attempts of one call.
#[derive(Debug)]
pub(super) struct Attempts {
    is_read: bool,
    made: u32,
}

impl Attempts {
    pub(super) fn new(is_read: bool) -> Self {
        Self { is_read, made: 0 }
    }

    /// How long to wait before the next attempt; `None` to give up. `left` is what remains of the call's time.
    pub(super) fn next(&mut self, again: Again, left: Option<Duration>) -> Option<Duration> {
        let allowed = match again {
            Again::No => 0,
            Again::Once => 1,
            Again::After(_) => RETRIES,
        };
        if !self.is_read || self.made >= allowed {
            return None;
        }
        let backoff = jittered((FIRST_DELAY * 2_u32.pow(self.made)).min(LONGEST_DELAY));
        self.made += 1;
        let asked = match again {
            Again::After(Some(asked)) => asked.min(LONGEST_RETRY_AFTER),
            _ => Duration::ZERO,
        };
        let delay = backoff.max(asked);
        // Waiting past the bound would only hide the reason behind a timeout.
        left.is_none_or(|left| delay < left).then_some(delay)
    }
}

/// Three quarters to all of the delay, so that parallel requests do not come back together.
fn jittered(delay: Duration) -> Duration {
    // Each RandomState starts from another seed: random enough, without a generator.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    delay.saturating_sub(delay / 1024 * u32::try_from(random % 256).unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn delays(is_read: bool, again: Again, left: Option<Duration>) -> Vec<Duration> {
        let mut attempts = Attempts::new(is_read);
        std::iter::from_fn(|| attempts.next(again, left)).collect()
    }

    #[test]
    fn a_write_is_never_repeated() {
        assert!(delays(false, Again::After(None), None).is_empty());
        assert!(delays(false, Again::Once, None).is_empty());
    }

    #[test]
    fn a_read_is_repeated_three_times_with_growing_delays() {
        let delays = delays(true, Again::After(None), None);
        assert_eq!(delays.len(), 3);
        assert!(delays[2] > delays[0] && delays[2] <= Duration::from_secs(1), "{delays:?}");
        assert_eq!(super::tests::delays(true, Again::Once, None).len(), 1);
        assert!(super::tests::delays(true, Again::No, None).is_empty());
    }

    #[test]
    fn a_servers_wish_is_capped_and_never_outlasts_the_call() {
        let hour = Again::After(Some(Duration::from_hours(1)));
        assert_eq!(delays(true, hour, None), [LONGEST_RETRY_AFTER; 3]);
        assert!(delays(true, hour, Some(Duration::from_secs(4))).is_empty());
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let read = |value: &str| {
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, value.parse().unwrap())]);
            Again::of_answer(StatusCode::TOO_MANY_REQUESTS, &headers, now)
        };
        let seconds = |n| Again::After(Some(Duration::from_secs(n)));
        assert_eq!(read("3"), seconds(3));
        assert_eq!(read("Sat, 21 Nov 2026 12:00:04 GMT"), seconds(4));
        assert_eq!(read("Sat, 21 Nov 2026 11:00:00 GMT"), seconds(0));
        assert_eq!(read("soon"), Again::After(None));
        assert_eq!(read("99999999999999999999999"), Again::After(None));
    }
}
