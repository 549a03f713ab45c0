//! Label selectors, evaluated also where not all labels are known.

use crate::model::StringMap;
use crate::model::pod::{lenient_map, null_as_default};
use serde::Deserialize;
use std::fmt;

/// Yes, no, or not to be told from what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not hold.
    No,
    /// Something that it depends on is not known.
    Unknown,
}

impl Truth {
    /// Both hold; a no decides whatever else is not known.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// What is known of an object's labels.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// The labels that are known.
    pub known: Option<&'a StringMap>,
    /// One more label that is known whatever the rest: the API server itself gives each namespace its name.
    pub given: Option<(&'a str, &'a str)>,
    /// There are no others.
    pub complete: bool,
}

impl<'a> Labels<'a> {
    /// All labels of an object.
    pub fn all(labels: Option<&'a StringMap>) -> Self {
        Self { known: labels, given: None, complete: true }
    }

    /// The labels of a namespace; `None` where nobody read it. The API server labels each namespace with its name.
    pub fn of_namespace(name: &'a str, labels: Option<&'a StringMap>) -> Self {
        Self { known: labels, given: Some(("kubernetes.io/metadata.name", name)), complete: labels.is_some() }
    }

    /// The value of a label; `Err` where it is not known.
    fn get(&self, key: &str) -> Result<Option<&'a str>, ()> {
        let given = self.given.filter(|(given, _)| *given == key).map(|(_, value)| value);
        match given.or_else(|| self.known?.get(key).map(String::as_str)) {
            None if !self.complete => Err(()),
            value => Ok(value),
        }
    }
}

/// `LabelSelector` of the API. An empty one takes everything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LabelSelector {
    /// `matchLabels`
    #[serde(deserialize_with = "lenient_map")]
    pub match_labels: Option<StringMap>,
    /// `matchExpressions`
    #[serde(deserialize_with = "null_as_default")]
    pub match_expressions: Vec<Requirement>,
}

/// An entry of `matchExpressions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Requirement {
    /// `key`
    #[serde(deserialize_with = "null_as_default")]
    pub key: String,
    /// `operator`: `In`, `NotIn`, `Exists` or `DoesNotExist`
    #[serde(deserialize_with = "null_as_default")]
    pub operator: String,
    /// `values`
    #[serde(deserialize_with = "null_as_default")]
    pub values: Vec<String>,
}

impl LabelSelector {
    /// Whether it takes an object with those labels.
    pub fn takes(&self, labels: Labels<'_>) -> Truth {
        self.requirements().fold(Truth::Yes, |truth, requirement| truth.and(requirement.holds(labels)))
    }

    /// The first requirement that those labels do not meet, or that cannot be told.
    pub fn obstacle(&self, labels: Labels<'_>) -> Option<Requirement> {
        let with = |truth| self.requirements().find(|requirement| requirement.holds(labels) == truth);
        with(Truth::No).or_else(|| with(Truth::Unknown))
    }

    /// Whether it asks for the label with that key in any way.
    pub fn asks_for(&self, key: &str) -> bool {
        self.requirements().any(|requirement| requirement.key == key && requirement.operator != "DoesNotExist")
    }

    /// All that it asks for, `matchLabels` as expressions.
    fn requirements(&self) -> impl Iterator<Item = Requirement> {
        let labels = self.match_labels.iter().flatten().map(|(key, value)| Requirement {
            key: key.clone(),
            operator: "In".to_owned(),
            values: vec![value.clone()],
        });
        labels.chain(self.match_expressions.iter().cloned())
    }
}

impl Requirement {
    fn holds(&self, labels: Labels<'_>) -> Truth {
        let Ok(value) = labels.get(&self.key) else { return Truth::Unknown };
        let listed = value.is_some_and(|value| self.values.iter().any(|listed| listed == value));
        match self.operator.as_str() {
            "In" => listed.into(),
            "NotIn" => (!listed).into(),
            "Exists" => value.is_some().into(),
            "DoesNotExist" => value.is_none().into(),
            // The API server takes no other.
            _ => Truth::Unknown,
        }
    }
}

/// As kubectl writes it.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, operator, values } = self;
        match (operator.as_str(), values.as_slice()) {
            ("In", [value]) => write!(f, "{key}={value}"),
            ("NotIn", [value]) => write!(f, "{key}!={value}"),
            ("Exists", _) => write!(f, "{key}"),
            ("DoesNotExist", _) => write!(f, "!{key}"),
            (operator, values) => write!(f, "{key} {} ({})", operator.to_lowercase(), values.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn selector(json: &str) -> LabelSelector {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn operators_mean_what_the_api_says() {
        let labels = StringMap::from([("a".to_owned(), "1".to_owned())]);
        for (json, taken) in [
            (r"{}", true),
            (r#"{"matchLabels": {"a": "1"}}"#, true),
            (r#"{"matchLabels": {"a": "2"}}"#, false),
            (r#"{"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}"#, true),
            (r#"{"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}"#, true),
            (r#"{"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}"#, false),
            (r#"{"matchExpressions": [{"key": "b", "operator": "Exists"}]}"#, false),
            (r#"{"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}"#, true),
        ] {
            assert_eq!(selector(json).takes(Labels::all(Some(&labels))), taken.into(), "{json}");
        }
    }

    #[test]
    fn a_namespace_that_nobody_read_still_has_its_name() {
        let labels = Labels::of_namespace("kube-system", None);
        let by_name = r#"{"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}]}"#;
        assert_eq!(selector(by_name).takes(labels), Truth::No);
        assert_eq!(selector(by_name).takes(Labels::of_namespace("velero", None)), Truth::Yes);
        let other = selector(r#"{"matchExpressions": [{"key": "control-plane", "operator": "DoesNotExist"}]}"#);
        assert_eq!(other.takes(labels), Truth::Unknown);
        assert_eq!(other.obstacle(labels).unwrap().to_string(), "!control-plane");
        assert_eq!(other.takes(Labels::of_namespace("velero", Some(&StringMap::new()))), Truth::Yes);
    }
}
