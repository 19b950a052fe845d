//! The beginning of a run in its output, which may be new, that of an equal run that was stopped, or to be replaced.

use super::PipelineError;
use super::claim::{self, Holding, MANIFEST, RUN};
use super::intact::ensure_unchanged;
use crate::combine::{Difference, Manifest};
use crate::data::ContentHash;
use crate::run::{Observer, Storage};

const NOT_EMPTY: &str = "it is not empty";

/// Prepares an output, whose files are `holding`, for a run that `run` describes: an empty one is marked by that, and with `force`
/// the files of an earlier run are replaced. Returns `true` where the output is that of an equal run, which goes on. `bytes` are
/// those of [`ensure_room`](claim::ensure_room).
///
/// # Errors
/// [`PipelineError`] for an output that must not be touched or has no room. Nothing is deleted then.
pub fn begin_run(
    out: &dyn Storage,
    holding: &Holding,
    run: &serde_json::Value,
    force: bool,
    bytes: (u64, u64),
    observer: &dyn Observer,
) -> Result<bool, PipelineError> {
    out.claim()?;
    let mut why = NOT_EMPTY.to_owned();
    if !force && holding.marked {
        match out.read(RUN)?.map(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes)) {
            None => {}
            Some(Err(error)) => why = format!("its {RUN} cannot be read ({error})"),
            Some(Ok(earlier)) => match Difference::between(&earlier, run) {
                None => {
                    holding.ensure_clear(out)?;
                    observer.began();
                    observer.say(&format!("going on with what is in {}", out.shown("")));
                    return Ok(true);
                }
                Some(difference) => {
                    why =
                        format!("it holds a run of other options or images, as its {RUN} says: {difference}");
                }
            },
        }
    }
    let old = holding.to_replace(out, force, &why)?;
    if old.is_empty() {
        claim::ensure_room(out, bytes, observer)?;
    }
    claim::replace(out, old, (RUN, &serde_json::to_vec_pretty(run)?))?;
    observer.began();
    Ok(false)
}

/// Prepares an output for a set. A new one gets the draft of its manifest, so that a run that was stopped can be told from other
/// files. An output with an equal manifest is continued, and its manifest returned when its set was complete.
///
/// # Errors
/// [`PipelineError`] for an output that must not be touched, a set that was changed, and too little room. Nothing is deleted
/// then.
pub fn begin_set(
    out: &dyn Storage,
    draft: &Manifest,
    force: bool,
    bytes: (u64, u64),
    observer: &dyn Observer,
) -> Result<Option<Manifest>, PipelineError> {
    out.claim()?;
    let holding = Holding::of(out)?;
    let mut why = NOT_EMPTY.to_owned();
    if holding.marked {
        match out.read(MANIFEST)?.map(|bytes| Manifest::read(&bytes[..])) {
            None => {}
            Some(Err(error)) => why = format!("its {MANIFEST} cannot be read ({error})"),
            Some(Ok(earlier)) => match earlier.equal_options(draft) {
                Ok(()) if !force => return go_on(out, &holding, earlier, observer),
                Ok(()) => {}
                Err(difference) => {
                    why = format!("it holds another set, as its {MANIFEST} says: {difference}");
                }
            },
        }
    }
    let old = holding.to_replace(out, force, &why)?;
    if old.is_empty() {
        claim::ensure_room(out, bytes, observer)?;
    }
    claim::replace(out, old, (MANIFEST, draft.to_json().as_bytes()))?;
    observer.began();
    Ok(None)
}

/// Goes on with a set of the same options: what is there must be what was written, and nobody else's.
fn go_on(
    out: &dyn Storage,
    holding: &Holding,
    earlier: Manifest,
    observer: &dyn Observer,
) -> Result<Option<Manifest>, PipelineError> {
    holding.ensure_clear(out)?;
    observer.began();
    observer.say(&format!("going on with what is in {}", out.shown("")));
    if earlier.files.is_empty() {
        return Ok(None);
    }
    if !ensure_unchanged(out, &earlier)?.is_empty() {
        // The set is made again, and its card with it, which the user may have edited.
        for (name, hash) in earlier.files.iter().filter(|(name, _)| !name.contains('/')) {
            if out.read(name)?.is_some_and(|bytes| ContentHash::of(&bytes) != *hash) {
                return Err(PipelineError::Input(format!(
                    "{} was changed, and would be written again, because files of the set are missing: move it to another folder \
                     first",
                    out.shown(name)
                )));
            }
        }
    }
    Ok(Some(earlier))
}

/// Makes sure that an output is not one that must never be touched, before any work is done. Whether an earlier run in it is
/// continued or refused is known later. Nothing is made or deleted.
///
/// # Errors
/// [`PipelineError::Occupied`] and [`PipelineError::NotOurs`].
pub fn ensure_usable(out: &dyn Storage, force: bool) -> Result<(), PipelineError> {
    let holding = Holding::of(out)?;
    match holding.marked && !force {
        true => Ok(()),
        false => holding.to_replace(out, force, NOT_EMPTY).map(drop),
    }
}
