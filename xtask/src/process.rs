//! Running other programs: aloud, so that a task can be followed and repeated by hand.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Prints a step's heading.
pub(crate) fn heading(text: &str) {
    println!("\n==> {text}");
}

/// Prints the command and runs it on this terminal; an unhappy exit is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = announce(command).status().with_context(|| cannot_start(command))?;
    ensure!(status.success(), "`{}` ended with {status}", line(command));
    Ok(())
}

/// Like [`run`], and hands every line of standard output to `each` after printing it.
pub(crate) fn run_lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    read_lines(announce(command), |line| {
        println!("{line}");
        each(line);
    })
}

/// Prints the command, runs it, and hands its standard output to `each`, line by line, unprinted.
pub(crate) fn run_quietly(command: &mut Command, each: impl FnMut(&str)) -> Result<ExitStatus> {
    read_lines(announce(command), each)
}

fn read_lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let stdout = child.stdout.take().expect("standard output was asked for as a pipe");
    let mut reader = BufReader::new(stdout);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        each(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']));
        bytes.clear();
    }
    Ok(child.wait()?)
}

/// Runs silently and returns standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| cannot_start(command))?;
    ensure!(output.status.success(), "`{}` ended with {}", line(command), output.status);
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", line(command)))
}

/// Runs silently; `None` unless the program exists and is content. Returns standard output.
pub(crate) fn probe(program: impl AsRef<Path>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program.as_ref()).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Prints the command and runs it, but for no longer than `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child = announce(command).stdin(Stdio::null()).spawn().with_context(|| cannot_start(command))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "`{}` ended with {status}", line(command));
            return Ok(());
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("`{}` took longer than {} s", line(command), limit.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The file that PATH gives for a program's name.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(format!("{program}{}", env::consts::EXE_SUFFIX)))
        .find(|path| path.is_file())
}

/// Installs Debian packages where `apt-get` exists and we may call it without a question; otherwise the
/// error is the command to run by hand.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    let by_hand = || format!("install by hand: apt-get install {}", packages.join(" "));
    if find("apt-get").is_none() {
        bail!("there is no apt-get here to install {}", packages.join(", "));
    }
    let is_root = probe("id", &["-u"]).as_deref() == Some("0");
    if !is_root && probe("sudo", &["-n", "true"]).is_none() {
        bail!("not root, and sudo would ask for a password; {}", by_hand());
    }
    let apt_get = |arguments: &[&str]| {
        let mut command = if is_root { Command::new("apt-get") } else { Command::new("sudo") };
        if !is_root {
            command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        run(&mut command).with_context(by_hand)
    };
    apt_get(&["update", "-q"])?;
    // Never at the price of something that is already installed.
    let mut install = vec!["install", "-q", "-y", "--no-remove", "--no-install-recommends"];
    install.extend(packages);
    apt_get(&install)
}

fn announce(command: &mut Command) -> &mut Command {
    println!("$ {}", line(command));
    // Before the other program writes to the same place.
    let _ = std::io::stdout().flush();
    command
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", line(command))
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
