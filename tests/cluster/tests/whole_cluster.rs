//! The whole cluster runs pods.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wi_test_cluster::WholeCluster;

#[test]
fn images_have_what_their_names_say_and_no_more() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("images").unwrap();
    for (pod, image) in [
        ("shell", wi_test_cluster::IMAGE_SHELL),
        ("cat", wi_test_cluster::IMAGE_CAT),
        ("app", wi_test_cluster::IMAGE_APP),
    ] {
        namespace.kubectl(&["run", pod, "--image", image, "--", "hello from the application"]).unwrap();
    }
    namespace.kubectl(&["wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s"]).unwrap();
    let token = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

    assert_eq!(namespace.kubectl(&["exec", "cat", "--", "cat", token]).unwrap(), namespace.name());
    assert_eq!(namespace.kubectl(&["exec", "shell", "--", "sh", "-c", "id -u"]).unwrap(), "0\n");
    let error = namespace.kubectl(&["exec", "cat", "--", "sh"]).unwrap_err().to_string();
    assert!(error.contains(r#"exec: "sh": executable file not found in $PATH"#), "{error}");
    let error = namespace.kubectl(&["exec", "app", "--", "cat", token]).unwrap_err().to_string();
    assert!(error.contains(r#"exec: "cat": executable file not found in $PATH"#), "{error}");
    assert_eq!(namespace.kubectl(&["logs", "app"]).unwrap(), "hello from the application\n");
}
