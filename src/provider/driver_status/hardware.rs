//! What NVIDIA's PCI devices are, and what follows from that: which need a fabric manager, and which are too old for a
//! driver. Pure.
//!
//! Ids are those of the PCI database. The rules about old GPUs are NVIDIA's: the open modules need a GSP, which came with
//! Turing, and 580 is the last driver for what came before it.

use talos::resource::{Found, PciDevice};

use super::parse::Flavor;

/// A PCI device of NVIDIA's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) address: String,
    pub(super) product: String,
    pub(super) kind: DeviceKind,
    pub(super) product_id: Option<u16>,
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeviceKind {
    Gpu,
    /// A switch between the GPUs of one board.
    NvSwitch,
    /// Sound, USB: what comes along with some GPUs.
    Other,
}

impl From<&Found<PciDevice>> for Device {
    fn from(found: &Found<PciDevice>) -> Self {
        let PciDevice { class_id, subclass_id, product, product_id, .. } = &found.spec;
        let kind = match (hex(class_id), hex(subclass_id)) {
            (Some(0x03), _) => DeviceKind::Gpu,
            (Some(0x06), Some(0x80)) => DeviceKind::NvSwitch,
            _ => DeviceKind::Other,
        };
        Self { address: found.id.clone(), product: product.clone(), kind, product_id: hex(product_id) }
    }
}

/// `0x10de`.
fn hex(text: &str) -> Option<u16> {
    u16::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

/// Why a machine needs a fabric manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NeedsFabricManager {
    /// It has this many NVSwitches.
    Switches(usize),
    /// It has eight or more of a model that is joined by NVSwitches on boards of eight.
    Model { count: usize, product: String },
}

/// Models on boards of eight with NVSwitches. On the boards of four of the same models there are none. The switches of
/// B200 and B300 boards are not on the bus as NVIDIA's, so there the GPUs are the only sign.
const ON_BOARDS_OF_EIGHT: [u16; 14] = [
    0x1db8, // V100 SXM3
    0x20b0, 0x20b2, 0x20bd, 0x20f3, // A100, A800 SXM4
    0x2324, 0x2329, 0x232c, // H800, H20
    0x2330, 0x2336, 0x2339, // H100 SXM5
    0x2335, // H200 SXM
    0x2901, // B200
    0x3182, // B300 SXM6
];

/// Whether the GPUs of a machine can only be used with a fabric manager.
pub(super) fn needs_fabric_manager(devices: &[Device]) -> Option<NeedsFabricManager> {
    let switches = devices.iter().filter(|d| d.kind == DeviceKind::NvSwitch).count();
    if switches > 0 {
        return Some(NeedsFabricManager::Switches(switches));
    }
    let on_boards =
        |d: &&Device| d.kind == DeviceKind::Gpu && d.product_id.is_some_and(|id| ON_BOARDS_OF_EIGHT.contains(&id));
    let gpus: Vec<&Device> = devices.iter().filter(on_boards).collect();
    let first = gpus.first().filter(|_| gpus.len() >= 8)?;
    Some(NeedsFabricManager::Model { count: gpus.len(), product: first.product.clone() })
}

/// Why an old GPU cannot work with a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooOld {
    /// The open modules drive Turing and newer alone.
    ForTheOpenModules,
    /// Drivers after 580 drive Turing and newer alone.
    ForDriversAfter580,
}

/// The first id of Turing; everything before it in NVIDIA's numbering is older.
const TURING: u16 = 0x1e00;

/// The last branch for GPUs before Turing.
const LAST_FOR_OLD: u32 = 580;

/// Whether a GPU is too old for a driver of this flavour and version.
pub(super) fn too_old(device: &Device, flavor: Flavor, driver: &str) -> Option<TooOld> {
    let is_old = device.kind == DeviceKind::Gpu && device.product_id.is_some_and(|id| id < TURING);
    let branch = driver.split('.').next().and_then(|number| number.parse::<u32>().ok());
    match (is_old, flavor) {
        (false, _) => None,
        (true, Flavor::Open) => Some(TooOld::ForTheOpenModules),
        (true, Flavor::Proprietary) => branch.filter(|b| *b > LAST_FOR_OLD).map(|_| TooOld::ForDriversAfter580),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn found(class: (&str, &str), product_id: &str) -> Found<PciDevice> {
        let spec = PciDevice {
            class: String::new(),
            subclass: String::new(),
            vendor: String::new(),
            product: "GPU".into(),
            class_id: class.0.into(),
            subclass_id: class.1.into(),
            vendor_id: "0x10de".into(),
            product_id: product_id.into(),
            driver: String::new(),
        };
        Found { id: "0000:01:00.0".into(), version: 1, updated: UNIX_EPOCH, spec }
    }

    fn gpu(product_id: &str) -> Device {
        Device::from(&found(("0x03", "0x02"), product_id))
    }

    #[test]
    fn a_device_is_known_by_its_class() {
        for (class, kind) in [
            (("0x03", "0x00"), DeviceKind::Gpu),
            (("0x03", "0x02"), DeviceKind::Gpu),
            (("0x06", "0x80"), DeviceKind::NvSwitch),
            (("0x06", "0x04"), DeviceKind::Other),
            (("0x04", "0x03"), DeviceKind::Other),
            (("", ""), DeviceKind::Other),
        ] {
            assert_eq!(Device::from(&found(class, "0x2331")).kind, kind, "{class:?}");
        }
        assert_eq!(gpu("0x2331").product_id, Some(0x2331));
        assert_eq!(gpu("none").product_id, None);
    }

    #[test]
    fn switches_or_a_full_board_need_a_fabric_manager() {
        let switch = Device::from(&found(("0x06", "0x80"), "0x22a3"));
        assert_eq!(needs_fabric_manager(&[gpu("0x2330"), switch]), Some(NeedsFabricManager::Switches(1)));
        let full = NeedsFabricManager::Model { count: 8, product: "GPU".into() };
        assert_eq!(needs_fabric_manager(&vec![gpu("0x2901"); 8]), Some(full));
        assert_eq!(needs_fabric_manager(&vec![gpu("0x2330"); 4]), None, "a board of four has no switches");
        assert_eq!(needs_fabric_manager(&vec![gpu("0x2331"); 8]), None, "a card has none either");
    }

    #[test]
    fn gpus_before_turing_need_the_proprietary_modules_of_580_or_older() {
        for (id, flavor, driver, expected) in [
            ("0x1b81", Flavor::Open, "580.105.08", Some(TooOld::ForTheOpenModules)),
            ("0x1db4", Flavor::Proprietary, "595.91.07", Some(TooOld::ForDriversAfter580)),
            ("0x1db4", Flavor::Proprietary, "580.105.08", None),
            ("0x1eb8", Flavor::Open, "595.91.07", None),
            ("0x2331", Flavor::Proprietary, "595.91.07", None),
            ("", Flavor::Open, "595.91.07", None),
        ] {
            assert_eq!(too_old(&gpu(id), flavor, driver), expected, "{id} {flavor:?} {driver}");
        }
    }
}
