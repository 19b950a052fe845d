//! Students that train side by side on one device.
//!
//! Small students leave a GPU idle: their kernels end before the next is launched. So students of equal shape are stacked
//! and make their steps together, each kernel launched once for all of them. Each makes, bit for bit, the steps that it would
//! make alone, as no sum runs over more than one student and all are cut as if they were alone.

use std::sync::Arc;

use burn::tensor::{DType, Tensor};

use super::checkpoint::CheckpointError;
use super::error::TrainError;
use super::optimizer::OptimizerState;
use super::progress::{Progress, targets};
use super::resident::Resident;
use super::student::{READ_EVERY, Student, learn};
use crate::augment::View;
use crate::kernel::copy::joined;
use crate::kernel::read_all;
use crate::model::{Network, share};

/// Most floats in a stack's largest activation: WebGPU's default limit for the size of a binding. A single student near
/// this limit already keeps a GPU busy.
const MAX_STACKED_FLOATS: usize = (128 << 20) / size_of::<f32>();

/// Students that train in turns on one device, or together where that is faster.
#[derive(Default)]
pub struct Cohort {
    students: Vec<Student>,
    /// Stacks in training. The steps made in a stack reach its students' own networks only when it is settled.
    stacks: Vec<Stack>,
}

/// The students of a stack, by their place in the cohort, with their stacked network and optimiser.
struct Stack {
    members: Vec<usize>,
    network: Network,
    optimizer: OptimizerState,
}

impl Cohort {
    /// A cohort of these students.
    pub fn new(students: Vec<Student>) -> Self {
        Self { students, stacks: Vec::new() }
    }

    /// Adds a student.
    pub fn push(&mut self, student: Student) {
        self.settle();
        self.students.push(student);
    }

    /// The progress of each student, in the order the students were added.
    pub fn progresses(&self) -> impl ExactSizeIterator<Item = &Progress> {
        self.students.iter().map(|student| &**student)
    }

    /// `true` once all students have made all their steps.
    pub fn finished(&self) -> bool {
        self.progresses().all(Progress::finished)
    }

    /// The students, with all their steps in their own networks.
    pub fn students(&mut self) -> &mut [Student] {
        self.settle();
        &mut self.students
    }

    /// Lets every student that is not finished make up to `steps` steps, and reads their losses.
    ///
    /// # Errors
    /// [`TrainError`] when the device fails or the loss of a student is not finite.
    pub async fn advance(&mut self, steps: usize) -> Result<(), TrainError> {
        if self.stacks.is_empty() {
            self.stack();
        }
        for stack in &mut self.stacks {
            stack.advance(&mut self.students, steps).await?;
        }
        let stacked = |place: &usize| self.stacks.iter().any(|stack| stack.members.contains(place));
        let alone: Vec<usize> = (0..self.students.len()).filter(|place| !stacked(place)).collect();
        for place in alone {
            let student = &mut self.students[place];
            if !student.finished() {
                student.advance(steps).await?;
            }
        }
        Ok(())
    }

    /// Trains all students to the end, in turns of [`READ_EVERY`] steps. `progress` is called after each turn with the number
    /// of steps that all students together made.
    ///
    /// # Errors
    /// The errors of [`advance`](Self::advance).
    pub async fn train(&mut self, mut progress: impl FnMut(usize)) -> Result<(), TrainError> {
        while !self.finished() {
            self.advance(READ_EVERY).await?;
            progress(self.progresses().map(Progress::steps_made).sum());
        }
        Ok(())
    }

    /// Saves a student as bytes, as [`Student::checkpoint`] does.
    ///
    /// # Errors
    /// [`CheckpointError`] when the device does not answer.
    ///
    /// # Panics
    /// When there is no such student.
    pub async fn checkpoint(&mut self, student: usize) -> Result<Vec<u8>, CheckpointError> {
        self.students()[student].checkpoint().await
    }

    /// Stacks the students that can be trained together.
    fn stack(&mut self) {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (place, progress) in self.progresses().enumerate() {
            if progress.finished() || progress.resident.is_none() {
                continue;
            }
            let most = together(progress);
            let fits =
                |group: &&mut Vec<usize>| group.len() < most && self.students[group[0]].is_like(progress);
            match groups.iter_mut().find(fits) {
                Some(group) => group.push(place),
                None => groups.push(vec![place]),
            }
        }
        groups.retain(|group| group.len() > 1);
        self.stacks = groups.into_iter().map(|members| Stack::new(members, &self.students)).collect();
    }

    /// Copies the state of every stack back to its students.
    fn settle(&mut self) {
        for stack in std::mem::take(&mut self.stacks) {
            stack.settle(&mut self.students);
        }
    }
}

/// Largest number of students such as this one in a stack.
fn together(progress: &Progress) -> usize {
    (MAX_STACKED_FLOATS / (progress.batch() * progress.model.widest())).max(1)
}

impl Progress {
    /// `true` where `other` can be stacked with this one: steps of the same shapes, as many of them made, on the same device.
    fn is_like(&self, other: &Self) -> bool {
        let shape =
            |progress: &Self| (progress.model, progress.config, progress.step, progress.task().images.len());
        shape(self) == shape(other) && self.device == other.device && other.resident.is_some()
    }
}

