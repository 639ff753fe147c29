//! The operators, one file each: the method on the handle, what it runs, its example and its tests.

mod filter;
mod flat_map;
mod flat_map_values;
mod for_each;
mod map;
mod map_values;
mod merge;
mod peek;
mod print;
mod process;
mod process_values;
mod select_key;
mod source;
mod split;
mod to;
mod to_dynamic;

pub use flat_map::Emitter;
pub use flat_map_values::ValueEmitter;
pub use split::Split;
