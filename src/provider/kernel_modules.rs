//! Kernel modules of a node: their names, their live state, and why one did not load.
//!
//! Pure. Sources: `/proc/modules` of the kernel, Talos's LoadedKernelModules and KernelModuleStatuses, and the texts
//! of its KernelModuleSpecController (talos-api facts, K.1.3).

use std::collections::BTreeMap;

/// The modules of NVIDIA's guide, in its order.
pub(crate) const GUIDE: [&str; 4] = ["nvidia", "nvidia_uvm", "nvidia_drm", "nvidia_modeset"];

/// How the kernel knows a module: `nvidia-uvm` and `nvidia_uvm` are one.
pub(crate) fn kernel_name(name: &str) -> String {
    name.replace('-', "_")
}

/// State of a configured module on the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModuleState {
    /// Loaded and working, or part of the kernel.
    Live,
    /// On its way in.
    Loading,
    /// On its way out.
    Unloading,
    /// Not there.
    NotLoaded,
}

impl ModuleState {
    /// As the attribute `module_state` shows it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Loading => "loading",
            Self::Unloading => "unloading",
            Self::NotLoaded => "not loaded",
        }
    }

    /// Reads the word of `/proc/modules`.
    fn from_word(word: &str) -> Self {
        match word {
            "Live" => Self::Live,
            "Loading" => Self::Loading,
            "Unloading" => Self::Unloading,
            _ => Self::NotLoaded,
        }
    }
}

/// States of loaded modules by kernel name.
pub(crate) type States = BTreeMap<String, ModuleState>;

/// Reads `/proc/modules`: `name size refcount dependants state address [taint]`; lines of another form are passed over.
pub(crate) fn parse_proc_modules(text: &[u8]) -> States {
    String::from_utf8_lossy(text)
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let name = words.next()?;
            let state = words.nth(3)?;
            Some((kernel_name(name), ModuleState::from_word(state)))
        })
        .collect()
}

/// The state of each configured module, by its name as configured.
pub(crate) fn states_of<'a>(
    configured: impl IntoIterator<Item = &'a str>,
    loaded: &States,
) -> BTreeMap<String, ModuleState> {
    configured
        .into_iter()
        .map(|name| (name.to_owned(), loaded.get(&kernel_name(name)).copied().unwrap_or(ModuleState::NotLoaded)))
        .collect()
}

/// Why Talos could not load a module, as its controller says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadFailure {
    /// The controller's own words.
    pub(crate) text: String,
    /// What it means and what to do.
    pub(crate) advice: &'static str,
    /// Trying again cannot help before a reboot or a change of the node.
    pub(crate) is_final: bool,
}

/// The failure of `module` in one error of the KernelModuleSpecController, which holds a line for each module.
pub(crate) fn load_failure(module: &str, error: &str) -> Option<LoadFailure> {
    let wanted = kernel_name(module);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut lines = error.lines().map(str::trim);
    // The module that was asked for stands in quotes; behind it may stand another one that it needs.
    let line = lines
        .clone()
        .find(|line| line.split('"').nth(1).is_some_and(|asked| kernel_name(asked) == wanted))
        .or_else(|| lines.find(|line| line.split(|c| !is_word(c)).any(|word| kernel_name(word) == wanted)))?;
    let lower = line.to_ascii_lowercase();
    let (advice, is_final) = if lower.contains("module not found") || lower.contains("no such file") {
        (
            "No installed extension holds this module: install an NVIDIA kernel module extension built for this Talos version and upgrade the node, then apply again.",
            true,
        )
    } else if lower.contains("no such device") {
        (
            "The module found no GPU that it can drive: check that the node has an NVIDIA GPU, that it is not bound to another driver (vfio-pci), and that the open modules support it (Turing or newer; older GPUs need nonfree-kmod-nvidia).",
            true,
        )
    } else if lower.contains("key was rejected") || lower.contains("required key not available") {
        (
            "The kernel refused the module's signature: the extension is of another Talos build. Use the schematic of this very version and upgrade the node.",
            true,
        )
    } else if lower.contains("exec format error") || lower.contains("unknown symbol") {
        (
            "The module was built for another kernel: use the extension of this very Talos version and upgrade the node.",
            true,
        )
    } else if lower.contains("invalid argument") || lower.contains("unknown parameter") {
        (
            "The kernel refused the module or one of its parameters: check `parameters`, and the node's kernel log (talosctl dmesg).",
            true,
        )
    } else {
        ("Look at the node's logs: talosctl logs controller-runtime, talosctl dmesg.", false)
    };
    Some(LoadFailure { text: line.to_owned(), advice, is_final })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_modules_of_old_and_new_kernels_is_read() {
        let text = b"nvidia_uvm 1884160 - - Live 0xffffffffc3f79000 (PO)\nnvidia 39047168 3 nvidia_uvm,nvidia_drm, Live 0xffffffffc00ac000 (O)\n\
            nvidia_drm 73728 0 - Loading 0x0\ngarbage\n\xff\xfe\n";
        let states = parse_proc_modules(text);
        assert_eq!(states.get("nvidia"), Some(&ModuleState::Live));
        assert_eq!(states.get("nvidia_uvm"), Some(&ModuleState::Live));
        assert_eq!(states.get("nvidia_drm"), Some(&ModuleState::Loading));
        assert_eq!(states.len(), 3);
    }

    #[test]
    fn names_with_dashes_are_the_kernels_names_with_underscores() {
        let states = States::from([("nvidia_uvm".to_owned(), ModuleState::Live)]);
        let found = states_of(["nvidia-uvm", "nvidia"], &states);
        assert_eq!(found["nvidia-uvm"], ModuleState::Live);
        assert_eq!(found["nvidia"], ModuleState::NotLoaded);
    }

    #[test]
    fn a_failure_is_found_by_its_module_and_no_other() {
        let error = "error loading module \"gdrdrv\": module not found\nerror loading module \"nvidia_peermem\": load nvidia_peermem failed: invalid argument\nerror loading module \"nvidia\": load nvidia failed: no such device";
        for (module, text, is_final) in [
            ("nvidia", "no such device", true),
            ("gdrdrv", "module not found", true),
            ("nvidia-peermem", "invalid argument", true),
        ] {
            let failure = load_failure(module, error).map(|f| (f.text.contains(text), f.is_final));
            assert_eq!(failure, Some((true, is_final)), "{module}");
        }
        assert_eq!(load_failure("nvidia_uvm", error), None);
    }

    #[test]
    fn a_module_that_another_one_needs_is_told_from_it() {
        let error = "error loading module \"nvidia_drm\": load nvidia_modeset failed: key was rejected by service\nerror loading module \"nvidia_modeset\": load nvidia_modeset failed: key was rejected by service";
        let text = load_failure("nvidia_modeset", error).map(|failure| failure.text);
        assert!(text.is_some_and(|text| text.starts_with("error loading module \"nvidia_modeset\"")));
        let needed = load_failure(
            "nvidia_modeset",
            "error loading module \"nvidia_drm\": load nvidia_modeset failed: invalid argument",
        );
        assert!(needed.is_some(), "its own line may not be there yet");
    }

    #[test]
    fn a_reason_that_is_not_known_is_not_final() {
        let failure = load_failure("nvidia", "error loading module \"nvidia\": load nvidia failed: resource busy");
        assert_eq!(failure.map(|f| f.is_final), Some(false));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, module in ".*", error in ".*") {
            parse_proc_modules(&bytes);
            load_failure(&module, &error);
        }
    }
}
