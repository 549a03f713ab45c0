//! `kubectl describe pod`, pasted: what it shows of the pod itself.
//!
//! Where somebody pastes a description, label, account and variables stand in it, and say which of the causes that a
//! symptom points to is the one.

/// What a pasted description shows of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub account: Option<String>,
    /// The value of the label, where it is there.
    pub label: Option<String>,
    /// Whether an `AZURE_*` variable of the webhook is listed, and with which value.
    pub client_id: Option<String>,
    pub token_file: Option<String>,
    pub owner: Option<String>,
}

impl Described {
    /// Reads a text; `None` where it is no description of a pod. `Labels:` and `Containers:` have to be there whole.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut described = Self::default();
        let (mut labels, mut containers, mut pod) = (false, false, false);
        let mut in_labels = false;
        for line in text.lines() {
            let trimmed = line.trim();
            if !line.starts_with([' ', '\t']) {
                in_labels = false;
            }
            let Some((key, value)) = field(trimmed) else {
                if in_labels {
                    described.label(trimmed);
                }
                continue;
            };
            match key {
                "Name" if described.name.is_none() => described.name = Some(value.to_owned()),
                "Namespace" if described.namespace.is_none() => described.namespace = Some(value.to_owned()),
                "Service Account" => described.account = Some(value.to_owned()),
                "Labels" => {
                    labels = true;
                    in_labels = true;
                    described.label(value);
                }
                "Controlled By" => described.owner = Some(value.to_owned()),
                "Containers" => containers = true,
                "Node" | "QoS Class" | "Restart Count" => pod = true,
                "AZURE_CLIENT_ID" => described.client_id = Some(value.to_owned()),
                "AZURE_FEDERATED_TOKEN_FILE" => described.token_file = Some(value.to_owned()),
                _ if in_labels => described.label(trimmed),
                _ => {}
            }
        }
        (labels && containers && pod && described.name.is_some()).then_some(described)
    }

    fn label(&mut self, text: &str) {
        if let Some(value) = text.strip_prefix("azure.workload.identity/use=") {
            self.label = Some(value.trim().to_owned());
        }
    }

    /// Whether the webhook has touched the pod.
    pub(super) fn mutated(&self) -> bool {
        self.token_file.as_deref().is_some_and(|path| !path.is_empty())
    }

    /// The cause that the description itself shows, and the sentence that says it.
    pub(super) fn cause(&self) -> Option<(&'static str, String)> {
        let name = self.name.as_deref().unwrap_or("the pod");
        match (self.label.as_deref(), self.mutated()) {
            (None, false) => {
                Some(("WI101", format!("{name} has no label azure.workload.identity/use, and no token file")))
            }
            (Some("true"), false) => Some((
                "WI401",
                format!(
                    "{name} has the label and no token file: it is older than the webhook or the label, or the webhook is missing"
                ),
            )),
            (Some(value), false) => Some((
                "WI103",
                format!("{name} has the label with the value {value:?} instead of \"true\", and no token file"),
            )),
            (_, true) if self.client_id.as_deref().is_none_or(str::is_empty) => Some((
                "WI202",
                format!(
                    "{name} has a token file and no AZURE_CLIENT_ID: its account {} has no client-id annotation",
                    self.account.as_deref().unwrap_or_default()
                ),
            )),
            _ => None,
        }
    }
}

/// `Key:   value`
fn field(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let plain = !key.is_empty()
        && key.len() <= 40
        && key.chars().all(|char| char.is_ascii_alphanumeric() || " _-".contains(char));
    plain.then(|| (key, value.trim()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const POD: &str = "Name:             cart-1\nNamespace:        shop\nService Account:  cart\nNode:             n1/10.0.0.1\nLabels:           app=cart\n                  LABEL\nControlled By:  ReplicaSet/cart-7d\nContainers:\n  cart:\n    Restart Count:  3\n    Environment:\n      AZURE_TENANT_ID:             t\nVARIABLES\nEvents: <none>\n";

    #[test]
    fn the_pod_itself_says_what_is_wrong() {
        let cause = |label: &str, variables: &str| {
            let text = POD.replace("LABEL", label).replace("VARIABLES", variables);
            Described::read(&text).unwrap().cause().map(|(code, _)| code)
        };
        assert_eq!(cause("tier=web", ""), Some("WI101"));
        assert_eq!(cause("azure.workload.identity/use=true", ""), Some("WI401"));
        assert_eq!(cause("azure.workload.identity/use=True", ""), Some("WI103"));
        let file = "      AZURE_FEDERATED_TOKEN_FILE:  /var/run/secrets/azure/tokens/azure-identity-token";
        assert_eq!(cause("azure.workload.identity/use=true", file), Some("WI202"));
        let both = format!("      AZURE_CLIENT_ID: c\n{file}");
        assert_eq!(cause("azure.workload.identity/use=true", &both), None);
    }

    #[test]
    fn other_text_is_no_description() {
        assert_eq!(Described::read("Labels: x\nno client ID specified"), None);
        assert_eq!(Described::read(""), None);
    }
}
