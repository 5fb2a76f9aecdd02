//! hnsw_rs as a peer: peers.py starts this program and talks to it, since the crate has no Python package.
//!
//! ```text
//! hnsw_rs_peer build VECTORS DIMS FOLDER     builds an index and saves it
//! hnsw_rs_peer serve QUERIES DIMS FOLDER     loads it; a line "EF K FIRST COUNT" on standard input runs those queries
//!                                            and prints {"us": [...], "rows": [[...], ...]}
//! ```
//! VECTORS and QUERIES are files of little-endian f32, of unit length. M and ef_construction are those of hnswlib's run.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::Path;

use cpu_time::ThreadTime;
use hnsw_rs::api::AnnT;
use hnsw_rs::prelude::{DistDot, Hnsw, HnswIo};

const M: usize = 16;
const EF_CONSTRUCTION: usize = 200;
const LAYERS: usize = 16;
const NAME: &str = "index";
const USAGE: &str = "usage: hnsw_rs_peer build|serve FILE DIMS FOLDER";

fn read_vectors(file: &str, dims: usize) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let bytes = fs::read(file)?;
    let whole = |vector: &[u8]| vector.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(bytes.chunks_exact(4 * dims).map(whole).collect())
}

fn build(vectors: &[Vec<f32>], folder: &Path) -> Result<(), Box<dyn Error>> {
    let index = Hnsw::<f32, DistDot>::new(M, vectors.len(), LAYERS, EF_CONSTRUCTION, DistDot {});
    let numbered: Vec<(&[f32], usize)> = vectors.iter().map(Vec::as_slice).zip(0..).collect();
    index.parallel_insert_slice(&numbered);
    index.file_dump(folder, NAME)?;
    Ok(())
}

fn serve(queries: &[Vec<f32>], folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut files = HnswIo::new(folder, NAME);
    let mut index: Hnsw<'_, f32, DistDot> = files.load_hnsw()?;
    index.set_searching_mode(true);
    for line in io::stdin().lock().lines() {
        let numbers: Vec<usize> = line?.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let &[ef, k, first, count] = numbers.as_slice() else { return Err("expected EF K FIRST COUNT".into()) };
        let wanted = queries.get(first..first + count).ok_or("there are not so many queries")?;
        let (mut times, mut rows) = (Vec::new(), Vec::new());
        for query in wanted {
            let start = ThreadTime::now();
            let found = index.search(query, k, ef);
            times.push(start.elapsed().as_nanos() as f64 / 1e3);
            rows.push(found.iter().map(|neighbour| neighbour.d_id).collect::<Vec<_>>());
        }
        println!("{{\"us\": {times:?}, \"rows\": {rows:?}}}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [verb, file, dims, folder] = arguments.as_slice() else { return Err(USAGE.into()) };
    let vectors = read_vectors(file, dims.parse()?)?;
    match verb.as_str() {
        "build" => build(&vectors, Path::new(folder)),
        "serve" => serve(&vectors, Path::new(folder)),
        _ => Err(USAGE.into()),
    }
}
