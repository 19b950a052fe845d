//! How a tree is laid out: where its classes and splits lie, as far as that is plain.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::names::{Named, Role, is_companion, is_container, is_portion, split_of};
use crate::data::DataError;

/// Folders of a tree that were taken for what, relative to the data folder; empty for the data folder itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Holds the class folders to learn from.
    pub train: String,
    /// Holds the class folders to measure on; `None` where there is no such folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    /// `true` where the images to measure on are those of a test split, as there is no other.
    #[serde(default)]
    pub val_is_test: bool,
    /// `true` where the splits lie within each class folder; `val` is then the name of that split.
    #[serde(default)]
    pub splits_in_classes: bool,
    /// Folders of images that are not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// Place of a file in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Train(&'a str),
    Val(&'a str),
    Out(String),
}

/// A way of reading a tree. Folders end with `/` or are empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    train: String,
    val: Option<String>,
    val_is_test: bool,
    /// In class folders: the role of each split's name.
    inner: BTreeMap<String, Role>,
    /// Folders that are left out, and why.
    out: BTreeMap<String, String>,
    /// What is worth telling the user, and what the user should check.
    pub(super) notes: Vec<String>,
    pub(super) guesses: Vec<String>,
}

/// Images in a folder of some level: directly, and in each of its folders.
#[derive(Debug, Default)]
struct Top<'a> {
    direct: usize,
    inner: BTreeMap<&'a str, usize>,
}

impl Top<'_> {
    fn is_nested(&self) -> bool {
        !self.inner.is_empty()
    }

    fn images(&self) -> usize {
        self.direct + self.inner.values().sum::<usize>()
    }
}

type Tops<'a> = BTreeMap<&'a str, Top<'a>>;

/// The folders with images in `base`.
fn tops<'a>(images: &'a [String], base: &str) -> Tops<'a> {
    let mut tops = Tops::new();
    for path in images.iter().filter_map(|path| path.strip_prefix(base)) {
        let Some((top, rest)) = path.split_once('/') else { continue };
        let top = tops.entry(top).or_default();
        match rest.split_once('/') {
            Some((inner, _)) => *top.inner.entry(inner).or_default() += 1,
            None => top.direct += 1,
        }
    }
    tops
}

/// Names for a message: the first few of many.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let all: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
    let more = all.len().saturating_sub(SHOWN);
    let shown = all[..all.len().min(SHOWN)].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

fn two_readings(tree: String, one: String, other: String) -> DataError {
    DataError::TwoReadings { tree, one, other }
}

impl Plan {
    /// The plan for the paths of all files that may be images. `empty` are folders without any file.
    ///
    /// # Errors
    /// [`DataError`] for a tree that can be read in two ways.
    pub(super) fn of(images: &[String], empty: &BTreeSet<String>) -> Result<Self, DataError> {
        let mut base = String::new();
        loop {
            let tops = tops(images, &base);
            let within = match tops.iter().next() {
                // One folder that holds everything is no class, as there would be no other.
                Some((name, top)) if tops.len() == 1 => {
                    let beside = empty.iter().filter_map(|path| path.strip_prefix(&base));
                    let beside = beside.filter(|path| !path.contains('/') && !path.is_empty());
                    // A folder beside it was perhaps meant for another class.
                    let alone = split_of(name).is_some() || is_container(name) || beside.count() == 0;
                    (top.is_nested() && alone && (top.direct == 0 || split_of(name).is_some()))
                        .then_some(*name)
                }
                _ => only_container(&tops),
            };
            let Some(within) = within else { return Self::at(images, base, &tops) };
            if tops.len() == 1
                && tops[within].direct > 0
                && !tops[within].inner.keys().any(|name| split_of(name).is_some())
            {
                return Ok(Self { train: format!("{base}{within}/"), ..Self::default() });
            }
            base = format!("{base}{within}/");
        }
    }

    /// The plan for a level with several folders, or none.
    fn at(images: &[String], base: String, tops: &Tops<'_>) -> Result<Self, DataError> {
        let named = splits(tops);
        let train: Vec<&str> = named
            .iter()
            .filter(|(name, role)| **role == Role::Train && tops[*name].is_nested())
            .map(|(name, _)| *name)
            .collect();
        match train[..] {
            [train] => Self::splits(images, &base, tops, &named, train),
            [] => Self::classes(images, base, tops, &named),
            [one, other, ..] => Err(two_readings(
                format!("{one}/ and {other}/ both look like the training split"),
                format!("{one}/ holds the images to learn from"),
                format!("{other}/ does; move the other out of the data folder"),
            )),
        }
    }

