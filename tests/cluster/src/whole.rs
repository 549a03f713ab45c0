//! A whole cluster: the control plane, and one node that runs containers, in namespaces of their own.

use std::{ffi::OsStr, fs, ops::Deref, path::Path, process::Command, sync::OnceLock, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{
    binaries::{self, Program},
    cluster::Cluster,
    control_plane::{self, Addresses, client_kubeconfig},
    images::{self, Image, PAUSE},
    requirements,
    supervisor::{Isolation, Supervisor},
    webhook::WebhookOptions,
};

/// The address of the API server and of the node: the first one of the Service range, that of the `kubernetes` Service.
pub(crate) const ADDRESS: &str = "10.0.0.1";

/// Where containerd, the kubelet and etcd keep their state: in a tmpfs that only the cluster sees.
const STATE: &str = "/run/wi";

/// The node's name, as AKS names them.
pub const NODE: &str = "aks-nodepool1-12345678-vmss000000";

/// A whole cluster, with one node. It needs Linux and root.
///
/// It has a network of its own: what talks to it runs as a child process made by [`Cluster::command`]. Pods reach the
/// API server by its usual in-cluster address. There is no DNS, no kube-proxy and no way out: Services are for the API
/// server's own calls to webhooks, and images are those of [`crate::IMAGE_SHELL`] and its neighbours.
pub struct WholeCluster {
    cluster: Cluster,
    inside: u32,
}

impl WholeCluster {
    /// Starts a whole cluster, without the identity webhook; it stops when the value is dropped or the process ends,
    /// however it ends.
    ///
    /// # Errors
    /// Something that it needs is missing: the message says in one line what to install; or a part does not start.
    pub fn start() -> Result<Self> {
        requirements::ensure_whole_cluster()?;
        binaries::ensure_programs(&[&Program::CONTROL_PLANE[..], &Program::NODE[..]].concat())?;
        let supervisor = Supervisor::start(Isolation::Namespaces)?;
        let inside = supervisor.inside()?;
        start_containerd(&supervisor)?;
        let addresses = Addresses { bind: "0.0.0.0", advertise: ADDRESS, port: 443, etcd: 2379, node: true };
        let whole = Self { cluster: control_plane::start(supervisor, &addresses)?, inside };
        whole.import(&images::standard()?, "standard")?;
        whole.start_node()?;
        Ok(whole)
    }

    /// The one whole cluster that the tests of this process share, with the identity webhook installed and ready: take
    /// a [`Cluster::namespace`] for each test. A test that changes the webhook needs a cluster of its own.
    ///
    /// # Panics
    /// It cannot be had; the message says why and what to install.
    #[track_caller]
    #[allow(clippy::panic, reason = "a test that cannot have its cluster has to fail, with this one line")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<WholeCluster, String>> = OnceLock::new();
        let start = || {
            let cluster = Self::start()?;
            cluster.webhook_install(&WebhookOptions::default())?;
            Ok::<_, anyhow::Error>(cluster)
        };
        match SHARED.get_or_init(|| start().map_err(|error| format!("{error:#}"))) {
            Ok(cluster) => cluster,
            Err(message) => panic!("{message}"),
        }
    }

    /// A command in all of the cluster's namespaces: its network, its mounts and its processes.
    pub fn enter(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.inside)).args(["--net", "--mount", "--pid", "--"]).arg(program);
        command
    }

    /// Gives images to the node.
    pub(crate) fn import(&self, images: &[Image], name: &str) -> Result<()> {
        let archive = self.folder().join(format!("{name}.tar"));
        images::write_archive(images, &archive)?;
        let mut ctr = self.enter("ctr");
        ctr.arg("--address").arg(socket()).args(["--namespace", "k8s.io", "images", "import", "--no-unpack"]);
        let output = ctr.arg(&archive).output().context("cannot run ctr")?;
        ensure!(output.status.success(), "ctr images import: {}", String::from_utf8_lossy(&output.stderr).trim());
        fs::remove_file(&archive)?;
        Ok(())
    }

    fn start_node(&self) -> Result<()> {
        let started = self.cluster.started()?;
        let (folder, authority, server) = (self.folder(), &started.authority, started.server.as_str());
        let supervisor = &started.supervisor;

        let scheduler = client_kubeconfig(folder, authority, server, "scheduler", "system:kube-scheduler", None)?;
        supervisor.run(
            "kube-scheduler",
            &binaries::path(Program::Scheduler)?,
            &[format!("--kubeconfig={}", scheduler.display()), "--leader-elect=false".into(), "--secure-port=0".into()],
        )?;

        let user = format!("system:node:{NODE}");
        let kubelet = client_kubeconfig(folder, authority, server, "kubelet", &user, Some("system:nodes"))?;
        let (certificate, key) = authority.server(&[NODE, ADDRESS])?.write(folder, "kubelet")?;
        let resolver = folder.join("resolv.conf");
        // Nobody listens there: a name is refused at once, where an address that swallows packets would cost seconds.
        fs::write(&resolver, format!("nameserver {ADDRESS}\n"))?;
        let config = json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": true},
                "x509": {"clientCAFile": folder.join("ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": certificate,
            "tlsPrivateKeyFile": key,
            "containerRuntimeEndpoint": format!("unix://{}", socket()),
            "resolvConf": resolver,
            "podLogsDir": format!("{STATE}/pods"),
            "volumePluginDir": format!("{STATE}/plugins"),
            // No groups and no limits for all pods together: not every machine allows them.
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": false,
            "enforceNodeAllocatable": [],
            "failSwapOn": false,
            "localStorageCapacityIsolation": false,
            "makeIPTablesUtilChains": false,
            "oomScoreAdj": 0,
            // A full disk is the machine's own business, and pods of tests are not to be evicted for it.
            "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "readOnlyPort": 0,
            "logging": {"verbosity": 1},
        });
        let config_file = folder.join("kubelet.json");
        fs::write(&config_file, format!("{config:#}\n"))?;
        supervisor.run(
            "kubelet",
            &binaries::path(Program::Kubelet)?,
            &[
                format!("--config={}", config_file.display()),
                format!("--kubeconfig={}", kubelet.display()),
                format!("--root-dir={STATE}/kubelet"),
                format!("--cert-dir={STATE}/kubelet-certificates"),
                format!("--hostname-override={NODE}"),
                format!("--node-ip={ADDRESS}"),
            ],
        )?;
        supervisor.wait("a ready node", Duration::from_mins(1), || {
            let node = self.kubectl_json(&["get", "node", NODE]).ok()?;
            let ready = node["status"]["conditions"]
                .as_array()?
                .iter()
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
            // The taint goes a moment after; a pod that comes before it would wait for the scheduler's next round.
            (ready && node["spec"]["taints"].is_null()).then_some(())
        })
    }
}

