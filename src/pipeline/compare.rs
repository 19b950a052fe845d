//! Methods side by side: scored, stored, trained and measured with every seed.

use super::begin::begin_run;
use super::cell::{Cell, StoredCell, StoredImages, setting};
use super::claim::Holding;
use super::evaluate::STUDENTS;
use super::prune::{self, Chooser};
use super::request::CompareRequest;
use super::score::{self, LOGS, Scored};
use super::set;
use super::views::{unlike_pixels, unlike_views};
use super::{Dataset, PipelineError, findings, pictures};
use crate::combine::{CostEstimate, source_set_hash};
use crate::data::{ContentHash, CropFrom};
use crate::device::{DeviceChoice, DeviceList};
use crate::evaluate::Method;
use crate::prune::Chosen;
use crate::report::{Cost, Gallery, MethodResult, Report, RunOutcome, Spending};
use crate::run::{Devices, Job, Keep, Kept, Observer, Storage, Training, log_name, open_all, train_all};
use crate::score::Metric;

/// A comparison whose request has been checked.
struct Plan<'a> {
    request: &'a CompareRequest,
    data: &'a Dataset,
    methods: Vec<Method>,
    seeds: Vec<u64>,
    options: serde_json::Value,
    /// What identifies the run, in words and as a hash.
    run: serde_json::Value,
    fingerprint: ContentHash,
}

/// The stored images of all cells, method after method, and the findings of pruning for the method that a report shows.
struct AllStored {
    cells: Vec<StoredCell>,
    noticed: Option<Chosen>,
    seconds: f64,
}

/// Compares methods. Finished parts are kept in `out`, and a run that was stopped goes on from there; with `force`
/// anything else in it is replaced.
///
/// # Errors
/// [`PipelineError`]. An invalid request is refused before anything is replaced.
pub fn compare(
    request: &CompareRequest,
    data: &Dataset,
    (out, force): (&dyn Storage, bool),
    list: &DeviceList,
    observer: &dyn Observer,
) -> Result<Report, PipelineError> {
    let plan = Plan::new(request, data).map_err(|error| data.explain(error, out))?;
    plan.ensure_memory(list, observer)?;
    let devices = open_all(list, request.common.settings.precision, observer)?;
    plan.begin(out, force, observer)?;
    let mut warnings = data.write_lists(out, observer)?;
    if !request.common.pruning.dedup {
        warnings.extend(data.warn_of_shared(observer));
    }
    warnings.extend(plan.caveats(observer));
    let scored = plan.score(out, &devices, observer)?;
    // The seeds' proxies differ little: one warning says it for all.
    warnings.extend(scored.iter().find_map(|scored| score::warn(&scored.report, data, observer)));
    let stored = plan.store(&scored, &mut warnings, observer)?;
    let begun = observer.seconds();
    let (outcomes, [training, measuring]) = plan.train(&stored.cells, out, &devices, observer)?;

    let mut report = Report::new(data.summary(), plan.options.clone());
    report.cost = Cost {
        score_seconds: scored.first().map(|scored| scored.report.seconds),
        combine_seconds: Some(stored.seconds),
        train_seconds: Some(observer.seconds() - begun),
        loading: Some(data.loading),
        score_seconds_spent: scored.first().and_then(|scored| scored.spending),
        train_seconds_spent: Some(training),
        measure_seconds_spent: Some(measuring),
    };
    if let Some(chosen) = &stored.noticed {
        report.findings = findings::findings(&chosen.findings, data);
    }
    report.gallery = plan.gallery(&stored.cells, &scored);
    let metric = scored.first().map_or(Metric::default(), |scored| scored.table.metric);
    report.scoring = scored.into_iter().next().map(|scored| scored.report);
    report.warnings = warnings;
    report.set_results(plan.results(&stored.cells, outcomes, metric));
    Ok(report)
}

