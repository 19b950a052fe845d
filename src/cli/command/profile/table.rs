//! The table of a profile.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::measured::{Ceilings, Profile, Recorded, Row, Spread};
use crate::device::Precision;
use crate::kernel::probe::Record;
use crate::report::align;

/// Prefix of the names of burn's operators, which are otherwise those of ours (`kernel::gpu::convolution::burns`).
const BURNS: &str = "burn's ";

/// The records of all steps by operator and shape, in the order of their first call, and what is left of the step.
pub(super) fn rows(recorded: &Recorded, ceilings: Option<&Ceilings>) -> Vec<Row> {
    let Recorded { records, ms } = recorded;
    if records.is_empty() {
        return Vec::new();
    }
    let (burns, records): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.operator.starts_with(BURNS));
    let seconds_of = |records: &[&Record]| records.iter().map(|record| record.seconds).sum::<f64>();
    let (steps, total) = (ms.len() as f64, ms.iter().sum::<f64>() - seconds_of(&burns) * 1e3);
    let mut order = Vec::new();
    let mut kinds: BTreeMap<(&str, &str), Vec<&Record>> = BTreeMap::new();
    for record in records {
        let kind = (record.operator, record.shape.as_str());
        let calls = kinds.entry(kind).or_default();
        if calls.is_empty() {
            order.push(kind);
        }
        calls.push(record);
    }
    let mut rows: Vec<Row> = Vec::new();
    for kind in order {
        let calls = &kinds[&kind];
        let burns =
            burns.iter().filter(|record| (&record.operator[BURNS.len()..], record.shape.as_str()) == kind);
        let burns = burns.copied().collect::<Vec<_>>();
        let sum = |of: fn(&Record) -> f64| calls.iter().map(|record| of(record)).sum::<f64>();
        let (seconds, flops, bytes) = (sum(|r| r.seconds), sum(|r| r.flops), sum(|r| r.bytes));
        let least = ceilings
            .map_or(0.0, |ceilings| f64::max(flops / ceilings.gflops, bytes / ceilings.gb_per_s) / 1e9);
        rows.push(Row {
            operator: calls[0].operator,
            shape: calls[0].shape.clone(),
            calls: calls.len() as f64 / steps,
            ms: seconds * 1e3 / steps,
            burn_ms: (!burns.is_empty()).then(|| seconds_of(&burns) * 1e3 / steps),
            share: seconds * 1e3 / total,
            gflop: flops / 1e9 / steps,
            megabytes: bytes / 1e6 / steps,
            of_ceiling: if seconds > 0.0 { least / seconds } else { 0.0 },
        });
    }
    let rest = 1.0 - rows.iter().map(|row| row.share).sum::<f64>();
    rows.push(Row {
        operator: "everything else",
        shape: String::new(),
        calls: 1.0,
        ms: rest * total / steps,
        burn_ms: None,
        share: rest,
        gflop: 0.0,
        megabytes: 0.0,
        of_ceiling: 0.0,
    });
    rows
}

pub(super) fn text(profile: &Profile) -> String {
    let mut text = String::new();
    let wide = profile.width.map_or_else(String::new, |width| format!(", {width} wide"));
    let who = match profile.students {
        1 => "1 student".to_owned(),
        students => format!("{students} students"),
    };
    let place = match (&profile.ceilings, profile.threads) {
        (None, _) => profile.device.clone(),
        (Some(_), 1) => "1 thread".to_owned(),
        (Some(_), threads) => format!("{threads} threads"),
    };
    let precision = match profile.precision {
        Precision::Full => "",
        Precision::Mixed => ", mixed precision",
    };
    let _ = writeln!(
        text,
        "{}{wide}, {} px, batch {}{precision}, {who} on {place}",
        profile.model, profile.image_size, profile.batch
    );
    let Spread { min, median, max } = profile.train_step_ms;
    let _ = writeln!(text, "training step: {median:.2} ms (from {min:.2} to {max:.2})");
    if let Some(Spread { min, median, max }) = profile.in_turns_ms {
        let _ = writeln!(text, "in turns instead of together: {median:.2} ms (from {min:.2} to {max:.2})");
    }
    if let Some(Ceilings { instructions, gflops, gb_per_s }) = &profile.ceilings {
        let _ = writeln!(
            text,
            "the machine, {instructions}: {gflops:.0} GFLOP/s in the cache, {gb_per_s:.1} GB/s of memory"
        );
    }
    if profile.operators.is_empty() {
        text.push_str("Operators are timed with one student only.\n");
        return text;
    }
    let beside: Vec<(f64, f64)> =
        profile.operators.iter().filter_map(|row| Some((row.ms, row.burn_ms?))).collect();
    let mut header =
        vec!["operator", "shape", "calls", "ms", "share", "GFLOP", "MB", "GFLOP/s", "GB/s", "of ceiling"];
    if !beside.is_empty() {
        header.push("burn's ms");
    }
    let mut table = vec![header.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for row in &profile.operators {
        let rate = |amount: f64| if amount > 0.0 { format!("{:.1}", amount / row.ms) } else { String::new() };
        let mut cells = vec![
            row.operator.to_owned(),
            row.shape.clone(),
            format!("{:.0}", row.calls),
            format!("{:.3}", row.ms),
            format!("{:.1} %", 100.0 * row.share),
            format!("{:.4}", row.gflop),
            format!("{:.2}", row.megabytes),
            rate(row.gflop * 1e3),
            rate(row.megabytes),
            if row.of_ceiling > 0.0 { format!("{:.0} %", 100.0 * row.of_ceiling) } else { String::new() },
        ];
        if !beside.is_empty() {
            cells.push(row.burn_ms.map_or_else(String::new, |ms| format!("{ms:.3}")));
        }
        table.push(cells);
    }
    text.push('\n');
    text.push_str(&align(&table, &[true, true]));
    text.push_str("\nBytes are those of operands and results, each once; what lies in a cache may be above memory's rate.\n");
    if !beside.is_empty() {
        let (ours, burns) = beside.iter().fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
        let faster = beside.iter().filter(|(ours, burns)| burns < ours).count();
        let _ = writeln!(
            text,
            "burn's own operators take {burns:.2} ms where ours take {ours:.2}; {faster} of {} are faster than ours.",
            beside.len()
        );
    }
    if profile.ceilings.is_none() {
        text.push_str("Waiting for a GPU after each operator takes time of its own, so they add up to more than a step.\n");
    } else if profile.threads > 1 {
        text.push_str(
            "The next batch's views are made beside the other operators, on a thread of their own.\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_burn_takes_stands_beside_ours_and_counts_for_no_step() {
        let record = |operator, shape: &str, seconds| Record {
            operator,
            shape: shape.to_owned(),
            flops: 0.0,
            bytes: 0.0,
            seconds,
        };
        // Two steps, of which burn's operators took half.
        let records = vec![
            record("burn's convolution", "a", 0.5),
            record("convolution", "a", 0.25),
            record("AdamW", "", 0.25),
            record("burn's convolution", "a", 0.5),
            record("convolution", "a", 0.25),
            record("AdamW", "", 0.25),
        ];
        let rows = rows(&Recorded { records, ms: vec![1000.0, 1000.0] }, None);
        let found: Vec<_> =
            rows.iter().map(|row| (row.operator, row.calls, row.ms, row.burn_ms, row.share)).collect();
        assert_eq!(
            found,
            [
                ("convolution", 1.0, 250.0, Some(500.0), 0.5),
                ("AdamW", 1.0, 250.0, None, 0.5),
                ("everything else", 1.0, 0.0, None, 0.0),
            ]
        );
    }
}
