//! A token compared with what is expected of it: plain data, from which the rules draw their conclusions.

use super::difference::{Difference, Field};
use super::jwt::Jwt;

/// What Entra takes as a federated credential's assertion lives 24 hours at most (seconds). AKS issues none that live
/// longer; a token for the API server itself can.
pub const LONGEST_LIFETIME: i64 = 24 * 3600;

/// How far clocks may be apart before it is said, in seconds. Entra allows five minutes.
pub const TOLERATED_SKEW: i64 = 300;

/// The kubelet asks for a new token when 80 % of the life has passed, give or take ten seconds
/// (Kubernetes, `token_manager.go`). A file older than this share of its life was not refreshed.
const REFRESH_SHARE: f64 = 0.8;

/// What is expected; `None` is not compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expectation<'a> {
    /// The cluster's issuer, or the federated credential's.
    pub issuer: Option<&'a str>,
    /// `system:serviceaccount:NAMESPACE:NAME` of the account that the pod runs as.
    pub subject: Option<&'a str>,
    /// The audience of the volume, or the federated credential's.
    pub audience: Option<&'a str>,
    /// What time it is, in seconds since 1970.
    pub now: i64,
}

/// What came of the comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenCheck {
    /// `iss`
    pub issuer: Comparison,
    /// `sub`
    pub subject: Comparison,
    /// `aud`
    pub audience: Comparison,
    /// `alg`
    pub algorithm: Algorithm,
    /// Whether the header names the key.
    pub key_named: bool,
    /// `nbf`, `iat` and `exp` against the given time.
    pub lifetime: Lifetime,
    /// Whether the token lives longer than Entra takes (AADSTS70023).
    pub lives_too_long: bool,
}

impl TokenCheck {
    /// Whether nothing of what was asked contradicts the expectation.
    pub fn passes(&self) -> bool {
        let fits = |comparison: &Comparison| matches!(comparison, Comparison::NotAsked | Comparison::Same);
        fits(&self.issuer)
            && fits(&self.subject)
            && fits(&self.audience)
            && self.algorithm == Algorithm::Supported
            && self.key_named
            && matches!(self.lifetime, Lifetime::Valid { .. })
            && !self.lives_too_long
    }
}

/// A claim against what was expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing was expected.
    NotAsked,
    /// The claim is missing.
    Missing,
    /// Equal, byte for byte.
    Same,
    /// Not equal.
    Differs(Box<Difference>),
}

/// The token's signature algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Algorithm {
    /// RS256.
    Supported,
    /// Another one, or none.
    Unsupported(String),
}

/// The token's life, seen from the given time. All numbers are seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// No `exp`.
    Unknown,
    /// Its beginning (`nbf`, else `iat`) is so far in the future: a clock is behind.
    NotYetValid {
        /// Until it is valid.
        wait: i64,
    },
    /// Valid.
    Valid {
        /// What is left of it.
        left: i64,
        /// Since it was issued; `None` without `iat`.
        age: Option<i64>,
        /// The kubelet should have replaced it by now: its refresh fails, or the file is no volume's (a copy, a
        /// `subPath` mount, baked into an image).
        refresh_due: bool,
    },
    /// Expired.
    Expired {
        /// Since it expired.
        ago: i64,
    },
}

/// Compares a token with what is expected of it.
pub fn check(jwt: &Jwt, expected: &Expectation<'_>) -> TokenCheck {
    let claims = &jwt.claims;
    TokenCheck {
        issuer: compare(Field::Issuer, claims.issuer.as_deref(), expected.issuer),
        subject: compare(Field::Subject, claims.subject.as_deref(), expected.subject),
        audience: audience(&claims.audiences, expected.audience),
        algorithm: match jwt.header.algorithm.as_deref() {
            Some("RS256") => Algorithm::Supported,
            other => Algorithm::Unsupported(other.unwrap_or("none").to_owned()),
        },
        key_named: jwt.header.key_id.is_some(),
        lifetime: lifetime(jwt, expected.now),
        lives_too_long: claims.lifetime().is_some_and(|life| life > LONGEST_LIFETIME),
    }
}

fn compare(field: Field, found: Option<&str>, expected: Option<&str>) -> Comparison {
    let Some(expected) = expected else { return Comparison::NotAsked };
    let Some(found) = found else { return Comparison::Missing };
    match Difference::between(field, found, expected) {
        None => Comparison::Same,
        Some(difference) => Comparison::Differs(Box::new(difference)),
    }
}

/// One of the audiences must be the expected one; where none is, the first stands for them.
fn audience(found: &[String], expected: Option<&str>) -> Comparison {
    if expected.is_some_and(|expected| found.iter().any(|audience| audience == expected)) {
        return Comparison::Same;
    }
    compare(Field::Audience, found.first().map(String::as_str), expected)
}