impl Deref for WholeCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

fn socket() -> String {
    format!("{STATE}/containerd/containerd.sock")
}

fn start_containerd(supervisor: &Supervisor) -> Result<()> {
    let folder = supervisor.folder();
    let plugins = requirements::cni_plugins().context("the CNI plugins are not installed")?;
    let network = folder.join("cni");
    fs::create_dir(&network)?;
    let bridge = json!({
        "cniVersion": "0.4.0",
        "name": "wi",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.244.0.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    });
    fs::write(network.join("10-wi.conflist"), format!("{bridge:#}\n"))?;
    let config = folder.join("containerd.toml");
    fs::write(&config, containerd_config(plugins, &network))?;
    let program = requirements::find("containerd").context("containerd is not installed")?;
    supervisor.run("containerd", &program, &[format!("--config={}", config.display())])
}

fn containerd_config(plugins: &Path, network: &Path) -> String {
    format!(
        r#"version = 2
root = "{STATE}/containerd/root"
state = "{STATE}/containerd/state"

[grpc]
address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
# Without CAP_SYS_RESOURCE, as in many containers, runc fails to lower it: "can't get final child's PID from pipe".
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{network}"

[plugins."io.containerd.internal.v1.opt"]
path = "{STATE}/containerd/opt"
"#,
        socket = socket(),
        plugins = plugins.display(),
        network = network.display(),
    )
}
