//! The crate's files as syntax trees, and the names that each defines.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use syn::visit::{self, Visit};

/// The modules of a crate.
pub(crate) struct Crate {
    /// Files by their path below `src`, `/` between its parts.
    pub(crate) files: BTreeMap<String, File>,
    /// File of each module, by the module's path (`combine::grid`); the root is the empty path.
    modules: BTreeMap<String, String>,
}

/// One file of the crate.
pub(crate) struct File {
    /// Its module's path.
    pub(crate) module: String,
    /// Its syntax tree, without what is there for tests only.
    pub(crate) tree: syn::File,
    /// Modules that it declares.
    pub(crate) children: Vec<String>,
    /// Names that `use` declarations bring in, by the name used here, with the path they stand for.
    pub(crate) imports: BTreeMap<String, Vec<String>>,
}

impl Crate {
    /// Reads every Rust file below `src` that is not for tests alone.
    pub(crate) fn read(src: &Path) -> Result<Self> {
        let mut crate_ = Self { files: BTreeMap::new(), modules: BTreeMap::new() };
        let root = src.join("lib.rs");
        crate_.add(src, &root, "lib.rs", String::new())?;
        Ok(crate_)
    }

    fn add(&mut self, src: &Path, path: &Path, name: &str, module: String) -> Result<()> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut tree = syn::parse_file(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        strip_tests(&mut tree.items);
        let children: Vec<String> = tree
            .items
            .iter()
            .filter_map(|item| match item {
                syn::Item::Mod(of) if of.content.is_none() => Some(of.ident.to_string()),
                _ => None,
            })
            .collect();
        let mut uses = Uses::default();
        uses.visit_file(&tree);
        self.modules.insert(module.clone(), name.to_owned());
        self.files.insert(
            name.to_owned(),
            File { module: module.clone(), tree, children: children.clone(), imports: uses.0 },
        );
        // Children of `a/mod.rs` and of the root lie beside it, those of `a.rs` in the folder `a`.
        let stem = name.trim_end_matches(".rs");
        let folder = match stem.rsplit_once('/') {
            _ if stem == "lib" => String::new(),
            Some((folder, "mod")) => format!("{folder}/"),
            _ => format!("{stem}/"),
        };
        for child in children {
            let module = if module.is_empty() { child.clone() } else { format!("{module}::{child}") };
            let candidates = [format!("{folder}{child}.rs"), format!("{folder}{child}/mod.rs")];
            let Some(file) = candidates.into_iter().find(|file| src.join(file).is_file()) else { continue };
            if !self.files.contains_key(&file) {
                self.add(src, &src.join(&file), &file, module)?;
            }
        }
        Ok(())
    }

    /// The file that defines what an absolute path (without `crate`) names, and what is left of the path in it. A name that
    /// is re-exported counts for the file that it comes from.
    pub(crate) fn resolve(&self, path: &[String]) -> Option<(&str, Vec<String>)> {
        self.resolve_within(path, 0)
    }

    fn resolve_within(&self, path: &[String], depth: usize) -> Option<(&str, Vec<String>)> {
        let module = |length: usize| self.modules.get(&path[..length].join("::"));
        let length = (0..=path.len()).rev().find(|&length| module(length).is_some())?;
        let file = module(length)?;
        let rest = &path[length..];
        if let Some(name) = rest.first().filter(|_| depth < 8)
            && let Some(target) = self.files[file].imports.get(name)
            && !self.files[file].defines(name)
            && let Some(absolute) = absolute(&self.files[file].module, target)
            && absolute != path
        {
            let further: Vec<String> = absolute.into_iter().chain(rest[1..].iter().cloned()).collect();
            if let Some(found) = self.resolve_within(&further, depth + 1) {
                return Some(found);
            }
        }
        Some((file, rest.to_vec()))
    }
}

impl File {
    /// Whether a name is an item of this file.
    fn defines(&self, name: &str) -> bool {
        self.tree.items.iter().any(|item| {
            let ident = match item {
                syn::Item::Fn(of) => &of.sig.ident,
                syn::Item::Struct(of) => &of.ident,
                syn::Item::Enum(of) => &of.ident,
                syn::Item::Trait(of) => &of.ident,
                syn::Item::Type(of) => &of.ident,
                syn::Item::Const(of) => &of.ident,
                syn::Item::Static(of) => &of.ident,
                syn::Item::Mod(of) => &of.ident,
                _ => return false,
            };
            ident == name
        })
    }
}

/// A path as seen from the crate's root; `None` of other crates.
pub(crate) fn absolute(module: &str, path: &[String]) -> Option<Vec<String>> {
    let own = || module.split("::").filter(|part| !part.is_empty()).map(str::to_owned);
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some(own().chain(path[1..].iter().cloned()).collect()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let parents: Vec<String> = own().collect();
            let kept = parents.len().checked_sub(ups)?;
            Some(parents[..kept].iter().cloned().chain(path[ups..].iter().cloned()).collect())
        }
        // A sibling or child by its bare name, as `pub use grid::Grid` has it.
        _ => Some(own().chain(path.iter().cloned()).collect()),
    }
}

/// Whether attributes say that an item is there for tests.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        if attribute.path().is_ident("test") {
            return true;
        }
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let text = list.tokens.to_string();
        list.path.is_ident("cfg")
            && (text == "test" || text.starts_with("all (test") || text.starts_with("all(test"))
    })
}

fn strip_tests(items: &mut Vec<syn::Item>) {
    items.retain(|item| {
        let attributes = match item {
            syn::Item::Fn(of) => &of.attrs,
            syn::Item::Mod(of) => &of.attrs,
            syn::Item::Use(of) => &of.attrs,
            syn::Item::Impl(of) => &of.attrs,
            syn::Item::Struct(of) => &of.attrs,
            syn::Item::Const(of) => &of.attrs,
            _ => return true,
        };
        !is_test(attributes)
    });
    for item in items {
        if let syn::Item::Mod(of) = item
            && let Some((_, inner)) = &mut of.content
        {
            strip_tests(inner);
        }
    }
}

/// Collects `use` declarations.
#[derive(Default)]
struct Uses(BTreeMap<String, Vec<String>>);

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, of: &'ast syn::ItemUse) {
        self.tree(Vec::new(), &of.tree);
        visit::visit_item_use(self, of);
    }
}

impl Uses {
    fn tree(&mut self, mut before: Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(of) => {
                before.push(of.ident.to_string());
                self.tree(before, &of.tree);
            }
            syn::UseTree::Name(of) if of.ident == "self" => {
                if let Some(name) = before.last().cloned() {
                    self.0.insert(name, before);
                }
            }
            syn::UseTree::Name(of) => {
                before.push(of.ident.to_string());
                self.0.insert(of.ident.to_string(), before);
            }
            syn::UseTree::Rename(of) => {
                if of.ident != "self" {
                    before.push(of.ident.to_string());
                }
                // `as _` brings a trait in and no name.
                self.0.insert(format!("{} {}", of.rename, before.join("::")), before.clone());
                self.0.insert(of.rename.to_string(), before);
            }
            syn::UseTree::Group(of) => of.items.iter().for_each(|tree| self.tree(before.clone(), tree)),
            syn::UseTree::Glob(_) => {
                self.0.insert(format!("* {}", before.join("::")), before);
            }
        }
    }
}
