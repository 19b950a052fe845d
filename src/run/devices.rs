//! The devices of a run.

use crate::device::Opened;

/// The opened devices of a run: the CPU alone, or one or several GPUs of one kind, which take independent trainings.
#[derive(Clone, Debug)]
pub struct Devices(Vec<Opened>);

impl From<Opened> for Devices {
    fn from(opened: Opened) -> Self {
        Self(vec![opened])
    }
}

impl Devices {
    /// Devices that are opened.
    ///
    /// # Panics
    /// When there is none.
    pub fn of(opened: Vec<Opened>) -> Self {
        assert!(!opened.is_empty(), "a run has a device");
        Self(opened)
    }

    /// `true` where the device is the CPU.
    pub fn is_cpu(&self) -> bool {
        self.first().is_cpu
    }

    /// The first device.
    pub fn first(&self) -> &Opened {
        &self.0[0]
    }

    /// Names of all, for people.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|opened| opened.name.as_str()).collect();
        names.join(", ")
    }

    /// Number of devices, at least 1.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A device by its place.
    pub(super) fn at(&self, place: usize) -> &Opened {
        &self.0[place]
    }

    /// Shares jobs of so many steps each out among the devices: neighbours, who often have the same images, stay together,
    /// and each device has about as many steps. Gives the jobs of each device that has any.
    pub(super) fn share_out<T>(&self, jobs: Vec<T>, steps: impl Fn(&T) -> usize) -> Vec<(&Opened, Vec<T>)> {
        let total = jobs.iter().map(&steps).sum::<usize>().max(1) as u128;
        let mut shares: Vec<(&Opened, Vec<T>)> = self.0.iter().map(|device| (device, Vec::new())).collect();
        let mut before = 0;
        for job in jobs {
            let own = steps(&job);
            // The device in whose part of all steps the job's middle lies.
            let place = (2 * before + own) as u128 * self.0.len() as u128 / (2 * total);
            shares[(place as usize).min(self.0.len() - 1)].1.push(job);
            before += own;
        }
        shares.retain(|(_, jobs)| !jobs.is_empty());
        shares
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn devices(count: usize) -> Devices {
        let name = |place| format!("number {place}");
        let opened = |place| Opened { device: Device::flex(), name: name(place), is_cpu: false };
        Devices::of((0..count).map(opened).collect())
    }

    fn shares(count: usize, steps: &[usize]) -> Vec<Vec<usize>> {
        let devices = devices(count);
        devices.share_out(steps.to_vec(), |&steps| steps).into_iter().map(|(_, jobs)| jobs).collect()
    }

    #[test]
    fn each_device_has_about_as_many_steps_and_neighbours_stay_together() {
        assert_eq!(shares(2, &[5, 5, 5, 5]), [[5, 5], [5, 5]]);
        assert_eq!(shares(2, &[9, 1, 1, 1, 6]), [vec![9], vec![1, 1, 1, 6]]);
        assert_eq!(shares(1, &[3, 4]), [[3, 4]]);
    }

    #[test]
    fn fewer_jobs_than_devices_have_a_device_each() {
        assert_eq!(shares(4, &[7, 7]), [[7], [7]]);
        assert_eq!(shares(8, &[0]), [[0]]);
        assert!(shares(3, &[]).is_empty());
    }
}
