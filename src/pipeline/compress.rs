//! One compressed set: scored, pruned, combined, and measured if the request asks for that.
//!
//! Every stage writes its result whole or not at all, and a stage whose result is there is not done again. So a killed run
//! goes on where it stopped when the same request is made again.

use std::sync::Arc;

use super::begin::begin_set;
use super::evaluate::{self, Students, TrainingSet};
use super::prune::{self, Choice, Chooser};
use super::request::CompressRequest;
use super::score::{self, LOGS, Scored};
use super::set::{self, SetBuilder, SetFacts, Title};
use super::{Dataset, PipelineError, findings, pictures};
use crate::combine::{
    CompositeRecord, CostEstimate, DATA, METADATA, Manifest, SetSpec, ensure_records_fit, picked_sources,
    read_metadata, selection_hash, source_set_hash,
};
use crate::data::{ClassMap, ContentHash, CropFrom, Entry, ImageSet, Limits, Sample, decode};
use crate::evaluate::Method;
use crate::prune::Chosen;
use crate::report::words::{bytes, counted};
use crate::report::{Compressed, Cost, Gallery, Report};
use crate::run::{Devices, Keep, Kept, Observer, Storage, StorageError, Training};
use crate::score::{Metric, TrainingLog};

const SCORES: &str = "scores.csv";
const SELECTION: &str = "selection.csv";
/// File name of the proxies' training log.
const LOG: &str = "training-log.safetensors";
/// File name of the training log in earlier versions.
const EARLIER_LOG: &str = "training-log.bin";

/// Settings that do not affect the set, and settings that do not affect it where scores were made elsewhere.
const OF_STUDENTS: [&str; 1] = ["student"];
const OF_THE_PROXY: [&str; 7] =
    ["architecture", "width", "stem", "precision", "crop_from", "proxy", "proxy_min_scale"];

/// The work and memory of a request, before anything is read.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct DryRun {
    /// Cost of combining.
    pub plan: CostEstimate,
    /// Number of training steps of one proxy.
    pub proxy_steps: usize,
    /// Bytes of memory for the images.
    pub memory_bytes: u64,
}

impl CompressRequest {
    /// The spec of the set.
    pub fn spec(&self, classes: &ClassMap) -> SetSpec {
        let common = &self.common;
        let (budget, side) = (common.budget, common.settings.image_size as u32);
        let spec = set::spec(classes, budget.grid, budget.ipc, side, common.style);
        SetSpec { seed: common.seed, ipc_counts: budget.counts, ..spec }
    }

    /// Checks everything that can be checked once a folder's files are listed but not read: `train` and `val` are its images.
    ///
    /// # Errors
    /// [`PipelineError`] for an invalid budget, and for a class with too few images.
    pub fn check(&self, classes: &ClassMap, train: &[Entry], val: &[Entry]) -> Result<DryRun, PipelineError> {
        let spec = self.spec(classes);
        let plan = CostEstimate::new(&spec)?;
        if self.common.score.given.is_none() {
            score::ensure_window(&self.common.settings, &self.common.score.proxy, train.len())?;
        }
        let unread = |entry: &Entry| Sample {
            path: entry.path.clone(),
            class: entry.class,
            hash: ContentHash([0; 32]),
        };
        let unread: Vec<Sample> = train.iter().map(unread).collect();
        self.ensure_enough(&unread, classes)?;
        let images = (train.len() + val.len()) as u64;
        let proxy_steps = self.common.settings.proxy.steps(train.len());
        Ok(DryRun { plan, proxy_steps, memory_bytes: ImageSet::bytes_of(images, spec.side) })
    }

    /// `true` where the request needs a device. It needs none where scores were made elsewhere and no students are trained.
    pub fn needs_device(&self) -> bool {
        self.common.score.given.is_none() || self.students.is_some()
    }

    /// `true` where files of images are kept, if anything is, and no pixels: a proxy's views are cut out of the images themselves.
    pub fn needs_files(&self) -> bool {
        self.common.score.given.is_none() && self.common.settings.crop_from == CropFrom::Image
    }

