//! The way of a reader who follows a command: its first function, then every function it calls, in the order in which the
//! calls are written, each function once.
//!
//! Calls by path are resolved exactly. A method counts where one type alone has a method of that name and it is none of the
//! standard library's everyday ones; a call through a trait leads to the trait, not to who implements it. The way goes through the
//! surfaces, `pipeline`, `run` and `fs`: what they call below is the work itself, which is not followed and not counted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context as _, Result};
use syn::visit::{self, Visit};

use super::folder;
use super::source::{Crate, absolute};

/// Modules whose functions are read to the end.
const FOLLOWED: &[&str] = &["cli", "web", "fs", "pipeline", "run"];

/// Names that the standard library's types share with ours.
const EVERYDAY: &[&str] = &[
    "new", "len", "is_empty", "push", "get", "iter", "map", "join", "find", "name", "load", "store", "max",
    "min", "all", "sum", "write", "read", "open", "add", "begin", "finish", "run", "parse", "clone", "next",
    "extend", "insert", "contains", "as_str", "path", "exists", "display", "of", "has", "warn", "say",
    "stage",
];

/// The files of a way, in the order in which they are entered.
pub(crate) struct Way {
    /// `(from, to, function)` of every call that changes the file.
    entered: Vec<(String, String, String)>,
    /// Least number of calls from the first function to one in this file.
    depth: BTreeMap<String, usize>,
}

impl Way {
    /// Different files on the way.
    pub(crate) fn files(&self) -> usize {
        self.depth.len()
    }

    /// Calls into a file that stands nearer to the first function than the caller's file.
    pub(crate) fn climbs(&self) -> usize {
        self.entered.iter().filter(|(from, to, _)| self.depth[to] < self.depth[from]).count()
    }

    /// Entries into a file that was entered and left before.
    pub(crate) fn returns(&self) -> usize {
        let mut seen = BTreeSet::new();
        self.entered.iter().filter(|(_, to, _)| !seen.insert(to)).count()
    }

    /// Prints a line for each entry.
    pub(crate) fn print(&self) {
        let mut seen = BTreeSet::new();
        for (from, to, function) in &self.entered {
            let climbs = if self.depth[to] < self.depth[from] { " (climb)" } else { "" };
            let returns = if seen.insert(to) { "" } else { " (return)" };
            println!("  {from} -> {to} {function}{climbs}{returns}");
        }
    }
}

/// A function by its file and its name, `Type::name` of a method.
type Function = (String, String);

/// Follows the calls from a function on.
///
/// # Errors
/// When there is no such function.
pub(crate) fn way(crate_: &Crate, start: &str) -> Result<Way> {
    let bodies = Bodies::of(crate_);
    let path: Vec<String> = start.split("::").map(str::to_owned).collect();
    let (file, rest) = crate_.resolve(&path).with_context(|| format!("there is no module of {start}"))?;
    let first: Function = (file.to_owned(), rest.join("::"));
    bodies.calls.get(&first).with_context(|| format!("there is no function {start}"))?;
    let depth = bodies.depths(&first);
    let mut reader =
        Reader { bodies: &bodies, read: BTreeSet::new(), at: first.0.clone(), entered: Vec::new() };
    reader.follow(&first);
    let on_the_way: BTreeSet<&String> =
        reader.entered.iter().map(|(_, to, _)| to).chain([&first.0]).collect();
    let depth = depth.into_iter().filter(|(file, _)| on_the_way.contains(file)).collect();
    Ok(Way { entered: reader.entered, depth })
}

struct Reader<'a> {
    bodies: &'a Bodies,
    read: BTreeSet<Function>,
    /// The file that the reader has open.
    at: String,
    entered: Vec<(String, String, String)>,
}

impl Reader<'_> {
    fn follow(&mut self, function: &Function) {
        let Some(calls) = self.bodies.calls.get(function).filter(|_| self.read.insert(function.clone()))
        else {
            return;
        };
        for called in calls {
            if self.read.contains(called) || !FOLLOWED.contains(&folder(&called.0)) {
                continue;
            }
            if called.0 != self.at {
                self.entered.push((function.0.clone(), called.0.clone(), called.1.clone()));
                self.at.clone_from(&called.0);
            }
            self.follow(called);
            // Back to where the call stands: no return of the count, as the reader has the caller's page open.
            self.at.clone_from(&function.0);
        }
    }
}

