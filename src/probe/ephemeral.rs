//! An ephemeral container beside the target: it mounts the pod's own token volume at the same path, runs as the
//! target's user, says nothing, and ends by itself.
//!
//! Its program waits. The token is read from it over an exec stream and never printed by the container itself, whose
//! output goes to log files on the node. Kubernetes has no way to take an ephemeral container out of a pod again.

use super::reader::{Inside, Ran};
use crate::cluster::{Client, Error, Patch, PatchRequest, Precondition, resource};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The default image: small, public, and from where AKS nodes pull their own images (AKS' outbound rules name
/// mcr.microsoft.com). Pinned by the digest of its multi-platform index, as the tests of oras-project/oras-java pull it
/// anonymously. `--image` takes another one that has `sh`, `sleep` and `cat`.
pub const IMAGE: &str =
    "mcr.microsoft.com/azurelinux/busybox:1.36@sha256:330ce7e940f7476089c4c74565c63767988e188b06988e58e76b54890e7f621b";

/// After so many seconds the container ends by itself, whatever became of us.
pub const DEADLINE: u32 = 180;

/// How long it may take to start: its image may have to be pulled.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The user that it runs as where the pod demands a user other than root and names none: the one of distroless images.
/// The token file is readable for everybody then (Kubernetes, projected volumes: 0600 only where `runAsUser` is set).
const NONROOT: i64 = 65532;

/// Waits until it is told to end, or until the deadline. `sleep` in short pieces, because a shell runs its trap only
/// between two programs.
const WAIT: &str = r#"trap 'exit 0' TERM; i=0; while [ "$i" -lt "$1" ]; do sleep 1; i=$((i+1)); done"#;

/// Where the volume stands in the ephemeral container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The container's specification.
    pub specification: Value,
    /// The token file in it.
    pub path: String,
    /// Whether that is not the place where the target has it, because of a `subPath`.
    pub moved: bool,
}

/// Why no ephemeral container can read the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// The pod has no such container.
    #[error("the pod has no container {0}")]
    NoContainer(String),
    /// Not in a volume: in the image, or in the container's own layer.
    #[error("no volume of the pod is mounted above {0}, so only the container itself sees it")]
    NoVolume(String),
    /// Ephemeral containers of Windows cannot be made alike.
    #[error("the pod runs on Windows, where this is not tried")]
    Windows,
}

/// Makes the specification of an ephemeral container that sees what the target sees at `token_path`.
pub fn place(pod: &Value, container: &str, token_path: &str, image: &str, name: &str) -> Result<Place, NoPlace> {
    let spec = &pod["spec"];
    if spec["os"]["name"] == "windows" || spec["nodeSelector"]["kubernetes.io/os"] == "windows" {
        return Err(NoPlace::Windows);
    }
    let lists = ["containers", "initContainers"].into_iter().filter_map(|list| spec[list].as_array());
    let target = lists.flatten().find(|c| c["name"] == container);
    let target = target.ok_or_else(|| NoPlace::NoContainer(container.to_owned()))?;
    let mounts = target["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (mount, below) = mounts
        .iter()
        .filter_map(|mount| Some((mount, below(mount["mountPath"].as_str()?, token_path)?)))
        .min_by_key(|(_, below)| below.len())
        .ok_or_else(|| NoPlace::NoVolume(token_path.to_owned()))?;
    // An ephemeral container may not have a subPath: it mounts the whole volume, and elsewhere.
    let sub_path = mount["subPath"].as_str().filter(|sub_path| !sub_path.is_empty());
    let (mount_path, path) = match sub_path {
        None => (mount["mountPath"].as_str().unwrap_or_default().to_owned(), token_path.to_owned()),
        Some(sub_path) => {
            let root = "/kubectl-wi";
            (root.to_owned(), format!("{root}/{}", join(sub_path, below)))
        }
    };
    let specification = json!({
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", WAIT, "sh", DEADLINE.to_string()],
        "volumeMounts": [{ "name": mount["name"], "mountPath": mount_path, "readOnly": true }],
        "securityContext": security_context(spec, target),
    });
    Ok(Place { specification, path, moved: sub_path.is_some() })
}

/// The rest of a path below a mount.
fn below<'a>(mount: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(mount.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn join(sub_path: &str, below: &str) -> String {
    let sub_path = sub_path.trim_matches('/');
    if below.is_empty() { sub_path.to_owned() } else { format!("{sub_path}/{below}") }
}

