//! Upcasters: an old stored shape to newer ones, step by step, 1 to n. The log itself is never rewritten.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::recorded::EVENT_TYPES;

/// A stored shape: type name, version of the shape, payload.
pub type Shape = (String, u16, Value);

/// One step: the payload of one version becomes none, one or several newer shapes.
pub type Step = fn(Value) -> Result<Vec<Shape>, String>;

/// An upcaster did not understand a payload, or leads nowhere. The log is unharmed; this program cannot read the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpcastError {
    /// No step starts at this type and version, and it is not of today.
    #[error("no upcaster reads {event_type} in version {schema_version}")]
    NoStep {
        /// The stored name.
        event_type: String,
        /// The stored version of the shape.
        schema_version: u16,
    },
    /// The step did not find in the payload what it needs.
    #[error("{event_type} in version {schema_version} cannot be brought up to date: {reason}")]
    Refused {
        /// The stored name.
        event_type: String,
        /// The stored version of the shape.
        schema_version: u16,
        /// What the step missed.
        reason: String,
    },
    /// The steps go round and round.
    #[error("the upcasters of {event_type} do not come to an end")]
    Endless {
        /// The stored name.
        event_type: String,
    },
}

/// A registry of [`Step`]s. The default one holds those of this program: none yet, since no shape has changed.
#[derive(Clone, Debug, Default)]
pub struct Upcasters {
    steps: BTreeMap<(String, u16), Step>,
    current: BTreeMap<String, u16>,
}

impl Upcasters {
    /// More steps than this from one stored event mean that the registry runs in a circle.
    const STEPS_MAX: usize = 1_000;

    /// A registry without steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the step that reads `event_type` in `schema_version`.
    #[must_use]
    pub fn with(mut self, event_type: &str, schema_version: u16, step: Step) -> Self {
        self.steps.insert((event_type.to_owned(), schema_version), step);
        self
    }

    /// Declares that `event_type` is written in `schema_version` today, for types that this program does not know itself.
    #[must_use]
    pub fn with_current(mut self, event_type: &str, schema_version: u16) -> Self {
        self.current.insert(event_type.to_owned(), schema_version);
        self
    }

    /// Applies steps until every shape is one of today's. Order is kept.
    ///
    /// # Errors
    /// See [`UpcastError`].
    pub fn upcast(
        &self,
        event_type: &str,
        schema_version: u16,
        payload: Value,
    ) -> Result<Vec<Shape>, UpcastError> {
        let mut ready = Vec::new();
        let mut waiting = vec![(event_type.to_owned(), schema_version, payload)];
        for _ in 0..Self::STEPS_MAX {
            let Some((name, version, payload)) = waiting.pop() else {
                return Ok(ready);
            };
            match self.steps.get(&(name.clone(), version)) {
                Some(step) => waiting.extend(run(*step, name, version, payload)?.into_iter().rev()),
                None if self.is_current(&name, version) => ready.push((name, version, payload)),
                None => {
                    return Err(UpcastError::NoStep {
                        event_type: name,
                        schema_version: version,
                    });
                }
            }
        }
        Err(UpcastError::Endless {
            event_type: event_type.to_owned(),
        })
    }

    fn is_current(&self, event_type: &str, version: u16) -> bool {
        self.current.get(event_type) == Some(&version) || EVENT_TYPES.contains(&(event_type, version))
    }
}

fn run(
    step: Step,
    event_type: String,
    schema_version: u16,
    payload: Value,
) -> Result<Vec<Shape>, UpcastError> {
    step(payload).map_err(|reason| UpcastError::Refused {
        event_type,
        schema_version,
        reason,
    })
}
