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

/// A module in the kernel, as far as the source tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadedModule {
    pub(crate) state: ModuleState,
    /// Bytes.
    pub(crate) size: Option<u64>,
    /// How often it is in use; `None` from a kernel that cannot unload modules and so keeps no counts (Talos 1.8).
    pub(crate) references: Option<i64>,
    /// The modules that use it, which Talos calls its dependencies; `None` as above.
    pub(crate) used_by: Option<Vec<String>>,
    /// The letters of the kernel: `P` proprietary, `O` out of tree, `E` unsigned. Only `/proc/modules` tells them.
    pub(crate) taints: Option<Vec<String>>,
}

/// Loaded modules by kernel name.
pub(crate) type Loaded = BTreeMap<String, LoadedModule>;

/// Reads `/proc/modules`: `name size refcount dependants state address [taint]`; lines of another form are passed over.
pub(crate) fn parse_proc_modules(text: &[u8]) -> Loaded {
    String::from_utf8_lossy(text).lines().filter_map(proc_module).collect()
}

fn proc_module(line: &str) -> Option<(String, LoadedModule)> {
    let mut words = line.split_ascii_whitespace();
    let (name, size, count, users, state) = (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    let references = count.parse().ok();
    // Where the kernel counts, `-` means that nobody uses it; where it does not, that it does not know.
    let used_by = references.map(|_: i64| users_of(users));
    let taints = words.nth(1).map(|word| word.chars().filter(char::is_ascii_alphabetic).map(String::from).collect());
    let module = LoadedModule {
        state: ModuleState::from_word(state),
        size: size.parse().ok(),
        references,
        used_by,
        taints: Some(taints.unwrap_or_default()),
    };
    Some((kernel_name(name), module))
}

/// `nvidia_uvm,nvidia_drm,`; marks such as `[permanent]` are no modules.
fn users_of(word: &str) -> Vec<String> {
    let is_module = |name: &&str| !name.is_empty() && *name != "-" && !name.starts_with('[');
    word.split(',').filter(is_module).map(kernel_name).collect()
}

/// The states alone.
pub(crate) fn states(loaded: &Loaded) -> States {
    loaded.iter().map(|(name, module)| (name.clone(), module.state)).collect()
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

/// What a failure to load means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadCause {
    /// No extension holds the module.
    NotFound,
    /// It found no device that it can drive.
    NoDevice,
    /// Its signature is not of this kernel.
    KeyRejected,
    /// It was built for another kernel.
    OtherKernel,
    /// The kernel refused it or a parameter.
    Refused,
    /// Something else.
    Unknown,
}

/// Why Talos could not load a module, as its controller says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadFailure {
    /// The controller's own words.
    pub(crate) text: String,
    pub(crate) cause: LoadCause,
    /// What it means and what to do.
    pub(crate) advice: &'static str,
    /// Trying again cannot help before a reboot or a change of the node.
    pub(crate) is_final: bool,
}

impl LoadCause {
    /// By the kernel's words, in lower case.
    fn of(line: &str) -> Self {
        let has = |words: [&str; 2]| words.iter().any(|word| line.contains(word));
        if has(["module not found", "no such file"]) {
            Self::NotFound
        } else if line.contains("no such device") {
            Self::NoDevice
        } else if has(["key was rejected", "required key not available"]) {
            Self::KeyRejected
        } else if has(["exec format error", "unknown symbol"]) {
            Self::OtherKernel
        } else if has(["invalid argument", "unknown parameter"]) {
            Self::Refused
        } else {
            Self::Unknown
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::NotFound => {
                "No installed extension holds this module: install an NVIDIA kernel module extension built for this Talos version and upgrade the node, then apply again."
            }
            Self::NoDevice => {
                "The module found no GPU that it can drive: check that the node has an NVIDIA GPU, that it is not bound to another driver (vfio-pci), and that the open modules support it (Turing or newer; older GPUs need nonfree-kmod-nvidia)."
            }
            Self::KeyRejected => {
                "The kernel refused the module's signature: the extension is of another Talos build. Use the schematic of this very version and upgrade the node."
            }
            Self::OtherKernel => {
                "The module was built for another kernel: use the extension of this very Talos version and upgrade the node."
            }
            Self::Refused => {
                "The kernel refused the module or one of its parameters: check `parameters`, and the node's kernel log (talosctl dmesg)."
            }
            Self::Unknown => "Look at the node's logs: talosctl logs controller-runtime, talosctl dmesg.",
        }
    }
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
    let cause = LoadCause::of(&line.to_ascii_lowercase());
    let is_final = cause != LoadCause::Unknown;
    Some(LoadFailure { text: line.to_owned(), cause, advice: cause.advice(), is_final })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_modules_of_old_and_new_kernels_is_read() {
        type Row<'a> = (&'a str, &'a str, ModuleState, u64, Option<i64>, Option<&'a [&'a str]>, &'a [&'a str]);
        let rows: [Row<'_>; 5] = [
            // The guide's own output, of a kernel that cannot unload modules.
            (
                "nvidia_uvm 1482752 - - Live 0xffffffffc3f79000 (PO)",
                "nvidia_uvm",
                ModuleState::Live,
                1_482_752,
                None,
                None,
                &["P", "O"],
            ),
            (
                "nvidia 39047168 3 nvidia_uvm,nvidia-drm, Live 0xffffffffc00ac000 (O)",
                "nvidia",
                ModuleState::Live,
                39_047_168,
                Some(3),
                Some(&["nvidia_uvm", "nvidia_drm"]),
                &["O"],
            ),
            (
                "nvidia_drm 73728 0 - Loading 0x0 (OE+)",
                "nvidia_drm",
                ModuleState::Loading,
                73_728,
                Some(0),
                Some(&[]),
                &["O", "E"],
            ),
            (
                "nvidia_modeset 1 1 [permanent], Unloading 0x0 (PO-)",
                "nvidia_modeset",
                ModuleState::Unloading,
                1,
                Some(1),
                Some(&[]),
                &["P", "O"],
            ),
            ("tun 61440 2 - Live 0x0", "tun", ModuleState::Live, 61_440, Some(2), Some(&[]), &[]),
        ];
        for (line, name, state, size, references, used_by, taints) in rows {
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            let expected = LoadedModule {
                state,
                size: Some(size),
                references,
                used_by: used_by.map(owned),
                taints: Some(owned(taints)),
            };
            assert_eq!(parse_proc_modules(line.as_bytes()), Loaded::from([(name.to_owned(), expected)]));
        }
        let text = b"nvidia 39047168 - - Live 0xffffffffc00ac000 (PO)\ngarbage\n\xff\xfe\nnvidia_uvm 1 - -\n";
        let expected = States::from([("nvidia".to_owned(), ModuleState::Live)]);
        assert_eq!(states(&parse_proc_modules(text)), expected, "what is no line of it is passed over");
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
