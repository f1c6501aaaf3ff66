//! Kernel modules: `machine.kernel.modules` by name, and `KernelModuleConfig` documents.

use super::containers::{self, MODULES};
use super::fragment::{Fragment, Style, indented};
use super::locate::{self, DocumentKind};
use super::place::{self, Child, Container};
use super::record::{Home, ModuleRecord, PriorParameters};
use super::session::Session;
use super::splice::Splice;
use super::tree::{Id, Kind, Tree};
use super::{
    Action, Backend, Change, EditError, Form, Module, Place, Subject, documents, fragment, normal_name, source,
};

/// One entry or document that names a module.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    pub(super) home: Home,
    pub(super) document: usize,
    /// In the list of modules; meaningless for a document.
    index: usize,
    /// The mapping that holds name and parameters.
    pub(super) mapping: Id,
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) line: usize,
}

impl Occurrence {
    pub(super) fn place(&self) -> Place {
        let form = match self.home {
            Home::V1alpha1 => Form::V1Alpha1,
            Home::Document => Form::Document,
        };
        Place { document: self.document + 1, line: self.line, form }
    }

    fn path(&self) -> String {
        match self.home {
            Home::V1alpha1 => format!("machine.kernel.modules[{}]", normal_name(&self.name)),
            Home::Document => format!("KernelModuleConfig/{}", normal_name(&self.name)),
        }
    }
}

/// All of them, in the order in which Talos takes them: the last one of a name counts.
pub(super) fn occurrences(tree: &Tree) -> Result<Vec<Occurrence>, EditError> {
    let documents = locate::documents(tree)?;
    let mut found = Vec::new();
    let mut add = |home, document: usize, index: usize, at: Id| {
        let mapping = tree.resolve(at);
        // Without a name it is a module with an empty one, to Talos too.
        let name = locate::read(tree, mapping, &["name"]).filter(|name| !tree.is_null(*name));
        let name = name.map_or(Some(""), |name| tree.scalar(name).map(|(name, _)| name));
        if let Some(name) = name.filter(|_| matches!(tree.node(mapping).kind, Kind::Mapping { .. })) {
            found.push(Occurrence {
                home,
                document,
                index,
                mapping: at,
                name: name.to_owned(),
                parameters: parameters(tree, mapping),
                line: tree.line(at),
            });
        }
    };
    for document in documents.iter().filter(|document| document.kind == DocumentKind::V1Alpha1) {
        if let Some(list) = locate::read(tree, document.root, &["machine", "kernel", "modules"]) {
            for (index, item) in tree.items(list).iter().enumerate() {
                add(Home::V1alpha1, document.index, index, *item);
            }
        }
    }
    for document in &documents {
        if matches!(document.kind, DocumentKind::Module(_)) {
            add(Home::Document, document.index, 0, document.root);
        }
    }
    Ok(found)
}

fn parameters(tree: &Tree, mapping: Id) -> Vec<String> {
    let Some(list) = locate::read(tree, mapping, &["parameters"]) else { return Vec::new() };
    // Talos drops nothing that stands in a list of strings.
    let items = tree.items(list).iter().map(|item| tree.resolve(*item)).filter(|item| !tree.is_null(*item));
    items.map(|item| tree.scalar(item).map(|(text, _)| text.to_owned()).unwrap_or_default()).collect()
}

fn of_name(tree: &Tree, name: &str) -> Result<Vec<Occurrence>, EditError> {
    let mut all = occurrences(tree)?;
    all.retain(|occurrence| normal_name(&occurrence.name) == name);
    Ok(all)
}

/// Brings one module to what is wanted.
pub(super) fn set(session: &mut Session, module: &Module, backend: Backend) -> Result<(), EditError> {
    let name = normal_name(&module.name);
    let tree = session.tree()?;
    let mut all = of_name(&tree, &name)?;
    let Some(last) = all.pop() else {
        return add(session, module, backend);
    };
    let Some(wanted) = &module.parameters else {
        let record = session.record.modules.entry(name.clone()).or_insert(ModuleRecord::Theirs { parameters: None });
        let prior = match record {
            ModuleRecord::Theirs { parameters } => parameters.take(),
            ModuleRecord::Ours { other, .. } => other.take(),
        };
        return prior.map_or(Ok(()), |prior| restore_parameters(session, &name, &prior));
    };
    let prior = prior_parameters(&tree, &last)?;
    let splices = if last.parameters == *wanted { Vec::new() } else { set_parameters(&tree, &last, wanted)? };
    let change = (!splices.is_empty()).then(|| Change {
        subject: Subject::Module(name.clone()),
        action: Action::Set,
        place: last.place(),
        before: Some(last.parameters.join(" ")),
        after: Some(wanted.join(" ")),
    });
    let before = all.len();
    match session.record.modules.entry(name).or_insert(ModuleRecord::Theirs { parameters: None }) {
        ModuleRecord::Theirs { parameters } => {
            parameters.get_or_insert(prior);
        }
        // One of them is somebody's, and the last one counts.
        ModuleRecord::Ours { count, other, .. } if before >= *count && change.is_some() => {
            other.get_or_insert(prior);
        }
        ModuleRecord::Ours { .. } => {}
    }
    session.apply(splices);
    session.changes.extend(change);
    Ok(())
}

