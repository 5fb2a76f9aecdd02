//! FORMAT.md quotes the byte layouts of the modules that decode them.

#[test]
fn the_format_document_quotes_every_layout() {
    let root = env!("CARGO_MANIFEST_DIR");
    let document = std::fs::read_to_string(format!("{root}/FORMAT.md")).unwrap();
    for module in ["node", "header", "entry"] {
        let source = std::fs::read_to_string(format!("{root}/src/format/{module}.rs")).unwrap();
        let doc: String = source
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
            .collect();
        let start = doc.find("```text\n").expect("a layout") + "```text\n".len();
        let layout = &doc[start..start + doc[start..].find("```").expect("its end")];
        assert!(document.contains(layout), "FORMAT.md lacks the layout of src/format/{module}.rs:\n{layout}");
    }
}
