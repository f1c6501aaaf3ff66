//! Readers of the files that NVIDIA's driver has below `/proc/driver/nvidia`. Pure; no input is an error.
//!
//! Sources of the forms: NVIDIA's open-gpu-kernel-modules (talos-api facts, F.5).

/// The driver in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Driver {
    /// `595.91.07`.
    pub(super) version: String,
    pub(super) flavor: Flavor,
}

/// Which of NVIDIA's kernel modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavor {
    Open,
    Proprietary,
}

impl Flavor {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Proprietary => "proprietary",
        }
    }
}

/// Reads `/proc/driver/nvidia/version`: `NVRM version: NVIDIA UNIX x86_64 Kernel Module  595.58.03  <date>`, or
/// `… UNIX Open Kernel Module for aarch64  595.45.04  Release Build …`. The line about the compiler says nothing.
pub(super) fn driver(text: &[u8]) -> Option<Driver> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().find_map(|line| line.trim().strip_prefix("NVRM version:"))?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (flavor, version) = match words.as_slice() {
        ["NVIDIA", "UNIX", "Open", "Kernel", "Module", "for", _, version, ..] => (Flavor::Open, *version),
        ["NVIDIA", "UNIX", _, "Kernel", "Module", version, ..] => (Flavor::Proprietary, *version),
        _ => return None,
    };
    is_version(version).then(|| Driver { version: version.to_owned(), flavor })
}

fn is_version(word: &str) -> bool {
    word.contains('.') && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// What the driver says of one GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Information {
    /// `NVIDIA H100 PCIe`.
    pub(super) model: Option<String>,
    /// `GPU-…`; the driver knows it only once the GPU was used or persistenced runs.
    pub(super) uuid: Option<String>,
    /// Its number in `/dev/nvidia0`.
    pub(super) minor: Option<i64>,
    /// The version of its firmware; a GPU without a GSP has none.
    pub(super) firmware: Option<String>,
    /// Whether a parameter of the module keeps it from being used.
    pub(super) excluded: bool,
}

/// Reads `/proc/driver/nvidia/gpus/<address>/information`: `Key: <tabs> value`, a line each, some of them absent.
pub(super) fn information(text: &[u8]) -> Information {
    let text = String::from_utf8_lossy(text);
    let value = |key: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = pairs.find(|(name, _)| name.trim() == key)?;
        // What the driver does not know yet it writes as question marks.
        Some(value.trim()).filter(|value| !value.is_empty() && !value.contains('?')).map(ToOwned::to_owned)
    };
    Information {
        model: value("Model"),
        uuid: value("GPU UUID"),
        minor: value("Device Minor").and_then(|number| number.parse().ok()),
        firmware: value("GPU Firmware").filter(|version| version != "N/A"),
        excluded: value("GPU Excluded").is_some_and(|word| word == "Yes"),
    }
}

/// The names in a listed folder, the folder itself left out.
pub(super) fn names(listing: &[talos::client::FileInfo]) -> impl Iterator<Item = &str> {
    listing.iter().map(|item| item.relative_path.as_str()).filter(|name| *name != "." && !name.is_empty())
}

