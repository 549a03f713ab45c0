//! The program itself with `--azure`, against the emulator as `cargo xtask azure up` starts it.

use std::path::Path;
use std::process::Output;
use tokio::process::Command;
use wi_test_azure::{Answer, Emulator, Fault, Tenant, UpOptions, examples, start, start_seeded};

/// The workload that the seeded tenant has a credential for, but for a slash.
fn velero(client: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: velero-server\n  namespace: velero\n  annotations:\n    \
         azure.workload.identity/client-id: {client}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: \
         velero\n  namespace: velero\nspec:\n  selector: {{matchLabels: {{app: velero}}}}\n  template:\n    metadata:\n      \
         labels: {{app: velero, azure.workload.identity/use: \"true\"}}\n    spec:\n      serviceAccountName: \
         velero-server\n      containers: [{{name: app, image: registry.example/app:1}}]\n"
    )
}

struct Lab {
    folder: tempfile::TempDir,
    emulator: Emulator,
}

impl Lab {
    async fn seeded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = start_seeded(&Self::options(folder.path())).await.unwrap();
        Self::of(folder, emulator)
    }

    async fn with(tenant: Tenant) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = start(tenant, &Self::options(folder.path())).await.unwrap();
        Self::of(folder, emulator)
    }

    fn options(folder: &Path) -> UpOptions {
        UpOptions { port: 0, tls_port: 0, directory: folder.to_owned(), ..UpOptions::default() }
    }

    fn of(folder: tempfile::TempDir, emulator: Emulator) -> Self {
        std::fs::write(folder.path().join("app.yaml"), velero(examples::CLIENT)).unwrap();
        Self { folder, emulator }
    }

    /// Runs the program on `app.yaml`, with the login of the stand-in for az.
    async fn inspect(&self, more: &[&str]) -> Output {
        self.command(more).output().await.unwrap()
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"));
        command
            .args(["inspect", "-f", "app.yaml", "--issuer", examples::ISSUER, "--color", "never"])
            .args(["--arm-endpoint", &self.emulator.arm_endpoint()])
            .args(more)
            .env_clear()
            .env(
                "PATH",
                std::env::join_paths([self.folder.path().join("bin"), "/usr/bin".into(), "/bin".into()]).unwrap(),
            )
            .env("HOME", self.folder.path())
            .env("COLUMNS", "110")
            .current_dir(self.folder.path());
        command
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What came out, which must not hold a token.
fn said(output: &Output) -> (i32, String, String) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    for stream in [&out, &err] {
        assert!(!stream.contains("eyJ") && !stream.contains("Bearer"), "a token came out: {stream}");
    }
    (output.status.code().unwrap(), out, err)
}

#[tokio::test]
async fn a_credential_without_its_slash_is_found_and_shown() {
    let lab = Lab::seeded().await;
    let (code, out, err) = said(&lab.inspect(&["--azure", "-v=9"]).await);
    assert_eq!(code, 1, "{out}{err}");
    for line in [
        "federated-issuer-mismatch (WI503)",
        "mi1 in resource group rg1",
        "Storage Blob Data Reader at resource group rg1",
        "az identity federated-credential update",
        "the credential lacks the slash at the end that the token has",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    assert_eq!(lab.emulator.violations(), Vec::<String>::new());
    let json = lab.inspect(&["--azure", "-o", "json"]).await;
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let change = &report["targets"][0]["findings"][0]["fix"]["changes"][0];
    assert_eq!(change["patch"][0]["path"], "/properties/issuer");
    assert_eq!(change["patch"][0]["value"], examples::ISSUER);
}

#[tokio::test]
async fn without_a_login_one_line_says_so_and_yes_is_an_error_with_the_command() {
    let lab = Lab::seeded().await;
    std::fs::remove_file(lab.folder.path().join("bin/az")).unwrap();
    let (code, out, err) = said(&lab.inspect(&["--azure=auto"]).await);
    assert_eq!((code, err.lines().count()), (0, 1), "{out}{err}");
    assert!(err.contains("are not checked: no Azure login (run \"az login\")"), "{err}");
    let (code, out, err) = said(&lab.inspect(&["--azure=yes"]).await);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("no Azure login") && err.contains("az login"), "{err}");
    let silent = lab.inspect(&[]).await;
    assert_eq!((silent.status.code(), silent.stderr.len()), (Some(0), 0), "files alone ask nothing");
    let asked = lab.emulator.requests().into_iter().filter(|request| request.header("authorization").is_some());
    assert_eq!(asked.count(), 0);
}

