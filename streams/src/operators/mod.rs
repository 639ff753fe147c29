//! The operators, one file each: the method on the handle, what it runs, its example and its tests.

mod filter;
mod map_values;
mod source;
mod to;
