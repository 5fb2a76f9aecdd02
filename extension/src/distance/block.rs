//! Blocks of distances for the bulk builder: all rows of one set against all rows of another.

use super::scalar::{LANES, PairRow, fold, near_pairs_portable};

/// Writes out[i * b_rows + j] = <a_i, b_j>; `a` and `b` are row-major with `width` components per row.
///
/// Sums may use fused multiply-add: the same on one kind of CPU, and rounded otherwise on another.
pub fn inner_products(a: &[f32], b: &[f32], width: usize, out: &mut [f32]) {
    let (a_rows, b_rows) = (a.len() / width, b.len() / width);
    assert!(out.len() >= a_rows * b_rows, "{a_rows} x {b_rows} products need more than {} slots", out.len());
    // SAFETY: a has a_rows x width components, b (read as its transpose) b_rows x width, out a_rows x b_rows.
    unsafe {
        matrixmultiply::sgemm(
            a_rows,
            width,
            b_rows,
            1.0,
            a.as_ptr(),
            width as isize,
            1,
            b.as_ptr(),
            1,
            width as isize,
            0.0,
            out.as_mut_ptr(),
            b_rows as isize,
            1,
        );
    }
}

/// Appends (j, half the squared l2 distance of i and j) wherever the distance is at most either limit.
pub fn near_pairs(row: &PairRow<'_>, out: &mut Vec<(u32, f32)>) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: AVX2 and FMA were detected.
        return unsafe { super::x86_64::near_pairs(row, out) };
    }
    near_pairs_portable(row, 0, out);
}

/// <a, b> of whole runs of 32 components, summed as `scalar.rs` specifies: insertion links by it, and must give the
/// same bytes on every CPU.
pub fn fast_dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 was detected.
        return unsafe { super::x86_64::fast_dot(a, b) };
    }
    fast_dot_portable(a, b)
}

fn fast_dot_portable(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    for (x, y) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for i in 0..LANES {
            lanes[i] += x[i] * y[i];
        }
    }
    fold(lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_near_pairs_equal_the_portable_ones() {
        let products: Vec<f32> = (0..77).map(|i| ((i * 29) % 64) as f32 / 64.0).collect();
        let half_norms = vec![0.5; 77];
        let limits: Vec<f32> = (0..77).map(|i| ((i * 13) % 32) as f32 / 64.0).collect();
        let row = PairRow { products: &products, half_norm: 0.5, limit: 0.2, half_norms: &half_norms, limits: &limits };
        let (mut got, mut want) = (Vec::new(), Vec::new());
        near_pairs(&row, &mut got);
        near_pairs_portable(&row, 0, &mut want);
        assert_eq!(got, want);
        assert!(want.len() > 10 && want.len() < 77);
    }

    #[test]
    fn inner_products_of_two_sets_are_all_pairs() {
        let a: Vec<f32> = (0..5 * 64).map(|i| ((i * 7) % 11) as f32 - 5.0).collect();
        let b: Vec<f32> = (0..3 * 64).map(|i| ((i * 5) % 13) as f32 - 6.0).collect();
        let mut out = vec![0.0; 15];
        inner_products(&a, &b, 64, &mut out);
        for i in 0..5 {
            for j in 0..3 {
                let (x, y) = (&a[i * 64..(i + 1) * 64], &b[j * 64..(j + 1) * 64]);
                let want: f32 = x.iter().zip(y).map(|(x, y)| x * y).sum();
                assert_eq!(out[i * 3 + j], want);
                assert_eq!(fast_dot(x, y), want);
            }
        }
    }

    #[test]
    fn fast_dot_gives_the_same_bits_on_every_cpu() {
        for width in [64, 192, 1024] {
            let vector = |seed: usize| -> Vec<f32> { (0..width).map(|i| ((i * seed) as f32).sin() * 1e3).collect() };
            let (a, b) = (vector(7), vector(11));
            let bytes: Vec<u8> = b.iter().flat_map(|x| x.to_le_bytes()).collect();
            let specified = super::super::scalar::dot_f32(&a, &bytes);
            assert_eq!(fast_dot(&a, &b).to_bits(), specified.to_bits());
            assert_eq!(fast_dot_portable(&a, &b).to_bits(), specified.to_bits());
        }
    }
}
