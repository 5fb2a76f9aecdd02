//! Replays the corpus of the fuzz targets. (CONTRIBUTING.md says how to make it.)

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::path::Path;

#[test]
fn the_corpus_of_every_fuzz_target_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, body) in bodies::TARGETS {
        let files: Vec<_> =
            std::fs::read_dir(corpus.join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 10, "{target}: {} files", files.len());
        for file in files {
            let data = std::fs::read(&file).unwrap();
            assert!(std::panic::catch_unwind(|| body(&data)).is_ok(), "{}", file.display());
        }
        body(&[]);
    }
}