#[tokio::test]
async fn what_azure_would_not_tell_is_unknown_with_the_action_that_is_missing() {
    let action = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
    let lab = Lab::with(Tenant::example().denying(action, examples::IDENTITY)).await;
    let (code, out, _) = said(&lab.inspect(&["--azure"]).await);
    assert_eq!(code, 3, "{out}");
    assert!(out.contains(action) && out.contains("WI502"), "{out}");
    // Nobody asked for it: the same is said, and the verdict does not hang on it.
    let (code, out, _) = said(&lab.inspect(&["--azure=auto"]).await);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains(action), "{out}");
}

#[tokio::test]
async fn throttling_that_does_not_end_leaves_the_rest_standing() {
    let lab = Lab::seeded().await;
    let busy = Answer::recorded("rest/msi/errors/429-msi-rp-throttled.json");
    lab.emulator.fault(Fault::on("federatedIdentityCredentials", busy).always());
    let (code, out, _) = said(&lab.inspect(&["--azure", "--timeout", "3s"]).await);
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("mi1 in resource group rg1") && out.contains("not checked"), "{out}");
}

#[tokio::test]
async fn an_identity_is_seen_from_its_own_side() {
    let lab = Lab::seeded().await;
    let identity = format!("identity/{}", examples::CLIENT);
    let (_, out, _) = said(&lab.inspect(&[&identity, "--as-cluster", "--azure"]).await);
    for line in ["used by Deployment velero/velero", "ns1/sa1 does not exist: whoever creates it gets this identity"] {
        assert!(out.contains(line), "{line}: {out}");
    }
    let other = format!("identity/{}", examples::APPLICATION);
    let (code, out, err) = said(&lab.inspect(&[&other, "--as-cluster", "--azure"]).await);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("used by nothing that was looked at") && out.contains("github-main"), "{out}");
}

#[tokio::test]
async fn two_thousand_identities_in_twenty_subscriptions_take_few_requests() {
    let mut tenant = Tenant::example().with_many(20, 100);
    tenant.caller.reads_directory = false;
    let lab = Lab::with(tenant).await;
    let many: Vec<String> = (0..20).map(|s| velero(&format!("33333333-3333-4333-8{s:03}-{:012}", 7))).collect();
    let named = many.iter().enumerate().map(|(n, text)| text.replace("name: velero", &format!("name: velero-{n}")));
    std::fs::write(lab.folder.path().join("app.yaml"), named.collect::<Vec<_>>().join("---\n")).unwrap();
    let (_, out, err) = said(&lab.inspect(&["--azure", "--timeout", "60s"]).await);
    let requests = lab.emulator.requests().len();
    // Twenty identities: each one, its credentials and its roles; the rest is shared.
    assert!(requests <= 20 * 4 + 15, "{requests} requests: {out}{err}");
    // One that nobody knows: the lists of all subscriptions are read once, page by page.
    lab.emulator.forget();
    std::fs::write(lab.folder.path().join("app.yaml"), velero("00000000-1111-4111-8111-000000000009")).unwrap();
    let (code, out, err) = said(&lab.inspect(&["--azure", "--timeout", "60s"]).await);
    assert_eq!(code, 3, "{out}{err}");
    assert!(out.contains("not seen, which proves nothing; searched"), "{out}");
    let requests = lab.emulator.requests().len();
    assert!(requests <= 21 * 3 + 15, "{requests} requests");
    assert_eq!(lab.emulator.violations(), Vec::<String>::new());
}
