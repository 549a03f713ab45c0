//! etcd, the API server and the controllers: what every cluster has.

use std::{
    env,
    net::TcpListener,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    binaries::{self, Program},
    cluster::{Cluster, Origin, Started},
    kubeconfig::{self, Credential},
    names,
    pki::{self, Authority},
    supervisor::{Isolation, Supervisor},
};

/// The Microsoft Entra tenant that stands in the issuer of the tests' clusters.
pub const TENANT_ID: &str = "72f988bf-0000-4000-8000-2d7cd011db47";

/// A control plane on loopback: no nodes, so pods stay `Pending`; everything else is the real thing.
///
/// RBAC, server-side apply, dry runs, `TokenRequest`, admission webhooks (by URL), pagination, watches, Deployments and
/// `ReplicaSet`s work. A pod's status can be written with `kubectl patch --subresource=status`. It needs no privileges.
pub struct ControlPlane {
    cluster: Cluster,
}

impl ControlPlane {
    /// Starts a control plane; it stops when the value is dropped or the process ends, however it ends.
    ///
    /// # Errors
    /// A program is missing and cannot be built, or does not start.
    pub fn start() -> Result<Self> {
        binaries::ensure_programs(&Program::CONTROL_PLANE)?;
        let supervisor = Supervisor::start(Isolation::Loopback)?;
        Ok(Self { cluster: start(supervisor, &Addresses::loopback()?)? })
    }

    /// The one control plane that the tests of this process share: take a [`Cluster::namespace`] for each test. With
    /// `KUBECTL_WI_TEST_KUBECONFIG` it is the cluster of that file's current context instead.
    ///
    /// # Panics
    /// It cannot be had; the message says why and what to install.
    #[track_caller]
    #[allow(clippy::panic, reason = "a test that cannot have its cluster has to fail, with this one line")]
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        let start = || match env::var_os("KUBECTL_WI_TEST_KUBECONFIG") {
            Some(file) => Cluster::existing(Path::new(&file)),
            None => Self::start().map(|started| started.cluster),
        };
        match SHARED.get_or_init(|| start().map_err(|error| format!("{error:#}"))) {
            Ok(cluster) => cluster,
            Err(message) => panic!("{message}"),
        }
    }
}

impl Deref for ControlPlane {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// Where the parts of a control plane listen.
pub(crate) struct Addresses {
    /// The API server's, as it is bound, advertised and put into kubeconfigs.
    pub(crate) bind: &'static str,
    pub(crate) advertise: &'static str,
    pub(crate) port: u16,
    pub(crate) etcd: u16,
    /// Whether there is a node, which means namespaces of the cluster's own.
    pub(crate) node: bool,
}

impl Addresses {
    fn loopback() -> Result<Self> {
        let (port, etcd) = (free_port()?, free_port()?);
        Ok(Self { bind: "127.0.0.1", advertise: "127.0.0.1", port, etcd, node: false })
    }

    fn server(&self) -> String {
        match self.port {
            443 => format!("https://{}", self.advertise),
            port => format!("https://{}:{port}", self.advertise),
        }
    }
}

/// A port that nobody listens on, below the range that outgoing connections take theirs from.
pub(crate) fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = 20_000 + u16::try_from(names::random() % 12_000)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port on 127.0.0.1 between 20000 and 32000 in a hundred tries")
}

