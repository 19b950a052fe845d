//! How several devices are named.

use serde::Serialize;

use super::choice::DeviceChoice;

/// Devices among which independent trainings are shared, as a user names them: one as in [`DeviceChoice`], several of one
/// kind by their numbers (`cuda:0,cuda:1`), or all NVIDIA GPUs (`cuda:all`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum DeviceList {
    /// Devices by name, at least one; several are of one kind, and none is named twice.
    Named(Vec<DeviceChoice>),
    /// All NVIDIA GPUs.
    AllCuda,
}

impl Default for DeviceList {
    fn default() -> Self {
        DeviceChoice::default().into()
    }
}

impl From<DeviceChoice> for DeviceList {
    fn from(choice: DeviceChoice) -> Self {
        Self::Named(vec![choice])
    }
}

impl std::fmt::Display for DeviceList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(choices) => {
                for (place, choice) in choices.iter().enumerate() {
                    write!(f, "{}{choice}", if place == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Self::AllCuda => f.write_str("cuda:all"),
        }
    }
}

impl From<DeviceList> for String {
    fn from(list: DeviceList) -> Self {
        list.to_string()
    }
}

impl std::str::FromStr for DeviceList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "cuda:all" {
            return Ok(Self::AllCuda);
        }
        let choices: Vec<DeviceChoice> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        if choices.len() > 1 {
            // Networks that are compared must not differ by the rounding of their devices.
            let kind = |choice: &DeviceChoice| std::mem::discriminant(choice);
            if choices.iter().any(|choice| kind(choice) != kind(&choices[0])) {
                return Err(format!(
                    "'{text}' mixes kinds of devices, whose numbers differ in the last digits; give several of one kind"
                ));
            }
            for (place, choice) in choices.iter().enumerate() {
                if !choice.has_index() {
                    return Err(format!(
                        "'{text}' names several devices, and '{choice}' has no number; give each its own, as in cuda:0,cuda:1"
                    ));
                }
                if choices[..place].contains(choice) {
                    return Err(format!("'{text}' names {choice} twice"));
                }
            }
        }
        Ok(Self::Named(choices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_what_it_writes() {
        for text in ["auto", "cpu", "cuda:1", "cuda:0,cuda:1", "wgpu:2,wgpu:0", "cuda:all"] {
            assert_eq!(text.parse::<DeviceList>().expect("a list").to_string(), text);
        }
    }

    #[test]
    fn a_list_that_cannot_be_shared_fairly_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "is not a device"),
            ("cuda:0,", "is not a device"),
            ("wgpu:all", "is not a device"),
            ("cuda:all,cuda:0", "is not a device"),
            ("cuda:0,vulkan:0", "mixes kinds"),
            ("cpu,cuda:0", "mixes kinds"),
            ("cuda,cuda:1", "has no number"),
            ("cpu,cpu", "has no number"),
            ("cuda:1,cuda:0,cuda:1", "names cuda:1 twice"),
        ] {
            let error = text.parse::<DeviceList>().expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