    /// Checks, before anything is replaced, that there is memory for all that is trained.
    fn ensure_memory(
        &self,
        data: &Dataset,
        devices: Option<&Devices>,
        observer: &dyn Observer,
    ) -> Result<(), PipelineError> {
        let common = &self.common;
        let Some(devices) = devices else { return Ok(()) };
        if common.score.given.is_none() {
            let proxies = score::proxies(data, &common.settings, &common.score.proxy);
            proxies.training(common.score.proxy.runs.get()).ensure_fits(devices.is_cpu(), observer)?;
        }
        if let Some(students) = self.students {
            let training = Training {
                model: &common.settings.model(data.classes.len()),
                config: &common.settings.student,
                images: data.classes.len() * common.budget.per_class()?.0 as usize,
                networks: students.get(),
                logged: false,
            };
            training.ensure_fits(devices.is_cpu(), observer)?;
        }
        Ok(())
    }

    fn ensure_enough(&self, samples: &[Sample], classes: &ClassMap) -> Result<(), PipelineError> {
        let per_class = self.common.budget.per_class()?.1 as usize;
        prune::ensure_enough(samples, classes, per_class, self.rule, self.common.pruning.fill)
    }

    /// The options that a manifest compares to tell whether a run is the same: everything but paths, threads and how students
    /// are trained, which do not change the set.
    fn options(&self) -> serde_json::Value {
        let common = &self.common;
        let given = common.score.given.as_ref();
        let mut settings = serde_json::json!(common.settings);
        if let Some(fields) = settings.as_object_mut() {
            let unused = OF_STUDENTS.iter().chain(OF_THE_PROXY.iter().filter(|_| given.is_some()));
            unused.for_each(|name| drop(fields.remove(*name)));
        }
        serde_json::json!({
            "command": "compress",
            "preset": common.preset,
            "settings": settings,
            "val_fraction": self.val_fraction,
            "on_error": self.on_error,
            "score": {
                "file": given.map(|given| &given.hash),
                "runs": common.score.proxy.runs,
                "window": common.score.proxy.window,
                "when": common.score.proxy.pass,
            },
            "prune": {
                "rule": self.rule,
                "fill": common.pruning.fill,
                "dedup": common.pruning.dedup,
            },
        })
    }
}

/// Makes the set of a request in `out`, and the report. A run that was stopped goes on from its results in `out`; with
/// `force` anything else there is replaced. `devices` is needed where [`CompressRequest::needs_device`] is `true`.
///
/// # Errors
/// [`PipelineError`]. Errors that can be found early are found before anything is replaced.
pub fn compress(
    request: &CompressRequest,
    data: &Dataset,
    (out, force): (&dyn Storage, bool),
    devices: Option<&Devices>,
    observer: &dyn Observer,
) -> Result<Report, PipelineError> {
    let enough = request.ensure_enough(&data.train.samples, &data.classes);
    let measurable = if request.students.is_some() { data.ensure_measurable() } else { Ok(()) };
    enough.and(measurable).map_err(|error| data.explain(error, out))?;
    score::ensure_scorable(&request.common, data)?;
    if request.students.is_some() {
        let common = &request.common;
        common.views.augmentation(common.views.crop(common.budget.grid))?;
    }
    request.ensure_memory(data, devices, observer)?;
    let mut run = Compress { request, data, out, devices, observer, warnings: Vec::new() };
    let facts = SetFacts {
        options: request.options(),
        min_scale: Some(request.common.settings.min_scale),
        source_bytes: data.train.bytes,
    };
    let draft = set::draft(request.spec(&data.classes), facts, &data.train.samples);
    let finished = begin_set(out, &draft, force, run.bytes()?, observer)?;
    run.warnings = data.write_lists(out, observer)?;
    if !request.common.pruning.dedup {
        run.warnings.extend(data.warn_of_shared(observer));
    }
    if let Some(text) = data.unmeasured().filter(|_| request.students.is_some()) {
        observer.warn(&text);
        run.warnings.push(text);
    }
    let scored = run.score()?;
    run.warnings.extend(score::warn(&scored.report, data, observer));
    let begun = observer.seconds();
    let chosen = run.choose(&scored)?;
    let (manifest, records) = run.combine(&chosen, scored.table.metric, draft, finished)?;
    let combine_seconds = observer.seconds() - begun;
    run.report(&chosen, scored, &manifest, &records, combine_seconds)
}

/// A run of `compress`.
struct Compress<'a> {
    request: &'a CompressRequest,
    data: &'a Dataset,
    out: &'a dyn Storage,
    devices: Option<&'a Devices>,
    observer: &'a dyn Observer,
    warnings: Vec<String>,
}