/// Starts etcd, the API server and the controller manager and waits until they do their work.
pub(crate) fn start(supervisor: Supervisor, addresses: &Addresses) -> Result<Cluster> {
    let inside = if addresses.node { Some(supervisor.inside()?) } else { None };
    let authority = Authority::new("wi-test-ca")?;
    let folder = supervisor.folder().to_owned();
    let issuer = format!("https://westeurope.oic.prod-aks.azure.com/{TENANT_ID}/{}/", names::uuid());
    let files = Files::write(&folder, &authority)?;
    let server = addresses.server();

    let admin = client_kubeconfig(&folder, &authority, &server, "admin", "admin", Some("system:masters"))?;
    let manager = "system:kube-controller-manager";
    let controllers = client_kubeconfig(&folder, &authority, &server, "controllers", manager, None)?;

    let etcd_url = format!("http://127.0.0.1:{}", addresses.etcd);
    let etcd_data = if inside.is_some() { "/run/wi/etcd".into() } else { folder.join("etcd").display().to_string() };
    supervisor.run(
        "etcd",
        &binaries::path(Program::Etcd)?,
        &[
            format!("--data-dir={etcd_data}"),
            format!("--listen-client-urls={etcd_url}"),
            format!("--advertise-client-urls={etcd_url}"),
            "--listen-peer-urls=http://127.0.0.1:0".into(),
            "--unsafe-no-fsync".into(),
            "--log-level=warn".into(),
        ],
    )?;
    supervisor.run(
        "kube-apiserver",
        &binaries::path(Program::ApiServer)?,
        &api_server_arguments(addresses, &files, &issuer, &etcd_url, &authority)?,
    )?;
    supervisor.run(
        "kube-controller-manager",
        &binaries::path(Program::ControllerManager)?,
        &[
            format!("--kubeconfig={}", controllers.display()),
            "--use-service-account-credentials".into(),
            format!("--service-account-private-key-file={}", files.tokens.display()),
            format!("--root-ca-file={}", files.authority.display()),
            format!("--cluster-signing-cert-file={}", files.authority.display()),
            format!("--cluster-signing-key-file={}", files.authority_key.display()),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
            // How soon a new node loses its taint; the default of five seconds is for large clusters.
            "--node-monitor-period=500ms".into(),
        ],
    )?;

    let name = supervisor.name().to_owned();
    let started = Started { supervisor, authority, server, issuer, inside };
    let cluster = Cluster { name, folder, kubeconfig: admin, origin: Origin::Started(Box::new(started)) };
    let limit = Duration::from_mins(1);
    let supervisor = &cluster.started()?.supervisor;
    supervisor.wait("a ready API server", limit, || cluster.kubectl(&["get", "--raw", "/readyz"]).ok())?;
    // The controller manager's first visible work.
    supervisor.wait("a working controller manager", limit, || {
        cluster.kubectl(&["get", "serviceaccount", "default", "--namespace", "default"]).ok()
    })?;
    Ok(cluster)
}

fn api_server_arguments(
    addresses: &Addresses,
    files: &Files,
    issuer: &str,
    etcd_url: &str,
    authority: &Authority,
) -> Result<Vec<String>> {
    let folder = files.folder.as_path();
    let mut arguments = vec![
        format!("--etcd-servers={etcd_url}"),
        format!("--bind-address={}", addresses.bind),
        format!("--advertise-address={}", addresses.advertise),
        format!("--secure-port={}", addresses.port),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        "--allow-privileged".into(),
        format!("--client-ca-file={}", files.authority.display()),
        format!("--tls-cert-file={}", files.server.0.display()),
        format!("--tls-private-key-file={}", files.server.1.display()),
        format!("--cert-dir={}", folder.display()),
        format!("--service-account-issuer={issuer}"),
        format!("--service-account-jwks-uri={issuer}openid/v1/jwks"),
        format!("--service-account-key-file={}", files.tokens.display()),
        format!("--service-account-signing-key-file={}", files.tokens.display()),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        "--endpoint-reconciler-type=none".into(),
    ];
    if addresses.node {
        let kubelet = authority.client("kube-apiserver-kubelet-client", Some("system:masters"))?;
        let (certificate, key) = kubelet.write(folder, "kubelet-client")?;
        arguments.extend([
            format!("--kubelet-certificate-authority={}", files.authority.display()),
            format!("--kubelet-client-certificate={}", certificate.display()),
            format!("--kubelet-client-key={}", key.display()),
            "--kubelet-preferred-address-types=InternalIP".into(),
            // Webhooks behind Services are called by the address of an endpoint: there is no kube-proxy.
            "--enable-aggregator-routing".into(),
        ]);
    }
    Ok(arguments)
}

/// The keys and certificates that the control plane reads.
struct Files {
    folder: PathBuf,
    authority: PathBuf,
    authority_key: PathBuf,
    server: (PathBuf, PathBuf),
    /// Signs and verifies service account tokens.
    tokens: PathBuf,
}

impl Files {
    fn write(folder: &Path, authority: &Authority) -> Result<Self> {
        let (authority_file, authority_key) = authority.pair().write(folder, "ca")?;
        let server = authority.server(&[
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
            "127.0.0.1",
            "10.0.0.1",
        ])?;
        let server = server.write(folder, "kube-apiserver")?;
        let tokens = folder.join("service-account.key");
        let output = Command::new(binaries::path(Program::RsaKey)?).output().context("cannot run rsa-key")?;
        ensure!(output.status.success(), "rsa-key: {}", String::from_utf8_lossy(&output.stderr));
        pki::write_private(&tokens, &String::from_utf8(output.stdout)?)?;
        Ok(Self { folder: folder.to_owned(), authority: authority_file, authority_key, server, tokens })
    }
}

/// Writes the kubeconfig of one component or person.
pub(crate) fn client_kubeconfig(
    folder: &Path,
    authority: &Authority,
    server: &str,
    file: &str,
    user: &str,
    group: Option<&str>,
) -> Result<PathBuf> {
    let pair = authority.client(user, group)?;
    let path = folder.join(format!("{file}.kubeconfig"));
    let text = kubeconfig::render(server, &authority.certificate(), &Credential::Certificate(&pair));
    pki::write_private(&path, &text)?;
    Ok(path)
}
