//! `kill -9` while a change is under way: what was sent is known afterwards, and can be taken back.

use crate::fix::{Home, UNLABELLED, get, intent, plane};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use wi_test_cluster::Cluster;

const LABEL: &str = "azure.workload.identity/use";

/// What happens to a patch that is no dry run.
const PASS: u8 = 0;
const HOLD_REQUEST: u8 = 1;
const HOLD_ANSWER: u8 = 2;

/// An API server that stalls: `kubectl proxy` with a gate before it.
struct Gate {
    address: String,
    mode: Arc<AtomicU8>,
    held: Receiver<()>,
    proxy: Child,
}

impl Gate {
    fn open(cluster: &Cluster) -> Self {
        let mut proxy = cluster.command("kubectl").args(["proxy", "--port=0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(proxy.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let behind = line.trim().rsplit(' ').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (mode, (tell, held)) = (Arc::new(AtomicU8::new(PASS)), channel());
        let shared = mode.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (server, mode, tell) = (TcpStream::connect(&behind).unwrap(), shared.clone(), tell.clone());
                join(client.unwrap(), server, mode, tell);
            }
        });
        Self { address, mode, held, proxy }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

fn join(client: TcpStream, server: TcpStream, mode: Arc<AtomicU8>, tell: Sender<()>) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let closed = Arc::new(AtomicU8::new(PASS));
    let (gate, both, answered) = (closed.clone(), mode, tell.clone());
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let head = String::from_utf8_lossy(&buffer[..read]);
            let line = head.lines().next().unwrap_or_default();
            if line.starts_with("PATCH ") && !line.contains("dryRun") {
                match both.load(Ordering::SeqCst) {
                    HOLD_REQUEST => {
                        let _ = tell.send(());
                        return;
                    }
                    HOLD_ANSWER => gate.store(HOLD_ANSWER, Ordering::SeqCst),
                    _ => {}
                }
            }
            if to.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if closed.load(Ordering::SeqCst) == HOLD_ANSWER {
                // The answer is there, so the patch was made; whoever sent it never hears of it.
                let _ = answered.send(());
            } else if to.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    });
}

/// Runs a fix until its patch is held, and kills it there.
fn killed(home: &Home, gate: &Gate, cluster: &Cluster, namespace: &str, mode: u8) {
    gate.mode.store(mode, Ordering::SeqCst);
    let mut command = home.command(cluster, &["deploy/velero", "-n", namespace, "--yes", "-s", &gate.address]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    gate.held.recv_timeout(Duration::from_mins(1)).unwrap();
    // The child is the program itself, or nsenter that became it.
    child.kill().unwrap();
    child.wait().unwrap();
    gate.mode.store(PASS, Ordering::SeqCst);
}

#[test]
fn between_the_journal_and_the_patch_and_between_the_patch_and_its_confirmation() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("killed").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let before = intent(&namespace, "deploy/velero");
    let gate = Gate::open(cluster);

    killed(&home, &gate, cluster, namespace.name(), HOLD_REQUEST);
    assert_eq!(intent(&namespace, "deploy/velero"), before);
    let history = home.fix(cluster, &["--history", "-o", "json"]).json();
    assert_eq!(history["runs"][0]["changes"][0]["confirmed"], false, "{history:#}");
    assert_eq!(history["runs"][0]["ended"], false);
    let undone = home.fix(cluster, &["--undo", "--yes", "-s", &gate.address]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert!(undone.out.contains("nothing to take back"), "{undone:?}");
    assert_eq!(intent(&namespace, "deploy/velero"), before);

    let home = Home::new();
    killed(&home, &gate, cluster, namespace.name(), HOLD_ANSWER);
    let label = || get(&namespace, "deploy/velero")["spec"]["template"]["metadata"]["labels"][LABEL].clone();
    cluster.wait_for("the patch", Duration::from_secs(20), || Ok((label() == "true").then_some(()))).unwrap();
    let history = home.fix(cluster, &["--history"]);
    assert!(history.out.contains("sent, not confirmed"), "{history:?}");
    let other = home.fix(cluster, &["--undo", "--yes"]);
    assert_eq!(other.code, 2, "another server than the one that was changed: {other:?}");
    let undone = home.fix(cluster, &["--undo", "--yes", "-s", &gate.address]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(intent(&namespace, "deploy/velero"), before);
}
