//! Kubeconfig files.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::pki::Certificate;

/// How a kubeconfig's user proves who it is.
pub(crate) enum Credential<'a> {
    Certificate(&'a Certificate),
    Token(&'a str),
}

/// A kubeconfig of one cluster, one user and one context; JSON, which is YAML too.
pub(crate) fn render(server: &str, authority: &str, credential: &Credential<'_>) -> String {
    let user = match credential {
        Credential::Certificate(pair) => json!({
            "client-certificate-data": BASE64_STANDARD.encode(&pair.certificate),
            "client-key-data": BASE64_STANDARD.encode(&pair.key),
        }),
        Credential::Token(token) => json!({"token": token}),
    };
    let cluster = json!({"server": server, "certificate-authority-data": BASE64_STANDARD.encode(authority)});
    wrap(&cluster, &user)
}

/// The current context's cluster of an existing kubeconfig, as `kubectl config view --flatten --minify -o json` gives it,
/// with another user.
pub(crate) fn with_user(existing: &Value, user: &Value) -> String {
    wrap(&existing["clusters"][0]["cluster"], user)
}

fn wrap(cluster: &Value, user: &Value) -> String {
    let file = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    });
    format!("{file:#}\n")
}
