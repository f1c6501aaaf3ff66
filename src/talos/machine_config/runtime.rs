//! containerd's default runtime: an entry of `machine.files` with the one path that Talos takes as a CRI fragment, and
//! `CRICustomizationConfig` documents.

use super::containers::{self, FILES};
use super::cri_toml::{self, Setting};
use super::fragment::{Fragment, Style, quote};
use super::locate::{self, DocumentKind};
use super::modules::v1alpha1_root;
use super::place::{self, Child, Container};
use super::record::{Home, RuntimePlace, RuntimeRecord};
use super::session::Session;
use super::splice::Splice;
use super::text_lines::{self, LineEdit, Lines};
use super::tree::{Id, Tree};
use super::{Action, Backend, Change, DefaultRuntime, EditError, Form, Place, Subject, View, documents};

/// The path of the one file that Talos merges into the CRI configuration.
pub(super) const PART: &str = "/etc/cri/conf.d/20-customization.part";
/// The name that Talos gives that file among the fragments.
pub(super) const LEGACY: &str = "customization";

/// A CRI fragment of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) home: Home,
    document: usize,
    root: Id,
    /// In `machine.files`; meaningless for a document.
    index: usize,
    pub(super) mapping: Id,
    pub(super) content: Option<Id>,
    pub(super) text: String,
    pub(super) line: usize,
}

impl Part {
    fn place(&self) -> Place {
        let form = match self.home {
            Home::V1alpha1 => Form::V1Alpha1,
            Home::Document => Form::Document,
        };
        Place { document: self.document + 1, line: self.line, form }
    }

    fn path(&self) -> String {
        match self.home {
            Home::V1alpha1 => format!("machine.files[{PART}]"),
            Home::Document => format!("CRICustomizationConfig/{}", self.name),
        }
    }

    fn find(&self, plugin: &str) -> Result<Option<Setting>, EditError> {
        cri_toml::find(&self.text, plugin).map_err(|reason| self.broken(reason))
    }

    fn broken(&self, reason: String) -> EditError {
        EditError::Toml { line: self.line, reason }
    }
}

/// All fragments, in the order in which Talos merges them: by file name, a later one wins.
pub(super) fn parts(tree: &Tree) -> Result<Vec<Part>, EditError> {
    let mut found = Vec::new();
    for document in locate::documents(tree)? {
        let mut add = |name: &str, home, index, at: Id| {
            let content = locate::read(tree, at, &["content"]);
            let text = content.filter(|content| !tree.is_null(*content)).and_then(|content| tree.scalar(content));
            found.push(Part {
                name: name.to_owned(),
                home,
                document: document.index,
                root: document.root,
                index,
                mapping: at,
                content,
                text: text.map(|(text, _)| text.to_owned()).unwrap_or_default(),
                line: tree.line(at),
            });
        };
        match &document.kind {
            DocumentKind::V1Alpha1 => {
                let files = locate::read(tree, document.root, &["machine", "files"]);
                let items = files.map(|files| tree.items(files)).unwrap_or_default();
                for (index, item) in items.iter().enumerate() {
                    let path = locate::read(tree, *item, &["path"]).and_then(|path| tree.scalar(path));
                    if path.is_some_and(|(path, _)| path == PART) {
                        add(LEGACY, Home::V1alpha1, index, *item);
                    }
                }
            }
            DocumentKind::Cri(name) => add(name, Home::Document, 0, document.root),
            _ => {}
        }
    }
    found.sort_by_key(|part| format!("20-{}.part", part.name));
    Ok(found)
}

/// Reads the setting. A fragment that does not parse sets nothing here: that it is broken is said when it is in the way.
pub(super) fn view(tree: &Tree, plugin: &str, view: &mut View) -> Result<(), EditError> {
    let mut legacy = false;
    for part in parts(tree)? {
        // Of two entries with the path, Talos 1.14 reads the first.
        if part.home == Home::V1alpha1 && std::mem::replace(&mut legacy, true) {
            continue;
        }
        if let Ok(Some(setting)) = cri_toml::find(&part.text, plugin)
            && !setting.value.is_empty()
        {
            view.default_runtime = Some(setting.value);
            view.default_runtime_places.push(part.place());
        }
    }
    Ok(())
}

/// The fragments, if they can all be read: with a broken one Talos makes no CRI configuration at all.
fn sound_parts(tree: &Tree, plugin: &str) -> Result<Vec<(Part, Option<Setting>)>, EditError> {
    let parts = parts(tree)?;
    let mut legacy = parts.iter().filter(|part| part.home == Home::V1alpha1);
    if let (Some(first), Some(second)) = (legacy.next(), legacy.next()) {
        return Err(EditError::SeveralParts { line: second.line, first: first.line, path: PART });
    }
    parts.into_iter().map(|part| part.find(plugin).map(|setting| (part, setting))).collect()
}