impl Compress<'_> {
    /// Bytes that the run writes: those that are sure, and those for photographs.
    fn bytes(&self) -> Result<(u64, u64), PipelineError> {
        let common = &self.request.common;
        let log = match common.score.given {
            Some(_) => 0,
            None => score::log_bytes(&common.settings, self.data),
        };
        let composites = CostEstimate::new(&self.request.spec(&self.data.classes))?.estimated_bytes;
        Ok((log, log + composites))
    }

    /// The scores: those of an earlier run that was stopped, or new ones. The random rule does not need them; they are made
    /// all the same, so that the user can see the scores of the images that were not taken.
    fn score(&self) -> Result<Scored, PipelineError> {
        let (out, common) = (self.out, &self.request.common);
        let (proxy, seed) = (&common.score.proxy, common.seed);
        // A set of another kind would have another manifest; its proxies are those of these options and images.
        let of = serde_json::json!([self.request.options(), source_set_hash(&self.data.train.samples)]);
        let files = Kept::new(out, LOGS, ContentHash::of(of.to_string().as_bytes()));
        let keep = Keep { files, every: common.save_every };
        if let Some(table) = out.read(SCORES)? {
            score::forget(proxy, seed, keep)?;
            let changed = |name: &str| {
                let file = out.shown(name);
                move |why| {
                    PipelineError::Input(format!(
                        "{file} was changed since it was written ({why}): delete it, and it is made again"
                    ))
                }
            };
            let scored = Scored::read_csv(&table[..]).map_err(changed(SCORES))?;
            let log = read_log(out)?;
            self.ensure_same_scores(&table, log.as_deref())?;
            self.observer.say(&format!("scores: those of {}", out.shown(SCORES)));
            return Ok(match log {
                Some(log) => scored.with_log(&log).map_err(changed(LOG))?,
                None => scored,
            });
        }
        let scored = match &common.score.given {
            Some(given) => given.scored.clone(),
            None => {
                let devices =
                    self.devices.ok_or_else(|| PipelineError::Usage("a proxy needs a device".to_owned()))?;
                score::score(
                    self.data,
                    &common.settings,
                    proxy,
                    seed,
                    (Some(keep), None),
                    devices,
                    self.observer,
                )?
            }
        };
        if let Some(log) = &scored.log {
            out.write(LOG, log)?;
        }
        let mut table = Vec::new();
        scored.table.write_csv(&mut table)?;
        out.write(SCORES, &table)?;
        score::forget(proxy, seed, keep)?;
        Ok(scored)
    }

    /// Makes sure that a table of an earlier run is what its log, or the table that was given, comes to.
    fn ensure_same_scores(&self, table: &[u8], log: Option<&[u8]>) -> Result<(), PipelineError> {
        let common = &self.request.common;
        let expected = match (&common.score.given, log) {
            (Some(given), _) => given.scored.clone(),
            (None, Some(log)) => {
                let log = TrainingLog::from_bytes(log)
                    .map_err(|why| PipelineError::Input(format!("{}: {why}", self.out.shown(LOG))))?;
                Scored::from_logs(self.data, common.score.proxy.window.as_deref(), &[log], common.seed, 0.0)?
            }
            // Without its log nothing can tell.
            (None, None) => return Ok(()),
        };
        let mut text = Vec::new();
        expected.table.write_csv(&mut text)?;
        if text == table {
            return Ok(());
        }
        Err(PipelineError::Input(format!(
            "{} was changed since it was written: delete it, and it is made again; to use other scores, name their file by \
             `scores`",
            self.out.shown(SCORES)
        )))
    }

    /// Chooses the images and writes the list of them.
    fn choose(&mut self, scored: &Scored) -> Result<Chosen, PipelineError> {
        let (data, common, rule) = (self.data, &self.request.common, self.request.rule);
        let scores = scored.table.join(&data.train.samples, &data.classes)?;
        let copies = prune::copies(data);
        let (composites, per_class) = common.budget.per_class()?;
        let choice = Choice {
            rule,
            per_class: per_class as usize,
            composites: composites as usize,
            scores: Some(&scores),
            suspects: &scored.suspects,
            seed: common.seed,
        };
        let chosen = prune::choose(data, copies, common.pruning, &choice)?;
        let chooser = Chooser { name: format!("`rule` {rule}"), reported: true };
        self.warnings.extend(prune::warn(&chosen, &chooser, common.pruning, self.observer));
        let mut table = Vec::new();
        chosen.selection.write_csv(&data.train.samples, &data.classes, &mut table)?;
        self.out.write(SELECTION, &table)?;
        Ok(chosen)
    }

    /// Makes the composites and the files that describe them, unless an earlier run has made the same.
    fn combine(
        &self,
        chosen: &Chosen,
        metric: Metric,
        mut manifest: Manifest,
        finished: Option<Manifest>,
    ) -> Result<(Manifest, Vec<CompositeRecord>), PipelineError> {
        let (data, out) = (self.data, self.out);
        let picks = picked_sources(&chosen.selection, &data.train.samples, &data.classes);
        let same = |earlier: &Manifest| {
            earlier.hashes.selection == selection_hash(&picks)
                && earlier.files.keys().all(|file| out.has(file))
        };
        let records = match finished.filter(same) {
            Some(earlier) => {
                manifest = earlier;
                let records = self.records()?;
                ensure_records_fit(&records, &manifest.spec)?;
                records
            }
            None => {
                let builder = SetBuilder::new(manifest.spec.clone(), self.request.common.style.fit, picks)?;
                let selection = self.request.rule.in_words(metric);
                let title = Title { name: &data.name, selection: &selection };
                let draft = (&mut manifest, data.train.samples.len());
                builder.publish(out, &*data.originals, draft, title, self.observer)?
            }
        };
        self.observer.say(&format!(
            "{} ({}) became {} ({}): {}",
            counted(manifest.counts.source, "image", "images"),
            bytes(manifest.bytes.source),
            counted(manifest.counts.composites, "composite", "composites"),
            bytes(manifest.bytes.out),
            out.shown(DATA)
        ));
        Ok((manifest, records))
    }

    /// The records of an existing set.
    fn records(&self) -> Result<Vec<CompositeRecord>, PipelineError> {
        let name = format!("{DATA}/{METADATA}");
        let file = self.out.read(&name)?;
        let file = file.ok_or_else(|| {
            PipelineError::Input(format!("{} cannot be read: it is not there", self.out.shown(&name)))
        })?;
        Ok(read_metadata(&file[..])?)
    }

    /// The report, with the results of students if the request asks for any.
    fn report(
        self,
        chosen: &Chosen,
        scored: Scored,
        manifest: &Manifest,
        records: &[CompositeRecord],
        combine_seconds: f64,
    ) -> Result<Report, PipelineError> {
        let Self { request, data, out, observer, .. } = self;
        let common = &request.common;
        let mut options = manifest.options.clone();
        if request.students.is_some() {
            options["settings"] = serde_json::json!(common.settings);
        }
        let mut report = Report::new(data.summary(), options);
        report.compressed = Some(compressed(manifest, records));
        report.findings = findings::findings(&chosen.findings, data);
        report.gallery = Gallery {
            classes: pictures::ends_of_classes(data, &scored.table),
            composites: pictures::composites(out, records),
        };
        report.cost = Cost {
            score_seconds: Some(scored.report.seconds),
            combine_seconds: Some(combine_seconds),
            train_seconds: None,
            loading: Some(data.loading),
            score_seconds_spent: scored.spending,
            ..Cost::default()
        };
        let metric = scored.table.metric;
        let kept: Vec<f64> = chosen.selection.picks.iter().filter_map(|pick| pick.score).collect();
        let mut scoring = scored.report;
        scoring.histogram = scoring.histogram.map(|histogram| histogram.with_kept(&kept));
        report.scoring = Some(scoring);
        if let (Some(devices), Some(students)) = (self.devices, request.students) {
            let begun = observer.seconds();
            let set = TrainingSet {
                name: Method::of(request.rule, manifest.spec.grid).name_by(metric),
                images: Arc::new(read_set(out, records, manifest)?),
                grid: manifest.spec.grid,
                bytes: manifest.bytes.out,
            };
            let (settings, views) = (&common.settings, &common.views);
            let keep = Some((out, common.save_every));
            let training =
                Students { settings, views, seed: common.seed, students, keep_student: false, keep };
            let (trained, spent) = evaluate::train(&training, data, &set, devices, observer)?;
            let result = evaluate::result(settings, views, data, &set, trained);
            report.cost.train_seconds = Some(observer.seconds() - begun);
            [report.cost.train_seconds_spent, report.cost.measure_seconds_spent] = spent.map(Some);
            report.set_results(result.into_iter().collect());
        }
        report.warnings = self.warnings;
        Ok(report)
    }
}

