//! The `tilepress` program.

fn main() -> std::process::ExitCode {
    tilepress::cli::main()
}
