//! The issuer of the cluster's tokens: whether Entra can use it.

use super::cluster_object;
use crate::chain::Chain;
use crate::chain::cluster::{Cluster, PublicKey, Published};
use crate::chain::meant::TokenSource;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use std::net::IpAddr;

rule! {
    /// ## What it does
    /// Finds a cluster whose token issuer Entra can never fetch: the in-cluster default, a private address, plain HTTP.
    ///
    /// ## Why it breaks
    /// Entra reads `ISSUER/.well-known/openid-configuration` over the public internet before it trusts a token. With
    /// the default `https://kubernetes.default.svc` there is nothing to read, and no federated credential can make up
    /// for it: the exchange ends with AADSTS90061, 50166 or 501661.
    ///
    /// ## How it is known
    /// From the API server's own discovery document, else from the `iss` of a token. From files by `--issuer`, by the
    /// API server's flag `--service-account-issuer` (a static pod), or by kubeadm's configuration. A private name in a
    /// public domain cannot be told from here; WI308 fetches the document where asked for.
    ///
    /// ## Fix
    /// On AKS switch the OIDC issuer on. Elsewhere set `--service-account-issuer` to a public address, publish the
    /// discovery document and the keys there, and keep the old issuer as a second value until all tokens are renewed.
    ///
    /// ## Fix safety
    /// The API server restarts. Tokens with the old issuer stay valid as long as it is listed; pods get tokens with the
    /// new one when the kubelet renews them, or when they restart.
    ///
    /// ## References
    /// - Azure Workload Identity, "Self-managed clusters"; Azure/azure-workload-identity issues 616 and 1130
    /// - Microsoft Learn, "Create an `OpenID` Connect provider on AKS"
    OidcIssuerUnusable {
        code: "WI307",
        name: "oidc-issuer-unusable",
        level: Level::Error,
        link: Link::Cluster,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Cluster, Reads::Webhook],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for OidcIssuerUnusable {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !uses_tokens(chain) {
            return;
        }
        let cluster = chain.cluster();
        let Fact::Known(issuer) = &cluster.issuer else { return };
        let Some((why, sure)) = unusable(issuer) else { return };
        let on_aks = cluster.is_aks();
        let fix = if on_aks {
            Fix::manual("switch the OIDC issuer on, then restart the workloads")
                .command("az aks update -g RESOURCE_GROUP -n CLUSTER --enable-oidc-issuer --enable-workload-identity")
        } else {
            Fix::manual(
                "set --service-account-issuer of the API server to a public https address that serves the discovery \
                 document and the keys",
            )
            .command("azwi jwks --public-keys sa.pub --output-file jwks.json")
        };
        report
            .add(
                &cluster_object(cluster),
                "/issuer",
                format!("issuer {issuer} {why}; Entra cannot fetch its keys and rejects every token of this cluster"),
            )
            .level(if sure { Level::Error } else { Level::Warning })
            .confidence(if sure { Confidence::Observed } else { Confidence::Inferred })
            .evidence_all(cluster.issuer_from.as_ref().map(|from| format!("the issuer is known from {from}")))
            .fix(fix);
    }
}

/// Whether the workload shows a token of this cluster to Entra.
fn uses_tokens(chain: &Chain<'_>) -> bool {
    chain.is_meant() && chain.token_source() != TokenSource::OtherCredential
}

