//! The page: one file without scripts that loads nothing and says the outcome first.
//!
//! Every chart has its numbers in a table beside it, nothing is told by colour alone, and whatever comes
//! from a user's data is escaped by the template.

mod curves;
mod parts;
mod pictures;
mod results;
mod scores;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::parts::{prose, scroll, tag};
use super::{Naming, Report, SharedWithVal, ValOrigin, words};
use crate::score::Metric;
use crate::words::visible_lines;

/// Nothing may be loaded or run: only pictures inside the page and its own style.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Writes `report.html`: self-contained, without scripts, legible from a phone to a projector and on
/// paper. Options in its texts have the names that `naming` gives them.
pub fn html(report: &Report, naming: Naming) -> String {
    let sections: Vec<(&str, &str, Markup)> = [
        ("results", "Results", results::results(report)),
        ("training", "Training curves", curves::curves(report)),
        ("classes", "Accuracy by class", results::classes(report)),
        ("scores", "Scores", scores::scores(report)),
        ("images", "Easiest and hardest images", pictures::extremes(&report.gallery, metric_of(report))),
        ("composites", "Composites", pictures::composites(&report.gallery)),
        ("findings", "DataFindings in the data", findings(report, naming)),
        ("cost", "Cost", cost(report)),
        ("options", "Options", options(report)),
    ]
    .into_iter()
    .filter_map(|(id, title, body)| Some((id, title, body?)))
    .collect();
    let title = format!("{}: tilepress report", report.data.name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                (header(report, &sections))
                main {
                    (verdict(report, naming))
                    @for (id, title, body) in &sections {
                        section id=(id) aria-labelledby=(format!("{id}-title")) {
                            h2 id=(format!("{id}-title")) { (title) }
                            (body)
                        }
                    }
                }
                (footer(report))
            }
        }
    };
    // Names of files may hold what would turn the order of reading around.
    visible_lines(&page.into_string()).into_owned()
}