/// The calls of every function, in the order in which they are written.
struct Bodies {
    calls: BTreeMap<Function, Vec<Function>>,
}

impl Bodies {
    fn of(crate_: &Crate) -> Self {
        let mut found: Vec<(Function, &syn::Block)> = Vec::new();
        for (name, file) in &crate_.files {
            for item in &file.tree.items {
                match item {
                    syn::Item::Fn(of) => found.push(((name.clone(), of.sig.ident.to_string()), &of.block)),
                    syn::Item::Impl(of) => {
                        // A call through a trait leads to the trait.
                        if of.trait_.is_some() {
                            continue;
                        }
                        let syn::Type::Path(own) = &*of.self_ty else { continue };
                        let Some(own) = own.path.segments.last() else { continue };
                        for item in &of.items {
                            if let syn::ImplItem::Fn(method) = item {
                                let full = format!("{}::{}", own.ident, method.sig.ident);
                                found.push(((name.clone(), full), &method.block));
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        let mut methods: BTreeMap<String, Vec<Function>> = BTreeMap::new();
        for (function, _) in &found {
            if let Some((_, method)) = function.1.split_once("::") {
                methods.entry(method.to_owned()).or_default().push(function.clone());
            }
        }
        let known: BTreeSet<Function> = found.iter().map(|(function, _)| function.clone()).collect();
        let calls = found.iter().map(|(function, block)| {
            let mut calls = Calls { crate_, function, known: &known, methods: &methods, found: Vec::new() };
            calls.visit_block(block);
            (function.clone(), calls.found)
        });
        Self { calls: calls.collect() }
    }

    /// Least number of calls from a function to one of each file.
    fn depths(&self, first: &Function) -> BTreeMap<String, usize> {
        let mut depth = BTreeMap::from([(first.0.clone(), 0)]);
        let (mut queue, mut seen) = (VecDeque::from([(first.clone(), 0)]), BTreeSet::new());
        while let Some((function, calls)) = queue.pop_front() {
            if !seen.insert(function.clone()) {
                continue;
            }
            depth.entry(function.0.clone()).or_insert(calls);
            if FOLLOWED.contains(&folder(&function.0)) {
                for called in self.calls.get(&function).into_iter().flatten() {
                    let further = if called.0 == function.0 { calls } else { calls + 1 };
                    queue.push_back((called.clone(), further));
                }
            }
        }
        depth
    }
}

struct Calls<'a> {
    crate_: &'a Crate,
    function: &'a Function,
    known: &'a BTreeSet<Function>,
    methods: &'a BTreeMap<String, Vec<Function>>,
    found: Vec<Function>,
}

impl Calls<'_> {
    fn path(&self, path: &syn::Path) -> Option<Function> {
        let file = &self.crate_.files[&self.function.0];
        let mut parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts[0] == "Self" {
            parts[0] = self.function.1.split_once("::")?.0.to_owned();
        }
        let whole = match file.imports.get(&parts[0]) {
            Some(target) => target.iter().cloned().chain(parts[1..].iter().cloned()).collect(),
            None => parts,
        };
        let (file, rest) = self.crate_.resolve(&absolute(&file.module, &whole)?)?;
        let function = (file.to_owned(), rest.join("::"));
        self.known.contains(&function).then_some(function)
    }
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        // A function that is called, or given to one that calls it.
        self.found.extend(self.path(&path.path));
        visit::visit_expr_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        // The receiver and the arguments are read before the method.
        visit::visit_expr_method_call(self, call);
        let name = call.method.to_string();
        if !EVERYDAY.contains(&name.as_str())
            && let Some([only]) = self.methods.get(&name).map(Vec::as_slice)
        {
            self.found.push(only.clone());
        }
    }
}
