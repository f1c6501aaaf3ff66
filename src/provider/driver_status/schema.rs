//! The attributes of `nvidia_driver_status`, each defined once.

use plugin::{Attribute, Mode, Nesting, Schema, Type, validators};

use crate::node_patch::schema::node;

fn text(name: &'static str, description: &str) -> Attribute {
    Attribute::computed(name, Type::String).describe(description)
}

fn flag(name: &'static str, description: &str) -> Attribute {
    Attribute::computed(name, Type::Bool).describe(description)
}

fn number(name: &'static str, description: &str) -> Attribute {
    Attribute::computed(name, Type::Number).describe(description)
}

fn texts(name: &'static str, description: &str) -> Attribute {
    Attribute::computed(name, Type::List(Box::new(Type::String))).describe(description)
}

fn objects(name: &'static str, attributes: Vec<Attribute>, description: &str) -> Attribute {
    Attribute::nested(name, Mode::Computed, Nesting::List, attributes).describe(description)
}

fn object(name: &'static str, attributes: Vec<Attribute>, description: &str) -> Attribute {
    Attribute::nested(name, Mode::Computed, Nesting::Single, attributes).describe(description)
}

pub(super) fn schema() -> Schema {
    Schema {
        version: 0,
        description: "What is there of NVIDIA's driver on one node of Talos Linux at this moment, with a verdict: kernel modules, driver, extensions, GPUs, services, and everything that keeps the node from using its GPUs, each as one sentence. For outputs, `postcondition`s and `check` blocks. It changes nothing and waits for nothing.\n\nWith a client certificate of role `os:reader` it gives what that role may see; the rest is null, `problems` names it, and so `ready` is false. A node that cannot be reached is an error, or with `on_unreachable = \"warn\"` of the provider block `ready = false` and a sentence in `problems`.\n\nTerraform reads a data source while it plans. With `depends_on` on a resource that is about to change the node, it reads in the apply, after the change. Right after a change or a boot the services of NVIDIA's extensions may need some more seconds; `problems` then says so.".into(),
        attributes: vec![
            Attribute::required("node", Type::String)
                .describe("Address of the node: IP or host name, without a port.")
                .validate(validators::text("an IP address or host name without a port", "Invalid node", node)),
            Attribute::optional("endpoint", Type::String)
                .describe("A Talos API endpoint to go through (`host`, `host:port`, `[ipv6]:port`). Unset: the provider's, else the talosconfig context's, else the node itself.")
                .validate(validators::text("a Talos API endpoint", "Invalid endpoint", |given| {
                    given.parse::<talos::Endpoint>().map(|_| ()).map_err(|error| error.to_string())
                })),
            flag("ready", "Whether the node can use its GPUs: exactly when `problems` is empty."),
            texts("problems", "What keeps the node from being ready, one sentence each: what is, what should be, what to do. Ends with what the client certificate's role may not see."),
            text("talos_version", "Talos version that the node runs, such as `v1.13.9`."),
            objects("modules", modules(), "The four modules of NVIDIA's guide, in its order, and any other of NVIDIA's that is loaded. Null up to Talos 1.10 with role `os:reader`."),
            object("driver", vec![
                text("version", "Its version, such as `595.91.07`."),
                text("flavor", "`open` or `proprietary`."),
            ], "The driver in the running kernel, from `/proc/driver/nvidia/version`. Null while none is loaded, and with role `os:reader`."),
            objects("extensions", vec![
                text("name", "Its name, such as `nvidia-container-toolkit-production`."),
                text("version", "Its version as Talos shows it, such as `595.91.07-v1.13.9`."),
                text("driver_version", "The driver that it belongs to, such as `595.91.07`; null for an extension that belongs to none."),
                text("talos_version", "The Talos version that its kernel modules were built for; null for an extension without kernel modules."),
            ], "NVIDIA's system extensions on the node."),
            flag("version_match", "Whether kernel modules, toolkit, fabric manager (where installed) and running driver are of one driver version, and the modules were built for the running Talos. The running driver does not count where it cannot be seen."),
            objects("gpus", vec![
                text("pci_address", "Address on the PCI bus, such as `0000:01:00.0`."),
                text("product", "Name in the PCI database, such as `GH100 [H100 PCIe]`."),
                text("driver", "Kernel driver that it is bound to: `nvidia`, `vfio-pci`; null for none."),
                text("model", "Name that the driver has for it, such as `NVIDIA H100 PCIe`; null until the driver has taken it."),
                text("uuid", "`GPU-…`; null until the driver knows it. The instances of a GPU in MIG mode are not visible to Talos."),
                number("minor", "Its number in `/dev/nvidia0`."),
                text("firmware", "Version of its firmware; null for a GPU that runs without."),
            ], "NVIDIA's GPUs, in order of their PCI addresses."),
            objects("services", vec![
                text("id", "Its name, such as `ext-nvidia-persistenced`."),
                text("state", "`Waiting`, `Running`, `Finished`, `Failed` and so on."),
                flag("healthy", "What its health check says; null where it has none."),
                text("message", "What it said last, such as what it waits for."),
            ], "The services of NVIDIA's extensions."),
            Attribute::computed("sysctls", Type::Map(Box::new(Type::String))).describe("Kernel parameters that NVIDIA's guide is about: `net.core.bpf_jit_harden`, the kernel's own value (with role `os:reader` what Talos wrote last)."),
            object("cdi", vec![
                flag("expected", "Whether this Talos hands GPUs to containers by the Container Device Interface: from 1.13 on."),
                texts("spec_files", "Descriptions of devices on the node, such as `/run/cdi/nvidia.yaml`."),
            ], "The Container Device Interface."),
        ],
    }
}

fn modules() -> Vec<Attribute> {
    vec![
        text("name", "Its name in the kernel, such as `nvidia_uvm`."),
        flag("loaded", "Whether it is loaded and works."),
        text("state", "`live`, `loading`, `unloading` or `not loaded`."),
        number("size", "Bytes in the kernel's memory; null when it is not loaded."),
        number(
            "reference_count",
            "How often it is in use; null when it is not loaded, and on Talos 1.8, whose kernel keeps no counts.",
        ),
        texts(
            "dependencies",
            "The modules that use it, which Talos calls its dependencies; null when it is not loaded, and on Talos 1.8.",
        ),
        texts(
            "taints",
            "The kernel's letters: `P` proprietary, `O` built out of tree, `E` unsigned. Null when it is not loaded, and with role `os:reader`.",
        ),
    ]
}
