//! Reading lists page by page, and single objects.

use super::client::{Call, Client, Deadline};
use super::error::Error;
use super::list_items::ItemSplitter;
use super::operation::Operation;
use super::resource::ResourceType;
use super::retry::{Attempts, Fault};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How new the answer has to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// What is stored now: for a diagnosis of something that was changed a second ago.
    #[default]
    Consistent,
    /// What the API server has in its cache (`resourceVersion=0`), usually a second old at most and several times
    /// faster: for a sweep over a cluster. It comes in one piece.
    Cached,
}

/// Which objects to list.
#[derive(Debug, Clone)]
pub struct ListQuery<'a> {
    resource: &'a ResourceType,
    namespace: Option<String>,
    labels: Option<String>,
    fields: Option<String>,
    consistency: Consistency,
    page_size: u32,
    metadata_only: bool,
}

impl<'a> ListQuery<'a> {
    /// All objects of a kind, in all namespaces, as they are now.
    pub fn all(resource: &'a ResourceType) -> Self {
        Self {
            resource,
            namespace: None,
            labels: None,
            fields: None,
            consistency: Consistency::Consistent,
            page_size: 500,
            metadata_only: false,
        }
    }

    /// Only those of one namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only those of one namespace, where one is given.
    #[must_use]
    pub fn in_scope(mut self, namespace: Option<&str>) -> Self {
        self.namespace = namespace.map(str::to_owned);
        self
    }

    /// Only those that a label selector matches (`azure.workload.identity/use=true`).
    #[must_use]
    pub fn labels(mut self, selector: &str) -> Self {
        self.labels = Some(selector.to_owned());
        self
    }

    /// Only those that a field selector matches (`spec.serviceAccountName=velero`).
    #[must_use]
    pub fn fields(mut self, selector: &str) -> Self {
        self.fields = Some(selector.to_owned());
        self
    }

    /// How new the answer has to be.
    #[must_use]
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// Objects a page; 500 unless told.
    #[must_use]
    pub fn page_size(mut self, page_size: u32) -> Self {
        self.page_size = page_size;
        self
    }

    /// Only `metadata` of each object.
    #[must_use]
    pub fn metadata_only(mut self) -> Self {
        self.metadata_only = true;
        self
    }

    fn call<'o>(&self, operation: &'o Operation, continue_token: Option<&str>, paged: bool) -> Call<'o> {
        let mut call = Call::get(operation);
        if self.metadata_only {
            // Whoever cannot do that (an old aggregated API server) sends whole objects.
            call.accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
        }
        let mut add = |name, value: &str| call.query.push((name, value.to_owned()));
        if let Some(selector) = &self.labels {
            add("labelSelector", selector);
        }
        if let Some(selector) = &self.fields {
            add("fieldSelector", selector);
        }
        match (self.consistency, continue_token) {
            (_, Some(token)) => {
                add("limit", &self.page_size.to_string());
                add("continue", token);
            }
            // The API server ignores a limit here; where it does not, the continue token brings the rest.
            (Consistency::Cached, None) => {
                add("resourceVersion", "0");
                add("resourceVersionMatch", "NotOlderThan");
            }
            (Consistency::Consistent, None) if paged => add("limit", &self.page_size.to_string()),
            (Consistency::Consistent, None) => {}
        }
        call
    }
}

/// What came of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<A> {
    /// What the items were folded into.
    pub value: A,
    /// How many items there were.
    pub count: usize,
    /// How many pages they came in.
    pub pages: u32,
    /// `resourceVersion` of the list, to watch from.
    pub resource_version: String,
    /// The pages are of one moment. Not so after a continue token expired and the rest was read as it was then.
    pub is_one_moment: bool,
    /// Items that could not be read: which, and why. They are not in the value.
    pub unreadable: Vec<String>,
}

impl<A> Listed<A> {
    fn new(value: A) -> Self {
        Self { value, count: 0, pages: 0, resource_version: String::new(), is_one_moment: true, unreadable: Vec::new() }
    }
}

#[derive(Deserialize)]
struct Envelope {
    kind: String,
    #[serde(default)]
    metadata: ListMeta,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ListMeta {
    #[serde(rename = "continue")]
    continue_token: Option<String>,
    resource_version: Option<String>,
}

/// What to do about a page that did not come whole.
enum Next {
    /// The same page again.
    SamePage,
    /// From this token on.
    From(String),
    /// From the beginning, with nothing folded yet.
    StartOver,
}

/// Lists that break in the middle are read again from the beginning so many times.
const STARTS: u32 = 3;
/// An expired continue token is replaced by a fresh one so many times: a list that takes that long has no end.
const FRESH_TOKENS: u32 = 20;

impl Client {
    /// Reads a list and folds its items into a value as they arrive; no page is held.
    ///
    /// `start` makes the empty value; it is called again where the list has to be read again from the beginning (a
    /// connection that breaks in the middle, a continue token that expired without a fresh one).
    pub async fn fold<T: DeserializeOwned, A>(
        &self,
        query: &ListQuery<'_>,
        start: impl Fn() -> A,
        mut step: impl FnMut(&mut A, T),
    ) -> Result<Listed<A>, Error> {
        let read = |value: &mut A, item: &[u8]| {
            step(value, serde_json::from_slice(item)?);
            Ok(())
        };
        self.fold_texts(query, start, read).await
    }

