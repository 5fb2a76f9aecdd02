//! Which files import each other: a file that can be read without its neighbours is the aim, so circles stay small.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, root, sources_in};

/// The path of a module in its crate, such as `storage::store`; empty for the root.
type Module = Vec<String>;

/// The modules of a crate, each with the paths that it names, from the root of the crate.
struct Crate {
    files: BTreeMap<Module, Source>,
    /// What a module re-exports: its own name for a path.
    exports: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Crate {
    fn new(sources: Vec<Source>) -> Crate {
        let files: BTreeMap<Module, Source> =
            sources.into_iter().map(|source| (module_of(&source.name), source)).collect();
        let mut read = Crate { files, exports: BTreeMap::new() };
        let exports = read.files.keys().map(|module| {
            let is_parent = read.files.keys().any(|other| other.len() > module.len() && other.starts_with(module));
            let (_, public) = read.uses(module);
            let named = public.into_iter().filter_map(|path| Some((path.last()?.clone(), path)));
            (module.clone(), if is_parent { named.collect() } else { BTreeMap::new() })
        });
        read.exports = exports.collect();
        read
    }

    /// The paths of a module's private and of its public `use` statements.
    fn uses(&self, module: &Module) -> (Vec<Module>, Vec<Module>) {
        let (mut private, mut public) = (Vec::new(), Vec::new());
        for statement in self.code(module).split(';') {
            let Some(found) = Use::of(statement) else { continue };
            let paths = flatten(found.tree).into_iter().filter_map(|path| self.absolute(module, &path));
            if found.is_public { public.extend(paths) } else { private.extend(paths) }
        }
        (private, public)
    }

    fn code(&self, module: &Module) -> String {
        self.files[module].code().map(|(_, line)| format!("{line} ")).collect()
    }

    /// A path that a module names, from the root; None for one that leads out of the crate.
    fn absolute(&self, module: &Module, path: &str) -> Option<Module> {
        let mut segments: Vec<&str> = path.split("::").map(str::trim).filter(|segment| *segment != "self").collect();
        let mut base = module.clone();
        let is_child = |name: &str| self.files.contains_key(&[module.as_slice(), &[name.to_owned()]].concat());
        match *segments.first()? {
            "crate" => base.clear(),
            "super" => {
                let levels = segments.iter().take_while(|segment| **segment == "super").count();
                base.truncate(base.len().saturating_sub(levels));
                segments.drain(1..levels);
            }
            child if is_child(child) => segments.insert(0, ""),
            _ => return None,
        }
        base.extend(segments.drain(1..).map(str::to_owned));
        Some(base)
    }

    /// The module that a path leads to, through re-exports.
    fn target(&self, path: &[String]) -> Module {
        let length = (0..=path.len()).rev().find(|&length| self.files.contains_key(&path[..length])).unwrap_or(0);
        let (module, rest) = path.split_at(length);
        let exports = self.exports.get(module);
        match rest.split_first().and_then(|(name, rest)| Some((exports?.get(name)?, rest))) {
            Some((path, rest)) => self.target(&[path.as_slice(), rest].concat()),
            None => module.to_vec(),
        }
    }

    /// The modules that each module names, in `use` statements and in paths written out.
    fn imports(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let of = |module| {
            let code = self.code(module);
            let (private, public) = self.uses(module);
            let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let outside = code.split(';').map(|statement| Use::of(statement).map_or(statement, |found| found.before));
            let written =
                outside.flat_map(|statement| statement.split(|c| !is_path(c)).filter(|word| word.contains("::")));
            let written = written.filter_map(|path| self.absolute(module, path.trim_end_matches(':')));
            // A parent's re-exports are no use of its own.
            let public = public.into_iter().filter(|_| self.exports[module].is_empty());
            private
                .into_iter()
                .chain(public)
                .chain(written)
                .map(|path| self.target(&path))
                .filter(|to| to != module)
                .collect()
        };
        self.files.keys().map(|module| (module, of(module))).collect()
    }

    /// The files of each set of more than two modules in which each imports every other, if by way of the rest.
    fn circles(&self) -> BTreeSet<Vec<&str>> {
        let imports = self.imports();
        let reached = |from: &Module| {
            let (mut seen, mut waiting) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = waiting.pop() {
                waiting.extend(imports[&module].iter().filter(|to| seen.insert((*to).clone())).cloned());
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.files.keys().map(|from| (from, reached(from))).collect();
        let circle = |of: &&Module| {
            let members = reached[*of].iter().filter(|other| reached[*other].contains(*of));
            members.map(|member| self.files[member].name.as_str()).collect::<Vec<&str>>()
        };
        reached.keys().map(circle).filter(|circle| circle.len() > 2).collect()
    }
}

/// A statement, up to its semicolon, that ends with `use` and its tree.
struct Use<'a> {
    before: &'a str,
    is_public: bool,
    tree: &'a str,
}

impl Use<'_> {
    fn of(statement: &str) -> Option<Use<'_>> {
        let (before, tree) = statement.rsplit_once("use ")?;
        let visibility = before.rsplit(['}', '{', ']']).next().unwrap_or_default().trim();
        let is_public = visibility.starts_with("pub");
        (is_public || visibility.is_empty()).then_some(Use { before, is_public, tree })
    }
}

