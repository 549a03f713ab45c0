//! The questions of `fix`, answered in a pseudo-terminal; and what others do while a question is open.

use crate::fix::{Home, UNLABELLED, get, intent, plane};
use crate::support::{App, CLIENT_ID};
use rexpect::session::{PtySession, spawn_command};
use std::process::Command;

const LABEL: &str = "azure.workload.identity/use";
const QUESTION: &str = "(yes, no, all, quit)";

/// Runs a command below a shell, which tells afterwards how it ended and what the terminal is like.
fn in_terminal(command: &Command) -> PtySession {
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "was=$(stty -g); \"$@\"; echo \"code=$?.\"; test \"$was\" = \"$(stty -g)\" && echo same.; echo over.",
        "sh",
    ]);
    shell.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    shell.env("TERM", "xterm").env_remove("NO_COLOR");
    spawn_command(shell, Some(60_000)).unwrap()
}

/// Waits for the end, and for a terminal that is as it was and shows its cursor.
#[track_caller]
fn ends(session: &mut PtySession, code: i32) -> String {
    let said = session.exp_string("code=").unwrap();
    let ended = session.exp_string(".").unwrap();
    assert_eq!(ended, code.to_string(), "{said}");
    let terminal = session.exp_string("over.").unwrap();
    assert!(terminal.contains("same."), "the terminal is not as it was: {terminal}");
    let (hidden, shown) = (said.rfind("\u{1b}[?25l"), said.rfind("\u{1b}[?25h"));
    assert!(hidden <= shown, "the cursor stays hidden: {said:?}");
    said
}

#[test]
fn yes_no_and_quit() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("ask").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let before = intent(&namespace, "deploy/velero");
    let fix = || in_terminal(&home.command(cluster, &["deploy/velero", "-n", namespace.name()]));
    for answer in ["no", "quit"] {
        let mut session = fix();
        let shown = session.exp_string(QUESTION).unwrap();
        assert!(shown.contains("azure.workload.identity/use") && shown.contains("restart its pods"), "{shown}");
        session.send_line(answer).unwrap();
        ends(&mut session, 1);
        assert_eq!(intent(&namespace, "deploy/velero"), before);
    }
    // Nothing is preselected: Enter alone, and words that are no answer, ask again.
    let mut session = fix();
    session.exp_string(QUESTION).unwrap();
    session.send_line("").unwrap();
    session.send_line("perhaps").unwrap();
    session.exp_string("or the first letter").unwrap();
    assert_eq!(intent(&namespace, "deploy/velero"), before);
    session.send_line("\u{15}yes").unwrap();
    let said = ends(&mut session, 0);
    assert!(said.contains("applied"), "{said}");
    assert_eq!(get(&namespace, "deploy/velero")["spec"]["template"]["metadata"]["labels"][LABEL], "true");
}

#[test]
fn ctrl_c_in_each_question_leaves_the_terminal_as_it_was() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("ctrlc").unwrap());
    // The account lacks its client id, and another one has some: a list, and a line to type.
    let app = App { client_id: None, ..App::HEALTHY };
    namespace.apply(&app.manifests()).unwrap();
    // Two of them: with one alone, the question would be whether the pods should run as that one.
    for account in ["other", "third"] {
        namespace.apply(&App { name: account, account, ..App::HEALTHY }.account().to_string()).unwrap();
    }
    let before = intent(&namespace, "sa/velero-server");
    let fix = || in_terminal(&home.command(cluster, &["deploy/velero", "-n", namespace.name()]));

    let mut session = fix();
    let shown = session.exp_string("leave it").unwrap();
    assert!(shown.contains(CLIENT_ID) && shown.contains("service account"), "{shown}");
    session.send_control('c').unwrap();
    let said = ends(&mut session, 130);
    assert!(said.contains("nothing was changed"), "{said}");

    // The list once more; its last but one entry is a line to type.
    let mut session = fix();
    session.exp_string("leave it").unwrap();
    session.send("kk").unwrap();
    session.send_line("").unwrap();
    session.exp_string("(empty: leave it)").unwrap();
    session.send_control('c').unwrap();
    ends(&mut session, 130);

    let mut session = fix();
    session.exp_string("leave it").unwrap();
    session.send("j").unwrap();
    session.send_line("").unwrap();
    session.exp_string("(yes, no, edit, all, quit)").unwrap();
    session.send_control('c').unwrap();
    let said = ends(&mut session, 130);
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(intent(&namespace, "sa/velero-server"), before);
    assert!(home.runs().is_empty());

    // The same answers, and a yes.
    let mut session = fix();
    session.exp_string("leave it").unwrap();
    session.send("j").unwrap();
    session.send_line("").unwrap();
    session.exp_string("(yes, no, edit, all, quit)").unwrap();
    session.send_line("all").unwrap();
    ends(&mut session, 0);
    let annotations = get(&namespace, "sa/velero-server")["metadata"]["annotations"].clone();
    assert_eq!(annotations["azure.workload.identity/client-id"], CLIENT_ID);
}

