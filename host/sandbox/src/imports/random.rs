//! `random`: seeded by run and step, so that a replay draws the same numbers. Not for keys.

use crate::ctx::Ctx;
use crate::limit::Hit;
use crate::world::random::Host;

/// Bytes of one draw.
const BYTES: u32 = 64 << 10;

/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    /// From a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Host for Ctx {
    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        if count > BYTES {
            return Err(Hit::Copy.into());
        }
        let count = count as usize;
        let random = &mut self.called().random;
        let mut out = Vec::with_capacity(count + 8);
        while out.len() < count {
            out.extend_from_slice(&random.next().to_le_bytes());
        }
        out.truncate(count);
        Ok(out)
    }

    fn next(&mut self) -> wasmtime::Result<u64> {
        Ok(self.called().random.next())
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix;

    #[test]
    fn draws_the_published_numbers() {
        // The first outputs for seed 1234567, as in the reference implementation.
        let mut random = SplitMix::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