/// `["storage", "store"]` of `storage/store.rs`.
fn module_of(name: &str) -> Module {
    let path = name.strip_suffix(".rs").unwrap_or(name);
    path.split('/').filter(|segment| !["lib", "main", "mod"].contains(segment)).map(str::to_owned).collect()
}

/// The paths of a `use` tree: `a::b`, `a::c::d` of `a::{b, c::{d as e}}`.
fn flatten(tree: &str) -> Vec<String> {
    let Some((prefix, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return vec![path.to_owned()];
    };
    let (mut depth, mut members) = (0, vec![String::new()]);
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => {
                members.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        members.iter_mut().last().into_iter().for_each(|member| member.push(character));
    }
    let members = members.iter().filter(|member| !member.trim().is_empty());
    members.flat_map(|member| flatten(member)).map(|path| format!("{}{path}", prefix.trim())).collect()
}

#[test]
fn no_more_than_two_files_import_each_other_in_a_circle() {
    let workspace = root().with_file_name("");
    let mut wrong: Vec<Vec<String>> = Vec::new();
    for folder in ["extension/src/", "importer/src/"] {
        let read = Crate::new(sources_in(&workspace.join(folder)));
        let count: usize = read.imports().values().map(BTreeSet::len).sum();
        assert!(count > 100, "the imports of {folder} are seen: {count}");
        for circle in read.circles() {
            wrong.push(circle.iter().map(|name| format!("{folder}{name}")).collect());
        }
    }
    assert_eq!(wrong, Vec::<Vec<String>>::new());
}

#[test]
fn circles_are_found_through_every_form_of_import() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod e;"),
        ("a/mod.rs", "mod c;\npub mod d;\npub use c::{C, Other};"),
        ("a/c.rs", "use std::fmt;\nuse super::d::{self, D as Renamed};\npub struct C;"),
        ("a/d.rs", "fn f() -> u8 { crate::b::g() }"),
        ("b.rs", "#[allow(unused)]\nuse crate::{\n    a::{C as X},\n    e::E,\n};"),
        ("e.rs", "#[cfg(test)]\nmod tests { use crate::b::B; }"),
    ];
    let source = |(name, text): (&str, &str)| Source { name: name.into(), text: text.into() };
    let read = Crate::new(files.map(source).into_iter().collect());
    assert_eq!(read.circles(), BTreeSet::from([vec!["a/c.rs", "a/d.rs", "b.rs"]]));
    let pair = files.map(|(name, text)| (name, text.replace("crate::b::g()", "0")));
    let read = Crate::new(pair.iter().map(|(name, text)| source((name, text))).collect());
    assert_eq!(read.circles(), BTreeSet::new());
}
