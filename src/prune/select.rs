//! Choosing the images of each class.

use std::cmp::{Ordering, Reverse};

use super::{Fill, Pick, PruneError, Rule, Selection};
use crate::data::{ClassMap, Sample};
use crate::random::Purpose;
use crate::score::{keys, path_places};

/// Request to choose images: from which, how many, by which rule.
#[derive(Clone, Copy, Debug)]
pub struct PruneRequest<'a> {
    /// All images.
    pub samples: &'a [Sample],
    /// The classes.
    pub classes: &'a ClassMap,
    /// The score of each image, lower is easier. The rule `random` needs none.
    pub scores: Option<&'a [f64]>,
    /// Images to keep of each class: IPC × tiles of a composite.
    pub per_class: usize,
    /// Composites that the images of a class are laid into, which decides how a small class is filled:
    /// an image of rank `r` comes into composite `r % composites`. `per_class` for whole images.
    pub composites: usize,
    /// Rule for the images that are kept.
    pub rule: Rule,
    /// Remedy for a class that is too small.
    pub fill: Fill,
    /// Seed of the random rule and of the order of equal scores.
    pub seed: u64,
    /// `true` for each image that must not be chosen; empty where all may be.
    pub leave_out: &'a [bool],
}

/// All images, from the one the rule would keep first to the last, across classes.
///
/// Equal scores are ordered by a key drawn for the image's place in the byte order of the paths, so
/// neither the order of the samples nor the sorting algorithm matters. `hard` is `easy` reversed;
/// `window` orders as `easy` does.
///
/// # Errors
/// [`PruneError::Length`], [`PruneError::NoScores`], and [`PruneError::Score`] for a score that is not
/// finite.
pub fn preference(request: &PruneRequest) -> Result<Vec<u32>, PruneError> {
    let samples = request.samples;
    if let Some(scores) = request.scores {
        if scores.len() != samples.len() {
            let (given, samples) = (scores.len(), samples.len());
            return Err(PruneError::Length { what: "scores", given, samples });
        }
        if let Some(bad) = scores.iter().position(|score| !score.is_finite()) {
            return Err(PruneError::Score { path: samples[bad].path.clone(), score: scores[bad] });
        }
    }
    let places = path_places(samples.iter().map(|sample| sample.path.as_str()));
    let mut order: Vec<u32> = (0..samples.len() as u32).collect();
    if request.rule == Rule::Random {
        let keys = keys(request.seed, Purpose::RandomRule, &places);
        order.sort_unstable_by(|&a, &b| of_keys(&keys, &places, a as usize, b as usize));
        return Ok(order);
    }
    let scores = request.scores.ok_or(PruneError::NoScores(request.rule.name()))?;
    let keys = keys(request.seed, Purpose::Tie, &places);
    order.sort_unstable_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        // Adding 0 makes -0 and 0 the same score.
        let by_score = (scores[a] + 0.0).total_cmp(&(scores[b] + 0.0));
        by_score.then_with(|| of_keys(&keys, &places, a, b))
    });
    if request.rule == Rule::Hard {
        order.reverse();
    }
    Ok(order)
}

/// The order of two images of equal scores.
///
/// A call, not repeated in every comparison of the sorts (`combine::manifest`).
#[inline(never)]
fn of_keys(keys: &[u64], places: &[u32], a: usize, b: usize) -> Ordering {
    keys[a].cmp(&keys[b]).then(places[a].cmp(&places[b]))
}

