//! Secrets hidden.
//!
//! What applications print is not ours, and some of it must not be printed again: tokens, client secrets, account
//! keys, passwords. They are hidden before anything else looks at a text. Hiding too much costs a word of an excerpt;
//! hiding too little is a leak, also of the half of a token that a terminal put on its own line.

use super::pattern::pattern;
use super::squeeze::Squeezed;
use regex::bytes::Regex;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// What a reader sees in the place of a secret.
pub const HIDDEN: &str = "[hidden]";

/// Stands for every byte of a secret until the text is shown. No clean text has it.
const MARK: u8 = 1;

/// Hides the secrets of a text.
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut squeezed = Squeezed::new(text);
    match mask_squeezed(text, &mut squeezed) {
        Some(masked) => Cow::Owned(reveal(&masked)),
        None => Cow::Borrowed(text),
    }
}

/// Hides the secrets of a text and of its squeezed form, byte by byte, so that places stay what they are; `None`
/// where there are none. [`reveal`] makes it readable.
pub(crate) fn mask_squeezed(text: &str, squeezed: &mut Squeezed) -> Option<String> {
    let secrets = find(text, squeezed);
    if secrets.is_empty() {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    for secret in secrets {
        let origin = squeezed.origin(secret.clone());
        let end = ceil_char_boundary(text, origin.end);
        for byte in &mut bytes[origin.start..end] {
            if *byte != b'\n' {
                *byte = MARK;
            }
        }
        squeezed.blank(secret, MARK);
    }
    // Every byte of a hidden character is the mark, so this is valid; if not, nothing is better than a secret.
    Some(String::from_utf8(bytes).unwrap_or_default())
}

/// Turns the marks of hidden bytes into a word.
pub fn reveal(masked: &str) -> String {
    let mut out = String::with_capacity(masked.len());
    let mut parts = masked.split(MARK as char).peekable();
    let mut hidden = false;
    while let Some(part) = parts.next() {
        // A token that goes on in the next line is one token.
        let between = hidden && parts.peek().is_some() && part.trim().is_empty();
        if !between {
            out.push_str(part);
            hidden = false;
        }
        if parts.peek().is_some() && !hidden {
            out.push_str(HIDDEN);
            hidden = true;
        }
    }
    out
}

fn ceil_char_boundary(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at.min(text.len())
}

/// The names that are followed by a secret, in lower case and squeezed.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?: client[_-]?assertion | client[_-]?secret | clientsecret | access[_-]?token | refresh[_-]?token
            | id[_-]?token | sas[_-]?token | federated[_-]?token
            | password | passwd | pwd | account[_-]?key | access[_-]?key | shared[_-]?access[_-]?signature
            | api[_-]?key | secret[_-]?key | private[_-]?key | connection[_-]?string | primary[_-]?key
            | secondary[_-]?key | authorization | x-identity-header | msi_secret | [^a-z]sig
        ) ["'>]{0,2} (?: [:=] | => ) [>]? (?: (?:bearer|basic|sharedkey|negotiate) [^a-z0-9]? )?"#,
    )
});

/// `az login --federated-token TOKEN`, `-p SECRET`: a flag and a blank, which squeezing has taken out.
static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"--(?: federated-token | password | client-secret | account-key | sas-token | token ) =?")
});

/// What is secret by its form, in its own case.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?: (?: eyJ | ewog | eyAi ) [A-Za-z0-9_-]{10,}       # a JSON web token, or the beginning of one
            | [A-Za-z0-9+/]{86}==                               # a storage account's key
            | [A-Za-z0-9_.~-]{3,6}Q~[A-Za-z0-9_.~-]{31,34}      # a client secret of Entra
            | gh[pousr]_[A-Za-z0-9]{36}
            | "token":"[^"]{20,}"
            | -----BEGIN[A-Z]*PRIVATEKEY-----
        )"#,
    )
});

