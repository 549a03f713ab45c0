//! A token like the one in the file, asked of the API server.

use crate::cluster::{Client, Error, TokenQuery};
use crate::token::jwt::RawToken;
use secrecy::ExposeSecret as _;

/// How long the token lives, in seconds: the least that the API server grants.
pub const LIFETIME: u32 = 600;

/// What a requested token does not prove, although it has the same issuer, subject and audience.
pub const NOT_PROVED: &[&str] = &[
    "the token file: whether it is in the container, and whether its user can read it",
    "the rotation of the token in the file",
    "the variables as the container sees them",
    "what the application's SDK makes of them",
    "the pod's way to the authority host",
];

/// Whose token is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The account's namespace.
    pub namespace: &'a str,
    /// The account.
    pub account: &'a str,
    /// The audience of the pod's volume.
    pub audience: &'a str,
    /// Name and uid of the pod that it is bound to, where there is one.
    pub pod: Option<(&'a str, &'a str)>,
}

/// Asks for a token of 600 seconds. It ends earlier where its pod does.
pub async fn request(client: &Client, asked: &Asked<'_>) -> Result<RawToken, Error> {
    let query = TokenQuery {
        namespace: asked.namespace,
        service_account: asked.account,
        audience: asked.audience,
        expiration_seconds: LIFETIME,
        pod: asked.pod,
    };
    let answer = client.request_token(&query).await?;
    Ok(RawToken::new(answer.token.expose_secret().to_owned()))
}
