//! `cargo xtask wasm`: the npm packages of wasm-pack.toml.
//!
//! cargo → wasm-bindgen (as a library, so that no tool's version has to match) → wasm-opt → package.json,
//! written beside the last build and put in its place in one rename.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use wasm_bindgen_cli_support::Bindgen;

use crate::browser;
use crate::process;
use crate::toolchain::{TARGET, WasmToolchain};
use crate::workspace::Workspace;

const MANIFEST: &str = "wasm-pack.toml";
/// The stem of the files in a package, as wasm-pack would name them.
const STEM: &str = "tilepress";
/// What the compiler may emit for today's wasm32-unknown-unknown, plus our `+simd128`.
const WASM_FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];
/// The first wasm-opt that knows all of [`WASM_FEATURES`].
const OLDEST_WASM_OPT: u32 = 120;

/// Options of `cargo xtask wasm`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// For development: keep function names, do without wasm-opt and the size budget.
    #[arg(long)]
    pub(crate) dev: bool,
    /// The kind of JavaScript module, instead of what the manifest says.
    #[arg(long)]
    target: Option<Target>,
    /// Build only this package of the manifest; may be given more than once.
    #[arg(long = "only", value_name = "NAME")]
    only: Vec<String>,
}

/// A kind of JavaScript module; the names are wasm-pack's.
#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Target {
    Web,
    Bundler,
    Nodejs,
    Deno,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    build: BTreeMap<String, Build>,
    pub(crate) page: Page,
}

/// What is asked of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Page {
    /// The most that a first visit may load, after `gzip -9`.
    pub(crate) budget_gzip: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Build {
    description: String,
    package: String,
    features: Vec<String>,
    profile: String,
    target: Target,
    out: PathBuf,
    wasm_opt: Vec<String>,
    budget_gzip: usize,
    /// The package's own README.
    readme: PathBuf,
    /// Whether it is built only when `--only` names it.
    #[serde(default)]
    on_request: bool,
}

/// Builds the packages.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::load()?;
    let manifest = read_manifest(&workspace.root)?;
    for name in &options.only {
        ensure!(
            manifest.build.contains_key(name),
            "{MANIFEST} has no [build.{name}]; it has {}",
            manifest.build.keys().cloned().collect::<Vec<_>>().join(", ")
        );
    }
    let toolchain = WasmToolchain::find(&workspace)?;
    let wasm_opt = if options.dev { None } else { find_wasm_opt(&workspace.root) };

    let mut too_big = Vec::new();
    for (name, build) in &manifest.build {
        let wanted = if options.only.is_empty() { !build.on_request } else { options.only.contains(name) };
        if !wanted {
            continue;
        }
        process::heading(&format!("{} ({})", build.out.display(), build.features.join(", ")));
        let module = compile(&workspace, &toolchain, build)?;
        let gzipped = package(&workspace, build, options, &module, wasm_opt.as_deref())
            .with_context(|| format!("cannot make {}", build.out.display()))?;
        if !options.dev && gzipped > build.budget_gzip {
            too_big.push(format!("{name}: {gzipped} bytes of at most {}", build.budget_gzip));
        }
    }
    if !too_big.is_empty() {
        bail!(
            "above the size budget of {MANIFEST} ({}). Make it smaller, or raise the budget there{}",
            too_big.join("; "),
            if wasm_opt.is_some() { "" } else { ". wasm-opt was not there to help: see the note above" }
        );
    }
    Ok(())
}

pub(crate) fn read_manifest(root: &Path) -> Result<Manifest> {
    let path = root.join(MANIFEST);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
}

/// The packages that lie where the manifest has them, with the features that each was built with.
pub(crate) fn built(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let manifest = read_manifest(root)?;
    let folders = manifest.build.values().map(|build| (root.join(&build.out), build.features.join(",")));
    Ok(folders.filter(|(folder, _)| folder.join("package.json").is_file()).collect())
}