/// Brings the default runtime to what is wanted.
pub(super) fn set(session: &mut Session, wanted: &DefaultRuntime, backend: Backend) -> Result<(), EditError> {
    let tree = session.tree()?;
    let parts = sound_parts(&tree, &wanted.cri_plugin)?;
    let counts =
        |(_, setting): &&(Part, Option<Setting>)| setting.as_ref().is_some_and(|found| !found.value.is_empty());
    let standing = parts.iter().rfind(counts).or_else(|| parts.iter().rfind(|(_, setting)| setting.is_some()));
    let Some((part, Some(setting))) = standing else {
        return add(session, wanted, backend);
    };
    let splices = if setting.value == wanted.name {
        Vec::new()
    } else {
        let edit =
            cri_toml::replace(&part.text, setting, &quote(&wanted.name)).map_err(|reason| part.broken(reason))?;
        rewrite(&tree, part, &[edit])?
    };
    let change = (!splices.is_empty()).then(|| Change {
        subject: Subject::DefaultRuntime,
        action: Action::Set,
        place: part.place(),
        before: Some(setting.value.clone()),
        after: Some(wanted.name.clone()),
    });
    let prior = RuntimePlace {
        fragment: part.name.clone(),
        prior: Some(setting.raw.clone()),
        made_table: false,
        made_fragment: false,
    };
    let touches_files = part.home == Home::V1alpha1 && change.is_some();
    // Recorded when the key becomes ours, and again only in a fragment with which somebody overrode ours.
    let places = session.runtime_places(&wanted.cri_plugin);
    if (places.is_empty() || change.is_some()) && places.iter().all(|place| place.fragment != prior.fragment) {
        places.push(prior);
    }
    session.touches_files |= touches_files;
    session.apply(splices);
    session.changes.extend(change);
    Ok(())
}

impl Session {
    fn runtime_places(&mut self, plugin: &str) -> &mut Vec<RuntimePlace> {
        let new = || RuntimeRecord { cri_plugin: plugin.to_owned(), places: Vec::new() };
        &mut self.record.default_runtime.get_or_insert_with(new).places
    }
}

/// Writes the setting where none stands: into the fragment that is there for it, else into a new one.
fn add(session: &mut Session, wanted: &DefaultRuntime, backend: Backend) -> Result<(), EditError> {
    let tree = session.tree()?;
    let name = match backend {
        Backend::V1Alpha1 => LEGACY.to_owned(),
        Backend::Documents => format!("{}-default-runtime", wanted.name),
    };
    let home = if backend == Backend::V1Alpha1 { Home::V1alpha1 } else { Home::Document };
    let mut place = RuntimePlace { fragment: name.clone(), prior: None, made_table: true, made_fragment: false };
    let at = match parts(&tree)?.into_iter().find(|part| part.home == home && part.name == name) {
        Some(part) => {
            let (edit, made_table) =
                cri_toml::add(&part.text, &wanted.cri_plugin, &wanted.name).map_err(|reason| part.broken(reason))?;
            place.made_table = made_table;
            let splices = rewrite(&tree, &part, &[edit])?;
            let at = splices.first().map_or(0, |splice| splice.range.start);
            session.apply(splices);
            at
        }
        None => {
            place.made_fragment = true;
            let lines = cri_toml::new_lines(&wanted.cri_plugin, &wanted.name);
            new_part(session, &name, backend, lines)?
        }
    };
    session.touches_files |= home == Home::V1alpha1;
    let shown = session.place(at, home)?;
    let places = session.runtime_places(&wanted.cri_plugin);
    match places.iter_mut().find(|known| known.fragment == name) {
        // Somebody removed it: what is left of ours around it stays ours. What stood there at first went with it, so
        // there is nothing to restore any more.
        Some(known) => {
            *known = RuntimePlace {
                made_table: known.made_table || place.made_table,
                made_fragment: known.made_fragment || place.made_fragment,
                ..place
            };
        }
        None => places.push(place),
    }
    session.changes.push(Change {
        subject: Subject::DefaultRuntime,
        action: Action::Add,
        place: shown,
        before: None,
        after: Some(wanted.name.clone()),
    });
    Ok(())
}

fn new_part(session: &mut Session, name: &str, backend: Backend, lines: Vec<String>) -> Result<usize, EditError> {
    let content = ("content".to_owned(), Fragment::Lines(lines));
    if backend == Backend::V1Alpha1 {
        let item = Fragment::Mapping(vec![
            content,
            ("permissions".to_owned(), Fragment::Raw("0o600")),
            ("path".to_owned(), Fragment::Plain(PART.to_owned())),
            ("op".to_owned(), Fragment::Plain("create".to_owned())),
        ]);
        return containers::put(session, FILES, v1alpha1_root("machine.files"), &Child::Item(item));
    }
    let lines = ["apiVersion: v1alpha1", "kind: CRICustomizationConfig"]
        .into_iter()
        .map(str::to_owned)
        .chain(Fragment::Plain(name.to_owned()).entry("name", Style::TALOS))
        .chain(content.1.entry("content", Style::TALOS))
        .collect();
    documents::append(session, lines)
}

