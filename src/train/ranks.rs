//! Processes that train one network together, and what they tell each other.
//!
//! All of it is made of exchanges between two ranks whose numbers differ in one bit. A sum therefore runs in a fixed tree, neighbours
//! first, and has the same bits for any number of ranks: more ranks take over more of the tree's upper levels.

use std::fmt::Debug;

use crate::fault::{Fault, Faulty};

/// Processes that train one network together. Every rank calls the same functions in the same order; each waits for its peer.
pub trait Ranks: Send + Sync + Debug {
    /// Number of this process, from 0.
    fn rank(&self) -> usize;

    /// Number of the processes: 1, 2, 4 or 8.
    fn count(&self) -> usize;

    /// Sends bytes to another rank, whose number differs from this one's in one bit, and gives those that it sends.
    ///
    /// # Errors
    /// [`RanksError`] where the other rank has ended or cannot be reached.
    fn exchange(&self, peer: usize, bytes: &[u8]) -> Result<Vec<u8>, RanksError>;

    /// Leaves the others when all work is done. A process that ends without has failed, and its launcher ends the others.
    fn leave(&self) {}
}

/// Ranks that cannot go on together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RanksError {
    /// Another rank has ended, or cannot be reached.
    #[error(
        "rank {rank} lost rank {peer}: {why}; the cause is what rank {peer} said last, and the same command goes on from the last checkpoint"
    )]
    Lost {
        /// This rank.
        rank: usize,
        /// The other.
        peer: usize,
        /// The reason.
        why: String,
    },
    /// Ranks that do not do the same.
    #[error(
        "rank {rank} and rank {peer} do not run the same: {why}; start all with one command on the same data"
    )]
    Apart {
        /// This rank.
        rank: usize,
        /// The other.
        peer: usize,
        /// The difference.
        why: String,
    },
    /// A number of ranks among which a batch's shards cannot be shared.
    #[error("{0} ranks cannot share the 8 shards of a batch; start 1, 2, 4 or 8")]
    Count(usize),
    /// The launcher, or what it has set, cannot be used.
    #[error("{0}")]
    Launch(String),
    /// A training that cannot be shared.
    #[error("{0} cannot be shared among ranks; leave it out, or train in one process without ranks")]
    Unshared(&'static str),
}

impl Faulty for RanksError {
    fn fault(&self) -> Fault {
        match self {
            Self::Lost { .. } => Fault::Run,
            Self::Apart { .. } | Self::Count(_) | Self::Launch(_) | Self::Unshared(_) => Fault::Usage,
        }
    }
}

/// The peers of this rank, the nearest first.
fn peers(ranks: &dyn Ranks) -> impl Iterator<Item = usize> {
    let (rank, count) = (ranks.rank(), ranks.count());
    (0..count.trailing_zeros()).map(move |bit| rank ^ (1 << bit))
}

/// Adds up the values of all ranks, the same bits on each.
///
/// # Errors
/// [`RanksError`].
pub(crate) fn sum(ranks: &dyn Ranks, values: &mut [f32]) -> Result<(), RanksError> {
    for peer in peers(ranks) {
        let mut bytes = vec![0; 4 * values.len()];
        bytes
            .as_chunks_mut()
            .0
            .iter_mut()
            .zip(&*values)
            .for_each(|(word, value)| *word = value.to_le_bytes());
        let theirs = ranks.exchange(peer, &bytes)?;
        if theirs.len() != bytes.len() {
            let why = format!("{} numbers here are {} there", bytes.len() / 4, theirs.len() / 4);
            return Err(RanksError::Apart { rank: ranks.rank(), peer, why });
        }
        for (value, theirs) in values.iter_mut().zip(theirs.as_chunks::<4>().0) {
            *value += f32::from_le_bytes(*theirs);
        }
    }
    Ok(())
}

/// The bytes of every rank, in the order of the ranks.
///
/// # Errors
/// [`RanksError`].
pub(crate) fn gather(ranks: &dyn Ranks, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, RanksError> {
    let mut parts = vec![bytes];
    for peer in peers(ranks) {
        let mut packed = Vec::new();
        for part in &parts {
            packed.extend((part.len() as u64).to_le_bytes());
            packed.extend_from_slice(part);
        }
        let theirs = ranks.exchange(peer, &packed)?;
        let theirs = unpacked(&theirs).filter(|theirs| theirs.len() == parts.len());
        let Some(mut theirs) = theirs else {
            let why = "what is gathered has other parts".to_owned();
            return Err(RanksError::Apart { rank: ranks.rank(), peer, why });
        };
        if peer < ranks.rank() {
            std::mem::swap(&mut parts, &mut theirs);
        }
        parts.append(&mut theirs);
    }
    Ok(parts)
}

fn unpacked(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        parts.push(part.to_vec());
        bytes = rest;
    }
    Some(parts)
}

