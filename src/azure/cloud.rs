//! Azure's clouds and where each of them is to be found.
//!
//! Sources: the tables of the Azure CLI 2.91 (`azure/cli/core/cloud.py`), of the identity webhook
//! (`pkg/config/config.go`), and Microsoft's page on national clouds.

use crate::cluster::Environment;
use std::fmt;
use url::Url;

/// Which Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub enum CloudName {
    /// The public cloud.
    #[default]
    Public,
    /// Azure US Government.
    UsGov,
    /// Azure operated by 21Vianet.
    China,
}

/// What a workload wants a token for: `exec-probe --for`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Blobs, queues, tables and files.
    Storage,
    /// Secrets, keys and certificates.
    KeyVault,
    /// Service Bus, and Event Hubs with another name.
    ServiceBus,
    /// Azure Resource Manager.
    Arm,
    /// Azure SQL.
    Sql,
    /// Azure Database for PostgreSQL and MySQL.
    Postgres,
}

/// The hosts of one cloud. Everything is without a trailing slash.
#[derive(Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Which one.
    pub name: CloudName,
    /// Its name in the Azure CLI (`az cloud list`).
    pub cli_name: &'static str,
    /// Its name in the webhook's setting `AZURE_ENVIRONMENT`.
    pub webhook_name: &'static str,
    /// Entra's host, as Microsoft documents it.
    pub authority: &'static str,
    /// Other hosts that are the same Entra; the webhook injects China's old one.
    pub authority_aliases: &'static [&'static str],
    /// Azure Resource Manager.
    pub arm: &'static str,
    /// Microsoft Graph; also the resource to ask a token for.
    pub graph: &'static str,
    /// The portal.
    pub portal: &'static str,
    /// The audience that Entra's documentation gives for a *managed identity's token* as assertion. A Kubernetes token
    /// carries `api://AzureADTokenExchange` in every cloud, because the webhook's default is a constant; so this one
    /// in a credential is a near miss, not a rule.
    pub cloud_audience: &'static str,
    /// Host suffix of the issuers of AKS clusters. The public one is documented; the others are seen in public files.
    pub aks_issuer_suffix: &'static str,
    vault: &'static str,
    sql: &'static str,
    postgres: &'static str,
}

/// The audience that the webhook projects unless an annotation or a flag says otherwise, in every cloud.
pub const DEFAULT_AUDIENCE: &str = "api://AzureADTokenExchange";

/// The audience of the tokens of AKS identity bindings, which cannot be exchanged through a normal credential.
pub const IDENTITY_BINDING_AUDIENCE: &str = "api://AKSIdentityBinding";

static PUBLIC: Cloud = Cloud {
    name: CloudName::Public,
    cli_name: "AzureCloud",
    webhook_name: "AzurePublicCloud",
    authority: "https://login.microsoftonline.com",
    authority_aliases: &["login.windows.net", "login.microsoft.com", "sts.windows.net"],
    arm: "https://management.azure.com",
    graph: "https://graph.microsoft.com",
    portal: "https://portal.azure.com",
    cloud_audience: DEFAULT_AUDIENCE,
    aks_issuer_suffix: ".oic.prod-aks.azure.com",
    vault: "https://vault.azure.net",
    sql: "https://database.windows.net",
    postgres: "https://ossrdbms-aad.database.windows.net",
};

static US_GOV: Cloud = Cloud {
    name: CloudName::UsGov,
    cli_name: "AzureUSGovernment",
    webhook_name: "AzureUSGovernmentCloud",
    authority: "https://login.microsoftonline.us",
    authority_aliases: &["login.usgovcloudapi.net"],
    arm: "https://management.usgovcloudapi.net",
    graph: "https://graph.microsoft.us",
    portal: "https://portal.azure.us",
    cloud_audience: "api://AzureADTokenExchangeUSGov",
    aks_issuer_suffix: ".oic.prod-aks.azure.us",
    vault: "https://vault.usgovcloudapi.net",
    sql: "https://database.usgovcloudapi.net",
    postgres: "https://ossrdbms-aad.database.usgovcloudapi.net",
};

static CHINA: Cloud = Cloud {
    name: CloudName::China,
    cli_name: "AzureChinaCloud",
    webhook_name: "AzureChinaCloud",
    authority: "https://login.partner.microsoftonline.cn",
    authority_aliases: &["login.chinacloudapi.cn"],
    arm: "https://management.chinacloudapi.cn",
    graph: "https://microsoftgraph.chinacloudapi.cn",
    portal: "https://portal.azure.cn",
    cloud_audience: "api://AzureADTokenExchangeChina",
    aks_issuer_suffix: ".oic.prod-aks.azure.cn",
    vault: "https://vault.azure.cn",
    sql: "https://database.chinacloudapi.cn",
    postgres: "https://ossrdbms-aad.database.chinacloudapi.cn",
};

