//! The search for secrets: strings that were planted in keys, tokens and configurations must turn up nowhere that a run
//! leaves behind, in whatever dress a program may have put them.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Strings that must not turn up.
#[derive(Clone, Debug, Default)]
pub struct Canaries {
    planted: Vec<Canary>,
}

#[derive(Clone, Debug)]
struct Canary {
    name: String,
    dresses: Vec<(&'static str, Vec<u8>)>,
}

/// A canary that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// What leaked.
    pub canary: String,
    /// How it was dressed: plain, base64, hex, numbers.
    pub dress: &'static str,
    /// Where: a file, or a member of a plan.
    pub place: String,
}

impl Canaries {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Something that must not turn up. Take a string of letters and digits that stands nowhere else, at least a dozen
    /// of them: shorter ones turn up by chance in base64.
    #[must_use]
    pub fn plant(mut self, name: &str, secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref();
        let mut dresses = vec![("plain", secret.to_vec())];
        // A secret inside a longer text that is base64 as a whole looks different at each of three offsets; the
        // characters at both ends depend on the neighbours and are left out.
        for offset in 0..3 {
            dresses.push(("base64", inner_base64(secret, offset)));
        }
        dresses.push(("hex", hex(secret).into_bytes()));
        let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
        dresses.push(("numbers", numbers.join(", ").into_bytes()));
        dresses.push(("numbers", numbers.join(" ").into_bytes()));
        self.planted.push(Canary { name: name.to_owned(), dresses });
        self
    }

    /// A key or a certificate, given as PEM or as base64 of PEM: each long line of it, and the bytes that it stands
    /// for. A key has no canary but itself.
    ///
    /// # Errors
    /// When it is neither.
    pub fn plant_pem(self, name: &str, text: &str) -> Result<Self> {
        let decoded = STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pem = decoded.unwrap_or_else(|| text.to_owned());
        let lines: Vec<&str> = pem.lines().map(str::trim).filter(|line| !line.contains("-----")).collect();
        ensure!(pem.contains("-----BEGIN "), "{name} is no PEM");
        let bytes = STANDARD.decode(lines.concat()).with_context(|| format!("{name} is no PEM"))?;
        // The end of a key is the key; its beginning is the same in all of them.
        let tail = &bytes[bytes.len().saturating_sub(24)..];
        let long = lines.iter().filter(|line| line.len() >= 40);
        Ok(long.fold(self.plant(name, tail), |canaries, line| canaries.plant(name, line)))
    }

    /// Every leak in these files and folders. Plans are opened; the copy of the configuration that a plan carries is
    /// what its author wrote and is left out.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn scan(&self, places: &[PathBuf]) -> Result<Vec<Leak>> {
        let mut leaks = Vec::new();
        let mut waiting = places.to_vec();
        while let Some(place) = waiting.pop() {
            let metadata = fs::symlink_metadata(&place).with_context(|| format!("cannot scan {}", place.display()))?;
            if metadata.is_dir() {
                for entry in fs::read_dir(&place)? {
                    waiting.push(entry?.path());
                }
            } else if metadata.is_file() && !is_configuration(&place) {
                self.scan_file(&place, &mut leaks)?;
            }
        }
        Ok(leaks)
    }

    /// Every leak in these bytes.
    #[must_use]
    pub fn scan_bytes(&self, place: &str, bytes: &[u8]) -> Vec<Leak> {
        let mut leaks = Vec::new();
        for canary in &self.planted {
            for (dress, needle) in &canary.dresses {
                if contains(bytes, needle) {
                    leaks.push(Leak { canary: canary.name.clone(), dress, place: place.to_owned() });
                }
            }
        }
        leaks
    }

    fn scan_file(&self, path: &Path, leaks: &mut Vec<Leak>) -> Result<()> {
        let bytes = fs::read(path)?;
        if bytes.starts_with(b"PK\x03\x04") {
            let mut archive = zip::ZipArchive::new(Cursor::new(&bytes))?;
            for index in 0..archive.len() {
                let mut member = archive.by_index(index)?;
                let place = format!("{}!{}", path.display(), member.name()?);
                let mut content = Vec::new();
                member.read_to_end(&mut content)?;
                if !place.contains("!tfconfig/") {
                    leaks.extend(self.scan_bytes(&place, &content));
                }
            }
        } else {
            leaks.extend(self.scan_bytes(&path.display().to_string(), &bytes));
        }
        Ok(())
    }
}

/// What the case itself wrote: secrets stand there because it put them there.
fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tf" || extension == "tfvars" || extension == "hcl")
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

fn inner_base64(secret: &[u8], offset: usize) -> Vec<u8> {
    // Whole groups of three bytes, beginning where a group begins when `offset` bytes stand before the secret.
    let inner = secret.get((3 - offset) % 3..).unwrap_or_default();
    STANDARD.encode(&inner[..inner.len() / 3 * 3]).into_bytes()
}

fn hex(secret: &[u8]) -> String {
    secret.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Canaries, inner_base64};

    const SECRET: &str = "CanaryInTheCoalMine42";

    fn dresses(bytes: &[u8]) -> Vec<&'static str> {
        Canaries::new().plant("c", SECRET).scan_bytes("p", bytes).into_iter().map(|leak| leak.dress).collect()
    }

    #[test]
    fn a_canary_is_found_plain_and_in_every_dress() {
        assert_eq!(dresses(format!("x {SECRET}.").as_bytes()), ["plain"]);
        assert_eq!(dresses(format!("{:?}", SECRET.as_bytes()).as_bytes()), ["numbers"]);
        // base64 of "", "x" and "xy" before the secret, "z" behind it
        for text in
            ["Q2FuYXJ5SW5UaGVDb2FsTWluZTQyeg==", "eENhbmFyeUluVGhlQ29hbE1pbmU0Mno=", "eHlDYW5hcnlJblRoZUNvYWxNaW5lNDJ6"]
        {
            assert_eq!(dresses(text.as_bytes()), ["base64"], "{text}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert!(dresses(b"CanaryInTheCoalMine4").is_empty());
        assert!(dresses(b"").is_empty());
    }

    #[test]
    fn base64_at_an_offset_leaves_out_what_depends_on_neighbours() {
        assert_eq!(inner_base64(b"abcdef", 0), b"YWJjZGVm");
        assert_eq!(inner_base64(b"abcdef", 2), b"YmNk");
    }
}
