//! `WI41x` and `WI42x`: what a probe saw in or beside a pod, and what Entra said to its token.

pub mod exchange;
pub mod file;
mod mode;
mod policy;
pub mod token;

use crate::chain::{Chain, Target};
use crate::model::finding::{Fix, FixKind};
use crate::model::object::ObjectRef;
use crate::probe::facts::{ContainerProbe, Method};

/// The object that a probe is about: its pod, or the target where there is none.
fn object(chain: &Chain<'_>, probe: &ContainerProbe) -> ObjectRef {
    match &probe.pod {
        Some(pod) => ObjectRef::new("v1", "Pod", Some(chain.namespace()), pod),
        None => chain.target().object().clone(),
    }
}

/// `container app of pod velero-5d9`
fn whose(probe: &ContainerProbe) -> String {
    match &probe.pod {
        Some(pod) => format!("container {} of pod {pod}", probe.container),
        None => format!("container {}", probe.container),
    }
}

/// How the token was come by, as evidence.
fn way(probe: &ContainerProbe) -> String {
    match probe.method {
        Some(Method::Exec) => "the token file, read in the container".to_owned(),
        Some(Method::Ephemeral) => "the token file, read from an ephemeral container".to_owned(),
        Some(Method::TokenRequest) => "a token that the API server made for the same account and audience".to_owned(),
        None => "no token".to_owned(),
    }
}

/// Restarting what made the pod.
fn restart(chain: &Chain<'_>, summary: &str) -> Fix {
    let fix = Fix::new(FixKind::Restart, summary);
    match chain.target() {
        Target::Workload(workload) if !workload.is_pod() => {
            let argument = workload.meta.object.argument();
            fix.command(format!("kubectl rollout restart {argument} -n {}", chain.namespace()))
        }
        _ => Fix::manual(summary),
    }
}