/// Chooses `per_class` images of every class.
///
/// # Errors
/// The errors of [`preference`]; [`PruneError::TooSmall`] when a class has too few images (with
/// [`Fill::Cycle`] only when it has none); [`PruneError::Nothing`], [`PruneError::WindowStart`].
///
/// # Panics
/// When a sample's class is not in `classes`.
pub fn select(request: &PruneRequest) -> Result<Selection, PruneError> {
    if request.per_class == 0 {
        return Err(PruneError::Nothing);
    }
    if let Rule::Window { start } = request.rule
        && !(0.0..1.0).contains(&start)
    {
        return Err(PruneError::WindowStart(start));
    }
    let left_out = request.leave_out;
    if !left_out.is_empty() && left_out.len() != request.samples.len() {
        let (given, samples) = (left_out.len(), request.samples.len());
        return Err(PruneError::Length { what: "marks of what to leave out", given, samples });
    }

    let mut candidates: Vec<Vec<u32>> = vec![Vec::new(); request.classes.len()];
    let mut missed = vec![0usize; request.classes.len()];
    for i in preference(request)? {
        let class = request.samples[i as usize].class as usize;
        if left_out.get(i as usize).copied().unwrap_or(false) {
            missed[class] += 1;
        } else {
            candidates[class].push(i);
        }
    }
    let mut skipped = Vec::with_capacity(candidates.len());
    for class in &mut candidates {
        let skips = request.rule.skips(class.len());
        class.drain(..skips);
        skipped.push(skips);
    }
    let needs = match request.fill {
        Fill::Error => request.per_class,
        Fill::Cycle => 1,
    };
    let small: Vec<usize> = (0..candidates.len()).filter(|&class| candidates[class].len() < needs).collect();
    if let Some(&class) = small.iter().min_by_key(|&&class| (candidates[class].len(), Reverse(missed[class])))
    {
        return Err(PruneError::TooSmall {
            class: request.classes.name(class as u32).to_owned(),
            has: candidates[class].len(),
            needs: request.per_class,
            skipped: skipped[class],
            left_out: missed[class],
            others: small.len() - 1,
        });
    }

    let composites = request.composites;
    let picks = candidates.iter().enumerate().flat_map(|(class, order)| {
        (0..request.per_class).map(move |rank| {
            let sample = order[place_of(rank, order.len(), composites)];
            Pick {
                sample,
                class: class as u32,
                rank: rank as u32,
                score: request.scores.map(|scores| scores[sample as usize]),
                repeat: (rank / order.len()) as u32,
            }
        })
    });
    Ok(Selection { picks: picks.collect() })
}

