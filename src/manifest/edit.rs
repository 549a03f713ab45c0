//! Changes values in the text of manifests and keeps every other byte: comments, order, quoting, line ends.
//!
//! The text is spliced at the places that the YAML scanner names. Editors that rewrite the document lose quotes or
//! comments in flow maps and anchors; a splice cannot, but it can be wrong about what a place means. So each edited
//! text is read again and compared with what was intended, object by object; where they differ (an anchor that
//! several places share, a merge key) nothing is written.

use super::read::{Paths, Problem, Sink, read};
use super::splice::splice;
use crate::model::finding::Operation;
use crate::model::object::{FileOrigin, Origin};
use serde_json::Value;

/// What is to change of one object in a file.
#[derive(Debug, Clone)]
pub struct FileChange<'a> {
    /// Where the object stands.
    pub origin: &'a FileOrigin,
    /// The operations that lead to it.
    pub operations: Vec<Operation>,
    /// The object as it is to be read afterwards.
    pub desired: &'a Value,
}

/// Why a text is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The object is not where it was.
    #[error("the object is not in the file any more")]
    Gone,
    /// There is no safe way to write the value at that place.
    #[error("{path} cannot be changed in this text: {reason}")]
    Place {
        /// JSON pointer of the value.
        path: String,
        /// Why.
        reason: String,
    },
    /// The edited text would mean something else than intended.
    #[error(
        "the change would also alter something else: the value is shared through an anchor, an alias or a merge key"
    )]
    Shared,
}