/// `://USER:PASSWORD@`
static USERINFO: LazyLock<Regex> = LazyLock::new(|| pattern(r#"://[^/@:"'\s]{0,128}:([^/@"'\s]{1,512})@"#));

fn find(text: &str, squeezed: &Squeezed) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    for found in FORM.find_iter(squeezed.cased()) {
        let start = found.start();
        if found.as_bytes().starts_with(b"-----BEGIN") {
            secrets.push(start..key_block_end(squeezed, found.end()));
        } else if found.as_bytes().starts_with(b"e") {
            let end = run(text, squeezed, start..found.end(), is_token);
            if looks_random(&squeezed.cased()[start..end]) {
                secrets.push(start..end);
            }
        } else {
            secrets.push(found.range());
        }
    }
    for named in NAMED.find_iter(squeezed.lower()) {
        // "account key: illegal base64" is a sentence, "account_key: abc" is not.
        let name = text.get(squeezed.origin(named.range())).unwrap_or_default();
        let name = name.split([':', '=']).next().unwrap_or_default();
        let sentence = name.trim().contains(char::is_whitespace);
        let value = value_after(text, squeezed, named.end());
        secrets.extend(value.filter(|value| !sentence || looks_random(&squeezed.cased()[value.clone()])));
    }
    for flag in FLAG.find_iter(squeezed.lower()) {
        secrets.extend(value_after(text, squeezed, flag.end()));
    }
    for captures in USERINFO.captures_iter(squeezed.lower()) {
        if let Some(password) = captures.get(1) {
            secrets.push(password.range());
        }
    }
    secrets
}

/// The value after a name: quoted, to the quote that ends it; else the run of characters that has no separator.
fn value_after(text: &str, squeezed: &Squeezed, start: usize) -> Option<Range<usize>> {
    let bytes = squeezed.cased();
    let quote = bytes.get(start).copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let (start, end) = if let Some(quote) = quote {
        let end = bytes[start + 1..].iter().position(|byte| *byte == quote).map_or(bytes.len(), |at| start + 1 + at);
        (start + 1, end)
    } else {
        (start, run(text, squeezed, start..start, |byte| !br#""'&,;<>()[]{}|"#.contains(&byte)))
    };
    // `***` and `<redacted>` are hidden already; a bare `:` at the end of a sentence has no value.
    let value = &bytes[start..end];
    (!value.is_empty() && value.iter().any(u8::is_ascii_alphanumeric)).then_some(start..end)
}

/// How far a run goes that a blank ends, but a line break or a wide gap, which a terminal may have put in, does not
/// once the run is long, or within what is `sure` to belong together.
fn run(text: &str, squeezed: &Squeezed, sure: Range<usize>, belongs: impl Fn(u8) -> bool) -> usize {
    const LONG: usize = 20;
    let Range { start, end: sure } = sure;
    let bytes = squeezed.cased();
    let mut end = start;
    while let Some(byte) = bytes.get(end) {
        if !belongs(*byte) {
            break;
        }
        if end > start {
            let gap = squeezed.origin(end - 1..end).end..squeezed.origin(end..end + 1).start;
            let gap = text.get(gap).unwrap_or_default();
            let blanks = gap.chars().filter(|char| char.is_whitespace()).count();
            let wrapped = gap.contains('\n') || blanks >= 8;
            if blanks > 0 && !(wrapped && (end < sure || end - start >= LONG)) {
                break;
            }
        }
        end += 1;
    }
    end
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.=~+/".contains(&byte)
}

/// Tells the beginning of a token from a word that has the same letters (`KeyJson...`).
///
/// The same tells a secret from the next word of a sentence.
fn looks_random(run: &[u8]) -> bool {
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    let capitals = run.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    run.len() >= 16 && digits >= 1 && capitals >= 3
}

fn key_block_end(squeezed: &Squeezed, start: usize) -> usize {
    let rest = &squeezed.cased()[start..];
    rest.windows(8).position(|window| window == b"-----END").map_or(squeezed.len(), |at| start + at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci8iLCJzdWIiOiJzIn0.c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0LTEyMzQ1Njc4OTA";

    fn hides(text: &str, secret: &str) -> String {
        let masked = mask(text).into_owned();
        for part in secret.as_bytes().chunks(6).filter(|part| part.len() == 6) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(!masked.contains(part), "{part} is left in {masked}");
        }
        masked
    }

    #[test]
    fn the_patterns_compile() {
        for pattern in [&NAMED, &FLAG, &FORM, &USERINFO] {
            assert!(pattern.as_str().len() > 20);
        }
    }

    #[test]
    fn tokens_are_hidden_also_where_a_terminal_broke_them() {
        assert_eq!(hides(&format!("got {TOKEN} back"), TOKEN), "got [hidden] back");
        let wrapped: Vec<&str> = TOKEN.as_bytes().chunks(40).map(|part| std::str::from_utf8(part).unwrap()).collect();
        hides(&format!("got {}", wrapped.join("\n    ")), TOKEN);
        hides(&format!("got ey\n{}", &TOKEN[2..]), TOKEN);
        hides(&format!("{{\\\"assertion\\\":\\\"{TOKEN}\\\"}}"), TOKEN);
    }

    #[test]
    fn named_secrets_are_hidden_and_their_names_are_not() {
        let secret = "s3cretvalue-0123456789";
        for text in [
            "client_secret=VALUE&scope=x",
            "\"client_secret\": \"VALUE\", \"b\": 1",
            "AZURE_CLIENT_SECRET=VALUE\nnext",
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=VALUE;EndpointSuffix=core.windows.net",
            "Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey=VALUE",
            "https://a.blob.core.windows.net/c?sv=2020&sig=VALUE&se=2024",
            "Authorization: Bearer VALUE\nx",
            "postgres://user:VALUE@host/db",
            "az login --service-principal --federated-token VALUE --tenant t",
            "aadClientSecret: VALUE",
        ] {
            let masked = hides(&text.replace("VALUE", secret), secret);
            assert!(masked.contains(HIDDEN), "{masked}");
        }
        assert_eq!(mask("client_secret=abcdef&scope=x"), "client_secret=[hidden]&scope=x");
    }

    #[test]
    fn a_key_block_is_hidden_to_its_end() {
        let block = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\nafter";
        let masked = hides(block, "MIIEowIBAAKCAQEA");
        assert!(masked.ends_with("after"), "{masked}");
    }

    #[test]
    fn what_is_not_secret_stays() {
        for text in [
            "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            "Post \"https://login.microsoftonline.com/t/oauth2/v2.0/token\": dial tcp: i/o timeout",
            "SigningKeyJsonWebKeySetUri and keyJson are words",
            "no token file specified. Check pod configuration",
            "failed to create a workload identity token: no client ID specified",
            "open /var/run/secrets/azure/tokens/azure-identity-token: permission denied",
            "decode account key: illegal base64 data at input byte 4",
            "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "password=***",
        ] {
            assert_eq!(mask(text), text);
        }
    }
}
