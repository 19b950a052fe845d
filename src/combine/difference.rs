//! The first difference between what was asked and what is asked now.

use std::collections::BTreeSet;

use serde_json::Value;

/// First difference between two descriptions of a run, for which an earlier one cannot be continued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} was {before} when the folder was made and is {now} now")]
pub struct Difference {
    /// Name of the field, such as `grid` or `options.train.lr`.
    pub what: String,
    /// Its value in the earlier description, as JSON; `not set` where it had none.
    pub before: String,
    /// Its value now.
    pub now: String,
}

impl Difference {
    /// The first difference, in the byte order of the fields' names; `None` between equal descriptions.
    pub fn between(before: &Value, now: &Value) -> Option<Self> {
        first("", Some(before), Some(now))
    }
}

fn first(what: &str, before: Option<&Value>, now: Option<&Value>) -> Option<Difference> {
    if let (Some(Value::Object(before)), Some(Value::Object(now))) = (before, now) {
        let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        return keys.into_iter().find_map(|key| {
            let what = if what.is_empty() { key.clone() } else { format!("{what}.{key}") };
            first(&what, before.get(key), now.get(key))
        });
    }
    let text = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
    (before != now).then(|| Difference { what: what.to_owned(), before: text(before), now: text(now) })
}