    /// `train/<class>/…` beside other splits.
    fn splits(
        images: &[String],
        base: &str,
        tops: &Tops<'_>,
        named: &BTreeMap<&str, Role>,
        train: &str,
    ) -> Result<Self, DataError> {
        let nested = |wanted: Role| -> Vec<&str> {
            let of_role = named.iter().filter(|(_, role)| **role == wanted).map(|(name, _)| *name);
            of_role.filter(|name| classes_within(images, base, name).is_some()).collect()
        };
        let flat = |wanted: Role| named.iter().find(|(_, role)| **role == wanted).map(|(name, _)| *name);
        let (vals, tests) = (nested(Role::Val), nested(Role::Test));
        let (val, val_is_test) = match (&vals[..], flat(Role::Val), &tests[..]) {
            ([val], ..) => (Some(*val), false),
            ([one, other, ..], ..) | ([], None, [one, other, ..]) => {
                return Err(two_readings(
                    format!("{one}/ and {other}/ both look like images to measure on"),
                    format!("{one}/ is measured on"),
                    format!("{other}/ is; move the other out of the data folder"),
                ));
            }
            ([], Some(val), _) => {
                return Err(DataError::FlatVal {
                    folder: format!("{base}{val}"),
                    images: tops[val].images(),
                });
            }
            ([], None, [test]) => (Some(*test), true),
            ([], None, []) => (None, false),
        };
        let mut plan = Self { val_is_test, ..Self::default() };
        let known = flat(Role::Val).or(flat(Role::Test)).is_some();
        let mut beside = Vec::new();
        for (&name, top) in tops.iter().filter(|(name, _)| **name != train && Some(**name) != val) {
            let splitlike = split_of(name).is_some() || is_companion(name);
            let alike = top.inner.keys().any(|inner| tops[train].inner.contains_key(inner));
            if named.contains_key(name) {
                let used = val.map_or_else(|| format!("{train}/"), |val| format!("{train}/ and {val}/"));
                let (which, are) = if val.is_some() { ("only ", "are") } else { ("only ", "is") };
                plan.out.insert(format!("{base}{name}/"), format!("in {name}/: {which}{used} {are} read"));
                if val.is_none() && matches!(named[name], Role::Val | Role::Test) {
                    plan.guesses.push(format!(
                        "{name}/ has no class folders, so its images are left out: nothing can be measured on that split"
                    ));
                } else {
                    plan.notes.push(format!("{base}{name}/ is left out: {used} are read"));
                }
            } else if splitlike || (top.direct == 0 && known) {
                let reason = match val {
                    Some(val) => format!("in {name}/, which is neither {train}/ nor {val}/"),
                    None => format!("in {name}/, which is not {train}/"),
                };
                plan.out.insert(format!("{base}{name}/"), reason);
                plan.guesses
                    .push(format!("{base}{name}/ is left out: it is no split to learn from or measure on"));
            } else if top.direct > 0 || alike || !known {
                beside.push(name.to_owned());
            }
        }
        if !beside.is_empty() {
            return Err(DataError::AmbiguousLayout { train: format!("{base}{train}"), folders: beside });
        }
        plan.train = classes_within(images, base, train).unwrap_or_else(|| format!("{base}{train}/"));
        plan.val = val.and_then(|val| classes_within(images, base, val));
        plan.say(val);
        plan.leave_masks_out(images);
        Ok(plan)
    }

    /// Tells what was taken for the splits, unless they have the usual names.
    fn say(&mut self, val: Option<&str>) {
        let Some(folder) = &self.val else {
            if !matches!(self.train.as_str(), "" | "train/") {
                self.notes.push(format!("{} is read as the training split", self.train));
            }
            return;
        };
        if self.val_is_test {
            self.guesses.push(format!(
                "{folder} is measured on, as there is no other split to measure on: choose no settings by its numbers, or \
                 name `val-fraction` to hold images of {} out instead",
                self.train
            ));
        } else if matches!((self.train.as_str(), val), ("train/", Some("valid" | "validation"))) {
            self.notes.push(format!("{folder} is read as the validation split"));
        } else if (self.train.as_str(), folder.as_str()) != ("train/", "val/") {
            self.guesses.push(format!(
                "{} is read as the training split, and {folder} as the validation split",
                self.train
            ));
        }
    }

