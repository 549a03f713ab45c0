//! The webhook's settings from its flags and environment, as the real one reads them when it starts.

use std::env;

use anyhow::{Context, Result, ensure};
use kubectl_wi::webhook::{CustomTokenEndpoint, KubernetesVersion, WebhookSettings, settings::authority_host};

use crate::Flags;

/// Reads them.
pub(crate) fn read(flags: &Flags, kubernetes: &str) -> Result<WebhookSettings> {
    let mut settings = WebhookSettings::new(flags.profile.parse()?);
    settings.tenant_id = Some(variable("AZURE_TENANT_ID").context("AZURE_TENANT_ID is required")?);
    let environment = variable("AZURE_ENVIRONMENT").unwrap_or_default();
    let authority = authority_host(&environment).with_context(|| {
        let name = environment.to_uppercase();
        format!(
            "unable to set up pod mutator: autorest/azure: There is no cloud environment matching the name {name:?}"
        )
    })?;
    settings.authority_host = Some(authority.to_owned());
    if !flags.audience.is_empty() {
        settings.audience.clone_from(&flags.audience);
    }
    settings.log_level.clone_from(&flags.log_level);
    settings.proxy_image = variable("PROXY_IMAGE");
    settings.proxy_init_image = variable("PROXY_INIT_IMAGE");
    settings.custom_endpoint = custom_endpoint(flags)?;
    let version: KubernetesVersion = kubernetes.parse()?;
    settings.kubernetes = Some(version);
    Ok(settings)
}

fn custom_endpoint(flags: &Flags) -> Result<Option<CustomTokenEndpoint>> {
    let suffix = &flags.custom_token_endpoint_annotation_suffix;
    let audience = &flags.custom_token_endpoint_audience;
    ensure!(
        suffix.is_empty() == audience.is_empty(),
        "--custom-token-endpoint-annotation-suffix and --custom-token-endpoint-audience go together"
    );
    if suffix.is_empty() {
        return Ok(None);
    }
    let text = |name: &str| variable(name).unwrap_or_default();
    let selector = variable("AZURE_KUBERNETES_CA_CTB_LABEL_SELECTOR");
    Ok(Some(CustomTokenEndpoint {
        annotation_suffix: suffix.clone(),
        audience: audience.clone(),
        token_proxy: text("AZURE_KUBERNETES_TOKEN_PROXY"),
        sni_name: text("AZURE_KUBERNETES_SNI_NAME"),
        ca_data: text("AZURE_KUBERNETES_CA_DATA"),
        ca_config_map: text("AZURE_KUBERNETES_CA_CONFIGMAP_NAME"),
        ca_signer: text("AZURE_KUBERNETES_CA_CTB_SIGNER_NAME"),
        ca_label_selector: selector
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .context("AZURE_KUBERNETES_CA_CTB_LABEL_SELECTOR is no JSON")?,
    }))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
