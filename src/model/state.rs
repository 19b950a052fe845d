//! A network's state under PyTorch's names, and safetensors in and out.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

use super::registry::Network;
use super::visit::StateVisitor;
use crate::device::{DeviceError, read, upload};
use crate::fault::{Fault, Faulty};
use crate::kernel::reshape::reshape;

/// One tensor of a network's state.
#[derive(Clone, Debug, PartialEq)]
pub struct StateTensor {
    /// PyTorch's name for it.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// The values, last dimension fastest.
    pub values: Vec<f32>,
}

/// A state that cannot be read or does not fit the network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The device did not answer.
    #[error("the weights could not be read from the device: {}", .0.reason())]
    Device(DeviceError),
    /// Not a safetensors file, or a broken one.
    #[error("not a readable safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// A tensor of the network is not in the file.
    #[error("the file has no tensor '{0}'; it was saved from another model or width")]
    Missing(String),
    /// A tensor has another shape or type.
    #[error("tensor '{name}' is {got} in the file and {expected} in the model")]
    Shape {
        /// Its name.
        name: String,
        /// Shape and type in the file.
        got: String,
        /// Shape and type the network needs.
        expected: String,
    },
}

impl From<DeviceError> for StateError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

struct Collect {
    tensors: Vec<(String, Vec<usize>, Tensor<1>)>,
    counters: Vec<String>,
}

impl StateVisitor for Collect {
    fn tensor<const D: usize>(&mut self, name: &str, param: &mut Param<Tensor<D>>) {
        let value = param.val();
        let shape: Vec<usize> = value.dims().to_vec();
        let length = shape.iter().product::<usize>();
        self.tensors.push((name.to_owned(), shape, reshape(value.inner(), [length])));
    }

    fn batch_counter(&mut self, name: &str) {
        self.counters.push(name.to_owned());
    }
}

async fn collect(network: &Network) -> Result<(Vec<StateTensor>, Vec<String>), StateError> {
    let mut collect = Collect { tensors: Vec::new(), counters: Vec::new() };
    network.clone().visit_state(&mut collect);
    let mut state = Vec::with_capacity(collect.tensors.len());
    for (name, shape, tensor) in collect.tensors {
        let values = read(tensor).await?;
        state.push(StateTensor { name, shape, values });
    }
    Ok((state, collect.counters))
}

/// The state of a network: its weights and running statistics, in PyTorch's order.
///
/// # Errors
/// [`StateError::Device`] when the device does not answer.
pub async fn state(network: &Network) -> Result<Vec<StateTensor>, StateError> {
    Ok(collect(network).await?.0)
}

impl Network {
    /// The network's state as a safetensors file that `torch.load_state_dict` takes.
    ///
    /// # Errors
    /// [`StateError`] when the device does not answer.
    pub async fn to_safetensors(&self) -> Result<Vec<u8>, StateError> {
        let (tensors, counters) = collect(self).await?;
        let zero = 0i64.to_le_bytes();
        let bytes: Vec<Vec<u8>> =
            tensors.iter().map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
        let mut views = BTreeMap::new();
        for (tensor, bytes) in tensors.iter().zip(&bytes) {
            views.insert(tensor.name.as_str(), TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?);
        }
        for name in &counters {
            views.insert(name, TensorView::new(Dtype::I64, Vec::new(), &zero)?);
        }
        Ok(safetensors::serialize(views, None)?)
    }

    /// Takes the weights of a safetensors file with PyTorch's names.
    ///
    /// # Errors
    /// [`StateError`] when the bytes are no such file or do not fit; the network is then unchanged.
    pub fn load_safetensors(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let file = SafeTensors::deserialize(bytes)?;
        let (mut tensors, mut others) = (Vec::new(), BTreeMap::new());
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                others.insert(name, format!("{:?} {:?}", view.shape(), view.dtype()));
            } else {
                let values =
                    view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                tensors.push(StateTensor { name, shape: view.shape().to_vec(), values });
            }
        }
        load(self, &tensors, others)
    }
}

struct Load<'a> {
    tensors: BTreeMap<&'a str, &'a StateTensor>,
    /// Shape and type of the tensors of a file that are not F32.
    others: BTreeMap<String, String>,
    error: Option<StateError>,
}

impl Load<'_> {
    /// The values of a tensor, when it is there and has this shape.
    fn find(&mut self, name: &str, shape: &[usize]) -> Option<Vec<f32>> {
        let error = match self.tensors.get(name) {
            None => match self.others.remove(name) {
                Some(got) => {
                    StateError::Shape { name: name.to_owned(), got, expected: format!("{shape:?} F32") }
                }
                None => StateError::Missing(name.to_owned()),
            },
            Some(tensor) if tensor.shape != shape => StateError::Shape {
                name: name.to_owned(),
                got: format!("{:?}", tensor.shape),
                expected: format!("{shape:?}"),
            },
            Some(tensor) => return Some(tensor.values.clone()),
        };
        self.error.get_or_insert(error);
        None
    }
}

fn replace<const D: usize>(param: &mut Param<Tensor<D>>, values: Vec<f32>, shape: [usize; D]) {
    let (old, trained) = (param.val(), param.is_require_grad());
    let new = upload::floats(TensorData::new(values, shape), &old.device());
    *param = Param::initialized(param.id, new).set_require_grad(trained);
}

impl StateVisitor for Load<'_> {
    fn tensor<const D: usize>(&mut self, name: &str, param: &mut Param<Tensor<D>>) {
        let shape = param.val().dims();
        if let Some(values) = self.find(name, &shape) {
            replace(param, values, shape);
        }
    }

    fn batch_counter(&mut self, _name: &str) {}
}

/// Gives a network the weights of a state; tensors the network lacks are ignored.
///
/// # Errors
/// [`StateError`] when a tensor is missing or has another shape; the network is then unchanged.
pub fn load_state(network: &mut Network, tensors: &[StateTensor]) -> Result<(), StateError> {
    load(network, tensors, BTreeMap::new())
}

fn load(
    network: &mut Network,
    tensors: &[StateTensor],
    others: BTreeMap<String, String>,
) -> Result<(), StateError> {
    let tensors = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut load = Load { tensors, others, error: None };
    let mut loaded = network.clone();
    loaded.visit_state(&mut load);
    match load.error {
        Some(error) => Err(error),
        None => {
            *network = loaded;
            Ok(())
        }
    }
}

impl Faulty for StateError {
    fn fault(&self) -> Fault {
        match self {
            Self::Device(error) => error.fault(),
            _ => Fault::Data,
        }
    }
}
