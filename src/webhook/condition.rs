//! The part of CEL in which people write `matchConditions` for pods: which namespace, which labels.
//!
//! Anything else is not guessed at: the answer is [`Truth::Unknown`].

use super::selector::Truth;
use crate::model::StringMap;
use std::iter::Peekable;
use std::vec::IntoIter;

/// What a condition can ask of the creation of a pod.
#[derive(Debug, Clone, Copy)]
pub struct PodRequest<'a> {
    /// Namespace of the request.
    pub namespace: &'a str,
    /// The pod's labels.
    pub labels: Option<&'a StringMap>,
    /// The pod's annotations.
    pub annotations: Option<&'a StringMap>,
}

/// Whether a condition holds for the creation of a pod.
pub fn holds(expression: &str, request: PodRequest<'_>) -> Truth {
    let Some(tokens) = tokens(expression) else { return Truth::Unknown };
    let mut reader = Reader { tokens: tokens.into_iter().peekable(), request, depth: 0 };
    match reader.either() {
        Some(Value::Truth(truth)) if reader.tokens.peek().is_none() => truth,
        _ => Truth::Unknown,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: [&str; 13] = ["&&", "||", "==", "!=", "!", "(", ")", "[", "]", ",", ".", "?", "-"];

/// `None` where the expression has a form that is not read here.
fn tokens(expression: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '\'' || first == '"' {
            let text = rest[1..].split(first).next()?;
            // Escapes and unclosed texts.
            if text.contains('\\') || rest.len() < text.len() + 2 {
                return None;
            }
            tokens.push(Token::Text(text.to_owned()));
            text.len() + 2
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
            tokens.push(Token::Word(word.to_owned()));
            word.len()
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign))?;
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

/// What a part of an expression comes to.
#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Truth(Truth),
    Text(String),
    /// A map whose keys are texts, absent or not.
    Map(Option<&'a StringMap>),
    List(Vec<Value<'a>>),
    /// A key that a map does not have: an error in CEL, except in `has()`.
    Missing,
}

/// Deeper than any condition that a person writes.
const MAX_DEPTH: usize = 32;

struct Reader<'a> {
    tokens: Peekable<IntoIter<Token>>,
    request: PodRequest<'a>,
    depth: usize,
}

/// Each function reads one level of the grammar; `None` is "not read here".
impl<'a> Reader<'a> {
    fn takes(&mut self, sign: &'static str) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn needs(&mut self, sign: &'static str) -> Option<()> {
        self.takes(sign).then_some(())
    }

    fn truth(value: Option<Value<'a>>) -> Option<Truth> {
        match value? {
            Value::Truth(truth) => Some(truth),
            // A missing key is an error; what becomes of the pod then is up to the failure policy.
            Value::Missing => Some(Truth::Unknown),
            _ => None,
        }
    }

    fn either(&mut self) -> Option<Value<'a>> {
        let mut value = self.both()?;
        while self.takes("||") {
            // Not (neither).
            let neither = (!Self::truth(Some(value))?).and(!Self::truth(self.both())?);
            value = Value::Truth(!neither);
        }
        Some(value)
    }

    fn both(&mut self) -> Option<Value<'a>> {
        let mut value = self.comparison()?;
        while self.takes("&&") {
            value = Value::Truth(Self::truth(Some(value))?.and(Self::truth(self.comparison())?));
        }
        Some(value)
    }

    fn comparison(&mut self) -> Option<Value<'a>> {
        let left = self.unary()?;
        let equal = if self.takes("==") {
            true
        } else if self.takes("!=") {
            false
        } else if self.tokens.next_if_eq(&Token::Word("in".to_owned())).is_some() {
            let right = self.unary()?;
            return Some(Value::Truth(match (left, right) {
                (Value::Missing, _) | (_, Value::Missing) => Truth::Unknown,
                (Value::Text(key), Value::Map(map)) => map.map_or(Truth::Unknown, |map| map.contains_key(&key).into()),
                (left, Value::List(list)) => list.contains(&left).into(),
                _ => return None,
            }));
        } else {
            return Some(left);
        };
        let truth: Truth = match (&left, self.unary()?) {
            (Value::Missing, _) | (_, Value::Missing) => Truth::Unknown,
            (Value::Text(left), Value::Text(right)) => (*left == right).into(),
            _ => return None,
        };
        Some(Value::Truth(if equal { truth } else { !truth }))
    }

    fn unary(&mut self) -> Option<Value<'a>> {
        self.depth += 1;
        let value = if self.depth > MAX_DEPTH { None } else { self.operand() };
        self.depth -= 1;
        value
    }

    fn operand(&mut self) -> Option<Value<'a>> {
        if self.takes("!") {
            let value = self.unary();
            return Some(Value::Truth(!Self::truth(value)?));
        }
        if self.takes("(") {
            let value = self.either()?;
            self.needs(")")?;
            return Some(value);
        }
        if self.takes("[") {
            let mut list = Vec::new();
            while !self.takes("]") {
                list.push(self.unary()?);
                if !self.takes(",") {
                    self.needs("]")?;
                    break;
                }
            }
            return Some(Value::List(list));
        }
        match self.tokens.next()? {
            Token::Text(text) => self.methods(Value::Text(text)),
            Token::Word(word) if word == "true" => Some(Value::Truth(Truth::Yes)),
            Token::Word(word) if word == "false" => Some(Value::Truth(Truth::No)),
            Token::Word(word) if word == "has" => {
                self.needs("(")?;
                let value = self.unary()?;
                self.needs(")")?;
                Some(Value::Truth(match value {
                    Value::Missing => Truth::No,
                    Value::Map(map) => map.is_some_and(|map| !map.is_empty()).into(),
                    Value::Text(_) => Truth::Yes,
                    _ => return None,
                }))
            }
            Token::Word(word) if word == "request" || word == "object" => {
                let value = self.field(&word)?;
                self.methods(value)
            }
            _ => None,
        }
    }

    /// What stands at a path from `request` or `object`.
    fn field(&mut self, root: &str) -> Option<Value<'a>> {
        let mut path = root.to_owned();
        loop {
            self.needs(".")?;
            let Token::Word(step) = self.tokens.next()? else { return None };
            path.push('.');
            path.push_str(&step);
            return Some(match path.as_str() {
                "request.namespace" | "object.metadata.namespace" => Value::Text(self.request.namespace.to_owned()),
                "request.operation" => Value::Text("CREATE".to_owned()),
                "request.kind.kind" | "object.kind" => Value::Text("Pod".to_owned()),
                "request.resource.resource" => Value::Text("pods".to_owned()),
                "object.metadata.labels" => self.entry(self.request.labels)?,
                "object.metadata.annotations" => self.entry(self.request.annotations)?,
                "request.kind" | "request.resource" | "object.metadata" => continue,
                _ => return None,
            });
        }
    }

    /// A map, or one of its entries: `labels['key']`, `labels.key`.
    fn entry(&mut self, map: Option<&'a StringMap>) -> Option<Value<'a>> {
        let key = if self.takes("[") {
            let Token::Text(key) = self.tokens.next()? else { return None };
            self.needs("]")?;
            key
        } else if self.tokens.peek() == Some(&Token::Sign(".")) {
            self.needs(".")?;
            let Token::Word(key) = self.tokens.next()? else { return None };
            key
        } else {
            return Some(Value::Map(map));
        };
        Some(map.and_then(|map| map.get(&key)).map_or(Value::Missing, |value| Value::Text(value.clone())))
    }

    /// `.startsWith('x')` and its like, on a text.
    fn methods(&mut self, value: Value<'a>) -> Option<Value<'a>> {
        if !self.takes(".") {
            return Some(value);
        }
        let Token::Word(method) = self.tokens.next()? else { return None };
        self.needs("(")?;
        let Token::Text(argument) = self.tokens.next()? else { return None };
        self.needs(")")?;
        let text = match value {
            Value::Text(text) => text,
            Value::Missing => return Some(Value::Truth(Truth::Unknown)),
            _ => return None,
        };
        let truth = match method.as_str() {
            "startsWith" => text.starts_with(&argument),
            "endsWith" => text.ends_with(&argument),
            "contains" => text.contains(&argument),
            _ => return None,
        };
        Some(Value::Truth(truth.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(expression: &str) -> Truth {
        let labels = StringMap::from([("app".to_owned(), "velero".to_owned())]);
        holds(expression, PodRequest { namespace: "velero", labels: Some(&labels), annotations: None })
    }

    #[test]
    fn conditions_on_namespace_and_labels_are_evaluated() {
        for expression in [
            "true",
            "request.namespace == 'velero'",
            "request.namespace != \"kube-system\" && !request.namespace.startsWith('openshift-')",
            "!(request.namespace in ['kube-system', 'gatekeeper-system'])",
            "request.operation == 'CREATE' && request.resource.resource == 'pods' && request.kind.kind == 'Pod'",
            "object.metadata.labels['app'] == 'velero'",
            "object.metadata.labels.app.endsWith('ero')",
            "has(object.metadata.labels) && 'app' in object.metadata.labels",
            "!has(object.metadata.annotations) || object.metadata.annotations['skip'] != 'true'",
            "!has(object.metadata.labels.skip)",
            "!('skip' in object.metadata.labels)",
            "false || (true && !false)",
        ] {
            assert_eq!(ask(expression), Truth::Yes, "{expression}");
        }
        assert_eq!(ask("request.namespace in ['kube-system']"), Truth::No);
        assert_eq!(ask("object.metadata.labels['app'] != 'velero'"), Truth::No);
    }

    #[test]
    fn the_rest_is_not_guessed_at() {
        for expression in [
            "",
            "request.userInfo.username == 'x'",
            "object.spec.containers.all(c, c.name != 'x')",
            "object.metadata.labels['missing'] == 'x'",
            "request.namespace",
            "request.namespace == 'velero' ? true : false",
            "request.namespace == 'velero",
            "request.namespace == 've\\'lero'",
            "request.namespace == 'velero' true",
            "'ä' == 'ä' && ä",
            "variables.x",
        ] {
            assert_eq!(ask(expression), Truth::Unknown, "{expression}");
        }
        assert_eq!(ask(&"(".repeat(100_000)), Truth::Unknown);
        assert_eq!(ask(&"!".repeat(100_000)), Truth::Unknown);
        assert_eq!(ask(&"[".repeat(100_000)), Truth::Unknown);
    }
}
