//! The networks of several students as one, to be trained in the same launches.
//!
//! A parameter of a stacked network is that of each student, one after the other along its first dimension, so that an
//! optimiser that works value by value makes the step of each.

use burn::module::{Param, ParamId};
use burn::tensor::Tensor;

use super::registry::Network;
use super::visit::StateVisitor;
use crate::kernel::copy::{joined, part};
use crate::kernel::reshape::reshape;

impl Network {
    /// Networks of one shape, stacked; its parameters have the ids of the first one's.
    ///
    /// # Panics
    /// Without a network.
    pub(crate) fn stacked(networks: &[&Self]) -> Self {
        let vectors: Vec<Vec<Tensor<1>>> = networks.iter().map(|network| network.vectors()).collect();
        let all = (0..vectors[0].len()).map(|k| joined(vectors.iter().map(|of| of[k].clone()).collect()));
        let mut stack = networks[0].clone();
        stack.visit_state(&mut Replace { vectors: all.collect::<Vec<_>>().into_iter() });
        stack
    }

    /// Copies the values of this stacked network back to the networks that it was stacked from.
    pub(crate) fn unstack<'a>(&self, networks: impl ExactSizeIterator<Item = &'a mut Self>) {
        let (vectors, students) = (self.vectors(), networks.len());
        for (student, network) in networks.enumerate() {
            let own = vectors.iter().map(|all| share(all, student, students)).collect::<Vec<_>>();
            network.visit_state(&mut Replace { vectors: own.into_iter() });
        }
    }

    /// The id of every tensor, in the order of the state.
    pub(crate) fn ids(&self) -> Vec<ParamId> {
        let mut vectors = Vectors::default();
        self.clone().visit_state(&mut vectors);
        vectors.0.into_iter().map(|(id, _)| id).collect()
    }

    /// The values of every tensor, in the order of the state.
    fn vectors(&self) -> Vec<Tensor<1>> {
        let mut vectors = Vectors::default();
        self.clone().visit_state(&mut vectors);
        vectors.0.into_iter().map(|(_, values)| values).collect()
    }
}

/// The part of a stacked vector that belongs to one of `students` students.
pub(crate) fn share(stacked: &Tensor<1>, student: usize, students: usize) -> Tensor<1> {
    let length = stacked.dims()[0] / students;
    part(stacked.clone(), student * length..(student + 1) * length)
}

#[derive(Default)]
struct Vectors(Vec<(ParamId, Tensor<1>)>);

impl StateVisitor for Vectors {
    fn tensor<const D: usize>(&mut self, _name: &str, param: &mut Param<Tensor<D>>) {
        let value = param.val();
        let value = if value.is_autodiff() { value.inner() } else { value };
        let length = value.shape().num_elements();
        self.0.push((param.id, reshape(value, [length])));
    }

    fn batch_counter(&mut self, _name: &str) {}
}

struct Replace {
    vectors: std::vec::IntoIter<Tensor<1>>,
}

impl StateVisitor for Replace {
    fn tensor<const D: usize>(&mut self, _name: &str, param: &mut Param<Tensor<D>>) {
        let (old, trained) = (param.val(), param.is_require_grad());
        let values = self.vectors.next().expect("as many vectors as tensors");
        let mut shape = old.dims();
        shape[0] = values.dims()[0] / shape[1..].iter().product::<usize>();
        let new = reshape(values, shape);
        let new = if old.is_autodiff() { Tensor::from_inner(new) } else { new };
        *param = Param::initialized(param.id, new).set_require_grad(trained);
    }

    fn batch_counter(&mut self, _name: &str) {}
}