impl<'a> Plan<'a> {
    /// Checks everything that can be checked before anything is replaced.
    fn new(request: &'a CompareRequest, data: &'a Dataset) -> Result<Self, PipelineError> {
        let mut methods: Vec<Method> = Vec::new();
        for &method in &request.methods {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        data.ensure_measurable()?;
        let common = &request.common;
        for &method in &methods {
            let stored = common.budget.per_class()?.0;
            let per_class = stored as usize * method.grid(common.budget.grid).tiles() as usize;
            let fill = common.pruning.fill;
            prune::ensure_enough(&data.train.samples, &data.classes, per_class, method.rule, fill)?;
            let (grid, side) = (method.grid(common.budget.grid), common.settings.image_size as u32);
            CostEstimate::new(&set::spec(&data.classes, grid, stored, side, common.style))?;
            common.views.augmentation(common.views.crop_of(method, common.budget.grid))?;
        }
        if methods.iter().any(|method| method.needs_scores()) {
            score::ensure_scorable(common, data)?;
        }
        let seeds = (0..request.repeats as u64).map(|repeat| common.seed.wrapping_add(repeat)).collect();
        let options = options(request, &methods);
        let run = serde_json::json!({
            "options": options,
            "source_set": source_set_hash(&data.train.samples),
            "val_set": source_set_hash(&data.val.samples),
        });
        let fingerprint = ContentHash::of(run.to_string().as_bytes());
        Ok(Self { request, data, methods, seeds, options, run, fingerprint })
    }

    /// Checks, before anything is replaced, that there is memory for all that is trained, as far as the device is known.
    fn ensure_memory(&self, list: &DeviceList, observer: &dyn Observer) -> Result<(), PipelineError> {
        let common = &self.request.common;
        let on_cpu = *list == DeviceChoice::Cpu.into();
        if common.score.given.is_none() && self.methods.iter().any(|method| method.needs_scores()) {
            let proxies = score::proxies(self.data, &common.settings, &common.score.proxy);
            let count = self.seeds.len() * common.score.proxy.runs.get();
            proxies.training(count).ensure_fits(on_cpu, observer)?;
        }
        let training = Training {
            model: &common.settings.model(self.data.classes.len()),
            config: &common.settings.student,
            images: self.data.classes.len() * common.budget.per_class()?.0 as usize,
            networks: self.methods.len() * self.seeds.len(),
            logged: false,
        };
        Ok(training.ensure_fits(on_cpu, observer)?)
    }

    /// Prepares the output: an empty one, or that of an equal comparison that was stopped.
    fn begin(&self, out: &dyn Storage, force: bool, observer: &dyn Observer) -> Result<(), PipelineError> {
        out.claim()?;
        let holding = Holding::of(out)?;
        let goes_on = begin_run(out, &holding, &self.run, force, self.bytes(), observer)?;
        if let Some(log) = self.request.first_log.as_ref().filter(|_| !goes_on) {
            self.keep(out, LOGS).files.write(&log_name(self.request.common.seed), log)?;
        }
        Ok(())
    }

    /// A folder for the work of its trainings.
    fn keep<'b>(&self, storage: &'b dyn Storage, folder: &'b str) -> Keep<'b> {
        let every = self.request.common.save_every;
        Keep { files: Kept::new(storage, folder, self.fingerprint), every }
    }

    /// Bytes that the run writes: those that are sure, and those with the answers of its students and a report.
    fn bytes(&self) -> (u64, u64) {
        let common = &self.request.common;
        let proxies = match common.score.given {
            None if self.methods.iter().any(|method| method.needs_scores()) => {
                self.seeds.len() * common.score.proxy.runs.get()
            }
            _ => 0,
        };
        let logs = proxies as u64 * score::log_bytes(&common.settings, self.data);
        let students = (self.methods.len() * self.seeds.len()) as u64;
        // A bit for each answer in hexadecimal and one in a table, a curve, and the page with its pictures.
        let val = self.data.val.samples.len() as u64;
        (logs, logs + students * (val / 4 + 2 * val + 8192) + (1 << 20))
    }

    /// Reasons why the comparison is not quite fair or complete. Tells the user, and returns them for the report.
    fn caveats(&self, observer: &dyn Observer) -> Vec<String> {
        let common = &self.request.common;
        let mut caveats = Vec::new();
        let of = |composites: bool| self.methods.iter().copied().find(|one| one.composites == composites);
        if let (Some(composites), Some(whole)) = (of(true), of(false)) {
            let grid = common.budget.grid;
            let crop = |method| common.views.crop_of(method, grid);
            caveats.extend(unlike_views(grid, crop(composites), crop(whole)));
            if common.settings.crop_from == CropFrom::Image {
                caveats.push(unlike_pixels(common.settings.image_size));
            }
        }
        if common.score.given.is_some() && self.request.repeats > 1 {
            caveats.push(
                "`scores`: one table of scores serves all seeds, so the intervals lack the noise of scoring; without \
                 `scores` every seed has a proxy of its own"
                    .to_owned(),
            );
        }
        caveats.extend(self.data.unmeasured());
        caveats.iter().for_each(|text| observer.warn(text));
        if let Some(text) = self.data.tune_caveat() {
            observer.say(&text);
            caveats.push(text);
        }
        caveats
    }

    /// The scores of each seed; scores from a table made elsewhere serve all seeds.
    fn score(
        &self,
        out: &dyn Storage,
        devices: &Devices,
        observer: &dyn Observer,
    ) -> Result<Vec<Scored>, PipelineError> {
        let common = &self.request.common;
        match &common.score.given {
            _ if !self.methods.iter().any(|method| method.needs_scores()) => Ok(Vec::new()),
            Some(given) => Ok(vec![given.scored.clone()]),
            None => score::score_seeds(
                self.data,
                &common.settings,
                &common.score.proxy,
                &self.seeds,
                self.keep(out, LOGS),
                devices,
                observer,
            ),
        }
    }

    /// Chooses and combines the images of every cell.
    fn store(
        &self,
        scored: &[Scored],
        warnings: &mut Vec<String>,
        observer: &dyn Observer,
    ) -> Result<AllStored, PipelineError> {
        let (common, copies) = (&self.request.common, prune::copies(self.data));
        let begun = observer.seconds();
        let (mut cells, mut noticed) = (Vec::new(), None);
        // The report shows the copies of one method.
        let shown = self.methods.iter().find(|&&method| method == Method::PCA).or(self.methods.first());
        for &method in &self.methods {
            for (place, &seed) in self.seeds.iter().enumerate() {
                observer.go_on()?;
                let scored = scored.get(place).or(scored.first());
                let (stored, chosen) = Cell { method, seed }.store(common, self.data, copies, scored)?;
                if place == 0 && (noticed.is_none() || method == Method::PCA) {
                    let chooser = Chooser { name: method.to_string(), reported: shown == Some(&method) };
                    warnings.extend(prune::warn(&chosen, &chooser, common.pruning, observer));
                    noticed = Some(chosen);
                }
                cells.push(stored);
            }
        }
        Ok(AllStored { cells, noticed, seconds: observer.seconds() - begun })
    }

    /// Trains and measures the student of every cell.
    fn train(
        &self,
        cells: &[StoredCell],
        out: &dyn Storage,
        devices: &Devices,
        observer: &dyn Observer,
    ) -> Result<(Vec<RunOutcome>, [Spending; 2]), PipelineError> {
        let settings = &self.request.common.settings;
        observer.say(&format!(
            "{} methods with {} seeds: {} students of {} steps each",
            self.methods.len(),
            self.seeds.len(),
            cells.len(),
            cells.first().map_or(0, |cell| settings.student.steps(cell.images.len()))
        ));
        let jobs = cells.iter().map(|cell| cell.job(&self.request.common));
        let jobs = jobs.collect::<Result<Vec<Job>, PipelineError>>()?;
        let model = settings.model(self.data.classes.len());
        let (keep, val) = (self.keep(out, STUDENTS), &*self.data.val.images);
        let (trained, spent) = train_all(jobs, Some(keep), &model, settings.student, val, devices, observer)?;
        Ok((trained.into_iter().map(|trained| trained.outcome).collect(), spent))
    }

    /// The result of every method over its seeds.
    fn results(&self, cells: &[StoredCell], outcomes: Vec<RunOutcome>, metric: Metric) -> Vec<MethodResult> {
        let common = &self.request.common;
        let (seeds, classes) = (self.seeds.len(), &self.data.classes);
        let mut outcomes = outcomes.into_iter();
        let results = cells.chunks(seeds).filter_map(|of_method| {
            let StoredCell { cell: Cell { method, .. }, grid, images, .. } = &of_method[0];
            let runs = outcomes.by_ref().take(seeds).collect();
            let stored = StoredImages {
                images: images.len(),
                classes: classes.len(),
                bytes: of_method.iter().map(|stored| stored.bytes).sum::<u64>() / seeds as u64,
                grid: *grid,
                side: common.settings.image_size as u32,
            };
            let crop = common.views.crop_of(*method, common.budget.grid);
            let setting = setting(method.name_by(metric), &common.settings, crop, &stored);
            MethodResult::new(setting, classes.names(), runs, self.data.val.samples.len())
        });
        results.collect()
    }

    /// The pictures of the report: the paper's own method, or else the first with composites.
    fn gallery(&self, cells: &[StoredCell], scored: &[Scored]) -> Gallery {
        let find = |wanted: &dyn Fn(&StoredCell) -> bool| cells.iter().find(|stored| wanted(stored));
        let pictured = find(&|stored| stored.cell.method == Method::PCA)
            .or_else(|| find(&|stored| stored.grid.tiles() > 1))
            .or(cells.first());
        let ends = |scored: &Scored| pictures::ends_of_classes(self.data, &scored.table);
        let composites =
            |stored: &StoredCell| pictures::composites_in_memory(&*stored.images, &self.data.classes);
        Gallery {
            classes: scored.first().map_or_else(Vec::new, ends),
            composites: pictured.map_or_else(Vec::new, composites),
        }
    }
}

/// The options that distinguish one comparison from another.
fn options(request: &CompareRequest, methods: &[Method]) -> serde_json::Value {
    let common = &request.common;
    serde_json::json!({
        "command": "compare",
        "methods": methods,
        "ipc": common.budget.ipc,
        "ipc_counts": common.budget.counts,
        "grid": common.budget.grid,
        "repeats": request.repeats,
        "seed": common.seed,
        "preset": common.preset,
        "settings": common.settings,
        "augment": common.views.crop(common.budget.grid),
        "flip": common.views.flip,
        "cutout": common.views.cutout,
        "mix": common.views.mix,
        "format": common.style.format,
        "fit": common.style.fit,
        "scores": common.score.given.as_ref().map(|given| &given.hash),
        "score": {
            "runs": common.score.proxy.runs,
            "window": common.score.proxy.window,
            "when": common.score.proxy.pass,
        },
        "prune": { "fill": common.pruning.fill, "dedup": common.pruning.dedup },
    })
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::fault::{Fault, Faulty as _};
    use crate::pipeline::testing::{common, dataset};
    use crate::run::Silent;
    use crate::run::memory::{Memory, at_any_read};

    fn made(out: &Memory) -> Result<Report, PipelineError> {
        let methods = vec![Method::RANDOM, Method::PCA];
        let request = CompareRequest { common: common(), methods, repeats: 2, first_log: None };
        compare(&request, &dataset(), (out, false), &DeviceChoice::Cpu.into(), &Silent)
    }

    /// The parts of a report that do not depend on the clock.
    fn told(report: &Report) -> serde_json::Value {
        serde_json::json!([report.results, report.comparisons, report.options])
    }

    #[test]
    fn a_comparison_that_was_stopped_at_any_write_comes_to_the_same_numbers() {
        let whole = Memory::default();
        let expected = told(&made(&whole).expect("memory takes all"));
        let names = whole.names();
        assert_eq!(names.iter().filter(|name| name.starts_with("students/")).count(), 4);
        assert_eq!(names.iter().filter(|name| name.starts_with("training-logs/")).count(), 2);
        for writes in 1..names.len() {
            let out = Memory::failing_after(writes);
            let error = made(&out).expect_err("the disk is full");
            assert_eq!(error.fault(), Fault::Run, "{error}");
            let again = out.healed();
            assert_eq!(told(&made(&again).expect("there is room again")), expected, "after {writes} writes");
        }
    }

    #[test]
    fn a_comparison_whose_files_cannot_be_read_at_any_read_loses_none_of_them() {
        let whole = Memory::default();
        let expected = told(&made(&whole).expect("memory takes all"));
        let half = Memory::failing_after(whole.names().len() / 2);
        made(&half).expect_err("the disk is full");
        for begun in [half.healed(), whole.healed()] {
            at_any_read(&begun, made, |_, report| assert_eq!(told(report), expected));
        }
    }

    #[test]
    fn a_comparison_of_other_options_is_not_continued() {
        let out = Memory::default();
        made(&out).expect("memory takes all");
        let mut common = common();
        common.seed += 1;
        let request = CompareRequest { common, methods: vec![Method::RANDOM], repeats: 1, first_log: None };
        let error = compare(&request, &dataset(), (&out, false), &DeviceChoice::Cpu.into(), &Silent);
        let error = error.expect_err("another comparison");
        assert!(error.to_string().contains("other options or images"), "{error}");
    }
}
