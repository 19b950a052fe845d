//! The `tilepress` program.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    tilepress::cli::main()
}
