//! `cargo xtask azure up`: the emulator with a seeded tenant, for a person to try `--azure` without an Azure account.

use crate::Emulator;
use crate::tenant::{Assignment, Credential, Extension, Issuer, Tenant, examples};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// How to start.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// Port for HTTP; 0 is a free one.
    pub port: u16,
    /// Port for HTTPS; 0 is a free one.
    pub tls_port: u16,
    /// Where the certificate and the stand-in for `az` are put.
    pub directory: PathBuf,
    /// Issuers of clusters whose tokens are to be exchanged, each with a file that holds its keys (JWKS).
    pub issuers: Vec<(String, PathBuf)>,
    /// Credentials to add to the identity `mi1`: issuer and subject.
    pub credentials: Vec<(String, String)>,
}

impl Default for UpOptions {
    fn default() -> Self {
        Self {
            port: 8410,
            tls_port: 8411,
            directory: PathBuf::from("target/azure"),
            issuers: Vec::new(),
            credentials: Vec::new(),
        }
    }
}

/// The tenant that `up` starts with: what the tests use, with a credential that nearly matches, a role, and Service
/// Connector's extension.
pub(crate) fn seeded() -> Tenant {
    let mut tenant = Tenant::example();
    let near = examples::ISSUER.trim_end_matches('/');
    if let Some(identity) = tenant.identities.first_mut() {
        let subject = "system:serviceaccount:velero:velero-server";
        identity.credentials.push(Credential::new("velero", near, subject, examples::AUDIENCE));
        identity.tags = json!({"team": "platform"});
    }
    tenant.assignments.push(Assignment {
        scope: format!("/subscriptions/{}/resourceGroups/rg1", examples::SUBSCRIPTION),
        role: "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1".to_owned(),
        principal: examples::PRINCIPAL.to_owned(),
        principal_type: "ServicePrincipal".to_owned(),
        members: Vec::new(),
        condition: None,
    });
    tenant.extensions.push(Extension {
        cluster: examples::CLUSTER.to_owned(),
        name: "sc-extension".to_owned(),
        body: crate::file("rest/kubernetesconfiguration/aks-sc-extension.reconstructed.json")["succeeded"].clone(),
    });
    tenant
}

/// Starts the emulator, says how to use it, and runs until it is interrupted.
///
/// # Errors
/// A port that is taken, or a file that cannot be read or written.
pub fn up(options: &UpOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let emulator = start_seeded(options).await?;
        println!("{}", directions(&emulator, options));
        tokio::signal::ctrl_c().await?;
        Ok(())
    })
}

/// Starts the emulator with the seeded tenant, and puts its certificate and the stand-in for `az` into the folder.
///
/// # Errors
/// A port that is taken, or a file that cannot be read or written.
pub async fn start_seeded(options: &UpOptions) -> Result<Emulator> {
    let mut tenant = seeded();
    for (url, file) in &options.issuers {
        let text = std::fs::read_to_string(file).with_context(|| format!("the keys of {url}: {}", file.display()))?;
        let jwks: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
        tenant.issuers.retain(|issuer| issuer.url != *url);
        tenant.issuers.push(Issuer { url: url.clone(), jwks: Some(jwks) });
    }
    if let Some(identity) = tenant.identities.first_mut() {
        for (index, (issuer, subject)) in options.credentials.iter().enumerate() {
            identity.credentials.push(Credential::new(&format!("added-{index}"), issuer, subject, examples::AUDIENCE));
        }
    }
    start(tenant, options).await
}

/// Starts the emulator with a tenant of the caller's, and puts its certificate and the stand-in for `az` into the
/// folder.
///
/// # Errors
/// A port that is taken, or a file that cannot be written.
pub async fn start(tenant: Tenant, options: &UpOptions) -> Result<Emulator> {
    let emulator = Emulator::start_on(tenant, options.port, options.tls_port).await?;
    std::fs::create_dir_all(options.directory.join("bin")).context("the folder for the stand-in of az")?;
    std::fs::write(options.directory.join("ca.pem"), emulator.ca_pem()).context("ca.pem")?;
    write_az(&emulator, options)?;
    Ok(emulator)
}

/// A stand-in for `az` that knows `account get-access-token` for the emulator's endpoints and nothing else.
fn write_az(emulator: &Emulator, options: &UpOptions) -> Result<()> {
    let life = Duration::from_hours(12);
    let mut cases = String::new();
    let expires = jiff::Timestamp::now().as_second() + 12 * 3600;
    for resource in [emulator.arm_endpoint(), emulator.arm_endpoint_tls(), emulator.graph_endpoint()] {
        let answer = json!({
            "accessToken": emulator.access_token(&resource, life),
            "expires_on": expires, "tenant": examples::TENANT, "tokenType": "Bearer",
        });
        let _ = writeln!(cases, "  {resource}) echo '{answer}' ;;");
    }
    let script = format!(
        "#!/bin/sh\n# Stand-in for the Azure CLI: tokens for the emulator of kubectl-wi's tests.\n\
         resource=\nwhile [ $# -gt 0 ]; do [ \"$1\" = --resource ] && resource=$2; shift; done\n\
         case \"$resource\" in\n{cases}  *) echo \"ERROR: this stand-in for az only knows the emulator\" >&2; exit 1 ;;\nesac\n"
    );
    let path = options.directory.join("bin/az");
    std::fs::write(&path, script).context("the stand-in for az")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn directions(emulator: &Emulator, options: &UpOptions) -> String {
    let directory = std::path::absolute(&options.directory).unwrap_or_else(|_| options.directory.clone());
    let directory = directory.display();
    let (client, tenant) = (examples::CLIENT, examples::TENANT);
    format!(
        "Azure emulator: one subscription, the identity mi1 (client id {client}), the cluster aks-wi-on.\n\n\
         In another shell, with a login like az's:\n\
         \x20 export PATH={directory}/bin:$PATH\n\
         \x20 kubectl wi inspect ... --azure=yes --arm-endpoint {arm}\n\n\
         or with a service principal from the environment:\n\
         \x20 export SSL_CERT_FILE={directory}/ca.pem AZURE_AUTHORITY_HOST={authority}\n\
         \x20 export AZURE_TENANT_ID={tenant} AZURE_CLIENT_ID={application} AZURE_CLIENT_SECRET=test-client-secret\n\
         \x20 kubectl wi inspect ... --azure=yes --azure-credential env --arm-endpoint {tls}\n\n\
         exec-probe exchanges tokens of clusters whose keys are given (--trust ISSUER=JWKS-FILE), with SSL_CERT_FILE as above:\n\
         \x20 kubectl wi exec-probe ... --exchange --authority-host {authority}\n\n\
         Ctrl-C ends it.",
        arm = emulator.arm_endpoint(),
        tls = emulator.arm_endpoint_tls(),
        authority = emulator.authority(),
        application = examples::APPLICATION,
    )
}