/// Why Entra cannot fetch from an issuer, and whether that is certain.
fn unusable(issuer: &str) -> Option<(&'static str, bool)> {
    let lower = issuer.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("https://") else {
        return Some(if lower.starts_with("http://") {
            ("is plain HTTP", true)
        } else {
            ("is no address at all", true)
        });
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    if host.starts_with("kubernetes.default") {
        return Some(("is the in-cluster default", true));
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return is_private(address).then_some(("is a private address", true));
    }
    let internal = [".svc", ".local", ".internal", ".cluster", ".localdomain", ".home.arpa", ".lan"];
    if host == "localhost" || !host.contains('.') || internal.iter().any(|end| host.ends_with(end)) {
        return Some(("is a name that only the cluster or its network knows", true));
    }
    // AKS without the OIDC issuer names its own API server, which answers nobody without a login.
    if host.contains(".azmk8s.") && !host.contains(".oic.") {
        return Some(("is the address of the API server itself, which answers no anonymous request", false));
    }
    None
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

rule! {
    /// ## What it does
    /// Compares what the issuer's public address serves with what the API server says of itself.
    ///
    /// ## Why it breaks
    /// Entra never talks to the cluster. It reads the document and the keys at the public address of the issuer. Where
    /// these are missing, name another issuer, or lack the key that signs now, every exchange fails (AADSTS90061,
    /// 501661, 7000272), whatever the federated credential says. A storage account that refuses anonymous reading, and
    /// keys that were not published after a rotation, are the usual causes on self-managed clusters.
    ///
    /// ## How it is known
    /// Both documents and both key sets are read and compared, only where asked for. An address that cannot be reached
    /// from here may well be reached by Entra: that is a warning.
    ///
    /// ## Fix
    /// Publish the document and the keys that the API server gives out. Publish a new key before it signs.
    ///
    /// ## Fix safety
    /// Publishing restarts nothing. Entra caches keys, so a mended document may take some minutes to count.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 605, 642, 1130 and 1232; Azure/AKS issue 4029
    OidcIssuerUnreachable {
        code: "WI308",
        name: "oidc-issuer-unreachable",
        level: Level::Error,
        link: Link::Cluster,
        needs: &[Needs::Live, Needs::Probe],
        reads: &[Reads::Template, Reads::Account, Reads::Cluster],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for OidcIssuerUnreachable {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let cluster = chain.cluster();
        let Fact::Known(published) = &cluster.published else { return };
        if !uses_tokens(chain) {
            return;
        }
        let Some(Disagreement { level, what, evidence }) = disagreement(cluster, published) else { return };
        report
            .add(&cluster_object(cluster), "/issuer", what)
            .level(level)
            .confidence(Confidence::Proved)
            .evidence_all(evidence)
            .fix(
                Fix::manual("publish what the API server gives out at the issuer's public address")
                    .command("kubectl get --raw /.well-known/openid-configuration")
                    .command("kubectl get --raw /openid/v1/jwks")
                    .command(format!("curl -sS {}", published.url)),
            );
    }
}

struct Disagreement {
    level: Level,
    what: String,
    evidence: Vec<String>,
}

fn disagreement(cluster: &Cluster, published: &Published) -> Option<Disagreement> {
    let url = &published.url;
    let error = |what: String, evidence: Vec<String>| Some(Disagreement { level: Level::Error, what, evidence });
    let document = match &published.document {
        Fact::Known(document) => document,
        Fact::Absent => {
            return error(format!("nothing is published at {url}; Entra finds no keys to check tokens with"), vec![]);
        }
        Fact::Failed(why) => {
            return Some(Disagreement {
                level: Level::Warning,
                what: format!("{url} cannot be fetched from here; if Entra cannot either, it rejects every token"),
                evidence: vec![why.clone()],
            });
        }
        _ => return None,
    };
    if let Fact::Known(issuer) = &cluster.issuer
        && document.issuer != *issuer
    {
        return error(
            "the public discovery document names another issuer than the cluster's tokens; Entra compares them byte \
             for byte"
                .to_owned(),
            vec![format!("tokens: {issuer}"), format!("document: {}", document.issuer)],
        );
    }
    let ids = |keys: &[PublicKey]| keys.iter().map(|key| key.kid.clone()).collect::<Vec<_>>().join(", ");
    match &published.keys {
        Fact::Known(keys) => {
            let own = cluster.discovery.known().map(|discovery| discovery.keys.as_slice()).unwrap_or_default();
            let missing: Vec<PublicKey> =
                own.iter().filter(|key| !keys.iter().any(|other| other.kid == key.kid)).cloned().collect();
            if missing.is_empty() {
                return None;
            }
            error(
                "a key that the cluster signs with is not published; Entra answers AADSTS7000272".to_owned(),
                vec![
                    format!("not published: {}", ids(&missing)),
                    format!("published at {}: {}", document.jwks_uri, ids(keys)),
                ],
            )
        }
        Fact::Absent => {
            error(format!("no keys are published at {}; Entra cannot check any token", document.jwks_uri), vec![])
        }
        _ => None,
    }
}

rule! {
    /// ## What it does
    /// Finds a cluster that signs its tokens with something else than RS256.
    ///
    /// ## Why it breaks
    /// Entra takes federated tokens with RS256 signatures only. A kubeadm cluster whose service account key is an
    /// elliptic curve key signs with ES256, and no federated credential can be used with it.
    ///
    /// ## How it is known
    /// From `id_token_signing_alg_values_supported` of the API server's discovery document, from its keys, or from the
    /// header of a token.
    ///
    /// ## Fix
    /// Give the API server an RSA key to sign with (`--service-account-signing-key-file`) and keep the old one among
    /// `--service-account-key-file` until all tokens are renewed. Publish the new key first.
    ///
    /// ## Fix safety
    /// The API server restarts. Removing the old key at once makes every token of the cluster invalid.
    ///
    /// ## References
    /// - Microsoft Learn, "Important considerations and restrictions for federated identity credentials"
    SigningAlgorithmUnsupported {
        code: "WI311",
        name: "signing-algorithm-unsupported",
        level: Level::Error,
        link: Link::Cluster,
        needs: &[Needs::Live, Needs::Probe],
        reads: &[Reads::Template, Reads::Account, Reads::Cluster],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for SigningAlgorithmUnsupported {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !uses_tokens(chain) {
            return;
        }
        let cluster = chain.cluster();
        let Some((algorithm, evidence)) = foreign_algorithm(cluster) else { return };
        report
            .add(
                &cluster_object(cluster),
                "/signingAlgorithm",
                format!("the cluster signs its tokens with {algorithm}; Entra takes RS256 only"),
            )
            .evidence(evidence)
            .fix(
                Fix::manual(
                    "sign with an RSA key: --service-account-signing-key-file, with both keys in \
                 --service-account-key-file for a day",
                )
                .command("openssl genrsa -out sa.key 2048 && openssl rsa -in sa.key -pubout -out sa.pub"),
            );
    }
}

fn foreign_algorithm(cluster: &Cluster) -> Option<(String, String)> {
    const RS256: &str = "RS256";
    if let Some(algorithm) = &cluster.token_algorithm {
        let found = (algorithm.clone(), "the alg in the header of a token".to_owned());
        return (algorithm != RS256).then_some(found);
    }
    let discovery = cluster.discovery.known()?;
    if !discovery.algorithms.is_empty() && !discovery.algorithms.iter().any(|algorithm| algorithm == RS256) {
        let list = discovery.algorithms.join(", ");
        return Some((list.clone(), format!("id_token_signing_alg_values_supported: {list}")));
    }
    let keys = &discovery.keys;
    let all_others = !keys.is_empty() && keys.iter().all(|key| key.kty != "RSA");
    all_others.then(|| {
        let kinds: Vec<&str> = keys.iter().map(|key| key.alg.as_deref().unwrap_or(&key.kty)).collect();
        (kinds.join(", "), "the keys that the API server serves".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_that_entra_cannot_fetch() {
        for issuer in [
            "https://kubernetes.default.svc",
            "https://kubernetes.default.svc.cluster.local",
            "kubernetes/serviceaccount",
            "http://oidc.example.com",
            "https://10.0.0.1",
            "https://[fd00::1]:6443/",
            "https://192.168.1.5:6443",
            "https://localhost:6443",
            "https://oidc.corp.internal/x",
            "https://my-cluster-dns-1.hcp.westeurope.azmk8s.io:443",
        ] {
            assert!(unusable(issuer).is_some(), "{issuer}");
        }
        for issuer in [
            "https://westeurope.oic.prod-aks.azure.com/8a3f0e5c-1111-4222-8333-444455556666/0f1e2d3c-0000-4000-8000-000000000001/",
            "https://oidc.eks.eu-west-1.amazonaws.com/id/AB12",
            "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c",
            "https://mystorage.blob.core.windows.net/oidc/",
            "https://52.1.2.3/oidc",
        ] {
            assert!(unusable(issuer).is_none(), "{issuer}");
        }
    }
}
