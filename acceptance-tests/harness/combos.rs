//! Which command lines and Talos versions a case runs on. Each combination is a test of its own, named
//! `the_case::tofu::on_talos_1_13`, so that a failure says where and one can be run alone.

/// On every minor from 1.8 to 1.14, with both command lines: for the main case.
#[macro_export]
macro_rules! on_every_minor {
    ($case:ident) => {
        $crate::on!($case: 8 on_talos_1_8, 9 on_talos_1_9, 10 on_talos_1_10, 11 on_talos_1_11, 12 on_talos_1_12,
            13 on_talos_1_13, 14 on_talos_1_14);
    };
}

/// On 1.12, 1.13 and 1.14, with both command lines: the last of the old configuration, the driver of the new guide, the
/// first with documents.
#[macro_export]
macro_rules! on_recent_minors {
    ($case:ident) => {
        $crate::on!($case: 12 on_talos_1_12, 13 on_talos_1_13, 14 on_talos_1_14);
    };
}

/// On 1.13 alone, with both command lines: for what does not depend on Talos.
#[macro_export]
macro_rules! on_one_minor {
    ($case:ident) => {
        $crate::on!($case: 13 on_talos_1_13);
    };
}

/// On 1.13 with one command line: for what depends neither on Talos nor on the command line, such as what the cluster makes
/// of a value. What a plan shows and how a run ends is for both.
#[macro_export]
macro_rules! with {
    (terraform $case:ident) => {
        mod $case {
            mod terraform {
                $crate::on!(@test super::super::$case, Terraform, 13, on_talos_1_13);
            }
        }
    };
    (tofu $case:ident) => {
        mod $case {
            mod tofu {
                $crate::on!(@test super::super::$case, Tofu, 13, on_talos_1_13);
            }
        }
    };
}

/// On these minors, with both command lines.
#[macro_export]
macro_rules! on {
    ($case:ident: $($minor:literal $name:ident),+ $(,)?) => {
        mod $case {
            mod terraform {
                $($crate::on!(@test super::super::$case, Terraform, $minor, $name);)+
            }
            mod tofu {
                $($crate::on!(@test super::super::$case, Tofu, $minor, $name);)+
            }
        }
    };
    (@test $case:path, $cli:ident, $minor:literal, $name:ident) => {
        #[test]
        fn $name() -> Result<(), $crate::Failure> {
            let binary = std::path::Path::new(env!("CARGO_BIN_EXE_terraform-provider-nvidia"));
            $crate::run($crate::Cli::$cli, $crate::Minor($minor), binary, $case)
        }
    };
}
