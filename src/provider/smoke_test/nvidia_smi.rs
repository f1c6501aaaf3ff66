//! What nvidia-smi prints, read as far as the attributes need it.
//!
//! Its manual promises no format, and the format did change: the header said `Driver Version` and `CUDA Version` up to
//! driver 59x and says `KMD Version` and `CUDA UMD Version` from 610 on; the table's columns were widened in 530 and 545.
//! So nothing here counts columns: a header is known by its labels, a GPU's row by the PCI address in it. Read are the
//! table, `nvidia-smi -L` and `nvidia-smi -q`; of anything else nothing is claimed.

/// What an output says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// The version of the kernel module: `580.95.05`.
    pub(super) driver_version: Option<String>,
    /// The newest CUDA that the driver's libraries serve: `13.0`.
    pub(super) cuda_version: Option<String>,
    /// In nvidia-smi's order; none when the output is not one that lists GPUs.
    pub(super) gpus: Option<Vec<Gpu>>,
}

/// One GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gpu {
    /// nvidia-smi's index.
    pub(super) index: u32,
    /// The product, as it is printed: the tables of older drivers cut it (`Tesla P100-PCIE...`).
    pub(super) name: String,
    /// A part of it could not be read (`ERR!`): it has failed or is about to.
    pub(super) failing: bool,
}

/// What nvidia-smi prints where a part of a GPU does not answer.
const ERROR: &str = "ERR!";

impl Report {
    /// Reads an output, whatever it is.
    pub(super) fn of(output: &str) -> Self {
        let gpus = [table(output), list(output), query(output)].into_iter().flatten().next();
        Self {
            driver_version: version(output, &["KMD Version", "Driver Version", "DRIVER version"]),
            cuda_version: version(output, &["CUDA UMD Version", "CUDA Version"]),
            gpus,
        }
    }

    /// The GPUs that do not answer in part.
    pub(super) fn failing(&self) -> Vec<String> {
        let gpus = self.gpus.iter().flatten().filter(|gpu| gpu.failing);
        gpus.map(|gpu| gpu.index.to_string()).collect()
    }
}

/// The first version that stands behind one of these labels; `N/A`, `ERR!` and remarks are none.
fn version(output: &str, labels: &[&str]) -> Option<String> {
    labels.iter().find_map(|label| output.lines().find_map(|line| version_behind(line, label)))
}

fn version_behind(line: &str, label: &str) -> Option<String> {
    let (_, behind) = line.split_once(label)?;
    let token = behind.trim_start().strip_prefix(':')?.split_whitespace().next()?;
    let is_version = token.starts_with(|c: char| c.is_ascii_digit())
        && token.contains('.')
        && token.chars().all(|c| c.is_ascii_digit() || c == '.');
    is_version.then(|| token.to_owned())
}

/// The table: `| NVIDIA-SMI …` above rows of two lines for each GPU.
fn table(output: &str) -> Option<Vec<Gpu>> {
    let mut lines = output.lines().map(str::trim);
    lines.find(|line| line.starts_with('|') && line.contains("NVIDIA-SMI"))?;
    let mut gpus: Vec<Gpu> = Vec::new();
    let mut in_row = false;
    for line in lines {
        if let Some(gpu) = first_line_of_row(line) {
            in_row = true;
            gpus.push(gpu);
        } else if !line.starts_with('|') {
            in_row = false;
        } else if in_row
            && line.contains(ERROR)
            && let Some(gpu) = gpus.last_mut()
        {
            gpu.failing = true;
        }
    }
    Some(gpus)
}

/// `|   0  NVIDIA A10          On   | 00000000:41:00.0 Off |                    0 |`
fn first_line_of_row(line: &str) -> Option<Gpu> {
    let mut cells = line.strip_prefix('|')?.split('|');
    let (what, place) = (cells.next()?, cells.next()?);
    let address = place.split_whitespace().next()?;
    if !is_pci_address(address) {
        return None;
    }
    let mut words: Vec<&str> = what.split_whitespace().collect();
    // The last word is the persistence or the driver model: On, Off, N/A, TCC, WDDM, MCDM.
    words.pop()?;
    let (index, name) = words.split_first()?;
    Some(Gpu { index: index.parse().ok()?, name: name.join(" "), failing: line.contains(ERROR) })
}

