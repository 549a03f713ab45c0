//! The list of all rules.

use super::azure::{capacity, cluster as managed, contested, credential, identity, role};
use super::probe::{exchange, file, token};
use super::{Documented, Report, Rule, RuleInfo, account, cluster, pod, symptom, template, tool};
use crate::apps::thanos::rules as thanos;
use crate::apps::{
    cert_manager, external_dns, external_secrets, general, keda, loki, secrets_store, service_connector, terraform,
    velero, volumes,
};
use crate::chain::Chain;
use crate::model::finding::Finding;

/// Every rule, by code. A new rule is one line here.
pub static RULES: &[&dyn Rule] = &[
    &template::label::PodLabelMissing,
    &template::place::PodLabelWrongPlace,
    &template::label::PodLabelWrongValue,
    &template::label::PodLabelTypo,
    &template::account::WrongServiceAccount,
    &template::automount::AutomountDisabled,
    &template::containers::ContainerSkipped,
    &template::environment::EnvOverride,
    &template::credential::ClientSecretPrecedence,
    &template::token_path::TokenPathHardcoded,
    &template::expiration::TokenExpirationInvalid,
    &template::proxy::ProxySidecarMisused,
    &template::pod_identity::PodIdentityLabel,
    &template::volume::ManualTokenVolume,
    &template::binding::IdentityBindingMode,
    &template::platform::StaticPod,
    &template::late::LabelAddedTooLate,
    &template::platform::WindowsOsMissing,
    &template::platform::VirtualNodeUnsupported,
    &account::missing::ServiceAccountMissing,
    &account::client_id::ClientIdMissing,
    &account::client_id::ClientIdInvalid,
    &account::annotation::AnnotationWrongKey,
    &account::tenant::TenantIdInvalid,
    &account::legacy::LegacyAccountLabel,
    &account::common::DefaultAccountAnnotated,
    &cluster::webhook::WebhookMissing,
    &cluster::health::WebhookUnhealthy,
    &cluster::selection::WebhookExcludesNamespace,
    &cluster::duplicate::WebhookDuplicate,
    &cluster::outdated::WebhookOutdated,
    &cluster::certificate::WebhookCaInvalid,
    &cluster::issuer::OidcIssuerUnusable,
    &cluster::issuer::OidcIssuerUnreachable,
    &cluster::pod_identity::PodIdentityInstalled,
    &cluster::settings::WebhookMisconfigured,
    &cluster::issuer::SigningAlgorithmUnsupported,
    &cluster::mutation::WebhookNotIdempotent,
    &cluster::mutation::WebhookDropsFields,
    &pod::mutated::PodNotMutated,
    &pod::stale::PodStale,
    &pod::denied::PodCreationDenied,
    &pod::unlabelled::PodsUnlabelledByOwner,
    &pod::fought::MutationFought,
    &file::TokenFileMissing,
    &file::TokenUnreadable,
    &token::TokenExpired,
    &token::TokenIssuerMismatch,
    &token::TokenSubjectMismatch,
    &token::TokenAudienceMismatch,
    &token::TokenKeyUnknown,
    &token::ClockSkew,
    &exchange::ExchangeRejected,
    &exchange::ExchangeFlaky,
    &exchange::AuthorityUnreachable,
    &symptom::AssertionCached,
    &identity::IdentityNotFound,
    &credential::FederatedCredentialMissing,
    &credential::FederatedIssuerMismatch,
    &credential::FederatedSubjectMismatch,
    &credential::FederatedAudienceMismatch,
    &capacity::FederatedCredentialLimit,
    &capacity::FederatedCredentialStale,
    &identity::ClientIdIsObjectId,
    &identity::TenantMismatch,
    &managed::AksFeatureDisabled,
    &contested::CredentialContested,
    &role::RoleAssignmentMissing,
    &role::RoleTooBroad,
    &velero::credentials::VeleroClientSecret,
    &velero::location::VeleroUseAadUnset,
    &velero::data::VeleroNodeAgentUnlabelled,
    &velero::data::VeleroDataMoverDefect,
    &velero::versions::VeleroPluginOutdated,
    &velero::maintenance::VeleroPodLabelsReplaced,
    &velero::location::VeleroLocationUnavailable,
    &velero::versions::VeleroUploaderUnsupported,
    &velero::data::VeleroDataMoverUnlabelled,
    &keda::authentication::KedaProviderRemoved,
    &keda::authentication::KedaIdentityIdInvalid,
    &keda::operator::KedaOperatorNotWired,
    &keda::operator::KedaVersionSkew,
    &keda::scaling::KedaConnectionOverrides,
    &keda::authentication::KedaAuthenticationNotFound,
    &keda::scaling::KedaScalerFailing,
    &keda::authentication::KedaSubject,
    &thanos::ThanosUserAssignedId,
    &thanos::ThanosStaticCredentials,
    &thanos::ThanosVersionUnsupported,
    &thanos::ThanosAccountSwitched,
    &service_connector::job::ServiceConnectorJobFailed,
    &service_connector::rules::ServiceConnectorExtensionGone,
    &service_connector::rules::ServiceConnectorWorkloadUnwired,
    &service_connector::rules::ServiceConnectorOrphan,
    &external_secrets::rules::ExternalSecretsStore,
    &external_dns::ExternalDnsConfig,
    &cert_manager::CertManagerSolver,
    &secrets_store::SecretsStoreClass,
    &loki::LokiStorageConfig,
    &general::ApplicationOutdated,
    &general::ApplicationConfig,
    &secrets_store::CsiTokenRequestsMissing,
    &volumes::CsiVolumeIdentity,
    &terraform::TerraformRunnerConfig,
    &symptom::SymptomImdsFallback,
    &symptom::SymptomNotConfigured,
    &symptom::SymptomEntraRejected,
    &symptom::SymptomNotAuthorized,
    &symptom::SymptomNetwork,
    &symptom::SymptomOtherCredential,
    &symptom::SymptomNotIdentity,
    &symptom::SymptomNetworkDenied,
];

/// What is found on the way from input to report, and by no rule over a chain.
static OF_THE_TOOL: [&RuleInfo; 3] =
    [&tool::UnusedSuppression::INFO, &tool::InsufficientPermission::INFO, &tool::InvalidObject::INFO];

/// Runs all rules over one chain.
pub fn check(chain: &Chain<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        rule.check(chain, &mut Report::new(rule.info(), &mut findings));
    }
    symptom::observe(chain, &mut findings);
    findings
}

/// The rule of that code or name, in any case.
pub fn find(code_or_name: &str) -> Option<&'static RuleInfo> {
    infos().find(|info| info.code.eq_ignore_ascii_case(code_or_name) || info.name.eq_ignore_ascii_case(code_or_name))
}

/// What is fixed about every rule.
pub fn infos() -> impl Iterator<Item = &'static RuleInfo> {
    OF_THE_TOOL.into_iter().chain(RULES.iter().map(|rule| rule.info()))
}

/// The codes that a list such as `WI101,WI2` names; prefixes stand for all that begin with them.
pub fn matches(selector: &str, code: &str) -> bool {
    let selector = selector.trim().as_bytes();
    !selector.is_empty()
        && code.len() >= selector.len()
        && code.as_bytes()[..selector.len()].eq_ignore_ascii_case(selector)
}