    /// `<class>/…`, maybe beside splits of images to measure on, maybe with splits in the class folders.
    fn classes(
        images: &[String],
        base: String,
        tops: &Tops<'_>,
        named: &BTreeMap<&str, Role>,
    ) -> Result<Self, DataError> {
        let of_class =
            |name: &&&str| !named.contains_key(**name) && !is_companion(name) && !is_container(name);
        let plain: BTreeSet<&str> = tops.keys().filter(of_class).copied().collect();
        if !tops.is_empty() && plain.is_empty() {
            let folders = tops.keys().map(|name| format!("{base}{name}")).collect();
            return Err(if named.is_empty() {
                DataError::Unsorted { folders }
            } else {
                DataError::NoTrain { folders }
            });
        }
        let mut plan = Self { train: base.clone(), ..Self::default() };
        let held: Vec<&str> = named.keys().copied().filter(|name| named[name] != Role::Extra).collect();
        if let [only] = held[..]
            && named[only] == Role::Train
            && only.eq_ignore_ascii_case("train")
        {
            // As in CIFAR-100, where trains are a class. With class folders in it, it would have been a split.
            plan.notes.push(format!("'{only}' is read as a class, as it holds images beside other classes"));
        } else if !held.is_empty() {
            plan.root_and_splits(images, &base, tops, named, &plain)?;
        }
        plan.splits_in_classes(&base, tops)?;
        if plan.inner.is_empty() {
            refuse_versions(&base, tops, &plain)?;
            let deep = plain.iter().filter(|name| tops[**name].direct == 0 && tops[**name].inner.len() > 1);
            let deep: Vec<&str> = deep.copied().collect();
            if let Some(first) = deep.first().filter(|_| 2 * deep.len() > plain.len()) {
                plan.guesses.push(format!(
                    "the folders within a class folder belong to the class: {} are read as images of '{first}'; if they are \
                     the classes, give a folder that holds them directly",
                    listed(tops[*first].inner.keys().copied())
                ));
            }
        }
        if !matches!(base.as_str(), "" | "train/") {
            plan.notes.push(format!("the class folders are read from {base}, which holds all images"));
        }
        plan.leave_masks_out(images);
        Ok(plan)
    }

    /// Classes beside folders named as splits: plain where those hold the same classes.
    fn root_and_splits(
        &mut self,
        images: &[String],
        base: &str,
        tops: &Tops<'_>,
        named: &BTreeMap<&str, Role>,
        plain: &BTreeSet<&str>,
    ) -> Result<(), DataError> {
        let mut found: BTreeMap<Role, Vec<&str>> = BTreeMap::new();
        for (&name, &role) in named {
            let same = tops[name].direct == 0 && tops[name].inner.keys().all(|inner| plain.contains(inner));
            if role == Role::Train || !same {
                let within =
                    if tops[name].is_nested() { "with folders of its own" } else { "of unsorted images" };
                return Err(two_readings(
                    format!("'{name}' lies beside class folders such as {}", listed(plain.iter().copied())),
                    format!(
                        "it is a split {within}: move it out of the data folder, or the classes into train/"
                    ),
                    "it is a class: give its folder another name".to_owned(),
                ));
            }
            found.entry(role).or_default().push(name);
        }
        let mut order = found.get(&Role::Val).into_iter().chain(found.get(&Role::Test)).flatten();
        let Some(val) = order.next() else { return Ok(()) };
        self.val_is_test = named[val] == Role::Test;
        self.val = classes_within(images, base, val);
        for name in named.keys().filter(|name| *name != val) {
            self.out.insert(format!("{base}{name}/"), format!("in {name}/: measured on is {val}/"));
        }
        self.guesses.push(format!(
            "{base}{val}/ is read as the split to measure on, as it holds the same classes as lie beside it"
        ));
        Ok(())
    }

