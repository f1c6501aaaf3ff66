//! The wire encoding: go-cty's msgpack, as Terraform sends and expects it.
//!
//! Terraform sends numbers as integer, float or text, and unknown values with what is known of them in an extension.
//! All of it is read; written is the plainest form, which every CLI since Terraform 1.0 reads.

mod decode;
mod encode;
mod refinement;

pub use decode::decode;
pub use encode::encode;

/// Extension type of an unknown value that something is known of.
const REFINED: i8 = 0x0c;

#[cfg(test)]
mod tests;
