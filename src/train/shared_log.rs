//! The log of a proxy that several ranks train: each rank reads the outputs of its own images, and all record those of all.

use super::dynamics::from_rows;
use super::error::TrainError;
use super::proxy::{Pending, Proxy, ProxyError};
use super::ranks::{Ranks, RanksError, gather};
use crate::kernel::read_all;

impl Proxy {
    /// Reads the pending batches of this rank, and records those of all ranks.
    pub(super) async fn record_shared(&mut self, ranks: &dyn Ranks) -> Result<(), ProxyError> {
        let mut own = Vec::new();
        for Pending { epoch, images, rows, .. } in std::mem::take(&mut self.pending) {
            let rows = read_all(vec![rows]).await.map_err(TrainError::Device)?;
            let head = [epoch, images.len() as u32, rows.len() as u32];
            own.extend(head.iter().chain(&images).flat_map(|number| number.to_le_bytes()));
            own.extend(rows.iter().flat_map(|value| value.to_le_bytes()));
        }
        for (rank, bytes) in gather(ranks, own).map_err(TrainError::Ranks)?.iter().enumerate() {
            let mut words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
            while let Some(epoch) = words.next() {
                let batch = (|| {
                    let (images, rows) = (words.next()? as usize, words.next()? as usize);
                    let images: Vec<u32> = words.by_ref().take(images).collect();
                    let rows: Vec<f32> = words.by_ref().take(rows).map(f32::from_bits).collect();
                    Some((images, rows))
                })();
                let apart = || RanksError::Apart {
                    rank: ranks.rank(),
                    peer: rank,
                    why: "what it recorded is cut off".to_owned(),
                };
                let (images, rows) = batch.ok_or_else(|| TrainError::Ranks(apart()))?;
                self.log.record(epoch, &images, &from_rows(&rows)?)?;
            }
        }
        Ok(())
    }
}