impl Stack {
    fn new(members: Vec<usize>, students: &[Student]) -> Self {
        let stacked: Vec<&Student> = members.iter().map(|&member| &students[member]).collect();
        let networks: Vec<&Network> = stacked.iter().map(|student| &student.network).collect();
        let (first, ids) = (stacked[0], networks.iter().map(|network| network.ids()).collect::<Vec<_>>());
        let kept = (0..ids[0].len()).map(|parameter| {
            let each = stacked.iter().zip(&ids).map(|(student, ids)| student.optimizer.kept(ids[parameter]));
            let each: Vec<Vec<Tensor<1>>> = each.collect();
            let all = (0..each[0].len()).map(|k| joined(each.iter().map(|kept| kept[k].clone()).collect()));
            (ids[0][parameter], all.collect::<Vec<_>>())
        });
        let kept = kept.filter(|(_, tensors)| !tensors.is_empty()).collect();
        let mut optimizer = OptimizerState::new(&first.config);
        assert!(optimizer.restore(first.optimizer.steps(), kept), "equal configs keep equally much");
        Self { network: Network::stacked(&networks), optimizer, members }
    }

    /// Makes up to `steps` steps, and reads the losses.
    async fn advance(&mut self, students: &mut [Student], steps: usize) -> Result<(), TrainError> {
        let first = &students[self.members[0]];
        let steps = steps.min(first.steps - first.step);
        if steps == 0 {
            return Ok(());
        }
        let losses: Vec<Tensor<1>> = (0..steps).map(|_| self.step(students)).collect::<Result<_, _>>()?;
        let batches: Vec<usize> = losses.iter().map(|loss| loss.dims()[0] / self.members.len()).collect();
        let shares = read_all(losses).await?;
        for (place, &member) in self.members.iter().enumerate() {
            let (mut own, mut from) = (Vec::new(), 0);
            for batch in &batches {
                own.extend_from_slice(&shares[from + place * batch..from + (place + 1) * batch]);
                from += self.members.len() * batch;
            }
            let progress = &mut students[member].progress;
            progress.put_aside(&own, steps);
            progress.note()?;
        }
        Ok(())
    }

    /// Makes one step of every student without waiting for the device; returns every sample's share of its student's loss.
    fn step(&mut self, students: &mut [Student]) -> Result<Tensor<1>, TrainError> {
        let rate = students[self.members[0]].learning_rate();
        let batches = self.members.iter().map(|&member| students[member].progress.take_batch());
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        let progress = |place: usize| &students[self.members[place]].progress;
        let found = batches.iter().enumerate().flat_map(|(place, batch)| {
            let labels = progress(place).task().images.labels();
            targets(batch, labels, batch.images.len())
        });
        let targets: Vec<_> = found.collect();

        let first = progress(0);
        let (device, side) = (first.device.clone(), first.task().images.side() as usize);
        let views: Vec<&[View]> = batches.iter().map(|batch| &batch.views[..]).collect();
        let count: usize = views.iter().map(|views| views.len()).sum();
        let mut input = Tensor::empty([count, side, side, 3], (&device, DType::F32));
        let (mut place, mut from) = (0, 0);
        while place < views.len() {
            // Neighbours that share a set share a launch.
            let resident =
                progress(place).resident.clone().expect("a stacked student's images lie on the device");
            let same =
                |&other: &usize| progress(other).resident.as_ref().is_some_and(|r| Arc::ptr_eq(r, &resident));
            let end = (place..views.len()).take_while(same).last().map_or(place + 1, |last| last + 1);
            input = Resident::views_into(&resident, input, from, &views[place..end], &device);
            from += views[place..end].iter().map(|views| views.len()).sum::<usize>();
            place = end;
        }

        let input = Tensor::from_inner(input);
        let (_, shares) =
            learn(&mut self.network, &mut self.optimizer, rate, input, &targets, self.members.len());
        for &member in &self.members {
            students[member].progress.step += 1;
        }
        Ok(shares)
    }

    /// Copies each student's part of the stacked network and optimiser back to it.
    fn settle(self, students: &mut [Student]) {
        let ids = self.network.ids();
        let kept: Vec<Vec<Tensor<1>>> = ids.iter().map(|&id| self.optimizer.kept(id)).collect();
        for (place, &member) in self.members.iter().enumerate() {
            let student = &mut students[member];
            let own = |tensors: &Vec<Tensor<1>>| {
                tensors.iter().map(|all| share(all, place, self.members.len())).collect::<Vec<_>>()
            };
            let kept = student.network.ids().into_iter().zip(kept.iter().map(own));
            let kept = kept.filter(|(_, tensors)| !tensors.is_empty()).collect();
            assert!(
                student.optimizer.restore(self.optimizer.steps(), kept),
                "equal configs keep equally much"
            );
        }
        let mut students: Vec<&mut Student> = students
            .iter_mut()
            .enumerate()
            .filter(|(place, _)| self.members.contains(place))
            .map(|(_, student)| student)
            .collect();
        self.network.unstack(students.iter_mut().map(|student| &mut student.network));
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
