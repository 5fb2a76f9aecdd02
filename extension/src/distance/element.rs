//! Stored components to f32 and back.

use super::Element;
use super::check::check_bits;
use crate::error::{Error, Result};

pub(super) fn u32_at(bytes: &[u8]) -> u32 {
    match bytes {
        [a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => 0,
    }
}

pub(super) fn u16_at(bytes: &[u8]) -> u16 {
    match bytes {
        [a, b, ..] => u16::from_le_bytes([*a, *b]),
        _ => 0,
    }
}

pub(super) fn i8_at(bytes: &[u8]) -> i8 {
    bytes.first().map_or(0, |&b| b.cast_signed())
}

/// IEEE 754 half to single precision; exact.
pub fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10) & 0x1f;
    let mantissa = u32::from(half) & 0x3ff;
    let magnitude = match exponent {
        0 => return f32::from_bits(sign | (mantissa as f32 * f32::from_bits(0x3380_0000)).to_bits()), // times 2^-24
        0x1f => 0x7f80_0000 | (mantissa << 13),
        _ => ((exponent + 112) << 23) | (mantissa << 13),
    };
    f32::from_bits(sign | magnitude)
}

/// Single to half precision, rounded to nearest, ties to even. Values beyond 65,504 become infinite.
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00; // NaN
    }
    if magnitude >= 0x4780_0000 {
        return sign | 0x7c00; // 2^16 and beyond
    }
    if magnitude < 0x3880_0000 {
        // Subnormal half: adding 0.5 aligns the mantissa so that the hardware rounds to nearest even.
        let aligned = f32::from_bits(magnitude) + 0.5;
        return sign | (aligned.to_bits() - 0.5f32.to_bits()) as u16;
    }
    let rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    sign | ((rounded - (112 << 23)) >> 13) as u16
}

/// Components of a stored vector.
pub fn decode(bytes: &[u8], element: Element) -> Vec<f32> {
    let mut out = Vec::new();
    decode_into(bytes, element, &mut out);
    out
}

/// As `decode`, into a buffer that is cleared first.
pub fn decode_into(bytes: &[u8], element: Element, out: &mut Vec<f32>) {
    out.clear();
    match element {
        Element::F32 => out.extend(bytes.chunks_exact(4).map(|b| f32::from_bits(u32_at(b)))),
        Element::F16 => out.extend(bytes.chunks_exact(2).map(|b| f16_to_f32(u16_at(b)))),
        Element::I8 => out.extend(bytes.iter().map(|&b| f32::from(b.cast_signed()))),
        Element::Bit => out.extend(bytes.iter().flat_map(|&b| (0..8).map(move |bit| f32::from(b >> bit & 1)))),
    }
}

/// Packs components, a multiple of 8, into bits: 1 where the component is greater than zero.
pub fn signs(components: &[f32]) -> Result<Vec<u8>> {
    if !components.len().is_multiple_of(8) {
        return Err(Error::invalid(format!(
            "expected a multiple of 8 dimensions, since a byte holds 8 bits, got {}",
            components.len()
        )));
    }
    let byte = |eight: &[f32]| (0..8).zip(eight).fold(0, |byte, (bit, &x)| byte | u8::from(x > 0.0) << bit);
    Ok(components.chunks(8).map(byte).collect())
}

/// Encodes components. FLOAT16 rounds to nearest; INT8 accepts only whole numbers from -128 to 127, BIT only 0 and 1.
pub fn encode(components: &[f32], element: Element) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(element.bytes(components.len()));
    for (i, &x) in components.iter().enumerate() {
        match element {
            Element::F32 => out.extend_from_slice(&x.to_le_bytes()),
            Element::F16 => {
                let half = f32_to_f16(x);
                if x.is_finite() && half & 0x7c00 == 0x7c00 {
                    return Err(Error::invalid(format!(
                        "component {i}: expected -65504 to 65504 for FLOAT16, got {x}"
                    )));
                }
                out.extend_from_slice(&half.to_le_bytes());
            }
            Element::I8 => {
                if x.fract() != 0.0 || !(-128.0..=127.0).contains(&x) {
                    return Err(Error::invalid(format!(
                        "component {i}: expected a whole number from -128 to 127 for INT8, got {x}"
                    )));
                }
                out.push((x as i8).cast_unsigned());
            }
            Element::Bit => {
                check_bits(components)?;
                return signs(components);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_round_trip() {
        // Miri takes a thousand times as long.
        for half in (0..=u16::MAX).step_by(if cfg!(miri) { 251 } else { 1 }) {
            let value = f16_to_f32(half);
            if value.is_nan() {
                assert_eq!(half & 0x7c00, 0x7c00);
            } else {
                assert_eq!(f32_to_f16(value), half, "{half:#06x} = {value}");
            }
        }
    }

    #[test]
    fn halves_round_to_nearest_even() {
        assert_eq!(f32_to_f16(1.0 + 1.0 / 2048.0), 0x3c00); // a tie goes to the even one below
        assert_eq!(f32_to_f16(1.0 + 3.0 / 2048.0), 0x3c02); // a tie goes to the even one above
        assert_eq!(f32_to_f16(65_519.0), 0x7bff);
        assert_eq!(f32_to_f16(65_520.0), 0x7c00);
        assert_eq!(f32_to_f16(1.0 / (1 << 25) as f32), 0);
        assert_eq!(f32_to_f16(-1.0 / (1 << 24) as f32), 0x8001);
    }

    #[test]
    fn int8_takes_whole_numbers_only() {
        assert_eq!(encode(&[-128.0, 0.0, 127.0], Element::I8).unwrap(), [0x80, 0, 0x7f]);
        let error = encode(&[1.0, 0.5], Element::I8).unwrap_err().to_string();
        assert_eq!(error, "component 1: expected a whole number from -128 to 127 for INT8, got 0.5");
    }

    #[test]
    fn bits_are_zeros_and_ones_the_first_in_the_lowest_bit() {
        let components = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, -0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(encode(&components, Element::Bit).unwrap(), [0x81, 0x02]);
        assert_eq!(decode(&[0x81, 0x02], Element::Bit), components);
        let error = |components: &[f32]| encode(components, Element::Bit).unwrap_err().to_string();
        let cure = "expected 0 or 1 for BIT, got 0.5: vec_bit(v) takes the signs of a vector; subtract 0.5 from a mean of bits first";
        assert_eq!(error(&[0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), format!("component 1: {cure}"));
        assert_eq!(error(&[0.0; 7]), "expected a multiple of 8 dimensions, since a byte holds 8 bits, got 7");
    }

    #[test]
    fn signs_are_ones_where_a_component_is_greater_than_zero() {
        let tiny = f32::from_bits(1);
        assert_eq!(signs(&[0.1, -0.1, 0.0, -0.0, tiny, -tiny, f32::INFINITY, f32::NAN]).unwrap(), [0b0101_0001]);
    }

    #[test]
    fn float16_refuses_what_it_cannot_hold() {
        let error = encode(&[70_000.0], Element::F16).unwrap_err().to_string();
        assert_eq!(error, "component 0: expected -65504 to 65504 for FLOAT16, got 70000");
    }
}
