//! talos

pub mod machine_config;
