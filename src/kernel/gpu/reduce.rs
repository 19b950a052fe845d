//! Reduction over the invocations of a workgroup: a tree in shared memory, whose order is always the same.

use cubecl::prelude::*;

/// An operation that joins two values into one.
#[cube]
pub(super) trait Join<T: CubePrimitive>: 'static + Send + Sync {
    fn join(own: T, other: T) -> T;
}

/// The sum of two.
pub(super) struct Sum;

/// The larger of two.
pub(super) struct Largest;

/// The smaller of two.
pub(super) struct Least;

#[cube]
impl Join<f32> for Sum {
    fn join(own: f32, other: f32) -> f32 {
        own + other
    }
}

#[cube]
impl<N: Size> Join<Vector<f32, N>> for Sum {
    fn join(own: Vector<f32, N>, other: Vector<f32, N>) -> Vector<f32, N> {
        own + other
    }
}

#[cube]
impl Join<f32> for Largest {
    fn join(own: f32, other: f32) -> f32 {
        select(other > own, other, own)
    }
}

#[cube]
impl Join<u32> for Least {
    fn join(own: u32, other: u32) -> u32 {
        select(other < own, other, own)
    }
}

/// Joins one value from each of the `units` invocations of a workgroup. They stand in `columns` columns, and each column is
/// joined by itself, halving its length at each step. Every invocation gets the result of its column. Both counts are powers
/// of two.
#[cube]
pub(super) fn reduce<T: CubePrimitive, J: Join<T>>(
    own: T,
    #[comptime] units: usize,
    #[comptime] columns: usize,
) -> T {
    let mut shared = Shared::<[T]>::new_slice(units);
    shared[UNIT_POS as usize] = own;
    let mut reach = comptime!(units as u32 / 2).runtime();
    while reach >= comptime!(columns as u32) {
        sync_cube();
        if UNIT_POS < reach {
            let other = shared[(UNIT_POS + reach) as usize];
            shared[UNIT_POS as usize] = J::join(shared[UNIT_POS as usize], other);
        }
        reach /= 2;
    }
    sync_cube();
    shared[(UNIT_POS % comptime!(columns as u32)) as usize]
}
