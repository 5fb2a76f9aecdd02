//! (module quantize)
