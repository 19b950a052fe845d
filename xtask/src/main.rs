//! Development tasks of tilepress, called as `cargo xtask <task>`.
//!
//! A task fetches what it needs and the machine lacks, says what it runs, and fails with a sentence that
//! tells what to do by hand.

#![forbid(unsafe_code)]

mod beside;
mod browser;
mod dependencies;
mod dist;
mod faults;
mod features;
mod floors;
mod fuzz;
mod page;
mod process;
mod reproduce;
mod sbom;
mod server;
mod soundness;
mod supply;
mod tally;
mod test;
mod toolchain;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what is missing, builds native and wasm, and runs every test.
    Test(test::Options),
    /// Builds the npm packages that wasm-pack.toml describes, into pkg/.
    Wasm(wasm::Options),
    /// Builds the page into www/dist, from www/ and the package in pkg/web.
    Page(page::Options),
    /// Builds the page and serves it on localhost.
    Serve(page::ServeOptions),
    /// Runs the reference experiment and holds it against an independent PyTorch implementation.
    Reproduce(reproduce::Options),
    /// Kills, interrupts and spoils runs of every command, and wants the undisturbed bytes afterwards.
    Faults(faults::Options),
    /// Builds and lints every feature alone.
    Features(features::Options),
    /// Checks that every module stands only on those below it, and counts the way through a command.
    Floors(floors::Options),
    /// Runs the tests of the CPU's kernels under Miri and AddressSanitizer, on Rust's nightly toolchain.
    Soundness,
    /// Fuzzes every parser with libFuzzer, on Rust's nightly toolchain.
    Fuzz(fuzz::Options),
    /// Checks what the project lets in: licences, sources, known faults, scripts, unsafe code.
    Supply(supply::Options),
    /// Writes a bill of materials in CycloneDX's form.
    Sbom(sbom::Options),
    /// Packs what is built for a release into dist/.
    Dist(dist::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Wasm(options) => wasm::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Page(options) => page::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Serve(options) => page::serve(&options).map(|()| ExitCode::SUCCESS),
        Task::Reproduce(options) => reproduce::run(&options),
        Task::Faults(options) => faults::run(&options),
        Task::Features(options) => features::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Floors(options) => floors::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Soundness => soundness::run().map(|()| ExitCode::SUCCESS),
        Task::Fuzz(options) => fuzz::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Supply(options) => supply::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Sbom(options) => sbom::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Dist(options) => dist::run(&options).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
