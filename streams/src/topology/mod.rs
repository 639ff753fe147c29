//! The graph: how it is drafted, named, checked, cut into sub-topologies and described.
//!
//! A [`TopologyBuilder`] collects nodes (for people: names, places, edges) and typed links (for the machine). `build` links
//! them once into a [`Topology`], which never changes after.

mod builder;
mod check;
mod describe;
mod graph;
mod names;
mod node;
mod sub_topology;

pub use builder::{NameScope, TopologyBuilder};
pub use describe::Description;
pub use graph::Topology;

pub(crate) use graph::Graph;
pub(crate) use node::{Kind, NodeId, NodeSpec};