/// A share in percent, without zeros at its end.
fn percent(share: f64) -> String {
    format!("{:.3}", 100.0 * share).trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn header(report: &Report, sections: &[(&str, &str, Markup)]) -> Markup {
    let data = &report.data;
    let val = words::count(data.val as u64);
    html! {
        header {
            p.eyebrow { "tilepress report" }
            h1 { (data.name) }
            p.quiet {
                (words::counted(data.classes as u64, "class", "classes")) ", "
                (words::counted(data.train as u64, "training image", "training images"))
                @match data.val_origin {
                    Some(ValOrigin::Given) => { ", " (val) " validation images as given" }
                    Some(ValOrigin::HeldOut { fraction, seed }) => {
                        ", " (val) " validation images held out of the training images ("
                        (percent(fraction)) " % of each class, seed " (seed) ")"
                    }
                    Some(ValOrigin::Tune { fraction, seed, unseen }) => {
                        ", measured on " (val) " of the training images, held out to tune on (" (percent(fraction))
                        " % of each class, seed " (seed) "); the " (words::count(unseen as u64))
                        " validation images stay unseen"
                    }
                    None => {}
                }
                "."
                @if let Some(created) = &report.created { " Made " (created) "." }
            }
            nav aria-label="On this page" {
                ul { @for (id, title, _) in sections { li { a href=(format!("#{id}")) { (title) } } } }
            }
        }
    }
}

fn verdict(report: &Report, naming: Naming) -> Markup {
    let lines = words::outcome(report);
    let (lead, rest) = lines.split_first().map_or((None, [].as_slice()), |(lead, rest)| (Some(lead), rest));
    let compared = rest.iter().filter_map(|line| Some((line.verdict?, &line.text)));
    let remarks = rest.iter().filter(|line| line.verdict.is_none());
    html! {
        section.verdict aria-labelledby="verdict-title" {
            h2 id="verdict-title" { @if report.results.is_empty() { "The compressed set" } @else { "Verdict" } }
            @if let Some(lead) = lead { p.lead { (prose(&naming(&lead.text))) } }
            @if rest.iter().any(|line| line.verdict.is_some()) {
                ul.outcome { @for (verdict, text) in compared { li { (tag(verdict)) span { (prose(&naming(text))) } } } }
            }
            @for remark in remarks { p { (prose(&naming(&remark.text))) } }
            (figures(report))
        }
        @if !report.warnings.is_empty() {
            section.warnings aria-labelledby="warnings-title" {
                h2 id="warnings-title" { "Warnings" }
                ul { @for warning in &report.warnings { li { (prose(&naming(warning))) } } }
            }
        }
    }
}

fn figures(report: &Report) -> Markup {
    let Some(set) = &report.compressed else { return html! {} };
    let share = 100.0 * set.bytes as f64 / report.data.bytes.max(1) as f64;
    let what = if set.grid.tiles() > 1 { "composites" } else { "images" };
    html! {
        dl.figures {
            div {
                dt { "Images" }
                dd {
                    (words::count(report.data.train as u64)) " → " (words::count(set.images as u64))
                    span.quiet { (what) " of " (words::count(set.tiles as u64)) " source images" }
                }
            }
            div {
                dt { "Size" }
                dd {
                    (words::bytes(report.data.bytes)) " → " (words::bytes(set.bytes))
                    span.quiet { (format!("{share:.1} % of the files read")) }
                }
            }
            div {
                dt { "Each class" }
                dd {
                    (set.ipc) " × " (set.image_size) " px"
                    span.quiet { "grid " (set.grid) ", IPC " (set.ipc) }
                }
            }
        }
    }
}

/// Likeness of a training image to the validation image it was found by, in words.
fn how_alike(pair: &SharedWithVal) -> String {
    if pair.same_file {
        "the same file".to_owned()
    } else {
        format!("looks the same ({})", words::counted(pair.distance.into(), "bit apart", "bits apart"))
    }
}

fn findings(report: &Report, naming: Naming) -> Option<Markup> {
    let found = &report.findings;
    let (near, shared, labels) = (&found.near_duplicates, &found.shared_with_val, &found.suspected_labels);
    (near.count + shared.count + labels.count > 0).then(|| {
        html! {
            @if near.count > 0 {
                h3 { (words::counted(near.count as u64, "near-duplicate", "near-duplicates")) " among the kept images" }
                p { (prose(&naming("`dedup` leaves the second of each pair out and takes the next image in rank."))) }
                (examples(near.count, &["kept", "looks like", "bits apart"], near.examples.iter().map(|pair| {
                    vec![pair.path.clone(), pair.other.clone(), pair.distance.to_string()]
                }).collect()))
            }
            @if shared.count > 0 {
                h3 { (words::counted(shared.count as u64, "training image", "training images")) " also in the validation set" }
                p { "They make every accuracy here look higher than it is. Take them out of one of the two folders." }
                (examples(shared.count, &["training image", "validation image", "how alike"], shared.examples.iter().map(|pair| {
                    vec![pair.train.clone(), pair.val.clone(), how_alike(pair)]
                }).collect()))
            }
            @if labels.count > 0 {
                h3 { (words::counted(labels.count as u64, "label", "labels")) " to look at" }
                p { "The training log of these images suggests a wrong label. Look before you move one." }
                (examples(labels.count, &["image", "labelled"], labels.examples.iter().map(|label| {
                    vec![label.path.clone(), label.class.clone()]
                }).collect()))
            }
        }
    })
}

fn examples(count: usize, columns: &[&str], rows: Vec<Vec<String>>) -> Markup {
    html! {
        @if !rows.is_empty() {
            details.twin {
                summary {
                    @if rows.len() < count { "Show " (rows.len()) " of " (words::count(count as u64)) }
                    @else { "Show them" }
                }
                (scroll("examples", html! {
                    table {
                        thead { tr { @for column in columns { th.text scope="col" { (column) } } } }
                        tbody { @for row in &rows { tr { @for cell in row { td.text { (cell) } } } } }
                    }
                }))
            }
        }
    }
}

fn cost(report: &Report) -> Option<Markup> {
    let cost = &report.cost;
    let parts = [
        ("Scoring (proxy training)", cost.score_seconds),
        ("Pruning, combining, writing", cost.combine_seconds),
        ("Training and measuring students", cost.train_seconds),
    ];
    let total: f64 = parts.iter().filter_map(|(_, seconds)| *seconds).sum();
    (total > 0.0).then(|| {
        html! {
            p { (words::seconds(total)) " in all. Compressing costs its scoring too, so it is counted here." }
            (scroll("cost", html! {
                table {
                    thead { tr { th.text scope="col" { "stage" } th scope="col" { "time" } th scope="col" { "share" } th scope="col" { span.quiet { "" } } } }
                    tbody {
                        @for (name, seconds) in parts {
                            @if let Some(seconds) = seconds {
                                @let share = 100.0 * seconds / total;
                                tr {
                                    th scope="row" { (name) }
                                    td { (words::seconds(seconds)) }
                                    td { (format!("{share:.0} %")) }
                                    td style="width:40%" {
                                        svg.bar aria-hidden="true" { rect width=(format!("{share:.1}%")) height="100%" {} }
                                    }
                                }
                            }
                        }
                    }
                }
            }))
        }
    })
}

fn options(report: &Report) -> Option<Markup> {
    let mut rows = Vec::new();
    flatten("", &report.options, &mut rows);
    (!rows.is_empty()).then(|| {
        html! {
            p { "The resolved configuration. With the same version, data and options a run gives the same images." }
            details.twin {
                summary { (words::counted(rows.len() as u64, "option", "options")) }
                (scroll("options", html! {
                    table {
                        thead { tr { th.text scope="col" { "option" } th.text scope="col" { "value" } } }
                        tbody { @for (name, value) in &rows { tr { th scope="row" { code { (name) } } td.text { code { (value) } } } } }
                    }
                }))
            }
        }
    })
}

/// Nested options as `outer.inner` and their values.
fn flatten(prefix: &str, value: &serde_json::Value, rows: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, rows);
            }
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => rows.push((prefix.to_owned(), text.clone())),
        other => rows.push((prefix.to_owned(), other.to_string())),
    }
}