fn lifetime(jwt: &Jwt, now: i64) -> Lifetime {
    let claims = &jwt.claims;
    let Some(expires) = claims.expires else { return Lifetime::Unknown };
    let begins = claims.not_before.or(claims.issued);
    if let Some(begins) = begins
        && begins > now
    {
        return Lifetime::NotYetValid { wait: begins.saturating_sub(now) };
    }
    if expires <= now {
        return Lifetime::Expired { ago: now.saturating_sub(expires) };
    }
    let age = claims.issued.map(|issued| now.saturating_sub(issued));
    Lifetime::Valid { left: expires.saturating_sub(now), age, refresh_due: refresh_due(age, claims.lifetime()) }
}

fn refresh_due(age: Option<i64>, life: Option<i64>) -> bool {
    let (Some(age), Some(life)) = (age, life) else { return false };
    // A minute for the kubelet's jitter and its sync loop.
    #[expect(clippy::cast_precision_loss, reason = "a share of a life of hours")]
    let due = life as f64 * REFRESH_SHARE + 60.0;
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    let age = age as f64;
    age > due
}

/// What a clock shows, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock<'a> {
    /// Whose clock: "the node", "the API server", "this machine".
    pub name: &'a str,
    /// What it shows.
    pub now: i64,
}

/// By how much `clock` is ahead of `reference` (negative: behind), in seconds, where that is worth saying.
pub fn skew(clock: Clock<'_>, reference: Clock<'_>) -> Option<i64> {
    let ahead = clock.now.saturating_sub(reference.now);
    (ahead.unsigned_abs() > TOLERATED_SKEW.unsigned_abs()).then_some(ahead)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::token::difference::Reason;
    use crate::token::jwt::{Claims, Header};

    fn jwt(issued: i64, expires: i64) -> Jwt {
        Jwt {
            header: Header { algorithm: Some("RS256".into()), key_id: Some("k".into()), kind: None },
            claims: Claims {
                issuer: Some("https://issuer.example/".into()),
                subject: Some("system:serviceaccount:ns:app".into()),
                audiences: vec!["other".into(), "api://AzureADTokenExchange".into()],
                issued: Some(issued),
                not_before: Some(issued),
                expires: Some(expires),
                ..Claims::default()
            },
        }
    }

    fn expectation(now: i64) -> Expectation<'static> {
        Expectation {
            issuer: Some("https://issuer.example/"),
            subject: Some("system:serviceaccount:ns:app"),
            audience: Some("api://AzureADTokenExchange"),
            now,
        }
    }

    #[test]
    fn a_good_token_passes() {
        let check = check(&jwt(1000, 4600), &expectation(1100));
        assert!(check.passes(), "{check:?}");
        assert_eq!(check.lifetime, Lifetime::Valid { left: 3500, age: Some(100), refresh_due: false });
    }

    #[test]
    fn each_claim_is_compared_byte_for_byte() {
        let expected = Expectation { issuer: Some("https://issuer.example"), audience: Some("x"), ..expectation(1100) };
        let check = check(&jwt(1000, 4600), &expected);
        let Comparison::Differs(issuer) = &check.issuer else { panic!("{check:?}") };
        assert_eq!(issuer.reason, Some(Reason::SlashExtra));
        let Comparison::Differs(audience) = &check.audience else { panic!("{check:?}") };
        assert_eq!(audience.found, "other");
        assert!(!check.passes());
    }

    #[test]
    fn a_missing_claim_is_not_a_difference() {
        let mut token = jwt(1000, 4600);
        token.claims.subject = None;
        assert_eq!(check(&token, &expectation(1100)).subject, Comparison::Missing);
    }

    #[test]
    fn the_life_is_seen_from_the_given_time() {
        let life = |now| check(&jwt(1000, 4600), &expectation(now)).lifetime;
        assert_eq!(life(400), Lifetime::NotYetValid { wait: 600 });
        assert_eq!(life(4600), Lifetime::Expired { ago: 0 });
        assert!(matches!(life(4000), Lifetime::Valid { refresh_due: true, .. }));
        assert!(matches!(life(3900), Lifetime::Valid { refresh_due: false, .. }));
        let mut endless = jwt(1000, 4600);
        endless.claims.expires = None;
        assert_eq!(check(&endless, &expectation(0)).lifetime, Lifetime::Unknown);
    }

    #[test]
    fn other_algorithms_and_long_lives_do_not_pass() {
        let mut token = jwt(1000, 1000 + 365 * 24 * 3600);
        assert!(check(&token, &expectation(1100)).lives_too_long);
        token.header.algorithm = Some("ES256".into());
        assert_eq!(check(&token, &expectation(1100)).algorithm, Algorithm::Unsupported("ES256".into()));
    }

    #[test]
    fn small_skews_are_not_worth_a_word() {
        let at = |now| Clock { name: "the node", now };
        assert_eq!(skew(at(1000), at(1200)), None);
        assert_eq!(skew(at(1000), at(1400)), Some(-400));
        assert_eq!(skew(at(2000), at(1000)), Some(1000));
    }
}