/// Place, counted from the image that the rule prefers, of the one among a class's `images` that gets `rank` of a selection for
/// this number of composites.
///
/// Images that are used again come in the same order. A composite takes every `composites`-th rank, and meets its own
/// images again after lcm(images, composites) ranks; from there on all are shifted by one. So its tiles differ while the
/// class has other images, and all images are used equally often, or once more.
fn place_of(rank: usize, images: usize, composites: usize) -> usize {
    let (mut a, mut b) = (images, composites.max(1));
    while b > 0 {
        (a, b) = (b, a % b);
    }
    let round = images / a * composites.max(1);
    (rank + rank / round) % images
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::data::ContentHash;

    fn folder(labels: &[u32], classes: u32) -> (Vec<Sample>, ClassMap) {
        let map = ClassMap::new((0..classes).map(|class| format!("class{class}")));
        let sample = |(i, &class): (usize, &u32)| {
            let path = format!("train/class{class}/{i:04}.png");
            Sample { hash: ContentHash::of(path.as_bytes()), path, class }
        };
        (labels.iter().enumerate().map(sample).collect(), map)
    }

    fn request<'a>(
        samples: &'a [Sample],
        classes: &'a ClassMap,
        scores: &'a [f64],
        rule: Rule,
    ) -> PruneRequest<'a> {
        PruneRequest {
            samples,
            classes,
            scores: Some(scores),
            per_class: 3,
            composites: 3,
            rule,
            fill: Fill::Error,
            seed: 1,
            leave_out: &[],
        }
    }

    fn chosen(selection: &Selection) -> Vec<u32> {
        selection.picks.iter().map(|pick| pick.sample).collect()
    }

    #[test]
    fn the_picks_are_those_of_numpy_argsort() {
        #[derive(Deserialize)]
        struct Golden {
            labels: Vec<u32>,
            scores: Vec<f64>,
            per_class: usize,
            start: f64,
            expected: std::collections::BTreeMap<String, Vec<u32>>,
        }
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/selection.json"))
            .expect("the golden file parses");
        let (samples, classes) = folder(&golden.labels, 3);
        assert_eq!(golden.expected.len(), 3);
        for (name, expected) in &golden.expected {
            let rule = name.parse::<Rule>().expect("a rule").with_window_start(golden.start);
            let request = PruneRequest {
                per_class: golden.per_class,
                ..request(&samples, &classes, &golden.scores, rule)
            };
            let selection = select(&request).expect("classes are large enough");
            assert_eq!(&chosen(&selection), expected, "{name}");
            for pick in &selection.picks {
                assert_eq!(pick.class, golden.labels[pick.sample as usize]);
                assert_eq!(pick.score, Some(golden.scores[pick.sample as usize]));
            }
        }
    }

    #[test]
    fn a_small_class_is_an_error_that_names_it_and_the_remedies() {
        let (samples, classes) = folder(&[0, 0, 0, 0, 1, 1, 2], 3);
        let scores = [0.0; 7];
        let mut asked = request(&samples, &classes, &scores, Rule::Easy);
        let message = select(&asked).expect_err("two classes are too small").to_string();
        let expected = "class 'class2' has 1 image to choose from and needs 3; \
                        one other class is too small as well. \
                        Lower `ipc`, take a smaller `grid`, or re-use images with `fill` cycle";
        assert_eq!(message, expected);

        asked.per_class = 1;
        assert_eq!(select(&asked).expect("one of each").picks.len(), 3);
        let leave_out = [false, false, false, false, false, false, true];
        asked.leave_out = &leave_out;
        asked.fill = Fill::Cycle;
        let message = select(&asked).expect_err("nothing is left of class 2").to_string();
        assert!(message.contains("'class2' has 0 images"), "{message}");
        assert!(message.contains("(1 image left out by `dedup`)") && !message.contains("cycle"), "{message}");

        asked = request(&samples[..4], &classes, &scores[..4], Rule::Window { start: 0.5 });
        let one = ClassMap::new(["class0".to_owned()]);
        asked.classes = &one;
        let message = select(&asked).expect_err("half is skipped").to_string();
        assert!(
            message.contains("has 2 images") && message.contains("(2 images skipped by `window-start`)"),
            "{message}"
        );
    }

    #[test]
    fn cycling_uses_the_first_in_rank_again_and_says_so() {
        let (samples, classes) = folder(&[0, 0, 1, 1, 1, 1, 1], 2);
        let scores = [0.4, 0.1, 5.0, 4.0, 3.0, 2.0, 1.0];
        let asked = PruneRequest {
            per_class: 5,
            fill: Fill::Cycle,
            ..request(&samples, &classes, &scores, Rule::Easy)
        };
        let selection = select(&asked).expect("no class is empty");
        assert_eq!(chosen(&selection), [1, 0, 1, 0, 1, 6, 5, 4, 3, 2]);
        let repeats = Vec::from_iter(selection.picks.iter().map(|pick| pick.repeat));
        assert_eq!(repeats, [0, 0, 1, 1, 2, 0, 0, 0, 0, 0]);
        assert_eq!(selection.repeated(), 3);
    }

    #[test]
    fn a_class_of_four_fills_every_composite_with_its_four_images() {
        let (samples, classes) = folder(&[0; 4], 1);
        let scores = [0.0, 1.0, 2.0, 3.0];
        let asked = PruneRequest {
            per_class: 32,
            composites: 8,
            fill: Fill::Cycle,
            ..request(&samples, &classes, &scores, Rule::Easy)
        };
        let all = chosen(&select(&asked).expect("no class is empty"));
        let tiles = |composite: usize| [0, 8, 16, 24].map(|from| all[from + composite]);
        assert_eq!(tiles(0), [0, 1, 2, 3]);
        assert_eq!(tiles(7), [3, 0, 1, 2]);
    }

    #[test]
    fn requests_that_make_no_sense_are_refused() {
        let (samples, classes) = folder(&[0, 0, 0, 1, 1, 1], 2);
        let scores = [1.0; 6];
        let asked = request(&samples, &classes, &scores, Rule::Easy);
        assert!(matches!(select(&PruneRequest { per_class: 0, ..asked }), Err(PruneError::Nothing)));
        assert!(matches!(select(&PruneRequest { scores: None, ..asked }), Err(PruneError::NoScores("easy"))));
        assert!(matches!(
            select(&PruneRequest { scores: Some(&scores[1..]), ..asked }),
            Err(PruneError::Length { .. })
        ));
        assert!(matches!(
            select(&PruneRequest { leave_out: &[true], ..asked }),
            Err(PruneError::Length { .. })
        ));
        for start in [-0.1, 1.0, f64::NAN] {
            let rule = Rule::Window { start };
            assert!(matches!(select(&PruneRequest { rule, ..asked }), Err(PruneError::WindowStart(_))));
        }
        let scores = [1.0, 1.0, f64::NAN, 1.0, 1.0, 1.0];
        let message = select(&PruneRequest { scores: Some(&scores), ..asked }).expect_err("NaN").to_string();
        assert!(message.contains("train/class0/0002.png is NaN"), "{message}");
    }

    #[test]
    fn the_random_rule_needs_no_scores_and_draws_every_image_alike() {
        let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
        let (samples, classes) = folder(&labels, 2);
        let mut counts = [0u32; 40];
        for seed in 0..2000 {
            let asked = PruneRequest {
                scores: None,
                per_class: 5,
                seed,
                ..request(&samples, &classes, &[], Rule::Random)
            };
            let selection = select(&asked).expect("20 in each class");
            assert!(selection.picks.iter().all(|pick| pick.score.is_none()));
            for sample in chosen(&selection) {
                counts[sample as usize] += 1;
            }
        }
        // Five standard deviations of a binomial with n = 2000 and p = 5/20.
        assert!(counts.iter().all(|&count| count.abs_diff(500) < 97), "{counts:?}");
    }

    #[test]
    fn equal_scores_are_drawn_by_the_seed() {
        let (samples, classes) = folder(&[0; 50], 1);
        let scores = [0.0, -0.0].repeat(25);
        let asked = request(&samples, &classes, &scores, Rule::Easy);
        let one = chosen(&select(&asked).expect("50 in the class"));
        assert_eq!(one, chosen(&select(&asked).expect("50 in the class")));
        assert_ne!(one, chosen(&select(&PruneRequest { seed: 2, ..asked }).expect("50 in the class")));
        let plus_zero = (0..20)
            .flat_map(|seed| chosen(&select(&PruneRequest { seed, ..asked }).expect("50 in the class")))
            .filter(|sample| sample % 2 == 0)
            .count();
        assert!((10..50).contains(&plus_zero), "0 and -0 are equal: {plus_zero} of 60");
    }

    /// Labels (3 classes of at least `least` images), few distinct scores, and marks of what to leave out.
    fn data(least: usize) -> impl Strategy<Value = (Vec<u32>, Vec<f64>, Vec<bool>)> {
        prop::collection::vec((0u32..3, 0i32..12, prop::bool::weighted(0.2)), 0..60).prop_map(move |extra| {
            let base = (0..3 * least).map(|i| (i as u32 % 3, (i * 7 % 11) as i32, false));
            let all = Vec::from_iter(base.chain(extra));
            (
                all.iter().map(|x| x.0).collect(),
                all.iter().map(|x| f64::from(x.1) / 7.0).collect(),
                all.iter().map(|x| x.2).collect(),
            )
        })
    }

    fn rules() -> impl Strategy<Value = Rule> {
        prop_oneof![
            Just(Rule::Easy),
            Just(Rule::Hard),
            Just(Rule::Random),
            (0.0..0.4f64).prop_map(|start| Rule::Window { start }),
        ]
    }

    proptest! {
        #[test]
        fn every_class_has_the_same_count_and_no_image_comes_twice(
            (labels, scores, leave_out) in data(12), rule in rules(), seed: u64, per_class in 1usize..7,
        ) {
            let (samples, classes) = folder(&labels, 3);
            let asked = PruneRequest {
                per_class, seed, leave_out: &leave_out, ..request(&samples, &classes, &scores, rule)
            };
            let selection = select(&asked).expect("60 % of 12 are enough for 6");
            let distinct: BTreeSet<u32> = chosen(&selection).into_iter().collect();
            prop_assert_eq!(distinct.len(), 3 * per_class);
            for (i, pick) in selection.picks.iter().enumerate() {
                prop_assert_eq!((pick.class as usize, pick.rank as usize), (i / per_class, i % per_class));
                prop_assert_eq!(pick.class, labels[pick.sample as usize]);
                prop_assert!(pick.repeat == 0 && !leave_out[pick.sample as usize]);
            }
        }

        #[test]
        fn a_composite_holds_as_many_images_as_its_class_allows(
            images in 1usize..40, composites in 1usize..40, rows in 1u32..5, columns in 1u32..5,
        ) {
            let tiles = (rows * columns) as usize;
            let (samples, classes) = folder(&vec![0; images], 1);
            let scores = Vec::from_iter((0..images).map(|i| i as f64));
            let (per_class, fill) = (composites * tiles, Fill::Cycle);
            let asked = PruneRequest {
                per_class, composites, fill, ..request(&samples, &classes, &scores, Rule::Easy)
            };
            let selection = select(&asked).expect("the class is not empty");
            let all = chosen(&selection);
            for composite in 0..composites {
                // The order of `combine::rank_of`.
                let ranks = (0..tiles).map(|tile| tile * composites + composite);
                let distinct: BTreeSet<u32> = ranks.map(|rank| all[rank]).collect();
                prop_assert_eq!(distinct.len(), tiles.min(images));
            }
            // All images are used equally often or once more, the first of them in the order of their ranks, and each
            // use says how many there were before.
            let mut uses = vec![0; images];
            for pick in &selection.picks {
                prop_assert_eq!(pick.repeat, uses[pick.sample as usize]);
                uses[pick.sample as usize] += 1;
            }
            let most = *uses.iter().max().expect("an image");
            prop_assert!(uses.iter().all(|&count| count + 1 >= most), "{:?}", uses);
            let first = Vec::from_iter(0..images.min(per_class) as u32);
            prop_assert_eq!(&all[..first.len()], &first[..]);
        }

        #[test]
        fn the_order_of_the_input_does_not_change_what_is_chosen(
            (labels, scores, leave_out) in data(12), rule in rules(), seed: u64, shuffle: u64,
        ) {
            let (samples, classes) = folder(&labels, 3);
            let order = crate::random::permutation(shuffle, Purpose::Test, 0, samples.len());
            let moved: Vec<Sample> = order.iter().map(|&i| samples[i as usize].clone()).collect();
            let moved_scores: Vec<f64> = order.iter().map(|&i| scores[i as usize]).collect();
            let moved_out: Vec<bool> = order.iter().map(|&i| leave_out[i as usize]).collect();
            let one = PruneRequest { seed, leave_out: &leave_out, ..request(&samples, &classes, &scores, rule) };
            let other =
                PruneRequest { seed, leave_out: &moved_out, ..request(&moved, &classes, &moved_scores, rule) };
            let paths = |request: &PruneRequest| {
                let selection = select(request).expect("large enough");
                Vec::from_iter(chosen(&selection).iter().map(|&i| request.samples[i as usize].path.clone()))
            };
            prop_assert_eq!(paths(&one), paths(&other));
        }

        #[test]
        fn easy_picks_are_never_harder_than_what_is_left_out_and_hard_is_the_mirror(
            (labels, scores, _) in data(3), seed: u64,
        ) {
            let (samples, classes) = folder(&labels, 3);
            let easy = PruneRequest { seed, ..request(&samples, &classes, &scores, Rule::Easy) };
            let hard = PruneRequest { rule: Rule::Hard, ..easy };
            for (asked, sign) in [(easy, 1.0), (hard, -1.0)] {
                let selection = select(&asked).expect("large enough");
                let kept: BTreeSet<u32> = chosen(&selection).into_iter().collect();
                for pick in &selection.picks {
                    let score = sign * scores[pick.sample as usize];
                    for i in (0..labels.len()).filter(|&i| labels[i] == pick.class) {
                        prop_assert!(kept.contains(&(i as u32)) || score <= sign * scores[i]);
                    }
                }
                let ordered = selection.picks.windows(2).all(|pair| {
                    let scores = [0, 1].map(|i| sign * pair[i].score.expect("scores are given"));
                    pair[0].class != pair[1].class || scores[0] <= scores[1]
                });
                prop_assert!(ordered);
            }
            let mut reversed = preference(&easy).expect("finite scores");
            reversed.reverse();
            prop_assert_eq!(reversed, preference(&hard).expect("finite scores"));
        }
    }
}
