//! What comes back when somebody looks into a container by hand, as articles tell people to.

use crate::symptoms::commands::Next;
use crate::symptoms::model::{Class, Kind};
use crate::symptoms::signature::{SIGNATURE, Signature};

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "listing-denied",
        kind: Kind::TokenFile,
        code: "WI411",
        gives: Some("WI411"),
        patterns: &[
            r"(?:ls|cat): (?:cannot open|can't open|cannot access|can't access)? (?:directory)? :? ['\x22]? /var/run/secrets/(?:azure|tokens)\S{0,80} permission denied",
        ],
        points_to: &["WI411"],
        means: "The user of the container may not read the token.",
        causes: &[
            "the containers of the pod run as different users, or one without runAsUser: set fsGroup in the pod's securityContext",
        ],
        next: &[Next::Probe, Next::Inspect],
        ..SIGNATURE
    },
    Signature {
        id: "listing-not-found",
        kind: Kind::NotConfigured,
        code: "WI802",
        patterns: &[
            r"(?:ls|cat|stat): (?:cannot (?:open|access|stat|statx)|can't (?:open|access|stat))? ['\x22]? /var/run/secrets/(?:azure|tokens)\S{0,80} no such file or directory",
        ],
        points_to: &["WI401", "WI101", "WI301"],
        probable: true,
        means: "There is nothing at this path. That proves little: webhooks from 1.6.0 on mount the token elsewhere; AZURE_FEDERATED_TOKEN_FILE says where.",
        causes: &[
            "the webhook is 1.6.0 or newer and the token is at another path",
            "the pod was not mutated: label, webhook, or a pod that is older than both",
        ],
        next: &[Next::Probe, Next::Inspect],
        ..SIGNATURE
    },
    Signature {
        id: "no-shell",
        kind: Kind::Elsewhere,
        code: "WI807",
        class: Some(Class::NoShell),
        patterns: &[
            r"exec: \S{0,3} (?:/bin/|/usr/bin/)? (?:sh|bash|ash|ls|cat|env|printenv|stat|find|curl|wget|id) \S{0,3} :? (?:executable file not found|stat|no such file|permission denied)",
            r"stat /bin/(?:sh|bash|ls|cat): no such file or directory",
            r"exec: \S{0,3} (?:cmd|powershell)(?:\.exe)? \S{0,3} : executable file not found",
        ],
        means: "The image has no such program, as most images with workload identity have none. It proves nothing about the token.",
        causes: &[
            "look without a shell: exec-probe reads the token with what the image has, or from a container beside it",
        ],
        next: &[Next::Probe, Next::Inspect],
        ..SIGNATURE
    },
];
