//! NVIDIA's system extensions on a node: which there are, and whether they fit together.
//!
//! Pure. Source of the names and version forms: the extensions' own manifests (talos-api facts, F.1): a kernel module
//! extension is `<driver>-<talos tag>`, the toolkit `<driver>-<toolkit>`, the fabric manager `<driver>`.

/// A system extension as the node reports it. The id is of no use: Image Factory numbers its layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// What part an NVIDIA extension plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Open kernel modules.
    OpenModules,
    /// Proprietary kernel modules.
    ProprietaryModules,
    /// Container toolkit.
    Toolkit,
    /// Fabric manager, for NVSwitch machines.
    FabricManager,
}

impl Part {
    /// The part that an extension of this name plays; with and without `-lts` and `-production` (Talos 1.8 added them).
    pub(crate) fn of(name: &str) -> Option<Self> {
        let base = name.strip_suffix("-lts").or_else(|| name.strip_suffix("-production")).unwrap_or(name);
        match base {
            "nvidia-open-gpu-kernel-modules" => Some(Self::OpenModules),
            "nonfree-kmod-nvidia" => Some(Self::ProprietaryModules),
            "nvidia-container-toolkit" => Some(Self::Toolkit),
            "nvidia-fabricmanager" => Some(Self::FabricManager),
            _ => None,
        }
    }

    fn is_modules(self) -> bool {
        matches!(self, Self::OpenModules | Self::ProprietaryModules)
    }
}

/// Driver version and the rest. A driver version never has a dash; a Talos tag may (`v1.15.0-alpha.0`).
fn split(version: &str) -> (&str, Option<&str>) {
    version.split_once('-').map_or((version, None), |(driver, rest)| (driver, Some(rest)))
}

impl Extension {
    /// The part that it plays; `None` when it is none of NVIDIA's driver.
    pub(crate) fn part(&self) -> Option<Part> {
        Part::of(&self.name)
    }

    /// The driver that it belongs to.
    pub(crate) fn driver(&self) -> Option<&str> {
        self.part().map(|_| split(&self.version).0)
    }

    /// The Talos that its modules were built for.
    pub(crate) fn built_for(&self) -> Option<&str> {
        self.part().filter(|part| part.is_modules()).and_then(|_| split(&self.version).1)
    }

    /// Name and version, as a message names it.
    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// What is wrong with the extensions of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misfit<'a> {
    /// No kernel module extension.
    NoModules,
    /// More than one.
    SeveralModules(Vec<&'a Extension>),
    /// The kernel modules were built for another Talos.
    OtherTalos(&'a Extension),
    /// This other part is of another driver than the kernel modules.
    OtherDriver { modules: &'a Extension, other: &'a Extension, what: &'static str },
}

/// What is wrong with the extensions of a node that runs the Talos `talos`, such as `v1.13.9`.
pub(crate) fn misfits<'a>(extensions: &'a [Extension], talos: &str) -> Vec<Misfit<'a>> {
    let all: Vec<&Extension> = extensions.iter().filter(|e| e.part().is_some_and(Part::is_modules)).collect();
    let modules = match all.as_slice() {
        [] => return vec![Misfit::NoModules],
        [one] => *one,
        _ => return vec![Misfit::SeveralModules(all)],
    };
    let mut misfits = Vec::new();
    if modules.built_for() != Some(talos) {
        misfits.push(Misfit::OtherTalos(modules));
    }
    for (part, what) in [(Part::Toolkit, "toolkit"), (Part::FabricManager, "fabric manager")] {
        let others = extensions.iter().filter(|e| e.part() == Some(part) && e.driver() != modules.driver());
        misfits.extend(others.map(|other| Misfit::OtherDriver { modules, other, what }));
    }
    misfits
}

/// What is wrong with the extensions of a node, one sentence or two each; empty when nothing is.
///
/// `talos` is the running version's tag, such as `v1.13.9`.
pub(crate) fn problems(extensions: &[Extension], talos: &str) -> Vec<String> {
    misfits(extensions, talos).iter().map(|misfit| misfit.text(talos)).collect()
}

impl Misfit<'_> {
    fn text(&self, talos: &str) -> String {
        match self {
            Self::NoModules => format!(
                "No kernel module extension is installed, so there is nothing to load. Install nvidia-open-gpu-kernel-modules-lts or nonfree-kmod-nvidia-lts (or their -production form) for Talos {talos}, together with nvidia-container-toolkit of the same driver, by an Image Factory schematic and an upgrade of the node."
            ),
            Self::SeveralModules(several) => format!(
                "{} kernel module extensions are installed ({}), and only one may be: they hold the same modules. Keep one in the schematic and upgrade the node.",
                several.len(),
                several.iter().map(|e| e.full_name()).collect::<Vec<_>>().join(", ")
            ),
            Self::OtherTalos(modules) => format!(
                "{} was built for Talos {}, and the node runs {talos}: its kernel would refuse the modules. Install {} {}-{talos} (the schematic of this very version).",
                modules.full_name(),
                modules.built_for().unwrap_or("of an unknown version"),
                modules.name,
                modules.driver().unwrap_or_default(),
            ),
            Self::OtherDriver { modules, other, what } => format!(
                "The kernel modules are of driver {driver} ({}) and the {what} is of driver {} ({}): they only work together when both are the same. Install the {what} extension of driver {driver}, or the kernel modules of {}.",
                modules.full_name(),
                other.driver().unwrap_or_default(),
                other.full_name(),
                other.driver().unwrap_or_default(),
                driver = modules.driver().unwrap_or_default(),
            ),
        }
    }
}