#[test]
fn somebody_writes_while_the_question_is_open() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("meanwhile").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let fix = || in_terminal(&home.command(cluster, &["deploy/velero", "-n", namespace.name()]));

    // The same field: the new difference is shown, and asked about.
    let mut session = fix();
    session.exp_string(QUESTION).unwrap();
    let patch = format!(r#"{{"spec":{{"template":{{"metadata":{{"labels":{{"{LABEL}":"false"}}}}}}}}}}"#);
    namespace.kubectl(&["patch", "deploy/velero", "-p", &patch]).unwrap();
    session.send_line("yes").unwrap();
    let told = session.exp_string("as it is now:").unwrap();
    assert!(told.contains("somebody else changed"), "{told}");
    let shown = session.exp_string(QUESTION).unwrap();
    assert!(shown.contains("false"), "{shown}");
    session.send_line("no").unwrap();
    let said = ends(&mut session, 1);
    assert!(said.contains("conflict"), "{said}");
    assert_eq!(get(&namespace, "deploy/velero")["spec"]["template"]["metadata"]["labels"][LABEL], "false");
    let patch = patch.replace("\"false\"", "null");
    namespace.kubectl(&["patch", "deploy/velero", "-p", &patch]).unwrap();

    // Another field: it goes on by itself, and theirs stays.
    let mut session = fix();
    session.exp_string(QUESTION).unwrap();
    namespace.kubectl(&["scale", "deploy/velero", "--replicas=2"]).unwrap();
    session.send_line("yes").unwrap();
    let said = ends(&mut session, 0);
    assert!(said.contains("applied"), "{said}");
    let now = get(&namespace, "deploy/velero");
    assert_eq!(
        (now["spec"]["replicas"].as_i64(), &now["spec"]["template"]["metadata"]["labels"][LABEL]),
        (Some(2), &"true".into())
    );

    // Deleted and made anew: that is another object.
    namespace.apply(&App { name: "second", account: "second", label: None, ..App::HEALTHY }.manifests()).unwrap();
    let mut session = in_terminal(&home.command(cluster, &["deploy/second", "-n", namespace.name()]));
    session.exp_string(QUESTION).unwrap();
    namespace.kubectl(&["delete", "deploy/second"]).unwrap();
    namespace.apply(&App { name: "second", account: "second", label: None, ..App::HEALTHY }.manifests()).unwrap();
    session.send_line("yes").unwrap();
    let said = ends(&mut session, 1);
    assert!(said.contains("made anew meanwhile"), "{said}");
}

#[test]
fn edit_asks_for_the_value_again() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("edit").unwrap());
    namespace.apply(&App { client_id: None, ..App::HEALTHY }.manifests()).unwrap();
    let other = "00000000-0000-0000-0000-00000000000a";
    for (account, client_id) in [("one", CLIENT_ID), ("two", other)] {
        namespace.apply(&App { account, client_id: Some(client_id), ..App::HEALTHY }.account().to_string()).unwrap();
    }
    let mut session = in_terminal(&home.command(cluster, &["deploy/velero", "-n", namespace.name()]));
    session.exp_string("leave it").unwrap();
    session.send("j").unwrap();
    session.send_line("").unwrap();
    session.exp_string("(yes, no, edit, all, quit)").unwrap();
    session.send_line("edit").unwrap();
    session.exp_string("leave it").unwrap();
    session.send("jj").unwrap();
    session.send_line("").unwrap();
    session.exp_string("(yes, no, edit, all, quit)").unwrap();
    session.send_line("all").unwrap();
    ends(&mut session, 0);
    let annotations = get(&namespace, "sa/velero-server")["metadata"]["annotations"].clone();
    assert_eq!(annotations["azure.workload.identity/client-id"], other);
    // The way back is asked about as well.
    let undo = || in_terminal(&home.command(cluster, &["--undo"]));
    let mut session = undo();
    session.exp_string(QUESTION).unwrap();
    session.send_control('c').unwrap();
    ends(&mut session, 130);
    assert_eq!(get(&namespace, "sa/velero-server")["metadata"]["annotations"], annotations);
    let mut session = undo();
    session.exp_string(QUESTION).unwrap();
    session.send_line("all").unwrap();
    ends(&mut session, 0);
    let now = get(&namespace, "sa/velero-server")["metadata"]["annotations"].clone();
    assert!(now["azure.workload.identity/client-id"].is_null(), "{now}");
}