/// The target's user, and the least rights: what Pod Security's level "restricted" asks for, which reading needs not.
///
/// The file belongs to `runAsUser` where that is set, with mode 0600: another user would be refused for a reason that
/// the target does not have.
fn security_context(spec: &Value, target: &Value) -> Value {
    let pod = &spec["securityContext"];
    let own = &target["securityContext"];
    let mut context = Map::new();
    for field in ["runAsUser", "runAsGroup", "seLinuxOptions", "appArmorProfile"] {
        if !own[field].is_null() {
            context.insert(field.to_owned(), own[field].clone());
        }
    }
    let effective = |field: &str| if own[field].is_null() { &pod[field] } else { &own[field] };
    let user = effective("runAsUser").as_i64();
    if effective("runAsNonRoot") == true && user.is_none() {
        context.insert("runAsUser".to_owned(), NONROOT.into());
    }
    if effective("runAsNonRoot") == true || user.is_some_and(|user| user != 0) {
        context.insert("runAsNonRoot".to_owned(), true.into());
    }
    let profile = effective("seccompProfile");
    let unconfined = profile.is_null() || profile["type"] == "Unconfined";
    let profile = if unconfined { json!({ "type": "RuntimeDefault" }) } else { profile.clone() };
    context.insert("seccompProfile".to_owned(), profile);
    context.insert("allowPrivilegeEscalation".to_owned(), false.into());
    context.insert("readOnlyRootFilesystem".to_owned(), true.into());
    context.insert("capabilities".to_owned(), json!({ "drop": ["ALL"] }));
    Value::Object(context)
}

/// Puts the container into the pod. The patch is strategic: the other notations need the whole list, or fail where
/// there is none yet.
pub async fn add(client: &Client, pod: &Value, place: &Place) -> Result<(), Error> {
    let metadata = &pod["metadata"];
    let request = PatchRequest {
        resource: &resource::POD,
        namespace: metadata["namespace"].as_str(),
        name: metadata["name"].as_str().unwrap_or_default(),
        subresource: Some("ephemeralcontainers"),
        patch: Patch::Strategic(json!({ "spec": { "ephemeralContainers": [place.specification] } })),
        precondition: Precondition { uid: metadata["uid"].as_str().map(str::to_owned), resource_version: None },
        dry_run: false,
    };
    client.patch::<serde::de::IgnoredAny>(&request).await.map(drop)
}

/// What became of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It runs.
    Running,
    /// It will not, or not soon: why.
    Failed(String),
    /// It may still start, but not within our time: why.
    Waiting(String),
}

/// Reasons of the kubelet that do not go away by waiting a little.
const FINAL: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
];

/// Reads from a pod how the container stands; `None` where it is still on its way.
fn standing(pod: &Value, name: &str) -> Option<Started> {
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return Some(Started::Failed("the pod is being deleted".to_owned()));
    }
    let statuses = pod["status"]["ephemeralContainerStatuses"].as_array()?;
    let state = &statuses.iter().find(|status| status["name"] == name)?["state"];
    if !state["running"].is_null() {
        return Some(Started::Running);
    }
    let say = |state: &Value| {
        let text = |field: &str| state[field].as_str().unwrap_or_default();
        super::reader::first_line(&format!("{} {}", text("reason"), text("message")))
    };
    if !state["terminated"].is_null() {
        return Some(Started::Failed(format!("it ended at once: {}", say(&state["terminated"]))));
    }
    let waiting = &state["waiting"];
    let reason = waiting["reason"].as_str().unwrap_or_default();
    FINAL.contains(&reason).then(|| Started::Failed(say(waiting)))
}