fn add(session: &mut Session, module: &Module, backend: Backend) -> Result<(), EditError> {
    let mut entries = vec![("name".to_owned(), Fragment::Plain(module.name.clone()))];
    if let Some(parameters) = module.parameters.as_ref().filter(|parameters| !parameters.is_empty()) {
        entries.push(("parameters".to_owned(), Fragment::strings(parameters)));
    }
    let (home, at) = match backend {
        Backend::V1Alpha1 => {
            let child = Child::Item(Fragment::Mapping(entries));
            (Home::V1alpha1, containers::put(session, MODULES, v1alpha1_root("machine.kernel.modules"), &child)?)
        }
        Backend::Documents => {
            let head = [("apiVersion", "v1alpha1"), ("kind", "KernelModuleConfig")];
            let lines = head
                .into_iter()
                .map(|(key, value)| format!("{key}: {value}"))
                .chain(entries.iter().flat_map(|(key, value)| value.entry(key, Style::TALOS)))
                .collect();
            (Home::Document, documents::append(session, lines)?)
        }
    };
    let name = normal_name(&module.name);
    let place = session.place(at, home)?;
    // Ours even if the record has one of theirs: that one is gone, and what is put back on taking back is nothing less
    // than what somebody left.
    match session.record.modules.get_mut(&name) {
        Some(ModuleRecord::Ours { home: recorded, count, .. }) => {
            *recorded = home;
            *count = 1;
        }
        Some(ModuleRecord::Theirs { .. }) | None => {
            session.record.modules.insert(name.clone(), ModuleRecord::Ours { home, count: 1, other: None });
        }
    }
    session.changes.push(Change {
        subject: Subject::Module(name),
        action: Action::Add,
        place,
        before: None,
        after: Some(module.parameters.clone().unwrap_or_default().join(" ")),
    });
    Ok(())
}

/// The root of the v1alpha1 document, for the sake of a path that is to be written.
pub(super) fn v1alpha1_root(path: &'static str) -> impl Fn(&Tree) -> Result<Id, EditError> {
    move |tree| locate::v1alpha1(tree)?.map(|document| document.root).ok_or(EditError::NoV1Alpha1 { path: path.into() })
}

/// Takes a module back: out, if it is ours, else with the parameters that it had.
pub(super) fn revert(session: &mut Session, name: &str) -> Result<(), EditError> {
    let prior = match session.record.modules.remove(name) {
        Some(ModuleRecord::Ours { home, count, other }) => {
            for _ in 0..count {
                remove_one(session, name, home)?;
            }
            other
        }
        Some(ModuleRecord::Theirs { parameters }) => parameters,
        None => None,
    };
    match prior {
        Some(prior) => restore_parameters(session, name, &prior),
        None => Ok(()),
    }
}

/// Takes out the first one that stands where ours stood, or, when somebody moved it, the first one at all.
fn remove_one(session: &mut Session, name: &str, home: Home) -> Result<(), EditError> {
    let tree = session.tree()?;
    let all = of_name(&tree, name)?;
    let Some(own) = all.iter().find(|occurrence| occurrence.home == home).or(all.first()).cloned() else {
        return Ok(());
    };
    let splices = match own.home {
        Home::V1alpha1 => {
            let list = strict_list(&tree, &own)?;
            documents::only(&tree, own.mapping, &["name", "parameters"], &own.path())?;
            place::take(&tree, &list, own.index)?
        }
        Home::Document => {
            documents::only(&tree, own.mapping, &["apiVersion", "kind", "name", "parameters"], &own.path())?;
            let documents = locate::documents(&tree)?;
            let own = documents.iter().find(|document| document.index == own.document);
            own.map_or(Ok(Vec::new()), |own| documents::remove(&tree, own))?
        }
    };
    session.apply(splices);
    session.changes.push(Change {
        subject: Subject::Module(name.to_owned()),
        action: Action::Remove,
        place: own.place(),
        before: Some(own.parameters.join(" ")),
        after: None,
    });
    Ok(())
}

/// The list that an occurrence stands in, if an edit there changes that list alone.
fn strict_list(tree: &Tree, own: &Occurrence) -> Result<Container, EditError> {
    let root = locate::documents(tree)?
        .iter()
        .find(|document| document.index == own.document)
        .map_or(own.mapping, |document| document.root);
    let list = containers::find(tree, root, MODULES)?;
    locate::unshared(tree, own.mapping, &own.path())?;
    list.ok_or_else(|| EditError::Shared { line: own.line, path: own.path(), how: "supplied from elsewhere" })
}

/// The mapping of an occurrence, if an edit there changes that mapping alone.
fn strict_mapping(tree: &Tree, own: &Occurrence) -> Result<Container, EditError> {
    if own.home == Home::V1alpha1 {
        strict_list(tree, own)?;
    }
    locate::unshared(tree, own.mapping, &own.path())?;
    Ok(Container { id: own.mapping, colon: None, key: None, path: own.path() })
}

