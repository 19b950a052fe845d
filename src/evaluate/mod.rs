//! Evaluate: train students from scratch on hard labels and compare methods fairly.