/// Carries line edits of a fragment's text over to the scalar that it is written as.
fn rewrite(tree: &Tree, part: &Part, edits: &[LineEdit]) -> Result<Vec<Splice>, EditError> {
    let path = part.path() + ".content";
    strict(tree, part)?;
    let Some((key, content)) = locate::field(tree, part.mapping, "content", &path)? else {
        return Err(EditError::Layout {
            line: part.line,
            path,
            how: "nothing",
            remedy: "as a literal block scalar (|)",
        });
    };
    let colon = locate::colon(tree, key, &path)?;
    locate::unshared(tree, content, &path)?;
    text_lines::splices(tree, content, &Container { id: content, colon: Some(colon), key: Some(key), path }, edits)
}

/// Refuses a fragment where an edit would change more than it.
fn strict(tree: &Tree, part: &Part) -> Result<Container, EditError> {
    let path = part.path();
    locate::unshared(tree, part.root, &path)?;
    locate::unshared(tree, part.mapping, &path)?;
    if part.home == Home::Document {
        return Ok(Container { id: part.root, colon: None, key: None, path });
    }
    containers::find(tree, part.root, FILES)?.ok_or(EditError::Shared {
        line: part.line,
        path,
        how: "supplied from elsewhere",
    })
}

/// Takes the setting back, in every fragment that we set it in.
pub(super) fn revert(session: &mut Session) -> Result<(), EditError> {
    let Some(record) = session.record.default_runtime.take() else { return Ok(()) };
    for place in record.places.into_iter().rev() {
        revert_one(session, &record.cri_plugin, &place)?;
    }
    Ok(())
}

fn revert_one(session: &mut Session, plugin: &str, record: &RuntimePlace) -> Result<(), EditError> {
    let tree = session.tree()?;
    let Some(part) = parts(&tree)?.into_iter().find(|part| part.name == record.fragment) else { return Ok(()) };
    let Some(setting) = part.find(plugin)? else { return Ok(()) };
    let (splices, action) = match &record.prior {
        Some(raw) if *raw == setting.raw => return Ok(()),
        Some(raw) => {
            let edit = cri_toml::replace(&part.text, &setting, raw).map_err(|reason| part.broken(reason))?;
            (rewrite(&tree, &part, &[edit])?, Action::Restore)
        }
        None => (take_out(&tree, &part, plugin, &setting, record)?, Action::Remove),
    };
    let change = Change {
        subject: Subject::DefaultRuntime,
        action,
        place: part.place(),
        before: Some(setting.value),
        after: record.prior.clone(),
    };
    session.touches_files |= part.home == Home::V1alpha1;
    session.apply(splices);
    session.changes.push(change);
    Ok(())
}

fn take_out(
    tree: &Tree,
    part: &Part,
    plugin: &str,
    setting: &Setting,
    record: &RuntimePlace,
) -> Result<Vec<Splice>, EditError> {
    let edits =
        cri_toml::remove(&part.text, plugin, setting, record.made_table).map_err(|reason| part.broken(reason))?;
    let rest = Lines::of(&part.text).edited(&part.text, &edits);
    if !record.made_fragment || !rest.trim().is_empty() {
        return rewrite(tree, part, &edits);
    }
    let container = strict(tree, part)?;
    if part.home == Home::V1alpha1 {
        documents::only(tree, part.mapping, &["content", "permissions", "path", "op"], &part.path())?;
        return place::take(tree, &container, part.index);
    }
    documents::only(tree, part.mapping, &["apiVersion", "kind", "name", "content"], &part.path())?;
    let documents = locate::documents(tree)?;
    let own = documents.iter().find(|document| document.index == part.document);
    own.map_or(Ok(Vec::new()), |own| documents::remove(tree, own))
}

/// Takes the setting for ours, and its table and fragment where nothing else is in them.
pub(super) fn adopt(tree: &Tree, wanted: &DefaultRuntime) -> Result<Option<RuntimeRecord>, EditError> {
    for (part, setting) in sound_parts(tree, &wanted.cri_plugin)?.into_iter().rev() {
        let Some(setting) = setting.filter(|setting| setting.value == wanted.name) else { continue };
        let rest = cri_toml::remove(&part.text, &wanted.cri_plugin, &setting, true)
            .map(|edits| Lines::of(&part.text).edited(&part.text, &edits));
        let alone = rest.is_ok_and(|rest| rest.trim().is_empty());
        let place = RuntimePlace { fragment: part.name, prior: None, made_table: alone, made_fragment: alone };
        return Ok(Some(RuntimeRecord { cri_plugin: wanted.cri_plugin.clone(), places: vec![place] }));
    }
    Ok(None)
}