/// Runs cargo and returns the wasm file it made.
fn compile(workspace: &Workspace, toolchain: &WasmToolchain, build: &Build) -> Result<PathBuf> {
    let mut command = toolchain.cargo_rustc();
    command
        // Added to the flags of .cargo/config.toml.
        .args(["--config", &format!("target.{TARGET}.rustflags = {:?}", toolchain.remapped(&workspace.root))])
        .args(["--package", "tilepress", "--lib", "--no-default-features"])
        .args(["--profile", &build.profile, "--features", &build.features.join(",")])
        .arg("--message-format=json-render-diagnostics")
        // wasm-bindgen reads from custom sections what the module may use, and takes the names out itself.
        .args(["--", "-Cstrip=none"])
        .current_dir(&workspace.root);
    let mut module = None;
    let status = process::run_quietly(&mut command, |line| module = wasm_of(line).or(module.take()))?;
    ensure!(status.success(), "cargo ended with {status}");
    module.context("cargo named no .wasm file among its artefacts")
}

/// The wasm file in one of cargo's JSON messages, if it is the message about our library.
fn wasm_of(message: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        target: Named,
        filenames: Vec<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let message: Message = serde_json::from_str(message).ok()?;
    (message.reason == "compiler-artifact" && message.target.name == "tilepress").then_some(())?;
    message.filenames.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

/// Writes the package and returns the gzipped size of its wasm file.
fn package(
    workspace: &Workspace,
    build: &Build,
    options: &Options,
    module: &Path,
    wasm_opt: Option<&Path>,
) -> Result<usize> {
    let out = workspace.root.join(&build.out);
    let parent = out.parent().context("the out folder has no parent")?;
    fs::create_dir_all(parent)?;
    let staging = tempfile::Builder::new().prefix(".building-").tempdir_in(parent)?;
    let folder = staging.path();

    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .out_name(STEM)
        .typescript(true)
        // Without it `init()` would need to be told where the module lies.
        .omit_default_module_path(false)
        .remove_name_section(!options.dev)
        .remove_producers_section(!options.dev);
    match options.target.unwrap_or(build.target) {
        Target::Web => bindgen.web(true)?,
        Target::Bundler => bindgen.bundler(true)?,
        Target::Nodejs => bindgen.nodejs(true)?,
        Target::Deno => bindgen.deno(true)?,
    };
    bindgen.generate(folder).context("wasm-bindgen failed")?;

    let wasm = folder.join(format!("{STEM}_bg.wasm"));
    if let Some(wasm_opt) = wasm_opt {
        let optimised = folder.join("optimised.wasm");
        let mut command = Command::new(wasm_opt);
        command.arg(&wasm).arg("-o").arg(&optimised).args(&build.wasm_opt).args(WASM_FEATURES);
        process::run(&mut command)?;
        fs::rename(&optimised, &wasm)?;
    }
    for (from, to) in [
        (Path::new("LICENSE-MIT"), "LICENSE-MIT"),
        (Path::new("LICENSE-APACHE"), "LICENSE-APACHE"),
        (build.readme.as_path(), "README.md"),
    ] {
        fs::copy(workspace.root.join(from), folder.join(to))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let target = options.target.unwrap_or(build.target);
    write_package_json(workspace, build, target, folder)?;

    let bytes = fs::read(&wasm)?;
    let gzipped = gzipped_len(&bytes)?;
    println!(
        "{}: {:.2} MB, {:.2} MB gzipped (budget {:.2} MB)",
        build.out.join(format!("{STEM}_bg.wasm")).display(),
        megabytes(bytes.len()),
        megabytes(gzipped),
        megabytes(build.budget_gzip),
    );
    put_in_place(staging, &out)?;
    Ok(gzipped)
}

fn write_package_json(workspace: &Workspace, build: &Build, target: Target, folder: &Path) -> Result<()> {
    let mut files: Vec<String> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    files.sort();
    let types = format!("./{STEM}.d.ts");
    let module = format!("./{STEM}.js");
    let wasm = format!("./{STEM}_bg.wasm");
    // wasm-bindgen's modules for Node are CommonJS.
    let kind = if matches!(target, Target::Nodejs) { "commonjs" } else { "module" };
    let description = serde_json::json!({
        "name": build.package,
        "version": workspace.version,
        "description": build.description,
        "license": "MIT OR Apache-2.0",
        "keywords": ["dataset", "compression", "pruning", "distillation", "webgpu", "wasm"],
        "type": kind,
        "main": module,
        "types": types,
        // The order matters: whoever reads this takes the first that fits. The module itself is there for
        // places that cannot fetch it, such as Node.
        "exports": {
            ".": { "types": types, "default": module },
            wasm.as_str(): wasm,
            "./package.json": "./package.json",
        },
        "files": files,
        "sideEffects": [module, "./snippets/*"],
    });
    fs::write(folder.join("package.json"), format!("{description:#}\n"))?;
    Ok(())
}

/// Moves a finished folder to where the last build is; no reader ever finds half a package.
fn put_in_place(staging: tempfile::TempDir, out: &Path) -> Result<()> {
    let parent = out.parent().context("the out folder has no parent")?;
    let aside = tempfile::Builder::new().prefix(".replaced-").tempdir_in(parent)?;
    if out.exists() {
        fs::rename(out, aside.path().join("last"))?;
    }
    fs::rename(staging.keep(), out)
        .with_context(|| format!("cannot put the package at {}", out.display()))?;
    make_readable(out)
}

/// Temporary folders belong to their user alone; a package is for everyone.
fn make_readable(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    let _ = folder;
    Ok(())
}

/// wasm-opt, from PATH or from the development dependencies of www/.
fn find_wasm_opt(root: &Path) -> Option<PathBuf> {
    let in_modules = || {
        browser::install_modules(root).map_err(|error| println!("note: {error:#}")).ok()?;
        let path = root.join("www/node_modules/.bin/wasm-opt");
        path.exists().then_some(path)
    };
    let found = process::find("wasm-opt").filter(|path| is_recent(path)).or_else(in_modules);
    if found.is_none() {
        println!(
            "note: no wasm-opt {OLDEST_WASM_OPT} or newer, so the packages stay larger than they need be; \
             it comes with binaryen, or with `npm ci` in www/"
        );
    }
    found
}

fn is_recent(wasm_opt: &Path) -> bool {
    let printed = process::probe(wasm_opt, &["--version"]).unwrap_or_default();
    printed.split(' ').find_map(|word| word.parse::<u32>().ok()) >= Some(OLDEST_WASM_OPT)
}

pub(crate) fn gzipped_len(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[expect(clippy::cast_precision_loss, reason = "two digits are printed")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Workspace::load().unwrap().root
    }

    #[test]
    fn the_manifest_says_on_its_first_line_whose_it_is() {
        let text = fs::read_to_string(root().join(MANIFEST)).unwrap();
        let first = text.lines().next().unwrap();
        assert!(first.starts_with('#') && first.contains("cargo xtask wasm"), "{first}");
    }

    #[test]
    fn the_edge_package_has_no_training_engine() {
        let manifest = read_manifest(&root()).unwrap();
        assert_eq!(manifest.build["edge"].features, ["web"]);
        assert!(manifest.build["web"].features.iter().any(|feature| feature == "wgpu"));
    }

    #[test]
    fn every_package_has_a_readme_of_its_own_that_names_it() {
        let manifest = read_manifest(&root()).unwrap();
        for build in manifest.build.values() {
            let text = fs::read_to_string(root().join(&build.readme)).unwrap();
            assert!(text.starts_with("# tilepress"), "{}", build.readme.display());
            assert_ne!(build.readme, Path::new("README.md"));
        }
    }

    #[test]
    fn a_package_exports_its_module_its_types_and_its_wasm() {
        let (folder, workspace) = (tempfile::tempdir().unwrap(), Workspace::load().unwrap());
        let manifest = read_manifest(&workspace.root).unwrap();
        write_package_json(&workspace, &manifest.build["edge"], Target::Web, folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join("package.json")).unwrap();
        let package: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(package["name"], "tilepress-edge");
        assert_eq!(package["type"], "module");
        assert_eq!(package["exports"]["."]["types"], "./tilepress.d.ts");
        assert_eq!(package["exports"]["./tilepress_bg.wasm"], "./tilepress_bg.wasm");
        assert_eq!(package["license"], "MIT OR Apache-2.0");
    }

    #[test]
    fn cargos_message_about_another_crate_is_passed_over() {
        let message = |name: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"filenames":["/t/lib.rlib","/t/x.wasm"]}}"#
            )
        };
        assert_eq!(wasm_of(&message("tilepress")), Some(PathBuf::from("/t/x.wasm")));
        assert_eq!(wasm_of(&message("burn")), None);
        assert_eq!(wasm_of(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn a_package_replaces_the_last_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("web");
        for text in ["first", "second"] {
            let staging = tempfile::tempdir_in(folder.path()).unwrap();
            fs::write(staging.path().join(text), text).unwrap();
            put_in_place(staging, &out).unwrap();
            let names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, [text]);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the package");
    }
}