fn compressed(manifest: &Manifest, records: &[CompositeRecord]) -> Compressed {
    Compressed {
        ipc: (manifest.counts.composites / manifest.counts.classes.max(1)) as u32,
        grid: manifest.spec.grid,
        image_size: manifest.spec.side,
        images: manifest.counts.composites as usize,
        tiles: records.iter().map(|record| record.tiles.len()).sum(),
        bytes: manifest.bytes.out,
    }
}

/// Training log of a compressed set, as bytes; `None` where there is none.
///
/// # Errors
/// [`StorageError`] when it cannot be read.
pub fn read_log(out: &dyn Storage) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(match out.read(LOG)? {
        Some(log) => Some(log),
        None => out.read(EARLIER_LOG)?,
    })
}

/// The stored composites as a training set.
fn read_set(
    out: &dyn Storage,
    records: &[CompositeRecord],
    manifest: &Manifest,
) -> Result<ImageSet, PipelineError> {
    let mut set = ImageSet::with_capacity(manifest.spec.side, records.len());
    for record in records {
        let name = format!("{DATA}/{}", record.file_name);
        let bytes = out.read(&name)?;
        let bytes = bytes.ok_or_else(|| PipelineError::Input(format!("{} is gone", out.shown(&name))))?;
        set.push(&decode(&bytes, &Limits::default())?, record.label)?;
    }
    Ok(set)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::data::OnError;
    use crate::device::{DeviceChoice, Precision};
    use crate::fault::{Fault, Faulty as _};
    use crate::pipeline::claim::MANIFEST;
    use crate::pipeline::testing::{common, dataset};
    use crate::prune::Rule;
    use crate::run::memory::{Memory, at_any_read};
    use crate::run::{Silent, open};

    fn request() -> CompressRequest {
        CompressRequest {
            common: common(),
            rule: Rule::Easy,
            students: None,
            val_fraction: 0.2,
            on_error: OnError::Skip,
        }
    }

    fn made(out: &Memory) -> Result<Report, PipelineError> {
        let devices = open(DeviceChoice::Cpu, Precision::Full, &Silent).expect("the CPU opens").into();
        compress(&request(), &dataset(), (out, false), Some(&devices), &Silent)
    }

    #[test]
    fn a_run_whose_disk_is_full_at_any_write_ends_with_the_same_files_when_it_goes_on() {
        let whole = Memory::default();
        made(&whole).expect("memory takes all");
        let names = whole.names();
        for expected in ["data/metadata.jsonl", MANIFEST, SCORES, SELECTION, LOG] {
            assert!(names.contains(&expected.to_owned()), "{names:?}");
        }
        for writes in 1.. {
            let out = Memory::failing_after(writes);
            let Err(error) = made(&out) else {
                assert!(writes >= names.len(), "{writes} writes were all");
                break;
            };
            assert_eq!(error.fault(), Fault::Run, "{error}");
            let again = out.healed();
            made(&again).expect("there is room again");
            assert_eq!(*again.files.lock().unwrap(), *whole.files.lock().unwrap(), "after {writes} writes");
        }
    }

    #[test]
    fn a_run_whose_files_cannot_be_read_at_any_read_loses_none_of_them() {
        let whole = Memory::default();
        made(&whole).expect("memory takes all");
        let half = Memory::failing_after(whole.names().len() / 2);
        made(&half).expect_err("the disk is full");
        for begun in [half.healed(), whole.healed()] {
            at_any_read(&begun, made, |again, _| {
                assert_eq!(*again.files.lock().unwrap(), *whole.files.lock().unwrap());
            });
        }
    }

    #[test]
    fn what_lies_in_the_way_is_left_alone_unless_it_is_to_be_replaced() {
        let out = Memory::default();
        out.write("holiday.txt", b"sun").expect("memory takes all");
        let error = made(&out).expect_err("something is there");
        assert!(matches!(error, PipelineError::NotOurs { .. }), "{error}");
        assert_eq!((error.fault(), out.names()), (Fault::Data, vec!["holiday.txt".to_owned()]));
    }

    #[test]
    fn a_class_that_is_too_small_is_named_before_anything_is_read() {
        let mut request = request();
        request.common.budget.ipc = 9;
        let data = dataset();
        let entries = |part: &crate::pipeline::Split| -> Vec<Entry> {
            let entry = |sample: &Sample| Entry { path: sample.path.clone(), class: sample.class };
            part.samples.iter().map(entry).collect()
        };
        let error = request.check(&data.classes, &entries(&data.train), &[]).expect_err("36 of 12 images");
        assert!(error.to_string().contains("'left'"), "{error}");
        request.common.budget.ipc = 3;
        let cost =
            request.check(&data.classes, &entries(&data.train), &entries(&data.val)).expect("12 of 12");
        assert_eq!((cost.plan.composites, cost.proxy_steps), (6, 2));
        assert_eq!(cost.memory_bytes, 36 * 16 * 16 * 3);
    }
}
