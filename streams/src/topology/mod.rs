//! The graph: how it is drafted, named, checked, cut into sub-topologies and described.
//!
//! A [`TopologyBuilder`] collects nodes (for people: names, places, edges) and typed links (for the machine). `build` links
//! them once into a [`Topology`], which never changes after.

mod builder;
mod check;
mod copartition;
mod describe;
mod global;
mod graph;
mod internal;
mod internal_names;
mod names;
mod node;
mod null_keys;
mod sub_topology;

pub use builder::{NameScope, TopologyBuilder};
pub use describe::Description;
pub use graph::Topology;

pub(crate) use copartition::CopartitionGroup;
pub(crate) use global::GlobalTable;
pub(crate) use graph::Graph;
pub(crate) use internal::{RepartitionId, RepartitionSpec, TopicRef};
pub(crate) use node::{Kind, NodeId, NodeSpec};
pub(crate) use sub_topology::SubTopology;