/// What the scores of a report measure.
fn metric_of(report: &Report) -> Metric {
    report.scoring.as_ref().map(|scoring| scoring.metric).unwrap_or_default()
}

fn footer(report: &Report) -> Markup {
    html! {
        footer {
            div {
                p.quiet {
                    (report.tool) " " (report.version) ". PCA here is Prune, Combine, Augment (arXiv 2502.06434), not "
                    "principal components. IPC is images per class; EL2N is the distance between a prediction and its "
                    "one-hot label, summed over the first epochs of training. The numbers of this page are in "
                    code { "report.json" } " and " code { "report.csv" } " beside it."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::sample, *};
    use crate::report::{DataSummary, MethodResult, RunOutcome};

    /// The tags of a page, without the text between them.
    fn tags(page: &str) -> Vec<&str> {
        page.split('<').skip(1).filter_map(|piece| piece.split('>').next()).collect()
    }

    #[test]
    fn the_page_loads_and_runs_nothing() {
        let page = html(&sample(), str::to_owned);
        assert!(page.contains("default-src 'none'"));
        for tag in tags(&page) {
            assert!(
                !tag.starts_with("script") && !tag.starts_with("link") && !tag.starts_with("iframe"),
                "{tag}"
            );
            assert!(
                !tag.split_whitespace()
                    .any(|attribute| attribute.starts_with("on") && attribute.contains('=')),
                "{tag}"
            );
        }
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("@import"));
        assert_eq!(page.matches("url(").count(), 0);
    }

    #[test]
    fn every_method_of_the_report_is_explained_and_no_other() {
        let page = html(&sample(), str::to_owned);
        for named in crate::evaluate::METHODS {
            let has = sample().results.iter().any(|result| result.setting.method == named.name);
            assert_eq!(page.contains(named.about), has, "{}", named.name);
        }
    }

    #[test]
    fn what_comes_from_the_data_is_escaped_everywhere() {
        let evil = "<script>alert(1)</script>\"'&";
        let mut report = sample();
        report.data.name = evil.into();
        report.created = Some(evil.into());
        report.warnings = vec![evil.into()];
        for result in &mut report.results {
            result.setting.method = evil.into();
            result.setting.model = evil.into();
            result.setting.augment = evil.into();
            result.per_class[0].class = evil.into();
        }
        let results = std::mem::take(&mut report.results);
        report.set_results(results);
        report.options = serde_json::json!({ evil: { evil: evil } });
        report.findings.suspected_labels.examples[0].class = evil.into();
        report.findings.near_duplicates.examples[0].path = evil.into();
        report.findings.shared_with_val.examples[0].val = evil.into();
        report.gallery.classes[0].class = evil.into();
        report.gallery.classes[0].easiest[0].path = evil.into();
        report.warnings.push(format!("give --{evil} or {evil}"));
        report.gallery.composites[0].class = evil.into();
        report.gallery.composites[0].sources[0] = evil.into();
        let page = html(&report, str::to_owned);
        assert!(!page.contains("<script"), "a tag came through");
        assert!(!page.contains("alert(1)</script>\""), "a quote came through");
        assert!(page.matches("&lt;script&gt;").count() > 20);
        for tag in tags(&page) {
            assert_eq!(tag.matches('"').count() % 2, 0, "an attribute was broken: {tag}");
        }
    }

    #[test]
    fn every_picture_has_an_alternative_text_and_every_chart_a_label() {
        let page = html(&sample(), str::to_owned);
        let images: Vec<&str> = tags(&page).into_iter().filter(|tag| tag.starts_with("img")).collect();
        assert_eq!(images.len(), 10 * 16 + 6);
        assert!(images.iter().all(|tag| tag.contains(" alt=\"") && !tag.contains(" alt=\"\"")));
        let charts: Vec<&str> = tags(&page).into_iter().filter(|tag| tag.contains("role=\"img\"")).collect();
        assert!(charts.len() >= 4 + 4 + 2, "{}", charts.len());
        assert!(charts.iter().all(|tag| tag.contains("aria-label=\"")));
    }

    #[test]
    fn scores_made_elsewhere_are_not_called_el2n() {
        let mut report = sample();
        report.results.clear();
        report.gallery.composites.clear();
        let scoring = report.scoring.as_mut().expect("the sample is scored");
        (scoring.metric, scoring.runs, scoring.epochs) = (Metric::Other, 0, 0);
        scoring.proxy_accuracy.clear();
        let page = html(&report, str::to_owned);
        let (body, footer) = page.split_once("<footer").expect("a footer");
        let scores = body.split_once("id=\"scores\"").expect("a section of scores").1;
        assert!(!scores.contains("EL2N"), "{scores}");
        assert!(scores.contains("made elsewhere") && scores.contains("no proxy was trained"), "{scores}");
        assert!(footer.contains("EL2N is"));
        // Reports of before say nothing of it, and name the histogram by EL2N.
        let old = serde_json::json!({
            "seconds": 1.0, "epochs": 10, "runs": 1, "proxy_accuracy": [50.0],
            "el2n_histogram": { "edges": [0.0, 1.0], "counts": [3] },
        });
        let old: super::super::Scoring = serde_json::from_value(old).expect("it is read");
        assert_eq!(
            (old.metric, old.histogram.map(|histogram| histogram.counts)),
            (Metric::El2n, Some(vec![3]))
        );
    }

    #[test]
    fn a_report_of_nothing_is_still_a_page() {
        let report = Report::new(DataSummary::default(), serde_json::Value::Null);
        let page = html(&report, str::to_owned);
        assert!(page.contains("No student was trained."));
        for id in ["results", "training", "scores", "images", "composites", "cost", "options"] {
            assert!(!page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        assert!(!page.contains("NaN"));
    }

    #[test]
    fn a_compression_without_students_shows_what_it_made() {
        let mut report = sample();
        report.set_results(Vec::new());
        let page = html(&report, str::to_owned);
        assert!(
            page.contains("3,200 → 100") && page.contains("id=\"scores\"") && page.contains("id=\"cost\"")
        );
        assert!(!page.contains("id=\"results\"") && !page.contains("id=\"training\""));
    }

    /// For whoever changes the page: with `TILEPRESS_SAMPLE_REPORTS` set to a folder, writes samples there
    /// to look at.
    #[test]
    fn the_page_of_the_sample_is_complete() {
        let page = html(&sample(), str::to_owned);
        for id in [
            "results",
            "training",
            "classes",
            "scores",
            "images",
            "composites",
            "findings",
            "cost",
            "options",
        ] {
            assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
            assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
        }
        assert!(
            page.contains(
                "pca against el2n is inconclusive on 3 shared seeds: pca could be anything between"
            )
        );
        if let Some(folder) = std::env::var_os("TILEPRESS_SAMPLE_REPORTS").map(std::path::PathBuf::from) {
            let write =
                |name, page| std::fs::write(folder.join(name), page).expect("a folder that can be written");
            write("compare.html", page);
            let mut report = sample();
            report.set_results(Vec::new());
            report.cost.train_seconds = None;
            write("compress.html", html(&report, str::to_owned));
            write("single.html", html(&single_run(), str::to_owned));
        }
    }

    fn single_run() -> Report {
        let mut report = sample();
        let classes: Vec<String> =
            report.results[0].per_class.iter().map(|class| class.class.clone()).collect();
        let results = report.results.iter().filter_map(|result| {
            let run = RunOutcome { top1: result.top1.runs[0], seconds: 44.0, ..RunOutcome::default() };
            MethodResult::new(result.setting.clone(), &classes, vec![run], 800)
        });
        let results = results.collect();
        report.set_results(results);
        report
    }

    #[test]
    fn one_repeat_is_said_to_prove_nothing() {
        let page = html(&single_run(), str::to_owned);
        assert!(page.contains("cannot be told from seed noise"));
        assert!(page.contains("it knows nothing of the noise between seeds"));
        assert!(!page.contains("class=\"tag\"><span aria-hidden=\"true\">▲"));
        assert!(!page.contains("id=\"training\"") && !page.contains("NaN"));
    }
}