/// Waits until the container runs, or cannot.
pub async fn wait(client: &Client, namespace: &str, pod: &str, name: &str) -> Started {
    let end = Instant::now() + PATIENCE;
    let mut last = "it has not been seen by the node yet".to_owned();
    loop {
        match client.get::<Value>(&resource::POD, Some(namespace), pod).await {
            Ok(read) => {
                if let Some(started) = standing(&read, name) {
                    return started;
                }
            }
            Err(error) if error.is_absent() => return Started::Failed("the pod is gone".to_owned()),
            Err(error) => last = super::reader::first_line(&error.to_string()),
        }
        if Instant::now() >= end {
            return Started::Waiting(format!("it did not start within {} s: {last}", PATIENCE.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Tells the container to end. Where processes are shared in the pod its first process is another's, and it is left to
/// its deadline. Whether it was told.
pub async fn end(inside: &Inside<'_>, pod: &Value) -> bool {
    if pod["spec"]["shareProcessNamespace"] == true || pod["spec"]["hostPID"] == true {
        return false;
    }
    matches!(
        inside.run(&["sh", "-c", "kill -TERM 1"], super::reader::PATIENCE).await,
        // The container may be gone before its runtime has told how the program ended.
        Ran::Ended { .. } | Ran::NotRunning(_)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pod(context: Value, container: Value, mount: Value) -> Value {
        json!({ "spec": {
            "securityContext": context,
            "containers": [{ "name": "app", "securityContext": container, "volumeMounts": [
                { "name": "root", "mountPath": "/" }, mount,
            ]}],
        }})
    }

    const PATH: &str = "/var/run/secrets/azure/tokens/azure-identity-token";

    fn mount() -> Value {
        json!({ "name": "token", "mountPath": "/var/run/secrets/azure/tokens/" })
    }

    #[test]
    fn the_nearest_volume_is_mounted_at_the_same_place() {
        let made = place(&pod(json!(null), json!(null), mount()), "app", PATH, "image", "wi").unwrap();
        assert_eq!(made.path, PATH);
        assert_eq!(made.specification["volumeMounts"][0]["name"], "token");
        assert_eq!(made.specification["volumeMounts"][0]["mountPath"], "/var/run/secrets/azure/tokens/");
        assert!(!made.moved && !made.specification.to_string().contains("subPath"));
    }

    #[test]
    fn a_sub_path_is_followed_elsewhere() {
        let file = json!({ "name": "token", "mountPath": PATH, "subPath": "azure-identity-token" });
        let made = place(&pod(json!(null), json!(null), file), "app", PATH, "image", "wi").unwrap();
        assert!(made.moved);
        assert_eq!(made.path, "/kubectl-wi/azure-identity-token");
    }

    #[test]
    fn what_no_volume_holds_cannot_be_read_from_beside() {
        let pod = json!({ "spec": { "containers": [{ "name": "app", "volumeMounts": [mount()] }] } });
        assert_eq!(
            place(&pod, "app", "/var/run/secrets/azure/tokens2/x", "i", "n").unwrap_err(),
            NoPlace::NoVolume("/var/run/secrets/azure/tokens2/x".into())
        );
        assert!(matches!(place(&pod, "other", PATH, "i", "n"), Err(NoPlace::NoContainer(_))));
    }

    #[test]
    fn the_user_is_the_targets() {
        let of = |context: Value, container: Value| {
            place(&pod(context, container, mount()), "app", PATH, "i", "n").unwrap().specification["securityContext"]
                .clone()
        };
        let own = of(json!({ "runAsUser": 1000 }), json!({ "runAsUser": 2000, "privileged": true }));
        assert_eq!((&own["runAsUser"], &own["runAsNonRoot"]), (&json!(2000), &json!(true)));
        assert_eq!((&own["privileged"], &own["capabilities"]), (&json!(null), &json!({ "drop": ["ALL"] })));
        let inherited = of(json!({ "runAsUser": 1000 }), json!(null));
        assert_eq!((&inherited["runAsUser"], &inherited["runAsNonRoot"]), (&json!(null), &json!(true)));
        assert_eq!(of(json!({ "runAsNonRoot": true }), json!(null))["runAsUser"], NONROOT);
        assert_eq!(of(json!(null), json!(null))["runAsNonRoot"], json!(null));
    }

    #[test]
    fn waiting_ends_where_it_is_of_no_use() {
        let with = |state: Value| json!({ "metadata": {}, "status": { "ephemeralContainerStatuses": [{ "name": "wi", "state": state }] } });
        assert_eq!(standing(&with(json!({ "running": {} })), "wi"), Some(Started::Running));
        assert_eq!(standing(&with(json!({ "waiting": { "reason": "ContainerCreating" } })), "wi"), None);
        for reason in ["ImagePullBackOff", "ErrImageNeverPull", "RunContainerError"] {
            let state = with(json!({ "waiting": { "reason": reason, "message": "no such image" } }));
            assert_eq!(standing(&state, "wi"), Some(Started::Failed(format!("{reason} no such image"))));
        }
        assert!(matches!(
            standing(&with(json!({ "terminated": { "reason": "StartError" } })), "wi"),
            Some(Started::Failed(_))
        ));
        assert_eq!(standing(&json!({ "metadata": {} }), "wi"), None);
    }
}
