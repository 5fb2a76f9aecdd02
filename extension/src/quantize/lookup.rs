//! The query's side of FastScan: for every four dimensions a table of 16 partial sums, rounded to one byte.

/// <q, u> = delta * A + bias, where A is the weighted sum of looked-up bytes over the planes of a code.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// p/4 tables of 16 bytes.
    pub tables: Vec<u8>,
    pub delta: f32,
    pub bias: f32,
    /// Planes of the codes this lookup is for.
    pub bits: u8,
}

impl Lookup {
    /// The lookup of a query of bits, p components of 0 and 1: A is the number of bits that differ, and so are
    /// delta * A + bias.
    pub fn of_bits(query: &[f32]) -> Lookup {
        let mut tables = Vec::with_capacity(query.len() * 4);
        for four in query.chunks_exact(4) {
            let own = (0..4).zip(four).fold(0u8, |own, (bit, &x)| own | u8::from(x > 0.0) << bit);
            tables.extend((0..16u8).map(|code| (code ^ own).count_ones() as u8));
        }
        Lookup { tables, delta: 1.0, bias: 0.0, bits: 1 }
    }

    /// `query`: rotated, p components.
    pub fn new(query: &[f32], bits: u8) -> Lookup {
        let widest = query.chunks_exact(4).map(|four| four.iter().map(|x| x.abs()).sum::<f32>()).fold(0f32, f32::max);
        let delta = if widest > 0.0 { widest / 255.0 } else { 1.0 };
        let mut tables = Vec::with_capacity(query.len() * 4);
        let (mut lowest, mut total) = (0f32, 0f32);
        for four in query.chunks_exact(4) {
            let low: f32 = four.iter().map(|x| x.min(0.0)).sum();
            lowest += low;
            total += four.iter().sum::<f32>();
            // sums[code]: the components whose bits are set, added in their order.
            let mut sums = [0f32; 16];
            for (t, &x) in four.iter().enumerate() {
                for code in 0..1 << t {
                    sums[code | 1 << t] = sums[code] + x;
                }
            }
            tables.extend(sums.map(|sum| ((sum - low) / delta + 0.5) as i32 as u8));
        }
        let weight = f32::from((1u16 << bits) - 1);
        Lookup { tables, delta, bias: weight * (lowest - 0.5 * total), bits }
    }
}
