//! A task that runs beside others at low priority, and is read when it is done.

use std::env;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// A task of ours in another process. Ended, should it never be asked for.
pub(crate) struct Beside {
    child: Child,
    /// What it prints, so that it does not stand between the lines of others.
    log: std::fs::File,
    line: String,
}

impl Beside {
    /// Starts `cargo xtask <arguments>`.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self> {
        Self::of(
            &env::current_exe().context("this task does not know its own program")?.display().to_string(),
            arguments,
        )
    }

    fn of(program: &str, arguments: &[&str]) -> Result<Self> {
        let mut log = tempfile::tempfile()?;
        let mut command = if process::find("nice").is_some() {
            let mut command = Command::new("nice");
            command.args(["-n", "10", program]);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        let line = format!("cargo xtask {}", arguments.join(" "));
        println!("$ {line} (beside the next steps)");
        log.seek(SeekFrom::Start(0))?;
        Ok(Self { child: command.spawn().with_context(|| format!("cannot start `{line}`"))?, log, line })
    }

    /// Waits for the end and prints what it said; an unhappy exit is an error.
    pub(crate) fn finish(mut self) -> Result<()> {
        let status = self.child.wait()?;
        let mut text = Vec::new();
        self.log.seek(SeekFrom::Start(0))?;
        self.log.read_to_end(&mut text)?;
        std::io::stdout().write_all(&text)?;
        ensure!(status.success(), "`{}` ended with {status}", self.line);
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // No error where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_task_beside_others_is_waited_for_and_its_failure_is_an_error() {
        Beside::of("true", &[]).unwrap().finish().unwrap();
        let error = Beside::of("false", &["wasm"]).unwrap().finish().unwrap_err().to_string();
        assert!(error.starts_with("`cargo xtask wasm` ended with"), "{error}");
    }

    #[test]
    fn a_task_that_nobody_waits_for_is_ended() {
        let begun = std::time::Instant::now();
        drop(Beside::of("sleep", &["60"]).unwrap());
        assert!(begun.elapsed().as_secs() < 30);
    }
}
