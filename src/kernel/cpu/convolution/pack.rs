//! Weights as the tiles read them: panels of as many columns as a tile is wide, `[panels, depth, panel]`.

use super::super::threads::{Shared, for_each};

/// Packs a matrix of `depth` rows and `columns` columns whose element is `value(k, n)`; columns past the last
/// are zero. Panels are packed in parallel.
pub(super) fn pack(
    panel: usize,
    depth: usize,
    columns: usize,
    to: &mut [f32],
    value: impl Fn(usize, usize) -> f32 + Sync,
) {
    let panels = columns.div_ceil(panel);
    assert_eq!(to.len(), panels * depth * panel);
    let shared = Shared::new(to);
    for_each(panels, |p| {
        // SAFETY: each piece writes its own panel.
        let to = unsafe { shared.slice(p * depth * panel..(p + 1) * depth * panel) };
        for n in 0..panel {
            let column = p * panel + n;
            for (k, row) in to.chunks_exact_mut(panel).enumerate() {
                row[n] = if column < columns { value(k, column) } else { 0.0 };
            }
        }
    });
}