    /// `<class>/train/…`, `<class>/val/…`.
    fn splits_in_classes(&mut self, base: &str, tops: &Tops<'_>) -> Result<(), DataError> {
        let role =
            |inner: &str| split_of(inner).filter(|named| named.stem.is_empty()).map(|named| named.role);
        let measured =
            |top: &Top<'_>| top.inner.keys().any(|inner| matches!(role(inner), Some(Role::Val | Role::Test)));
        let of_classes = || tops.iter().filter(|(name, _)| self.val.is_none() || split_of(name).is_none());
        let Some((first, with)) = of_classes().find(|(_, top)| measured(top)) else { return Ok(()) };
        let inner = with.inner.keys().find(|inner| matches!(role(inner), Some(Role::Val | Role::Test)));
        let inner = inner.copied().unwrap_or_default();
        let plain = |top: &Top<'_>| {
            top.direct == 0
                && top.inner.keys().any(|inner| role(inner) == Some(Role::Train))
                && top.inner.keys().all(|inner| role(inner).is_some())
        };
        if let Some((other, _)) = of_classes().find(|(_, top)| !plain(top)) {
            return Err(two_readings(
                format!(
                    "'{first}/{inner}' looks like a split within a class, but '{other}' has no train/ and {inner}/ of this kind"
                ),
                format!("the classes hold their own splits: give each of them train/ and {inner}/"),
                format!("'{inner}' is a part of class '{first}': give its folder another name"),
            ));
        }
        self.inner = of_classes()
            .flat_map(|(_, top)| top.inner.keys())
            .filter_map(|inner| Some(((*inner).to_owned(), role(inner)?)))
            .collect();
        let has = |role| self.inner.values().any(|other| *other == role);
        self.val_is_test = !has(Role::Val);
        let val = if self.val_is_test { Role::Test } else { Role::Val };
        let name = self.inner.iter().find(|(_, role)| **role == val).map_or("", |(name, _)| name);
        self.guesses.push(format!(
            "the splits lie within the class folders ({base}{first}/{name}): {name}/ of each class is measured on"
        ));
        self.val = Some(name.to_owned());
        Ok(())
    }

    /// Leaves out masks and the like that lie beside the images of a class: `<class>/images`, `<class>/masks`.
    fn leave_masks_out(&mut self, images: &[String]) {
        let mut out = BTreeMap::new();
        for split in
            [Some(&self.train), self.val.as_ref().filter(|_| self.inner.is_empty())].into_iter().flatten()
        {
            for (class, top) in tops(images, split) {
                if self.out.contains_key(&format!("{split}{class}/"))
                    || !top.inner.keys().any(|inner| is_container(inner))
                {
                    continue;
                }
                for inner in top.inner.keys().filter(|inner| is_companion(inner)) {
                    out.insert(
                        format!("{split}{class}/{inner}/"),
                        format!("in {inner}/, which lies beside the images"),
                    );
                }
            }
        }
        if let Some(first) = out.keys().next() {
            self.guesses.push(format!(
                "{first} and folders of that name are left out: they lie beside those of the images"
            ));
        }
        self.out.extend(out);
    }

    /// The place of a file that may be an image.
    pub(super) fn place<'a>(&self, path: &'a str) -> Place<'a> {
        let ends = path.match_indices('/').map(|(at, _)| &path[..=at]);
        if let Some(reason) = ends.filter_map(|folder| self.out.get(folder)).next() {
            return Place::Out(reason.clone());
        }
        let class = |folder: &str| path.strip_prefix(folder)?.split_once('/');
        if !self.inner.is_empty() {
            let Some((class, rest)) = class(&self.train) else { return self.loose(path) };
            let inner = rest.split_once('/').map_or("", |(inner, _)| inner);
            let wanted = if self.val_is_test { Role::Test } else { Role::Val };
            return match self.inner.get(inner) {
                Some(Role::Train) => Place::Train(class),
                Some(role) if *role == wanted => Place::Val(class),
                _ => Place::Out(format!("in {inner}/ of its class, which is not used")),
            };
        }
        if let Some(val) = self.val.as_ref().filter(|val| path.starts_with(*val)) {
            return class(val).map_or_else(|| self.loose(path), |(class, _)| Place::Val(class));
        }
        class(&self.train).map_or_else(|| self.loose(path), |(class, _)| Place::Train(class))
    }

    /// A file that lies in no class folder.
    fn loose<'a>(&self, path: &str) -> Place<'a> {
        let folder = path.rfind('/').map_or("", |at| &path[..=at]);
        Place::Out(match (&self.val, folder) {
            (None, _) if self.train.is_empty() => "not in a class folder".to_owned(),
            (Some(_), "") if self.train.is_empty() => "not in a class folder".to_owned(),
            (Some(val), "") => format!("not in {} or {val}", self.train),
            (None, "") => format!("not in {}", self.train),
            (_, folder) => format!("directly in {folder}, not in a class folder"),
        })
    }

    /// The class folder that a folder without any file would be; `None` for another.
    pub(super) fn class_of<'a>(&self, folder: &'a str) -> Option<&'a str> {
        let val = self.val.as_ref().filter(|_| self.inner.is_empty());
        let of = |split: &String| {
            folder.strip_prefix(split.as_str()).filter(|rest| !rest.is_empty() && !rest.contains('/'))
        };
        val.and_then(of)
            .or_else(|| of(&self.train))
            .filter(|_| val.is_none_or(|val| val.trim_end_matches('/') != folder))
    }

    /// What was taken for what.
    pub(super) fn layout(&self) -> Layout {
        let bare = |folder: &String| folder.trim_end_matches('/').to_owned();
        Layout {
            train: bare(&self.train),
            val: self.val.as_ref().map(bare),
            val_is_test: self.val_is_test,
            splits_in_classes: !self.inner.is_empty(),
            left_out: self.out.keys().map(bare).collect(),
        }
    }
}

