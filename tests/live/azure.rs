//! `inspect --azure` and `fix --azure` on a real API server, with the emulator as Azure.

use crate::fix::{Home, plane};
use crate::support::{App, Said};
use std::process::Command;
use std::sync::Arc;
use wi_test_azure::{Emulator, UpOptions, examples, start_seeded};
use wi_test_cluster::Cluster;

struct Azure {
    folder: tempfile::TempDir,
    emulator: Arc<Emulator>,
}

impl Azure {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = UpOptions { port: 0, tls_port: 0, directory: folder.path().to_owned(), ..UpOptions::default() };
        let (send, receive) = std::sync::mpsc::channel();
        // The program is a process of its own, so the emulator answers from a thread of its own.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                send.send(Arc::new(start_seeded(&options).await.unwrap())).unwrap();
                std::future::pending::<()>().await;
            });
        });
        Self { folder, emulator: receive.recv().unwrap() }
    }

    /// Puts the stand-in for az before everything else.
    fn with_login(&self, mut command: Command) -> Said {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bin = self.folder.path().join("bin");
        let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).unwrap();
        let said = Said::of(command.env("PATH", path).output().unwrap());
        for text in [&said.out, &said.err] {
            assert!(!text.contains("eyJ"), "a token came out: {text}");
        }
        said
    }

    fn fix(&self, home: &Home, cluster: &Cluster, arguments: &[&str]) -> Said {
        self.with_login(home.command(cluster, arguments))
    }

    /// The subjects of the identity's credentials.
    fn subjects(&self) -> Vec<String> {
        self.emulator.change(|tenant| {
            tenant.identities[0].credentials.iter().filter_map(|credential| credential.subject.clone()).collect()
        })
    }
}

#[test]
fn a_credential_is_created_after_its_own_yes_and_taken_back() {
    let (azure, cluster) = (Azure::start(), plane());
    let (home, namespace) = (Home::new(), cluster.namespace("access").unwrap());
    namespace.apply(&App { client_id: Some(examples::CLIENT), ..App::HEALTHY }.manifests()).unwrap();
    let endpoint = azure.emulator.arm_endpoint();
    let subject = format!("system:serviceaccount:{}:velero-server", namespace.name());
    let at = ["deploy/velero", "-n", namespace.name(), "-v", "9"];
    let with_azure = [&at[..], &["--azure", "--arm-endpoint", &endpoint]].concat();
    let before = azure.subjects();

    let mut inspect = cluster.command(env!("CARGO_BIN_EXE_kubectl-wi"));
    inspect.arg("inspect").args(&with_azure);
    let seen = azure.with_login(inspect);
    assert_eq!(seen.code, 1, "{seen:?}");
    assert!(seen.out.contains("federated-credential-missing (WI502)"), "{}", seen.out);

    let plan = azure.fix(&home, cluster, &[&with_azure[..], &["--diff"]].concat());
    assert!(plan.out.contains(&format!("+  subject: {subject}")), "{}", plan.out);
    assert!(plan.out.contains("grants access"), "{}", plan.out);
    let nobody = azure.fix(&home, cluster, &with_azure);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert_eq!((azure.subjects(), home.runs().len()), (before.clone(), 0));

    let fixed = azure.fix(&home, cluster, &[&with_azure[..], &["--yes", "-o", "json"]].concat());
    let report = fixed.json();
    assert_eq!(report["plan"][0]["outcome"], "applied", "{fixed:?}");
    assert_eq!(report["plan"][0]["kind"], "access");
    assert_eq!(fixed.code, 0, "{fixed:?}");
    assert_eq!(azure.subjects().len(), before.len() + 1);
    assert!(azure.subjects().contains(&subject));

    let again = azure.fix(&home, cluster, &[&with_azure[..], &["--yes"]].concat());
    assert_eq!((again.code, again.out.lines().next()), (0, Some("nothing to fix")), "{again:?}");

    // The journal knows which Azure it was.
    let undone = azure.fix(&home, cluster, &["--undo", "--yes"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(azure.subjects(), before);
    assert_eq!(azure.emulator.violations(), Vec::<String>::new());
}

#[test]
fn without_the_flag_azure_is_left_alone() {
    let (azure, cluster) = (Azure::start(), plane());
    let (home, namespace) = (Home::new(), cluster.namespace("no-access").unwrap());
    namespace.apply(&App { client_id: Some(examples::CLIENT), ..App::HEALTHY }.manifests()).unwrap();
    let said = azure.fix(&home, cluster, &["deploy/velero", "-n", namespace.name(), "--yes"]);
    assert!(said.out.starts_with("nothing to fix"), "{said:?}");
    assert!(azure.emulator.requests().is_empty());
}
