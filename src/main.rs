//! tilepress
fn main() {}
