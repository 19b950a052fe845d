//! Training views from u8 in memory: images per second, and allocations in the steady state.
//!
//!     cargo bench --bench augment -- [--json] [--sides 64,224] [--policies global,extract] [--threads 2] [--repeat 5]
//!
//! Its peer is `benches/peers/augment_peer.py`: torchvision's RandomResizedCrop, flip and normalise. The
//! policy `global` is the same work; `extract` is what PCA trains with.

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tilepress::augment::{Augmentation, Crop, Executor, Layout, MixKind, Normalise, Planner};
use tilepress::data::ImageSet;
use tilepress::random::{Purpose, Stream};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Memory) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Memory) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH: usize = 128;
const BATCHES: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: &str| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)).map_or(default, String::as_str).to_owned()
    };
    let number = |name: &str, default: &str| value(name, default).parse::<usize>().expect("a whole number");
    let (threads, repeat) = (number("--threads", "2"), number("--repeat", "5"));
    let json = arguments.iter().any(|argument| argument == "--json");

    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let mut rows = Vec::new();
    for side in value("--sides", "64,224").split(',') {
        let side: u32 = side.parse().expect("sides are whole numbers");
        for (name, crop, mix) in [
            ("global", Crop::Global { min_scale: 0.08 }, None),
            ("extract", Crop::default(), None),
            ("shuffle", Crop::Shuffle, None),
            ("global+cutmix", Crop::Global { min_scale: 0.08 }, Some(MixKind::CutMix { alpha: 1.0 })),
        ] {
            if !value("--policies", name).split(',').any(|wanted| wanted == name) {
                continue;
            }
            for layout in [Layout::Nchw, Layout::Nhwc] {
                let policy = Augmentation { crop, mix, ..Augmentation::default() };
                let (rate, allocations) = pool.install(|| measure(policy, side, layout, repeat));
                let layout = format!("{layout:?}").to_lowercase();
                if !json {
                    println!(
                        "{side:>4} px {name:<14} {layout}: {rate:>9.0} images/s, {allocations:.2} allocations a batch"
                    );
                }
                rows.push(serde_json::json!({
                    "side": side, "policy": name, "layout": layout,
                    "images_per_second": rate.round(), "allocations_per_batch": allocations,
                }));
            }
        }
    }
    if json {
        println!("{}", serde_json::json!({ "threads": threads, "batch": BATCH, "results": rows }));
    }
}

/// Images per second (median of `repeat` passes of planning and executing) and allocations a batch.
fn measure(policy: Augmentation, side: u32, layout: Layout, repeat: usize) -> (f64, f64) {
    let count = 1024;
    let mut stream = Stream::new(0, Purpose::Test, 0, 0);
    let pixels = (0..count * (side * side * 3) as usize).map(|_| stream.next_u32() as u8).collect();
    let set = ImageSet::from_parts(side, pixels, vec![0; count]).expect("whole images");
    let grid = "2".parse().expect("a valid grid");
    let planner = Planner::new(policy, grid, side, 1).expect("a valid policy");
    let mut executor = Executor::new(side);
    let mut out = vec![0.0; BATCH * (side * side * 3) as usize];
    let (mut views, mut images) = (Vec::new(), vec![0; BATCH]);
    let mut pass = |epoch: u32| {
        let start = Instant::now();
        for batch in 0..BATCHES {
            images
                .iter_mut()
                .enumerate()
                .for_each(|(k, image)| *image = ((batch * BATCH + k) % count) as u32);
            planner.plan(epoch, batch as u64, &images, &mut views);
            executor.execute(&set, &views, &Normalise::IMAGENET, layout, &mut out).expect("memory");
        }
        start.elapsed().as_secs_f64()
    };
    pass(0);
    pass(1);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let mut seconds: Vec<f64> = (0..repeat as u32).map(|epoch| pass(epoch + 2)).collect();
    let allocations = (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / (repeat * BATCHES) as f64;
    seconds.sort_by(f64::total_cmp);
    ((BATCH * BATCHES) as f64 / seconds[repeat / 2], allocations)
}
