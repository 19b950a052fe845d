//! `cargo xtask soundness`: the tests of the CPU's kernels, where the crate's unsafe code is, under Miri and under
//! AddressSanitizer.
//!
//! Miri interprets the tests and sees every wrong pointer and data race, in the portable kernels and, on x86-64, in
//! those of AVX2, whose intrinsics it knows. The sanitizer watches what the processor itself runs, AVX-512 included.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;
use crate::workspace::Workspace;

/// The tests, built without the training engine: it would take Miri hours.
const TESTS: [&str; 4] = ["--no-default-features", "--lib", "--package=tilepress", "kernel::cpu"];
/// Rayon's crossbeam breaks the older of Miri's two models of borrowing, keeps threads to the end of the process, and asks
/// for the number of cores.
const MIRIFLAGS: &str = "-Zmiri-tree-borrows -Zmiri-ignore-leaks -Zmiri-disable-isolation";

/// Runs all of it; the first finding is the error.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let mut rustup = Command::new("rustup");
    rustup.args(["toolchain", "install", "nightly", "--profile=minimal", "--component=miri,rust-src"]);
    process::run(&mut rustup)
        .context("Miri and the sanitizers need Rust's nightly toolchain; install it by hand and try again")?;

    let cargo = |name: &str, rustflags: &str| {
        let mut command = Command::new("cargo");
        command
            .arg("+nightly")
            .env("CARGO_TARGET_DIR", workspace.target.join("soundness").join(name))
            .env("RUSTFLAGS", rustflags)
            .env("MIRIFLAGS", MIRIFLAGS)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .current_dir(&workspace.root);
        command
    };
    process::heading("Miri, portable kernels");
    process::run(cargo("miri", "").args(["miri", "test"]).args(TESTS))?;
    if cfg!(target_arch = "x86_64") {
        process::heading("Miri, AVX2");
        let flags = "-Ctarget-feature=+avx2,+fma";
        process::run(cargo("miri-avx2", flags).args(["miri", "test"]).args(TESTS))?;
    }
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        process::heading("AddressSanitizer, every instruction set of this machine");
        let mut command = cargo("address", "-Zsanitizer=address");
        process::run(command.args(["test", "--release", "--target=x86_64-unknown-linux-gnu"]).args(TESTS))?;
    }
    println!("\nnothing found");
    Ok(())
}
