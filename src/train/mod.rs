//! Training: one loop for native and wasm, for a cohort of students.