impl CloudName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Public, Self::UsGov, Self::China];

    /// Its hosts.
    pub fn cloud(self) -> &'static Cloud {
        match self {
            Self::Public => &PUBLIC,
            Self::UsGov => &US_GOV,
            Self::China => &CHINA,
        }
    }

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::UsGov => "usgov",
            Self::China => "china",
        }
    }

    /// The cloud of an Entra host such as `https://login.chinacloudapi.cn/`.
    pub fn of_authority(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?;
        Self::ALL.into_iter().find(|name| {
            let cloud = name.cloud();
            cloud.authority.strip_prefix("https://") == Some(host) || cloud.authority_aliases.contains(&host)
        })
    }

    /// The cloud of an AKS cluster's issuer.
    pub fn of_issuer(issuer: &str) -> Option<Self> {
        let url = Url::parse(issuer).ok()?;
        let host = url.host_str()?;
        Self::ALL.into_iter().find(|name| host.ends_with(name.cloud().aks_issuer_suffix))
    }

    /// The cloud of an AKS cluster's API server, by its host.
    pub fn of_server(host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| host.ends_with(suffix));
        if ends(&[".azmk8s.io"]) {
            Some(Self::Public)
        } else if ends(&[".aks.containerservice.azure.us"]) {
            Some(Self::UsGov)
        } else if ends(&[".azk8s.cn"]) {
            Some(Self::China)
        } else {
            None
        }
    }

    /// The cloud that the Azure CLI is set to (`az cloud set`): section `cloud`, key `name`, of its file `config`.
    /// `None` where nothing is set, which means the public cloud, or where it is one that is not known here.
    pub fn of_cli(environment: &Environment) -> Option<Self> {
        if let Some(name) = environment.text("AZURE_CLOUD_NAME") {
            return Self::of_cli_name(name);
        }
        let directory = match environment.text("AZURE_CONFIG_DIR") {
            Some(directory) => directory.into(),
            None => environment.home.as_ref()?.join(".azure"),
        };
        let config = std::fs::read_to_string(directory.join("config")).ok()?;
        let mut section = "";
        for line in config.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
            } else if section == "cloud"
                && let Some((key, value)) = line.split_once('=')
                && key.trim() == "name"
            {
                return Self::of_cli_name(value.trim());
            }
        }
        None
    }

    fn of_cli_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.cloud().cli_name.eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for CloudName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for CloudName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no cloud: write public, usgov or china"))
    }
}

impl Cloud {
    /// The resource to ask a token for, without `/.default`.
    ///
    /// Storage and Service Bus have one resource for all clouds, as their SDKs do; the others have one for each.
    pub fn resource(&self, service: Service) -> &'static str {
        match service {
            Service::Storage => "https://storage.azure.com",
            Service::KeyVault => self.vault,
            Service::ServiceBus => "https://servicebus.azure.net",
            Service::Arm => self.arm,
            Service::Sql => self.sql,
            Service::Postgres => self.postgres,
        }
    }
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Storage, Self::KeyVault, Self::ServiceBus, Self::Arm, Self::Sql, Self::Postgres];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::KeyVault => "keyvault",
            Self::ServiceBus => "servicebus",
            Self::Arm => "arm",
            Self::Sql => "sql",
            Self::Postgres => "postgres",
        }
    }
}

impl std::str::FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|service| service.as_str() == text).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|service| service.as_str()).collect();
            format!("\"{text}\" is none of {}", all.join(", "))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_the_cloud() {
        assert_eq!(CloudName::of_authority("https://login.chinacloudapi.cn/"), Some(CloudName::China));
        assert_eq!(CloudName::of_authority("https://login.partner.microsoftonline.cn"), Some(CloudName::China));
        assert_eq!(CloudName::of_authority("https://LOGIN.microsoftonline.us/tenant"), Some(CloudName::UsGov));
        for foreign in [
            "https://login.microsoftonline.com.evil.example/",
            "https://evil.example/login.microsoftonline.com",
            "login.microsoftonline.com",
            "",
        ] {
            assert_eq!(CloudName::of_authority(foreign), None, "{foreign}");
        }
        assert_eq!(CloudName::of_issuer("https://eastus.oic.prod-aks.azure.com/t/u/"), Some(CloudName::Public));
        assert_eq!(CloudName::of_issuer("https://oic.prod-aks.azure.com.evil.example/"), None);
        assert_eq!(CloudName::of_server("a-1.hcp.chinaeast2.cx.prod.service.azk8s.cn"), Some(CloudName::China));
        assert_eq!(CloudName::of_server("kubernetes.default.svc"), None);
    }

    #[test]
    fn the_cli_says_which_cloud_it_is_set_to() {
        let directory = tempfile::tempdir().unwrap();
        let environment = Environment::empty().with("AZURE_CONFIG_DIR", directory.path());
        assert_eq!(CloudName::of_cli(&environment), None);
        std::fs::write(
            directory.path().join("config"),
            "[core]\nname = AzureCloud\n[cloud]\nname = AzureUSGovernment\n",
        )
        .unwrap();
        assert_eq!(CloudName::of_cli(&environment), Some(CloudName::UsGov));
        assert_eq!(CloudName::of_cli(&environment.with("AZURE_CLOUD_NAME", "AzureChinaCloud")), Some(CloudName::China));
    }

    #[test]
    fn names_of_the_command_line_come_back() {
        for name in CloudName::ALL {
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        for service in Service::ALL {
            assert_eq!(service.as_str().parse(), Ok(service));
        }
        assert!("azure".parse::<CloudName>().unwrap_err().contains("usgov"));
    }
}
