//! Which file names which, and the circles in that.

use std::collections::BTreeSet;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use syn::visit::{self, Visit};

use super::source::{Crate, File, absolute};
use super::{Names, folder};

/// One file that names another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// The imports of a crate.
pub(crate) struct Graph(BTreeSet<Edge>);

impl Graph {
    /// The graph of all paths that code outside of tests names.
    pub(crate) fn of(crate_: &Crate) -> Self {
        let mut edges = BTreeSet::new();
        for (name, file) in &crate_.files {
            let mut paths = Paths { found: Vec::new(), file };
            paths.visit_file(&file.tree);
            let imported = file.imports.values().cloned();
            for path in paths.found.into_iter().chain(imported) {
                let Some(path) = absolute(&file.module, &path) else { continue };
                let Some((to, _)) = crate_.resolve(&path) else { continue };
                if to != name && !is_parent_of_children(crate_, name, to) {
                    edges.insert(Edge { from: name.clone(), to: to.to_owned() });
                }
            }
        }
        Self(edges)
    }

    /// All of them.
    pub(crate) fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.0.iter()
    }

    /// Files by the files that name them.
    pub(crate) fn between_files(&self) -> Names {
        let mut names = Names::new();
        for Edge { from, to } in &self.0 {
            names.entry(from.clone()).or_default().insert(to.clone());
        }
        names
    }

    /// Top-level modules by the top-level modules that they name.
    pub(crate) fn between_folders(&self) -> Names {
        let mut names = Names::new();
        for Edge { from, to } in &self.0 {
            let (from, to) = (folder(from), folder(to));
            if from != to && from != "lib" && to != "lib" {
                names.entry(from.to_owned()).or_default().insert(to.to_owned());
            }
        }
        names
    }
}

/// Whether an edge is only a module that re-exports its child.
fn is_parent_of_children(crate_: &Crate, from: &str, to: &str) -> bool {
    let file = &crate_.files[from];
    let child = &crate_.files[to].module;
    let parent = &file.module;
    let below = parent.is_empty() || child.starts_with(&format!("{parent}::"));
    below && !uses_itself(file, child.rsplit("::").next().unwrap_or(child))
}

/// Whether a file does more with a child than to declare and re-export it: it holds functions or types of its own that name it.
fn uses_itself(file: &File, child: &str) -> bool {
    let mut paths = Paths { found: Vec::new(), file };
    for item in &file.tree.items {
        if !matches!(item, syn::Item::Use(_) | syn::Item::Mod(_)) {
            paths.visit_item(item);
        }
    }
    paths.found.iter().any(|path| path.iter().any(|part| part == child))
}

/// Paths in expressions, types, patterns and traits, whose first part is a module or an imported name.
struct Paths<'a> {
    found: Vec<Vec<String>>,
    file: &'a File,
}

impl Paths<'_> {
    /// Notes a path that begins with an imported name or a child of this file.
    fn local(&mut self, parts: Vec<String>) {
        let Some(first) = parts.first() else { return };
        if let Some(target) = self.file.imports.get(first) {
            self.found.push(target.iter().cloned().chain(parts[1..].iter().cloned()).collect());
        } else if parts.len() > 1 && self.file.children.contains(first) {
            self.found.push(parts);
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        match parts.first().map(String::as_str) {
            Some("crate" | "super" | "self") if parts.len() > 1 => self.found.push(parts),
            _ => self.local(parts),
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(in crate::cli)` names a module and needs nothing of it.
    }

    fn visit_macro(&mut self, of: &'ast syn::Macro) {
        // The tokens of a macro such as `html!` are no expressions for syn; their paths are read as words.
        let text = of.tokens.to_string().replace(" :: ", "::");
        let words = text.split(|character: char| !character.is_alphanumeric() && !"_:".contains(character));
        for word in words.filter(|word| !word.is_empty()) {
            let parts: Vec<String> = word.split("::").map(str::to_owned).collect();
            match parts[0].as_str() {
                "crate" | "super" | "self" if parts.len() > 1 => self.found.push(parts),
                _ => self.local(parts),
            }
        }
        visit::visit_macro(self, of);
    }
}

/// Strongly connected components of more than one member, each in byte order.
pub(crate) fn circles(names: &Names) -> Vec<Vec<String>> {
    let edges = names.iter().flat_map(|(from, to)| to.iter().map(move |to| (from.as_str(), to.as_str())));
    let mut found: Vec<Vec<String>> = tarjan_scc(&DiGraphMap::<&str, ()>::from_edges(edges))
        .into_iter()
        .filter(|component| component.len() > 1)
        .map(|mut component| {
            component.sort_unstable();
            component.into_iter().map(str::to_owned).collect()
        })
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Names {
        let mut names = Names::new();
        for (from, to) in edges {
            names.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        names
    }

    #[test]
    fn a_circle_is_found_whatever_hangs_on_it() {
        assert_eq!(circles(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), Vec::<Vec<String>>::new());
        let found = circles(&graph(&[
            ("x", "a"),
            ("a", "b"),
            ("b", "c"),
            ("c", "a"),
            ("c", "d"),
            ("e", "f"),
            ("f", "e"),
        ]));
        assert_eq!(found, [vec!["a", "b", "c"], vec!["e", "f"]]);
    }
}
