//! What the user may do, asked of the API server before it is tried.

use super::client::{Call, Client};
use super::error::Error;
use super::operation::Operation;
use super::resource::ResourceType;
use http::Method;
use serde::Deserialize;
use std::borrow::Cow;

/// A right to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right<'a> {
    /// Verb of a role.
    pub verb: &'a str,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Plural.
    pub resource: &'a str,
    /// `exec`, `ephemeralcontainers`, `token`
    pub subresource: Option<&'a str>,
    /// `None`: in every namespace.
    pub namespace: Option<&'a str>,
    /// `None`: on every object.
    pub name: Option<&'a str>,
}

/// The answer to the question for a right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Access {
    /// It may be done.
    pub allowed: bool,
    /// The authorizer's reason; often empty.
    pub reason: String,
}

/// Who the API server takes the user for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WhoAmI {
    /// The user name, as a role binding would have to name it.
    pub username: String,
    /// The groups.
    pub groups: Vec<String>,
}

const SELF_SUBJECT_ACCESS_REVIEW: ResourceType =
    review("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews");
const SELF_SUBJECT_REVIEW: ResourceType = review("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews");

const fn review(group: &'static str, kind: &'static str, plural: &'static str) -> ResourceType {
    ResourceType {
        group: Cow::Borrowed(group),
        version: Cow::Borrowed("v1"),
        kind: Cow::Borrowed(kind),
        plural: Cow::Borrowed(plural),
        singular: Cow::Borrowed(""),
        short_names: Cow::Borrowed(&[]),
        namespaced: false,
    }
}

impl Client {
    /// Asks whether a right is there (`SelfSubjectAccessReview`). Everybody may ask.
    ///
    /// It is a POST, so it is not repeated: a failure is an error, and says nothing about the right.
    pub async fn can(&self, right: &Right<'_>) -> Result<Access, Error> {
        #[derive(Deserialize)]
        struct Review {
            #[serde(default)]
            status: Access,
        }
        let review = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "verb": right.verb,
                "group": right.group,
                "resource": right.resource,
                "subresource": right.subresource.unwrap_or_default(),
                "namespace": right.namespace.unwrap_or_default(),
                "name": right.name.unwrap_or_default(),
            }},
        });
        let answer: Review = self.create_review(&SELF_SUBJECT_ACCESS_REVIEW, &review).await?;
        Ok(answer.status)
    }

    /// Asks who the user is (`SelfSubjectReview`, from Kubernetes 1.28 on).
    pub async fn who_am_i(&self) -> Result<WhoAmI, Error> {
        #[derive(Deserialize)]
        struct Review {
            #[serde(default)]
            status: Status,
        }
        #[derive(Deserialize, Default)]
        #[serde(default, rename_all = "camelCase")]
        struct Status {
            user_info: WhoAmI,
        }
        let review = serde_json::json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
        let answer: Review = self.create_review(&SELF_SUBJECT_REVIEW, &review).await?;
        Ok(answer.status.user_info)
    }

    async fn create_review<T: serde::de::DeserializeOwned>(
        &self,
        resource: &ResourceType,
        review: &serde_json::Value,
    ) -> Result<T, Error> {
        let operation = Operation::on_all("create", resource, None)?;
        let body = Some(("application/json", review.to_string().into_bytes()));
        self.json(&Call { method: Method::POST, body, ..Call::get(&operation) }).await
    }
}
