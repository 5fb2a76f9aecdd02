//! Vectors from a seed, and their exact ranking in f64.

/// A deterministic sequence of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    pub fn from_seed(seed: u64) -> Numbers {
        Numbers(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    /// True with a probability of one in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    /// Between 0 and 1.
    pub fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// An approximately normal number with mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.draw() as u8).collect()
    }
}

/// The element type of a vector column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    Float,
    Float16,
    Int8,
    Bit,
}

impl Element {
    /// Those of numbers.
    pub const ALL: [Element; 3] = [Element::Float, Element::Float16, Element::Int8];

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Element::Float => "FLOAT",
            Element::Float16 => "FLOAT16",
            Element::Int8 => "INT8",
            Element::Bit => "BIT",
        }
    }

    /// A close value that the element can hold: f16 keeps 11 bits and no subnormals, INT8 holds whole numbers, BIT whether
    /// it is greater than zero.
    pub fn rounded(self, x: f64) -> f64 {
        match self {
            Element::Float => f64::from(x as f32),
            Element::Float16 if x.abs() < 6.2e-5 => 0.0,
            Element::Float16 => f64::from(f32::from_bits((x as f32).to_bits() & 0xffff_e000)),
            Element::Int8 => x.round().clamp(-127.0, 127.0),
            Element::Bit => f64::from(u8::from(x > 0.0)),
        }
    }

    /// The BLOB as an SQL literal. Components must come from `rounded`.
    pub fn literal(self, vector: &[f64]) -> String {
        let bytes: Vec<u8> = match self {
            Element::Float => vector.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
            Element::Float16 => vector.iter().flat_map(|&x| half_bits(x as f32).to_le_bytes()).collect(),
            Element::Int8 => vector.iter().map(|&x| (x as i8).cast_unsigned()).collect(),
            Element::Bit => {
                let byte = |eight: &[f64]| (0..8).zip(eight).map(|(bit, &x)| (x as u8) << bit).sum();
                vector.chunks(8).map(byte).collect()
            }
        };
        blob(&bytes)
    }
}

/// A BLOB as an SQL literal.
pub fn blob(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut literal = String::with_capacity(3 + 2 * bytes.len());
    literal.push_str("x'");
    for byte in bytes {
        literal.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    literal.push('\'');
    literal
}

/// The f16 of 0, or of a value that is a normal f16.
fn half_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    let (sign, exponent, fraction) = ((bits >> 16) as u16 & 0x8000, (bits >> 23 & 0xff) as i32 - 112, bits >> 13);
    if exponent < 1 { sign } else { sign | (exponent as u16) << 10 | (fraction as u16 & 0x3ff) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    Cosine,
    L2,
    Dot,
    Hamming,
}

impl Metric {
    /// Those of numbers.
    pub const ALL: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::Dot];

    pub fn name(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::L2 => "l2",
            Metric::Dot => "dot",
            Metric::Hamming => "hamming",
        }
    }

    /// The distance as SQL returns it, in f64.
    pub fn distance(self, a: &[f64], b: &[f64]) -> f64 {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        match self {
            Metric::Cosine => 1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(),
            Metric::L2 => a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
            Metric::Dot => -dot(a, b),
            Metric::Hamming => a.iter().zip(b).map(|(x, y)| (x - y).abs()).sum(),
        }
    }
}

/// Vectors like those of an embedding model: overlapping clusters in fewer dimensions than the vectors have, and a
/// little noise. (Uniform vectors have no meaningful neighbours, and separate clusters are found by any search.)
#[derive(Debug, Clone)]
pub struct Clusters {
    /// The centres, in the latent dimensions.
    centres: Vec<Vec<f64>>,
    /// One row per latent dimension.
    projection: Vec<Vec<f64>>,
    element: Element,
    numbers: Numbers,
}

const LATENT: usize = 24;
/// The spread of the vectors of a cluster, relative to that of the centres.
const SPREAD: f64 = 0.8;
const NOISE: f64 = 0.3;
/// The factor on components before they are rounded to INT8.
const INT8_SCALE: f64 = 30.0;

impl Clusters {
    pub fn new(seed: u64, count: usize, dims: usize, element: Element) -> Clusters {
        let mut numbers = Numbers::from_seed(seed);
        let mut normals = |count: usize| (0..count).map(|_| numbers.normal()).collect::<Vec<f64>>();
        let projection =
            (0..LATENT).map(|_| normals(dims).iter().map(|x| x / (LATENT as f64).sqrt()).collect()).collect();
        let centres = (0..count).map(|_| normals(LATENT)).collect();
        Clusters { centres, projection, element, numbers }
    }

    /// The next vector, of a random cluster, rounded to the element type.
    pub fn vector(&mut self) -> Vec<f64> {
        let cluster = self.numbers.below(self.centres.len());
        let mut vector: Vec<f64> = self.projection[0].iter().map(|_| NOISE * self.numbers.normal()).collect();
        for (centre, row) in self.centres[cluster].iter().zip(&self.projection) {
            let latent = centre + SPREAD * self.numbers.normal();
            vector.iter_mut().zip(row).for_each(|(x, weight)| *x += latent * weight);
        }
        let scale = if self.element == Element::Int8 { INT8_SCALE } else { 1.0 };
        vector.iter().map(|x| self.element.rounded(x * scale)).collect()
    }

    pub fn vectors(&mut self, count: usize) -> Vec<Vec<f64>> {
        (0..count).map(|_| self.vector()).collect()
    }
}

/// All ids and distances, nearest to `query` first, ties by id.
pub fn ranked<'v>(
    metric: Metric,
    query: &[f64],
    rows: impl IntoIterator<Item = (i64, &'v Vec<f64>)>,
) -> Vec<(f64, i64)> {
    let mut ranked: Vec<(f64, i64)> =
        rows.into_iter().map(|(id, vector)| (metric.distance(query, vector), id)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    ranked
}