/// What stands behind a module's parameters, for putting it back.
fn prior_parameters(tree: &Tree, own: &Occurrence) -> Result<PriorParameters, EditError> {
    let path = own.path() + ".parameters";
    let Some((key, value)) = locate::field(tree, own.mapping, "parameters", &path)? else {
        return Ok(PriorParameters { there: false, text: None, values: Vec::new(), column: 0 });
    };
    let text = locate::colon(tree, key, &path).ok().map(|colon| locate::behind_colon(tree, colon, value));
    let text = text.filter(|range| is_values_alone(tree, value, range.start));
    Ok(PriorParameters {
        there: true,
        text: text.map(|range| tree.text[range].to_owned()),
        values: own.parameters.clone(),
        column: source::column(&tree.text, tree.node(key).start()),
    })
}

/// Whether a list is written with nothing but its values: no comments, anchors, aliases, tags, block scalars.
fn is_values_alone(tree: &Tree, value: Id, from: usize) -> bool {
    let mut leaves = vec![value];
    tree.leaves(value, &mut leaves);
    tree.comments_in(from..tree.node(value).span.end).is_empty()
        && leaves.iter().all(|leaf| {
            let node = tree.node(*leaf);
            let block = matches!(tree.scalar(*leaf), Some((_, style)) if fragment::is_block(style));
            !block && !node.has_properties() && !matches!(node.kind, Kind::Alias(_))
        })
}

fn set_parameters(tree: &Tree, own: &Occurrence, wanted: &[String]) -> Result<Vec<Splice>, EditError> {
    let mapping = strict_mapping(tree, own)?;
    let path = own.path() + ".parameters";
    let Some((key, value)) = locate::field(tree, own.mapping, "parameters", &path)? else {
        return Ok(vec![place::put(tree, &mapping, &Child::Entry("parameters".into(), Fragment::strings(wanted)))?]);
    };
    let colon = locate::colon(tree, key, &path)?;
    locate::unshared(tree, value, &path)?;
    if !is_values_alone(tree, value, colon) {
        return Err(EditError::Layout {
            line: tree.line(value),
            path,
            how: "a list with comments, anchors or block scalars within",
            remedy: "as a plain list",
        });
    }
    let style = place::style(tree, value, Some(key));
    let text = match (&tree.node(value).kind, wanted) {
        (Kind::Sequence { flow: false, items }, [_, ..]) => {
            let dash = locate::dash(tree, colon + 1, items[0], &path)?;
            let column = source::column(&tree.text, dash);
            let end = source::line_break(&tree.text, dash);
            wanted.iter().fold(String::new(), |all, value| {
                let line = format!("- {}", Fragment::Plain(value.clone()).flow(style));
                all + end + &indented(column, &line)
            })
        }
        _ => format!(" {}", Fragment::strings(wanted).flow(style)),
    };
    Ok(vec![Splice::replace(locate::behind_colon(tree, colon, value), text)])
}

/// Puts the parameters of a module back that was there before us. Somebody may have removed them or the module since.
fn restore_parameters(session: &mut Session, name: &str, prior: &PriorParameters) -> Result<(), EditError> {
    let tree = session.tree()?;
    let Some(own) = of_name(&tree, name)?.pop() else { return Ok(()) };
    let path = own.path() + ".parameters";
    let Some((key, value)) = locate::field(&tree, own.mapping, "parameters", &path)? else { return Ok(()) };
    let range = locate::behind_colon(&tree, locate::colon(&tree, key, &path)?, value);
    // Several lines were written for a key at that column.
    let fits =
        |text: &&String| !text.contains('\n') || source::column(&tree.text, tree.node(key).start()) == prior.column;
    let as_written = prior.text.as_ref().filter(fits);
    let splices = if !prior.there {
        let mapping = strict_mapping(&tree, &own)?;
        let index = tree.entries(own.mapping).iter().position(|(other, _)| *other == key).unwrap_or_default();
        place::take(&tree, &mapping, index)?
    } else if as_written.is_some_and(|text| tree.text[range.clone()] == **text)
        || (as_written.is_none() && own.parameters == prior.values)
    {
        Vec::new()
    } else if let Some(text) = as_written.filter(|_| is_values_alone(&tree, value, range.start)) {
        strict_mapping(&tree, &own)?;
        locate::unshared(&tree, value, &path)?;
        vec![if text.is_empty() { place::empty(&tree.text, range) } else { Splice::replace(range, text.clone()) }]
    } else {
        set_parameters(&tree, &own, &prior.values)?
    };
    let change = (!splices.is_empty()).then(|| Change {
        subject: Subject::Module(name.to_owned()),
        action: Action::Restore,
        place: own.place(),
        before: Some(own.parameters.join(" ")),
        after: Some(prior.values.join(" ")),
    });
    session.apply(splices);
    session.changes.extend(change);
    Ok(())
}
