//! Manifests as a chart makes them: pairs of a Deployment and its account, in one file or in many.

use anyhow::Result;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One pair, of 3.2 KB. One in fifty lacks the label that its annotated account asks for.
fn pair(number: usize) -> String {
    let mut text = format!(
        "---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: app-{number}\n  namespace: team-{}\n",
        number / 5
    );
    let meant = number.is_multiple_of(50);
    if meant {
        text.push_str("  annotations:\n    azure.workload.identity/client-id: 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2\n");
    }
    let _ = write!(
        text,
        "---\n# Source: application/templates/deployment.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  \
         name: app-{number}\n  namespace: team-{}\n  labels:\n    app.kubernetes.io/name: app-{number}\n    \
         app.kubernetes.io/managed-by: Helm\n    helm.sh/chart: application-1.4.2\nspec:\n  replicas: 2\n  \
         selector:\n    matchLabels:\n      app: app-{number}\n  template:\n    metadata:\n      labels:\n        \
         app: app-{number}\n        app.kubernetes.io/name: app-{number}\n      annotations:\n        \
         checksum/config: 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef\n    spec:\n      \
         serviceAccountName: app-{number}\n      containers:\n",
        number / 5
    );
    for part in ["server", "proxy"] {
        let _ = write!(
            text,
            "        - name: {part}\n          image: registry.example.com/team/{part}:1.27.4\n          \
             imagePullPolicy: IfNotPresent\n          args:\n            - --config=/etc/app/config.yaml\n            \
             - --log-level=info\n          ports:\n            - name: http\n              containerPort: 8080\n          \
             env:\n"
        );
        for n in 0..10 {
            let _ = write!(
                text,
                "            - name: SETTING_{n}\n              value: \"a value of ordinary length, {n}\"\n"
            );
        }
        text.push_str(
            "          livenessProbe:\n            httpGet:\n              path: /healthz\n              port: http\n            \
             periodSeconds: 15\n          resources:\n            requests:\n              cpu: 100m\n              \
             memory: 128Mi\n            limits:\n              memory: 256Mi\n          volumeMounts:\n            \
             - name: config\n              mountPath: /etc/app\n",
        );
    }
    let _ = write!(
        text,
        "      volumes:\n        - name: config\n          configMap:\n            name: app-{number}-config\n"
    );
    text
}

/// Writes so many pairs into one file; it and its size come back.
pub(super) fn one(folder: &Path, pairs: usize) -> Result<(PathBuf, usize)> {
    let text: String = (0..pairs).map(pair).collect();
    let path = folder.join(format!("{pairs}.yaml"));
    std::fs::write(&path, &text)?;
    Ok((path, text.len()))
}

/// Writes so many pairs, each into a file of its own.
pub(super) fn many(folder: &Path, pairs: usize) -> Result<PathBuf> {
    let folder = folder.join(format!("{pairs}-files"));
    std::fs::create_dir_all(&folder)?;
    for number in 0..pairs {
        std::fs::write(folder.join(format!("{number:06}.yaml")), pair(number))?;
    }
    Ok(folder)
}
