//! The acceptance cases: what a user does with the real terraform and tofu, on a node made of Talos's own modules.
//!
//! A case knows only what a user knows. Its name says what happens; `harness` runs it for each command line and Talos
//! version and tells the whole story when it fails.

mod bad_input;
mod cluster_access;
mod device_plugin_release;
mod drift;
mod driver_status;
mod examples;
mod ground;
mod harness_itself;
mod interruptions;
mod modes;
mod older_state;
mod others;
mod ownership;
mod pages;
mod patch;
mod picture;
mod reach;
mod refusals;
mod registry;
mod runtime_class;
mod secrets;
mod sharing;
mod smoke_test;
mod the_guide;
