//! Faults on demand.

use crate::answer::Answer;
use crate::recorded::Recorded;
use std::time::Duration;

/// What happens to some of the next requests.
#[derive(Debug, Clone)]
pub struct Fault {
    method: Option<&'static str>,
    path: String,
    skip: usize,
    times: usize,
    pub(crate) effect: Effect,
}

#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Answer(Answer),
    Delay(Duration),
    /// Half of the body, then the connection is closed.
    BreakOff,
    /// The connection is closed without an answer.
    HangUp,
}

impl Fault {
    /// For requests whose path contains the text, without regard to case. It happens once, unless [`Fault::times`].
    pub fn on(path: &str, answer: Answer) -> Self {
        Self::effect(path, Effect::Answer(answer))
    }

    /// The answer comes late.
    pub fn late(path: &str, delay: Duration) -> Self {
        Self::effect(path, Effect::Delay(delay))
    }

    /// The answer breaks off.
    pub fn broken(path: &str) -> Self {
        Self::effect(path, Effect::BreakOff)
    }

    /// No answer at all.
    pub fn hang_up(path: &str) -> Self {
        Self::effect(path, Effect::HangUp)
    }

    fn effect(path: &str, effect: Effect) -> Self {
        Self { method: None, path: path.to_lowercase(), skip: 0, times: 1, effect }
    }

    /// Only for this method.
    #[must_use]
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    /// For so many requests.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// For every request from now on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Lets so many pass first.
    #[must_use]
    pub fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    /// Whether this request is hit; counts it.
    pub(crate) fn hits(&mut self, request: &Recorded) -> bool {
        let matches = self.method.is_none_or(|method| method == request.method)
            && request.path.to_lowercase().contains(&self.path);
        if !matches || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.times != usize::MAX {
            self.times -= 1;
        }
        true
    }
}
