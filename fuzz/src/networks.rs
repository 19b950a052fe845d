//! Networks as files, which PyTorch or a stranger wrote.

use pollster::block_on;
use tilepress::device::{DeviceChoice, Precision, open};
use tilepress::model::{Architecture, Choices, ModelConfig, Network, StateTensor, Stem, state};

/// A file is refused, and the network is as it was; or it has the file's weights and saves them.
pub(crate) fn network(bytes: &[u8]) {
    thread_local! {
        static FRESH: Network = fresh();
    }
    let mut network = FRESH.with(Clone::clone);
    let before = weights(&network);
    match network.load_safetensors(bytes) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(same(&weights(&network), &before), "a refused file changed the network");
        }
        Ok(()) => {
            let saved = block_on(network.to_safetensors()).expect("the CPU answers");
            let mut again = FRESH.with(Clone::clone);
            again.load_safetensors(&saved).expect("its own file");
            assert!(same(&weights(&again), &weights(&network)), "other weights than were saved");
        }
    }
}

fn fresh() -> Network {
    let device = block_on(open(DeviceChoice::Cpu)).expect("every machine has a CPU").device;
    let network = Architecture::ConvNet.with(Choices { width: 8, stem: Stem::ImageNet });
    let config = ModelConfig { network, classes: 4, image_size: 16, precision: Precision::Full };
    config.init(0, &device).expect("a valid network")
}

fn weights(network: &Network) -> Vec<StateTensor> {
    block_on(state(network)).expect("the CPU answers")
}

/// Bit for bit: a file may hold numbers that are none.
fn same(ours: &[StateTensor], theirs: &[StateTensor]) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(a, b)| {
            let bits =
                |tensor: &StateTensor| tensor.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            a.name == b.name && a.shape == b.shape && bits(a) == bits(b)
        })
}
