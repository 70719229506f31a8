//! Hostile bytes: whatever a damaged database or a defect elsewhere hands to the deserialiser, the
//! process goes on, and what is refused is refused with the platform's words (ST-4, RPC-10).

use deno_core::{JsRuntime, RuntimeOptions};

use super::*;

/// Values of every kind that the format knows.
const SEEDS: &str = r#"[
  undefined, null, true, 1.5, -7, 2n ** 70n, "text", "\u20ac", new Date(0), /a+/giu,
  [1, , 3], Object.assign([1, 2], { own: 1 }), { a: { b: [{}] }, 3: "index" },
  new Map([[1, new Set([2, "x"])]]), new Set(), new Uint8Array([1, 2, 3]).buffer,
  new Float64Array([1, 2]), new DataView(new ArrayBuffer(8), 2, 4), Object("s"), Object(1),
  new Error("e", { cause: new TypeError("c") }), new AggregateError([1], "many"),
  (() => { const a = {}; a.self = a; return [a, a]; })(),
  Array.from({ length: 40 }, (_, i) => ({ [`key ${i}`]: [i, `${i}`, new Date(i)] })),
  new Uint8Array(new ArrayBuffer(4, { maxByteLength: 16 })),
  [["deep", [["er", [[[[[[1]]]]]]]]]],
]"#;

/// A generator that is the same everywhere (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        // Tags, small numbers and the ends of ranges find more than bytes at random.
        const LIKELY: &[u8] = b"\\^oO{aA$$Aa;:',rRSIUDNZdBVVvt?mMsnpbEecx\0\x01\x7f\x80\xff\xfe";
        match self.below(3) {
            0 => LIKELY[self.below(LIKELY.len())],
            1 => u8::try_from(self.below(4)).unwrap(),
            _ => (self.next() & 0xff) as u8,
        }
    }
}

/// Another message, made of messages.
fn mutated(chance: &mut Chance, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[chance.below(seeds.len())].clone();
    for _ in 0..=chance.below(6) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(6) {
            0 if at < bytes.len() => bytes[at] = chance.byte(),
            1 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            2 => bytes.insert(at, chance.byte()),
            3 => bytes.truncate(at),
            4 => {
                let other = &seeds[chance.below(seeds.len())];
                let from = chance.below(other.len());
                let end = from + chance.below(other.len() - from);
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            _ => {
                // A number of up to five bytes, as lengths, counts and indices are written.
                let number: Vec<u8> = (0..4).map(|_| chance.byte() | 0x80).chain([1]).collect();
                bytes.splice(at..at, number);
            }
        }
    }
    bytes
}

fn seeds(runtime: &mut JsRuntime) -> Vec<Vec<u8>> {
    let values = runtime.execute_script("seeds", SEEDS).unwrap();
    deno_core::scope!(scope, runtime);
    let values = v8::Local::new(scope, values);
    let values = v8::Local::<v8::Array>::try_from(values).unwrap();
    let mut seeds = Vec::new();
    for index in 0..values.length() {
        let value = values.get_index(scope, index).unwrap();
        seeds.push(serialize(scope, value, Instances::Flatten).unwrap().to_vec());
    }
    // What stands for a capability: the tag of an object of the host, and its number.
    seeds.push(b"\xff\x0fo\"\x01a\\\0{\x01".to_vec());
    seeds.push(b"\xff\x0f\\\x05".to_vec());
    seeds
}

#[test]
fn no_bytes_end_the_process() {
    let rounds = std::env::var("BERYL_TORTURE").map_or(20_000, |_| 1_000_000);
    let seed = std::env::var("BERYL_SEED").map_or(0xbe71, |seed| seed.parse().unwrap());
    println!("BERYL_SEED={seed}");
    let mut chance = Chance(seed);
    // V8's chores have timers.
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = tokio.enter();
    let mut runtime = JsRuntime::new(RuntimeOptions::default());
    let seeds = seeds(&mut runtime);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..rounds {
        let bytes = mutated(&mut chance, &seeds);
        let _ = clone_format::may_have_error(&bytes);
        deno_core::scope!(scope, &mut runtime);
        let objects = v8::Array::new(scope, 1);
        let object = v8::Object::new(scope).into();
        objects.set_index(scope, 0, object).unwrap();
        match deserialize_with(scope, &bytes, objects) {
            // What was read is a value like any other: it can be cloned again, or says why not.
            Ok(value) => {
                read += 1;
                let _ = serialize(scope, value, Instances::Flatten);
            }
            Err(JsError::DataClone(text)) => {
                refused += 1;
                assert_eq!(text, "Unable to deserialize cloned data.");
            }
            Err(_) => panic!("another error for {bytes:?}"),
        }
    }
    assert!(read > rounds / 50 && refused > rounds / 50, "{read} read, {refused} refused");
}