    /// The same with the JSON text of each item, for who looks at it before taking it apart. An item that `step`
    /// cannot read is noted, and the others are read.
    pub async fn fold_texts<A>(
        &self,
        query: &ListQuery<'_>,
        start: impl Fn() -> A,
        mut step: impl FnMut(&mut A, &[u8]) -> Result<(), serde_json::Error>,
    ) -> Result<Listed<A>, Error> {
        let operation = Operation::on_all("list", query.resource, query.namespace.as_deref())?;
        let mut listed = Listed::new(start());
        let (mut starts, mut fresh_tokens) = (1, 0);
        let mut token: Option<String> = None;
        let mut call = query.call(&operation, None, true);
        let mut deadline = self.deadline(&call);
        let mut attempts = Attempts::new(true);
        loop {
            let before = listed.count;
            let fault = match self.page(&call, &deadline, &mut listed, &mut step).await {
                Ok(ListMeta { continue_token, resource_version }) => {
                    listed.pages += 1;
                    listed.resource_version = resource_version.unwrap_or_default();
                    let next = continue_token.filter(|next| !next.is_empty());
                    if next.is_none() {
                        return Ok(listed);
                    }
                    if next == token {
                        let reason = "it sends the same page without end".to_owned();
                        return Err(Error::Malformed { operation, server: self.server().to_owned(), reason });
                    }
                    token = next;
                    call = query.call(&operation, token.as_deref(), true);
                    deadline = self.deadline(&call);
                    attempts = Attempts::new(true);
                    continue;
                }
                Err(fault) => fault,
            };
            match self.after_fault(fault, listed.count > before, token.is_some(), &mut attempts, &deadline).await? {
                Next::SamePage => continue,
                Next::From(fresh) if fresh_tokens < FRESH_TOKENS => {
                    fresh_tokens += 1;
                    listed.is_one_moment = false;
                    token = Some(fresh);
                }
                Next::StartOver if starts < STARTS => {
                    starts += 1;
                    listed = Listed::new(start());
                    token = None;
                }
                Next::From(_) | Next::StartOver => {
                    let message = "the list changed faster than it could be read".to_owned();
                    return Err(Error::Gone { operation, message });
                }
            }
            // A list without pages cannot expire in the middle (client-go's pager falls back to it too).
            call = query.call(&operation, token.as_deref(), starts < STARTS);
            deadline = self.deadline(&call);
        }
    }

    async fn after_fault(
        &self,
        fault: Fault,
        folded_some: bool,
        is_continuation: bool,
        attempts: &mut Attempts,
        deadline: &Deadline,
    ) -> Result<Next, Error> {
        if is_continuation && matches!(*fault.error, Error::Gone { .. }) {
            return Ok(fault.fresh_continue.map_or(Next::StartOver, Next::From));
        }
        self.pause(attempts, fault, deadline).await?;
        Ok(if folded_some { Next::StartOver } else { Next::SamePage })
    }

    async fn page<A>(
        &self,
        call: &Call<'_>,
        deadline: &Deadline,
        listed: &mut Listed<A>,
        step: &mut impl FnMut(&mut A, &[u8]) -> Result<(), serde_json::Error>,
    ) -> Result<ListMeta, Fault> {
        let mut body = self.open(call, deadline).await?;
        let mut splitter = ItemSplitter::default();
        while let Some(piece) = self.piece(&mut body, call.operation, deadline).await? {
            splitter.push(&piece, |item| {
                listed.count += 1;
                if let Err(error) = step(&mut listed.value, item) {
                    listed.unreadable.push(describe_item(item, call.operation, &error));
                }
            });
        }
        let envelope = splitter.into_envelope();
        let read: Envelope = serde_json::from_slice(&envelope)
            .map_err(|error| Fault::final_of(self.unreadable(call.operation, &envelope, &error)))?;
        if !read.kind.ends_with("List") {
            let (operation, server) = (call.operation.clone(), self.server().to_owned());
            let reason = format!("a {} is no list", super::answer::one_line(&read.kind));
            return Err(Fault::final_of(Error::Malformed { operation, server, reason }));
        }
        Ok(read.metadata)
    }

    /// Reads a whole list into memory.
    pub async fn list<T: DeserializeOwned>(&self, query: &ListQuery<'_>) -> Result<Listed<Vec<T>>, Error> {
        self.fold(query, Vec::new, Vec::push).await
    }

    /// Reads one object. The namespace says nothing about kinds that have none.
    pub async fn get<T: DeserializeOwned>(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<T, Error> {
        let operation = Operation::on_one("get", resource, namespace, name, None)?;
        self.json(&Call::get(&operation)).await
    }
}

/// Which item it was, and why it could not be read.
fn describe_item(item: &[u8], operation: &Operation, error: &serde_json::Error) -> String {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Named {
        metadata: Names,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Names {
        namespace: String,
        name: String,
    }
    let names = serde_json::from_slice::<Named>(item).unwrap_or_default().metadata;
    let path = if names.namespace.is_empty() { names.name } else { format!("{}/{}", names.namespace, names.name) };
    format!("{} {path}: {}", operation.resource(), super::answer::describe_json_error(error))
}
