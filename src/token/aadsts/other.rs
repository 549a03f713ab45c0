//! Other credentials than workload identity: secrets, certificates, people.

use super::{Confidence, ENTRY, Entry, Kind};

const REMOVE_SECRET: &str = "remove AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH, AZURE_USERNAME and the application's own secret settings, and restart";
const NOT_A_POD: &str =
    "log in again, or give the tool the workload's identity (az login --service-principal --federated-token)";
const PERSON: &str = "a person's login is used (az, azd, a user name and password), not the pod's identity";
const SECRET: &[&str] = &["WI109", "WI701", "WI741", "WI770", "WI771", "WI776"];
const LOGIN: &[&str] = &["WI109", "WI776", "WI101"];

/// A person's login that fails.
const fn login(code: u32, title: &'static str, meaning: &'static str) -> Entry {
    Entry {
        code,
        title,
        kind: Kind::OtherCredential,
        meaning,
        causes: &[PERSON],
        actions: &[NOT_A_POD],
        points_to: LOGIN,
        ..ENTRY
    }
}

/// A certificate of an application.
const fn certificate(code: u32, title: &'static str, meaning: &'static str) -> Entry {
    Entry {
        code,
        title,
        kind: Kind::OtherCredential,
        meaning,
        causes: &["a certificate credential is configured"],
        actions: &[REMOVE_SECRET],
        points_to: SECRET,
        ..ENTRY
    }
}

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: 7_000_215,
        title: "Invalid client secret provided",
        kind: Kind::OtherCredential,
        meaning: "A client secret was sent: the SDK took it before it came to workload identity, and the secret is wrong.",
        causes: &[
            "a left-over AZURE_CLIENT_SECRET in the pod template, or a secret in the application's own configuration",
        ],
        actions: &[REMOVE_SECRET],
        points_to: SECRET,
        source: "Azure SDK troubleshooting guides",
        ..ENTRY
    },
    Entry {
        code: 7_000_222,
        title: "The provided client secret keys are expired",
        kind: Kind::OtherCredential,
        meaning: "A client secret was sent: the SDK took it before it came to workload identity, and the secret has expired.",
        causes: &[
            "a left-over AZURE_CLIENT_SECRET in the pod template, or a secret in the application's own configuration",
        ],
        actions: &[REMOVE_SECRET],
        points_to: SECRET,
        source: "Azure SDK troubleshooting guides",
        ..ENTRY
    },
    Entry {
        code: 70002,
        title: "Error validating credentials",
        kind: Kind::OtherCredential,
        meaning: "The older form of an invalid client secret.",
        causes: &["a wrong or expired client secret"],
        actions: &[REMOVE_SECRET],
        points_to: SECRET,
        ..ENTRY
    },
    Entry {
        code: 50012,
        title: "Authentication failed: invalid client secret",
        kind: Kind::OtherCredential,
        meaning: "The older form of an invalid client secret or certificate.",
        causes: &["a wrong or expired client secret"],
        actions: &[REMOVE_SECRET],
        points_to: SECRET,
        ..ENTRY
    },
    certificate(
        700_030,
        "Invalid certificate: the subject name is not authorized",
        "A certificate was sent that the application does not take.",
    ),
    certificate(392_189, "The certificate-bound token request failed", "A code of certificate-bound tokens."),
    certificate(392_196, "The certificate-bound token request failed", "A code of certificate-bound tokens."),
    certificate(392_200, "The certificate-bound token request failed", "A code of certificate-bound tokens."),
    login(50034, "The user account does not exist in the directory", "A user name was sent, and nobody has it."),
    login(50020, "The user account from the identity provider does not exist in the tenant", "A guest's login."),
    login(50053, "The account is locked", "A user name and password were sent, too often wrong."),
    login(50055, "The password is expired", "A user name and password were sent."),
    login(50057, "The user account is disabled", "A user name was sent, and the account is switched off."),
    login(50076, "Multi-factor authentication is required", "A user name and password were sent, which is not enough."),
    login(50079, "Multi-factor authentication must be enrolled", "A user name and password were sent."),
    login(50126, "Invalid username or password", "A user name and password were sent, and they are wrong."),
    login(50173, "The provided grant has expired", "A person's login has expired or was revoked."),
    login(50058, "A silent sign-in request was sent but no user is signed in", "Nobody is logged in."),
    login(65002, "Consent between first party applications must be configured", "A person's login asks for a token."),
    login(65004, "The user declined to consent", "A person's login asks for a token."),
    login(70008, "The refresh token has expired", "A person's login has expired."),
    login(70043, "The refresh token has expired due to Conditional Access", "A person's login has expired."),
    login(700_082, "The refresh token has expired due to inactivity", "A person's login has expired."),
    login(700_084, "The refresh token was issued to a single page app", "A person's login has expired."),
    Entry {
        code: 7_000_114,
        title: "The application is not allowed to make application on-behalf-of calls",
        kind: Kind::OtherCredential,
        meaning: "The application exchanges a caller's token; workload identity itself works.",
        causes: &["the on-behalf-of flow is not allowed for this application"],
        actions: &["look at the application's permissions, not at the pod"],
        points_to: &["WI776"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
];
