//! Talos's own generator and parser, of the release that each back-end is for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

/// What Talos's parser says of a configuration.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) ok: bool,
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) modules: Vec<Module>,
    #[serde(default)]
    pub(crate) sysctls: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) files: Vec<File>,
    #[serde(default)]
    pub(crate) cri_customizations: Vec<Customization>,
    pub(crate) canonical_sha_of_rest: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) parameters: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) op: String,
    pub(crate) permissions: String,
    pub(crate) content: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Customization {
    pub(crate) name: String,
    pub(crate) content: String,
}

fn program(minor: &str) -> PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(format!("target/tools/talos-node-{minor}"));
    assert!(path.is_file(), "{} is missing. Build it with:\n\n    make tools\n", path.display());
    path
}

/// A configuration of Talos's generator. Its secrets are replaced, so that a seed gives the same text in every run and
/// a failure can be shown.
pub(crate) fn generate(minor: &str, kind: &str, comments: bool) -> String {
    let mut command = Command::new(program(minor));
    command.args(["gen-config", "--type", kind]);
    if comments {
        command.arg("--comments");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_inclusive('\n').map(without_secret).collect()
}

fn without_secret(line: &str) -> String {
    let base64 = |char: char| char.is_ascii_alphanumeric() || "+/=-_".contains(char);
    let replaced = |word: &str| {
        let bare = word.trim_end();
        let new = match bare.len() {
            23 if bare.as_bytes()[6] == b'.' => "abcdef.0123456789abcdef",
            43.. if bare.chars().all(base64) => "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=",
            _ => return word.to_owned(),
        };
        word.replace(bare, new)
    };
    line.split(' ').map(replaced).collect::<Vec<_>>().join(" ")
}

/// Reads many configurations with one process.
pub(crate) fn read(minor: &str, texts: &[&[u8]]) -> Vec<Reading> {
    let mut child =
        Command::new(program(minor)).arg("check-config").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let readings = std::thread::scope(|scope| {
        scope.spawn(move || {
            for text in texts {
                writeln!(input, "{}", text.len()).unwrap();
                input.write_all(text).unwrap();
            }
        });
        output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect::<Vec<_>>()
    });
    child.wait().unwrap();
    assert_eq!(readings.len(), texts.len());
    readings
}