/// The text with the changes.
pub fn edit(text: &str, changes: &[FileChange<'_>]) -> Result<String, Refusal> {
    let before = objects(text);
    let mut wanted: Vec<Value> = before.iter().map(|(value, _)| value.clone()).collect();
    let mut edited = text.to_owned();
    for change in changes {
        let same =
            |origin: &FileOrigin| origin.bytes.0 == change.origin.bytes.0 && origin.pointer == change.origin.pointer;
        let at = before.iter().position(|(_, origin)| same(origin)).ok_or(Refusal::Gone)?;
        wanted[at] = change.desired.clone();
        for operation in &change.operations {
            let now = objects(&edited);
            let origin = &now.get(at).ok_or(Refusal::Shared)?.1;
            let (from, to) = origin.bytes;
            let document = edited.get(from..to).ok_or(Refusal::Gone)?;
            let spliced = splice(document, &origin.pointer, operation)
                .map_err(|reason| Refusal::Place { path: pointer(operation).to_owned(), reason })?;
            edited.replace_range(from..to, &spliced);
        }
    }
    let after = objects(&edited);
    let is_json = |text: &str| serde_json::Deserializer::from_str(text).into_iter::<Value>().all(|item| item.is_ok());
    let same = after.len() == wanted.len() && after.iter().zip(&wanted).all(|((value, _), wanted)| value == wanted);
    if !same || (is_json(text) && !is_json(&edited)) {
        return Err(Refusal::Shared);
    }
    Ok(edited)
}

fn pointer(operation: &Operation) -> &str {
    match operation {
        Operation::Add { path, .. } | Operation::Replace { path, .. } | Operation::Remove { path } => path,
    }
}

#[derive(Default)]
struct Objects(Vec<(Value, FileOrigin)>);

impl Sink for Objects {
    fn object(&mut self, value: Value, origin: Origin) -> Result<(), serde_json::Error> {
        if let Origin::File(origin) = origin {
            self.0.push((value, origin));
        }
        Ok(())
    }

    fn problem(&mut self, _: Problem) {}
}

/// The objects of a text, in order.
fn objects(text: &str) -> Vec<(Value, FileOrigin)> {
    let mut found = Objects::default();
    let paths = Paths { paths: vec!["-".to_owned()], recursive: false };
    // A text without any object is no error here: there is nothing to edit in it then.
    let _ = read(&paths, &mut text.as_bytes(), &mut found);
    found.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::fix::operations::operations;
    use serde_json::json;

    const USE: &str = "azure.workload.identity/use";

    /// Edits the only object of a text by changing its value.
    fn change(text: &str, edit_value: impl Fn(&mut Value)) -> Result<String, Refusal> {
        let (before, origin) = objects(text).remove(0);
        let mut after = before.clone();
        edit_value(&mut after);
        let operations = operations(&before, &after);
        edit(text, &[FileChange { origin: &origin, operations, desired: &after }])
    }

    fn label(value: &mut Value) {
        value["metadata"]["labels"][USE] = json!("true");
    }

    #[track_caller]
    fn labelled(text: &str, expected: &str) {
        assert_eq!(change(text, label).unwrap_or_else(|error| panic!("{error}: {text}")), expected);
    }

    #[test]
    fn a_label_comes_after_the_others_and_nothing_else_moves() {
        labelled(
            "# head\nkind: Pod # a pod\napiVersion: v1\nmetadata:\n  labels:   # ours\n    app: 'x' # y\n\n  # tail\n  name: a\n",
            "# head\nkind: Pod # a pod\napiVersion: v1\nmetadata:\n  labels:   # ours\n    app: 'x' # y\n    azure.workload.identity/use: 'true'\n\n  # tail\n  name: a\n",
        );
    }

    #[test]
    fn maps_that_are_missing_empty_or_null_are_made() {
        labelled(
            "kind: Pod\napiVersion: v1\nmetadata:\n    name: a\n",
            "kind: Pod\napiVersion: v1\nmetadata:\n    name: a\n    labels:\n        azure.workload.identity/use: \"true\"\n",
        );
        labelled(
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels: # none\n  name: a",
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels: # none\n    azure.workload.identity/use: \"true\"\n  name: a",
        );
        labelled(
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels: {}\n  name: a",
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels: {azure.workload.identity/use: \"true\"}\n  name: a",
        );
        labelled(
            "kind: Pod\napiVersion: v1\nspec: {}\nmetadata: # x\n",
            "kind: Pod\napiVersion: v1\nspec: {}\nmetadata: # x\n  labels:\n    azure.workload.identity/use: \"true\"\n",
        );
        labelled(
            "kind: Pod\napiVersion: v1\nspec:\n  a: b",
            "metadata:\n  labels:\n    azure.workload.identity/use: \"true\"\nkind: Pod\napiVersion: v1\nspec:\n  a: b",
        );
    }

    #[test]
    fn flow_style_json_and_crlf_stay_what_they_are() {
        labelled(
            "{kind: Pod, apiVersion: v1, metadata: {labels: {app: x}, name: a}} # end\n",
            "{kind: Pod, apiVersion: v1, metadata: {labels: {app: x, azure.workload.identity/use: \"true\"}, name: a}} # end\n",
        );
        labelled(
            "{\n  \"kind\": \"Pod\", \"apiVersion\": \"v1\",\n  \"metadata\": {\n    \"name\": \"a\"\n  }\n}\n",
            "{\n  \"kind\": \"Pod\", \"apiVersion\": \"v1\",\n  \"metadata\": {\n    \"name\": \"a\",\n    \"labels\": {\"azure.workload.identity/use\": \"true\"}\n  }\n}\n",
        );
        labelled(
            "kind: Pod\r\napiVersion: v1\r\nmetadata:\r\n  labels:\r\n    a: b\r\n  name: ä\r\n",
            "kind: Pod\r\napiVersion: v1\r\nmetadata:\r\n  labels:\r\n    a: b\r\n    azure.workload.identity/use: \"true\"\r\n  name: ä\r\n",
        );
    }

    #[test]
    fn a_value_is_replaced_in_its_own_quotes_and_an_unquoted_boolean_becomes_text() {
        labelled(
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels:\n    azure.workload.identity/use: true # yes\n",
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels:\n    azure.workload.identity/use: \"true\" # yes\n",
        );
        labelled(
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels:\n    azure.workload.identity/use: 'yes'\n",
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels:\n    azure.workload.identity/use: 'true'\n",
        );
    }

    #[test]
    fn entries_and_list_items_go_with_their_lines() {
        let text = "kind: Pod\napiVersion: v1\nmetadata:\n  labels:\n    a: b\n    c: |\n      x\n      y\n    # tail\nspec:\n  containers:\n  - name: app\n    env:\n    - name: A # first\n      value: \"1\"\n    - {name: B, value: x}\n    image: x\n";
        let edited = change(text, |value| {
            value["metadata"]["labels"].as_object_mut().unwrap().remove("c");
            value["spec"]["containers"][0]["env"].as_array_mut().unwrap().remove(0);
        });
        assert_eq!(
            edited.unwrap(),
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels:\n    a: b\n    # tail\nspec:\n  containers:\n  - name: app\n    env:\n    - {name: B, value: x}\n    image: x\n"
        );
        let edited = change(text, |value| {
            value["spec"]["containers"][0].as_object_mut().unwrap().remove("env");
            value["spec"]["serviceAccountName"] = json!("velero");
        });
        assert!(edited.unwrap().ends_with("  - name: app\n    image: x\n  serviceAccountName: velero\n"));
    }

    #[test]
    fn what_is_left_empty_is_written_as_empty() {
        let text = "kind: Pod\napiVersion: v1\nspec:\n  securityContext: # theirs\n    # why\n    runAsUser: 1000 # root\n  args:\n  - a\n  list:\n  - x: 1\n  name: a";
        let edited = change(text, |value| {
            value["spec"]["securityContext"] = json!({});
            value["spec"]["args"] = json!([]);
            value["spec"]["list"][0] = json!({});
        });
        assert_eq!(
            edited.unwrap(),
            "kind: Pod\napiVersion: v1\nspec:\n  securityContext: {} # theirs\n    # why\n  args: []\n  list:\n  - {}\n  name: a"
        );
    }

    #[test]
    fn the_only_entry_of_a_map_gets_another_name() {
        let text = "kind: Pod\napiVersion: v1\nmetadata:\n  labels:\n    azure.workload.identity/uses: \"true\" # x\n";
        let edited = change(text, |value| value["metadata"]["labels"] = json!({ USE: "true" }));
        assert_eq!(
            edited.unwrap(),
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels:\n    azure.workload.identity/use: \"true\"\n"
        );
    }

    #[test]
    fn list_items_are_added_in_block_and_flow() {
        let add = |value: &mut Value| {
            let item = json!({"name": "C", "value": "2"});
            value["spec"]["env"].as_array_mut().unwrap().push(item);
        };
        assert_eq!(
            change("kind: Pod\napiVersion: v1\nspec:\n  env:\n    - name: A\n      value: b\n", add).unwrap(),
            "kind: Pod\napiVersion: v1\nspec:\n  env:\n    - name: A\n      value: b\n    - name: C\n      value: \"2\"\n"
        );
        assert_eq!(
            change("kind: Pod\napiVersion: v1\nspec:\n  env: [{name: A}]\n", add).unwrap(),
            "kind: Pod\napiVersion: v1\nspec:\n  env: [{name: A}, {\"name\":\"C\",\"value\":\"2\"}]\n"
        );
    }

    #[test]
    fn a_value_that_is_shared_is_left_alone() {
        let anchored = "kind: Pod\napiVersion: v1\nmetadata:\n  labels: &l\n    a: b\nspec:\n  selector: *l\n";
        assert_eq!(change(anchored, label), Err(Refusal::Shared));
        let merged = "kind: Pod\napiVersion: v1\nx: &m\n  labels:\n    a: b\nmetadata:\n  <<: *m\n  name: a\n";
        assert!(change(merged, label).is_err());
        // An anchor that nothing else uses is no obstacle.
        labelled(
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels: &l\n    a: b\n",
            "kind: Pod\napiVersion: v1\nmetadata:\n  labels: &l\n    a: b\n    azure.workload.identity/use: \"true\"\n",
        );
    }

    #[test]
    fn the_right_document_and_the_right_item_of_a_list_are_edited() {
        let text = "---\nkind: Pod\napiVersion: v1\nmetadata:\n  name: a\n---\n# second\nkind: List\napiVersion: v1\nitems:\n- kind: Pod\n  apiVersion: v1\n  metadata:\n    name: b\n- kind: Pod\n  apiVersion: v1\n  metadata:\n    name: c\n---\nkind: Pod\napiVersion: v1\nmetadata:\n  name: d\n";
        let found = objects(text);
        let mut changes = Vec::new();
        let mut wanted: Vec<Value> = found.iter().map(|(value, _)| value.clone()).collect();
        for value in &mut wanted[1..] {
            label(value);
        }
        for at in 1..4 {
            let operations = operations(&found[at].0, &wanted[at]);
            changes.push(FileChange { origin: &found[at].1, operations, desired: &wanted[at] });
        }
        let edited = edit(text, &changes).unwrap();
        assert_eq!(edited.matches(USE).count(), 3);
        assert!(
            edited.contains("    name: c\n    labels:\n      azure.workload.identity/use: \"true\"\n---\n"),
            "{edited}"
        );
    }
}