/// What rank 0 has, told to all; the others' own is not looked at.
///
/// # Errors
/// [`RanksError`].
pub(crate) fn told(ranks: &dyn Ranks, own: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, RanksError> {
    let mine = match own.filter(|_| ranks.rank() == 0) {
        Some(mut bytes) => {
            bytes.push(1);
            bytes
        }
        None => Vec::new(),
    };
    let mut first = gather(ranks, mine)?.swap_remove(0);
    Ok(first.pop().map(|_| first))
}

/// Whether any rank wishes so, the same answer on each.
///
/// # Errors
/// [`RanksError`].
pub(crate) fn any(ranks: &dyn Ranks, wish: bool) -> Result<bool, RanksError> {
    let mut wishes = [f32::from(u8::from(wish))];
    sum(ranks, &mut wishes)?;
    Ok(wishes[0] > 0.0)
}

#[cfg(test)]
pub(crate) mod testing {
    //! Ranks that are threads of one process.

    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    type Link = Option<(Sender<Vec<u8>>, Receiver<Vec<u8>>)>;

    #[derive(Debug)]
    pub(crate) struct Threads {
        rank: usize,
        links: Vec<Mutex<Link>>,
    }

    /// `count` ranks, to be given a thread each.
    pub(crate) fn threads(count: usize) -> Vec<Threads> {
        let mut links: Vec<Vec<Link>> = (0..count).map(|_| (0..count).map(|_| None).collect()).collect();
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        for (a, b) in pairs {
            let ((to_b, from_a), (to_a, from_b)) = (channel(), channel());
            links[a][b] = Some((to_b, from_b));
            links[b][a] = Some((to_a, from_a));
        }
        let ranks = links.into_iter().enumerate();
        ranks
            .map(|(rank, links)| Threads { rank, links: links.into_iter().map(Mutex::new).collect() })
            .collect()
    }

    impl Ranks for Threads {
        fn rank(&self) -> usize {
            self.rank
        }

        fn count(&self) -> usize {
            self.links.len()
        }

        fn exchange(&self, peer: usize, bytes: &[u8]) -> Result<Vec<u8>, RanksError> {
            let lost = |why: &str| RanksError::Lost { rank: self.rank, peer, why: why.to_owned() };
            let link = self.links[peer].lock().expect("nobody panics");
            let (to, from) = link.as_ref().expect("two different ranks");
            to.send(bytes.to_vec()).map_err(|_| lost("it has ended"))?;
            from.recv().map_err(|_| lost("it has ended"))
        }
    }

    /// What `work` gives on each of `count` ranks.
    pub(crate) fn on_each<R: Send>(count: usize, work: impl Fn(Threads) -> R + Sync) -> Vec<R> {
        let work = &work;
        std::thread::scope(|scope| {
            let handles: Vec<_> =
                threads(count).into_iter().map(|ranks| scope.spawn(move || work(ranks))).collect();
            handles.into_iter().map(|handle| handle.join().expect("no rank panics")).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::testing::on_each;
    use super::*;

    #[test]
    fn a_sum_has_the_bits_of_a_fixed_tree_on_every_rank() {
        // Numbers whose sum depends on the order.
        let value = |leaf: usize| [1e8f32, 1.0, -1e8, 3.0, 0.1, 7e7, -7e7, 1e-3][leaf];
        let tree =
            ((value(0) + value(1)) + (value(2) + value(3))) + ((value(4) + value(5)) + (value(6) + value(7)));
        for count in [1, 2, 4, 8] {
            let sums = on_each(count, |ranks| {
                let own = 8 / count;
                let mut level: Vec<f32> = (0..own).map(|leaf| value(ranks.rank() * own + leaf)).collect();
                while level.len() > 1 {
                    level = level.chunks(2).map(|pair| pair[0] + pair[1]).collect();
                }
                sum(&ranks, &mut level).unwrap();
                level[0].to_bits()
            });
            assert!(sums.iter().all(|&bits| bits == tree.to_bits()), "{count} ranks");
        }
    }

    #[test]
    fn all_have_what_each_gave_in_the_order_of_the_ranks() {
        for count in [1, 2, 4, 8] {
            let expected: Vec<Vec<u8>> = (0..count).map(|rank| vec![rank as u8; rank]).collect();
            let gathered =
                on_each(count, |ranks| gather(&ranks, vec![ranks.rank() as u8; ranks.rank()]).unwrap());
            assert!(gathered.iter().all(|parts| *parts == expected));
        }
    }

    #[test]
    fn what_the_first_has_is_told_to_all() {
        for told_by_first in [None, Some(vec![]), Some(b"hello".to_vec())] {
            let heard = on_each(4, |ranks| {
                let own = if ranks.rank() == 0 { told_by_first.clone() } else { Some(b"mine".to_vec()) };
                told(&ranks, own).unwrap()
            });
            assert!(heard.iter().all(|heard| *heard == told_by_first));
        }
        let asked = |wish: fn(usize) -> bool| on_each(4, |ranks| any(&ranks, wish(ranks.rank())).unwrap());
        assert_eq!((asked(|rank| rank == 2), asked(|_| false)), (vec![true; 4], vec![false; 4]));
    }

    #[test]
    fn ranks_that_do_different_things_say_so() {
        let errors = on_each(2, |ranks| {
            let mut values = vec![0.0; 3 + ranks.rank()];
            sum(&ranks, &mut values).unwrap_err().to_string()
        });
        assert!(errors[0].contains("3 numbers here are 4 there"), "{errors:?}");
        let lost = on_each(2, |ranks| if ranks.rank() == 0 { None } else { Some(any(&ranks, true)) });
        let error = lost[1].as_ref().map(|answer| answer.as_ref().unwrap_err().to_string()).unwrap();
        assert!(error.starts_with("rank 1 lost rank 0"), "{error}");
    }
}
