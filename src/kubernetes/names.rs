//! What Kubernetes takes as a name, a label, an annotation and a resource (`apimachinery/pkg/util/validation`, `api/validation`),
//! so that a mistake is said before a call is made. Each check answers with a sentence.

/// The most that all annotations of an object may be long together, keys and values (`TotalAnnotationSizeLimitB`).
pub const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// A name such as that of a namespace or a handler: an RFC 1123 label.
///
/// # Errors
/// Says what is wrong.
pub fn label(given: &str) -> Result<(), String> {
    if given.len() > 63 {
        return Err(format!("\"{given}\" has {} characters; 63 are the most.", given.len()));
    }
    if is_dns_label(given) {
        Ok(())
    } else {
        Err(format!(
            "\"{given}\" may hold lower case letters, digits and \"-\", and must begin and end with a letter or digit."
        ))
    }
}

/// A name such as that of a RuntimeClass or a ClusterRole's object: an RFC 1123 subdomain.
///
/// # Errors
/// Says what is wrong.
pub fn subdomain(given: &str) -> Result<(), String> {
    if given.len() > 253 {
        return Err(format!("the name has {} characters; 253 are the most.", given.len()));
    }
    if given.split('.').all(is_dns_label) {
        Ok(())
    } else {
        Err(format!(
            "\"{given}\" may hold lower case letters, digits, \"-\" and \".\", and each part between dots must begin and end with a letter or digit."
        ))
    }
}

fn is_dns_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A key of a label: a name with an optional DNS prefix, such as `nvidia.com/gpu.present`.
///
/// # Errors
/// Says what is wrong.
pub fn label_key(given: &str) -> Result<(), String> {
    let (prefix, name) = match given.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, given),
    };
    if let Some(prefix) = prefix {
        subdomain(prefix).map_err(|why| format!("before the \"/\" of \"{given}\" stands a DNS name: {why}"))?;
    }
    if name.is_empty() {
        Err(format!("\"{given}\" has no name{}.", if prefix.is_some() { " after its \"/\"" } else { "" }))
    } else if name.len() > 63 {
        Err(format!("the name in \"{given}\" has {} characters; 63 are the most.", name.len()))
    } else if is_qualified(name) {
        Ok(())
    } else {
        Err(format!(
            "\"{given}\" may hold letters, digits, \"-\", \"_\" and \".\", with a DNS name and \"/\" in front if wanted, and must begin and end with a letter or digit."
        ))
    }
}

/// A key of an annotation: as that of a label, with capitals in the prefix too.
///
/// # Errors
/// Says what is wrong.
pub fn annotation_key(given: &str) -> Result<(), String> {
    label_key(&given.to_lowercase())
}

/// A value of a label.
///
/// # Errors
/// Says what is wrong.
pub fn label_value(given: &str) -> Result<(), String> {
    if given.len() > 63 {
        return Err(format!("the value has {} characters; 63 are the most.", given.len()));
    }
    if given.is_empty() || is_qualified(given) {
        Ok(())
    } else {
        Err(format!(
            "\"{given}\" may hold letters, digits, \"-\", \"_\" and \".\", and must begin and end with a letter or digit."
        ))
    }
}

fn is_qualified(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().next_back())
}

/// A resource that a container may have a limit of: `cpu`, `memory`, `hugepages-2Mi`, `nvidia.com/gpu`.
///
/// # Errors
/// Says what is wrong.
pub fn container_resource(given: &str) -> Result<(), String> {
    label_key(given)?;
    let standard = matches!(given, "cpu" | "memory" | "ephemeral-storage") || given.starts_with("hugepages-");
    if standard || (given.contains('/') && !given.starts_with("requests.")) {
        Ok(())
    } else {
        Err(format!(
            "\"{given}\" is no resource of a container: write cpu, memory, ephemeral-storage, hugepages-SIZE, or a resource with a domain such as nvidia.com/gpu."
        ))
    }
}

/// Whether amounts of a resource are whole numbers: all but those that Kubernetes itself defines.
#[must_use]
pub fn is_counted(resource: &str) -> bool {
    resource.split_once('/').is_some_and(|(domain, _)| domain != "kubernetes.io" && !domain.ends_with(".kubernetes.io"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(check: fn(&str) -> Result<(), String>, good: &[&str], bad: &[&str]) {
        for given in good {
            assert_eq!(check(given), Ok(()), "{given}");
        }
        for given in bad {
            assert!(check(given).is_err(), "{given}");
        }
    }

    #[test]
    fn names_are_those_that_the_api_takes() {
        let long = "a".repeat(64);
        all(label, &["a", "nvidia", "a-1", "1"], &["", "A", "a.b", "a_b", "-a", "a-", "ä", &long]);
        all(subdomain, &["a", "a.b-c.d", &long], &["", "a..b", ".a", "a.", "A.b", "a.-b", &"a".repeat(254)]);
    }

    #[test]
    fn keys_and_values_of_labels_are_those_that_the_api_takes() {
        let long = "a".repeat(64);
        all(
            label_key,
            &["a", "A_b.c", "nvidia.com/gpu.present", "a/b"],
            &["", "/a", "a/", "a/b/c", "Nvidia.com/a", "-a", "a b", "é", &long],
        );
        all(annotation_key, &["Nvidia.com/a", "a"], &["", "a b", "a/"]);
        all(label_value, &["", "true", "A_b.c-1"], &["-", "a b", "a/b", "é", &long]);
    }

    #[test]
    fn resources_are_those_that_a_container_takes() {
        all(
            container_resource,
            &["cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "nvidia.com/gpu"],
            &["", "gpu", "storage", "requests.nvidia.com/gpu", "pods"],
        );
        assert!(is_counted("nvidia.com/gpu") && !is_counted("cpu") && !is_counted("x.kubernetes.io/y"));
    }
}
