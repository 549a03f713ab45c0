//! Tokens of service accounts, asked of the API server (`TokenRequest`).

use super::client::{Call, Client};
use super::error::Error;
use super::operation::Operation;
use super::resource;
use http::Method;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Which token to ask for.
#[derive(Debug, Clone, Copy)]
pub struct TokenQuery<'a> {
    /// The account's namespace.
    pub namespace: &'a str,
    /// The account.
    pub service_account: &'a str,
    /// `aud`; for Azure `api://AzureADTokenExchange`.
    pub audience: &'a str,
    /// How long it is to live, in seconds; the API server refuses less than 600.
    pub expiration_seconds: u32,
    /// The pod to bind it to: name and uid. The token ends with the pod.
    pub pod: Option<(&'a str, &'a str)>,
}

/// A token of a service account. `Debug` does not show it, and it is wiped from memory when it is dropped.
#[derive(Debug)]
pub struct AccountToken {
    /// The token itself.
    pub token: SecretString,
    /// When it ends, as the API server said.
    pub expires: Option<Timestamp>,
}

/// The answer. No `Debug`: it holds the token in clear.
#[derive(Deserialize)]
struct Answer {
    status: AnswerStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerStatus {
    token: String,
    #[serde(default)]
    expiration_timestamp: Option<String>,
}

impl Client {
    /// Asks for a token. Needs `create` on `serviceaccounts/token`; changes nothing in the cluster, but is a POST and
    /// not repeated.
    pub async fn request_token(&self, query: &TokenQuery<'_>) -> Result<AccountToken, Error> {
        let account = &resource::SERVICE_ACCOUNT;
        let operation =
            Operation::on_one("create", account, Some(query.namespace), query.service_account, Some("token"))?;
        let mut request = serde_json::json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": { "audiences": [query.audience], "expirationSeconds": query.expiration_seconds },
        });
        if let Some((name, uid)) = query.pod {
            request["spec"]["boundObjectRef"] =
                serde_json::json!({ "apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid });
        }
        let body = Some(("application/json", request.to_string().into_bytes()));
        let call = Call { method: Method::POST, body, ..Call::get(&operation) };
        let answer = Zeroizing::new(self.bytes(&call).await?);
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|error| self.unreadable(call.operation, &answer, &error))?;
        Ok(AccountToken {
            token: SecretString::from(answer.status.token),
            expires: answer.status.expiration_timestamp.and_then(|text| text.parse().ok()),
        })
    }
}