/// The driver that a device is bound to: its `driver` is a link, and a listing of that begins with where it leads.
pub(super) fn bound_driver(listing: &[talos::client::FileInfo]) -> Option<String> {
    let name = listing.first()?.path.rsplit('/').next()?;
    (!name.is_empty() && name != "driver").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn the_version_line_of_both_flavours_and_architectures_is_read() {
        let rows = [
            (
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  515.65.01  Wed Jul 20 14:00:58 UTC 2022\nGCC version:  gcc version 12.2.0 (GCC) \n",
                Some(("515.65.01", Flavor::Proprietary)),
            ),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.45.04  Release Build  (user@host)  Thu Feb 26 23:19:38 UTC 2026\nGCC version:\n",
                Some(("595.45.04", Flavor::Open)),
            ),
            (
                "NVRM version: NVIDIA UNIX aarch64 Kernel Module  580.105.08  Tue Oct 21 09:59:33 UTC 2025\n",
                Some(("580.105.08", Flavor::Proprietary)),
            ),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  570.86  Release Build\n",
                Some(("570.86", Flavor::Open)),
            ),
            ("NVRM version: NVIDIA UNIX x86_64 Kernel Module\n", None),
            ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  latest\n", None),
            ("GCC version: 1.2\n", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let found = driver(text.as_bytes());
            assert_eq!(found.as_ref().map(|d| (d.version.as_str(), d.flavor)), expected, "{text}");
        }
    }

    #[test]
    fn the_information_of_a_gpu_is_read_with_what_is_not_known_yet_left_out() {
        let known = "Model: \t\t NVIDIA H100 PCIe\nIRQ:   \t\t 120\nGPU UUID: \t GPU-0d1e2f3a-0000-4000-8000-000000000001\nVideo BIOS: \t 96.00.74.00.1c\nBus Type: \t PCIe\nBus Location: \t 0000:01:00.0\nDevice Minor: \t 3\nGPU Firmware: \t 595.91.07\nGPU Excluded:\t No\n";
        assert_eq!(
            information(known.as_bytes()),
            Information {
                model: Some("NVIDIA H100 PCIe".into()),
                uuid: Some("GPU-0d1e2f3a-0000-4000-8000-000000000001".into()),
                minor: Some(3),
                firmware: Some("595.91.07".into()),
                excluded: false,
            }
        );
        // Without its line, and as older drivers write what they do not know; a GPU without a GSP.
        let fresh = "Model: \t\t Tesla V100\nDevice Minor: \t 0\nGPU Firmware: \t N/A\nGPU Excluded:\t Yes\n";
        for line in ["", "GPU UUID: \t GPU-????????-????-????-????-????????????\n"] {
            assert_eq!(
                information(format!("{fresh}{line}").as_bytes()),
                Information {
                    model: Some("Tesla V100".into()),
                    minor: Some(0),
                    excluded: true,
                    ..Information::default()
                }
            );
        }
        // In MIG mode the file is the same: the instances have UUIDs of their own, which are not in it.
        assert_eq!(information(b"").model, None);
    }

    fn item(path: &str, relative_path: &str) -> talos::client::FileInfo {
        talos::client::FileInfo {
            path: path.into(),
            relative_path: relative_path.into(),
            size: 0,
            mode: 0,
            modified: UNIX_EPOCH,
            is_dir: false,
            link: String::new(),
            error: String::new(),
        }
    }

    #[test]
    fn a_listing_tells_names_and_where_a_link_leads() {
        let gpus =
            [item("/proc/driver/nvidia/gpus", "."), item("/proc/driver/nvidia/gpus/0000:01:00.0", "0000:01:00.0")];
        assert_eq!(names(&gpus).collect::<Vec<_>>(), ["0000:01:00.0"]);
        assert_eq!(bound_driver(&[item("/sys/bus/pci/drivers/vfio-pci", ".")]).as_deref(), Some("vfio-pci"));
        assert_eq!(bound_driver(&[item("/sys/bus/pci/devices/0000:01:00.0/driver", ".")]), None, "it leads nowhere");
        assert_eq!(bound_driver(&[]), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            driver(&bytes);
            information(&bytes);
        }

        #[test]
        fn any_text_near_the_real_forms_is_read_without_a_panic(
            version in "NVRM version:[ \\t]{0,3}(NVIDIA|UNIX|Open|Kernel|Module|for|x86_64|[0-9.]{0,6}|[ \\t\\n]){0,9}",
            gpu in "((Model|GPU UUID|Device Minor|GPU Firmware|GPU Excluded|\\PC{0,3}):{0,2}[ \\t]{0,3}(Yes|N/A|[0-9?]{0,30}|\\PC{0,5})\\n){0,6}",
            path in "/{0,2}\\PC{0,20}/{0,2}",
        ) {
            if let Some(driver) = driver(version.as_bytes()) {
                assert!(driver.version.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{driver:?}");
            }
            let read = information(gpu.as_bytes());
            assert!(read.uuid.is_none_or(|uuid| !uuid.contains('?')));
            bound_driver(&[item(&path, ".")]);
        }
    }
}
