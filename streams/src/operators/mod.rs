//! The operators, one file each: the method on the handle, what it runs, its example and its tests.

mod aggregate;
mod cogroup;
mod count;
mod filter;
mod flat_map;
mod flat_map_values;
mod for_each;
mod global_join;
mod global_table;
mod grace;
#[cfg(test)]
mod grace_failures;
mod group_by_key;
mod map;
mod map_values;
mod merge;
mod peek;
mod print;
mod process;
mod process_values;
mod reduce;
mod repartition;
mod select_key;
mod source;
mod split;
mod stream_table_join;
mod table;
mod table_aggregate;
mod table_filter;
mod table_group_by;
mod table_join;
mod table_map_values;
mod table_reduce;
mod to;
mod to_dynamic;
mod to_stream;
mod to_table;

pub use cogroup::CogroupedKStream;
pub use flat_map::Emitter;
pub use flat_map_values::ValueEmitter;
pub use split::Split;

pub(crate) use repartition::NullKeys;