/// The folders that are splits by their names. A name with more in it than the split counts where another differs from it in the
/// split alone: `pets_train` beside `pets_test`.
fn splits<'a>(tops: &Tops<'a>) -> BTreeMap<&'a str, Role> {
    let named: Vec<(&str, Named)> = tops.keys().filter_map(|name| Some((*name, split_of(name)?))).collect();
    let paired =
        |own: &Named| named.iter().any(|(_, other)| other.stem == own.stem && other.role != own.role);
    let measured = |role: Role| role != Role::Extra;
    named
        .iter()
        .filter(|(_, own)| own.stem.is_empty() || (paired(own) && measured(own.role)))
        .filter(|(name, own)| measured(own.role) || tops.len() > 1 && !name.is_empty() && own.stem.is_empty())
        .filter(|(_, own)| measured(own.role) || named.iter().any(|(_, other)| other.role == Role::Train))
        .map(|(name, own)| (*name, own.role))
        .collect()
}

/// The folder of the images where everything beside it goes with them: `images/<class>` beside `annotations/`.
fn only_container<'a>(tops: &Tops<'a>) -> Option<&'a str> {
    let mut containers = tops.iter().filter(|(name, _)| is_container(name));
    let (name, top) = containers.next()?;
    let others = tops.keys().filter(|other| *other != name).all(|other| is_companion(other));
    (containers.next().is_none() && others && top.is_nested() && top.direct == 0).then_some(*name)
}

/// The folder within a split that holds its class folders: the split itself, or what it is wrapped in. `None` without class folders.
fn classes_within(images: &[String], base: &str, split: &str) -> Option<String> {
    let mut at = format!("{base}{split}/");
    loop {
        let tops = tops(images, &at);
        let wrapper = match tops.iter().next() {
            Some((name, top)) if tops.len() == 1 && (is_container(name) || split_of(name).is_some()) => {
                if !top.is_nested() {
                    return None;
                }
                Some(*name)
            }
            None => return None,
            _ => only_container(&tops),
        };
        let Some(wrapper) = wrapper else { return Some(at) };
        at = format!("{at}{wrapper}/");
    }
}

/// Refuses trees whose folders are several portions or versions of one set, or hold their siblings once more.
fn refuse_versions(base: &str, tops: &Tops<'_>, plain: &BTreeSet<&str>) -> Result<(), DataError> {
    let all = || plain.iter().map(|name| &tops[*name]);
    if plain.len() > 1 && plain.iter().all(|name| is_portion(name)) {
        return Err(two_readings(
            format!("{} look like portions of one set", listed(plain.iter().copied())),
            "they are: put their images together into one folder a class".to_owned(),
            "they are classes: give their folders other names".to_owned(),
        ));
    }
    let copy = plain.iter().find(|name| {
        tops[**name].direct == 0
            && tops[**name].inner.keys().filter(|inner| plain.contains(*inner)).count() > 1
    });
    if let Some(copy) = copy {
        return Err(two_readings(
            format!("{base}{copy}/ holds folders of the same names as those beside it"),
            format!("it is a second copy of the classes: move {copy}/ out of the data folder"),
            format!("it is a class of its own: put its images directly into {copy}/"),
        ));
    }
    let Some(first) = all().next().filter(|_| plain.len() > 1 && all().all(|top| top.direct == 0)) else {
        return Ok(());
    };
    let shared: Vec<&str> =
        first.inner.keys().copied().filter(|inner| all().all(|top| top.inner.contains_key(inner))).collect();
    let half = all().all(|top| top.inner.len() <= 2 * shared.len());
    if shared.len() > 1 && half && (shared.len() > 2 || shared.len() > plain.len()) {
        return Err(two_readings(
            format!(
                "{} hold folders of the same names ({})",
                listed(plain.iter().copied()),
                listed(shared.iter().copied())
            ),
            format!(
                "they are versions of one set, whose classes are the folders within them: give one, such as {base}{}",
                plain.first().copied().unwrap_or_default()
            ),
            "they are the classes: put the images of each directly into its folder".to_owned(),
        ));
    }
    Ok(())
}