/// The only kernel module extension; `None` when there is none or more than one.
pub(crate) fn only_modules(extensions: &[Extension]) -> Option<&Extension> {
    let mut modules = extensions.iter().filter(|e| e.part().is_some_and(Part::is_modules));
    modules.next().filter(|_| modules.next().is_none())
}

/// The installed container toolkit: with it, a boot without the module `nvidia` does not finish.
pub(crate) fn toolkit(extensions: &[Extension]) -> Option<&Extension> {
    extensions.iter().find(|e| Part::of(&e.name) == Some(Part::Toolkit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(extensions: &[(&str, &str)], talos: &str) -> Vec<String> {
        let extensions: Vec<Extension> = extensions
            .iter()
            .map(|(name, version)| Extension { name: (*name).into(), version: (*version).into() })
            .collect();
        problems(&extensions, talos)
    }

    #[test]
    fn extensions_that_fit_have_no_problems() {
        let other = ("modules.dep", "6.18.44-talos");
        for (modules, toolkit, talos) in [
            (
                ("nvidia-open-gpu-kernel-modules-lts", "580.178.04-v1.13.9"),
                ("nvidia-container-toolkit-lts", "580.178.04-v1.19.1"),
                "v1.13.9",
            ),
            (
                ("nonfree-kmod-nvidia-production", "595.71.05-v1.14.0-alpha.1"),
                ("nvidia-container-toolkit-production", "595.71.05-v1.19.1"),
                "v1.14.0-alpha.1",
            ),
            (
                ("nonfree-kmod-nvidia", "535.129.03-v1.8.0"),
                ("nvidia-container-toolkit", "535.129.03-v1.14.6"),
                "v1.8.0",
            ),
        ] {
            assert_eq!(check(&[other, modules, toolkit], talos), Vec::<String>::new());
        }
    }

    #[test]
    fn each_problem_names_both_versions_and_what_to_install() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
        let cases: [Case<'_>; 5] = [
            (&[("schematic", "abc")], &["No kernel module extension", "v1.13.9"]),
            (
                &[
                    ("nvidia-open-gpu-kernel-modules-lts", "580.1-v1.13.9"),
                    ("nonfree-kmod-nvidia-lts", "580.1-v1.13.9"),
                ],
                &[
                    "nvidia-open-gpu-kernel-modules-lts 580.1-v1.13.9",
                    "nonfree-kmod-nvidia-lts 580.1-v1.13.9",
                    "only one",
                ],
            ),
            (
                &[("nvidia-open-gpu-kernel-modules-lts", "580.1-v1.12.0")],
                &["built for Talos v1.12.0", "runs v1.13.9", "580.1-v1.13.9"],
            ),
            (
                &[
                    ("nvidia-open-gpu-kernel-modules-lts", "580.1-v1.13.9"),
                    ("nvidia-container-toolkit-production", "595.2-v1.19.1"),
                ],
                &["driver 580.1", "driver 595.2", "toolkit"],
            ),
            (
                &[("nvidia-open-gpu-kernel-modules-lts", "580.1-v1.13.9"), ("nvidia-fabricmanager-lts", "595.2")],
                &["driver 580.1", "driver 595.2", "fabric manager"],
            ),
        ];
        for (extensions, expected) in cases {
            let found = check(extensions, "v1.13.9");
            assert_eq!(found.len(), 1, "{extensions:?}: {found:?}");
            for part in expected {
                assert!(found[0].contains(part), "{found:?} lacks {part}");
            }
        }
    }
}
