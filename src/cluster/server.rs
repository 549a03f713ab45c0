//! What the API server says about itself: version, token issuer, keys.

use super::client::{Call, Client};
use super::error::Error;
use super::operation::Operation;
use serde::Deserialize;

/// `/version`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerVersion {
    /// `v1.34.4`, with the distribution's suffix where it has one.
    pub git_version: String,
    /// `1`
    #[serde(default)]
    pub major: String,
    /// `34`; some clouds write `34+`.
    #[serde(default)]
    pub minor: String,
}

/// `/.well-known/openid-configuration`: who issues the cluster's service account tokens, as the API server itself says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OpenIdConfiguration {
    /// The `iss` of its tokens; Entra ID has to know exactly this text.
    pub issuer: String,
    /// Where its public keys are.
    pub jwks_uri: String,
}

impl Client {
    /// The API server's version.
    pub async fn server_version(&self) -> Result<ServerVersion, Error> {
        self.json(&Call::get(&Operation::read_path("/version"))).await
    }

    /// The issuer of service account tokens. Needs the role `system:service-account-issuer-discovery`, which service
    /// accounts have and people often lack.
    pub async fn openid_configuration(&self) -> Result<OpenIdConfiguration, Error> {
        self.json(&Call::get(&Operation::read_path("/.well-known/openid-configuration"))).await
    }

    /// The public keys of service account tokens (a JSON Web Key Set), from the API server and not from the issuer's
    /// public address. The same role is needed.
    pub async fn jwks(&self) -> Result<serde_json::Value, Error> {
        let operation = Operation::read_path("/openid/v1/jwks");
        self.json(&Call { accept: "application/jwk-set+json", ..Call::get(&operation) }).await
    }
}
