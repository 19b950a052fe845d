//! Prune: keep the easiest images, strictly the same number in each class.
