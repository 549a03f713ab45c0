//! Every way to a token, against programs and an Entra that behave like the real ones.

use super::support::{mi1, options};
use kubectl_wi::azure::{Azure, CredentialKind, Error, Options};
use kubectl_wi::cluster::Environment;
use wi_test_azure::{Application, Emulator, SigningKey, Tenant, examples, token};

/// The endpoint over TLS, as a login from the environment needs its authority.
fn over_tls(emulator: &Emulator, credential: CredentialKind) -> Options {
    Options { arm_endpoint: Some(emulator.arm_endpoint_tls()), credential, ..options(emulator) }
}

fn environment(emulator: &Emulator) -> Environment {
    Environment::empty()
        .with("AZURE_AUTHORITY_HOST", emulator.authority())
        .with("AZURE_TENANT_ID", examples::TENANT)
        .with("AZURE_CLIENT_ID", examples::APPLICATION)
}

async fn refused(options: &Options, environment: &Environment) -> Error {
    match Azure::connect(options, environment).await {
        Ok(azure) => panic!("logged in with {}", azure.credential()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_client_secret_logs_in() {
    let emulator = Emulator::start(Tenant::example()).await.unwrap();
    let environment = environment(&emulator).with("AZURE_CLIENT_SECRET", "test-client-secret");
    let azure = Azure::connect(&over_tls(&emulator, CredentialKind::Env), &environment).await.unwrap();
    assert_eq!(azure.credential(), "environment");
    assert!(azure.identity(&mi1()).await.known().is_some());
    let wrong = environment.with("AZURE_CLIENT_SECRET", "a-wrong-secret");
    let error = refused(&over_tls(&emulator, CredentialKind::Env), &wrong).await.to_string();
    assert!(error.contains("AADSTS7000215") && error.contains(examples::APPLICATION), "{error}");
    assert!(!error.contains("a-wrong-secret"), "{error}");
    assert_eq!(emulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_federated_token_logs_in_and_is_read_anew_each_time() {
    let emulator = Emulator::start(Tenant::example()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let environment = environment(&emulator).with("AZURE_FEDERATED_TOKEN_FILE", &file);
    for kind in [CredentialKind::WorkloadIdentity, CredentialKind::Env] {
        let token = token(&SigningKey::ISSUER, examples::ISSUER, examples::SUBJECT, examples::AUDIENCE);
        std::fs::write(&file, format!("{token}\n")).unwrap();
        let azure = Azure::connect(&over_tls(&emulator, kind), &environment).await.unwrap();
        assert!(azure.identity(&mi1()).await.known().is_some());
        std::fs::write(&file, "not a token").unwrap();
        let error = refused(&over_tls(&emulator, kind), &environment).await.to_string();
        assert!(error.contains("AADSTS50027") && !error.contains("not a token"), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    let error = refused(&over_tls(&emulator, CredentialKind::WorkloadIdentity), &environment).await.to_string();
    assert!(error.contains("AZURE_FEDERATED_TOKEN_FILE"), "{error}");
}

#[tokio::test]
async fn a_certificate_logs_in() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use sha2::{Digest, Sha256};
    let directory = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::from_pem(SigningKey::OTHER.pem).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["kubectl-wi".to_owned()]).unwrap().self_signed(&key).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.der()));
    let mut tenant = Tenant::example();
    tenant.applications[0].certificate = Some((thumbprint, SigningKey::OTHER.jwk()));
    let emulator = Emulator::start(tenant).await.unwrap();
    let file = directory.path().join("login.pem");
    std::fs::write(&file, format!("{}{}", SigningKey::OTHER.pem, certificate.pem())).unwrap();
    let environment = environment(&emulator).with("AZURE_CLIENT_CERTIFICATE_PATH", &file);
    let azure = Azure::connect(&over_tls(&emulator, CredentialKind::Env), &environment).await.unwrap();
    assert!(azure.identity(&mi1()).await.known().is_some());
    let sent = emulator.requests();
    let form = &sent.iter().find(|request| request.path.ends_with("/token")).unwrap().body;
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!(form.get("client_secret"), None);
    for (content, said) in [("no pem", "no certificate"), (certificate.pem().as_str(), "no private key")] {
        std::fs::write(&file, content).unwrap();
        let error = refused(&over_tls(&emulator, CredentialKind::Env), &environment).await.to_string();
        assert!(error.contains(said) && error.contains("openssl pkcs12"), "{error}");
    }
    // Another certificate than the registered one.
    emulator.change(|tenant| tenant.applications[0].certificate = Some(("other".to_owned(), SigningKey::OTHER.jwk())));
    std::fs::write(&file, format!("{}{}", SigningKey::OTHER.pem, certificate.pem())).unwrap();
    let error = refused(&over_tls(&emulator, CredentialKind::Env), &environment).await.to_string();
    assert!(error.contains("AADSTS700027"), "{error}");
}

#[tokio::test]
async fn what_is_not_set_is_named() {
    let emulator = Emulator::start(Tenant::example()).await.unwrap();
    for (environment, missing) in [
        (Environment::empty(), "AZURE_CLIENT_ID"),
        (Environment::empty().with("AZURE_CLIENT_ID", examples::APPLICATION), "AZURE_TENANT_ID"),
        (environment(&emulator), "AZURE_CLIENT_SECRET"),
    ] {
        let error = refused(&over_tls(&emulator, CredentialKind::Env), &environment).await;
        assert!(matches!(&error, Error::NoLogin(login) if login.next.contains(missing)), "{error}");
    }
    // A secret is not sent in clear text, wherever the variable points.
    let environment = environment(&emulator)
        .with("AZURE_CLIENT_SECRET", "test-client-secret")
        .with("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1/");
    let error = refused(&over_tls(&emulator, CredentialKind::Env), &environment).await.to_string();
    assert!(error.contains("https"), "{error}");
}

#[tokio::test]
async fn tokens_are_asked_for_the_host_that_they_go_to() {
    let mut tenant = Tenant::example();
    // A second tenant's application does not matter; the resources of the real Azure must not be asked for.
    tenant.applications.push(Application {
        client_id: "77777777-0000-4000-8000-0000000000a9".to_owned(),
        ..tenant.applications[0].clone()
    });
    let emulator = Emulator::start(tenant).await.unwrap();
    let environment = environment(&emulator).with("AZURE_CLIENT_SECRET", "test-client-secret");
    let azure = Azure::connect(&over_tls(&emulator, CredentialKind::Env), &environment).await.unwrap();
    azure.discover(&[super::support::client()]).await;
    let scopes: Vec<String> = emulator
        .requests()
        .iter()
        .filter(|request| request.path.ends_with("/token"))
        .map(|request| request.body["scope"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(scopes[0], format!("{}/.default", emulator.arm_endpoint_tls()));
    assert!(scopes.iter().all(|scope| scope.contains("127.0.0.1") || scope.contains("localhost")), "{scopes:?}");
    for endpoint in
        ["http://management.example", "ftp://127.0.0.1", "https://user:secret@host", "https://host/path", "nonsense"]
    {
        let options = Options { arm_endpoint: Some(endpoint.to_owned()), ..options(&emulator) };
        let error = refused(&options, &environment).await;
        assert!(matches!(error, Error::Refused(_)), "{endpoint}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[cfg(unix)]
mod programs {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn install(directory: &Path, name: &str, script: &str) {
        let path = directory.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// An `az` that is logged in to the emulator and notes its arguments.
    fn az(emulator: &Emulator, directory: &Path) -> String {
        let answer = |resource: &str| {
            let token = emulator.access_token(resource, std::time::Duration::from_hours(1));
            let expires = jiff::Timestamp::now().as_second() + 3600;
            format!(
                r#"{{"accessToken":"{token}","expiresOn":"2026-11-21 17:51:02.000000","expires_on":{expires},"subscription":"{}","tenant":"{}","tokenType":"Bearer"}}"#,
                examples::SUBSCRIPTION,
                examples::TENANT
            )
        };
        format!(
            "echo \"$@\" >> {}/calls\npwd >> {0}/calls\ncase \"$*\" in *{}*) echo '{}';; *) echo '{}';; esac",
            directory.display(),
            emulator.graph_endpoint(),
            answer(&emulator.graph_endpoint()),
            answer(&emulator.arm_endpoint()),
        )
    }

    const NOT_LOGGED_IN: &str = "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1";

    #[tokio::test]
    async fn the_azure_cli_s_login_comes_first() {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        install(directory.path(), "az", &az(&emulator, directory.path()));
        let environment =
            environment(&emulator).with("AZURE_CLIENT_SECRET", "test-client-secret").with("PATH", directory.path());
        let options = Options { tenant: Some(examples::TENANT.to_owned()), ..options(&emulator) };
        let azure = Azure::connect(&options, &environment).await.unwrap();
        assert_eq!(azure.credential(), "Azure CLI");
        azure.discover(&[super::super::support::client()]).await;
        azure.identity(&mi1()).await.known().unwrap();
        let calls = std::fs::read_to_string(directory.path().join("calls")).unwrap();
        let (arm, graph) = (emulator.arm_endpoint(), emulator.graph_endpoint());
        let line = |resource: &str| {
            format!("account get-access-token --output json --resource {resource} --tenant {}\n/\n", examples::TENANT)
        };
        // Once for each resource; it runs in the root directory.
        assert_eq!(calls, format!("{}{}", line(&arm), line(&graph)));
        assert!(emulator.requests().iter().all(|request| !request.path.ends_with("/token")));
    }

    #[tokio::test]
    async fn a_login_without_a_token_for_the_directory_still_reads_arm() {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let arm = az(&emulator, directory.path());
        let graph = emulator.graph_endpoint();
        let script = format!(
            "case \"$*\" in *{graph}*) echo 'ERROR: AADSTS50005: not from this device' >&2; exit 1;; esac\n{arm}"
        );
        install(directory.path(), "az", &script);
        let environment = Environment::empty().with("PATH", directory.path());
        let azure = Azure::connect(&options(&emulator), &environment).await.unwrap();
        let discovery = azure.discover(&[super::super::support::client()]).await;
        assert!(matches!(discovery.identities.values().next(), Some(kubectl_wi::azure::Discovered::UserAssigned(_))));
        let why = discovery.searched.directory.why().unwrap();
        assert!(why.starts_with(&format!("Azure CLI gives no token for {graph}: ")), "{why}");
        assert!(why.contains("AADSTS50005") && !why.contains("no Azure login"), "{why}");
    }

    #[tokio::test]
    async fn nobody_logged_in_falls_back_to_the_environment() {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        install(directory.path(), "az", NOT_LOGGED_IN);
        let environment =
            environment(&emulator).with("AZURE_CLIENT_SECRET", "test-client-secret").with("PATH", directory.path());
        let azure = Azure::connect(&over_tls(&emulator, CredentialKind::Auto), &environment).await.unwrap();
        assert_eq!(azure.credential(), "environment");
    }

    #[tokio::test]
    async fn no_login_at_all_is_one_error_with_the_command_to_run() {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let empty = Environment::empty().with("PATH", directory.path());
        let error = refused(&options(&emulator), &empty).await.to_string();
        assert!(error.starts_with("no Azure login: run \"az login\" ("), "{error}");
        for part in [
            "Azure CLI: az is not on PATH",
            "environment: AZURE_CLIENT_ID is not set",
            "Azure Developer CLI: azd is not on PATH",
        ] {
            assert!(error.contains(part), "{error}");
        }
        install(directory.path(), "az", NOT_LOGGED_IN);
        let with_tenant = Options { tenant: Some(examples::TENANT.to_owned()), ..options(&emulator) };
        let error = refused(&with_tenant, &empty).await.to_string();
        assert!(error.contains(&format!("run \"az login --tenant {}\"", examples::TENANT)), "{error}");
        // A login that has ended is what the user meant: its own words are shown.
        install(
            directory.path(),
            "az",
            "echo 'ERROR: AADSTS700082: The refresh token has expired due to inactivity.' >&2; exit 1",
        );
        let error = refused(&options(&emulator), &empty).await.to_string();
        assert!(error.contains("AADSTS700082") && error.contains("az login"), "{error}");
        // The service principal of the environment is wrong: that is what to mend, not az.
        install(directory.path(), "az", NOT_LOGGED_IN);
        let wrong = environment(&emulator).with("AZURE_CLIENT_SECRET", "wrong").with("PATH", directory.path());
        let error = refused(&over_tls(&emulator, CredentialKind::Auto), &wrong).await;
        assert!(matches!(&error, Error::NoLogin(login) if login.next.contains("AZURE_CLIENT_ID")), "{error}");
    }

    #[tokio::test]
    async fn the_developer_cli_logs_in() {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let token = emulator.access_token(&emulator.arm_endpoint(), std::time::Duration::from_hours(1));
        install(
            directory.path(),
            "azd",
            &format!(
                "echo \"$@\" >> {}/calls\necho '{{\"token\":\"{token}\",\"expiresOn\":\"2036-01-01T00:00:00Z\"}}'",
                directory.path().display()
            ),
        );
        let environment = Environment::empty().with("PATH", directory.path());
        let options = Options { credential: CredentialKind::Azd, ..options(&emulator) };
        let azure = Azure::connect(&options, &environment).await.unwrap();
        assert!(azure.identity(&mi1()).await.known().is_some());
        let calls = std::fs::read_to_string(directory.path().join("calls")).unwrap();
        assert_eq!(calls, format!("auth token --output json --scope {}/.default\n", emulator.arm_endpoint()));
        install(directory.path(), "azd", "echo 'ERROR: not logged in, run `azd auth login` to login' >&2; exit 1");
        let error = refused(&options, &environment).await.to_string();
        assert!(error.contains("run \"azd auth login\""), "{error}");
    }

    #[tokio::test]
    async fn odd_programs_are_reasons_and_their_output_is_not_shown() {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let environment = Environment::empty().with("PATH", directory.path());
        let options = Options { credential: CredentialKind::Cli, ..options(&emulator) };
        for (script, said) in [
            ("echo '{\"accessToken\": 7, \"secret\": \"hunter2\"}'", "something else than JSON"),
            ("echo hunter2", "something else than JSON"),
            ("exit 3", "said nothing"),
            ("echo 'eyJhbGciOiJSUzI1NiJ9.hunter2hunter2hunter2.x broke' >&2; exit 1", "[hidden] broke"),
        ] {
            install(directory.path(), "az", script);
            let error = refused(&options, &environment).await;
            assert!(error.to_string().contains(said), "{script}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_program_in_the_working_directory_is_not_run() {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let environment = Environment::empty().with("PATH", ".:bin:");
        let options = Options { credential: CredentialKind::Cli, ..options(&emulator) };
        let error = refused(&options, &environment).await.to_string();
        assert!(error.contains("az is not on PATH"), "{error}");
    }

    #[tokio::test]
    async fn an_argument_that_a_batch_file_would_read_is_not_handed_over() {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        install(directory.path(), "az", "touch \"$0.ran\"");
        let environment = Environment::empty().with("PATH", directory.path());
        let options =
            Options { credential: CredentialKind::Cli, tenant: Some("x&calc".to_owned()), ..options(&emulator) };
        let error = refused(&options, &environment).await.to_string();
        assert!(error.contains("--tenant"), "{error}");
        assert!(!directory.path().join("az.ran").exists());
    }
}
