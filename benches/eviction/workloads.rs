//! The workloads: which keys are looked up, in which order. They are equal on every run.

/// The number of recurring keys: ten times as many as the bound has room for.
pub(crate) const KEYS: usize = 320_000;
/// The number of operations of a workload.
pub(crate) const OPERATIONS: usize = 1_200_000;
/// The first third of a workload's operations only fills the map and does not count. The number of all operations is
/// divided by this to get the number of those.
const FILLING: usize = 3;
/// The length of a key in bytes, about the same as that of a real one.
const KEY_BYTES: usize = 200;

/// One lookup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) number: usize,
    /// Whether the operation counts among hits and misses.
    pub(crate) counts: bool,
}

/// Returns a key. Like real keys, all keys share most of their bytes.
pub(crate) fn key(number: usize) -> [u8; KEY_BYTES] {
    let mut key = [b'k'; KEY_BYTES];
    let (_, end) = key.split_at_mut(KEY_BYTES - 8);
    end.copy_from_slice(&(number as u64).to_le_bytes());
    key
}

pub(crate) fn all(operations: usize) -> Vec<(&'static str, Vec<Operation>)> {
    vec![
        ("Zipf 0.9", zipf(0.9, operations)),
        ("Zipf 1.1", zipf(1.1, operations)),
        ("loop, 1.5 times the bound", looped(48_000, operations)),
        ("Zipf 0.9, 1 in 2 asked once", swept(2, operations)),
        ("Zipf 0.9, with sweeps", swept_in_bursts(operations)),
    ]
}

/// Keys with Zipf's distribution: the key of rank n is looked up in proportion to n^-exponent.
pub(crate) fn zipf(exponent: f64, operations: usize) -> Vec<Operation> {
    let numbers = zipf_numbers(exponent, operations);
    numbers.enumerate().map(|(at, number)| Operation { number, counts: at >= operations / FILLING }).collect()
}

fn zipf_numbers(exponent: f64, operations: usize) -> impl Iterator<Item = usize> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=KEYS)
        .map(|rank| {
            #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
            let share = (rank as f64).powf(-exponent);
            sum += share;
            sum
        })
        .collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..operations).map(move |_| {
        let drawn = random.share() * sum;
        let rank = sums.partition_point(|below| *below < drawn).min(KEYS - 1);
        // The prime factor spreads the frequently used keys, which must not have neighbouring numbers.
        rank * 7_919 % KEYS
    })
}

/// All keys in turn, repeatedly.
fn looped(keys: usize, operations: usize) -> Vec<Operation> {
    (0..operations).map(|at| Operation { number: at % keys, counts: at >= operations / FILLING }).collect()
}

/// Keys with Zipf's distribution, except that one in `one_in` operations is for a key that never recurs, and does not
/// count.
fn swept(one_in: usize, operations: usize) -> Vec<Operation> {
    let zipf = zipf_numbers(0.9, operations).enumerate();
    zipf.map(|(at, number)| match at % one_in {
        0 => Operation { number: KEYS + at, counts: false },
        _ => Operation { number, counts: at >= operations / FILLING },
    })
    .collect()
}

/// Keys with Zipf's distribution, interrupted by bursts of keys that never recur. A burst has as many keys as the bound
/// has room for, and does not count.
fn swept_in_bursts(operations: usize) -> Vec<Operation> {
    const BURST: usize = 32_000;
    let zipf = zipf_numbers(0.9, operations).enumerate();
    zipf.map(|(at, number)| match at / BURST % 3 {
        2 => Operation { number: KEYS + at, counts: false },
        _ => Operation { number, counts: at >= operations / FILLING },
    })
    .collect()
}

/// xorshift64*: fast, and equal on all machines.
struct Random(u64);

impl Random {
    /// A random number from 0 to below 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        #[expect(clippy::cast_precision_loss, reason = "an f64 is exact for the 53 bits that are left")]
        let share = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64;
        share / 9_007_199_254_740_992.0
    }
}
