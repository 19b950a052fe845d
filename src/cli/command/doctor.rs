//! `tilepress doctor`: which devices there are, and whether their numbers are right.

use std::fmt::Write as _;
use std::time::Instant;

use serde::Serialize;

use crate::cli::args::DoctorArgs;
use crate::cli::console::{Console, clock};
use crate::cli::exit::{Failure, Result};
use crate::device::{DeviceChoice, DeviceError, MatrixUnits, Precision, open};
use crate::train::{SelfCheck, self_check, step_seconds};

/// Findings about one device.
#[derive(Debug, Serialize)]
struct Finding {
    choice: DeviceChoice,
    name: Option<String>,
    /// Rows, columns and depth of the products that its matrix units make, where mixed precision can be had.
    matrix_units: Option<MatrixUnits>,
    check: Option<SelfCheck>,
    /// Milliseconds of a training step of a small ConvNet.
    step_ms: Option<f64>,
    /// Seconds of the check.
    seconds: f64,
    problem: Option<String>,
}

/// Checks one device, or every one the build knows, against double precision on the CPU.
pub(in crate::cli) fn run(args: &DoctorArgs, console: &Console) -> Result<()> {
    let asked = args.device;
    let choices = asked.map_or_else(
        || {
            use DeviceChoice::{Cpu, Cuda, Metal, Vulkan, Wgpu};
            vec![Cpu, Wgpu(None), Vulkan(None), Cuda(None), Metal]
        },
        |choice| vec![choice],
    );
    let mut findings = Vec::new();
    let mut refused = None;
    for choice in choices {
        let (finding, error) = check(choice);
        refused = refused.or(error);
        findings.push(finding);
    }
    let mut text = format!("tilepress {}\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "threads: {}", rayon::current_num_threads());
    let cpu = findings.iter().find(|finding| finding.choice == DeviceChoice::Cpu).and_then(|cpu| cpu.step_ms);
    for finding in &findings {
        let name = finding.name.as_deref().unwrap_or("-");
        let verdict = match (&finding.check, &finding.problem) {
            (Some(check), _) if check.ok => format!(
                "ok: worst error {:.1e}{}, a small network's loss {:.3} -> {:.3}, {:.2} s",
                check.worst_error,
                check.worst_product.map_or(String::new(), |error| format!(", of halves {error:.1e}")),
                check.loss_before,
                check.loss_after,
                finding.seconds
            ),
            (Some(check), _) => format!("WRONG NUMBERS, do not use it: {check:?}"),
            (None, Some(problem)) => problem.clone(),
            (None, None) => String::new(),
        };
        let _ = writeln!(text, "{:<8} {name}\n         {verdict}", finding.choice.to_string());
        if finding.check.is_some()
            && let Some(problem) = &finding.problem
        {
            let _ = writeln!(text, "         a training step fails: {problem}");
        }
        if let Some(step) = finding.step_ms {
            let beside = match cpu {
                Some(cpu) if step < cpu => format!(", {:.1} times as fast as on the CPU", cpu / step),
                Some(cpu) if step > cpu => format!(", {:.1} times as long as on the CPU", step / cpu),
                _ => String::new(),
            };
            let _ = writeln!(text, "         a training step of a small ConvNet: {step:.2} ms{beside}");
        }
        if finding.name.is_some() {
            let units = match finding.matrix_units {
                Some(units) => format!("matrix units: {units}, for --precision mixed"),
                None => "no matrix units: --precision full only".to_owned(),
            };
            let _ = writeln!(text, "         {units}");
        }
    }
    console.result(&serde_json::to_value(&findings)?, text.trim_end())?;
    let wrong = findings.iter().any(|finding| finding.check.as_ref().is_some_and(|check| !check.ok));
    match refused {
        // A device that was asked for must be there; in the full list some never are.
        Some(error) if asked.is_some() => Err(error),
        _ if wrong => {
            let why = "its numbers differ from the CPU's".to_owned();
            Err(DeviceError::Open { choice: asked.unwrap_or_default(), why }.into())
        }
        _ => Ok(()),
    }
}

fn check(choice: DeviceChoice) -> (Finding, Option<Failure>) {
    let begun = Instant::now();
    let mut finding = Finding {
        choice,
        name: None,
        matrix_units: None,
        check: None,
        step_ms: None,
        seconds: 0.0,
        problem: None,
    };
    let result = pollster::block_on(async {
        let opened = open(choice).await?;
        finding.name = Some(opened.name.clone());
        finding.matrix_units = MatrixUnits::of(&opened.device);
        let precision = if finding.matrix_units.is_some() { Precision::Mixed } else { Precision::Full };
        let check = self_check(&opened.device, precision).await?;
        finding.seconds = begun.elapsed().as_secs_f64();
        let ok = check.ok;
        finding.check = Some(check);
        if ok {
            finding.step_ms = Some(step_seconds(&opened.device, clock, None).await? * 1e3);
        }
        Ok::<(), Failure>(())
    });
    let error = result.err();
    finding.problem = error.as_ref().map(ToString::to_string);
    (finding, error)
}