#[test]
fn which_containers_need_identity_is_asked_and_none_is_marked_beforehand() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("which").unwrap());
    let skip = "azure.workload.identity/skip-containers";
    let mut deployment = App::HEALTHY.deployment();
    let template = &mut deployment["spec"]["template"];
    template["metadata"]["annotations"] = serde_json::json!({ skip: "web;worker" });
    template["spec"]["containers"] =
        serde_json::json!([{"name": "web", "image": "x"}, {"name": "worker", "image": "x"}]);
    namespace.apply(&format!("{}\n---\n{deployment}\n", App::HEALTHY.account())).unwrap();
    let before = intent(&namespace, "deploy/velero");
    let fix = || in_terminal(&home.command(cluster, &["deploy/velero", "-n", namespace.name(), "--only", "WI107"]));
    for end in ["ctrl-c", "none"] {
        let mut session = fix();
        session.exp_string("worker   x").unwrap();
        if end == "none" {
            session.send_line("").unwrap();
            ends(&mut session, 1);
        } else {
            session.send_control('c').unwrap();
            ends(&mut session, 130);
        }
        assert_eq!(intent(&namespace, "deploy/velero"), before, "{end}");
    }
    let mut session = fix();
    session.exp_string("worker   x").unwrap();
    session.send(" ").unwrap();
    session.send_line("").unwrap();
    session.exp_string("(yes, no, edit, all, quit)").unwrap();
    session.send_line("yes").unwrap();
    ends(&mut session, 0);
    let annotations = get(&namespace, "deploy/velero")["spec"]["template"]["metadata"]["annotations"].clone();
    assert_eq!(annotations[skip], "worker");
}

#[test]
fn ctrl_c_in_the_question_for_an_account_and_in_the_one_after_a_conflict() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("interrupt").unwrap());
    // It runs as `default`, and two accounts could be meant.
    let app = App { account: "default", client_id: None, ..App::HEALTHY };
    namespace.apply(&app.deployment().to_string()).unwrap();
    for account in ["one", "two"] {
        namespace.apply(&App { account, ..App::HEALTHY }.account().to_string()).unwrap();
    }
    let mut session = in_terminal(&home.command(cluster, &["deploy/velero", "-n", namespace.name()]));
    let shown = session.exp_string("leave it").unwrap();
    assert!(shown.contains("Which service account") && shown.contains("nothing runs as it"), "{shown}");
    session.send_control('c').unwrap();
    ends(&mut session, 130);

    namespace.apply(&App { name: "second", account: "second", label: None, ..App::HEALTHY }.manifests()).unwrap();
    let mut session = in_terminal(&home.command(cluster, &["deploy/second", "-n", namespace.name()]));
    session.exp_string(QUESTION).unwrap();
    let patch = format!(r#"{{"spec":{{"template":{{"metadata":{{"labels":{{"{LABEL}":"no"}}}}}}}}}}"#);
    namespace.kubectl(&["patch", "deploy/second", "-p", &patch]).unwrap();
    session.send_line("yes").unwrap();
    session.exp_string("as it is now:").unwrap();
    session.exp_string(QUESTION).unwrap();
    session.send_control('c').unwrap();
    let said = ends(&mut session, 130);
    assert!(said.contains("--undo"), "{said}");
    assert_eq!(get(&namespace, "deploy/second")["spec"]["template"]["metadata"]["labels"][LABEL], "no");
}