/// `00000000:41:00.0`, `0000:03:00.0`.
fn is_pci_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '.']).collect();
    let hex = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_hexdigit());
    parts.len() == 4 && text.matches(':').count() == 2 && parts.iter().all(hex)
}

/// `GPU 0: NVIDIA A100-PCIE-40GB (UUID: GPU-…)`; MIG devices stand indented beneath theirs.
fn list(output: &str) -> Option<Vec<Gpu>> {
    let gpus: Vec<Gpu> = output.lines().filter_map(listed).collect();
    (!gpus.is_empty()).then_some(gpus)
}

fn listed(line: &str) -> Option<Gpu> {
    let (index, rest) = line.strip_prefix("GPU ")?.split_once(": ")?;
    let (name, _) = rest.split_once(" (UUID: ")?;
    Some(Gpu { index: index.parse().ok()?, name: name.trim().to_owned(), failing: name.contains(ERROR) })
}

/// `nvidia-smi -q`: `Attached GPUs : 2`, then `Product Name : …` of each.
fn query(output: &str) -> Option<Vec<Gpu>> {
    let value = |line: &str, label: &str| -> Option<String> {
        let (name, value) = line.split_once(':')?;
        (name.trim() == label).then(|| value.trim().to_owned())
    };
    output.lines().find_map(|line| value(line, "Attached GPUs"))?;
    let names = output.lines().filter_map(|line| value(line, "Product Name"));
    let gpu = |(index, name): (usize, String)| {
        let failing = name.contains(ERROR);
        Gpu { index: u32::try_from(index).unwrap_or(u32::MAX), name, failing }
    };
    Some(names.enumerate().map(gpu).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One output, and what is read of it: driver, CUDA, and the names of the GPUs.
    fn check(output: &str, driver: Option<&str>, cuda: Option<&str>, gpus: Option<&[&str]>) {
        let report = Report::of(output);
        assert_eq!(report.driver_version.as_deref(), driver, "{output}");
        assert_eq!(report.cuda_version.as_deref(), cuda, "{output}");
        let names: Option<Vec<&str>> =
            report.gpus.as_ref().map(|gpus| gpus.iter().map(|gpu| gpu.name.as_str()).collect());
        assert_eq!(names.as_deref(), gpus, "{output}");
    }

    #[test]
    fn the_table_of_every_generation_of_the_driver_is_read() {
        check(include_str!("nvidia_smi/331.txt"), Some("331.62"), None, Some(&["GeForce GTX 680", "GeForce GTX 680"]));
        check(include_str!("nvidia_smi/470.txt"), Some("470.256.02"), Some("11.4"), Some(&["Tesla P100-PCIE..."]));
        check(include_str!("nvidia_smi/525.txt"), Some("525.147.05"), Some("12.0"), Some(&["Tesla T4", "Tesla T4"]));
        check(include_str!("nvidia_smi/535.txt"), Some("535.274.02"), Some("12.2"), Some(&["NVIDIA A10"]));
        check(include_str!("nvidia_smi/550.txt"), Some("550.144.03"), Some("12.4"), Some(&["NVIDIA GeForce RTX 4090"]));
        check(include_str!("nvidia_smi/570.txt"), Some("570.211.01"), Some("12.8"), Some(&["NVIDIA L40S"; 4]));
        check(include_str!("nvidia_smi/580.txt"), Some("580.105.08"), Some("13.0"), Some(&["NVIDIA GB10"]));
        check(
            include_str!("nvidia_smi/595.txt"),
            Some("595.91.07"),
            Some("13.2"),
            Some(&["NVIDIA H200", "NVIDIA H200"]),
        );
        check(
            include_str!("nvidia_smi/610.txt"),
            Some("610.57.04"),
            Some("13.3"),
            Some(&["NVIDIA B200", "NVIDIA B200"]),
        );
    }

    #[test]
    fn mig_devices_and_processes_are_no_gpus() {
        check(include_str!("nvidia_smi/mig.txt"), Some("535.274.02"), Some("12.2"), Some(&["NVIDIA A30"]));
    }

    #[test]
    fn a_table_without_gpus_lists_none() {
        let header = "| NVIDIA-SMI 580.105.08   Driver Version: 580.105.08   CUDA Version: 13.0 |\n";
        check(header, Some("580.105.08"), Some("13.0"), Some(&[]));
    }

    #[test]
    fn libraries_without_cuda_leave_its_version_out() {
        for none in ["N/A", "ERR!", "Not Found"] {
            let header =
                format!("| NVIDIA-SMI 510.47.03    Driver Version: 510.47.03    CUDA Version: {none}      |\n");
            check(&header, Some("510.47.03"), None, Some(&[]));
        }
        // A kernel module that the tool was not made for: the tool's own version is not the driver's.
        let header = "| NVIDIA-SMI 575.57.08              Driver Version: 570.86.15      CUDA Version: 12.9     |\n";
        check(header, Some("570.86.15"), Some("12.9"), Some(&[]));
    }

    #[test]
    fn a_gpu_that_does_not_answer_in_part_is_named() {
        let report = Report::of(include_str!("nvidia_smi/failing.txt"));
        assert_eq!(report.failing(), ["1", "2"]);
        assert_eq!(report.gpus.map(|gpus| gpus.len()), Some(4));
    }

    #[test]
    fn the_list_of_gpus_is_read() {
        let list = "GPU 0: NVIDIA A100-PCIE-40GB (UUID: GPU-7d6a)\n  MIG 3g.20gb     Device  0: (UUID: MIG-8e1f)\nGPU 1: NVIDIA A100-PCIE-40GB (UUID: GPU-11c2)\n";
        check(list, None, None, Some(&["NVIDIA A100-PCIE-40GB", "NVIDIA A100-PCIE-40GB"]));
    }

    #[test]
    fn the_long_report_is_read() {
        let old = "Driver Version                            : 535.54.03\nCUDA Version                              : 12.2\n\nAttached GPUs                             : 1\nGPU 00000000:00:04.0\n    Product Name                          : NVIDIA A10\n";
        check(old, Some("535.54.03"), Some("12.2"), Some(&["NVIDIA A10"]));
        let new = "Driver Version : [Deprecated]\nKMD Version : 610.43.03\nCUDA Version : [Deprecated]\nCUDA UMD Version : 13.3\nAttached GPUs : 1\n    Product Name : NVIDIA L4\n";
        check(new, Some("610.43.03"), Some("13.3"), Some(&["NVIDIA L4"]));
    }

    #[test]
    fn nothing_is_claimed_of_another_output() {
        for other in [
            "",
            "Hello from CUDA\n[Vector addition of 50000 elements]\nTest PASSED\n",
            "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.309\n",
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
            "No devices were found\n",
            "GPU 0: nothing more\nGPU x: NVIDIA (UUID: 1)\n",
        ] {
            check(other, None, None, None);
        }
    }

    #[test]
    fn carriage_returns_of_a_terminal_change_nothing() {
        let terminal = include_str!("nvidia_smi/580.txt").replace('\n', "\r\n");
        assert_eq!(Report::of(&terminal), Report::of(include_str!("nvidia_smi/580.txt")));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            Report::of(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn any_damage_to_a_table_is_read_without_a_panic(at in 0_usize..2000, length in 0_usize..200, put in ".{0,8}") {
            let whole = include_str!("nvidia_smi/mig.txt").as_bytes();
            let at = at.min(whole.len());
            let end = (at + length).min(whole.len());
            let damaged = [&whole[..at], put.as_bytes(), &whole[end..]].concat();
            Report::of(&String::from_utf8_lossy(&damaged));
        }
    }
}
