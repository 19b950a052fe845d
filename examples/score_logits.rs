//! Scores samples by EL2N from logits that any program wrote: no training engine is needed.
//!
//! ```console
//! $ cargo run --release --no-default-features --example score_logits < logits.csv
//! ```
//!
//! A line is `epoch,sample,label,logit,logit,…`, epochs and samples counted from 0. Without a file, three made-up ones show it.

use std::io::{IsTerminal as _, Read as _};

use tilepress::score::{Dynamics, TrainingLog};

const EXAMPLE: &str = "0,0,0,2.0,0.1,-1.0\n0,1,1,0.3,0.2,0.1\n0,2,2,1.5,0.0,0.4\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_to_string(&mut text)?;
    }
    if text.trim().is_empty() {
        EXAMPLE.clone_into(&mut text);
    }
    let mut rows = Vec::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [epoch, sample, label, logits @ ..] = &cells[..] else {
            return Err(format!("'{line}' is not epoch,sample,label,logits").into());
        };
        let logits = logits.iter().map(|logit| logit.parse()).collect::<Result<Vec<f32>, _>>()?;
        rows.push((epoch.parse::<u32>()?, sample.parse::<u32>()?, label.parse::<u32>()?, logits));
    }
    let epochs = rows.iter().map(|row| row.0 + 1).max().unwrap_or(0);
    let samples = rows.iter().map(|row| row.1 + 1).max().unwrap_or(0);
    let mut log = TrainingLog::new(epochs, samples);
    for (epoch, sample, label, logits) in rows {
        log.record(epoch, &[sample], &Dynamics::batch(&logits, &[label], logits.len())?)?;
    }
    log.check_complete(0..epochs)?;
    println!("sample,el2n");
    for sample in 0..samples {
        println!("{sample},{}", log.el2n_sum(sample, 0..epochs));
    }
    Ok(())
}
