//! Names of options in a report's texts.

/// A surface's form of a text that names options in backticks, such as `repeats`.
pub type Naming = fn(&str) -> String;
